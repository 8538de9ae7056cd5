use super::*;
use crate::menu::Kind;
use crate::model::{self, Flaw};

fn menu() -> Menu {
    Menu::new(["a", "b"].map(str::to_owned), [Kind::Kill, Kind::Pause])
}

fn begun(seed: u64, steps: Steps) -> Search {
    let mut search = Search::new(seed, steps, menu());
    search.handle_calm(&model::play(Flaw::None, &Schedule::default()).signs);
    search
}

/// Whether a search is told what a try has shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Everything,
    Nothing,
}

/// How many schedules are tried until the system fails.
fn tries_until(flaw: Flaw, seed: u64, told: Told) -> usize {
    let mut search = begun(seed, Steps::UpTo(STEPS_DEFAULT));
    for tries in 1..TRIES_MAX {
        let schedule = search.next_schedule();
        let played = model::play(flaw, &schedule);
        if played.outcome.failure().is_some() {
            return tries;
        }
        if told == Told::Everything {
            search.handle_signs(&schedule, &played.signs);
        }
    }
    TRIES_MAX
}

const TRIES_MAX: usize = 2_000;

fn median(flaw: Flaw, told: Told) -> usize {
    let mut tries: Vec<usize> = (0..15).map(|seed| tries_until(flaw, seed, told)).collect();
    tries.sort_unstable();
    tries[7]
}

#[test]
fn a_flaw_of_one_moment_is_found_within_a_few_tries() {
    let median = median(Flaw::ForgetsVote, Told::Everything);
    assert!(median <= 25, "{median}");
}

#[test]
fn a_flaw_of_two_moments_is_found_within_some_dozens() {
    let median = median(Flaw::LosesOrderWhileRecovering, Told::Everything);
    assert!(median <= 150, "{median}");
}

/// Three disturbances have to meet, each within what the one before it has begun.
#[test]
fn what_was_seen_leads_to_a_flaw_of_three_moments_in_half_the_tries() {
    let flaw = Flaw::LosesOrderWhenKilledThen;
    let (guided, blind) = (median(flaw, Told::Everything), median(flaw, Told::Nothing));
    assert!(guided * 2 < blind, "{guided} tries with, {blind} without");
}

#[test]
fn the_same_seed_tries_the_same() {
    let tried = || {
        let mut search = begun(7, Steps::UpTo(6));
        let schedules = (0..40).map(|_| {
            let schedule = search.next_schedule();
            search.handle_signs(&schedule, &model::play(Flaw::None, &schedule).signs);
            schedule
        });
        schedules.collect::<Vec<_>>()
    };
    assert_eq!(tried(), tried());
}

#[test]
fn schedules_have_as_many_steps_as_were_asked_for() {
    let mut search = begun(1, Steps::Exactly(20));
    assert!((0..20).all(|_| search.next_schedule().len() == 20));
    let mut search = begun(1, Steps::UpTo(3));
    for _ in 0..200 {
        let schedule = search.next_schedule();
        search.handle_signs(&schedule, &model::play(Flaw::None, &schedule).signs);
        assert!((1..=3).contains(&schedule.len()));
    }
    assert!(search.known().corpus > 0 && search.known().features > 10);
}

#[test]
fn each_step_has_a_name_of_its_own() {
    let schedule = begun(1, Steps::Exactly(20)).next_schedule();
    let names: std::collections::BTreeSet<_> =
        schedule.steps.iter().map(|step| &step.name).collect();
    assert_eq!(names.len(), 20);
    assert!(schedule.steps.iter().any(|step| step.name == step.what.to_string()));
}

#[test]
fn where_nothing_may_be_disturbed_schedules_are_empty() {
    let menu = Menu::new(Vec::new(), Kind::ALL);
    assert!(Search::new(1, Steps::UpTo(4), menu).next_schedule().is_empty());
}
