use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::cron::{Cron, EXPRESSION_LEN_MAX};

#[track_caller]
fn next(cron: &str, after: DateTime) -> String {
    Cron::parse(cron).unwrap().next_after(after).map_or("never".to_owned(), |at| at.to_string())
}

#[track_caller]
fn refused(cron: &str, field: &str, place: &str, what: &str, fix: &str) {
    let error = Cron::parse(cron).unwrap_err();
    let found = &cron[error.place.start.min(cron.len())..error.place.end.min(cron.len())];
    assert_eq!(
        (error.field.unwrap_or("whole"), found, error.what.as_str(), error.fix.as_str()),
        (field, place, what, fix)
    );
}

#[test]
fn every_form_of_a_field_is_read() {
    let sunday = date(2026, 11, 22).at(12, 0, 0, 0);
    assert_eq!(next("0 2 * * *", sunday), "2026-11-23T02:00:00");
    assert_eq!(next("0 2 * * SUN", sunday), "2026-11-29T02:00:00");
    assert_eq!(next("0 2 * * 7", sunday), "2026-11-29T02:00:00");
    assert_eq!(next("0 2 * * 0", sunday), "2026-11-29T02:00:00");
    assert_eq!(next("*/20 9-17 * * mon-fri", sunday), "2026-11-23T09:00:00");
    assert_eq!(next("5,50-59/3 * * * *", sunday), "2026-11-22T12:05:00");
    assert_eq!(next("0 0 29 FEB *", sunday), "2028-02-29T00:00:00");
    assert_eq!(next("  0\t0 1 1 *  ", sunday), "2027-01-01T00:00:00");
    assert_eq!(next("*/10 * * * * *", sunday), "2026-11-22T12:00:10");
    assert_eq!(next("@weekly", sunday), "2026-11-29T00:00:00");
    assert_eq!(next("0 12 * * *", sunday), "2026-11-23T12:00:00");
}

#[test]
fn one_of_two_restricted_fields_of_days_is_enough() {
    let at = date(2026, 11, 22).at(0, 0, 0, 0);
    assert_eq!(next("0 2 24 * MON", at), "2026-11-23T02:00:00");
    assert_eq!(next("0 2 24 * MON", date(2026, 11, 23).at(2, 0, 0, 0)), "2026-11-24T02:00:00");
    // As crontab(5): with a star in one of them, both have to fit.
    assert_eq!(next("0 2 */2 * MON", at), "2026-11-23T02:00:00");
    assert_eq!(next("0 2 */2 * TUE", at), "2026-12-01T02:00:00");
}

#[test]
fn a_mistake_names_field_place_and_fix() {
    refused("60 * * * *", "minute", "60", "there is no minute 60", "use 0 to 59");
    refused("0 24 * * *", "hour", "24", "there is no hour 24", "use 0 to 23");
    refused("0 2 0 * *", "day of the month", "0", "there is no day of the month 0", "use 1 to 31");
    refused(
        "0 2 * * Sunday",
        "day of the week",
        "Sunday",
        "\"Sunday\" is no day of the week",
        "did you mean SUN?",
    );
    refused("0 2 * JNA *", "month", "JNA", "\"JNA\" is no month", "use 1 to 12 or JAN to DEC");
    refused("0 2 * JUX *", "month", "JUX", "\"JUX\" is no month", "did you mean JUN?");
    refused(
        "0 2 1,,3 * *",
        "day of the month",
        ",",
        "nothing stands here",
        "write 1 to 31, or leave the comma out",
    );
    refused(
        "*/0 * * * *",
        "minute",
        "0",
        "\"0\" is no step",
        "use a number from 1 to 59 after the /",
    );
    refused("5/7 * * * *", "minute", "5/7", "5/7 is a step without a range", "write 5-59/7 or */7");
    refused(
        "0 22-4 * * *",
        "hour",
        "22-4",
        "the range 22-4 ends before it begins",
        "write two parts, such as 22-23,0-4",
    );
    refused(
        "0 2 * * FRI-MON",
        "day of the week",
        "FRI-MON",
        "the range FRI-MON ends before it begins",
        "write two parts, such as 5-6,0-1",
    );
    refused(
        "0 2 L * *",
        "day of the month",
        "L",
        "\"L\" is no day of the month",
        "L, W, # and ? are not part of these expressions; use 1 to 31",
    );
    refused(
        "0 0 30 2 *",
        "day of the month",
        "30",
        "no month named here has such a day",
        "name a day that comes, or another month",
    );
    let five = "write five, minute hour day month weekday, such as \"0 2 * * SUN\", or six with the second first";
    refused("0 2 * *", "whole", "0 2 * *", "it has 4 fields", five);
    refused("", "whole", "", "it has 0 fields", five);
}

#[test]
fn an_expression_has_a_limit() {
    let longest = format!("{} * * * *", ["1"; (EXPRESSION_LEN_MAX - 8) / 2].join(","));
    assert!(longest.len() <= EXPRESSION_LEN_MAX);
    assert!(Cron::parse(&longest).is_ok());
    assert!(Cron::parse(&format!("{longest}{}", " ".repeat(EXPRESSION_LEN_MAX))).is_err());
}

#[test]
fn the_longest_wait_is_found() {
    // The 29th of February on a Sunday, across a year 2100 that has none: 40 years.
    let wait = next("0 0 29 2 */7", date(2088, 3, 1).at(0, 0, 0, 0));
    assert_eq!(wait, "2128-02-29T00:00:00");
}

/// A field that both libraries read alike.
fn field(low: u8, high: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("*".to_owned()),
        3 => (low..=high).prop_map(|number| number.to_string()),
        1 => (low..=high, low..=high)
            .prop_map(|(one, other)| format!("{}-{}", one.min(other), one.max(other))),
        1 => (low..=high, low..=high).prop_map(|(one, other)| format!("{one},{other}")),
        1 => (1..=high.min(12)).prop_map(|step| format!("*/{step}")),
    ]
}

fn days(low: u8, high: u8) -> impl Strategy<Value = String> {
    field(low, high)
        .prop_filter("the other library asks for more than a star", |text| !text.starts_with("*/"))
}

proptest! {
    #[test]
    fn it_finds_what_another_library_finds(
        fields in (field(0, 59), field(0, 59), field(0, 23), days(1, 28), field(1, 12), days(0, 7)),
        minutes in 0_i64..2_000_000,
    ) {
        let (second, minute, hour, day, month, weekday) = fields;
        let text = format!("{second} {minute} {hour} {day} {month} {weekday}");
        let ours = Cron::parse(&text).unwrap();
        let theirs = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build();
        let theirs = theirs.parse(&text).unwrap();
        let at = date(2025, 1, 1).at(0, 0, 30, 0) + jiff::Span::new().minutes(minutes);
        let zoned = at.to_zoned(TimeZone::UTC).unwrap();
        let next = theirs.find_next_occurrence(&zoned, false).unwrap().datetime();
        let last = theirs.find_previous_occurrence(&zoned, true).unwrap().datetime();
        prop_assert_eq!(ours.next_after(at), Some(next), "{}", &text);
        prop_assert_eq!(ours.last_until(at), Some(last), "{}", &text);
    }

    #[test]
    fn whatever_is_written_is_read_or_refused_within_the_text(text in "[-0-9*/, a-zA-Z#?@]{0,40}|\\PC{0,20}") {
        match Cron::parse(&text) {
            Ok(cron) => {
                let at = date(2026, 1, 1).at(0, 0, 0, 0);
                prop_assert!(cron.next_after(at).is_some(), "one that is taken comes");
            }
            Err(error) => {
                prop_assert!(error.place.start <= error.place.end && error.place.start <= text.len());
                prop_assert!(!error.what.is_empty() && !error.fix.is_empty());
            }
        }
    }
}
