//! Time zones, from the data compiled into the program: the same on every machine, also on one without `/usr/share/zoneinfo`.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp, Unit};

/// A time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// No zone has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {name:?}")]
pub struct UnknownZone {
    /// The name as written.
    pub name: String,
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The zone of an IANA name, such as `Europe/Berlin`.
    ///
    /// # Errors
    ///
    /// [`UnknownZone`].
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        if name == "UTC" {
            return Ok(Self::utc());
        }
        let unknown = || UnknownZone { name: name.to_owned() };
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        let name = zone.iana_name().ok_or_else(unknown)?.to_owned();
        Ok(Self { name, zone })
    }

    /// The names of all zones.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a clock on the wall shows, to the second.
    pub fn local(&self, at: Timestamp) -> DateTime {
        let local = self.zone.to_datetime(at);
        // Times before year 1 have no whole second below them, which nothing here reaches.
        local.with().subsec_nanosecond(0).build().unwrap_or(local)
    }

    /// The offset from UTC at that instant, as `+02:00`.
    pub fn offset(&self, at: Timestamp) -> String {
        let seconds = self.zone.to_offset(at).seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// The one instant of a local time: of one that comes twice the first, of one that does not come the first instant after the gap.
    ///
    /// Never falls as the local time rises.
    pub fn instant(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                let in_the_new_time = before.to_timestamp(local).ok()?;
                self.change_until(in_the_new_time)
            }
        }
    }

    /// The greatest local time, to the second, that had been on the clock at or before an instant. In an hour that comes for the second time it
    /// is that hour's end: all of it has been there.
    pub fn reached(&self, at: Timestamp) -> DateTime {
        let local = self.local(at);
        let offset = self.zone.to_offset(at);
        let end = match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after } if offset == after => self
                .change_until(at)
                .map(|change| before.to_datetime(change))
                .and_then(|end| end.checked_sub(Span::new().seconds(1)).ok()),
            AmbiguousOffset::Fold { .. }
            | AmbiguousOffset::Gap { .. }
            | AmbiguousOffset::Unambiguous { .. } => None,
        };
        end.map_or(local, |end| end.max(local))
    }

    /// The last change of clocks at or before an instant.
    fn change_until(&self, at: Timestamp) -> Option<Timestamp> {
        let beyond = at.checked_add(Span::new().nanoseconds(1)).ok()?;
        let change = self.zone.preceding(beyond).next()?.timestamp();
        change.round(Unit::Second).ok()
    }
}
