use proptest::prelude::*;

use super::*;
use crate::canonical;
use crate::json::RULES_1_0_HARDENED;

/// What other software makes of one payload, in both forms: `payload` is the rule of its text.
fn vector() -> Object {
    let text = include_bytes!("../../../tests/data/chunks_1_0.json");
    let rules = Rules { len_max: text.len(), ..RULES_1_0_HARDENED };
    parse(text, &rules).unwrap().into_object().unwrap()
}

fn payload() -> Object {
    let text: String =
        (0..204_800_u32).map(|at| char::from(u8::try_from(32 + at * 7 % 95).unwrap())).collect();
    Object::new().with("task_id", "big").with("description", text)
}

#[test]
fn both_forms_of_other_software_are_read() {
    let vector = vector();
    for form in ["a", "b"] {
        let pieces: Vec<Piece> = Fields::new(&vector)
            .array(form)
            .unwrap()
            .iter()
            .map(|piece| Piece::from_object(piece.as_object().unwrap()).unwrap())
            .collect();
        for (index, piece) in (0..).zip(&pieces) {
            assert_eq!((piece.index, piece.total as usize), (index, pieces.len()));
        }
        let data: Vec<&str> = pieces.iter().map(|piece| piece.data.as_str()).collect();
        let (kind, joined) = join(&pieces[0].form, &data, &RULES_1_0_HARDENED).unwrap();
        assert_eq!(kind, "task_delegate", "{form}");
        assert_eq!(joined, payload(), "{form}");
    }
}

#[test]
fn a_payload_of_8_192_bytes_goes_in_one_message() {
    // {"x": "..."}: 9 bytes around the text.
    for (len, is_cut) in [(8_183, false), (8_184, true)] {
        let payload = Object::new().with("x", "y".repeat(len));
        assert_eq!(cut(&payload, "message", || "id".to_owned()).is_some(), is_cut, "{len}");
    }
    let longest = Object::new().with("x", "y".repeat(CHUNKED_1_0_LEN_MAX - 9));
    assert!(cut(&longest, "message", || "id".to_owned()).is_some());
    let longer = Object::new().with("x", "y".repeat(CHUNKED_1_0_LEN_MAX - 8));
    assert_eq!(cut(&longer, "message", || "id".to_owned()), None);
}

#[test]
fn what_is_sent_has_exactly_these_bytes() {
    let payload = Object::new().with("x", "y".repeat(8_184));
    let pieces = cut(&payload, "message", || "id".to_owned()).unwrap();
    assert_eq!(pieces.len(), 2);
    let first = to_vec(&Value::Object(pieces[0].clone()), Layout::Spaced);
    let begin =
        r#"{"chunk_id": "id", "chunk_index": 0, "total_chunks": 2, "data": "eyJ4IjogInl5eXl5"#;
    assert!(first.starts_with(begin.as_bytes()));
    let end = r#"eXl5eXl5", "original_msg_type": "message"}"#;
    assert!(first.ends_with(end.as_bytes()));
    let second = String::from_utf8(canonical::object_to_vec(&pieces[1])).unwrap();
    assert_eq!(
        second,
        r#"{"chunk_id":"id","chunk_index":1,"data":"eSJ9","original_msg_type":"message","total_chunks":2}"#
    );
}

#[test]
fn pieces_out_of_their_bounds_are_refused() {
    let valid = Object::new()
        .with("chunk_id", "id")
        .with("chunk_index", 0_u64)
        .with("total_chunks", 2_u64)
        .with("data", "AA")
        .with("original_msg_type", "message");
    assert!(Piece::from_object(&valid).is_ok());
    let most = u64::from(CHUNKED_1_0_PIECES_MAX);
    assert!(Piece::from_object(&valid.clone().with("total_chunks", most)).is_ok());
    for (key, value) in [
        ("chunk_index", Value::from(2_u64)),
        ("total_chunks", Value::from(most + 1)),
        ("total_chunks", Value::from(0_u64)),
        ("chunk_id", Value::from("i".repeat(LEGACY_ID_LEN_MAX + 1))),
        ("original_msg_type", Value::from("t".repeat(KIND_LEN_MAX + 1))),
        ("data", Value::from("d".repeat(TEXT_LEN_MAX + 1))),
    ] {
        assert!(Piece::from_object(&valid.clone().with(key, value)).is_err(), "{key}");
    }
    for key in ["chunk_index", "total_chunks", "data", "original_msg_type"] {
        let mut without = valid.clone();
        without.remove(key);
        assert!(Piece::from_object(&without).is_err(), "{key}");
    }
}

#[test]
fn base64_that_stops_in_the_middle_is_no_payload() {
    let form = Form::B { kind: "message".to_owned() };
    // {"a":1} as one text, and as two slices with padding of their own.
    assert!(join(&form, &["eyJh", "IjoxfQ=="], &RULES_1_0_HARDENED).is_some());
    assert_eq!(join(&form, &["eyI=", "YSI6MX0="], &RULES_1_0_HARDENED), None);
    let inner = r#"{"original_msg_type":"note","data":{"a":1}}"#;
    let pieces = [base64_encode(&inner.as_bytes()[..10]), base64_encode(&inner.as_bytes()[10..])];
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let joined = join(&Form::A, &pieces, &RULES_1_0_HARDENED);
    assert_eq!(joined, Some(("note".to_owned(), Object::new().with("a", 1_u64))));
    for broken in [&["e30="][..], &["W10="], &["!"], &[]] {
        assert_eq!(join(&Form::A, broken, &RULES_1_0_HARDENED), None, "{broken:?}");
    }
}

proptest! {
    #[test]
    fn what_is_cut_joins_again(text in "\\PC{3000,6000}") {
        let payload = Object::new().with("x", text.repeat(3));
        if let Some(pieces) = cut(&payload, "note", || "id".to_owned()) {
            let pieces: Vec<Piece> =
                pieces.iter().map(|piece| Piece::from_object(piece).unwrap()).collect();
            let data: Vec<&str> = pieces.iter().map(|piece| piece.data.as_str()).collect();
            let joined = join(&pieces[0].form, &data, &RULES_1_0_HARDENED);
            prop_assert_eq!(joined, Some(("note".to_owned(), payload)));
        }
    }
}
