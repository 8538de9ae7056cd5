//! What a try has shown of the protocol, and whether anybody had seen that before.
//!
//! A coverage-guided fuzzer keeps an input that takes an edge of the program which no earlier one took. The programs here are
//! strangers' and are not instrumented; what can be seen from outside are the states that their protocol goes through. So an edge is:
//! a notification of a role, the one after it, a type of message between two roles and how often it came, and what came just before and
//! just after a disturbance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most features that are remembered: 1 MiB. Beyond, nothing is new any more.
pub const FEATURES_MAX: usize = 65_536;

/// Most signs of one try that are looked at: those of 10,000 messages with their notifications.
pub const SIGNS_MAX: usize = 65_536;

/// Something that was seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// Since the first step.
    pub at: Duration,
    /// What.
    pub what: Seen,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// A peer said something.
    Event {
        /// Who.
        role: String,
        /// What it is called.
        event: String,
    },
    /// A message went from one peer to another.
    Message {
        /// Who sent it.
        from: String,
        /// Who was to get it.
        to: String,
        /// Its type, where that can be told.
        message_type: Option<String>,
    },
    /// A disturbance took effect.
    Applied {
        /// Which kind on whom, such as `kill b`.
        disturbance: String,
    },
    /// It was undone.
    Undone {
        /// As above.
        disturbance: String,
    },
}

/// The features of one try, as numbers that mean nothing but themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features(BTreeSet<u64>);

/// All that was ever seen, and how often.
#[derive(Debug, Default)]
pub struct Atlas {
    tries: BTreeMap<u64, u32>,
}

impl Features {
    /// Those of a try, whose signs are in the order of their times. Signs beyond [`SIGNS_MAX`] are left out.
    pub fn of(signs: &[Sign]) -> Self {
        let mut features = Self::default();
        let mut last_event: BTreeMap<&str, &str> = BTreeMap::new();
        let mut counts: BTreeMap<&Seen, u32> = BTreeMap::new();
        let mut before: Option<&Seen> = None;
        let mut awaiting: Vec<(&str, &str)> = Vec::new();
        for Sign { what, .. } in signs.iter().take(SIGNS_MAX) {
            match what {
                Seen::Event { role, event } => {
                    let last = last_event.insert(role, event).unwrap_or_default();
                    features.note(&["then", role, last, event]);
                }
                Seen::Message { .. } => {}
                Seen::Applied { disturbance } => {
                    let (kind, a, b, c) = words(before);
                    features.note(&["applied after", disturbance, kind, a, b, c]);
                    awaiting.push(("first while", disturbance));
                    continue;
                }
                Seen::Undone { disturbance } => {
                    awaiting.push(("first after", disturbance));
                    continue;
                }
            }
            let (kind, a, b, c) = words(Some(what));
            for (when, disturbance) in awaiting.drain(..) {
                features.note(&[when, disturbance, kind, a, b, c]);
            }
            *counts.entry(what).or_default() += 1;
            before = Some(what);
        }
        for (what, count) in counts {
            // Once, twice, three or four times, up to eight, .. : more of the same is new only when it is much more.
            let magnitude = count.next_power_of_two().to_string();
            let (kind, a, b, c) = words(Some(what));
            features.note(&["count", kind, a, b, c, &magnitude]);
        }
        features
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn note(&mut self, words: &[&str]) {
        self.0.insert(number(words));
    }
}

impl Atlas {
    /// Takes in a try; how many of its features nobody had seen before.
    pub fn note(&mut self, features: &Features) -> usize {
        let mut new = 0;
        for feature in &features.0 {
            if let Some(tries) = self.tries.get_mut(feature) {
                *tries = tries.saturating_add(1);
            } else if self.tries.len() < FEATURES_MAX {
                self.tries.insert(*feature, 1);
                new += 1;
            }
        }
        new
    }

    /// In how few tries the rarest of these was seen; nothing where there are none.
    pub fn rarest(&self, features: &Features) -> Option<u32> {
        features.0.iter().filter_map(|feature| self.tries.get(feature)).min().copied()
    }

    /// How many features are known.
    pub fn len(&self) -> usize {
        self.tries.len()
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.tries.is_empty()
    }
}

fn words(seen: Option<&Seen>) -> (&'static str, &str, &str, &str) {
    match seen {
        None => ("start", "", "", ""),
        Some(Seen::Event { role, event }) => ("event", role, event, ""),
        Some(Seen::Message { from, to, message_type }) => {
            ("message", from, to, message_type.as_deref().unwrap_or_default())
        }
        Some(Seen::Applied { disturbance }) => ("applied", disturbance, "", ""),
        Some(Seen::Undone { disturbance }) => ("undone", disturbance, "", ""),
    }
}

/// FNV-1a over the words with their ends marked: no secret depends on it, it only has to spread.
fn number(words: &[&str]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(role: &str, event: &str) -> Seen {
        Seen::Event { role: role.to_owned(), event: event.to_owned() }
    }

    fn message(kind: &str) -> Seen {
        let (from, to) = ("a".to_owned(), "b".to_owned());
        Seen::Message { from, to, message_type: Some(kind.to_owned()) }
    }

    fn applied() -> Seen {
        Seen::Applied { disturbance: "kill b".to_owned() }
    }

    fn features(seen: &[Seen]) -> Features {
        let sign = |what: &Seen| Sign { at: Duration::ZERO, what: what.clone() };
        Features::of(&seen.iter().map(sign).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check_new(first: &[Seen], then: &[Seen], is_new: bool) {
        let mut atlas = Atlas::default();
        assert!(atlas.note(&features(first)) > 0 || first.is_empty());
        assert_eq!(atlas.note(&features(then)) > 0, is_new);
    }

    #[test]
    fn the_same_again_is_nothing_new() {
        let seen = [event("a", "x"), message("m"), applied(), event("b", "y")];
        check_new(&seen, &seen, false);
    }

    #[test]
    fn another_order_of_events_is_new() {
        check_new(
            &[event("a", "x"), event("a", "y"), event("a", "x")],
            &[event("a", "y"), event("a", "x"), event("a", "x")],
            true,
        );
    }

    #[test]
    fn a_disturbance_at_another_moment_is_new() {
        check_new(
            &[message("m"), applied(), message("n")],
            &[message("m"), message("n"), applied()],
            true,
        );
    }

    #[test]
    fn many_more_of_the_same_are_new_and_one_more_is_not() {
        let times = |count: usize| vec![message("m"); count];
        check_new(&times(6), &times(7), false);
        check_new(&times(6), &times(60), true);
    }

    #[test]
    fn what_comes_first_after_a_disturbance_is_a_feature() {
        let undone = Seen::Undone { disturbance: "kill b".to_owned() };
        check_new(
            &[applied(), undone.clone(), message("m"), message("n")],
            &[applied(), undone, message("n"), message("m")],
            true,
        );
    }

    #[test]
    fn nothing_seen_is_no_feature() {
        assert!(features(&[]).is_empty());
        assert_eq!(Atlas::default().rarest(&features(&[])), None);
    }

    #[test]
    fn a_full_atlas_finds_nothing_new() {
        let tries = (0..FEATURES_MAX as u64).map(|feature| (feature, 1)).collect();
        let mut atlas = Atlas { tries };
        assert_eq!(atlas.note(&features(&[event("a", "x")])), 0);
        assert_eq!(atlas.len(), FEATURES_MAX);
    }

    #[test]
    fn signs_beyond_the_limit_are_left_out() {
        let mut seen = vec![message("m"); SIGNS_MAX];
        let whole = features(&seen);
        seen.push(event("a", "x"));
        assert_eq!(features(&seen), whole);
    }
}
