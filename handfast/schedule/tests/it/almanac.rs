//! What should fall due, found without the code under test: by looking at the clock on the wall each quarter of an hour of two years.
//! All changes of clocks of these years, and all times that the tests ask for, are at such quarters.

use handfast_schedule::Zone;
use jiff::civil::{Date, Time, Weekday, time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Span, Timestamp};

/// The two years: from the first instant of 2026 to that of 2028, UTC.
pub(crate) fn years() -> (Timestamp, Timestamp) {
    ("2026-01-01T00:00:00Z".parse().unwrap(), "2028-01-01T00:00:00Z".parse().unwrap())
}

/// Each day's instant at which the clock first shows this time or, where it does not come, the first time after it.
/// From the first of the two years to some days after the last. A day begins when the clock first shows its date.
pub(crate) fn daily(zone: &Zone, at: Time, weekday: Option<Weekday>) -> Vec<Timestamp> {
    let zone = if zone.name() == "UTC" {
        TimeZone::UTC
    } else {
        TimeZoneDatabase::bundled().get(zone.name()).unwrap()
    };
    let (mut now, end) = years();
    let end = end + SignedDuration::from_hours(10 * 24);
    let mut found = Vec::new();
    let mut latest: Option<Date> = None;
    // The day that has begun already belongs to the time before.
    let first = zone.to_datetime(now);
    if first.time() >= at {
        latest = Some(first.date());
    }
    while now < end {
        let local = zone.to_datetime(now);
        let is_new = latest.is_none_or(|latest| local.date() > latest);
        if is_new && local.time() >= at {
            latest = Some(local.date());
            if weekday.is_none_or(|weekday| weekday == local.date().weekday()) {
                found.push(now);
            }
        }
        now = now.checked_add(Span::new().minutes(15)).unwrap();
    }
    found
}

#[test]
fn the_almanac_knows_the_nights_on_which_clocks_change() {
    let berlin = daily(&Zone::named("Europe/Berlin").unwrap(), time(2, 0, 0, 0), None);
    let text: Vec<String> = berlin.iter().map(ToString::to_string).collect();
    // 02:00 does not come on 29 March 2026: 03:00 CEST. It comes twice on 25 October: the first, CEST.
    assert!(text.contains(&"2026-03-29T01:00:00Z".to_owned()));
    assert!(text.contains(&"2026-10-25T00:00:00Z".to_owned()));
    assert!(!text.contains(&"2026-10-25T01:00:00Z".to_owned()));
    assert_eq!(berlin.len(), 740);
}
