//! Quiet hours: pure, from a moment and the settings.

use handfast_scenario::notify::{Day, Quiet, zone};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Longest stretch that can be quiet without an end, days: a week of quiet days would never end.
const DAYS_MAX: i32 = 8;

/// When the quiet stretch that a moment is in ends, microseconds since the Unix epoch; `None`: the moment is not quiet.
///
/// The clock on the wall counts: on a day on which it is changed, an end that does not exist comes as much later as the clock
/// was set forward, and of one that exists twice the second counts. A stretch
/// without an end within eight days (all days are quiet) ends after eight days, so that nothing is held for ever.
pub fn ends(quiet: &Quiet, now_unix_us: i64) -> Option<i64> {
    let zone = zone(&quiet.zone).unwrap_or(TimeZone::UTC);
    let now = Timestamp::from_microsecond(now_unix_us).ok()?;
    if !is_quiet(quiet, local(&zone, now)) {
        return None;
    }
    let today = local(&zone, now).date();
    let mut end = now;
    // Quiet can only stop at `to` or at a midnight: the first of these moments that is not quiet is the end.
    for offset in 0..=DAYS_MAX {
        let Ok(day) = today.checked_add(offset.days()) else { break };
        for minute in stops(quiet) {
            let Some(moment) = moment(&zone, day, minute).filter(|moment| *moment > now) else {
                continue;
            };
            end = end.max(moment);
            if !is_quiet(quiet, local(&zone, moment)) {
                return Some(moment.as_microsecond());
            }
        }
    }
    Some(end.as_microsecond())
}

fn stops(quiet: &Quiet) -> [u16; 2] {
    [0, quiet.to]
}

fn is_quiet(quiet: &Quiet, at: DateTime) -> bool {
    let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0);
    let (from, to) = (quiet.from, quiet.to);
    let by_hours =
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to };
    by_hours || quiet.days.contains(&day(at.date()))
}

fn local(zone: &TimeZone, at: Timestamp) -> DateTime {
    zone.to_datetime(at)
}

/// The moment at which the clock on the wall shows a minute of a day; the later one where there are two.
fn moment(zone: &TimeZone, day: Date, minute: u16) -> Option<Timestamp> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    zone.to_ambiguous_timestamp(day.at(hour, minute, 0, 0)).later().ok()
}

fn day(date: Date) -> Day {
    match date.weekday() {
        Weekday::Monday => Day::Monday,
        Weekday::Tuesday => Day::Tuesday,
        Weekday::Wednesday => Day::Wednesday,
        Weekday::Thursday => Day::Thursday,
        Weekday::Friday => Day::Friday,
        Weekday::Saturday => Day::Saturday,
        Weekday::Sunday => Day::Sunday,
    }
}

#[cfg(test)]
mod tests;
