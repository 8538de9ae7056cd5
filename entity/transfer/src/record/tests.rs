use entity_wire::payload::chunk::FILE;

use super::*;

fn id() -> TransferId {
    TransferId::from_random([9; 16])
}

const ID: &str = "09090909-0909-4909-8909-090909090909";
const DIGEST: &str = "0101010101010101010101010101010101010101010101010101010101010101";

fn at() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

fn peer() -> PeerId {
    "a".parse().unwrap()
}

#[track_caller]
fn golden(kept: &Kept, key: &str, text: &str) {
    let text = text.replace("DIGEST", DIGEST);
    assert_eq!(kept.write(), Some(Write::put(SPACE, key, text.as_bytes())));
    let record = Record { key: key.as_bytes().to_vec(), value: text.clone().into_bytes() };
    assert_eq!(Kept::read(&record).as_ref(), Ok(kept));
    // Every single byte matters: changed, it is damage or another record.
    for index in 0..text.len() {
        let mut value = text.clone().into_bytes();
        value[index] ^= 1;
        let read = Kept::read(&Record { value, ..record.clone() });
        assert_ne!(read.as_ref(), Ok(kept), "byte {index}");
    }
    let cut = Record { value: text.as_bytes()[..text.len() - 1].to_vec(), ..record };
    assert!(Kept::read(&cut).is_err());
}

#[test]
fn an_outgoing_transfer_has_exactly_these_bytes() {
    let source = Source::File { path: "/a".to_owned(), modified_us: -1 };
    let offer = Offer {
        to: peer(),
        kind: FILE.to_owned(),
        name: Some("a".parse().unwrap()),
        source,
        total_size: 3_000,
        sha256: [1; 32],
    };
    let cut = Cut::new(3_000, 1_024).unwrap();
    golden(
        &Kept::Outgoing { id: id(), offer: offer.clone(), cut, offered_at: at() },
        &format!("open/{ID}"),
        r#"{"at_us":1700000000000000,"chunk_size":1024,"direction":"outgoing","modified_us":-1,"msg_type":"file","name":"a","path":"/a","peer":"a","sha256":"DIGEST","total_size":3000}"#,
    );
    let offer = Offer { source: Source::Memory(std::sync::Arc::new(Vec::new())), ..offer };
    assert_eq!(Kept::Outgoing { id: id(), offer, cut, offered_at: at() }.write(), None);
}

#[test]
fn an_incoming_transfer_has_exactly_these_bytes() {
    let init = ChunkInit {
        transfer: id(),
        cut: Cut::new(3_000, 1_024).unwrap(),
        sha256: [1; 32],
        kind: FILE.to_owned(),
        name: None,
    };
    let durable = Ranges::new(vec![(0, 0), (2, 2)]).unwrap();
    golden(
        &Kept::Incoming { peer: peer(), init, durable, heard_at: at() },
        &format!("open/{ID}"),
        r#"{"at_us":1700000000000000,"chunk_size":1024,"direction":"incoming","msg_type":"file","peer":"a","received":[[0,0],[2,2]],"sha256":"DIGEST","total_size":3000}"#,
    );
}

#[test]
fn an_end_has_exactly_these_bytes() {
    let view = View {
        id: id(),
        peer: peer(),
        direction: Direction::Incoming,
        kind: FILE.to_owned(),
        name: None,
        total_size: 3_000,
        received: 3_000,
        sha256: [1; 32],
        path: Some("/in/a".to_owned()),
        standing: Standing::Done,
    };
    golden(
        &Kept::Ended { view: view.clone(), at: at() },
        &format!("ended/{ID}"),
        r#"{"at_us":1700000000000000,"direction":"incoming","msg_type":"file","path":"/in/a","peer":"a","received":3000,"sha256":"DIGEST","total_size":3000}"#,
    );
    let standing = Standing::Failed(BreakReason::Expired);
    let view = View { standing, path: None, received: 0, ..view };
    golden(
        &Kept::Ended { view, at: at() },
        &format!("ended/{ID}"),
        r#"{"at_us":1700000000000000,"direction":"incoming","msg_type":"file","peer":"a","reason":"expired","received":0,"sha256":"DIGEST","total_size":3000}"#,
    );
}

#[test]
fn a_key_of_no_kind_is_damage() {
    for key in ["open", "open/x", "closed/09090909-0909-4909-8909-090909090909", "\u{fffd}"] {
        let record = Record { key: key.as_bytes().to_vec(), value: b"{}".to_vec() };
        assert!(Kept::read(&record).is_err(), "{key}");
    }
}
