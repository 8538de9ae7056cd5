use proptest::prelude::*;

use super::*;

/// The value as the other library has it, with integers beyond its range as floats.
fn as_other(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number {
            Number::Integer(integer) => integer
                .as_i64()
                .map(serde_json::Value::from)
                .or(integer.as_u64().map(serde_json::Value::from))
                .unwrap_or(number.as_f64().into()),
            Number::Float(float) => (*float).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(as_other).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.to_owned(), as_other(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Equal but for the last bits of floats and the type of zero and of large integers, where the other library
/// differs by design.
fn alike(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value as Other;
    match (a, b) {
        (Other::Number(a), Other::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a.total_cmp(&b).is_eq() || a.abs().max(b.abs()) == 0.0 || ((a - b) / a).abs() < 1e-14
        }
        (Other::Array(a), Other::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Other::Object(a), Other::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "-?[1-9][0-9]{0,40}".prop_map(|digits| parsed(&digits)),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::float),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let entries = prop::collection::btree_map(any::<String>(), inner.clone(), 0..8);
        prop_oneof![
            prop::collection::vec(inner, 0..8).prop_map(Value::Array),
            entries.prop_map(|entries| {
                // Reversed, so that sorting has something to do.
                entries
                    .into_iter()
                    .rev()
                    .fold(Object::new(), |object, (key, value)| object.with(&key, value))
                    .into()
            }),
        ]
    })
}

fn is_sorted(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_sorted),
        Value::Object(object) => {
            let keys: Vec<_> =
                object.iter().map(|(key, _)| key.chars().collect::<Vec<_>>()).collect();
            keys.is_sorted() && object.iter().all(|(_, value)| is_sorted(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

proptest! {
    #[test]
    fn every_layout_reads_back(value in any_value()) {
        for layout in [Layout::Compact, Layout::Spaced] {
            prop_assert_eq!(&parse(&to_vec(&value, layout), &RULES_1_0_HARDENED).unwrap(), &value);
        }
    }

    #[test]
    fn the_canonical_form_is_ascii_sorted_and_its_own_canonical_form(value in any_value()) {
        let bytes = canonical::to_vec(&value);
        prop_assert!(bytes.iter().all(|byte| (0x20..=0x7e).contains(byte)));
        let again = parse(&bytes, &RULES_1_0_HARDENED).unwrap();
        prop_assert!(is_sorted(&again));
        prop_assert_eq!(canonical::to_vec(&again), bytes);
    }

    #[test]
    fn another_library_reads_the_same(value in any_value()) {
        for layout in [Layout::Canonical, Layout::Compact, Layout::Spaced] {
            let other: serde_json::Value = serde_json::from_slice(&to_vec(&value, layout)).unwrap();
            prop_assert!(alike(&as_other(&value), &other), "{other}");
        }
    }

    #[test]
    fn what_another_library_writes_is_read_the_same(value in any_value()) {
        let other = as_other(&value);
        let pretty = serde_json::to_string_pretty(&other).unwrap();
        prop_assert!(alike(&as_other(&parsed(&pretty)), &other), "{pretty}");
    }

    #[test]
    fn another_library_accepts_the_same_texts(
        value in any_value(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
    ) {
        let mut text = to_vec(&value, Layout::Spaced);
        let alphabet = b"{}[]\",:\\/0123456789eE+-.utnfals \n\x00\x80xNI";
        for (place, byte) in changes {
            let place = place.index(text.len());
            text[place] = alphabet[byte.index(alphabet.len())];
        }
        let other = serde_json::from_slice::<serde_json::Value>(&text);
        let ours = parse(&text, &Rules { depth_max: 100, ..RULES_1_0_HARDENED });
        if let (Ok(ours), Ok(other)) = (&ours, &other) {
            prop_assert!(alike(&as_other(ours), other), "{other}");
        } else {
            prop_assert_eq!(ours.is_ok(), other.is_ok(), "{:?} {:?} {}", &ours, &other, String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn rules_applied_later_judge_as_rules_applied_at_once(text in "[\\[\\]{}\",:a0.eN-]{0,24}") {
        let loose = parse_noting(text.as_bytes(), &RULES_1_0_COMPAT);
        for rules in [RULES_1_1, RULES_1_0_HARDENED] {
            let later = loose.as_ref().map_err(|error| *error).and_then(|(value, seen)| seen.satisfies(&rules).map(|()| value));
            let at_once = parse(text.as_bytes(), &rules).ok();
            prop_assert_eq!(at_once.as_ref(), later.ok());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for rules in [RULES_1_1, RULES_1_0_HARDENED, RULES_1_0_COMPAT] {
            drop(parse(&bytes, &rules));
        }
    }

    #[test]
    fn a_float_reads_back_and_has_the_shape_of_python(bits: u64) {
        let float = f64::from_bits(bits);
        prop_assume!(float.is_finite());
        let text = String::from_utf8(canonical::to_vec(&Value::float(float))).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), float.to_bits());
        let scientific = float != 0.0 && !(1e-4..1e16).contains(&float.abs());
        prop_assert_eq!(text.contains('e'), scientific, "{}", &text);
        match text.split_once('e') {
            Some((_, exponent)) => {
                prop_assert!(exponent.starts_with(['+', '-']) && exponent.len() >= 3, "{}", &text);
                prop_assert!(exponent.len() == 3 || !exponent[1..].starts_with('0'), "{}", &text);
            }
            None => prop_assert!(text.contains('.'), "{}", &text),
        }
    }
}
