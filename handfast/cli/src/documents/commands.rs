use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory as _};
use handfast_runner::project::Loaded;
use handfast_scenario::Plan;
use handfast_scenario::filter::Filter;
use handfast_scenario::plan::Selection;
use xtask::documents::{self, Code, CommandLine, Form, is_placeholder};

use super::examples::{jobs_named_in, peers_named_in};
use super::{assert_none, code, projects};
use crate::Cli;

/// What can be named on a command line.
struct Known {
    projects: Vec<Loaded>,
    /// Peers and jobs that a document defines itself, by its name.
    defined: BTreeMap<String, BTreeSet<String>>,
    flaws: BTreeSet<String>,
}

impl Known {
    fn new(code: &[Code]) -> Self {
        let projects = projects();
        let hints = projects.iter().flat_map(|loaded| loaded.project.selftest.hints.keys());
        let flaws = hints.cloned().collect();
        let mut defined: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for code in code.iter().filter(|code| code.form == Form::Fence("toml".to_owned())) {
            let names = defined.entry(code.file.clone()).or_default();
            names.extend(peers_named_in(&code.text));
            names.extend(jobs_named_in(&code.text));
        }
        Self { projects, defined, flaws }
    }

    fn has_peer(&self, file: &str, name: &str) -> bool {
        let peers = self.projects.iter().flat_map(|loaded| &loaded.project.peers);
        let mut names = peers.map(|peer| peer.name.as_str());
        names.any(|known| known == name)
            || self.defined.get(file).is_some_and(|defined| defined.contains(name))
    }

    fn has_category(&self, name: &str) -> bool {
        let categories = self.projects.iter().flat_map(|loaded| &loaded.project.categories);
        categories.map(|category| category.name.as_str()).any(|known| known == name)
    }

    fn has_version(&self, version: &str) -> bool {
        let peers = self.projects.iter().flat_map(|loaded| &loaded.project.peers);
        peers.flat_map(|peer| &peer.versions).any(|known| known == version)
    }

    fn has_job(&self, file: &str, name: &str) -> bool {
        let mut jobs = self.projects.iter().flat_map(|loaded| &loaded.project.schedule);
        jobs.any(|job| job.name.as_str() == name)
            || self.defined.get(file).is_some_and(|defined| defined.contains(name))
    }

    /// Whether a filter chooses anything in one of the projects.
    fn matches(&self, filter: &str) -> bool {
        let Ok(filter) = Filter::new(filter) else { return false };
        let selection = Selection { filters: vec![filter], ..Selection::default() };
        self.projects.iter().any(|loaded| {
            let plan = Plan::new(&loaded.project, &loaded.scenarios, &selection).unwrap();
            !plan.is_empty()
        })
    }

    /// What is wrong with a command line; `None` if it is none of this program's.
    fn problems(&self, line: &CommandLine) -> Option<Vec<String>> {
        let words = words_of(&line.words)?;
        let is_name =
            words.iter().skip(1).all(|word| word.chars().all(|letter| letter.is_ascii_lowercase()));
        let parsed = match Cli::command().try_get_matches_from(&words) {
            Ok(parsed) => parsed,
            // Help and version are answers, too.
            Err(error) if !error.use_stderr() => return Some(Vec::new()),
            // `handfast probe` alone is the name of the command.
            Err(error) if is_name && NOT_ENOUGH.contains(&error.kind()) => return Some(Vec::new()),
            Err(error) => {
                let error = error.to_string();
                return Some(vec![error.lines().next().unwrap_or_default().to_owned()]);
            }
        };
        let mut problems = Vec::new();
        let (mut name, mut matches) = parsed.subcommand()?;
        loop {
            self.look(&line.file, name, matches, &mut problems);
            match matches.subcommand() {
                Some((inner, below)) => (name, matches) = (inner, below),
                None => return Some(problems),
            }
        }
    }

    fn look(&self, file: &str, command: &str, matches: &ArgMatches, problems: &mut Vec<String>) {
        let mut check = |what: &str, value: &str, is_there: bool| {
            if !is_placeholder(value) && !is_there {
                problems.push(format!("`handfast {command}`: {what} {value:?} is not there"));
            }
        };
        for id in ["filters", "scenario"] {
            for value in values(matches, id) {
                // Some commands take the file itself, or its folder.
                let is_path = xtask::files::root().join(&value).exists();
                check("what the filter", &value, is_path || self.matches(&value));
            }
        }
        for value in values(matches, "category") {
            check("the category", &value, self.has_category(&value));
        }
        for id in ["peer", "peers", "allow_absent"] {
            for value in values(matches, id) {
                let name = value.split_once('=').map_or(value.as_str(), |(_, peer)| peer);
                check("the peer", name, self.has_peer(file, name));
            }
        }
        let flaws = ["flaw", "flaws"].into_iter().flat_map(|id| values(matches, id));
        for value in flaws {
            check("the flaw", &value, self.flaws.contains(&value));
        }
        // `handfast notify jobs` asks about jobs that run elsewhere.
        for value in values(matches, "jobs").iter().filter(|_| command == "next") {
            check("the job", value, self.has_job(file, value));
        }
        for value in values(matches, "versions") {
            check("the version", &value, self.has_version(&value));
        }
    }
}

/// What a command lacks whose name alone was typed.
const NOT_ENOUGH: [ErrorKind; 3] = [
    ErrorKind::MissingRequiredArgument,
    ErrorKind::MissingSubcommand,
    ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
];

/// The values of an argument as they were typed; none where the command does not have it.
fn values(matches: &ArgMatches, id: &str) -> Vec<String> {
    let Ok(Some(values)) = matches.try_get_raw(id) else { return Vec::new() };
    values.map(|value| value.to_string_lossy().into_owned()).collect()
}

/// A call of handfast as the program sees it, placeholders of numbers filled in.
fn words_of(words: &[String]) -> Option<Vec<String>> {
    let rest = match words {
        [cargo, handfast, rest @ ..] if cargo == "cargo" && handfast == "handfast" => rest,
        [program, rest @ ..] if Path::new(program).file_name()? == "handfast" => rest,
        _ => return None,
    };
    // `handfast` alone is the program, `handfast __reaper` is no user's business.
    if rest.is_empty() || rest[0].starts_with("__") || is_prose(rest) {
        return None;
    }
    let mut words = vec!["handfast".to_owned()];
    words.extend(rest.iter().map(|word| match word.as_str() {
        "N" | "NUMBER" => "1".to_owned(),
        "ROLE=PEER" => "a=PEER".to_owned(),
        word => word.to_owned(),
    }));
    Some(words)
}

/// `handfast/cli` and its like are paths; ` is what ` is no command.
fn is_prose(words: &[String]) -> bool {
    words[0].contains('/') && words.len() == 1
}

#[test]
fn every_command_line_in_a_document_is_one_of_the_program_and_names_what_is_there() {
    let code = code();
    let known = Known::new(&code);
    let (mut count, mut problems) = (0, Vec::new());
    for line in code.iter().flat_map(documents::commands) {
        let Some(found) = known.problems(&line) else { continue };
        count += 1;
        let place = format!("{}:{}", line.file, line.line);
        problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
    }
    assert!(count >= 60, "{count} command lines");
    assert_none(&problems);
}

#[test]
fn every_example_of_the_programs_help_is_one_of_the_program_and_names_what_is_there() {
    let known = Known::new(&code());
    let mut problems = Vec::new();
    let mut commands = vec![Cli::command()];
    let mut count = 0;
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = text.lines().map(str::trim_start).filter(|line| line.starts_with("handfast "));
        for line in lines {
            // What an example is for stands after two blanks or more.
            let typed = line.split("  ").next().unwrap_or(line);
            let file = format!("handfast {} --help", command.get_name());
            for words in documents::split(typed) {
                let line = CommandLine { file: file.clone(), line: 0, words };
                count += 1;
                let found = known.problems(&line).unwrap_or_default();
                problems.extend(found.into_iter().map(|problem| format!("{file}: {problem}")));
            }
        }
    }
    assert!(count >= 20, "{count} examples");
    assert_none(&problems);
}

#[test]
fn every_scheduled_command_of_this_repository_is_one_of_the_program() {
    let known = Known::new(&code());
    let jobs = known.projects.iter().flat_map(|loaded| &loaded.project.schedule);
    let mut count = 0;
    for job in jobs {
        count += 1;
        let words = ["handfast".to_owned()].into_iter().chain(job.command.iter().cloned());
        let line =
            CommandLine { file: "handfast.toml".to_owned(), line: 0, words: words.collect() };
        assert_eq!(known.problems(&line), Some(Vec::new()), "{}", job.name);
    }
    assert!(count > 0, "this repository is tested by itself");
}

#[test]
fn a_command_line_that_is_wrong_is_found() {
    let known = Known::new(&code());
    let check = |line: &str, part: &str| {
        let words = documents::split(line).remove(0);
        let line = CommandLine { file: "README.md".to_owned(), line: 1, words };
        let problems = known.problems(&line).unwrap_or_default().join("\n");
        assert!(problems.contains(part) && problems.is_empty() == part.is_empty(), "{problems}");
    };
    check("cargo handfast run security/ --peer b=python", "");
    check("handfast probe NAME", "");
    check("cargo handfast rnu", "unrecognized subcommand");
    check("cargo handfast run --repaet 5", "unexpected argument");
    check("cargo handfast run TC-0815", "what the filter \"TC-0815\" is not there");
    check("cargo handfast run --peer b=rust", "the peer \"rust\" is not there");
    check("handfast probe mine", "the peer \"mine\" is not there");
    check("handfast matrix --peers entity,rust", "the peer \"rust\" is not there");
    check("handfast list --category e3e", "the category \"e3e\" is not there");
    check("handfast selftest --flaw accepts-all", "the flaw \"accepts-all\" is not there");
    check("handfast schedule next hourly", "the job \"hourly\" is not there");
    check("handfast matrix --versions 1.2", "the version \"1.2\" is not there");
}
