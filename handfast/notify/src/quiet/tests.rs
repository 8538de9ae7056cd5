use std::collections::BTreeSet;

use handfast_scenario::notify::{Day, Quiet, QuietThen};
use jiff::Timestamp;

use super::ends;

fn quiet(from: u16, to: u16, zone: &str, days: &[Day]) -> Quiet {
    let days: BTreeSet<Day> = days.iter().copied().collect();
    Quiet { from, to, zone: zone.to_owned(), days, then: QuietThen::Hold }
}

fn us(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

#[track_caller]
fn check(quiet: &Quiet, now: &str, expected: Option<&str>) {
    let end = ends(quiet, us(now)).map(|end| Timestamp::from_microsecond(end).unwrap().to_string());
    assert_eq!(end.as_deref(), expected, "at {now}");
}

const NIGHT: (u16, u16) = (22 * 60, 7 * 60);

#[test]
fn a_night_ends_in_the_morning_of_its_zone() {
    let berlin = quiet(NIGHT.0, NIGHT.1, "Europe/Berlin", &[]);
    check(&berlin, "2026-11-22T20:59:59Z", None);
    check(&berlin, "2026-11-22T21:00:00Z", Some("2026-11-23T06:00:00Z"));
    check(&berlin, "2026-11-23T05:59:59Z", Some("2026-11-23T06:00:00Z"));
    check(&berlin, "2026-11-23T06:00:00Z", None);
}

#[test]
fn a_noon_ends_on_its_day() {
    let noon = quiet(12 * 60, 13 * 60, "UTC", &[]);
    check(&noon, "2026-11-23T12:30:00Z", Some("2026-11-23T13:00:00Z"));
    check(&noon, "2026-11-23T13:30:00Z", None);
}

#[test]
fn the_clock_on_the_wall_counts_when_it_is_changed() {
    let berlin = quiet(NIGHT.0, NIGHT.1, "Europe/Berlin", &[]);
    // In the night to 29 March 2026 an hour is missing, in that to 25 October it is there twice.
    check(&berlin, "2026-03-28T21:30:00Z", Some("2026-03-29T05:00:00Z"));
    check(&berlin, "2026-10-24T20:30:00Z", Some("2026-10-25T06:00:00Z"));
    let gap = quiet(22 * 60, 2 * 60 + 30, "Europe/Berlin", &[]);
    check(&gap, "2026-03-28T23:30:00Z", Some("2026-03-29T01:30:00Z"));
    let twice = quiet(22 * 60, 2 * 60 + 30, "Europe/Berlin", &[]);
    check(&twice, "2026-10-24T23:30:00Z", Some("2026-10-25T01:30:00Z"));
}

#[test]
fn a_quiet_day_runs_into_the_night_after_it() {
    let weekend = quiet(NIGHT.0, NIGHT.1, "UTC", &[Day::Saturday, Day::Sunday]);
    // Friday night, both days, and the night to Monday.
    check(&weekend, "2026-11-20T22:00:00Z", Some("2026-11-23T07:00:00Z"));
    check(&weekend, "2026-11-22T12:00:00Z", Some("2026-11-23T07:00:00Z"));
    let sunday = quiet(12 * 60, 13 * 60, "UTC", &[Day::Sunday]);
    check(&sunday, "2026-11-22T01:00:00Z", Some("2026-11-23T00:00:00Z"));
}

#[test]
fn quiet_without_an_end_ends_after_eight_days() {
    let always = quiet(0, 0, "UTC", &[]);
    check(&always, "2026-11-22T12:00:00Z", Some("2026-11-30T00:00:00Z"));
}

proptest::proptest! {
    /// Whatever the hours and the moment: an end lies ahead, at most nine days, and is not quiet itself unless all is.
    #[test]
    fn an_end_is_ahead_and_loud(from in 0_u16..1440, to in 0_u16..1440, now in 0_i64..2_000_000_000) {
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            let quiet = quiet(from, to, zone, &[]);
            let now = now * 1_000_000;
            if let Some(end) = ends(&quiet, now) {
                proptest::prop_assert!(end > now && end - now <= 9 * 24 * 3_600_000_000);
                if from != to {
                    proptest::prop_assert!(end - now <= 26 * 3_600_000_000);
                    proptest::prop_assert_eq!(ends(&quiet, end), None);
                }
            }
        }
    }
}
