use super::*;
use crate::canonical;

mod laws;

#[track_caller]
fn parsed(text: &str) -> Value {
    parse(text.as_bytes(), &RULES_1_0_COMPAT).unwrap()
}

#[track_caller]
fn refused(text: &str, kind: ParseErrorKind, position: usize) {
    assert_eq!(
        parse(text.as_bytes(), &RULES_1_0_COMPAT),
        Err(ParseError { kind, position }),
        "{text}"
    );
}

#[track_caller]
fn refused_strictly(text: &str, rules: &Rules, kind: ParseErrorKind, position: usize) {
    let error = Err(ParseError { kind, position });
    assert_eq!(parse(text.as_bytes(), rules), error, "{text}");
    let (_, seen) = parse_noting(text.as_bytes(), &RULES_1_0_COMPAT).unwrap();
    assert_eq!(seen.satisfies(rules).map(|()| Value::Null), error, "{text}");
}

#[test]
fn malformed_texts_are_refused_where_they_go_wrong() {
    use ParseErrorKind as Kind;
    refused("", Kind::UnexpectedEnd, 0);
    refused("  ", Kind::UnexpectedEnd, 2);
    refused("{nope", Kind::UnexpectedCharacter, 1);
    refused("{\"a\" 1}", Kind::UnexpectedCharacter, 5);
    refused("{\"a\":1,}", Kind::UnexpectedCharacter, 7);
    refused("{\"a\":1", Kind::UnexpectedEnd, 6);
    refused("[1,]", Kind::UnexpectedCharacter, 3);
    refused("[1 2]", Kind::UnexpectedCharacter, 3);
    refused("[", Kind::UnexpectedEnd, 1);
    refused("tru", Kind::UnexpectedCharacter, 0);
    refused("nul", Kind::UnexpectedCharacter, 0);
    refused("1 2", Kind::TrailingCharacters, 2);
    refused("\u{feff}1", Kind::UnexpectedCharacter, 0);
    refused("\u{a0}1", Kind::UnexpectedCharacter, 0);
    refused("'a'", Kind::UnexpectedCharacter, 0);
}

#[test]
fn numbers_that_json_does_not_have_are_refused() {
    use ParseErrorKind as Kind;
    for text in ["01", "-", "-01", "1.", "1.e5", ".5", "1e", "1e+", "+1", "00", "-a"] {
        let kind = parse(text.as_bytes(), &RULES_1_0_COMPAT).unwrap_err().kind;
        let expected = if text.starts_with(['.', '+']) {
            Kind::UnexpectedCharacter
        } else {
            Kind::MalformedNumber
        };
        assert_eq!(kind, expected, "{text}");
    }
    for text in ["0x10", "1_0", "1f", "Nan", "infinity", "-Inf", "-NaN"] {
        assert!(parse(text.as_bytes(), &RULES_1_0_COMPAT).is_err(), "{text}");
    }
}

#[test]
fn strings_are_strict() {
    use ParseErrorKind as Kind;
    refused("\"a", Kind::UnexpectedEnd, 2);
    refused("\"a\\", Kind::UnexpectedEnd, 3);
    refused("\"a\nb\"", Kind::ControlCharacter, 2);
    refused("\"\\n\u{0}\"", Kind::ControlCharacter, 3);
    refused("\"\\x\"", Kind::MalformedEscape, 1);
    refused("\"\\u12g4\"", Kind::MalformedEscape, 1);
    refused("\"\\u123", Kind::MalformedEscape, 1);
    refused("\"\\u+123\"", Kind::MalformedEscape, 1);
    refused("\"\\ud800\"", Kind::LoneSurrogate, 1);
    refused("\"\\udc00\"", Kind::LoneSurrogate, 1);
    refused("\"\\ud800x\"", Kind::LoneSurrogate, 1);
    refused("\"\\ud800\\ud800\"", Kind::LoneSurrogate, 1);
    refused("\"\\ud800\\u0041\"", Kind::LoneSurrogate, 1);
    refused("{\"\\ud800\":1}", Kind::LoneSurrogate, 2);
    assert_eq!(
        parsed("\"\\ud83d\\ude00\\u007f\u{7f}\\/\"").as_str(),
        Some("\u{1f600}\u{7f}\u{7f}/")
    );
    assert_eq!(parse(b"\"\xed\xa0\x80\"", &RULES_1_0_COMPAT), Err(Kind::NotUtf8.at(1)));
    assert_eq!(parse(b"[1,\xff]", &RULES_1_0_COMPAT), Err(Kind::NotUtf8.at(3)));
}

#[test]
fn integers_are_kept_exactly_and_apart_from_floats() {
    assert_eq!(parsed("1").as_integer().and_then(Integer::as_i64), Some(1));
    assert_eq!(parsed("1.0").as_integer(), None);
    assert_eq!(parsed("-0"), parsed("0"));
    assert_ne!(parsed("1"), parsed("1.0"));
    assert_eq!(
        parsed("9223372036854775807").as_integer().and_then(Integer::as_i64),
        Some(i64::MAX)
    );
    assert_eq!(parsed("9223372036854775808").as_integer().and_then(Integer::as_i64), None);
    assert_eq!(
        parsed("18446744073709551615").as_integer().and_then(Integer::as_u64),
        Some(u64::MAX)
    );
    assert_eq!(parsed("18446744073709551616").as_integer().and_then(Integer::as_u64), None);
    assert_eq!(parsed("-1").as_integer().and_then(Integer::as_u64), None);
    assert_eq!(Integer::from(u64::MAX), *parsed("18446744073709551615").as_integer().unwrap());
    for value in [0, 1, -1, 9, 10, 99, -100, i64::MAX, i64::MIN] {
        assert_eq!(canonical::to_vec(&Value::from(value)), value.to_string().as_bytes());
        assert_eq!(parsed(&value.to_string()), Value::from(value));
    }
    let long = "9".repeat(crate::limits::INTEGER_DIGITS_MAX);
    assert_eq!(canonical::to_vec(&parsed(&long)), long.as_bytes());
    refused(&format!("-{long}9"), ParseErrorKind::IntegerTooLong, 0);
}

#[test]
fn the_last_of_duplicate_keys_counts_at_the_place_of_the_first() {
    let value = parsed("{\"a\":1,\"b\":2,\"a\":3}");
    assert_eq!(to_vec(&value, Layout::Compact), b"{\"a\":3,\"b\":2}");
    let many: Vec<String> = (0..40).map(|number| format!("\"{}\":{number}", number % 37)).collect();
    let value = parsed(&format!("{{{}}}", many.join(",")));
    let object = value.as_object().unwrap();
    assert_eq!(object.len(), 37);
    assert_eq!(object.get("2"), Some(&Value::from(39_u64)));
    assert_eq!(object.get("3"), Some(&Value::from(3_u64)));
    assert_eq!(object.iter().next().map(|(key, _)| key), Some("0"));
}

#[test]
fn stricter_rules_can_be_applied_after_parsing() {
    use ParseErrorKind as Kind;
    refused_strictly("{\"x\":{\"a\":1,\"\\u0061\":1}}", &RULES_1_1, Kind::DuplicateKey, 5);
    refused_strictly("[1,2.0]", &RULES_1_1, Kind::Float, 3);
    refused_strictly("[1e5]", &RULES_1_1, Kind::Float, 1);
    refused_strictly("[NaN]", &RULES_1_1, Kind::NonFinite, 1);
    refused_strictly("[1,Infinity]", &RULES_1_0_HARDENED, Kind::NonFinite, 3);
    refused_strictly("[1,-Infinity]", &RULES_1_0_HARDENED, Kind::NonFinite, 4);
    refused_strictly("[1e400]", &RULES_1_0_HARDENED, Kind::NonFinite, 1);
}

#[test]
fn nesting_is_refused_at_exactly_the_limit() {
    use crate::limits::{COMPAT_DEPTH_MAX, DEPTH_MAX};
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for rules in [RULES_1_1, RULES_1_0_HARDENED] {
        assert!(parse(nested(DEPTH_MAX).as_bytes(), &rules).is_ok());
        assert!(parse(objects(DEPTH_MAX).as_bytes(), &rules).is_ok());
        refused_strictly(
            &nested(DEPTH_MAX + 1),
            &rules,
            ParseErrorKind::TooDeep { max: DEPTH_MAX },
            DEPTH_MAX,
        );
        let position = DEPTH_MAX * "{\"a\":".len();
        refused_strictly(
            &objects(DEPTH_MAX + 1),
            &rules,
            ParseErrorKind::TooDeep { max: DEPTH_MAX },
            position,
        );
    }
    let value = parsed(&nested(COMPAT_DEPTH_MAX));
    assert_eq!(canonical::to_vec(&value).len(), 2 * COMPAT_DEPTH_MAX);
    let max = COMPAT_DEPTH_MAX;
    refused(&nested(max + 1), ParseErrorKind::TooDeep { max }, max);
    refused(&"[".repeat(50_000), ParseErrorKind::TooDeep { max }, max);
    let unbounded = Rules { depth_max: usize::MAX, ..RULES_1_0_COMPAT };
    let error = parse("[".repeat(1_000_000).as_bytes(), &unbounded).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::TooDeep { max });
}

#[test]
fn length_is_refused_at_exactly_the_limit() {
    use crate::limits::{COMPAT_MESSAGE_LEN_MAX, MESSAGE_LEN_MAX};
    let text = |len: usize| format!("\"{}\"", "x".repeat(len - 2));
    for (rules, max) in [
        (RULES_1_1, MESSAGE_LEN_MAX),
        (RULES_1_0_HARDENED, MESSAGE_LEN_MAX),
        (RULES_1_0_COMPAT, COMPAT_MESSAGE_LEN_MAX),
    ] {
        assert!(parse(text(max).as_bytes(), &rules).is_ok());
        let error = parse(text(max + 1).as_bytes(), &rules).unwrap_err();
        assert_eq!(error, ParseErrorKind::TooLong { max, unit: Unit::Bytes }.at(max));
        assert!(error.is_too_long());
    }
    refused_strictly(
        &text(MESSAGE_LEN_MAX + 1),
        &RULES_1_1,
        ParseErrorKind::TooLong { max: MESSAGE_LEN_MAX, unit: Unit::Bytes },
        MESSAGE_LEN_MAX,
    );
}

#[test]
fn values_are_refused_at_exactly_the_limit() {
    use crate::limits::VALUES_MAX;
    // The array itself is a value too.
    let zeros = |count: usize| format!("[{}0]", "0,".repeat(count - 2));
    let members = |count: usize| format!("{{{}\"\":0}}", "\"\":0,".repeat(count - 2));
    assert!(parse(zeros(VALUES_MAX).as_bytes(), &RULES_1_0_COMPAT).is_ok());
    for (text, position) in
        [(zeros(VALUES_MAX + 1), 2 * VALUES_MAX - 1), (members(VALUES_MAX + 1), 5 * VALUES_MAX - 1)]
    {
        let error = parse(text.as_bytes(), &RULES_1_0_COMPAT).unwrap_err();
        let kind = ParseErrorKind::TooLong { max: VALUES_MAX, unit: Unit::Values };
        assert_eq!(error, kind.at(position));
        assert!(error.is_too_long());
    }
}

#[test]
fn an_object_keeps_the_order_of_its_keys() {
    let mut object = Object::new().with("b", 1_u64).with("a", 2_u64);
    assert_eq!(object.insert("b", 3_u64), Some(Value::from(1_u64)));
    assert_eq!(to_vec(&Value::Object(object.clone()), Layout::Spaced), b"{\"b\": 3, \"a\": 2}");
    assert_eq!(canonical::object_to_vec(&object), b"{\"a\":2,\"b\":3}");
    assert_eq!(canonical::object_without(&object, "a"), b"{\"b\":3}");
    assert_eq!(object.remove("b"), Some(Value::from(3_u64)));
    assert_eq!(object.remove("b"), None);
    assert_eq!(canonical::object_to_vec(&Object::new().with("", true)), b"{\"\":true}");
    assert_eq!(canonical::text_to_vec("a\"\u{7f}"), b"\"a\\\"\\u007f\"");
}

#[test]
fn fields_name_what_is_wrong() {
    let value = parsed("{\"t\":\"x\",\"n\":null,\"i\":-1,\"f\":1.0,\"l\":[\"a\",1],\"o\":{}}");
    let fields = Fields::new(value.as_object().unwrap());
    assert_eq!(fields.text("t"), Ok("x"));
    assert_eq!(fields.text("absent"), Err(Problem::Missing.of("absent")));
    assert_eq!(fields.text("n"), Err(Problem::Null.of("n")));
    assert_eq!(fields.optional_text("n"), Ok(None));
    assert_eq!(fields.text("i").unwrap_err().to_string(), "field i: not a string");
    assert!(fields.unsigned("i").is_err());
    assert!(fields.unsigned("f").is_err());
    assert!(fields.texts("l").is_err());
    assert!(fields.flag("t").is_err());
    assert!(fields.array("o").is_err());
    assert!(fields.object("o").is_ok());
    assert!(fields.exactly("t", "y").is_err());
    assert_eq!(fields.short_text("t", 0), Err(Problem::TooLong { max: 0 }.of("t")));
}

#[test]
fn lists_of_texts_are_bounded() {
    use crate::limits::{LIST_ENTRY_LEN_MAX, LIST_LEN_MAX};
    let list = |count: usize, len: usize| {
        let items = vec![Value::String("x".repeat(len)); count];
        let object = Object::new().with("l", items);
        Fields::new(&object).texts("l").map(|texts| texts.len())
    };
    assert_eq!(list(LIST_LEN_MAX, LIST_ENTRY_LEN_MAX), Ok(LIST_LEN_MAX));
    assert_eq!(list(LIST_LEN_MAX + 1, 1), Err(Problem::TooLong { max: LIST_LEN_MAX }.of("l")));
    assert_eq!(
        list(1, LIST_ENTRY_LEN_MAX + 1),
        Err(Problem::TooLong { max: LIST_ENTRY_LEN_MAX }.of("l"))
    );
}
