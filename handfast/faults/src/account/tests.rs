use super::*;
use crate::Chance;
use crate::account::{Level, LineVerdict};

fn conditions(json: &str) -> Conditions {
    serde_json::from_str(json).unwrap()
}

/// An account of `passed` packets that passed and `lost` that did not.
fn losses(passed: u64, lost: u64) -> Account {
    let mut account = Account::default();
    for _ in 0..passed {
        account.arrived(100);
        account.pass(100);
        account.delayed(0);
    }
    for _ in 0..lost {
        account.arrived(100);
        account.drop_for(Cause::Loss);
    }
    account
}

#[track_caller]
fn verdict(account: &Account, asked: &str, what: &str) -> LineVerdict {
    let lines = account.judge_at(&conditions(asked), &Level::CALIBRATION);
    let line = lines.iter().find(|line| line.what == what);
    line.unwrap_or_else(|| panic!("no line of {what}: {lines:?}")).verdict
}

#[test]
fn a_clear_link_has_nothing_to_be_judged() {
    assert_eq!(losses(100, 0).judge(&Conditions::default()), []);
}

#[test]
fn a_loss_that_did_not_take_effect_is_missed_and_one_nobody_could_see_is_too_few() {
    let asked = r#"{"loss": 0.02}"#;
    assert_eq!(verdict(&losses(1_000, 0), asked, "loss"), LineVerdict::Missed);
    assert_eq!(verdict(&losses(980, 20), asked, "loss"), LineVerdict::Held);
    assert_eq!(verdict(&losses(900, 100), asked, "loss"), LineVerdict::Missed);
    assert_eq!(verdict(&losses(20, 0), asked, "loss"), LineVerdict::TooFew);
    assert_eq!(verdict(&Account::default(), asked, "loss"), LineVerdict::TooFew);
    assert_eq!(verdict(&losses(3, 17), asked, "loss"), LineVerdict::Missed);
}

#[test]
fn a_run_believes_chance_for_longer_than_a_calibration() {
    let unlucky = losses(970, 30);
    assert_eq!(verdict(&unlucky, r#"{"loss": 0.02}"#, "loss"), LineVerdict::Held);
    let unlucky = losses(966, 34);
    assert_eq!(verdict(&unlucky, r#"{"loss": 0.02}"#, "loss"), LineVerdict::Missed);
    let line = unlucky.judge(&conditions(r#"{"loss": 0.02}"#)).remove(0);
    assert_eq!(line.verdict, LineVerdict::Held, "{line:?}");
}

#[test]
fn what_is_asked_and_measured_is_text_with_units() {
    let line = losses(980, 20).judge_at(&conditions(r#"{"loss": 0.02}"#), &Level::CALIBRATION);
    let json = serde_json::to_string(&line[0]).unwrap();
    assert_eq!(
        json,
        r#"{"what":"loss","asked":"2.00 %","measured":"2.00 % of 1000 packets (1.04 % to 3.44 %)","verdict":"held"}"#
    );
}

#[test]
fn a_cut_that_lets_something_through_is_missed() {
    let asked = r#"{"cut": "silent"}"#;
    assert_eq!(verdict(&losses(1, 0), asked, "cut"), LineVerdict::Missed);
    assert_eq!(verdict(&Account::default(), asked, "cut"), LineVerdict::TooFew);
}

#[test]
fn a_condition_that_met_no_packet_has_too_few() {
    let account = losses(10, 0);
    for (asked, what) in [
        (r#"{"mtu": 1400}"#, "mtu"),
        (r#"{"dead_flows": 0.5}"#, "dead_flows"),
        (r#"{"rate": "1Mbit/s"}"#, "rate"),
        (r#"{"duplicate": 0.01}"#, "duplicate"),
    ] {
        assert_eq!(verdict(&account, asked, what), LineVerdict::TooFew, "{what}");
    }
}

#[test]
fn a_delay_that_nothing_took_is_missed() {
    let asked = r#"{"delay": "50ms", "jitter": "10ms"}"#;
    assert_eq!(verdict(&losses(1_000, 0), asked, "delay"), LineVerdict::Missed);
    assert_eq!(verdict(&Account::default(), asked, "delay"), LineVerdict::TooFew);
}

#[test]
fn a_constant_delay_that_was_taken_too_long_is_missed() {
    let asked = conditions(r#"{"delay": "50ms"}"#);
    let taken = |ms: u64| {
        let mut account = Account::new(&asked);
        (0..1_000).for_each(|_| account.delayed(ms * 1_000_000));
        account.judge(&asked).remove(0).verdict
    };
    assert_eq!((taken(50), taken(51)), (LineVerdict::Held, LineVerdict::Missed));
    // One that was not taken is missed as well.
    assert_eq!(taken(0), LineVerdict::Missed);
}

#[test]
fn bursts_that_were_interrupted_are_not_counted() {
    let mut account = losses(1, 3);
    account.pass(100);
    assert_eq!((account.bursts.count(), account.bursts.of_length(3)), (1, 1));
    account.drop_for(Cause::Loss);
    account.drop_for(Cause::Queue);
    account.pass(100);
    assert_eq!(account.bursts.count(), 1);
    // What comes after the next packet that passed counts again.
    account.drop_for(Cause::Loss);
    account.pass(100);
    assert_eq!((account.bursts.count(), account.bursts.of_length(1)), (2, 1));
    assert_eq!(account.bursts.mean(), Some(2.0));
}

#[test]
fn a_burst_longer_than_the_longest_counts_with_it() {
    let mut account = losses(0, Bursts::LENGTH_MAX as u64 + 50);
    account.pass(100);
    assert_eq!(account.bursts.of_length(Bursts::LENGTH_MAX), 1);
    assert_eq!(account.bursts.of_length(Bursts::LENGTH_MAX + 9), 1);
    assert_eq!(account.bursts.of_length(0), 0);
}

#[test]
fn the_law_of_bursts_is_told_from_another_of_the_same_mean() {
    // Every burst is two packets long: the mean of a geometric law with 1/2, but not its spread.
    let mut account = Account::default();
    for _ in 0..100 {
        account.drop_for(Cause::Loss);
        account.drop_for(Cause::Loss);
        account.pass(100);
    }
    assert_eq!(account.bursts.mean(), Some(2.0));
    assert!(account.bursts.geometric_probability(0.5).unwrap() < 1e-6);
    assert_eq!(Bursts::default().geometric_probability(0.5), None);
}

#[test]
fn honest_chance_is_inside_its_interval_as_often_as_the_interval_says() {
    // The judge itself is judged: over many seeds about one line of a hundred misses at 99 %, and none at the level of runs.
    let asked = conditions(r#"{"loss": 0.05, "burst": 4}"#);
    let mut missed = 0;
    for seed in 0..300 {
        let mut shaper = crate::Shaper::new(asked.clone(), seed, "a -> b");
        for number in 0..3_000 {
            shaper.handle_packet(crate::Packet { length: 100, flow: 0 }, number);
        }
        let judged = |level| shaper.account().judge_at(&asked, level);
        let misses = |lines: Vec<Line>| {
            lines.iter().filter(|line| line.verdict == LineVerdict::Missed).count()
        };
        missed += misses(judged(&Level::CALIBRATION));
        assert_eq!(misses(judged(&Level::RUN)), 0, "seed {seed}");
    }
    // 600 lines: six in the mean. Losses of bursts are a little more skewed than their interval.
    assert!((1..=25).contains(&missed), "{missed} of 600 lines missed");
}

#[test]
fn causes_have_short_words() {
    let words: Vec<_> = Cause::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["cut", "reset", "mtu", "queue", "loss"]);
    assert_eq!(Chance::per_mille(5).to_string(), "0.5 %");
}
