//! `handfast list`

use std::fmt::Write as _;

use handfast_scenario::{ExitCode, Plan};

use super::selection::{SelectionArgs, load};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// List the scenarios and suites that `run` would run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
}

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let plan = args.selection.plan(&loaded)?;
    Stream::Out.print(&text(&plan));
    Ok(if plan.is_empty() { ExitCode::NothingRan } else { ExitCode::Passed })
}

fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for unit in &plan.units {
        let cast: Vec<String> =
            unit.peers.iter().map(|(role, peer)| format!("{role}={peer}")).collect();
        let proves = unit.scenario.proves.join(", ");
        // Writing to a text cannot fail.
        writeln!(text, "{:<12} {}", unit.category, unit.scenario.id).unwrap_or_default();
        writeln!(text, "{:<12} {} [{proves}] ({})", "", unit.scenario.name, cast.join(" "))
            .unwrap_or_default();
    }
    for suite in &plan.suites {
        writeln!(text, "{:<12} suite {}", suite.category, suite.name).unwrap_or_default();
    }
    let (scenarios, suites) = (plan.units.len(), plan.suites.len());
    writeln!(text, "{scenarios} scenarios, {suites} suites").unwrap_or_default();
    text
}
