use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{Calendar, Cron, Zone};

fn calendar(cron: &str, zone: &str) -> Calendar {
    Calendar { cron: Cron::parse(cron).unwrap(), zone: Zone::named(zone).unwrap() }
}

/// The occurrences between two instants.
#[track_caller]
fn check(cron: &str, zone: &str, from: &str, until: &str, expected: &[&str]) {
    let calendar = calendar(cron, zone);
    let (from, until): (Timestamp, Timestamp) = (from.parse().unwrap(), until.parse().unwrap());
    let all = std::iter::successors(calendar.next_after(from), |at| calendar.next_after(*at));
    let found: Vec<String> = all.take_while(|at| *at <= until).map(|at| at.to_string()).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_time_that_does_not_come_falls_at_the_first_instant_after_the_gap() {
    // 02:00 to 03:00 does not come on 29 March 2026.
    check(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T00:00:00Z",
        "2026-03-31T00:00:00Z",
        &["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    );
    // Whatever falls into the gap falls there once, together with what falls at its end.
    check(
        "*/15 1-3 * * *",
        "Europe/Berlin",
        "2026-03-29T00:30:00Z",
        "2026-03-29T01:20:00Z",
        &["2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"],
    );
    // Midnight itself does not come: the day begins at 01:00.
    check(
        "0 0 * * *",
        "America/Santiago",
        "2026-09-05T12:00:00Z",
        "2026-09-07T12:00:00Z",
        &["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"],
    );
    // A gap of half an hour.
    check(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T00:00:00Z",
        "2026-10-04T23:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
    );
}

#[test]
fn a_time_that_comes_twice_falls_the_first_time() {
    check(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        "2026-10-26T12:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    );
    check(
        "*/30 * * * *",
        "Europe/Berlin",
        "2026-10-25T00:00:00Z",
        "2026-10-25T02:30:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"],
    );
    // The last hour of a day comes twice.
    check(
        "30 23 * * *",
        "America/Santiago",
        "2026-04-04T12:00:00Z",
        "2026-04-06T12:00:00Z",
        &["2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"],
    );
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T00:00:00Z",
        "2026-04-05T23:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    );
}

#[test]
fn nothing_falls_again_in_the_hour_that_comes_again() {
    let calendar = calendar("30 2 * * *", "Europe/Berlin");
    // 02:10 and 02:50, the second time.
    for within in ["2026-10-25T01:10:00Z", "2026-10-25T01:50:00Z"] {
        let within = within.parse().unwrap();
        assert_eq!(calendar.last_until(within).unwrap().to_string(), "2026-10-25T00:30:00Z");
        assert_eq!(calendar.next_after(within).unwrap().to_string(), "2026-10-26T01:30:00Z");
    }
}

#[test]
fn a_day_that_a_zone_left_out_falls_at_its_end() {
    // Samoa went from 29 to 31 December 2011.
    check(
        "0 2 * * *",
        "Pacific/Apia",
        "2011-12-29T00:00:00Z",
        "2011-12-31T23:00:00Z",
        &[
            "2011-12-29T12:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T12:00:00Z",
            "2011-12-31T12:00:00Z",
        ],
    );
}

#[test]
fn an_unknown_zone_is_refused_and_the_known_ones_are_compiled_in() {
    assert!(Zone::named("Europe/Berln").is_err());
    assert!(Zone::named("../etc/passwd").is_err());
    assert_eq!(Zone::named("europe/berlin").unwrap().name(), "Europe/Berlin");
    let names = Zone::names();
    assert!(names.len() > 400, "{}", names.len());
    for name in names {
        assert!(Zone::named(&name).is_ok(), "{name}");
    }
}

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Pacific/Apia",
];

proptest! {
    #[test]
    fn forwards_and_backwards_agree_and_no_instant_falls_twice(
        zone in prop::sample::select(&ZONES[..]),
        cron in prop::sample::select(vec![
            "0 2 * * *", "30 2 * * SUN", "0 0 * * *", "*/20 * * * *", "59 23 * * *", "0 */3 1 * *", "15 1,2 * * *",
        ]),
        second in 1_200_000_000_i64..2_000_000_000,
    ) {
        let calendar = calendar(cron, zone);
        let mut at = Timestamp::from_second(second).unwrap();
        for _ in 0..20 {
            let next = calendar.next_after(at).unwrap();
            prop_assert!(next > at);
            prop_assert_eq!(calendar.last_until(next), Some(next));
            let before = next - SignedDuration::from_secs(1);
            let last = calendar.last_until(before);
            prop_assert_eq!(last, calendar.last_until(at), "nothing falls between {} and {}", at, next);
            prop_assert_eq!(calendar.last_before(next), last);
            at = next;
        }
    }

    #[test]
    fn instants_rise_with_local_times(zone in prop::sample::select(&ZONES[..]), second in 1_200_000_000_i64..2_000_000_000, step in 1_i64..7200) {
        let zone = Zone::named(zone).unwrap();
        let local = Zone::utc().local(Timestamp::from_second(second).unwrap());
        let later = local + jiff::Span::new().seconds(step);
        prop_assert!(zone.instant(local).unwrap() <= zone.instant(later).unwrap());
        // What the clock has reached is exactly what lies at or before an instant.
        let at = Timestamp::from_second(second).unwrap();
        let reached = zone.reached(at);
        prop_assert!(zone.instant(reached).unwrap() <= at);
        let beyond = reached + jiff::Span::new().seconds(1);
        prop_assert!(zone.instant(beyond).unwrap() > at);
    }
}
