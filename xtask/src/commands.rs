//! Command lines of cargo in the documents: packages, targets and tests that they name exist.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::documents::{self, CommandLine, is_placeholder};
use crate::files;

/// Returns each command of cargo in a document that names what is not there, as `file:line: what`.
///
/// # Errors
///
/// A file that cannot be read ends the check.
pub fn broken(root: &Path) -> io::Result<Vec<String>> {
    let packages = packages(root)?;
    let mut broken = Vec::new();
    for command in documents::code(root)?.iter().flat_map(documents::commands) {
        for problem in problems(&command, &packages)? {
            broken.push(format!("{}:{}: {problem}", command.file, command.line));
        }
    }
    Ok(broken)
}

/// How many commands of cargo the documents have that name a package.
///
/// # Errors
///
/// A file that cannot be read ends the count.
pub fn count(root: &Path) -> io::Result<usize> {
    let commands = documents::code(root)?;
    let commands = commands.iter().flat_map(documents::commands);
    Ok(commands
        .filter(|command| Call::of(&command.words).is_some_and(|call| !call.packages.is_empty()))
        .count())
}

/// The folder of each package of the workspace.
fn packages(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for manifest in files::below(root, &["toml"])? {
        if manifest.file_name().is_none_or(|name| name != "Cargo.toml") {
            continue;
        }
        let text = fs::read_to_string(&manifest)?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| io::Error::other(format!("{}: {error}", manifest.display())))?;
        let name = table.get("package").and_then(|package| package.get("name"));
        if let (Some(name), Some(folder)) = (name.and_then(toml::Value::as_str), manifest.parent())
        {
            found.insert(name.to_owned(), folder.to_path_buf());
        }
    }
    Ok(found)
}

/// What a command of cargo asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Call {
    subcommand: String,
    packages: Vec<String>,
    /// `bench`, `test`, `bin` or `example`, and its name.
    targets: Vec<(String, String)>,
    filters: Vec<String>,
}

/// Subcommands of cargo, and the project's own, that documents may name.
const SUBCOMMANDS: [&str; 9] =
    ["test", "nextest", "bench", "run", "build", "clippy", "doc", "fmt", "handfast"];

impl Call {
    fn of(words: &[String]) -> Option<Self> {
        let mut words = words.iter().map(String::as_str);
        if words.next()? != "cargo" {
            return None;
        }
        let mut call = Self { subcommand: words.next()?.to_owned(), ..Self::default() };
        if call.subcommand == "handfast" {
            return Some(call);
        }
        while let Some(word) = words.next() {
            match word {
                // What is in brackets may be left out.
                "--" | "[--" => break,
                _ if word.starts_with('[') || word.ends_with(']') => {}
                "-p" | "--package" => call.packages.extend(words.next().map(str::to_owned)),
                "--bench" | "--test" | "--bin" | "--example" => {
                    let name = words.next()?.to_owned();
                    call.targets.push((word.trim_start_matches('-').to_owned(), name));
                }
                "--features" => drop(words.next()),
                _ if word.starts_with('-') || is_placeholder(word) => {}
                "run" if call.subcommand == "nextest" => {}
                filter => call.filters.push(filter.to_owned()),
            }
        }
        Some(call)
    }
}

fn problems(
    command: &CommandLine,
    packages: &BTreeMap<String, PathBuf>,
) -> io::Result<Vec<String>> {
    let Some(call) = Call::of(&command.words) else { return Ok(Vec::new()) };
    let mut problems = Vec::new();
    if !SUBCOMMANDS.contains(&call.subcommand.as_str()) {
        problems.push(format!("`cargo {}` is no command of this project", call.subcommand));
    }
    let mut folders = Vec::new();
    for name in call.packages.iter().filter(|name| !is_placeholder(name)) {
        match packages.get(name) {
            Some(folder) => folders.push(folder),
            None => problems.push(format!("there is no package {name}")),
        }
    }
    if folders.is_empty() {
        return Ok(problems);
    }
    for (kind, name) in &call.targets {
        if !folders.iter().any(|folder| has_target(folder, kind, name)) {
            problems.push(format!("{} has no {kind} {name}", call.packages.join(", ")));
        }
    }
    let mut tests = Vec::new();
    for folder in folders {
        tests.extend(tests_of(folder)?);
    }
    for filter in &call.filters {
        if !tests.iter().any(|test| test.contains(filter.as_str())) {
            problems
                .push(format!("no test of {} has {filter} in its name", call.packages.join(", ")));
        }
    }
    Ok(problems)
}

fn has_target(folder: &Path, kind: &str, name: &str) -> bool {
    let place = match kind {
        "bench" => "benches",
        "test" => "tests",
        "example" => "examples",
        _ => "src/bin",
    };
    let place = folder.join(place);
    let named = fs::read_to_string(folder.join("Cargo.toml")).ok().and_then(|text| {
        let table: toml::Table = toml::from_str(&text).ok()?;
        let targets = table.get(kind)?.as_array()?.clone();
        Some(
            targets
                .iter()
                .any(|target| target.get("name").and_then(toml::Value::as_str) == Some(name)),
        )
    });
    named == Some(true) || place.join(format!("{name}.rs")).is_file() || place.join(name).is_dir()
}

/// The tests of a package, as the test programs name them: the file's place as the module, then the function.
///
/// A guess from the text of the sources, since nothing is built; good enough to find a filter that matches nothing.
fn tests_of(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files::below(folder, &["rs"])? {
        let module = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
        let module = module.iter().skip(1).map(|part| part.to_string_lossy()).collect::<Vec<_>>();
        let module = module.join("::").replace("_tests", "::tests");
        let text = fs::read_to_string(&path)?;
        found.extend(functions(&text).into_iter().map(|name| format!("{module}::{name}")));
    }
    Ok(found)
}

/// The functions that an attribute makes a test.
fn functions(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.contains("::test");
        } else if is_test && let Some((_, after)) = line.split_once("fn ") {
            let end = after.find(['(', '<']).unwrap_or(after.len());
            found.push(&after[..end]);
            is_test = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_cargo_names_what_is_there() {
        let root = files::root();
        assert!(count(&root).unwrap() >= 20, "commands are found");
        let broken = broken(&root).unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let packages = packages(&files::root()).unwrap();
        let words = documents::split(line).remove(0);
        let command = CommandLine { file: "f.md".to_owned(), line: 1, words };
        assert_eq!(problems(&command, &packages).unwrap(), expected, "{line}");
    }

    #[test]
    fn what_is_not_there_is_found() {
        check("cargo test -p entity-node --test it session_kills", &[]);
        check("cargo bench -p entity-node --bench peer -- --quick", &[]);
        check("cargo tset", &["`cargo tset` is no command of this project"]);
        check("cargo test -p entity-nodes", &["there is no package entity-nodes"]);
        check("cargo bench -p entity-node --bench pear", &["entity-node has no bench pear"]);
        check("cargo test -p entity-node --test that", &["entity-node has no test that"]);
        let nothing = "no test of entity-node has session_skills in its name";
        check("cargo test -p entity-node --test it session_skills", &[nothing]);
    }
}
