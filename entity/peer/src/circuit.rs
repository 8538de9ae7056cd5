//! The circuit to one peer: after some failed deliveries in a row nothing is tried for a while, then one thing at a time.
//!
//! ```text
//! closed ── failures_max failures in a row ──> open ── its pause is over, or the peer was heard ──> half-open
//!    ^                                          ^                                                      │
//!    └──────────── delivered ───────────────────┼───────────────────────────────────────── delivered ──┤
//!                                               └── failed: twice the pause ───────────────────────────┘
//! ```
//!
//! Source: docs/design/delivery.md

use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_flaw::{Flaw, planted};
use entity_wire::time::Timestamp;

use crate::view::CircuitState;

/// The circuit to one peer.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    state: State,
    /// Failures in a row.
    failures: u32,
    /// How often it opened since it was closed.
    openings: u32,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Timestamp,
    },
    /// One delivery is tried; if nothing becomes of it another one is from `until` on.
    HalfOpen {
        until: Timestamp,
    },
}

impl Circuit {
    /// Lets a delivery through, or says how long nothing is to be tried.
    ///
    /// # Errors
    ///
    /// The time until a delivery may be tried; never zero.
    pub(crate) fn admit(&mut self, now: Timestamp) -> Result<(), Duration> {
        match self.state {
            State::Closed => Ok(()),
            State::Open { .. } if planted(Flaw::KeepsCircuitOpen) => Err(PAUSE_MAX),
            State::Open { until } | State::HalfOpen { until } if now < until => {
                Err(until.since(now))
            }
            State::Open { .. } | State::HalfOpen { .. } => {
                self.state = State::HalfOpen { until: now.plus(PROBE_TIMEOUT) };
                Ok(())
            }
        }
    }

    /// Notes that something was delivered.
    pub(crate) fn succeeded(&mut self) {
        if planted(Flaw::KeepsCircuitOpen) && self.state != State::Closed {
            return;
        }
        *self = Self::default();
    }

    /// Notes that a delivery failed; the `failures_max`th in a row opens the circuit, and so does the one of a half-open.
    pub(crate) fn failed(&mut self, failures_max: u32, now: Timestamp, entropy: &mut Entropy) {
        self.failures = self.failures.saturating_add(1);
        match self.state {
            State::Closed if self.failures < failures_max => {}
            // What was under way when it opened says nothing new.
            State::Open { .. } => {}
            State::Closed | State::HalfOpen { .. } => {
                let pause = jittered(backoff(PAUSE_MIN, PAUSE_MAX, self.openings), entropy);
                self.openings = self.openings.saturating_add(1);
                self.state = State::Open { until: now.plus(pause) };
            }
        }
    }

    /// Notes that the peer was heard: the next delivery is tried at once, also while another is, which may go where the peer was before.
    /// Says whether that is a change.
    pub(crate) fn heard(&mut self, now: Timestamp) -> bool {
        let is_waiting =
            matches!(self.state, State::Open { until } | State::HalfOpen { until } if now < until);
        if is_waiting && !planted(Flaw::KeepsCircuitOpen) {
            self.state = State::Open { until: now };
        }
        is_waiting
    }

    /// What can be seen of it.
    pub(crate) fn state(&self) -> CircuitState {
        match self.state {
            State::Closed => CircuitState::Closed,
            State::Open { .. } => CircuitState::Open,
            State::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }
}

/// Returns `least` doubled `times` times, `most` at most.
pub(crate) fn backoff(least: Duration, most: Duration, times: u32) -> Duration {
    if planted(Flaw::RetriesAtOnce) {
        return least / 40;
    }
    if planted(Flaw::WaitsEverLonger) {
        return least.saturating_mul(10_u32.saturating_pow(times.min(6)));
    }
    least.saturating_mul(1 << times.min(16)).min(most)
}

/// Returns a time between half of `pause` and all of it, so that those who failed together do not try again together.
pub(crate) fn jittered(pause: Duration, entropy: &mut Entropy) -> Duration {
    let part = u32::from(u16::from_le_bytes(entropy.bytes()));
    (pause / 2).saturating_add(pause / 2 * part / u32::from(u16::MAX))
}

/// The first pause. Guessed: as long as the first pause between attempts.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause. Guessed, as that between handshakes: a peer that is away costs one request in half a minute.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// When a probe counts as gone: the time of the three attempts that a delivery may have, and of a handshake before it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(63);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    fn entropy() -> Entropy {
        Entropy::from_seed([3; 32])
    }

    /// A circuit after this many failures at the start, of three that open it.
    fn failed(count: u32) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..count {
            circuit.failed(3, START, &mut entropy());
        }
        circuit
    }

    #[test]
    fn it_opens_with_the_third_failure_in_a_row() {
        assert_eq!(failed(2).state(), CircuitState::Closed);
        assert_eq!(failed(3).state(), CircuitState::Open);
        let mut circuit = failed(2);
        circuit.succeeded();
        circuit.failed(3, START, &mut entropy());
        assert_eq!(circuit.admit(START), Ok(()));
    }

    #[test]
    fn it_says_how_long_to_wait_and_then_lets_one_delivery_through() {
        let mut circuit = failed(3);
        let wait = circuit.admit(START).unwrap_err();
        assert!(wait >= PAUSE_MIN / 2 && wait <= PAUSE_MIN, "{wait:?}");
        let due = START.plus(wait);
        assert_eq!(circuit.admit(due.offset(-1)), Err(Duration::from_micros(1)));
        assert_eq!(circuit.admit(due), Ok(()));
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
        assert_eq!(circuit.admit(due), Err(PROBE_TIMEOUT));
        assert_eq!(circuit.admit(due.plus(PROBE_TIMEOUT)), Ok(()), "a probe may get lost");
        circuit.succeeded();
        assert_eq!(circuit.admit(due), Ok(()));
        assert_eq!(circuit.state(), CircuitState::Closed);
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_half_a_minute() {
        let (mut circuit, mut entropy) = (failed(3), entropy());
        let mut now = START;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let wait = circuit.admit(now).unwrap_err();
            pauses.push(wait);
            now = now.plus(wait);
            assert_eq!(circuit.admit(now), Ok(()));
            circuit.failed(3, now, &mut entropy);
        }
        for (pause, whole) in pauses.into_iter().zip([1, 2, 4, 8, 16, 30, 30, 30]) {
            let whole = Duration::from_secs(whole);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        }
    }

    #[test]
    fn whoever_is_heard_is_tried_at_once_and_failures_of_before_count_no_more() {
        let mut circuit = failed(3);
        assert!(circuit.heard(at(1)));
        assert!(!circuit.heard(at(1)));
        assert_eq!(circuit.admit(at(1)), Ok(()));
        let mut late = failed(9);
        assert_eq!(late.admit(START), failed(3).admit(START), "only the first opened it");
        late.succeeded();
        assert!(!late.heard(at(1)));
    }

    #[test]
    fn whoever_is_heard_while_a_delivery_is_tried_need_not_wait_for_what_becomes_of_it() {
        let mut circuit = failed(3);
        assert_eq!(circuit.admit(at(2_000)), Ok(()));
        assert!(circuit.admit(at(2_000)).is_err(), "one thing at a time");
        assert!(circuit.heard(at(2_000)));
        assert_eq!(circuit.admit(at(2_000)), Ok(()));
        circuit.succeeded();
        assert_eq!(circuit.state(), CircuitState::Closed);
    }

    #[test]
    fn jitter_stays_between_half_and_all() {
        let mut entropy = entropy();
        let pauses: Vec<_> =
            (0..1_000).map(|_| jittered(Duration::from_secs(2), &mut entropy)).collect();
        assert!(pauses.iter().all(|pause| (1_000..=2_000).contains(&pause.as_millis())));
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*least < Duration::from_millis(1_050) && *most > Duration::from_millis(1_950));
    }
}
