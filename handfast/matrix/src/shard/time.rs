//! What a piece costs a machine: how much longer the whole takes because of it.
//!
//! A suite takes its whole time. Scenarios of a category run several at a time, and cells as many as the cores carry, so that
//! each costs only its share. What was never played weighs as much as the middle one of its category: a wrong guess makes
//! one partition uneven, and the next run knows better.

use std::collections::BTreeMap;

use handfast_scenario::name::CategoryName;
use handfast_scenario::scenario::Needs;

use super::partition::{Load, Piece};
use crate::cell::Cell;
use crate::schedule::{AT_ONCE_PER_CORE, Cost, is_exact, weight};

/// Microseconds of a unit where no unit was ever played: a handshake of two peers takes about so long (guessed).
pub const UNKNOWN_UNIT_US: u64 = 1_000_000;

/// Microseconds of a suite where no suite was ever run (guessed).
pub const UNKNOWN_SUITE_US: u64 = 60_000_000;

/// The machine that carries out a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Cores that cells may keep busy.
    pub cores: usize,
}

/// A piece of which it may be known how long it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is.
    pub piece: Piece,
    /// Its category.
    pub category: CategoryName,
    /// What it costs, microseconds; nothing where it was never played.
    pub us: Option<u64>,
}

impl Machine {
    /// What a cell costs that took so much the last time, microseconds.
    pub fn cell_us(self, cell: &Cell, cost: Cost) -> u64 {
        let took = micros(cost.duration);
        let scenario = &cell.unit.scenario;
        if scenario.needs.alone || is_exact(&scenario.steps) {
            // Nothing else is played beside it.
            return took;
        }
        let cores = u64::try_from(self.cores.max(1)).unwrap_or(u64::MAX);
        let places = cores.saturating_mul(u64::try_from(AT_ONCE_PER_CORE).unwrap_or(1));
        let by_weight = took.saturating_mul(u64::from(weight(cost))) / cores.saturating_mul(1_000);
        by_weight.max(took / places).min(took)
    }

    /// What a scenario costs outside the matrix, of whose category `parallel` run at a time.
    pub fn unit_us(self, needs: &Needs, cost: Cost, parallel: usize) -> u64 {
        let beside = if needs.alone { 1 } else { parallel.max(1) };
        micros(cost.duration) / u64::try_from(beside).unwrap_or(u64::MAX)
    }
}

/// What every piece costs: those that were never played weigh as much as the median of their category, and where that is
/// not known either, of all pieces of their kind.
pub fn loads(wanted: Vec<Wanted>) -> Vec<Load> {
    let mut by_category: BTreeMap<(bool, CategoryName), Vec<u64>> = BTreeMap::new();
    let mut by_kind: BTreeMap<bool, Vec<u64>> = BTreeMap::new();
    for one in &wanted {
        let is_suite = matches!(one.piece, Piece::Suite(_));
        if let Some(us) = one.us {
            by_category.entry((is_suite, one.category.clone())).or_default().push(us);
            by_kind.entry(is_suite).or_default().push(us);
        }
    }
    let by_category: BTreeMap<_, _> =
        by_category.into_iter().map(|(key, known)| (key, median(known))).collect();
    let by_kind: BTreeMap<_, _> =
        by_kind.into_iter().map(|(key, known)| (key, median(known))).collect();
    let load = |one: Wanted| {
        let is_suite = matches!(one.piece, Piece::Suite(_));
        let guess = || {
            let known = by_category.get(&(is_suite, one.category.clone()));
            let known = known.or_else(|| by_kind.get(&is_suite)).copied();
            known.unwrap_or(if is_suite { UNKNOWN_SUITE_US } else { UNKNOWN_UNIT_US })
        };
        Load { us: one.us.unwrap_or_else(guess), is_guess: one.us.is_none(), piece: one.piece }
    };
    wanted.into_iter().map(load).collect()
}

/// The middle one of at least one; of an even number the lower one of the two in the middle.
fn median(mut known: Vec<u64>) -> u64 {
    known.sort_unstable();
    known.get((known.len().max(1) - 1) / 2).copied().unwrap_or_default()
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use handfast_scenario::name::SuiteName;
    use handfast_scenario::plan::UnitId;

    use super::*;

    fn wanted(id: &str, category: &str, us: Option<u64>) -> Wanted {
        let category = CategoryName::new(category).unwrap();
        let piece = match id.strip_prefix("suite ") {
            Some(suite) => Piece::Suite(SuiteName::new(suite).unwrap()),
            None => Piece::Unit(UnitId::new(id)),
        };
        Wanted { piece, category, us }
    }

    #[track_caller]
    fn check(wanted_all: Vec<Wanted>, expected: &[(u64, bool)]) {
        let found: Vec<(u64, bool)> =
            loads(wanted_all).iter().map(|load| (load.us, load.is_guess)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_never_played_weighs_the_median_of_its_category() {
        let known = |id: &str, us| wanted(id, "unit", Some(us));
        check(
            vec![known("a", 10), known("b", 30), known("c", 20), wanted("d", "unit", None)],
            &[(10, false), (30, false), (20, false), (20, true)],
        );
    }

    #[test]
    fn an_unknown_category_weighs_as_all_and_nothing_known_as_a_guess() {
        check(
            vec![wanted("a", "unit", Some(10)), wanted("b", "e2e", None)],
            &[(10, false), (10, true)],
        );
        check(
            vec![wanted("a", "unit", None), wanted("suite s", "unit", None)],
            &[(UNKNOWN_UNIT_US, true), (UNKNOWN_SUITE_US, true)],
        );
    }

    #[test]
    fn a_suite_is_measured_by_suites_and_a_unit_by_units() {
        check(
            vec![
                wanted("a", "unit", Some(10)),
                wanted("b", "unit", None),
                wanted("suite s", "unit", Some(900)),
                wanted("suite t", "e2e", None),
            ],
            &[(10, false), (10, true), (900, false), (900, true)],
        );
    }

    #[test]
    fn scenarios_that_run_beside_each_other_cost_their_share() {
        let cost = Cost { duration: Duration::from_millis(8), cpu: Duration::from_millis(1) };
        let machine = Machine { cores: 2 };
        let (any, alone) = (Needs::default(), Needs { alone: true, ..Needs::default() });
        assert_eq!(machine.unit_us(&any, cost, 4), 2_000);
        assert_eq!(machine.unit_us(&any, cost, 0), 8_000);
        assert_eq!(machine.unit_us(&alone, cost, 4), 8_000);
    }
}
