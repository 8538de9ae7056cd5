use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn edit(path: &str, change: FieldChange) -> Edit {
    Edit::Field { path: path.parse().unwrap(), change }
}

fn text(json: &str) -> JsonText {
    JsonText::parse(json).unwrap()
}

#[track_caller]
fn check(edit: &Edit, body: &str, expected: Result<&str, EditError>) {
    let changed = edit.apply(body.as_bytes()).map(|body| String::from_utf8(body).unwrap());
    assert_eq!(changed, expected.map(str::to_owned));
}

#[track_caller]
fn check_flip(value: &str, expected: &str) {
    let body = |value: &str| format!(r#"{{ "x" : {value} , "y":1.0}}"#);
    check(&edit("x", FieldChange::FlipOneBit), &body(value), Ok(&body(expected)));
}

#[test]
fn a_value_is_set_and_all_else_keeps_its_bytes() {
    let set = edit("a.b", FieldChange::Set(text("1.00")));
    check(&set, r#"{"z" :1e2, "a":{ "b" : [1,2] }}"#, Ok(r#"{"z" :1e2, "a":{ "b" : 1.00 }}"#));
}

#[test]
fn an_absent_key_is_added_to_its_object() {
    let set = edit("a.new key", FieldChange::Set(text("null")));
    check(&set, r#"{"a":{"b":1 }}"#, Ok(r#"{"a":{"b":1,"new key":null }}"#));
    check(&set, r#"{"a":{ }}"#, Ok(r#"{"a":{"new key":null }}"#));
}

#[test]
fn an_array_gets_no_new_element() {
    let path = "a.1".to_owned();
    let missing = EditError::Missing(Missing::Field { path });
    check(&edit("a[1]", FieldChange::Set(text("1"))), r#"{"a":[0]}"#, Err(missing));
}

#[test]
fn a_member_is_deleted_with_one_comma() {
    let delete = |path| edit(path, FieldChange::Delete);
    check(&delete("a"), r#"{ "a" : 1 , "b": 2 }"#, Ok(r#"{ "b": 2 }"#));
    check(&delete("b"), r#"{ "a" : 1 , "b": 2 }"#, Ok(r#"{ "a" : 1 }"#));
    check(&delete("a"), r#"{"a":1}"#, Ok("{}"));
    check(&delete("l[0]"), r#"{"l":[1, 2, 3]}"#, Ok(r#"{"l":[2, 3]}"#));
    check(&delete("l[1]"), r#"{"l":[1, 2, 3]}"#, Ok(r#"{"l":[1, 3]}"#));
}

#[test]
fn a_member_stands_twice_with_the_same_bytes() {
    let twice = |path| edit(path, FieldChange::Twice);
    check(&twice("a"), r#"{ "a" : 1.0 , "b": 2 }"#, Ok(r#"{ "a" : 1.0,"a":1.0 , "b": 2 }"#));
    check(&twice("b.c"), r#"{"b":{"c":[1, 2]}}"#, Ok(r#"{"b":{"c":[1, 2],"c":[1, 2]}}"#));
    let missing = |path: &str| Err(EditError::Missing(Missing::Field { path: path.to_owned() }));
    check(&twice("c"), r#"{"a":1}"#, missing("c"));
    check(&twice("l[0]"), r#"{"l":[1]}"#, missing("l.0"));
}

#[test]
fn a_missing_field_is_named() {
    let missing = || EditError::Missing(Missing::Field { path: "a.b".to_owned() });
    check(&edit("a.b", FieldChange::FlipOneBit), r#"{"a":{}}"#, Err(missing()));
    check(&edit("a.b", FieldChange::Delete), r#"{"a":1}"#, Err(missing()));
    check(&edit("a.b", FieldChange::Delete), "{", Err(EditError::Missing(Missing::NotJson)));
}

#[test]
fn a_change_that_changes_nothing_is_an_error() {
    check(&edit("a", FieldChange::Set(text("1"))), r#"{"a":1}"#, Err(EditError::Unchanged));
    let byte = Edit::Byte { offset: ByteOffset::FromStart(0), change: ByteChange::Set(b'x') };
    check(&byte, "x", Err(EditError::Unchanged));
    check(&Edit::Truncate { keep: 1 }, "x", Err(EditError::Unchanged));
}

#[test]
fn bytes_are_counted_from_either_end() {
    let byte = |offset, change| Edit::Byte { offset, change };
    check(&byte(ByteOffset::FromStart(1), ByteChange::Set(b'_')), "abc", Ok("a_c"));
    check(&byte(ByteOffset::FromEnd(0), ByteChange::FlipBit(0)), "abc", Ok("abb"));
    check(&byte(ByteOffset::FromEnd(2), ByteChange::FlipBit(5)), "abc", Ok("Abc"));
    let short = || Err(EditError::TooShort { len_bytes: 3 });
    check(&byte(ByteOffset::FromStart(3), ByteChange::FlipBit(0)), "abc", short());
    check(&byte(ByteOffset::FromEnd(3), ByteChange::FlipBit(0)), "abc", short());
    let empty = Err(EditError::TooShort { len_bytes: 0 });
    check(&byte(ByteOffset::FromEnd(0), ByteChange::FlipBit(0)), "", empty);
}

#[test]
fn a_body_is_cut() {
    check(&Edit::Truncate { keep: 2 }, "abc", Ok("ab"));
    check(&Edit::Truncate { keep: 0 }, "abc", Ok(""));
    check(&Edit::Truncate { keep: 4 }, "abc", Err(EditError::TooShort { len_bytes: 3 }));
}

#[test]
fn hexadecimal_stays_hexadecimal_in_its_case() {
    check_flip(r#""00ff""#, r#""00fe""#);
    check_flip(r#""AB""#, r#""AA""#);
    check_flip(r#""2026""#, r#""2027""#);
}

#[test]
fn base64_stays_canonical() {
    check_flip(r#""aGVsbG8=""#, r#""aGVsbG4=""#);
    check_flip(r#""AA==""#, r#""AQ==""#);
}

#[test]
fn other_text_changes_in_its_last_letter_or_digit() {
    check_flip(r#""2026-11-22T09:00:00.123456Z""#, r#""2026-11-22T09:00:00.123457Z""#);
    check_flip(r#""node-b""#, r#""node-c""#);
    // `a` and a backquote differ in one bit, but a backquote is no letter.
    check_flip(r#""node-a""#, r#""nodd-a""#);
    check_flip(r#""1.1""#, r#""1.0""#);
}

#[test]
fn escapes_are_not_touched() {
    check_flip(r#""ab!\n""#, r#""ac!\n""#);
    check_flip(r#""ab!\u0041""#, r#""ac!\u0041""#);
    check_flip(r#""b\"\\""#, r#""c\"\\""#);
}

#[test]
fn numbers_change_by_one_in_their_last_digit() {
    check_flip("0", "1");
    check_flip("-10", "-11");
    check_flip("1.50", "1.51");
    check_flip("123456789012345678901234567890", "123456789012345678901234567891");
    check_flip("1.5e+3", "1.4e+3");
    check_flip("7E2", "6E2");
}

#[test]
fn truth_values_turn_and_null_becomes_false() {
    check_flip("true", "false");
    check_flip("false", "true");
    check_flip("null", "false");
}

#[test]
fn in_a_container_the_last_value_inside_changes() {
    check_flip(
        r#"{"a":1,"b":[true,{"c":"xy!"},[],""]}"#,
        r#"{"a":1,"b":[true,{"c":"xx!"},[],""]}"#,
    );
}

#[test]
fn what_holds_no_bit_cannot_be_flipped() {
    for value in [r#""""#, "{}", "[[],{}]", r#""é!""#] {
        let nothing = EditError::NothingToFlip { path: "x".to_owned() };
        check(&edit("x", FieldChange::FlipOneBit), &format!(r#"{{"x":{value}}}"#), Err(nothing));
    }
}

#[test]
fn an_edit_names_what_it_changes() {
    assert_eq!(edit("a[0].b", FieldChange::Delete).to_string(), "a.0.b");
    let change = ByteChange::FlipBit(0);
    assert_eq!(Edit::Byte { offset: ByteOffset::FromStart(7), change }.to_string(), "byte 7");
    assert_eq!(Edit::Byte { offset: ByteOffset::FromEnd(0), change }.to_string(), "last byte");
    assert_eq!(Edit::Truncate { keep: 9 }.to_string(), "all after 9 bytes");
}

/// Any JSON value of moderate size.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Quarters: serde_json reads other fractions back only nearly.
        any::<i32>().prop_map(|number| json!(f64::from(number) / 4.0)),
        any::<String>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(|b| Value::from(STANDARD.encode(b))),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An object with at least one member, and the key of one of them.
fn objects() -> impl Strategy<Value = (Value, String)> {
    let members = prop::collection::btree_map("[a-z]{1,4}", values(), 1..5);
    (members, any::<prop::sample::Index>()).prop_map(|(members, index)| {
        let key = index.get(&members.keys().cloned().collect::<Vec<_>>()).clone();
        (Value::Object(members.into_iter().collect()), key)
    })
}

fn pretty(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap()
}

proptest! {
    #[test]
    fn a_flip_changes_one_field_and_keeps_the_body_json((body, key) in objects()) {
        let raw = pretty(&body);
        let path = FieldPath::key(&key);
        let span = field::locate(&raw, &path).unwrap();
        let flip = Edit::Field { path, change: FieldChange::FlipOneBit };
        match flip.apply(&raw) {
            Err(error) => {
                let nothing = EditError::NothingToFlip { path: key };
                prop_assert_eq!(error, nothing);
            }
            Ok(changed) => {
                prop_assert_eq!(&changed[..span.start], &raw[..span.start]);
                let tail = raw.len() - span.end;
                prop_assert_eq!(&changed[changed.len() - tail..], &raw[span.end..]);
                let mut after: Value = serde_json::from_slice(&changed).unwrap();
                let mut before = body;
                prop_assert_ne!(&after[&key], &before[&key]);
                before[&key] = Value::Null;
                after[&key] = Value::Null;
                prop_assert_eq!(after, before);
            }
        }
    }

    #[test]
    fn setting_a_field_sets_that_field_and_no_other((body, key) in objects(), value in values()) {
        let raw = pretty(&body);
        let set = Edit::Field {
            path: FieldPath::key(&key),
            change: FieldChange::Set(JsonText::from(&value)),
        };
        let changed = match set.apply(&raw) {
            Err(EditError::Unchanged) => return Ok(()),
            changed => changed.unwrap(),
        };
        let mut expected = body;
        let written: Value = serde_json::from_str(&value.to_string()).unwrap();
        expected[&key] = written;
        let after: Value = serde_json::from_slice(&changed).unwrap();
        prop_assert_eq!(after, serde_json::from_slice::<Value>(&pretty(&expected)).unwrap());
    }

    #[test]
    fn deleting_a_field_leaves_the_others((body, key) in objects()) {
        let raw = pretty(&body);
        let path = FieldPath::key(&key);
        let changed = Edit::Field { path, change: FieldChange::Delete }.apply(&raw).unwrap();
        let mut expected: Value = serde_json::from_slice(&raw).unwrap();
        expected.as_object_mut().unwrap().remove(&key);
        prop_assert_eq!(serde_json::from_slice::<Value>(&changed).unwrap(), expected);
    }

    #[test]
    fn no_body_makes_an_edit_panic(body in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..250) {
        for change in [FieldChange::FlipOneBit, FieldChange::Delete, FieldChange::Set(text("1"))] {
            if let Ok(changed) = edit("a.b", change).apply(&body) {
                prop_assert_ne!(changed, body.clone());
            }
        }
        let byte = Edit::Byte { offset: ByteOffset::FromStart(at), change: ByteChange::FlipBit(7) };
        prop_assert_eq!(byte.apply(&body).is_ok(), at < body.len());
    }

    #[test]
    fn no_json_like_text_makes_a_flip_panic(body in "[\\[\\]{}:,\"\\\\a0e.\\-tn ]{0,40}") {
        // The result does not matter, only that there is one.
        drop(edit("a", FieldChange::FlipOneBit).apply(body.as_bytes()));
        drop(edit("a", FieldChange::FlipOneBit).apply(format!("{{\"a\":{body}}}").as_bytes()));
    }
}
