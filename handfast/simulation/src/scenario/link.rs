//! One direction of a link in virtual time: the conditions of a scenario, message by message.
//!
//! A message is so many packets of a connection that sends again what got lost, as TCP does: what a message meets is delay, the rate,
//! and the pauses before packets are sent again. A cut that outlasts all attempts is a message that never arrives; the sender
//! finds out by its own limit.

use std::time::Duration;

use handfast_faults::conditions::Cut;
use handfast_faults::shaper::{Packet, Shaper};
use handfast_faults::{Conditions, Dice};

/// Payload of one packet at MTU 1500, in bytes (RFC 9293, section 3.7.1: 20 bytes for each of the headers).
const PAYLOAD: usize = 1_460;

/// Its headers.
const HEADERS: u32 = 40;

/// The pause before packets are sent again for the first time: the least that Linux takes (RFC 6298 recommends a second). Each further
/// one is twice as long.
const AGAIN_FIRST: Duration = Duration::from_millis(200);

/// How often packets are sent again: the 15 times of `tcp_retries2` last for longer than any message is waited for.
pub(super) const TRIES_MAX: u32 = 8;

/// What the machines and the loopback between them take in any case, in microseconds: guessed, so that seeds differ in what comes first.
const USUAL_US: (u64, u64) = (60, 1_500);

/// One direction.
#[derive(Debug)]
pub(super) struct Line {
    shaper: Option<Shaper>,
    dice: Dice,
    seed: u64,
    title: String,
}

/// What became of packets that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// All have arrived by then.
    By(Duration),
    /// So many have to be sent again then.
    Again(u32, Duration),
    /// The connection was reset.
    Reset,
    /// They have been sent often enough.
    GivenUp,
}

impl Line {
    /// A direction whose chance follows from the seed and its title, such as `a -> b`.
    pub(super) fn new(seed: u64, title: String, dice: Dice) -> Self {
        Self { shaper: None, dice, seed, title }
    }

    /// What it is like from here on.
    pub(super) fn set(&mut self, conditions: Conditions, now: Duration) {
        match &mut self.shaper {
            Some(shaper) => shaper.set(conditions, nanos(now)),
            None if conditions.are_clear() => {}
            None => self.shaper = Some(Shaper::new(conditions, self.seed, &self.title)),
        }
    }

    /// How many packets so many bytes are.
    pub(super) fn packets(len: usize) -> u32 {
        u32::try_from(len.div_ceil(PAYLOAD).max(1)).unwrap_or(u32::MAX)
    }

    /// Sends packets, for the `tries`-th time from 0.
    pub(super) fn pass(&mut self, packets: u32, tries: u32, flow: u64, now: Duration) -> Passed {
        let usual = Duration::from_micros(self.dice.between(USUAL_US.0, USUAL_US.1));
        let Some(shaper) = &mut self.shaper else { return Passed::By(now + usual) };
        if shaper.conditions().cut == Some(Cut::Reset) {
            return Passed::Reset;
        }
        let length = u32::try_from(PAYLOAD).unwrap_or(u32::MAX) + HEADERS;
        let (mut last_ns, mut lost) = (nanos(now), 0);
        for _ in 0..packets {
            let fate = shaper.handle_packet(Packet { length, flow }, nanos(now));
            // A damaged copy fails its checksum, and of two whole ones the first counts.
            let whole = fate.copies.into_iter().filter(|copy| copy.corrupt.is_none());
            match whole.map(|copy| copy.due_ns).min() {
                Some(due_ns) => last_ns = last_ns.max(due_ns),
                None => lost += 1,
            }
        }
        if lost == 0 {
            return Passed::By(Duration::from_nanos(last_ns) + usual);
        }
        if tries >= TRIES_MAX {
            return Passed::GivenUp;
        }
        Passed::Again(lost, now + AGAIN_FIRST * 2_u32.pow(tries))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use handfast_faults::Chance;
    use handfast_faults::conditions::{Delay, Loss};

    use super::*;

    fn line(conditions: Conditions) -> Line {
        let mut line = Line::new(7, "a -> b".to_owned(), Dice::new(7));
        line.set(conditions, Duration::ZERO);
        line
    }

    #[test]
    fn a_clear_line_takes_what_it_always_takes() {
        let Passed::By(at) = line(Conditions::default()).pass(1, 0, 1, Duration::ZERO) else {
            panic!("it did not arrive");
        };
        assert!((60..=1_500).contains(&at.as_micros()), "{at:?}");
    }

    #[test]
    fn a_delay_is_added() {
        let base = Duration::from_millis(80);
        let conditions =
            Conditions { delay: Delay { base, ..Delay::default() }, ..Conditions::default() };
        let Passed::By(at) = line(conditions).pass(3, 0, 1, Duration::from_secs(1)) else {
            panic!("it did not arrive");
        };
        assert!(at > Duration::from_millis(1_080) && at < Duration::from_millis(1_090), "{at:?}");
    }

    #[test]
    fn what_is_lost_is_sent_again_later_and_later_until_it_is_given_up() {
        let conditions =
            Conditions { loss: Loss::Independent(Chance::ALWAYS), ..Conditions::default() };
        let mut line = line(conditions);
        let now = Duration::from_secs(1);
        let again = |tries: u32| Passed::Again(5, now + Duration::from_millis(200 << tries));
        assert_eq!(line.pass(5, 0, 1, now), again(0));
        assert_eq!(line.pass(5, 3, 1, now), again(3));
        assert_eq!(line.pass(5, TRIES_MAX, 1, now), Passed::GivenUp);
    }

    #[test]
    fn a_reset_is_told_at_once() {
        let conditions = Conditions { cut: Some(Cut::Reset), ..Conditions::default() };
        assert_eq!(line(conditions).pass(1, 0, 1, Duration::ZERO), Passed::Reset);
    }

    #[test]
    fn so_many_bytes_are_so_many_packets() {
        assert_eq!([0, 1, 1_460, 1_461].map(Line::packets), [1, 1, 1, 2]);
    }
}
