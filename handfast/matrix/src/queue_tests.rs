use proptest::prelude::*;

use super::*;

const LONG: Duration = Duration::from_hours(1);

fn name(text: &str) -> ResourceName {
    ResourceName::new(text).unwrap()
}

fn room(parallel: usize, cores: usize) -> Room {
    Room { parallel, cores, resources: BTreeMap::from([(name("ports"), 3)]) }
}

fn uses(ports: u32) -> Needs {
    Needs { alone: false, uses: BTreeMap::from([(name("ports"), ports)]) }
}

fn alone() -> Needs {
    Needs { alone: true, uses: BTreeMap::new() }
}

/// A unit that takes so long and waits most of the time.
fn usual(seconds: u64) -> (Needs, Option<Cost>) {
    (Needs::default(), Some(cost(seconds, 1)))
}

fn cost(seconds: u64, cpu_ms: u64) -> Cost {
    Cost { duration: Duration::from_secs(seconds), cpu: Duration::from_millis(cpu_ms) }
}

fn begin_all(queue: &mut Queue, left: Duration) -> Vec<usize> {
    std::iter::from_fn(|| queue.begin(left)).collect()
}

/// In which order they are begun, one at a time.
#[track_caller]
fn check(units: Vec<(Needs, Option<Cost>)>, left: Duration, order: &[usize]) {
    let mut queue = Queue::new(units, room(1, 8));
    let mut begun = Vec::new();
    while let Some(at) = queue.begin(left) {
        begun.push(at);
        queue.end(at);
    }
    assert_eq!(begun, order);
}

#[test]
fn the_longest_begins_first_and_what_was_never_played_before_it() {
    let unknown = (Needs::default(), None);
    check(vec![usual(1), usual(3), unknown.clone(), usual(2), unknown], LONG, &[2, 4, 1, 3, 0]);
}

#[test]
fn what_usually_takes_longer_than_is_left_comes_last_the_shortest_first() {
    let left = Duration::from_secs(10);
    check(vec![usual(20), usual(1), usual(11), usual(10)], left, &[3, 1, 2, 0]);
}

#[test]
fn nothing_begins_when_the_time_is_over() {
    check(vec![usual(1)], Duration::ZERO, &[]);
}

#[test]
fn one_that_needs_the_machine_comes_first_and_has_nothing_beside_it() {
    let mut queue = Queue::new([usual(9), (alone(), None), usual(1)], room(4, 8));
    assert_eq!(begin_all(&mut queue, LONG), [1]);
    queue.end(1);
    assert_eq!(begin_all(&mut queue, LONG), [0, 2]);
}

#[test]
fn no_more_run_than_there_are_resources_for() {
    let units = [(uses(2), None), (uses(2), None), (uses(1), None)];
    let mut queue = Queue::new(units, room(4, 8));
    assert_eq!(begin_all(&mut queue, LONG), [0, 2]);
    queue.end(2);
    assert_eq!(begin_all(&mut queue, LONG), Vec::<usize>::new());
    queue.end(0);
    assert_eq!(begin_all(&mut queue, LONG), [1]);
}

#[test]
fn what_is_known_to_keep_cores_busy_has_as_many_beside_it_as_there_are_cores() {
    let busy = || (Needs::default(), Some(cost(1, 1_000)));
    let mut queue = Queue::new([busy(), busy(), busy()], room(4, 2));
    assert_eq!(begin_all(&mut queue, LONG), [0, 1]);
}

#[test]
fn one_that_is_heavier_than_the_machine_runs_by_itself() {
    let mut queue = Queue::new([(Needs::default(), Some(cost(1, 9_000)))], room(4, 2));
    assert_eq!(begin_all(&mut queue, LONG), [0]);
}

fn unit() -> impl Strategy<Value = (Needs, Option<Cost>)> {
    let needs = prop_oneof![
        3 => Just(Needs::default()),
        1 => Just(alone()),
        2 => (1_u32..=3).prop_map(uses),
    ];
    (needs, prop::option::of((0_u64..100, 0_u64..200_000).prop_map(|(s, ms)| cost(s, ms))))
}

proptest! {
    /// Whatever units need and take, each is begun exactly once, and never beside what it must not run beside.
    #[test]
    fn every_unit_has_its_turn(
        units in prop::collection::vec(unit(), 0..20),
        (parallel, cores) in (1_usize..5, 1_usize..5),
        left in 1_u64..100,
        ends in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let mut queue = Queue::new(units.clone(), room(parallel, cores));
        let (mut running, mut begun) = (Vec::new(), Vec::new());
        for end in ends {
            for at in begin_all(&mut queue, Duration::from_secs(left)) {
                running.push(at);
                begun.push(at);
            }
            prop_assert!(running.len() <= parallel);
            let ports: u32 = running.iter().flat_map(|at| units[*at].0.uses.values()).sum();
            prop_assert!(ports <= 3);
            prop_assert!(running.len() <= 1 || running.iter().all(|at| !units[*at].0.alone));
            if running.is_empty() {
                break;
            }
            queue.end(running.swap_remove(end.index(running.len())));
        }
        begun.sort_unstable();
        prop_assert_eq!(begun, (0..units.len()).collect::<Vec<_>>());
        prop_assert!(queue.left().is_empty());
    }
}
