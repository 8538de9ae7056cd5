//! `handfast history push`, and the history of a team.

use handfast_history::import::Imported;
use handfast_history::{Questions, Team};
use handfast_scenario::ExitCode;
use serde_json::json;

use super::{open, unusable};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Whose history.
#[derive(Debug, clap::Args)]
pub(super) struct TeamArgs {
    /// The database in which a team keeps what all its machines have found; a password belongs into the variable, which nobody else sees
    #[arg(long, value_name = "URL", env = "HANDFAST_TEAM_HISTORY", hide_env_values = true)]
    team: Option<String>,
}

/// Bring what this machine has found and the team does not have into the team's database: all of it, or nothing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  handfast history push --team postgresql://ci@db.example/handfast\n  HANDFAST_TEAM_HISTORY=postgresql://ci:secret@db.example/handfast handfast history push --json"
)]
pub(super) struct PushArgs {
    #[command(flatten)]
    team: TeamArgs,
    /// Print the numbers of rows as JSON
    #[arg(long)]
    json: bool,
}

impl TeamArgs {
    /// Where questions go: to the team, where one is named, and otherwise to this machine.
    pub(super) fn store(&self, around: &Around) -> Result<Box<dyn Questions>, CommandError> {
        match &self.team {
            Some(url) => Ok(Box::new(Team::open(url).map_err(|error| unusable(&error))?)),
            None => Ok(Box::new(open(around)?)),
        }
    }
}

/// Carries out the command.
pub(super) fn push(args: &PushArgs, around: &Around) -> Result<ExitCode, CommandError> {
    let Some(url) = &args.team.team else {
        let help = "give --team URL, or set HANDFAST_TEAM_HISTORY";
        return Err(CommandError::usage_text("nobody says where the team's history is", help));
    };
    let team = Team::open(url).map_err(|error| unusable(&error))?;
    let taken = team.take(&open(around)?).map_err(|error| unusable(&error))?;
    let Imported { added, known } = taken;
    Stream::Out.print(&if args.json {
        format!("{}\n", json!({ "added": added, "known": known }))
    } else {
        format!("{added} rows are new to the team, {known} were there\n")
    });
    Ok(ExitCode::Passed)
}
