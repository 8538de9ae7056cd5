use handfast_scenario::name::PeerName;
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Project, Scenario};
use proptest::prelude::*;

use super::*;
use crate::cell::{Ask, cells};

const EXACT: &str = "name = \"n\"\n[[step]]\ncheck = [\"ready < 500ms\"]";
const PLAIN: &str = "name = \"n\"";
const ALONE: &str = "name = \"n\"\nalone = true";
const TWO_PORTS: &str = "name = \"n\"\nuses = { ports = 2 }";
const LONG: Duration = Duration::from_hours(1);

/// One scenario a text, with two peers: four cells each.
fn cells_of(texts: &[&str]) -> Vec<Cell> {
    let text = "[project]\nname = \"p\"\n[resources]\nports = 3\n[peers.r]\nstart = \"r\"\n[peers.p]\nstart = \"p\"\n";
    let project = Project::parse("handfast.toml", text).unwrap();
    let scenarios: Vec<Scenario> = texts
        .iter()
        .enumerate()
        .flat_map(|(at, text)| {
            Scenario::parse(&format!("test_unit_{at}.toml"), text, &Vocabulary::default()).unwrap()
        })
        .collect();
    let peers = ["r", "p"].map(|name| PeerName::new(name).unwrap()).to_vec();
    cells(&project, &scenarios, &Ask { peers, ..Ask::default() }).unwrap()
}

fn cost(seconds: u64, cpu_ms: u64) -> Cost {
    Cost { duration: Duration::from_secs(seconds), cpu: Duration::from_millis(cpu_ms) }
}

/// Begins as many as may begin now.
fn begin_all(schedule: &mut Schedule, now: Duration) -> Vec<usize> {
    std::iter::from_fn(|| schedule.begin(now, LONG)).collect()
}

#[test]
fn cells_that_nobody_has_weighed_fill_the_cores() {
    let cells = cells_of(&[PLAIN, PLAIN]);
    let mut schedule = Schedule::new(&cells, 2, |_| None);
    assert_eq!(begin_all(&mut schedule, Duration::ZERO), [0, 1, 2, 3]);
    assert_eq!(schedule.left().len(), 4);
}

#[test]
fn cells_that_mostly_wait_run_beside_many_others() {
    let cells = cells_of(&[PLAIN; 8]);
    let mut schedule = Schedule::new(&cells, 2, |_| Some(cost(10, 100)));
    assert_eq!(begin_all(&mut schedule, Duration::ZERO).len(), 2 * AT_ONCE_PER_CORE);
}

#[test]
fn what_one_cell_took_is_what_its_like_are_taken_for() {
    let cells = cells_of(&[PLAIN; 5]);
    let mut schedule = Schedule::new(&cells, 2, |_| None);
    for (at, cell) in cells.iter().enumerate().take(2) {
        assert_eq!(schedule.begin(Duration::ZERO, LONG), Some(at));
        schedule.end(at, &cell.column, false);
    }
    // Of another file nobody knows anything: four at once, as before.
    schedule.learn(cells[4].unit.scenario.id.path(), cost(10, 100));
    assert_eq!(begin_all(&mut schedule, Duration::ZERO), [2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn cells_that_work_all_the_time_get_a_core_each() {
    let cells = cells_of(&[PLAIN]);
    let mut schedule = Schedule::new(&cells, 2, |_| Some(cost(1, 1_000)));
    assert_eq!(begin_all(&mut schedule, Duration::ZERO).len(), 2);
}

#[test]
fn one_that_is_heavier_than_the_machine_runs_alone() {
    let cells = cells_of(&[PLAIN]);
    let mut schedule = Schedule::new(&cells, 1, |_| Some(cost(1, 3_000)));
    assert_eq!(begin_all(&mut schedule, Duration::ZERO).len(), 1);
}

#[test]
fn the_longest_begins_first() {
    let cells = cells_of(&[PLAIN]);
    let mut seconds = [1, 60, 2, 30].into_iter();
    let mut schedule = Schedule::new(&cells, 2, |_| Some(cost(seconds.next().unwrap(), 10)));
    assert_eq!(begin_all(&mut schedule, Duration::ZERO), [1, 3, 2, 0]);
}

#[test]
fn an_unknown_cell_that_goes_on_for_long_is_taken_for_one_that_waits() {
    let cells = cells_of(&[PLAIN, PLAIN]);
    let mut schedule = Schedule::new(&cells, 1, |_| None);
    assert_eq!(begin_all(&mut schedule, Duration::ZERO).len(), 2);
    assert_eq!(schedule.next_deadline(), Some(WAITS_AFTER));
    let almost = WAITS_AFTER.saturating_sub(Duration::from_micros(1));
    assert!(begin_all(&mut schedule, almost).is_empty());
    assert_eq!(begin_all(&mut schedule, WAITS_AFTER).len(), 1);
}

#[test]
fn one_that_judges_times_runs_while_nothing_else_works() {
    let cells = cells_of(&[EXACT]);
    let mut schedule = Schedule::new(&cells, 8, |_| Some(cost(1, 10)));
    for (at, cell) in cells.iter().enumerate() {
        assert_eq!(begin_all(&mut schedule, Duration::ZERO), [at]);
        schedule.end(at, &cell.column, false);
    }
    assert!(schedule.left().is_empty());
}

#[test]
fn only_a_short_limit_of_time_wants_the_machine_for_itself() {
    let exact = |check: &str| {
        let text = format!("name = \"n\"\n[[step]]\ncheck = [{check}]");
        is_exact(&cells_of(&[&text])[0].unit.scenario.steps)
    };
    assert!(exact("\"ready < 500ms\""));
    assert!(exact("{ oracle = \"recovery\", at_most = \"9s\" }"));
    assert!(!exact("\"recovery < 10s\""), "a limit that other work does not reach");
    assert!(!exact("{ oracle = \"on-the-wire\", type = \"chunk\", at_most = 3 }"), "a count");
    assert!(!exact("\"exactly-once\""));
}

#[test]
fn one_that_judges_times_may_run_beside_one_that_waits() {
    let cells = cells_of(&[PLAIN, EXACT]);
    let mut at = 0..8;
    let mut schedule = Schedule::new(&cells[3..5], 2, |_| {
        Some(if at.next() == Some(0) { cost(60, 10) } else { cost(1, 10) })
    });
    assert_eq!(begin_all(&mut schedule, Duration::ZERO), [0, 1]);
}

#[test]
fn a_pair_in_which_one_hung_has_its_turn_after_all_others() {
    let cells = cells_of(&[PLAIN; 3]);
    let mut schedule = Schedule::new(&cells, 1, |_| Some(cost(1, 1_000)));
    assert_eq!(schedule.begin(Duration::ZERO, LONG), Some(0));
    schedule.end(0, &cells[0].column, true);
    let mut order = Vec::new();
    while let Some(at) = schedule.begin(Duration::ZERO, LONG) {
        schedule.end(at, &cells[at].column, false);
        order.push(at);
    }
    assert_eq!(order, [1, 2, 3, 5, 6, 7, 9, 10, 11, 4, 8]);
}

proptest! {
    /// Whatever the costs, every cell is begun exactly once, and never more at once than the cores carry.
    #[test]
    fn every_cell_has_its_turn(
        costs in prop::collection::vec(prop::option::of((0_u64..100, 0_u64..200_000)), 12),
        cores in 1_usize..5,
        ends in prop::collection::vec(any::<prop::sample::Index>(), 12),
        hung in prop::collection::vec(any::<bool>(), 12),
    ) {
        let cells = cells_of(&[PLAIN, EXACT, PLAIN]);
        let mut next = costs.iter();
        let mut schedule = Schedule::new(&cells, cores, |_| {
            next.next().unwrap().map(|(seconds, cpu_ms)| cost(seconds, cpu_ms))
        });
        let (mut running, mut begun) = (Vec::new(), Vec::new());
        for (end, hung) in ends.iter().zip(hung) {
            for at in begin_all(&mut schedule, Duration::ZERO) {
                running.push(at);
                begun.push(at);
            }
            prop_assert!(!running.is_empty() && running.len() <= cores * AT_ONCE_PER_CORE);
            let at = running.swap_remove(end.index(running.len()));
            schedule.end(at, &cells[at].column, hung);
        }
        begun.sort_unstable();
        prop_assert_eq!(begun, (0..12).collect::<Vec<_>>());
        prop_assert!(schedule.left().is_empty());
    }
}

#[test]
fn a_machine_that_has_nothing_left_is_given_no_more() {
    let cells = cells_of(&[PLAIN; 8]);
    let mut schedule = Schedule::new(&cells, 2, |_| Some(cost(10, 100)));
    schedule.note_idle(IDLE_LEAST - 1);
    assert_eq!(begin_all(&mut schedule, Duration::ZERO).len(), 2 * AT_ONCE_BUSY_PER_CORE);
    schedule.note_idle(IDLE_LEAST);
    let more = 2 * (AT_ONCE_PER_CORE - AT_ONCE_BUSY_PER_CORE);
    assert_eq!(begin_all(&mut schedule, Duration::ZERO).len(), more);
}

#[test]
fn one_that_needs_the_machine_has_nothing_beside_it() {
    let cells = cells_of(&[PLAIN, ALONE]);
    let mut schedule = Schedule::new(&cells[3..6], 8, |_| Some(cost(1, 10)));
    assert_eq!(begin_all(&mut schedule, Duration::ZERO), [0]);
    schedule.end(0, &cells[3].column, false);
    assert_eq!(begin_all(&mut schedule, Duration::ZERO), [1]);
}

#[test]
fn no_more_are_played_than_there_are_resources_for() {
    let cells = cells_of(&[TWO_PORTS, PLAIN]);
    let resources = BTreeMap::from([(ResourceName::new("ports").unwrap(), 3)]);
    let schedule = Schedule::new(&cells[2..5], 8, |_| Some(cost(1, 10)));
    let mut schedule = schedule.with_resources(resources);
    assert_eq!(begin_all(&mut schedule, Duration::ZERO), [0, 2]);
}

#[test]
fn what_usually_takes_longer_than_is_left_comes_last_the_shortest_first() {
    let cells = cells_of(&[PLAIN]);
    let mut seconds = [20, 1, 11, 10].into_iter();
    let mut schedule = Schedule::new(&cells, 1, |_| Some(cost(seconds.next().unwrap(), 10_000)));
    let mut order = Vec::new();
    while let Some(at) = schedule.begin(Duration::ZERO, Duration::from_secs(10)) {
        schedule.end(at, &cells[at].column, false);
        order.push(at);
    }
    assert_eq!(order, [3, 1, 2, 0]);
}
