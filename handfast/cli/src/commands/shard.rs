//! `--shard`, for all commands that run something, and what each piece of a run is known to cost.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use handfast_history::History;
use handfast_matrix::Cell;
use handfast_matrix::schedule::Cost;
use handfast_matrix::shard::file::LEN_MAX;
use handfast_matrix::shard::time::loads;
use handfast_matrix::shard::{Load, Machine, Partition, Piece, ShardPlan, Wanted};
use handfast_runner::matrix::MatrixOrder;
use handfast_runner::project::Loaded;
use handfast_scenario::Plan;
use handfast_scenario::event::{Shard, ShardMark};
use handfast_scenario::plan::Unit;

use super::run::open_history;
use crate::error::CommandError;

/// Which part of the whole.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ShardArgs {
    /// Carry out only this part of the whole, such as `2/4`; `handfast merge` makes the records of all parts one
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Which part each scenario and suite is in, as `handfast shards --out FILE` wrote it; without it the durations in this
    /// machine's history decide, which are others than those of another machine
    #[arg(long, value_name = "FILE", requires = "shard")]
    shard_plan: Option<PathBuf>,
}

impl ShardArgs {
    /// Whether something can be left out.
    pub(crate) fn is_part(&self) -> bool {
        self.shard.is_some_and(|shard| shard.count() > 1)
    }

    /// Leaves of what a run would do what is in this part, and says which part it is.
    pub(crate) fn cut(
        &self,
        loaded: &Loaded,
        plan: &mut Plan,
        matrix: &mut Option<MatrixOrder>,
    ) -> Result<Option<ShardMark>, CommandError> {
        let Some(shard) = self.shard else { return Ok(None) };
        let cells = matrix.as_ref().map(|matrix| matrix.cells.as_slice()).unwrap_or_default();
        let loads = whole(loaded, plan, cells)?;
        let partition = match &self.shard_plan {
            Some(file) => planned(file, shard, &loads)?,
            None => Partition::new(loads, shard.count()),
        };
        let ours: BTreeSet<&Piece> =
            partition.shard(shard).iter().map(|load| &load.piece).collect();
        let has_unit = |unit: &Unit| ours.contains(&Piece::Unit(unit.id.clone()));
        plan.units.retain(has_unit);
        plan.suites.retain(|suite| ours.contains(&Piece::Suite(suite.name.clone())));
        if let Some(matrix) = matrix {
            matrix.cells.retain(|cell| has_unit(&cell.unit));
        }
        *matrix = matrix.take().filter(|matrix| !matrix.cells.is_empty());
        Ok(Some(ShardMark {
            shard,
            partition: partition.digest().to_string(),
            pieces: u64::try_from(partition.pieces()).unwrap_or(u64::MAX),
        }))
    }
}

/// Everything a run would do, and what each piece costs by what earlier runs have found.
pub(super) fn whole(
    loaded: &Loaded,
    plan: &Plan,
    cells: &[Cell],
) -> Result<Vec<Load>, CommandError> {
    let history = open_history(&loaded.root)?;
    let unknown = |error| CommandError::infra(&error, "the history cannot be used");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let machine = Machine { cores };
    let units = plan.units.iter().chain(cells.iter().map(|cell| &cell.unit));
    let names: Vec<&str> = units.flat_map(|unit| names_of(unit.id.as_str())).collect();
    let costs = history.usual_costs(names).map_err(unknown)?;
    let cost = |unit: &Unit| {
        let found = names_of(unit.id.as_str()).find_map(|name| costs.get(name));
        found.copied().map(cost_of)
    };
    let mut wanted = Vec::new();
    for unit in &plan.units {
        let category = loaded.project.category(&unit.category);
        let parallel = category.map_or(1, |category| category.parallel);
        let us = cost(unit).map(|cost| machine.unit_us(&unit.scenario.needs, cost, parallel));
        wanted.push(piece_of(unit, us));
    }
    for cell in cells {
        let us = cost(&cell.unit).map(|cost| machine.cell_us(cell, cost));
        wanted.push(piece_of(&cell.unit, us));
    }
    wanted.extend(suites(plan, &history).map_err(unknown)?);
    Ok(loads(wanted))
}

fn suites(plan: &Plan, history: &History) -> Result<Vec<Wanted>, handfast_history::HistoryError> {
    let names = plan.suites.iter().map(|suite| suite.name.as_str());
    let costs = history.usual_suite_costs(names)?;
    let wanted = plan.suites.iter().map(|suite| Wanted {
        piece: Piece::Suite(suite.name.clone()),
        category: suite.category.clone(),
        us: costs.get(suite.name.as_str()).map(|cost| cost.duration_us),
    });
    Ok(wanted.collect())
}

fn piece_of(unit: &Unit, us: Option<u64>) -> Wanted {
    Wanted { piece: Piece::Unit(unit.id.clone()), category: unit.category.clone(), us }
}

fn cost_of(cost: handfast_history::Cost) -> Cost {
    Cost {
        duration: std::time::Duration::from_micros(cost.duration_us),
        cpu: std::time::Duration::from_micros(cost.cpu_us),
    }
}

/// The id itself, and for a round of a repeated run the id that other runs know it by.
fn names_of(id: &str) -> impl Iterator<Item = &str> {
    let base = id.rsplit_once(" #").map(|(base, _)| base);
    [Some(id), base].into_iter().flatten()
}

/// The partition of a plan file, if it is one of exactly these pieces into so many shards.
fn planned(file: &Path, shard: Shard, loads: &[Load]) -> Result<Partition, CommandError> {
    let shown = file.display();
    let again =
        "make it anew with `handfast shards --out FILE`, with the filters that are given here";
    let text = read(file).map_err(|error| {
        CommandError::usage_text(format!("failed to read the plan {shown}: {error}"), again)
    })?;
    let plan = ShardPlan::parse(&text).map_err(|error| {
        CommandError::usage_text(format!("failed to read the plan {shown}: {error}"), again)
    })?;
    let partition = plan.partition;
    if partition.count() != shard.count() {
        let error =
            format!("the plan {shown} has {} shards, and not {}", partition.count(), shard.count());
        return Err(CommandError::usage_text(
            error,
            format!("give --shard I/{}", partition.count()),
        ));
    }
    let places = partition.places();
    let wanted: BTreeSet<&Piece> = loads.iter().map(|load| &load.piece).collect();
    let missing = wanted.iter().find(|piece| !places.contains_key(*piece));
    let beyond = places.keys().find(|piece| !wanted.contains(*piece));
    let error = match (missing, beyond) {
        (Some(piece), _) => format!("the plan {shown} does not say in which shard {piece} is"),
        (None, Some(piece)) => format!("the plan {shown} has {piece}, which this run has not"),
        (None, None) => return Ok(partition),
    };
    Err(CommandError::usage_text(error, again))
}

/// The text of a file, or so much of it that the reader can say that it is too long.
fn read(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(file)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}
