use std::sync::Arc;

use entity_journal::{Journal, MemoryJournal, Record, Write};
use entity_wire::id::MessageId;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::*;
use crate::view::SessionName;

fn received(from: &str) -> Received {
    Received {
        index: None,
        from: from.parse().unwrap(),
        kind: MessageKind::Message,
        body: Arc::new(Object::new()),
        session: SessionName(String::new()),
        sequence: 1,
        number: None,
        version: Version::V1_0,
        sealed: false,
        received_at: Timestamp::UNIX_EPOCH,
        durable: None,
    }
}

fn empty() -> Inbox {
    Inbox::restore(&mut Stored::default(), 3, 100).unwrap()
}

/// Keeps messages of these weights and returns the indices that can be read after `after`.
fn indices(weights: &[usize], after: u64, from: Option<&str>) -> Vec<u64> {
    let (mut inbox, mut batch) = (empty(), Batch::default());
    for (index, weight) in weights.iter().enumerate() {
        let _kept =
            inbox.keep(received(if index % 2 == 0 { "a" } else { "b" }), *weight, &mut batch);
    }
    let name: Option<PeerName> = from.map(|name| name.parse().unwrap());
    inbox.after(after, name.as_ref()).filter_map(|received| received.index).collect()
}

#[test]
fn messages_are_read_in_order_after_an_index() {
    assert_eq!(indices(&[1, 1, 1], 0, None), [1, 2, 3]);
    assert_eq!(indices(&[1, 1, 1], 2, None), [3]);
    assert_eq!(indices(&[1, 1, 1], 3, None), []);
    assert_eq!(indices(&[1, 1, 1], u64::MAX - 1, None), []);
    assert_eq!(indices(&[], 0, None), []);
}

#[test]
fn messages_of_one_sender_can_be_asked_for() {
    assert_eq!(indices(&[1, 1, 1], 0, Some("a")), [1, 3]);
    assert_eq!(indices(&[1, 1, 1], 0, Some("c")), []);
}

#[test]
fn the_oldest_give_way_to_a_message_too_many() {
    assert_eq!(indices(&[1, 1, 1, 1, 1], 0, None), [3, 4, 5]);
    assert_eq!(indices(&[1, 1, 1, 1, 1], 3, None), [4, 5]);
}

#[test]
fn the_oldest_give_way_to_a_byte_too_many() {
    assert_eq!(indices(&[50, 50], 0, None), [1, 2]);
    assert_eq!(indices(&[50, 50, 1], 0, None), [2, 3]);
    assert_eq!(indices(&[50, 101], 0, None), []);
}

/// A message that its sender keeps.
fn durable(byte: u8) -> Received {
    Received { durable: Some(MessageId::from_random([byte; 16])), number: Some(9), ..received("a") }
}

/// Puts messages into an inbox, each input's writes into the journal, and restarts it.
fn restarted(messages: impl IntoIterator<Item = Received>) -> (Inbox, MemoryJournal) {
    let (mut inbox, mut journal) = (empty(), MemoryJournal::default());
    for message in messages {
        let mut batch = Batch::default();
        let _kept = inbox.keep(message, 10, &mut batch);
        journal.commit(&[batch]).unwrap();
    }
    (Inbox::restore(&mut journal.load().unwrap(), 3, 100).unwrap(), journal)
}

fn indices_of(inbox: &Inbox, after: u64) -> Vec<u64> {
    inbox.after(after, None).filter_map(|received| received.index).collect()
}

#[test]
fn after_a_restart_durable_messages_are_there_under_their_indices_and_new_ones_come_later() {
    let (mut inbox, _) = restarted([durable(1), received("a"), durable(2)]);
    let kept: Vec<_> = inbox.after(0, None).cloned().collect();
    assert_eq!(kept[0], Received { index: Some(1), ..durable(1) });
    assert_eq!(kept[1], Received { index: Some(3), ..durable(2) });
    let next = inbox.keep(received("b"), 1, &mut Batch::default());
    assert_eq!(next.index, Some(RESERVED_AT_ONCE + 1));
    assert_eq!(indices_of(&inbox, 1), [3, RESERVED_AT_ONCE + 1]);
    assert_eq!(indices_of(&inbox, 3), [RESERVED_AT_ONCE + 1]);
}

#[test]
fn what_gives_way_is_kept_nowhere() {
    let (inbox, journal) = restarted((1..=5).map(durable));
    assert_eq!(indices_of(&inbox, 0), [3, 4, 5]);
    assert_eq!(journal.scan(entity_journal::Space::state("inbox"), b"", None, 9).unwrap().len(), 3);
}

#[test]
fn a_volatile_message_is_kept_nowhere_but_for_a_block_of_indices() {
    let (mut inbox, mut writes) = (empty(), 0);
    for _ in 0..2 * RESERVED_AT_ONCE {
        let mut batch = Batch::default();
        let _kept = inbox.keep(received("a"), 1, &mut batch);
        writes += batch.writes().len();
    }
    assert_eq!(writes, 2);
}

#[test]
fn the_records_have_these_bytes() {
    let mut batch = Batch::default();
    let _kept = empty().keep(durable(7), 10, &mut batch);
    let texts: Vec<(String, String)> = batch
        .writes()
        .iter()
        .map(|write| match write {
            Write::Put { key, value, .. } => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                (text(key), text(value))
            }
            Write::Delete { .. } => panic!("{write:?}"),
        })
        .collect();
    let message = concat!(
        r#"{"body":{},"durable":"07070707-0707-4707-8707-070707070707","from":"a","len":10,"number":9,"#,
        r#""received_at":"1970-01-01T00:00:00.000000+00:00","sealed":false,"sequence":1,"session":"","type":"message","version":"1.0"}"#,
    );
    let expected = [("reserved", r#"{"index":4096}"#), ("0000000000000001", message)];
    assert_eq!(texts, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn a_message_with_an_index_that_was_never_given_out_is_damage() {
    let (_, journal) = restarted([durable(1)]);
    let mut stored = journal.load().unwrap();
    let kept = journal.scan(entity_journal::Space::state("inbox"), b"", None, 1).unwrap();
    let moved = Record { key: b"0000000000001001".to_vec(), value: kept[0].value.clone() };
    stored.put("inbox", moved);
    let error = Inbox::restore(&mut stored, 3, 100).unwrap_err().to_string();
    assert!(error.contains("0000000000001001 of inbox is damaged"), "{error}");
}
