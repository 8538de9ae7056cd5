use entity_crypto::derivation::sha256;
use proptest::prelude::*;

use super::*;
use crate::canonical;
use crate::json::{self, RULES_1_1};
use crate::limits::{CHUNK_RANGES_MAX, CHUNK_SIZE_MIN, MESSAGE_LEN_MAX};

fn object(text: &str) -> Object {
    json::parse(text.as_bytes(), &RULES_1_1).unwrap().into_object().unwrap()
}

fn canonical(object: &Object) -> String {
    String::from_utf8(canonical::object_to_vec(object)).unwrap()
}

fn id() -> TransferId {
    TransferId::from_random([9; 16])
}

const ID: &str = "09090909-0909-4909-8909-090909090909";
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn init() -> ChunkInit {
    ChunkInit {
        transfer: id(),
        cut: Cut::new(100_000, 65_536).unwrap(),
        sha256: sha256(b"abc"),
        kind: FILE.to_owned(),
        name: Some("notes.txt".parse().unwrap()),
    }
}

/// Every field of `valid` in turn is removed and set to a value of a type that no field has.
#[track_caller]
fn strict<T>(valid: &Object, read: impl Fn(&Object) -> Result<T, FieldError>, optional: &[&str]) {
    assert!(read(valid).is_ok());
    let keys: Vec<String> = valid.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        let mut without = valid.clone();
        without.remove(&key);
        assert_eq!(read(&without).is_ok(), optional.contains(&key.as_str()), "without {key}");
        assert!(read(&valid.clone().with(&key, true)).is_err(), "{key} of another type");
    }
    assert!(read(&valid.clone().with("unknown", 1_u64)).is_ok());
}

#[test]
fn chunk_init_has_exactly_these_bytes() {
    let text = format!(
        r#"{{"chunk_size":65536,"msg_type":"file","name":"notes.txt","sha256":"{ABC}","total_chunks":2,"total_size":100000,"transfer_id":"{ID}"}}"#
    );
    assert_eq!(canonical(&init().to_object()), text);
    assert_eq!(ChunkInit::from_object(&object(&text)), Ok(init()));
    strict(&init().to_object(), ChunkInit::from_object, &["name"]);
    let nameless = ChunkInit { name: None, ..init() };
    assert_eq!(ChunkInit::from_object(&nameless.to_object()), Ok(nameless));
}

#[test]
fn chunk_has_exactly_these_bytes() {
    let chunk = Chunk { transfer: id(), index: 1, data: b"abc".to_vec(), sha256: sha256(b"abc") };
    let text = format!(r#"{{"data":"YWJj","index":1,"sha256":"{ABC}","transfer_id":"{ID}"}}"#);
    let written = Piece::new(b"abc").into_object(id(), 1);
    assert_eq!(canonical(&written), text);
    assert_eq!(Chunk::from_object(&object(&text)), Ok(chunk.clone()));
    strict(&written, Chunk::from_object, &[]);
    strict(&written, ChunkHead::from_object, &[]);
    let head = ChunkHead { transfer: id(), index: 1, len: 3 };
    assert_eq!(ChunkHead::from_object(&written), Ok(head));
    assert!(chunk.is_intact() && !Chunk { data: b"abd".to_vec(), ..chunk.clone() }.is_intact());
    assert!(!format!("{chunk:?}").contains("97"), "contents are not for logs");
}

#[test]
fn what_steers_a_transfer_has_exactly_these_bytes() {
    let ranges = Ranges::new(vec![(0, 0), (2, 5)]).unwrap();
    let ack = ChunkAck { transfer: id(), received: ranges.clone() };
    let text = format!(r#"{{"received":[[0,0],[2,5]],"transfer_id":"{ID}"}}"#);
    assert_eq!(canonical(&ack.to_object()), text);
    strict(&ack.to_object(), ChunkAck::from_object, &[]);
    assert_eq!(ChunkAck::from_object(&ack.to_object()), Ok(ack));
    let resend = ChunkResend { transfer: id(), ranges };
    let text = format!(r#"{{"ranges":[[0,0],[2,5]],"transfer_id":"{ID}"}}"#);
    assert_eq!(canonical(&resend.to_object()), text);
    strict(&resend.to_object(), ChunkResend::from_object, &[]);
    assert_eq!(ChunkResend::from_object(&resend.to_object()), Ok(resend));
    let empty = format!(r#"{{"ranges":[],"transfer_id":"{ID}"}}"#);
    assert!(ChunkResend::from_object(&object(&empty)).is_err());
}

#[test]
fn chunk_complete_has_exactly_these_bytes() {
    let whole = ChunkComplete { transfer: id(), ending: Ending::Whole { sha256: sha256(b"abc") } };
    let text = format!(r#"{{"sha256":"{ABC}","transfer_id":"{ID}"}}"#);
    assert_eq!(canonical(&whole.to_object()), text);
    strict(&whole.to_object(), ChunkComplete::from_object, &[]);
    assert_eq!(ChunkComplete::from_object(&whole.to_object()), Ok(whole));
    let broken = Ending::Broken { reason: BreakReason::TooLarge };
    let broken = ChunkComplete { transfer: id(), ending: broken };
    let text = format!(
        r#"{{"error":{{"code":"CHUNK_ERROR","reason":"too_large"}},"transfer_id":"{ID}"}}"#
    );
    assert_eq!(canonical(&broken.to_object()), text);
    assert_eq!(ChunkComplete::from_object(&broken.to_object()), Ok(broken));
    for reason in BreakReason::ALL {
        assert_eq!(BreakReason::from_text(reason.as_str()), reason);
    }
    assert_eq!(BreakReason::from_text("because"), BreakReason::Refused);
    let other = text.replace("CHUNK_ERROR", "DHT_ERROR");
    assert!(ChunkComplete::from_object(&object(&other)).is_err());
}

#[test]
fn the_last_chunk_has_what_is_left_and_nothing_has_no_chunk() {
    let cut = Cut::new(65_536 * 2 + 1, 65_536).unwrap();
    assert_eq!(cut.total_chunks(), 3);
    assert_eq!(
        [0, 1, 2, 3].map(|index| cut.chunk(index)),
        [Some((0, 65_536)), Some((65_536, 65_536)), Some((131_072, 1)), None]
    );
    assert_eq!(Cut::new(65_536 * 2, 65_536).unwrap().chunk(1), Some((65_536, 65_536)));
    let nothing = Cut::new(0, 65_536).unwrap();
    assert_eq!((nothing.total_chunks(), nothing.chunk(0)), (0, None));
}

#[test]
fn a_cut_beyond_its_bounds_is_refused() {
    assert!(Cut::new(1, CHUNK_SIZE_MIN - 1).is_none());
    assert!(Cut::new(1, CHUNK_SIZE_MAX + 1).is_none());
    let most = u64::from(CHUNKS_MAX) * u64::from(CHUNK_SIZE_MIN);
    assert!(Cut::new(most, CHUNK_SIZE_MIN).is_some());
    assert!(Cut::new(most + 1, CHUNK_SIZE_MIN).is_none());
    assert!(Cut::new(u64::MAX, CHUNK_SIZE_MAX).is_none());
    let valid = init().to_object();
    for (key, value) in [("total_chunks", 3_u64), ("total_size", 200_000), ("chunk_size", 1_023)] {
        assert!(ChunkInit::from_object(&valid.clone().with(key, value)).is_err(), "{key}");
    }
}

#[test]
fn ranges_have_one_form_and_a_most() {
    let refused = [
        vec![(1, 0)],
        vec![(0, 1), (1, 2)],
        vec![(0, 1), (2, 3)],
        vec![(4, 5), (0, 1)],
        vec![(0, CHUNKS_MAX)],
    ];
    for ranges in refused {
        assert_eq!(Ranges::new(ranges.clone()), None, "{ranges:?}");
    }
    let most: Vec<_> = (0..256).map(|range| (range * 2, range * 2)).collect();
    assert!(Ranges::new(most.clone()).is_some());
    let more = [most, vec![(1_000, 1_000)]].concat();
    assert_eq!(Ranges::new(more.clone()), None);
    let items = more.iter().map(|(first, last)| format!("[{first},{last}]"));
    let items = items.collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"received":[{items}],"transfer_id":"{ID}"}}"#);
    let max = CHUNK_RANGES_MAX;
    assert_eq!(ChunkAck::from_object(&object(&text)), Err(Problem::TooLong { max }.of("received")));
}

#[test]
fn a_name_is_short_and_has_no_control_characters() {
    for name in ["a", "../../etc/passwd", "übung.txt", &"n".repeat(255)] {
        assert_eq!(name.parse::<TransferName>().map(|name| name.to_string()), Ok(name.to_owned()));
    }
    for name in ["", "a\nb", "\u{1b}[2J", "a\0", &"n".repeat(256)] {
        assert!(name.parse::<TransferName>().is_err(), "{name:?}");
    }
}

#[test]
fn chunks_are_bounded_and_their_base64_is_strict() {
    let valid = Piece::new(&[0]).into_object(id(), 0);
    assert!(Chunk::from_object(&valid).is_ok());
    for data in ["", "AA", "AB==", "AA=", "A A="] {
        assert!(Chunk::from_object(&valid.clone().with("data", data)).is_err(), "{data:?}");
    }
    let longest = base64_encode(&vec![0; CHUNK_SIZE_MAX as usize]);
    assert!(Chunk::from_object(&valid.clone().with("data", longest)).is_ok());
    let longer = base64_encode(&vec![0; CHUNK_SIZE_MAX as usize + 1]);
    assert!(Chunk::from_object(&valid.clone().with("data", longer)).is_err());
    assert!(Chunk::from_object(&valid.with("index", u64::from(CHUNKS_MAX))).is_err());
    // Base64 twice, an envelope with the longest names, and the plaintext around it.
    let twice = (CHUNK_SIZE_MAX as usize * 4 / 3 + 512) * 4 / 3 + 1_024;
    assert!(twice < MESSAGE_LEN_MAX);
}

proptest! {
    #[test]
    fn a_cut_covers_everything_once(total in 0_u64..10_000_000, size in CHUNK_SIZE_MIN..=CHUNK_SIZE_MAX) {
        let cut = Cut::new(total, size).unwrap();
        let mut end = 0;
        for index in 0..cut.total_chunks() {
            let (begin, len) = cut.chunk(index).unwrap();
            prop_assert_eq!(begin, end);
            prop_assert!(len > 0 && len <= size);
            end = begin + u64::from(len);
        }
        prop_assert_eq!(end, total);
        prop_assert_eq!(cut.chunk(cut.total_chunks()), None);
    }

    #[test]
    fn a_head_tells_the_length_of_the_data(data in proptest::collection::vec(any::<u8>(), 1..300)) {
        let object = Piece::new(&data).into_object(id(), 7);
        prop_assert_eq!(&Piece::new(&data).encoded().into_object(id(), 7), &object);
        let chunk = Chunk::from_object(&object).unwrap();
        prop_assert_eq!(ChunkHead::from_object(&object).unwrap().len as usize, data.len());
        prop_assert!(chunk.is_intact());
        prop_assert_eq!(chunk.data, data);
    }

    #[test]
    fn no_json_panics(text in r#"\{"(transfer_id|index|data|sha256|received|ranges|error)":("[a-f0-9=]{0,66}"|\[\[[1-9][0-9]{0,19},[1-9][0-9]{0,9}\]\]|\{"code":"CHUNK_ERROR","reason":"x"\})\}"#) {
        let object = object(&text);
        drop(ChunkInit::from_object(&object));
        drop(Chunk::from_object(&object));
        let _ = ChunkHead::from_object(&object);
        drop(ChunkAck::from_object(&object));
        drop(ChunkResend::from_object(&object));
        drop(ChunkComplete::from_object(&object));
    }
}
