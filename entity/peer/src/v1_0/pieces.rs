//! Payloads of 1.0 that travel in several messages.
//!
//! Source: docs/protocol/1.0.md#chunks

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_wire::decode::Profile;
use entity_wire::id::SessionId;
use entity_wire::json::{Object, RULES_1_0_COMPAT, RULES_1_0_HARDENED};
use entity_wire::kind::MessageKind;
use entity_wire::payload::chunk_1_0::{Form, Piece, cut, join};
use entity_wire::time::Timestamp;

use super::State;
use crate::command::{CommandError, CommandId, Receipt, Send};
use crate::core::{Core, Reason};
use crate::name::PeerName;

/// What is sent and received in pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    last: u64,
    outgoing: BTreeMap<u64, Outgoing>,
    incoming: BTreeMap<(PeerName, String), Incoming>,
}

/// What is left of a payload on its way out.
#[derive(Debug)]
struct Outgoing {
    reason: Reason,
    /// The message, with the next piece as its body.
    message: Send,
    left: VecDeque<Object>,
}

/// What is there of a payload on its way in.
#[derive(Debug)]
struct Incoming {
    form: Form,
    total: u32,
    data: BTreeMap<u32, String>,
    bytes: usize,
    is_sealed: bool,
    begun_at: Timestamp,
}

/// A payload that is put together.
pub(super) struct Whole {
    pub(super) kind: MessageKind,
    pub(super) payload: Object,
    /// Whether every piece came sealed.
    pub(super) is_sealed: bool,
}

impl State {
    /// Sends a message in pieces where it is too large for one; else gives it back.
    pub(super) fn send_in_pieces(
        &mut self,
        core: &mut Core,
        (reason, message): (Reason, Send),
        now: Timestamp,
    ) -> Result<Option<(Reason, Send)>, CommandError> {
        if message.kind == MessageKind::Chunk || matches!(reason, Reason::Piece(_)) {
            return Ok(Some((reason, message)));
        }
        let id = || SessionId::from_random(core.entropy.bytes()).to_string();
        let Some(mut pieces) = cut(&message.body, message.kind.as_str(), id) else {
            return Ok(Some((reason, message)));
        };
        if planted(Flaw::LosesLastChunk) {
            pieces.pop();
        }
        let of_peer = self.pieces.outgoing.values().filter(|other| other.message.to == message.to);
        if of_peer.count() >= OPEN_PER_PEER_MAX {
            return Err(CommandError::Overloaded { limit: "payloads in pieces" });
        }
        self.pieces.last += 1;
        let number = self.pieces.last;
        let message = Send { kind: MessageKind::Chunk, body: Object::new(), ..message };
        self.pieces.outgoing.insert(number, Outgoing { reason, message, left: pieces.into() });
        self.send_piece(core, number, None, now);
        Ok(None)
    }

    /// Takes what became of a piece: the next one leaves, or the message has come to its end.
    pub(crate) fn piece_finished(
        &mut self,
        core: &mut Core,
        number: u64,
        result: Result<Receipt, CommandError>,
        now: Timestamp,
    ) {
        match result {
            Ok(receipt) => self.send_piece(core, number, Some(receipt), now),
            Err(error) => {
                if let Some(ended) = self.pieces.outgoing.remove(&number) {
                    core.finish_send(ended.reason, Err(error), now);
                }
            }
        }
    }

    fn send_piece(
        &mut self,
        core: &mut Core,
        number: u64,
        receipt: Option<Receipt>,
        now: Timestamp,
    ) {
        let Some(outgoing) = self.pieces.outgoing.get_mut(&number) else { return };
        match (outgoing.left.pop_front(), receipt) {
            (Some(body), _) => {
                let message = Send { body, ..outgoing.message.clone() };
                if let Err(error) = self.send(core, Reason::Piece(number), message, now) {
                    self.piece_finished(core, number, Err(error), now);
                }
            }
            (None, receipt) => {
                let ended = self.pieces.outgoing.remove(&number);
                if let (Some(ended), Some(receipt)) = (ended, receipt) {
                    core.finish_send(ended.reason, Ok(receipt), now);
                }
            }
        }
    }

    /// Ends a command whose message goes in pieces; what was sent stays sent.
    pub(super) fn withdraw_pieces(&mut self, command: CommandId) -> bool {
        let count = self.pieces.outgoing.len();
        self.pieces.outgoing.retain(|_, other| other.reason.command() != Some(command));
        self.pieces.outgoing.len() < count
    }

    /// Takes a piece; returns the message once it is whole.
    pub(super) fn take_piece(
        &mut self,
        from: &PeerName,
        (payload, is_sealed): (&Object, bool),
        now: Timestamp,
    ) -> Option<Whole> {
        let piece = Piece::from_object(payload).ok()?;
        self.pieces.expire(now);
        let whole = self.pieces.take(from, piece, (is_sealed, now))?;
        let rules = match self.profile {
            Profile::Hardened => &RULES_1_0_HARDENED,
            Profile::Compat => &RULES_1_0_COMPAT,
        };
        let data: Vec<&str> = whole.data.values().map(String::as_str).collect();
        let (kind, payload) = join(&whole.form, &data, rules)?;
        let kind = MessageKind::from_text(&kind);
        let is_taken = kind != MessageKind::Chunk && !kind.is_protocols_own();
        is_taken.then_some(Whole { kind, payload, is_sealed: whole.is_sealed })
    }
}

impl Pieces {
    /// Keeps a piece where there is room; returns the whole once it is there.
    fn take(
        &mut self,
        from: &PeerName,
        piece: Piece,
        (is_sealed, now): (bool, Timestamp),
    ) -> Option<Incoming> {
        let Piece { id, index, total, data, form } = piece;
        let key = (from.clone(), id);
        let of_peer = self.incoming.iter().filter(|((peer, _), _)| peer == from);
        let (open, bytes) = of_peer
            .fold((0, data.len()), |(open, bytes), (_, other)| (open + 1, bytes + other.bytes));
        let in_all: usize = self.incoming.values().map(|other| other.bytes).sum();
        let is_known = self.incoming.contains_key(&key);
        let has_room = bytes <= BYTES_PER_PEER_MAX
            && in_all + data.len() <= BYTES_MAX
            && (is_known || open < OPEN_PER_PEER_MAX);
        if !has_room {
            return None;
        }
        let incoming = self.incoming.entry(key.clone()).or_insert_with(|| Incoming {
            form: form.clone(),
            total,
            data: BTreeMap::new(),
            bytes: 0,
            is_sealed: true,
            begun_at: now,
        });
        if incoming.total != total || incoming.form != form || incoming.data.contains_key(&index) {
            return None;
        }
        incoming.bytes += data.len();
        incoming.data.insert(index, data);
        incoming.is_sealed &= is_sealed;
        let is_whole = u32::try_from(incoming.data.len()) == Ok(incoming.total);
        if is_whole { self.incoming.remove(&key) } else { None }
    }

    /// Drops what was begun too long ago.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.incoming.retain(|_, incoming| now < incoming.begun_at.plus(LIMIT));
    }

    /// Returns when [`Pieces::expire`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.incoming.values().map(|incoming| incoming.begun_at.plus(LIMIT)).min()
    }
}

/// Source: docs/protocol/1.0.md#chunks
const OPEN_PER_PEER_MAX: usize = 16;
const BYTES_PER_PEER_MAX: usize = 16 << 20;
const BYTES_MAX: usize = 64 << 20;
const LIMIT: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000)
    }

    fn piece(id: &str, index: u32, total: u32, len: usize) -> Piece {
        let form = Form::B { kind: "note".to_owned() };
        Piece { id: id.to_owned(), index, total, data: "A".repeat(len), form }
    }

    fn take(pieces: &mut Pieces, from: &str, piece: Piece) -> bool {
        pieces.take(&from.parse().unwrap(), piece, (true, start())).is_some()
    }

    #[test]
    fn pieces_in_any_order_become_a_whole_once() {
        let mut pieces = Pieces::default();
        assert!(!take(&mut pieces, "a", piece("1", 1, 2, 4)));
        assert!(!take(&mut pieces, "a", piece("1", 1, 2, 4)), "twice");
        assert!(!take(&mut pieces, "b", piece("1", 0, 2, 4)), "of somebody else");
        assert!(!take(&mut pieces, "a", piece("1", 0, 3, 4)), "of another number");
        assert!(take(&mut pieces, "a", piece("1", 0, 2, 4)));
        assert_eq!(pieces.incoming.len(), 1, "that of b");
    }

    #[test]
    fn a_peer_has_16_open_and_no_more() {
        let mut pieces = Pieces::default();
        for id in 0..17 {
            take(&mut pieces, "a", piece(&id.to_string(), 0, 2, 4));
        }
        assert_eq!(pieces.incoming.len(), 16);
        take(&mut pieces, "b", piece("0", 0, 2, 4));
        assert_eq!(pieces.incoming.len(), 17);
        assert!(take(&mut pieces, "a", piece("0", 1, 2, 4)), "what is open goes on");
    }

    #[test]
    fn what_a_peer_and_what_all_may_keep_is_bounded() {
        let mut pieces = Pieces::default();
        for peer in ["a", "b", "c", "d", "e"] {
            for index in 0..20 {
                take(&mut pieces, peer, piece("1", index, 21, 1 << 20));
            }
        }
        let of = |peer: &str| {
            let of_peer = pieces.incoming.iter().filter(|((name, _), _)| name.as_str() == peer);
            of_peer.map(|(_, incoming)| incoming.bytes >> 20).sum::<usize>()
        };
        assert_eq!(["a", "b", "c", "d", "e"].map(of), [16, 16, 16, 16, 0]);
    }

    #[test]
    fn after_300_s_it_is_forgotten() {
        let mut pieces = Pieces::default();
        take(&mut pieces, "a", piece("1", 0, 2, 4));
        assert_eq!(pieces.next_deadline(), Some(start().plus(LIMIT)));
        pieces.expire(start().plus(LIMIT).offset(-1));
        assert_eq!(pieces.incoming.len(), 1);
        pieces.expire(start().plus(LIMIT));
        assert_eq!((pieces.incoming.len(), pieces.next_deadline()), (0, None));
    }
}
