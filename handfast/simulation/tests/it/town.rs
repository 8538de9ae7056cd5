//! Hundreds of whole peers, in short forms: `handfast simulate peers` runs the long ones.

use std::time::Duration;

use handfast_faults::Dice;
use handfast_simulation::run::{Course, Verdict};
use handfast_simulation::town::Town;

/// Smaller where the code is not optimised: the suite `optimised` runs it as it is released.
fn town() -> Town {
    let (peers, payments) = if cfg!(debug_assertions) { (16, 40) } else { (100, 600) };
    let (span, lifetime) = (Duration::from_mins(1), Some(Duration::from_mins(2)));
    Town { span, lifetime, ..Town::new(peers, payments) }
}

fn live(town: &Town, seed: u64) -> (Course, Verdict) {
    let plan = town.plan(&mut Dice::new(seed).split());
    let mut course = Course::new(&plan, seed).unwrap_or_else(|broken| panic!("{broken}"));
    while course.advance(Duration::from_secs(7)).unwrap_or_else(|broken| panic!("{broken}")) {}
    let verdict = course.verdict();
    (course, verdict)
}

#[test]
fn a_town_pays_under_bad_weather_and_every_law_holds() {
    let town = town();
    let (course, verdict) = live(&town, 1);
    let tally = course.world().tally();
    // Some are refused because their payer has not enough, and some were never asked for: their payer was away.
    assert!(tally.payments > town.payments / 2, "{tally:?}");
    assert!(tally.paid > tally.payments / 2 && tally.paid < tally.payments, "{tally:?}");
    assert!(tally.delivered > tally.durable / 2, "{tally:?}");
    assert!(verdict.crashes > town.peers as u64 / 4, "{verdict:?}");
}

#[test]
fn the_same_seed_makes_the_same_town_and_another_seed_another() {
    let town = Town { span: Duration::from_secs(20), ..Town::new(10, 20) };
    let (_, verdict) = live(&town, 5);
    assert_eq!(live(&town, 5).1, verdict);
    assert_ne!(live(&town, 6).1.fingerprint, verdict.fingerprint);
}

#[test]
fn a_town_in_which_nothing_goes_wrong_pays_whatever_can_be_paid() {
    let calm = Town { loss_per_mille: 0, lifetime: None, ..town() };
    let (course, verdict) = live(&calm, 2);
    let tally = course.world().tally();
    assert_eq!((verdict.crashes, tally.delivered), (0, tally.durable), "{tally:?}");
}
