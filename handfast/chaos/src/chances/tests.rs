use handfast_faults::{Chance, Dice};
use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(failures: u32, tries: u32, low: f64, high: f64) {
    let found = interval(failures, tries);
    let near = |found: f64, wanted: f64| (found - wanted).abs() < 0.000_5;
    assert!(near(*found.start(), low) && near(*found.end(), high), "{found:?}");
}

/// The values are those of published tables of the exact binomial interval.
#[test]
fn an_interval_is_that_of_clopper_and_pearson() {
    check(0, 10, 0.0, 0.3085);
    check(10, 10, 0.6915, 1.0);
    check(5, 10, 0.1871, 0.8129);
    check(1, 20, 0.0013, 0.2487);
    check(95, 100, 0.8872, 0.9836);
    check(20, 20, 0.8316, 1.0);
}

#[test]
fn nothing_tried_says_nothing() {
    assert_eq!(interval(0, 0), 0.0..=1.0);
}

#[test]
fn of_more_tries_than_the_limit_the_share_is_taken() {
    assert_eq!(interval(TRIES_MAX, 2 * TRIES_MAX), interval(TRIES_MAX / 2, TRIES_MAX));
    assert_eq!(interval(9, 3), interval(3, 3));
}

#[test]
fn what_always_fails_is_known_after_two_tries_and_what_never_does_after_two() {
    let mut test = Sequential::new(1.0, 100);
    for _ in 0..2 {
        assert_eq!(test.decision(), Decision::Open);
        test.handle_try(true);
    }
    assert_eq!(test.decision(), Decision::Fails);
    let mut test = Sequential::new(1.0, 100);
    test.handle_try(false);
    test.handle_try(false);
    assert_eq!((test.decision(), test.tries_left()), (Decision::Holds, 0));
}

/// How often a test for `asked` says `Fails` where the rate is `rate`.
fn accepted(asked: f64, rate: u32, tries_max: u32) -> u32 {
    let mut dice = Dice::new(7);
    let verdicts = (0..1_000).map(|_| {
        let mut test = Sequential::new(asked, tries_max);
        while test.decision() == Decision::Open {
            test.handle_try(dice.happens(Chance::per_mille(rate)));
        }
        u32::from(test.decision() == Decision::Fails)
    });
    verdicts.sum()
}

#[test]
fn a_test_errs_in_one_of_twenty_cases_where_it_has_time() {
    for rate in [200, 500, 900] {
        let asked = f64::from(rate) / 1_000.0;
        assert!(accepted(asked, rate, 500) >= 930, "{rate}");
        assert!(accepted(asked, rate / 5, 500) <= 70, "{rate}");
    }
}

#[test]
fn a_test_ends_at_its_number_of_tries() {
    let mut test = Sequential::new(0.1, 3);
    assert_eq!(test.tries_left(), 3);
    for _ in 0..3 {
        test.handle_try(false);
    }
    assert_eq!(test.decision(), Decision::Holds);
    assert_eq!(Sequential::new(f64::NAN, 0).tries_left(), 1);
}

proptest! {
    #[test]
    fn an_interval_holds_the_share_and_narrows_with_more_tries(failures in 0_u32..50, more in 1_u32..50) {
        let tries = failures + more;
        let found = interval(failures, tries);
        let share = f64::from(failures) / f64::from(tries);
        prop_assert!(found.contains(&share), "{found:?} {share}");
        let wider = interval(failures * 4, tries * 4);
        let width = |found: &RangeInclusive<f64>| found.end() - found.start();
        prop_assert!(width(&wider) < width(&found));
    }
}
