//! Which durable messages of each peer were handled, so that one that moved to another session is handled once.
//!
//! Space `inbox.seen`: under `SLOT/NAME`, where SLOT is 3 hex digits, `{"at", "id"}`; `at` counts the durable messages of
//! the peer, and its slot is `at` modulo [`REMEMBERED`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use entity_journal::{Batch, Record, Space, Stored, Write};
use entity_wire::id::MessageId;
use entity_wire::json::Object;

use crate::name::PeerName;
use crate::record::{self, damaged};
use crate::restore::RestoreError;

/// How many durable messages of each peer are remembered.
///
/// Twice as many as a sender has under way (`docs/protocol/1.1.md#durable-messages`): none that can come again is forgotten.
pub(crate) const REMEMBERED: u64 = 1_024;

const SPACE: Space = Space::state("inbox.seen");

/// The durable messages that were handled, by sender. Only peers of the roster send any, so their number is bounded with it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    peers: BTreeMap<PeerName, Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    order: VecDeque<MessageId>,
    known: BTreeSet<MessageId>,
    /// How many there were ever.
    count: u64,
}

impl Seen {
    /// Starts with what was kept.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(stored: &mut Stored) -> Result<Self, RestoreError> {
        let mut found: BTreeMap<PeerName, BTreeMap<u64, MessageId>> = BTreeMap::new();
        for record in stored.take(SPACE) {
            let (name, at, id) = read(&record)?;
            found.entry(name).or_default().insert(at, id);
        }
        let mut seen = Self::default();
        for (name, ids) in found {
            let count = ids.last_key_value().map_or(0, |(at, _)| at + 1);
            let order: VecDeque<_> = ids.into_values().collect();
            let known = order.iter().copied().collect();
            seen.peers.insert(name, Ring { order, known, count });
        }
        Ok(seen)
    }

    /// Notes a durable message; says whether it is new.
    pub(crate) fn note(&mut self, from: &PeerName, id: MessageId, batch: &mut Batch) -> bool {
        if !self.peers.contains_key(from) {
            self.peers.insert(from.clone(), Ring::default());
        }
        let Some(ring) = self.peers.get_mut(from) else { return true };
        if !ring.known.insert(id) {
            return false;
        }
        batch.push(put(from, ring.count, id));
        ring.count += 1;
        ring.order.push_back(id);
        if u64::try_from(ring.order.len()).unwrap_or(u64::MAX) > REMEMBERED
            && let Some(oldest) = ring.order.pop_front()
        {
            ring.known.remove(&oldest);
        }
        true
    }

    /// Forgets a peer.
    pub(crate) fn forget(&mut self, name: &PeerName, batch: &mut Batch) {
        let Some(ring) = self.peers.remove(name) else { return };
        let first = ring.count - u64::try_from(ring.order.len()).unwrap_or(0);
        for at in first..ring.count {
            batch.push(Write::delete(SPACE, key(name, at)));
        }
    }
}

fn key(name: &PeerName, at: u64) -> Vec<u8> {
    format!("{:03x}/{name}", at % REMEMBERED).into_bytes()
}

fn put(name: &PeerName, at: u64, id: MessageId) -> Write {
    record::put(SPACE, key(name, at), &Object::new().with("at", at).with("id", id.to_string()))
}

fn read(record: &Record) -> Result<(PeerName, u64, MessageId), RestoreError> {
    let refuse = || damaged(SPACE, record, "its key is not `SLOT/NAME`");
    let text = std::str::from_utf8(&record.key).map_err(|_| refuse())?;
    let (_, name) = text.split_once('/').ok_or_else(refuse)?;
    let name: PeerName = name.parse().map_err(|_| refuse())?;
    let (at, id) = record::read(SPACE, record, &["at", "id"], |fields| {
        Ok((fields.unsigned("at")?, fields.parsed("id", "a lower-case UUID of version 4")?))
    })?;
    if key(&name, at) != record.key {
        return Err(refuse());
    }
    Ok((name, at, id))
}

#[cfg(test)]
mod tests {
    use entity_journal::{Journal, MemoryJournal};

    use super::*;

    fn name(text: &str) -> PeerName {
        text.parse().unwrap()
    }

    fn id(number: u64) -> MessageId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&(number << 2).to_be_bytes());
        bytes[0] = u8::try_from(number % 251).unwrap();
        bytes[1] = u8::try_from(number / 251).unwrap();
        MessageId::from_random(bytes)
    }

    fn restored(journal: &MemoryJournal) -> Seen {
        Seen::restore(&mut journal.load().unwrap()).unwrap()
    }

    #[test]
    fn a_message_is_new_once_also_after_a_restart() {
        let mut journal = MemoryJournal::default();
        let (mut seen, mut batch) = (Seen::default(), Batch::default());
        assert!(seen.note(&name("a"), id(1), &mut batch));
        assert!(!seen.note(&name("a"), id(1), &mut batch));
        assert!(seen.note(&name("b"), id(1), &mut batch), "ids belong to their sender");
        assert_eq!(batch.writes().len(), 2);
        journal.commit(&[batch]).unwrap();
        let mut seen = restored(&journal);
        assert!(!seen.note(&name("a"), id(1), &mut Batch::default()));
        assert!(seen.note(&name("a"), id(2), &mut Batch::default()));
    }

    #[test]
    fn exactly_the_last_1_024_are_remembered() {
        let mut journal = MemoryJournal::default();
        let mut seen = Seen::default();
        for number in 0..REMEMBERED + 5 {
            let mut batch = Batch::default();
            assert!(seen.note(&name("a"), id(number), &mut batch));
            journal.commit(&[batch]).unwrap();
        }
        for mut seen in [seen, restored(&journal)] {
            let mut probe = |number| !seen.note(&name("a"), id(number), &mut Batch::default());
            assert!(probe(5) && probe(REMEMBERED + 4));
            assert!(!probe(4));
        }
        assert_eq!(journal.scan(SPACE, b"", None, 9_999).unwrap().len(), 1_024);
    }

    #[test]
    fn a_forgotten_peer_leaves_no_record() {
        let mut journal = MemoryJournal::default();
        let (mut seen, mut batch) = (Seen::default(), Batch::default());
        for number in 0..REMEMBERED + 5 {
            seen.note(&name("a"), id(number), &mut batch);
        }
        seen.forget(&name("a"), &mut batch);
        journal.commit(&[batch]).unwrap();
        assert_eq!(journal.scan(SPACE, b"", None, 1).unwrap(), []);
    }

    #[test]
    fn the_record_has_these_bytes() {
        let write = put(&name("b/c"), 1_025, id(3));
        let Write::Put { key, value, .. } = &write else { panic!("{write:?}") };
        assert_eq!(key, b"001/b/c");
        assert_eq!(
            String::from_utf8_lossy(value),
            r#"{"at":1025,"id":"03000000-0000-4000-8000-00000000000c"}"#
        );
        let record = Record { key: key.clone(), value: value.clone() };
        assert_eq!(read(&record), Ok((name("b/c"), 1_025, id(3))));
        let moved = Record { key: b"002/b/c".to_vec(), value: value.clone() };
        assert!(read(&moved).is_err());
    }
}
