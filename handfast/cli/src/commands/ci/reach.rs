//! What a file runs of the project, and what of it no job runs.

use std::collections::BTreeSet;
use std::fmt;

use clap::Parser as _;
use handfast_matrix::{Ask, Cell};
use handfast_runner::project::Loaded;
use handfast_scenario::Plan;
use handfast_scenario::plan::Selection;
use handfast_workflow::calls::Call;

use crate::commands::matrix;
use crate::error::CommandError;
use crate::{Cli, Command};

/// Something that a project has to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// A scenario with the project's own peers.
    Scenario(String),
    /// A scenario with a pair of peers.
    Cell(String),
    /// A test suite.
    Suite(String),
    /// The filters of a job of `[ci.jobs]`.
    Job(String),
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(id) => write!(formatter, "the scenario {id}"),
            Self::Cell(id) => write!(formatter, "the cell {id} of the matrix"),
            Self::Suite(name) => write!(formatter, "the suite {name}"),
            Self::Job(name) => write!(formatter, "what [ci.jobs.{name}] asks for"),
        }
    }
}

/// Everything that the project has.
pub(super) fn everything(loaded: &Loaded, is_full: bool) -> Result<BTreeSet<Item>, CommandError> {
    let plan = Plan::new(&loaded.project, &loaded.scenarios, &Selection::default());
    let plan =
        plan.map_err(|error| CommandError::usage_text(error, "`handfast list` shows the plan"))?;
    let mut items = of_plan(&plan);
    if let Some(settings) = &loaded.project.matrix {
        let ask = Ask { peers: settings.peers.clone(), ..Ask::default() };
        items.extend(of_cells(&matrix::chosen(loaded, &ask)?));
    }
    let jobs = loaded.project.ci.iter().flat_map(|ci| &ci.jobs);
    let jobs = jobs.filter(|job| is_full || !job.only_full);
    items.extend(jobs.map(|job| Item::Job(job.name.clone())));
    Ok(items)
}

/// What these calls run, read as the program itself reads its command line. A call that it would not take runs nothing, and a
/// shard that was chosen by hand counts as nothing: which part it is shows only when it runs.
pub(super) fn reached(loaded: &Loaded, calls: &[Call]) -> BTreeSet<Item> {
    let mut items = BTreeSet::new();
    for call in calls {
        let words = std::iter::once("handfast").chain(call.words.iter().map(String::as_str));
        let Ok(cli) = Cli::try_parse_from(words) else { continue };
        let of_run = matches!(&cli.command, Command::Run(args) if args.is_part());
        if of_run || matches!(&cli.command, Command::Matrix(args) if args.is_part()) {
            continue;
        }
        if let Command::Run(args) = &cli.command
            && let Ok((plan, ask)) = args.chosen(loaded)
        {
            items.extend(of_plan(&plan));
            let cells = ask.and_then(|ask| matrix::chosen(loaded, &ask).ok());
            items.extend(of_cells(&cells.unwrap_or_default()));
        }
        if let Command::Matrix(args) = &cli.command
            && let Ok(cells) = args.ask(loaded).and_then(|ask| matrix::chosen(loaded, &ask))
        {
            items.extend(of_cells(&cells));
        }
        let asked = |run: &[String]| {
            call.words.split_first().is_some_and(|(first, rest)| first == "run" && rest == run)
        };
        let jobs = loaded.project.ci.iter().flat_map(|ci| &ci.jobs);
        items.extend(jobs.filter(|job| asked(&job.run)).map(|job| Item::Job(job.name.clone())));
    }
    items
}

fn of_plan(plan: &Plan) -> BTreeSet<Item> {
    let units = plan.units.iter().map(|unit| Item::Scenario(unit.id.to_string()));
    units.chain(plan.suites.iter().map(|suite| Item::Suite(suite.name.to_string()))).collect()
}

fn of_cells(cells: &[Cell]) -> BTreeSet<Item> {
    cells.iter().map(|cell| Item::Cell(cell.unit.id.to_string())).collect()
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
