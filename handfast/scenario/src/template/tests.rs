use serde_json::json;

use super::*;

fn bindings() -> Bindings {
    let mut bindings = Bindings::new(1);
    let b = RoleName::new("b").unwrap();
    bindings.set_fact(&b, "name", json!("b"));
    bindings.set("count", json!(7));
    bindings.set("session", json!({"id": "s"}));
    bindings
}

#[track_caller]
fn check(template: Value, expected: Result<Value, TemplateError>) {
    let filled = Template::new(template).and_then(|filled| filled.resolve(&mut bindings()));
    assert_eq!(filled, expected);
}

#[test]
fn a_text_that_is_one_hole_becomes_the_value() {
    check(json!({"n": "${count}", "s": "${session}"}), Ok(json!({"n": 7, "s": {"id": "s"}})));
}

#[test]
fn a_hole_in_a_longer_text_is_written_into_it() {
    check(json!("to ${b.name}, ${count} times"), Ok(json!("to b, 7 times")));
}

#[test]
fn keys_have_holes_too() {
    check(json!({"${b.name}": 1}), Ok(json!({"b": 1})));
}

#[test]
fn a_doubled_dollar_is_no_hole() {
    check(json!("$${count}"), Ok(json!("${count}")));
}

#[test]
fn an_unknown_name_is_an_error() {
    check(json!("${nobody}"), Err(TemplateError::Unknown { name: "nobody".to_owned() }));
}

#[test]
fn a_hole_without_an_end_is_an_error() {
    check(json!("${count"), Err(TemplateError::Open { text: "${count".to_owned() }));
}

#[test]
fn tables_build_base64_json_and_long_texts() {
    check(json!({"$base64": "hello"}), Ok(json!("aGVsbG8=")));
    check(json!({"$base64": {"n": "${count}"}}), Ok(json!(STANDARD.encode(r#"{"n":7}"#))));
    check(json!({"$json": {"n": "${count}"}}), Ok(json!(r#"{"n":7}"#)));
    check(json!({"$times": 3, "$text": "ab"}), Ok(json!("ababab")));
}

#[test]
fn a_builder_with_a_foreign_key_is_an_error() {
    let expected = TemplateError::Builder { found: "{$base64, more}".to_owned() };
    check(json!({"$base64": "x", "more": 1}), Err(expected));
}

#[test]
fn a_built_text_has_a_limit() {
    let whole = json!({"$times": TEXT_LEN_MAX, "$text": "x"});
    check(whole, Ok(json!("x".repeat(TEXT_LEN_MAX))));
    let more = json!({"$times": TEXT_LEN_MAX + 1, "$text": "x"});
    check(more, Err(TemplateError::TooLong { len: TEXT_LEN_MAX + 1 }));
}

#[test]
fn every_uuid_is_another_one_and_the_seed_decides_which() {
    let template = Template::new(json!(["${uuid}", "${uuid}"])).unwrap();
    let first = template.resolve(&mut Bindings::new(1)).unwrap();
    assert_ne!(first[0], first[1]);
    assert_eq!(template.resolve(&mut Bindings::new(1)).unwrap(), first);
    assert_ne!(template.resolve(&mut Bindings::new(2)).unwrap(), first);
    assert_ne!(template.resolve(&mut Bindings::new(1).fork(0)).unwrap(), first);
}

#[test]
fn a_uuid_has_version_4_and_the_usual_variant() {
    let mut bindings = Bindings::new(9);
    for _ in 0..100 {
        let uuid = bindings.uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}

#[test]
fn a_path_leads_through_tables_and_lists() {
    let value = json!({"sessions": [{"id": "s"}]});
    assert_eq!(Path::new("sessions.0.id").find(&value), Some(&json!("s")));
    assert_eq!(Path::new("").find(&value), Some(&value));
    assert_eq!(Path::new("sessions.1").find(&value), None);
    assert_eq!(Path::new("sessions.0.id.x").find(&value), None);
}

#[test]
fn a_path_is_filled_before_it_leads_anywhere() {
    let path = Path::new("stats.${b.name}").resolve(&mut bindings()).unwrap();
    assert_eq!(path.to_string(), "stats.b");
}
