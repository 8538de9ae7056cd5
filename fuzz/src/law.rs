//! What a target owes for what it takes.

use entity_wire::canonical;
use entity_wire::json::{self, Object, Rules, Value};

/// Writing what was read, and reading that, gives the same bytes again: the second form is the last one.
///
/// `read` returns what it read as it would be written; the first call of it was on an input, which may have another form.
///
/// # Panics
///
/// Where what was written is refused, or is read as something else.
pub fn settles<E: std::fmt::Debug>(written: &[u8], read: impl Fn(&[u8]) -> Result<Vec<u8>, E>) {
    match read(written) {
        Ok(again) => assert!(
            again == written,
            "what was written is read as something else:\n{}\n{}",
            show(written),
            show(&again)
        ),
        Err(error) => panic!("what was written is refused ({error:?}):\n{}", show(written)),
    }
}

/// As [`settles`], for objects, over their canonical bytes under `rules`.
///
/// # Panics
///
/// As [`settles`]; an object whose canonical form is longer than `rules` let pass is left alone.
pub fn object_settles<E: std::fmt::Debug>(
    written: &Object,
    rules: &Rules,
    read: impl Fn(&Object) -> Result<Object, E>,
) {
    let bytes = canonical::object_to_vec(written);
    if bytes.len() > rules.len_max {
        return;
    }
    let parsed = match json::parse(&bytes, rules) {
        Ok(Value::Object(object)) => object,
        Ok(_) => panic!("an object is written as something else: {}", show(&bytes)),
        Err(error) => panic!("a canonical object is no JSON ({error:?}): {}", show(&bytes)),
    };
    match read(&parsed) {
        Ok(again) => {
            let again = canonical::object_to_vec(&again);
            assert!(
                again == bytes,
                "what was written is read as something else:\n{}\n{}",
                show(&bytes),
                show(&again)
            );
        }
        Err(error) => panic!("what was written is refused ({error:?}):\n{}", show(&bytes)),
    }
}

/// Bytes for people, not too many of them.
pub fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 2_000;
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    let rest = if shown.len() < bytes.len() { "..." } else { "" };
    format!("b\"{}\"{rest}", shown.escape_ascii())
}
