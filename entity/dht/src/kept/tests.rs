use entity_wire::payload::dht::RecordKey;
use proptest::prelude::*;

use super::*;
use crate::testing::{START, WRITTEN, Written, at, node};

fn record_of(write: Write) -> Record {
    let Write::Put { key, value, .. } = write else { panic!("{write:?}") };
    Record { key, value }
}

fn contact() -> Record {
    record_of(Kept::write_contact(&node(4_001), at(3)))
}

/// A slot as the table makes it, with its place.
fn slot(written: Written, with_record: bool) -> (Place, Record) {
    let mut slots = crate::slots::Slots::new([0; 32]);
    let record = written.checked();
    slots.offer(&record, at(3_600), (&crate::Config::default(), START));
    let place = (record.record().key(), record.record().terms().owner);
    let mut slot = slots.slot(&place).unwrap().clone();
    if !with_record {
        slot.record = None;
    }
    (place, record_of(Kept::write_slot(place, Some(&slot))))
}

const KEY: &str = "5c88c17e0d24f4f2c8b5a9f0";

#[test]
fn a_contact_has_exactly_these_bytes() {
    let Record { key, value } = contact();
    let public_key = node(4_001).contact().public_key().to_hex();
    assert_eq!(String::from_utf8(key).unwrap(), format!("contact/{}", node(4_001).id()));
    let text = format!(
        r#"{{"address":"http://127.0.0.1:4001","entity_id":"n4001","heard_at_us":3000000,"public_key":"{public_key}"}}"#
    );
    assert_eq!(String::from_utf8(value).unwrap(), text);
    let Kept::Contact { node: read, heard_at } = Kept::read(&contact()).unwrap() else { panic!() };
    assert_eq!((read, heard_at), (node(4_001), at(3)));
}

#[test]
fn a_slot_has_exactly_these_bytes() {
    let (place, record) = slot(WRITTEN, true);
    let signed = WRITTEN.signed();
    let key = format!("slot/{}/{}", place.0, place.1.to_hex());
    assert_eq!(String::from_utf8(record.key.clone()).unwrap(), key);
    let text = format!(
        r#"{{"digest":"{}","forget_at_us":86400000000,"signed":{},"version":1}}"#,
        hex_encode(signed.record.digest()),
        String::from_utf8(canonical::object_to_vec(&signed.to_object())).unwrap()
    );
    assert_eq!(String::from_utf8(record.value.clone()).unwrap(), text);
    let Kept::Slot { place: read, won, forget_at, record } = Kept::read(&record).unwrap() else {
        panic!()
    };
    assert_eq!((read, won, forget_at), (place, signed.record.rank(), at(86_400)));
    assert_eq!(record.unwrap().signed(), &signed);
    let (_, bare) = slot(WRITTEN, false);
    assert!(matches!(Kept::read(&bare), Ok(Kept::Slot { record: None, .. })));
    let gone = Kept::write_slot(place, None);
    assert_eq!(gone.place().1, key.as_bytes());
    assert!(matches!(gone, Write::Delete { .. }));
}

#[test]
fn a_record_that_is_not_as_it_was_written_is_damaged() {
    let (_, valid) = slot(WRITTEN, true);
    let (_, other) = slot(Written { version: 2, ..WRITTEN }, true);
    let (other_place, _) = slot(Written { name: "y", ..WRITTEN }, true);
    let text = String::from_utf8(valid.value.clone()).unwrap();
    let with = |value: String| Record { value: value.into_bytes(), ..valid.clone() };
    let of_other = String::from_utf8(other.value).unwrap();
    let swapped = of_other.replace(r#""version":2}"#, r#""version":1}"#);
    let key = format!("slot/{}/{}", other_place.0, other_place.1.to_hex()).into_bytes();
    let damaged = [
        with(text.replace(":1}", ": 1}")),
        with(text.replace("forget_at_us", "forget")),
        with(swapped),
        with("[]".to_owned()),
        with(String::new()),
        Record { key, ..valid.clone() },
        Record { key: b"slot/x".to_vec(), ..valid.clone() },
        Record { key: KEY.into(), ..valid.clone() },
        Record { key: [valid.key.as_slice(), b"/x"].concat(), ..valid.clone() },
        Record { key: Kept::delete_contact(node(5).id()).place().1.to_vec(), ..contact() },
    ];
    assert!(Kept::read(&valid).is_ok());
    for record in damaged {
        assert!(Kept::read(&record).is_err(), "{:?}", record.value.escape_ascii().to_string());
    }
}

proptest! {
    #[test]
    fn no_changed_byte_panics_or_passes_unseen(place: prop::sample::Index, byte: u8) {
        let (_, mut record) = slot(WRITTEN, true);
        let place = place.index(record.value.len());
        prop_assume!(record.value[place] != byte);
        record.value[place] = byte;
        // A time or a signature may be another one; everything else is seen.
        if let Ok(Kept::Slot { record: Some(signed), won, .. }) = Kept::read(&record) {
            prop_assert_eq!(signed.record().rank(), won);
            prop_assert_eq!(won, WRITTEN.signed().record.rank());
        }
    }

    #[test]
    fn keys_read_back(key: [u8; 32], seed in 1_u16..50) {
        let owner = crate::testing::key(seed).public_key();
        let text = format!("slot/{}/{}", RecordKey::from_bytes(key), owner.to_hex());
        let Some(Key::Slot(place)) = Key::read(text.as_bytes()) else { panic!() };
        prop_assert_eq!(place, (RecordKey::from_bytes(key), owner));
    }
}
