//! Which fault meets which request.

use std::collections::VecDeque;
use std::time::Duration;

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// 429 with `Retry-After`; not accepted.
    Limited {
        /// What `Retry-After` says, seconds.
        seconds: u64,
    },
    /// This status, 500 to 599; not accepted.
    Broken {
        /// The status.
        status: u16,
    },
    /// Read, never accepted, never answered.
    Silent,
    /// Accepted, never answered.
    SilentAfter,
    /// The connection is reset before anything is read.
    ResetBefore,
    /// Accepted, and the connection is reset before the answer.
    ResetAfter,
    /// The connection is reset once it is read, and only then, after some time, it is accepted.
    AcceptLate {
        /// After how long.
        after: Duration,
    },
    /// Accepted, and answered late.
    Slow {
        /// How late.
        by: Duration,
    },
}

impl Fault {
    /// Whether the request reaches the rules.
    pub fn lets_in(self) -> bool {
        match self {
            Self::None
            | Self::SilentAfter
            | Self::ResetAfter
            | Self::AcceptLate { .. }
            | Self::Slow { .. } => true,
            Self::Limited { .. } | Self::Broken { .. } | Self::Silent | Self::ResetBefore => false,
        }
    }
}

/// How many of a thousand requests meet each fault; the rest meets none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Odds {
    /// [`Fault::Limited`], for one second.
    pub limited: u16,
    /// [`Fault::Broken`] with 500.
    pub error: u16,
    /// [`Fault::Broken`] with 503.
    pub unavailable: u16,
    /// [`Fault::Silent`].
    pub silent: u16,
    /// [`Fault::SilentAfter`].
    pub silent_after: u16,
    /// [`Fault::ResetBefore`].
    pub reset_before: u16,
    /// [`Fault::ResetAfter`].
    pub reset_after: u16,
    /// [`Fault::Slow`], by 50 to 500 ms.
    pub slow: u16,
}

/// Says for each request, in order, which fault meets it: first what was asked for, then by odds from a seed.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    odds: Odds,
    state: u64,
    scripted: VecDeque<Fault>,
}

impl Weather {
    /// Weather by odds; the same seed gives the same faults for ever.
    pub fn seeded(seed: u64, odds: Odds) -> Self {
        Self { odds, state: seed, scripted: VecDeque::new() }
    }

    /// Lets these faults meet the next requests.
    pub fn script(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.scripted.extend(faults);
    }

    /// The fault of the next request.
    pub fn draw(&mut self) -> Fault {
        if let Some(fault) = self.scripted.pop_front() {
            return fault;
        }
        let odds = self.odds;
        let table = [
            (odds.limited, Fault::Limited { seconds: 1 }),
            (odds.error, Fault::Broken { status: 500 }),
            (odds.unavailable, Fault::Broken { status: 503 }),
            (odds.silent, Fault::Silent),
            (odds.silent_after, Fault::SilentAfter),
            (odds.reset_before, Fault::ResetBefore),
            (odds.reset_after, Fault::ResetAfter),
        ];
        let mut left = self.next() % 1_000;
        for (share, fault) in table {
            if left < u64::from(share) {
                return fault;
            }
            left -= u64::from(share);
        }
        if left < u64::from(odds.slow) {
            return Fault::Slow { by: Duration::from_millis(50 + self.next() % 451) };
        }
        Fault::None
    }

    /// SplitMix64: small, seeded, and the same everywhere.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODDS: Odds = Odds {
        limited: 100,
        error: 50,
        unavailable: 50,
        silent: 20,
        silent_after: 20,
        reset_before: 50,
        reset_after: 100,
        slow: 100,
    };

    #[test]
    fn the_same_seed_gives_the_same_weather() {
        let faults = |seed| {
            let mut weather = Weather::seeded(seed, ODDS);
            (0..1_000).map(|_| weather.draw()).collect::<Vec<_>>()
        };
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
    }

    #[test]
    fn the_odds_are_kept() {
        let mut weather = Weather::seeded(1, ODDS);
        let faults: Vec<_> = (0..20_000).map(|_| weather.draw()).collect();
        let share = |wanted: Fault| faults.iter().filter(|&&fault| fault == wanted).count();
        assert!((1_700..2_300).contains(&share(Fault::Limited { seconds: 1 })));
        assert!((1_700..2_300).contains(&share(Fault::ResetAfter)));
        assert!((9_500..10_900).contains(&share(Fault::None)), "{}", share(Fault::None));
    }

    #[test]
    fn what_a_test_asks_for_comes_first() {
        let mut weather = Weather::default();
        weather.script([Fault::Silent, Fault::ResetAfter]);
        let drawn = [weather.draw(), weather.draw(), weather.draw()];
        assert_eq!(drawn, [Fault::Silent, Fault::ResetAfter, Fault::None]);
    }
}
