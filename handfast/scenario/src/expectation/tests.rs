use serde_json::json;

use super::*;

#[track_caller]
fn check(value: Value, like: Value, expected: Option<&str>) {
    assert_eq!(difference(&value, &like).as_deref(), expected);
}

#[test]
fn an_object_may_have_more_fields_than_asked_for() {
    check(json!({"id": 1, "state": "ready"}), json!({"state": "ready"}), None);
}

#[test]
fn the_first_difference_is_named_by_its_path() {
    check(
        json!({"a": {"b": [1, 2]}}),
        json!({"a": {"b": [1, 3]}}),
        Some("a.b.1: expected 3, found 2"),
    );
    check(json!({}), json!({"state": "ready"}), Some(r#"state: expected "ready", found nothing"#));
}

#[test]
fn lists_of_different_length_differ() {
    check(json!([1, 2]), json!([1]), Some("expected [1], found [1,2]"));
}

#[test]
fn the_same_number_may_be_written_in_two_ways() {
    check(json!(1.0), json!(1), None);
    check(json!(1.5), json!(1), Some("expected 1, found 1.5"));
    check(
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_992_u64),
        Some("expected 9007199254740992, found 9007199254740993"),
    );
}

#[test]
fn matchers_look_at_more_than_equality() {
    check(json!(3), json!({"$min": 3}), None);
    check(json!(2), json!({"$min": 3}), Some(r#"expected {"$min":3}, found 2"#));
    check(json!(3), json!({"$max": 3}), None);
    check(json!("b"), json!({"$one_of": ["a", "b"]}), None);
    check(
        json!("c"),
        json!({"$one_of": ["a", "b"]}),
        Some(r#"expected {"$one_of":["a","b"]}, found "c""#),
    );
    check(json!("c"), json!({"$not": "a"}), None);
    check(json!("handshake_ack"), json!({"$glob": "handshake*"}), None);
    check(
        json!("data"),
        json!({"$glob": "handshake*"}),
        Some(r#"expected {"$glob":"handshake*"}, found "data""#),
    );
    check(json!("äöü"), json!({"$length": 3}), None);
    check(json!({"a": 1}), json!({"a": {"$any": true}}), None);
    check(
        json!({}),
        json!({"a": {"$any": true}}),
        Some(r#"a: expected {"$any":true}, found nothing"#),
    );
    check(json!({}), json!({"a": {"$absent": true}}), None);
    check(
        json!({"a": 1}),
        json!({"a": {"$absent": true}}),
        Some(r#"a: expected {"$absent":true}, found 1"#),
    );
}

#[test]
fn json_inside_base64_is_looked_into() {
    let encoded = json!("eyJkZXRhaWwiOiJubyIsIm4iOjF9");
    check(encoded, json!({"$decoded": {"detail": "no"}}), None);
    check(
        json!("no base64"),
        json!({"$decoded": {}}),
        Some(r#"expected {"$decoded":{}}, found "no base64""#),
    );
}

fn sessions() -> Value {
    json!({"sessions": [
        {"id": "s1", "state": "error"},
        {"id": "s2", "state": "ready"},
        {"id": "s3", "state": "ready"},
    ]})
}

#[track_caller]
fn check_condition(condition: Filled, expected: Result<Value, &str>) {
    let result = sessions();
    let found = condition.check(&result, None).cloned().map_err(|mismatch| mismatch.to_string());
    assert_eq!(found, expected.map_err(str::to_owned));
}

#[test]
fn has_finds_the_first_item_that_fits() {
    check_condition(
        Filled::Has(json!({"state": "ready"})),
        Ok(json!({"id": "s2", "state": "ready"})),
    );
}

#[test]
fn has_says_how_the_nearest_item_differs() {
    check_condition(
        Filled::Has(json!({"id": "s1", "state": "ready"})),
        Err(concat!(
            r#"to have {"id":"s1","state":"ready"}; state: expected "ready", found "error"; it had: "#,
            "\n  {\"id\":\"s1\",\"state\":\"error\"}",
            "\n  {\"id\":\"s2\",\"state\":\"ready\"}",
            "\n  {\"id\":\"s3\",\"state\":\"ready\"}",
        )),
    );
}

#[track_caller]
fn check_holds(condition: Filled, expected: bool) {
    assert_eq!(condition.check(&sessions(), None).is_ok(), expected, "{condition}");
}

#[test]
fn lists_are_looked_at_as_a_whole() {
    check_holds(Filled::Lacks(json!({"id": "s4"})), true);
    check_holds(Filled::Lacks(json!({"id": "s3"})), false);
    check_holds(Filled::All(json!({"id": {"$any": true}})), true);
    check_holds(Filled::All(json!({"state": "ready"})), false);
    check_holds(Filled::Ordered(vec![json!({"id": "s1"}), json!({"id": "s3"})]), true);
    check_holds(Filled::Ordered(vec![json!({"id": "s3"}), json!({"id": "s1"})]), false);
    check_holds(Filled::Count { count: json!(3), like: None }, true);
    check_holds(Filled::Count { count: json!(3), like: Some(json!({"state": "ready"})) }, false);
    check_holds(Filled::Count { count: json!({"$min": 2}), like: None }, true);
}

#[test]
fn contains_gives_each_wish_an_item_of_its_own() {
    let (any, second) = (json!({"state": "ready"}), json!({"id": "s2"}));
    check_holds(Filled::Contains(vec![any.clone(), second.clone()]), true);
    check_holds(Filled::Contains(vec![any.clone(), any.clone(), second]), false);
    check_holds(Filled::Contains(vec![any.clone(), any.clone(), any]), false);
}

#[test]
fn all_of_an_empty_list_does_not_hold() {
    let condition = Filled::All(json!({}));
    let mismatch = condition.check(&json!({"sessions": []}), None).unwrap_err();
    assert_eq!(mismatch.to_string(), "to have only {}, and at least one; it had: nothing");
}

#[test]
fn a_field_is_looked_up_first() {
    let result = json!({"stats": {"b": {"sent": 3}}});
    let path = Path::new("stats.b.sent");
    assert!(Filled::Equals(json!(3)).check(&result, Some(&path)).is_ok());
    assert!(Filled::Exists(true).check(&result, Some(&path)).is_ok());
    assert!(Filled::Exists(false).check(&result, Some(&path)).is_err());
    let missing = Filled::Equals(json!(3)).check(&result, Some(&Path::new("stats.c"))).unwrap_err();
    assert_eq!(missing.difference.as_deref(), Some("there is no stats.c"));
}

#[test]
fn equals_allows_no_further_field() {
    let result = json!({"a": 1, "b": 2});
    assert!(Filled::Equals(json!({"a": 1})).check(&result, None).is_err());
    assert!(Filled::Equals(json!({"a": 1, "b": {"$min": 2}})).check(&result, None).is_ok());
}

#[test]
fn long_lists_are_quoted_in_part() {
    let list: Vec<Value> = (0..QUOTED_LINES_MAX + 2).map(Value::from).collect();
    let mismatch = Filled::Has(json!("x")).check(&Value::from(list), None).unwrap_err();
    assert!(mismatch.found.ends_with("and 2 more"), "{}", mismatch.found);
    assert_eq!(mismatch.found.lines().count(), QUOTED_LINES_MAX + 2);
}

#[test]
fn long_items_are_quoted_in_part() {
    let long = json!("x".repeat(QUOTED_LINE_LEN_MAX + 10));
    let mismatch = Filled::Equals(json!("y")).check(&long, None).unwrap_err();
    assert_eq!(mismatch.found.chars().count(), QUOTED_LINE_LEN_MAX + 3);
}
