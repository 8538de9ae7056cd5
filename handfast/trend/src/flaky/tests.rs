use proptest::prelude::*;

use super::rate::Outcomes;
use super::*;
use crate::random::Dice;

fn play(test: &mut Test, outcomes: &str) {
    for outcome in outcomes.chars() {
        match outcome {
            '.' => test.observe(Outcome::Passed),
            'F' => test.observe(Outcome::Failed),
            'p' => test.again(Outcome::Passed),
            _ => test.again(Outcome::Failed),
        }
    }
}

/// Runs of a test: `.` passes and `F` fails in a first try, `p` passes and `f` fails in a further one.
#[track_caller]
fn check(outcomes: &str, expected: State) {
    let mut test = Test::new(500.0);
    play(&mut test, outcomes);
    assert_eq!(test.state(), expected, "{outcomes}");
}

#[test]
fn a_test_goes_from_state_to_state() {
    check("", State::Healthy);
    check("....", State::Healthy);
    check("....F", State::Suspect);
    check("....Fp", State::Flaky);
    check("....Ffp", State::Flaky);
    check("....Fff", State::Suspect);
    check("....Ffff", State::Broken);
    check("FFFF", State::Broken);
    check("....FfffFFFF", State::Broken);
    check("....FfffF.", State::Suspect);
    check("....FfffF.F", State::Flaky);
    check("....F.", State::Suspect);
    check("....F.F", State::Flaky);
    check(&format!("....F{}", ".".repeat(49)), State::Healthy);
    check("....p", State::Healthy);
    check("....fp", State::Flaky);
}

#[test]
fn a_flaky_test_that_breaks_is_broken_once_its_rate_does_not_explain_it() {
    let often = format!("{}Fp", "F.".repeat(20));
    check(&format!("{often}FFFF"), State::Flaky);
    check(&format!("{often}{}", "F".repeat(12)), State::Broken);
    let seldom = format!("{}Fp{}", ".".repeat(60), ".".repeat(30));
    check(&format!("{seldom}FFFF"), State::Broken);
}

#[test]
fn a_flaky_test_that_is_repaired_is_healthy_after_as_many_passes_as_its_rate_asks_for() {
    let seldom = format!("{}Fp", ".".repeat(60));
    check(&format!("{seldom}{}", ".".repeat(100)), State::Flaky);
    check(&format!("{seldom}{}", ".".repeat(600)), State::Healthy);
}

#[test]
fn a_quarantined_test_is_released_by_a_sequential_test_alone() {
    let mut test = Test::new(500.0);
    play(&mut test, "..F.F.F.");
    test.quarantine();
    play(&mut test, "FFFFFFFFp.F.");
    assert_eq!(test.state(), State::Quarantined);
    assert!(!test.wants_again(), "it decides nothing, so nothing is asked of it");
    play(&mut test, &".".repeat(400));
    assert_eq!(test.state(), State::Healthy);
}

fn run(failed: &[u32]) -> BTreeMap<u32, Outcome> {
    let outcome = |name| if failed.contains(&name) { Outcome::Failed } else { Outcome::Passed };
    (0..100).map(|name| (name, outcome(name))).collect()
}

#[test]
fn a_burst_is_held_against_nobody() {
    let mut watch = Watch::new(500.0);
    for _ in 0..50 {
        assert!(!watch.observe(&run(&[])).is_burst);
    }
    let many: Vec<u32> = (0..40).collect();
    let seen = watch.observe(&run(&many));
    assert_eq!(seen, Seen { is_burst: true, again: Vec::new() });
    watch.observe(&run(&[]));
    assert!((0..100).all(|name| watch.state(&name) == State::Healthy));
    assert!(watch.rate(&0).unwrap().low <= 0.0);
}

#[test]
fn a_change_that_breaks_many_tests_is_told_in_its_second_run() {
    let mut watch = Watch::new(500.0);
    for _ in 0..50 {
        watch.observe(&run(&[]));
    }
    let many: Vec<u32> = (0..40).collect();
    assert!(watch.observe(&run(&many)).is_burst);
    let seen = watch.observe(&run(&many));
    assert!(!seen.is_burst && many.iter().all(|name| seen.again.contains(name)));
    for name in &many {
        while watch.again(name, Outcome::Failed) {}
        assert_eq!(watch.state(name), State::Broken);
    }
}

#[test]
fn extra_runs_stay_within_their_share() {
    let mut watch = Watch::new(500.0);
    let mut dice = Dice::new(1);
    for _ in 0..200 {
        let failed: Vec<u32> = (0..3).filter(|_| dice.happens(0.2)).collect();
        for name in watch.observe(&run(&failed)).again {
            while watch.again(&name, Outcome::Passed) {}
        }
    }
    assert!(
        (0.015..=Watch::<u32>::EXTRA_MAX).contains(&watch.extra_share()),
        "{}",
        watch.extra_share()
    );
}

#[test]
fn failures_that_are_remembered_are_bounded() {
    let mut outcomes = Outcomes::new(1e9);
    for run in 0..10_000 {
        outcomes.push(run % 2 == 0);
    }
    let rate = outcomes.rate();
    assert!((rate.mean - 0.5).abs() < 0.05 && rate.runs < 1_100.0, "{rate:?}");
}

#[test]
fn a_rate_that_changed_is_known_from_its_change_on() {
    let mut outcomes = Outcomes::new(500.0);
    (0..200).for_each(|_| outcomes.push(false));
    (0..30).for_each(|_| outcomes.push(true));
    let rate = outcomes.rate();
    assert!(rate.low > 0.85 && rate.high >= 1.0 && rate.runs <= 30.0, "{rate:?}");
}

/// The law of the interval: over rates it covers 95 in 100, also with forgetting.
#[test]
fn intervals_cover_the_rate() {
    let (mut covered, mut all) = (0, 0);
    let mut dice = Dice::new(5);
    for _ in 0..3_000 {
        let rate = dice.unit() * dice.unit();
        let mut outcomes = Outcomes::new(500.0);
        for _ in 0..20 + dice.below(100) {
            outcomes.push(dice.happens(rate));
        }
        let known = outcomes.rate();
        all += 1;
        covered += u32::from((known.low..=known.high).contains(&rate));
    }
    assert!(covered * 1_000 >= all * 930, "{covered} of {all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens_a_rate_is_one(outcomes in proptest::collection::vec(any::<bool>(), 0..300), half_life in 1.0..1_000.0_f64) {
        let mut known = Outcomes::new(half_life);
        for &failed in &outcomes {
            known.push(failed);
            let rate = known.rate();
            prop_assert!(0.0 <= rate.low && rate.low <= rate.mean + 0.5 && rate.high <= 1.0 && rate.low <= rate.high);
            prop_assert!(rate.runs >= 0.0 && rate.runs <= 300.0);
        }
    }

    #[test]
    fn a_broken_test_is_never_called_flaky(passes in 0_usize..60, failures in 1_usize..60) {
        let mut test = Test::new(500.0);
        (0..passes).for_each(|_| test.observe(Outcome::Passed));
        for _ in 0..failures {
            test.observe(Outcome::Failed);
            while test.wants_again() {
                test.again(Outcome::Failed);
            }
        }
        prop_assert_eq!(test.state(), State::Broken);
    }
}
