use super::*;

fn path(text: &str) -> FieldPath {
    text.parse().unwrap()
}

#[track_caller]
fn check(body: &str, field: &str, expected: Option<&str>) {
    let found = locate(body.as_bytes(), &path(field)).ok().map(|span| &body[span]);
    assert_eq!(found, expected);
}

#[test]
fn a_field_is_found_at_any_depth() {
    let body = r#" {"a" : 1.50, "payload":{"sealed" : "x\"y", "items":[1, {"n": [ ]}]}} "#;
    check(body, "a", Some("1.50"));
    check(body, "payload.sealed", Some(r#""x\"y""#));
    check(body, "payload.items[1].n", Some("[ ]"));
    check(body, "payload.items.0", Some("1"));
    check(body, "payload.items", Some(r#"[1, {"n": [ ]}]"#));
}

#[test]
fn what_is_not_there_is_not_found() {
    let body = r#"{"a":{"b":[1]}}"#;
    for field in ["b", "a.c", "a.b[1]", "a.b.x", "a.b[0].c"] {
        check(body, field, None);
    }
    check("[1,2", "0", None);
    check("", "a", None);
    check("7", "a", None);
}

#[test]
fn a_number_names_a_key_where_the_container_is_an_object() {
    check(r#"{"7":"seven"}"#, "7", Some(r#""seven""#));
    check(r#"{"a":{"0":"zero"}}"#, "a[0]", Some(r#""zero""#));
}

#[test]
fn of_a_doubled_key_the_last_value_counts() {
    check(r#"{"a":1,"a":2}"#, "a", Some("2"));
}

#[test]
fn an_escaped_key_is_found_by_its_meaning() {
    check(r#"{"\u0061":1}"#, "a", Some("1"));
}

#[test]
fn a_key_with_a_dot_is_named_by_its_segments() {
    let body = br#"{"a.b":{"c":1}}"#;
    let path = FieldPath::from_segments(vec!["a.b".to_owned(), "c".to_owned()]).unwrap();
    assert_eq!(locate(body, &path), Ok(12..13));
    assert_eq!(locate(body, &FieldPath::key("a.b")), Ok(7..14));
}

#[test]
fn text_is_given_unescaped_and_only_for_strings() {
    let body = br#"{"msg_type":"pi\u006eg","n":1}"#;
    assert_eq!(text_of(body, &path("msg_type")), Some("ping".to_owned()));
    assert_eq!(text_of(body, &path("n")), None);
    assert_eq!(text_of(b"\xff", &path("n")), None);
}

#[track_caller]
fn check_path(text: &str, expected: Result<&str, InvalidPath>) {
    let parsed = text.parse::<FieldPath>().map(|path| path.to_string());
    assert_eq!(parsed, expected.map(str::to_owned));
}

#[test]
fn a_path_is_written_with_dots_or_brackets() {
    check_path("payload.items[2][0].x", Ok("payload.items.2.0.x"));
}

#[test]
fn a_path_that_names_nothing_is_refused() {
    let path = |path: &str| path.to_owned();
    check_path("", Err(InvalidPath::Empty));
    for bad in ["a..b", ".a", "a.", "[0]"] {
        check_path(bad, Err(InvalidPath::EmptySegment { path: path(bad) }));
    }
    for bad in ["a[", "a[x]", "a[0", "a[0]b", "a[]", "a[-1]"] {
        check_path(bad, Err(InvalidPath::Bracket { path: path(bad) }));
    }
}

#[test]
fn a_path_deeper_than_json_may_be_is_refused() {
    let deepest = vec!["a".to_owned(); FieldPath::SEGMENTS_MAX];
    assert!(FieldPath::from_segments(deepest.clone()).is_ok());
    let deeper = [deepest, vec!["a".to_owned()]].concat();
    assert_eq!(FieldPath::from_segments(deeper), Err(InvalidPath::TooDeep));
    assert_eq!(FieldPath::from_segments(Vec::new()), Err(InvalidPath::Empty));
}
