use std::sync::Arc;

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
    }
}

/// Keeps messages of these weights and returns the indices that can be read after `after`.
fn indices(weights: &[usize], after: u64, from: Option<&str>) -> Vec<u64> {
    let mut inbox = Inbox::new(3, 100);
    for (index, weight) in weights.iter().enumerate() {
        let _kept = inbox.keep(received(if index % 2 == 0 { "a" } else { "b" }), *weight);
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
