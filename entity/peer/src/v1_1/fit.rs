//! Whether a body surely has a form in one message of 1.1, said without writing it: most bodies are small.

use entity_wire::json::{Number, Object, Value};
use entity_wire::limits::MESSAGE_BODY_LEN_MAX;

/// Says whether a body keeps every rule of 1.1 with room to spare. Where it says no, the body has to be written and judged.
pub(super) fn surely_fits(body: &Object) -> bool {
    let mut room = MESSAGE_BODY_LEN_MAX;
    object(body, &mut room, DEPTH).is_some()
}

/// How deep is looked: half of what the protocol allows.
const DEPTH: usize = 16;

/// The longest that a byte of a text can become: `\u0000`.
const ESCAPED_LEN: usize = 6;

/// Longer than any integer of 64 bits, and than any word.
const SCALAR_LEN: usize = 24;

fn object(body: &Object, room: &mut usize, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    take(room, SCALAR_LEN)?;
    for (key, value) in body.iter() {
        text(key, room)?;
        self::value(value, room, depth)?;
    }
    Some(())
}

fn value(value: &Value, room: &mut usize, depth: usize) -> Option<()> {
    match value {
        Value::Null | Value::Bool(_) => take(room, SCALAR_LEN),
        Value::Number(Number::Integer(integer)) => {
            integer.as_u64()?;
            take(room, SCALAR_LEN)
        }
        Value::Number(Number::Float(_)) => None,
        Value::String(string) => text(string, room),
        Value::Array(items) => {
            let depth = depth.checked_sub(1)?;
            take(room, SCALAR_LEN)?;
            items.iter().try_for_each(|item| self::value(item, room, depth))
        }
        Value::Object(inner) => object(inner, room, depth),
    }
}

fn text(text: &str, room: &mut usize) -> Option<()> {
    take(room, text.len().checked_mul(ESCAPED_LEN)?.checked_add(SCALAR_LEN)?)
}

fn take(room: &mut usize, len: usize) -> Option<()> {
    *room = room.checked_sub(len)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use entity_wire::canonical;
    use proptest::prelude::*;

    use super::*;

    fn of(value: Value) -> Object {
        Object::new().with("value", value)
    }

    #[test]
    fn a_small_body_fits_and_what_breaks_a_rule_or_comes_near_one_does_not() {
        assert!(surely_fits(&Object::new()));
        assert!(surely_fits(&of(Value::from("x".repeat(80_000).as_str()))));
        assert!(!surely_fits(&of(Value::from("x".repeat(90_000).as_str()))));
        assert!(!surely_fits(&of(Value::float(1.0))));
        let nested = |levels| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(surely_fits(&of(nested(15))));
        assert!(!surely_fits(&of(nested(16))));
    }

    proptest! {
        #[test]
        fn what_surely_fits_is_no_longer_than_it_may_be(text in ".{0,200}", count in 0..2_000_usize) {
            let items = vec![Value::from(text.as_str()); count];
            let body = of(Value::Array(items));
            let len = canonical::object_to_vec(&body).len();
            prop_assert!(!surely_fits(&body) || len <= MESSAGE_BODY_LEN_MAX, "{len}");
        }
    }
}
