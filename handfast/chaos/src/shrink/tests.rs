//! Reductions against systems that fail when certain disturbances are there.

use std::collections::{BTreeMap, BTreeSet};

use handfast_faults::disturbance::Disturbance;
use handfast_faults::{Chance, Dice};
use proptest::prelude::*;

use super::*;
use crate::sample::{kill, pause};

const REASON: &str = "b has lost 3 messages";

/// A schedule of so many different disturbances; the n-th is called `n`.
fn schedule(steps: usize) -> Schedule {
    let step =
        |at: u64| if at.is_multiple_of(2) { kill("b", at, 700) } else { pause("a", at, 700) };
    Schedule::new((0..steps as u64).map(step).collect())
}

fn failure(steps: usize) -> Failure {
    Failure { schedule: schedule(steps), reason: REASON.to_owned() }
}

fn names(schedule: &Schedule) -> BTreeSet<String> {
    schedule.steps.iter().map(|step| step.name.clone()).collect()
}

fn culprits(numbers: &[usize]) -> BTreeSet<String> {
    numbers.iter().map(ToString::to_string).collect()
}

fn outcome(fails: bool) -> Outcome {
    let reason = REASON.to_owned();
    if fails { Outcome::Failed { reason } } else { Outcome::Passed }
}

/// Plays every try at once.
fn play(shrink: &mut Shrink, mut fails: impl FnMut(&Schedule) -> bool) -> Vec<Schedule> {
    let mut played = Vec::new();
    while let Some(next) = shrink.poll_try() {
        let fails = fails(&next.schedule);
        shrink.handle_outcome(next.id, outcome(fails));
        played.push(next.schedule);
    }
    played
}

fn has_all(schedule: &Schedule, culprits: &BTreeSet<String>) -> bool {
    culprits.is_subset(&names(schedule))
}

#[test]
fn twenty_steps_shrink_to_the_culprits_alone() {
    for numbers in [vec![7], vec![19], vec![0, 19], vec![3, 9, 14]] {
        let culprits = culprits(&numbers);
        let mut shrink = Shrink::new(failure(20), Trust::Always, None);
        play(&mut shrink, |schedule| has_all(schedule, &culprits));
        assert!(shrink.is_minimal());
        assert_eq!(names(&shrink.best().schedule), culprits);
        assert!(shrink.tries() < 140, "{numbers:?}: {}", shrink.tries());
    }
}

/// Plays in rounds: in each, as many as can be under way at the same time. How many rounds it took until so few steps were left.
fn rounds(shrink: &mut Shrink, abreast: usize, few: usize, culprits: &BTreeSet<String>) -> usize {
    let mut rounds = 0;
    while shrink.best().schedule.len() > few {
        let under_way: Vec<Try> = (0..abreast).map_while(|_| shrink.poll_try()).collect();
        assert!(!under_way.is_empty(), "it stopped with {}", shrink.best().schedule.len());
        for next in under_way {
            shrink.handle_outcome(next.id, outcome(has_all(&next.schedule, culprits)));
        }
        rounds += 1;
    }
    rounds
}

#[test]
fn with_many_tries_at_a_time_a_few_rounds_are_enough() {
    for (numbers, most) in [(vec![7], 2), (vec![0, 19], 4), (vec![3, 9, 14], 4)] {
        let culprits = culprits(&numbers);
        let begin = || Shrink::new(failure(20), Trust::Always, None);
        let wide = rounds(&mut begin().abreast(24), 24, numbers.len(), &culprits);
        let plain = rounds(&mut begin(), 24, numbers.len(), &culprits);
        assert!(wide <= most && wide < plain, "{numbers:?}: {wide} rounds, {plain} without");
    }
}

#[test]
fn many_tries_at_a_time_lead_to_the_culprits_alone() {
    for numbers in [vec![7], vec![0, 19], vec![3, 9, 14], vec![1, 2, 3, 4, 5]] {
        let culprits = culprits(&numbers);
        let mut shrink = Shrink::new(failure(20), Trust::Always, None).abreast(16);
        rounds(&mut shrink, 16, numbers.len(), &culprits);
        play(&mut shrink, |schedule| has_all(schedule, &culprits));
        assert!(shrink.is_minimal());
        assert_eq!(names(&shrink.best().schedule), culprits);
    }
}

#[test]
fn a_guess_that_does_not_fail_costs_nothing_but_tries() {
    // 3 is needed, and one of 7 and 12.
    let fails = |schedule: &Schedule| {
        let names = names(schedule);
        names.contains("3") && (names.contains("7") || names.contains("12"))
    };
    let mut shrink = Shrink::new(failure(20), Trust::Always, None).abreast(16);
    play(&mut shrink, fails);
    assert!(shrink.is_minimal() && shrink.best().schedule.len() == 2, "{:?}", shrink.best());
    assert!(fails(&shrink.best().schedule));
}

#[test]
fn what_came_after_the_failure_is_left_out_at_once() {
    let occurred = schedule(3);
    let mut shrink = Shrink::new(failure(20), Trust::Always, Some(occurred.clone()));
    assert_eq!(shrink.poll_try().map(|next| next.schedule), Some(occurred));
}

#[test]
fn what_remains_becomes_short_and_early() {
    let culprits = culprits(&[5]);
    let mut shrink = Shrink::new(failure(20), Trust::Always, None);
    play(&mut shrink, |schedule| has_all(schedule, &culprits));
    let [step] = shrink.best().schedule.steps.as_slice() else { panic!("{shrink:?}") };
    let name = "5".to_owned();
    assert_eq!(*step, Disturbance { name, ..pause("a", 0, 10) });
}

#[test]
fn a_failure_that_needs_a_long_span_keeps_it() {
    let long = std::time::Duration::from_millis(400);
    let mut shrink = Shrink::new(failure(20), Trust::Always, None);
    play(&mut shrink, |schedule| {
        schedule.steps.iter().any(|step| step.name == "5" && step.lasts >= Some(long))
    });
    let [step] = shrink.best().schedule.steps.as_slice() else { panic!("{shrink:?}") };
    // Of the spans that are tried the shortest that will do.
    assert_eq!(step.lasts, Some(std::time::Duration::from_millis(700)));
}

#[test]
fn one_peer_is_left_where_one_will_do() {
    let mut shrink = Shrink::new(failure(20), Trust::Always, None);
    play(&mut shrink, |schedule| schedule.len() >= 2);
    assert_eq!((shrink.best().schedule.len(), shrink.best().schedule.roles().len()), (2, 1));
}

#[test]
fn another_failure_is_kept_aside_and_not_followed() {
    let mut shrink = Shrink::new(failure(4), Trust::Always, None);
    while let Some(next) = shrink.poll_try() {
        let reason = "a crashed".to_owned();
        let fails = next.schedule.len() < 4;
        let other = if fails { Outcome::Failed { reason } } else { Outcome::Passed };
        shrink.handle_outcome(next.id, other);
    }
    assert_eq!(shrink.best().schedule.len(), 4);
    assert_eq!(shrink.others().len(), 1, "one of each kind: {:?}", shrink.others());
    assert!(shrink.is_minimal());
}

#[test]
fn no_more_kinds_of_other_failures_are_kept_than_the_limit() {
    let mut shrink = Shrink::new(failure(20), Trust::Always, None);
    let mut kind = String::new();
    while let Some(next) = shrink.poll_try() {
        kind.push('x');
        shrink.handle_outcome(next.id, Outcome::Failed { reason: kind.clone() });
    }
    assert_eq!(shrink.others().len(), OTHERS_MAX);
}

#[test]
fn what_could_not_be_carried_out_does_not_count_as_failing() {
    let mut shrink = Shrink::new(failure(4), Trust::Always, None);
    while let Some(next) = shrink.poll_try() {
        let reason = "no port".to_owned();
        shrink.handle_outcome(next.id, Outcome::Unclear { reason });
    }
    assert_eq!(shrink.best().schedule.len(), 4);
}

#[test]
fn the_tries_have_an_end() {
    let mut shrink = Shrink::new(failure(20), Trust::Always, None).within(7);
    play(&mut shrink, |schedule| has_all(schedule, &culprits(&[3, 9, 14])));
    assert_eq!(shrink.tries(), 7);
    assert!(shrink.is_done() && !shrink.is_minimal());
}

#[test]
fn a_failure_of_now_and_then_shrinks_with_repeated_tries() {
    let culprits = culprits(&[3, 9]);
    let (mut dice, mut right) = (Dice::new(1), 0);
    for _ in 0..20 {
        let mut shrink = Shrink::new(failure(12), Trust::Rate(0.6), None).within(2_000);
        play(&mut shrink, |schedule| {
            has_all(schedule, &culprits) && dice.happens(Chance::per_mille(600))
        });
        right += u32::from(names(&shrink.best().schedule) == culprits);
    }
    assert!(right >= 17, "{right} of 20");
}

/// What fails every time is not shrunk to what fails now and then.
#[test]
fn a_schedule_that_fails_every_other_time_is_not_believed() {
    let (both, mut dice, mut kept) = (culprits(&[3, 9]), Dice::new(1), 0);
    for _ in 0..40 {
        let mut shrink = Shrink::new(failure(12), Trust::Always, None);
        play(&mut shrink, |schedule| {
            let rarely = names(schedule).contains("3") && dice.happens(Chance::per_mille(200));
            has_all(schedule, &both) || rarely
        });
        kept += u32::from(names(&shrink.best().schedule) == both);
    }
    assert!(kept >= 30, "{kept} of 40");
}

#[test]
fn several_tries_at_the_same_time_lead_to_the_same_result() {
    let culprits = culprits(&[3, 9, 14]);
    let mut shrink = Shrink::new(failure(20), Trust::Always, None);
    loop {
        let tries: Vec<Try> = std::iter::from_fn(|| shrink.poll_try()).take(4).collect();
        if tries.is_empty() {
            break;
        }
        // The last one comes back first.
        for next in tries.into_iter().rev() {
            shrink.handle_outcome(next.id, outcome(has_all(&next.schedule, &culprits)));
        }
    }
    assert!(shrink.is_minimal());
    assert_eq!(names(&shrink.best().schedule), culprits);
}

#[test]
fn an_outcome_that_nobody_waits_for_is_of_no_effect() {
    let mut shrink = Shrink::new(failure(4), Trust::Always, None);
    shrink.handle_outcome(TryId(99), outcome(true));
    assert_eq!(shrink.best().schedule.len(), 4);
}

/// Minimal: it fails, and without any one of its disturbances it does not.
fn check_minimal(shrink: &Shrink, fails: impl Fn(&Schedule) -> bool) {
    let best = &shrink.best().schedule;
    assert!(fails(best), "{best:?} does not fail");
    assert!(shrink.is_minimal());
    for index in 0..best.len() {
        let smaller = best.without(&BTreeSet::from([index]));
        assert!(smaller.is_empty() || !fails(&smaller), "{index} of {best:?} is not needed");
    }
}

proptest! {
    #[test]
    fn the_result_fails_and_needs_each_of_its_disturbances(
        steps in 1_usize..40,
        picked in proptest::collection::btree_set(0_usize..40, 1..5),
        together in 1_usize..6,
    ) {
        let culprits: Vec<usize> = picked.into_iter().filter(|number| *number < steps).collect();
        prop_assume!(!culprits.is_empty());
        let culprits = self::culprits(&culprits);
        let fails = |schedule: &Schedule| has_all(schedule, &culprits);
        let mut shrink = Shrink::new(failure(steps), Trust::Always, None);
        loop {
            let tries: Vec<Try> = std::iter::from_fn(|| shrink.poll_try()).take(together).collect();
            if tries.is_empty() {
                break;
            }
            for next in tries {
                shrink.handle_outcome(next.id, outcome(fails(&next.schedule)));
            }
        }
        check_minimal(&shrink, fails);
        prop_assert_eq!(names(&shrink.best().schedule), culprits);
        prop_assert!(shrink.tries() <= TRIES_MAX);
    }

    #[test]
    fn what_has_passed_is_not_played_again_and_what_fails_twice_at_most(
        steps in 1_usize..24,
        need in 1_usize..4,
    ) {
        let need = need.min(steps);
        let mut shrink = Shrink::new(failure(steps), Trust::Always, None);
        let played = play(&mut shrink, |schedule| schedule.len() >= need);
        let mut times: BTreeMap<Key, u32> = BTreeMap::new();
        for schedule in &played {
            let times = times.entry(schedule.key()).or_default();
            *times += 1;
            prop_assert!(*times <= 1 + u32::from(schedule.len() >= need));
        }
        check_minimal(&shrink, |schedule| schedule.len() >= need);
    }
}
