//! How records are written and read: canonical JSON objects under keys whose order means something.

use entity_journal::{Record, Space, Write};
use entity_wire::canonical;
use entity_wire::json::{
    DuplicateKeys, FieldError, Fields, Floats, NonFinite, Object, Rules, Value, parse,
};
use entity_wire::limits::{COMPAT_DEPTH_MAX, COMPAT_MESSAGE_LEN_MAX};

use crate::restore::RestoreError;

/// What a record may be: whatever a message may hold, with room for what stands around it.
const RULES: Rules = Rules {
    len_max: 2 * COMPAT_MESSAGE_LEN_MAX,
    depth_max: COMPAT_DEPTH_MAX,
    duplicate_keys: DuplicateKeys::Refuse,
    floats: Floats::Accept,
    non_finite: NonFinite::Accept,
};

/// Sets a record.
pub(crate) fn put(space: Space, key: impl Into<Vec<u8>>, object: &Object) -> Write {
    Write::put(space, key, canonical::object_to_vec(object))
}

/// Returns the key of a record that a number orders: 16 hex digits.
pub(crate) fn key_of_number(number: u64) -> Vec<u8> {
    format!("{number:016x}").into_bytes()
}

/// Reads a key that [`key_of_number`] made.
pub(crate) fn number_of_key(space: Space, record: &Record) -> Result<u64, RestoreError> {
    let text = std::str::from_utf8(&record.key).ok();
    let number = text.and_then(|text| u64::from_str_radix(text, 16).ok());
    number
        .filter(|number| key_of_number(*number) == record.key)
        .ok_or_else(|| damaged(space, record, "its key is no number"))
}

/// Reads a record that has these fields and no others.
///
/// # Errors
///
/// It is not canonical JSON, has another field, or `read` refuses it.
pub(crate) fn read<T>(
    space: Space,
    record: &Record,
    fields: &[&str],
    read: impl FnOnce(Fields<'_>) -> Result<T, FieldError>,
) -> Result<T, RestoreError> {
    let refuse = |reason: &str| damaged(space, record, reason);
    let value = parse(&record.value, &RULES).map_err(|error| refuse(&error.to_string()))?;
    let Value::Object(object) = value else { return Err(refuse("it is no object")) };
    if canonical::object_to_vec(&object) != record.value {
        return Err(refuse("it is not canonical"));
    }
    if let Some((name, _)) = object.iter().find(|(name, _)| !fields.contains(name)) {
        return Err(refuse(&format!("it has a field {name:?}")));
    }
    read(Fields::new(&object)).map_err(|error| refuse(&error.to_string()))
}

/// Says that a record is not of its form.
pub(crate) fn damaged(space: Space, record: &Record, reason: &str) -> RestoreError {
    RestoreError::Damaged {
        space: space.name(),
        key: record.key.escape_ascii().to_string(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: Space = Space::state("test");

    fn read_text(value: &[u8]) -> Result<String, String> {
        let record = Record { key: b"k\n".to_vec(), value: value.to_vec() };
        read(SPACE, &record, &["text"], |fields| fields.text("text").map(str::to_owned))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_record_is_read_strictly() {
        assert_eq!(read_text(br#"{"text":"a"}"#), Ok("a".to_owned()));
        for damaged in [
            &b""[..],
            br#"{"text": "a"}"#,
            br#"{"text":"a","text":"a"}"#,
            br#"{"text":"a","other":1}"#,
            br#"{"text":1}"#,
            b"{}",
            b"[]",
        ] {
            let error = read_text(damaged).expect_err("it is damaged");
            assert!(error.starts_with("the record k\\n of test is damaged: "), "{error}");
        }
    }

    #[test]
    fn numbers_are_keys_in_their_order() {
        for number in [0, 1, 255, u64::MAX] {
            let record = Record { key: key_of_number(number), value: Vec::new() };
            assert_eq!(number_of_key(SPACE, &record), Ok(number));
        }
        assert!(key_of_number(9) < key_of_number(10));
        for key in ["", "1", "000000000000000A", "+00000000000000a"] {
            let record = Record { key: key.as_bytes().to_vec(), value: Vec::new() };
            assert!(number_of_key(SPACE, &record).is_err(), "{key}");
        }
    }
}
