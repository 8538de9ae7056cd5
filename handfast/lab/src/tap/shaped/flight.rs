//! One direction of one connection under way: pure, so that a minute of it takes no time in a test.
//!
//! A stream is cut into pieces as TCP would cut it into packets, and each is shown to the direction's shaper. A piece that
//! is dropped is shown to it again after the pause in which a TCP sender would have sent it again; what follows waits
//! behind it, as in the receiver of a stream.

use std::collections::VecDeque;

use bytes::Bytes;
use handfast_faults::{Cause, Packet, PacketFate, Shaper};

/// What a piece holds at most, in bytes: a packet of 1,500 without the headers of IPv4 and TCP with time stamps.
pub(crate) const PIECE_MAX: usize = 1_448;

/// Those headers, in bytes.
const HEADERS: u32 = 52;

/// What is under way at most, in bytes: what a Linux sender keeps by default (tcp(7), the third figure of `tcp_wmem`).
pub(crate) const UNDER_WAY_MAX: usize = 4 * 1024 * 1024;

/// What Linux adds to a round trip before it sends again, at least: `TCP_RTO_MIN`.
const PAUSE_LEAST_NS: u64 = 200_000_000;

/// What a pause is at most, after doubling: `TCP_RTO_MAX`.
const PAUSE_MOST_NS: u64 = 120_000_000_000;

/// So many pieces behind a lost one tell its sender of the loss after a round trip (RFC 5681, section 3.2).
const TOLD_BY: usize = 3;

/// Pieces of a stream on their way, first sent first.
#[derive(Debug)]
pub(crate) struct Flight {
    flow: u64,
    pieces: VecDeque<Piece>,
    bytes: usize,
    is_ended: bool,
    /// Before that nothing more could have been handed on, whenever it was due.
    free_ns: u64,
}

#[derive(Debug)]
struct Piece {
    /// Without any: the end of the stream.
    bytes: Bytes,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It arrives then.
    Due { at_ns: u64 },
    /// It was lost, and is sent again then; after the next loss, after a pause twice as long.
    Lost { again_ns: u64, pause_ns: u64, told_ns: u64 },
}

/// What has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// The next bytes.
    Bytes(Bytes),
    /// The end of the stream.
    End,
}

/// The connection is gone: whoever sent on it is told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reset;

impl Flight {
    /// Starts with nothing under way. `flow` tells the connection from others.
    pub(crate) fn new(flow: u64) -> Self {
        Self { flow, pieces: VecDeque::new(), bytes: 0, is_ended: false, free_ns: 0 }
    }

    /// From when on there is room for another piece; `None` until something has arrived, or for ever after the end.
    pub(crate) fn room_at(&self, shaper: &Shaper, now_ns: u64) -> Option<u64> {
        let has_room = !self.is_ended && self.bytes + PIECE_MAX <= UNDER_WAY_MAX;
        let length = HEADERS + u32::try_from(PIECE_MAX).unwrap_or(u32::MAX);
        has_room.then(|| shaper.room_at(length, now_ns))
    }

    /// Takes what the sender has sent, at most [`PIECE_MAX`] bytes; none are the end of the stream. `round_trip_ns` is how
    /// long a sender waits for an answer at best.
    pub(crate) fn handle_sent(
        &mut self,
        bytes: Bytes,
        shaper: &mut Shaper,
        round_trip_ns: u64,
        now_ns: u64,
    ) -> Result<(), Reset> {
        self.is_ended |= bytes.is_empty();
        let pause_ns = round_trip_ns.saturating_add(PAUSE_LEAST_NS);
        let told_ns = now_ns.saturating_add(round_trip_ns);
        let state = self.show(bytes.len(), shaper, (pause_ns, told_ns), now_ns)?;
        self.bytes += bytes.len();
        self.pieces.push_back(Piece { bytes, state });
        self.tell(now_ns);
        Ok(())
    }

    /// When time alone changes something next: the first piece arrives, or one is sent again.
    pub(crate) fn next_deadline_ns(&self) -> Option<u64> {
        let first = self.pieces.front().and_then(|piece| match piece.state {
            State::Due { at_ns } => Some(at_ns),
            State::Lost { .. } => None,
        });
        let again = self.pieces.iter().filter_map(|piece| match piece.state {
            State::Lost { again_ns, .. } => Some(again_ns),
            State::Due { .. } => None,
        });
        first.into_iter().chain(again).min()
    }

    /// Time has passed: what was lost is sent again when its pause is over.
    pub(crate) fn handle_deadline(
        &mut self,
        shaper: &mut Shaper,
        now_ns: u64,
    ) -> Result<(), Reset> {
        for place in 0..self.pieces.len() {
            let State::Lost { again_ns, pause_ns, .. } = self.pieces[place].state else { continue };
            if again_ns <= now_ns {
                let longer_ns = pause_ns.saturating_mul(2).min(PAUSE_MOST_NS);
                let length = self.pieces[place].bytes.len();
                // Only the first pause is shortened by what follows: a sender that was told once waits from there on.
                let state = self.show(length, shaper, (longer_ns, u64::MAX), now_ns)?;
                self.pieces[place].state = state;
            }
        }
        Ok(())
    }

    /// What has arrived by now, in order.
    pub(crate) fn poll_arrived(&mut self, shaper: &mut Shaper, now_ns: u64) -> Option<Arrived> {
        let State::Due { at_ns } = self.pieces.front()?.state else { return None };
        if at_ns > now_ns {
            return None;
        }
        let Piece { bytes, .. } = self.pieces.pop_front()?;
        // Who waited behind another piece, or for the receiver, is not late by the fault of the driver.
        self.free_ns = self.free_ns.max(at_ns);
        shaper.handle_delivery(self.free_ns, now_ns);
        self.bytes -= bytes.len();
        Some(if bytes.is_empty() { Arrived::End } else { Arrived::Bytes(bytes) })
    }

    /// What had arrived has been handed on: the receiver takes the next bytes from now on.
    pub(crate) fn handle_handed_on(&mut self, now_ns: u64) {
        self.free_ns = self.free_ns.max(now_ns);
    }

    fn show(
        &self,
        bytes: usize,
        shaper: &mut Shaper,
        (pause_ns, told_ns): (u64, u64),
        now_ns: u64,
    ) -> Result<State, Reset> {
        let length = HEADERS + u32::try_from(bytes).unwrap_or(u32::MAX - HEADERS);
        arrival(shaper, Packet { length, flow: self.flow }, now_ns).map(|arrival| match arrival {
            Some(at_ns) => State::Due { at_ns },
            None => State::Lost { again_ns: now_ns.saturating_add(pause_ns), pause_ns, told_ns },
        })
    }

    /// A sender is told of a loss by what arrives behind it.
    fn tell(&mut self, now_ns: u64) {
        let count = self.pieces.len();
        for (place, piece) in self.pieces.iter_mut().enumerate() {
            let behind = count - place - 1;
            if let State::Lost { again_ns, told_ns, .. } = &mut piece.state
                && behind >= TOLD_BY
            {
                *again_ns = (*again_ns).min((*told_ns).max(now_ns));
            }
        }
    }
}

/// When a packet arrives at the other end of a link; `None` if it has to be sent again.
pub(crate) fn arrival(
    shaper: &mut Shaper,
    packet: Packet,
    now_ns: u64,
) -> Result<Option<u64>, Reset> {
    let is_noticed = !shaper.conditions().renew_checksums;
    let PacketFate { copies, dropped } = shaper.handle_packet(packet, now_ns);
    match dropped {
        Some(Cause::Reset) => Err(Reset),
        Some(Cause::Cut | Cause::Mtu | Cause::Queue | Cause::Loss) => Ok(None),
        None => {
            let whole = copies.into_iter().find(|copy| !(is_noticed && copy.corrupt.is_some()));
            Ok(whole.map(|copy| copy.due_ns))
        }
    }
}

#[cfg(test)]
mod tests {
    use handfast_faults::Conditions;

    use super::*;

    const MS: u64 = 1_000_000;

    fn shaper(json: &str) -> Shaper {
        Shaper::new(serde_json::from_str::<Conditions>(json).unwrap(), 7, "a -> b")
    }

    fn piece(byte: u8) -> Bytes {
        Bytes::from(vec![byte; PIECE_MAX])
    }

    /// Lets time pass from deadline to deadline until nothing is under way; says what arrived when.
    fn play(flight: &mut Flight, shaper: &mut Shaper, until_ns: u64) -> Vec<(u64, u8)> {
        let mut seen = Vec::new();
        while let Some(now_ns) = flight.next_deadline_ns().filter(|now_ns| *now_ns <= until_ns) {
            flight.handle_deadline(shaper, now_ns).unwrap();
            while let Some(arrived) = flight.poll_arrived(shaper, now_ns) {
                let byte = match arrived {
                    Arrived::Bytes(bytes) => bytes[0],
                    Arrived::End => 0,
                };
                seen.push((now_ns, byte));
            }
        }
        seen
    }

    #[test]
    fn a_stream_arrives_after_its_delay_in_order_and_ends() {
        let mut shaper = shaper(r#"{"delay": "50ms"}"#);
        let mut flight = Flight::new(1);
        for byte in [1, 2] {
            flight.handle_sent(piece(byte), &mut shaper, 0, 0).unwrap();
        }
        flight.handle_sent(Bytes::new(), &mut shaper, 0, MS).unwrap();
        assert_eq!(flight.room_at(&shaper, MS), None, "nothing follows the end");
        let seen = play(&mut flight, &mut shaper, u64::MAX);
        assert_eq!(seen, [(50 * MS, 1), (50 * MS, 2), (51 * MS, 0)]);
        assert_eq!(flight.next_deadline_ns(), None);
    }

    #[test]
    fn a_lost_piece_comes_after_the_pause_of_a_sender_and_the_rest_waits_behind_it() {
        let mut shaper = shaper(r#"{"loss": 1}"#);
        let mut flight = Flight::new(1);
        flight.handle_sent(piece(1), &mut shaper, 10 * MS, 0).unwrap();
        shaper.set(Conditions::default(), 0);
        flight.handle_sent(piece(2), &mut shaper, 10 * MS, MS).unwrap();
        assert_eq!(play(&mut flight, &mut shaper, u64::MAX), [(210 * MS, 1), (210 * MS, 2)]);
    }

    #[test]
    fn waiting_behind_a_lost_piece_or_for_the_receiver_is_not_lateness_of_the_driver() {
        let mut shaper = shaper(r#"{"loss": 1}"#);
        let mut flight = Flight::new(1);
        flight.handle_sent(piece(1), &mut shaper, 0, 0).unwrap();
        shaper.set(Conditions::default(), 0);
        flight.handle_sent(piece(2), &mut shaper, 0, 0).unwrap();
        assert_eq!(play(&mut flight, &mut shaper, u64::MAX).len(), 2);
        assert_eq!(shaper.account().late.most_ns(), Some(0));
        // A receiver that takes nothing for a second.
        flight.handle_sent(piece(3), &mut shaper, 0, 300 * MS).unwrap();
        flight.handle_handed_on(1_300 * MS);
        assert!(flight.poll_arrived(&mut shaper, 1_300 * MS).is_some());
        assert_eq!(shaper.account().late.most_ns(), Some(0));
        // What nobody but the driver held up is late.
        flight.handle_sent(piece(4), &mut shaper, 0, 1_400 * MS).unwrap();
        assert!(flight.poll_arrived(&mut shaper, 1_405 * MS).is_some());
        assert_eq!(shaper.account().late.most_ns(), Some(5 * MS));
    }

    #[test]
    fn three_pieces_behind_a_lost_one_have_it_sent_again_after_a_round_trip() {
        let mut shaper = shaper(r#"{"loss": 1}"#);
        let mut flight = Flight::new(1);
        flight.handle_sent(piece(1), &mut shaper, 10 * MS, 0).unwrap();
        shaper.set(Conditions::default(), 0);
        for byte in 2..5 {
            flight.handle_sent(piece(byte), &mut shaper, 10 * MS, MS).unwrap();
        }
        let seen = play(&mut flight, &mut shaper, u64::MAX);
        assert_eq!(seen, [(10 * MS, 1), (10 * MS, 2), (10 * MS, 3), (10 * MS, 4)]);
    }

    #[test]
    fn a_cut_holds_everything_back_with_pauses_that_double_up_to_two_minutes() {
        let mut shaper = shaper(r#"{"cut": "silent"}"#);
        let mut flight = Flight::new(1);
        flight.handle_sent(piece(1), &mut shaper, 0, 0).unwrap();
        let mut again = Vec::new();
        for _ in 0..13 {
            let now_ns = flight.next_deadline_ns().unwrap();
            again.push(now_ns / MS);
            flight.handle_deadline(&mut shaper, now_ns).unwrap();
        }
        assert_eq!(again[..5], [200, 600, 1_400, 3_000, 6_200]);
        assert_eq!(again[12] - again[11], 120_000);
        // What was cut arrives once the link is whole again.
        shaper.set(Conditions::default(), 0);
        assert_eq!(play(&mut flight, &mut shaper, u64::MAX).len(), 1);
    }

    #[test]
    fn a_link_that_resets_ends_the_connection_of_whoever_sends() {
        let mut shaper = shaper(r#"{"cut": "reset"}"#);
        let mut flight = Flight::new(1);
        assert_eq!(flight.handle_sent(piece(1), &mut shaper, 0, 0), Err(Reset));
        // What was under way and has to be sent again meets it as well.
        shaper.set(serde_json::from_str(r#"{"loss": 1}"#).unwrap(), 0);
        flight.handle_sent(piece(1), &mut shaper, 0, 0).unwrap();
        shaper.set(serde_json::from_str(r#"{"cut": "reset"}"#).unwrap(), 0);
        assert_eq!(flight.handle_deadline(&mut shaper, 300 * MS), Err(Reset));
    }

    #[test]
    fn full_pieces_never_pass_a_black_hole_and_small_ones_do() {
        let mut shaper = shaper(r#"{"mtu": 1400}"#);
        let mut flight = Flight::new(1);
        flight.handle_sent(Bytes::from_static(b"small"), &mut shaper, 0, 0).unwrap();
        flight.handle_sent(piece(1), &mut shaper, 0, 0).unwrap();
        assert_eq!(play(&mut flight, &mut shaper, 60_000 * MS), [(0, b's')]);
    }

    #[test]
    fn a_damaged_piece_is_sent_again_and_a_second_copy_is_nothing() {
        let mut shaper = shaper(r#"{"corrupt": 1, "duplicate": 1}"#);
        let mut flight = Flight::new(1);
        flight.handle_sent(piece(1), &mut shaper, 0, 0).unwrap();
        shaper.set(serde_json::from_str(r#"{"duplicate": 1}"#).unwrap(), 0);
        assert_eq!(play(&mut flight, &mut shaper, u64::MAX), [(200 * MS, 1)]);
    }

    #[test]
    fn the_rate_makes_the_sender_wait_and_the_queue_loses_nothing() {
        // 12 Mbit/s: a full packet a millisecond; two may wait.
        let mut shaper = shaper(r#"{"rate": "12Mbit/s", "queue": "2ms"}"#);
        let mut flight = Flight::new(1);
        let mut now_ns = 0;
        for byte in 1..=10 {
            now_ns = flight.room_at(&shaper, now_ns).unwrap();
            flight.handle_sent(piece(byte), &mut shaper, 0, now_ns).unwrap();
        }
        assert_eq!(now_ns, 7 * MS, "ten packets, of which three are waiting or being sent");
        let arrived: Vec<_> =
            play(&mut flight, &mut shaper, u64::MAX).iter().map(|(at, _)| at / MS).collect();
        assert_eq!(arrived, (1..=10).collect::<Vec<_>>());
        assert_eq!(shaper.account().dropped(Cause::Queue), 0);
    }

    #[test]
    fn no_more_than_so_much_is_under_way() {
        let mut shaper = shaper(r#"{"delay": "1s"}"#);
        let mut flight = Flight::new(1);
        let mut taken = 0;
        while flight.room_at(&shaper, 0).is_some() {
            flight.handle_sent(piece(1), &mut shaper, 0, 0).unwrap();
            taken += PIECE_MAX;
        }
        assert!(taken <= UNDER_WAY_MAX && taken + PIECE_MAX > UNDER_WAY_MAX);
    }
}
