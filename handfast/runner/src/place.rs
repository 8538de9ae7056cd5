//! Folders that the commands of `handfast.toml` may name.

use std::path::{Path, PathBuf};
use std::process::Command;

use handfast_scenario::project::Command as ProjectCommand;
use serde::Deserialize;

/// What the variables in a command stand for: `${root}` the folder of `handfast.toml`, `${target}` the
/// folder into which cargo builds, `${handfast}` this very program.
#[derive(Debug, Clone)]
pub struct Places {
    root: PathBuf,
    target: PathBuf,
    handfast: PathBuf,
}

impl Places {
    /// Finds the places of a project.
    ///
    /// `target` is the value of `CARGO_TARGET_DIR`; without it cargo is asked, because the project's
    /// cargo configuration can name another folder. Where there is no cargo project it is
    /// `target` below the root.
    pub fn find(root: &Path, target: Option<PathBuf>) -> Self {
        let target = target.map(|target| root.join(target));
        let target = target.or_else(|| ask_cargo(root)).unwrap_or_else(|| root.join("target"));
        // A program that does not know where it lies is found by its name.
        let handfast = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("handfast"));
        Self { root: root.to_owned(), target, handfast }
    }

    /// The folder of `handfast.toml`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder into which cargo builds.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The words of a command with the variables filled in, the program first. A program with a `/` in it is
    /// below the root; one without is looked up in `PATH`.
    pub fn fill(&self, command: &ProjectCommand) -> Vec<String> {
        let mut words: Vec<String> =
            command.words().iter().map(|word| self.fill_word(word)).collect();
        if let Some(program) = words.first_mut()
            && program.contains('/')
        {
            *program = self.root.join(&*program).to_string_lossy().into_owned();
        }
        words
    }

    /// The file or folder that a word of `handfast.toml` names: below the root, with the variables filled in.
    pub fn path(&self, word: &str) -> PathBuf {
        self.root.join(self.fill_word(word))
    }

    fn fill_word(&self, word: &str) -> String {
        let word = word.replace("${root}", &self.root.to_string_lossy());
        let word = word.replace("${target}", &self.target.to_string_lossy());
        word.replace("${handfast}", &self.handfast.to_string_lossy())
    }
}

fn ask_cargo(root: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    if !root.join("Cargo.toml").is_file() {
        return None;
    }
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new("cargo").args(arguments).current_dir(root).output().ok()?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).ok()?;
    Some(metadata.target_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: Option<&str>, words: &[&str], expected: &[&str]) {
        let places = Places::find(Path::new("/p"), target.map(PathBuf::from));
        let command =
            ProjectCommand::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
        assert_eq!(places.fill(&command), expected);
    }

    #[test]
    fn the_target_folder_is_the_one_of_the_environment() {
        check(Some("/t"), &["${target}/release/x", "${root}/y"], &["/t/release/x", "/p/y"]);
        check(Some("rel"), &["${target}/x"], &["/p/rel/x"]);
    }

    #[test]
    fn handfast_is_this_very_program() {
        let own = std::env::current_exe().unwrap();
        check(None, &["${handfast}", "stub"], &[own.to_str().unwrap(), "stub"]);
    }

    #[test]
    fn a_folder_without_cargo_has_its_target_below_itself() {
        check(None, &["${target}/x"], &["/p/target/x"]);
    }

    #[test]
    fn a_program_with_a_slash_is_below_the_root_and_one_without_is_looked_up() {
        check(None, &["peers/x", "peers/y"], &["/p/peers/x", "peers/y"]);
        check(None, &["python3"], &["python3"]);
    }
}
