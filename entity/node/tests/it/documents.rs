//! Every command line of `entity` in a document is one that the program understands.

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use entity_node::cli::Cli;
use xtask::documents::{self, CommandLine};
use xtask::files;

/// What is wrong with a command line; `None` if it is none of this program's.
fn problem(line: &CommandLine) -> Option<Result<(), String>> {
    let (program, arguments) = line.words.split_first()?;
    let is_ours = program == "entity" || program.ends_with("/entity");
    // The program alone is no command, nor is one that this build does not offer to users.
    if !is_ours || arguments.is_empty() {
        return None;
    }
    let bare = arguments.iter().all(|word| !word.starts_with('-'));
    Some(match Cli::command().try_get_matches_from(&line.words) {
        Ok(_) => Ok(()),
        Err(error) if !error.use_stderr() => Ok(()),
        // `entity token` alone is the name of the command.
        Err(error) if bare && NOT_ENOUGH.contains(&error.kind()) => Ok(()),
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
    })
}

/// What a command lacks whose name alone was typed.
const NOT_ENOUGH: [ErrorKind; 3] = [
    ErrorKind::MissingRequiredArgument,
    ErrorKind::MissingSubcommand,
    ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
];

#[test]
fn every_command_line_in_a_document_is_one_of_the_program() {
    let code = documents::code(&files::root()).unwrap();
    let (mut count, mut problems) = (0, Vec::new());
    for line in code.iter().flat_map(documents::commands) {
        let Some(result) = problem(&line) else { continue };
        count += 1;
        let place = format!("{}:{}", line.file, line.line);
        problems.extend(result.err().map(|problem| format!("{place}: {problem}")));
    }
    assert!(count >= 30, "{count} command lines");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_command_line_that_is_wrong_is_found() {
    let check = |line: &str, part: Option<&str>| {
        let words = documents::split(line).remove(0);
        let line = CommandLine { file: "x.md".to_owned(), line: 1, words };
        let found = problem(&line).and_then(Result::err);
        assert_eq!(found.is_some(), part.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(part.unwrap_or_default()));
    };
    check("entity wallet create entity-a", None);
    check("entity wallet craete entity-a", Some("unrecognized subcommand"));
    check("entity token transfer entity-b 250 --mmeo rent", Some("unexpected argument"));
    check("entity token transfer entity-b --id x", Some("required arguments"));
}
