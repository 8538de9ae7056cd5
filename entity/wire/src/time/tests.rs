use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, micros: i64) {
    assert_eq!(Timestamp::from_iso(text).map(Timestamp::micros), Ok(micros), "{text}");
}

#[track_caller]
fn refused(text: &str) {
    assert_eq!(Timestamp::from_iso(text), Err(InvalidTimestamp), "{text}");
}

#[track_caller]
fn strictly_refused(text: &str) {
    assert_eq!(Timestamp::from_iso_strict(text), Err(InvalidTimestamp), "{text}");
}

#[test]
fn known_texts_are_known_instants() {
    check("1970-01-01T00:00:00.000000+00:00", 0);
    check("2026-02-01T00:00:00.000001+00:00", 1_769_904_000_000_001);
    check("2026-11-22T07:43:14.167325+00:00", 1_795_333_394_167_325);
    check("2000-02-29T23:59:59.999999+00:00", 951_868_799_999_999);
    check("1969-12-31T23:59:59.999999+00:00", -1);
    check("0001-01-01T00:00:00.000000+00:00", Timestamp::MIN.micros());
    check("9999-12-31T23:59:59.999999+00:00", Timestamp::MAX.micros());
}

#[test]
fn the_loose_forms_of_1_0_are_read() {
    check("1970-01-01T00:00:00Z", 0);
    check("1970-01-01 00:00:00Z", 0);
    check("1970-01-01T00:00+00:00", 0);
    check("1970-01-01T01:30:00+01:30", 0);
    check("1969-12-31T22:30:00-01:30", 0);
    check("1970-01-01T00:00:00.5Z", 500_000);
    check("1970-01-01T00:00:00.123456789Z", 123_456);
}

#[test]
fn what_names_no_instant_is_refused() {
    for text in [
        "",
        "yesterday",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567890Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "1970-01-01T00:00:00+0000",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00Z ",
        "1970-01-01T00:00:00z",
        "１970-01-01T00:00:00Z",
        "+970-01-01T00:00:00Z",
    ] {
        refused(text);
    }
}

#[test]
fn the_strict_form_of_1_1_is_one_form() {
    assert_eq!(
        Timestamp::from_iso_strict("2026-11-22T07:43:14.167325+00:00"),
        Ok(Timestamp::from_micros(1_795_333_394_167_325))
    );
    for text in [
        "2026-11-22 07:43:14.167325+00:00",
        "2026-11-22T07:43:14.167325-00:00",
        "2026-11-22T08:43:14.167325+01:00",
        "2026-11-22T07:43:14.167325Z",
        "2026-11-22T07:43:14.16732+00:00",
        "2026-11-22T07:43:14.1673255+00:00",
        "2026-11-22T07:43:14+00:00",
        "2026-11-22T07:43:60.167325+00:00",
        "2026-02-30T07:43:14.167325+00:00",
        "2026-11-22t07:43:14.167325+00:00",
    ] {
        strictly_refused(text);
    }
}

#[test]
fn seconds_are_rounded_to_the_microsecond() {
    assert_eq!(
        Timestamp::from_seconds(1_769_904_000.123_456).map(Timestamp::micros),
        Ok(1_769_904_000_123_456)
    );
    assert_eq!(Timestamp::from_seconds(-0.000_000_6).map(Timestamp::micros), Ok(-1));
    for seconds in
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e18, -1e18, 1e300, 253_402_300_800.0]
    {
        assert_eq!(Timestamp::from_seconds(seconds), Err(InvalidTimestamp), "{seconds}");
    }
}

#[test]
fn arithmetic_saturates_at_the_ends() {
    assert_eq!(Timestamp::MAX.plus(Duration::from_micros(1)), Timestamp::MAX);
    assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.minus(Duration::MAX), Timestamp::MIN);
    assert_eq!(Timestamp::UNIX_EPOCH.offset(i64::MIN), Timestamp::MIN);
    assert_eq!(Timestamp::UNIX_EPOCH.since(Timestamp::MAX), Duration::ZERO);
    assert_eq!(Timestamp::MIN.distance(Timestamp::MAX), Timestamp::MAX.distance(Timestamp::MIN));
}

fn any_timestamp() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.micros()..=Timestamp::MAX.micros()).prop_map(Timestamp::from_micros)
}

proptest! {
    #[test]
    fn text_reads_back_strictly(time in any_timestamp()) {
        let text = time.to_string();
        prop_assert_eq!(text.len(), 32);
        prop_assert_eq!(Timestamp::from_iso_strict(&text), Ok(time));
    }

    #[test]
    fn text_order_is_time_order(a in any_timestamp(), b in any_timestamp()) {
        prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
    }

    #[test]
    fn seconds_read_back_for_two_centuries(micros in 0_i64..(1 << 33) * 1_000_000) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(Timestamp::from_seconds(time.as_seconds()), Ok(time));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = Timestamp::from_iso(&text);
        let _ = Timestamp::from_iso_strict(&text);
    }
}
