use entity_journal::{Journal, MemoryJournal, Record, Write};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::v1_0::Flavour;

use super::*;
use crate::command::Seal;

fn peer() -> PeerName {
    "b".parse().unwrap()
}

fn id(byte: u8) -> MessageId {
    MessageId::from_random([byte; 16])
}

fn place(number: u64) -> Place {
    Place { session: SessionId::from_random([9; 16]), number: MessageNumber::new(number).unwrap() }
}

fn kept(position: u64, seal: Seal, flavour: Option<Flavour>) -> Kept {
    let body = Object::new().with("text", "hello");
    let message = Send { seal, flavour, ..Send::new(peer(), MessageKind::Message, body) };
    let byte = u8::try_from(position).unwrap();
    Kept::new(position, id(byte), message, 16)
}

fn text(write: &Write) -> (String, String) {
    let Write::Put { key, value, .. } = write else { panic!("{write:?}") };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(key), text(value))
}

fn limits() -> DurableLimits {
    (&Limits::default()).into()
}

fn restored(writes: Vec<Write>) -> Result<Durable, RestoreError> {
    let mut journal = MemoryJournal::default();
    journal.commit(&[writes.into()]).unwrap();
    Durable::restore(&mut journal.load().unwrap(), limits(), Timestamp::UNIX_EPOCH)
}

#[test]
fn the_records_have_these_bytes() {
    let (key, value) = text(&record::put_message(&peer(), &kept(1, Seal::Auto, None)));
    assert_eq!(key, "0000000000000001");
    assert_eq!(
        value,
        r#"{"body":{"text":"hello"},"id":"01010101-0101-4101-8101-010101010101","seal":"auto","to":"b","type":"message"}"#
    );
    let flavoured = kept(2, Seal::Require, Some(Flavour::Dataclass));
    assert_eq!(
        text(&record::put_message(&peer(), &flavoured)).1,
        r#"{"body":{"text":"hello"},"flavour":"dataclass","id":"02020202-0202-4202-8202-020202020202","seal":"require","to":"b","type":"message"}"#
    );
    assert_eq!(
        text(&record::put_place(1, place(7))).1,
        r#"{"number":7,"session":"09090909-0909-4909-8909-090909090909"}"#
    );
}

#[test]
fn what_was_kept_goes_on_in_its_order_and_place() {
    let first = kept(1, Seal::Never, Some(Flavour::Iso));
    let second = kept(2, Seal::Auto, None);
    let writes = vec![
        record::put_message(&peer(), &second),
        record::put_message(&peer(), &first),
        record::put_place(1, place(7)),
    ];
    let durable = restored(writes).unwrap();
    let ids: Vec<_> = durable.views().map(|view| view.id).collect();
    assert_eq!(ids, [id(1), id(2)]);
    assert_eq!(durable.oldest_place(&peer()), Some(place(7)));
    assert_eq!((durable.last_position, durable.bytes), (2, 32));
    assert_eq!(durable.next_deadline(), Some(Timestamp::UNIX_EPOCH));
    let again = durable.queues[&peer()].iter().next().unwrap();
    assert_eq!(record::put_message(&peer(), again), record::put_message(&peer(), &first));
}

#[test]
fn damage_is_named() {
    let message = |position| record::put_message(&peer(), &kept(position, Seal::Auto, None));
    let lonely = restored(vec![record::put_place(1, place(7))]).unwrap_err().to_string();
    assert!(lonely.contains("outbox.place is damaged: there is no such message"), "{lonely}");
    let gap = restored(vec![message(1), message(2), record::put_place(2, place(7))]);
    let gap = gap.unwrap_err().to_string();
    assert!(gap.contains("0000000000000002 of outbox.place is damaged"), "{gap}");
    let mut stored = Stored::default();
    stored.put("outbox", Record { key: b"1".to_vec(), value: b"{}".to_vec() });
    let key = Durable::restore(&mut stored, limits(), Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(key.to_string().contains("its key is no number"), "{key}");
}
