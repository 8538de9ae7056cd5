//! What a book may believe about the time in which nobody looked.
//!
//! As long as the system runs, its clock since the start tells how long ago something was, whoever sets the time of day and however often
//! programs are killed. Over a restart of the system, or on another machine, nothing local can be believed: the time of day may have been
//! set, and the other machine's start says nothing. The book then takes it that no time has passed at all. Only the service itself can
//! say otherwise, for it counts by its own clock: the first answer with a date gives back what really passed.

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Which start of the system a clock counts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Boot(Option<String>);

impl Boot {
    /// The start with this id.
    pub fn known(id: &str) -> Self {
        Self(Some(id.chars().filter(char::is_ascii_graphic).take(64).collect()))
    }

    /// Nobody can say which: never the same as any other, not even as itself.
    pub fn unknown() -> Self {
        Self(None)
    }

    /// Whether moments of both can be compared.
    pub fn is_same(&self, other: &Self) -> bool {
        matches!((&self.0, &other.0), (Some(one), Some(two)) if one == two)
    }
}

/// A date of the service and when it was asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Seconds since 1970 on the service's clock, at most a second below what it was when the request left.
    pub service_s: i64,
    /// When the request left.
    pub at: Moment,
}

/// The book was moved onto another line, and waits to hear how long that took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adrift {
    /// What the service's clock showed when the book was last kept, or later than that.
    pub service_s: i64,
    /// Where the present line begins; what is older was brought from the other one.
    pub since: Moment,
}

/// What is known about the service's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceClock {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    anchor: Option<Anchor>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    adrift: Option<Adrift>,
}

/// No more than this is given back at once: thirty days.
const CREDIT_MAX_S: i64 = 30 * 24 * 3_600;

impl ServiceClock {
    /// Whether the book waits for a date.
    pub fn is_adrift(&self) -> bool {
        self.adrift.is_some()
    }

    /// The book, kept at `saved` on its old line, goes on at `now` on another.
    pub(super) fn cut(&mut self, saved: Moment, now: Moment) {
        let anchor = self.anchor.take().filter(|_| self.adrift.is_none());
        self.adrift = anchor.map(|anchor| {
            let since = saved.since(anchor.at).as_secs();
            let since = i64::try_from(since).unwrap_or(i64::MAX);
            // Rounded up twice, so that never more is given back than has passed.
            Adrift {
                service_s: anchor.service_s.saturating_add(since).saturating_add(2),
                since: now,
            }
        });
    }

    /// The service said that it is `date`, in an answer to a request that left at `sent`. Returns how far back what lies before the
    /// returned moment is to be moved, in microseconds.
    pub(super) fn observe(
        &mut self,
        date: i64,
        sent: Moment,
        now: Moment,
    ) -> Option<(Moment, i64)> {
        self.anchor = Some(Anchor { service_s: date, at: sent });
        let adrift = self.adrift.take()?;
        let passed = date.saturating_sub(adrift.service_s).clamp(0, CREDIT_MAX_S) * 1_000_000;
        let seen = now.0.saturating_sub(adrift.since.0);
        let missed = passed.saturating_sub(seen);
        (missed > 0).then_some((adrift.since, missed))
    }
}
