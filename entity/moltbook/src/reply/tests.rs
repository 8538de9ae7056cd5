use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Reply;
use super::judge::{Answered, Judged, Why, judge};
use super::read::{self, Claim};
use crate::ApiKey;
use crate::budget::Kind;
use crate::call::{Call, Draft, Matter};
use crate::inbound::{ITEMS_MAX, Sort};
use crate::words::{PostText, Submolt, Title};

fn post() -> Call {
    Call::CreatePost(Draft {
        submolt: Submolt::new("general").unwrap(),
        title: Title::new("title").unwrap(),
        matter: Matter::Text(PostText::new("text").unwrap()),
    })
}

fn reply(status: u16, body: Value) -> Reply {
    Reply { status, body: body.to_string().into_bytes(), ..Reply::default() }
}

fn answered(body: Value) -> Answered {
    Answered { status: 200, body }
}

fn pause(reply: &Reply) -> Duration {
    let judged = judge(&post(), reply);
    let Judged::Pause { kind: Kind::Post, length } = judged else { panic!("{judged:?}") };
    length
}

#[test]
fn a_pause_is_the_longest_that_the_service_names() {
    let minute = Duration::from_mins(1);
    assert_eq!(pause(&reply(429, json!({}))), minute, "none is named");
    assert_eq!(pause(&reply(429, json!({ "retry_after_minutes": 12 }))), minute * 12);
    assert_eq!(pause(&reply(429, json!({ "retry_after_seconds": "90" }))), Duration::from_secs(90));
    assert_eq!(
        pause(&reply(429, json!({ "data": { "retry_after_seconds": 5 } }))),
        Duration::from_secs(5)
    );
    assert_eq!(
        pause(&reply(429, json!({ "retry_after_seconds": 5, "daily_remaining": 0 }))),
        minute * 60
    );
    assert_eq!(pause(&reply(429, json!({ "retry_after_seconds": -5 }))), Duration::from_secs(1));
    assert!(
        pause(&reply(429, json!({ "retry_after_seconds": 1e300 })))
            <= Duration::from_secs(1_000_000_000)
    );
    let header = |text: &str| Reply {
        retry_after: Some(text.to_owned()),
        ..reply(429, json!({ "retry_after_seconds": 3 }))
    };
    assert_eq!(pause(&header(" 7 ")), Duration::from_secs(7));
    assert_eq!(pause(&header("soon")), Duration::from_secs(3));
    let dated = Reply {
        date: Some("Thu, 28 May 2026 20:26:40 GMT".to_owned()),
        ..header("Thu, 28 May 2026 20:27:40 GMT")
    };
    assert_eq!(pause(&dated), minute, "a date counts from the answer's own date");
    assert_eq!(
        pause(&header("Thu, 28 May 2026 20:27:40 GMT")),
        Duration::from_secs(3),
        "without one it says nothing"
    );
}

#[test]
fn each_status_has_its_meaning() {
    let body = json!({ "success": false, "error": "no", "hint": "do" });
    for (status, why) in [
        (400, Why::Invalid),
        (401, Why::Authentication),
        (403, Why::Forbidden),
        (404, Why::NotFound),
        (409, Why::Conflict),
        (410, Why::Gone),
        (413, Why::Invalid),
        (422, Why::Invalid),
        (200, Why::Invalid),
    ] {
        let Judged::Refused(refusal) = judge(&post(), &reply(status, body.clone())) else {
            panic!()
        };
        assert_eq!((refusal.why, refusal.status), (why, status));
        assert_eq!(refusal.said.unwrap().raw(), "no");
        assert_eq!(refusal.hint.unwrap().raw(), "do");
    }
    for status in [301, 302, 303, 307, 308] {
        let moved = Reply { location: Some("https://x".to_owned()), ..reply(status, json!({})) };
        assert!(matches!(judge(&post(), &moved), Judged::Elsewhere(_)), "{status}");
    }
    for status in [500, 502, 503, 504] {
        assert!(matches!(judge(&post(), &reply(status, json!({}))), Judged::Trouble { .. }));
    }
    for status in [0, 100, 402, 418, 451, 600, 999] {
        assert_eq!(judge(&post(), &reply(status, json!({}))), Judged::Unknown(status));
    }
    for body in [json!([]), json!("text"), json!(null)] {
        assert_eq!(judge(&post(), &reply(200, body)), Judged::NoJson);
    }
}

#[test]
fn an_answer_is_read_in_the_form_of_the_documentation_and_in_the_recorded_one() {
    let made = json!({ "id": "p1", "title": "T", "content": "text", "author": { "name": "a" }, "submolt": { "name": "s" } });
    for body in [
        json!({ "success": true, "post": made }),
        json!({ "success": true, "data": { "post": made } }),
        json!({ "success": true, "data": made }),
        made.clone(),
    ] {
        let post = read::post(&answered(body.clone())).unwrap();
        assert_eq!((post.id.as_str(), post.text.raw()), ("p1", "text"), "{body}");
        assert_eq!(post.author.unwrap().raw(), "a");
        assert_eq!(read::created(&answered(body)).unwrap().id, "p1");
    }
    for body in [
        json!({ "posts": [made] }),
        json!({ "data": { "posts": [made] } }),
        json!({ "data": [made] }),
        json!({ "results": [made], "next_cursor": "n" }),
    ] {
        assert_eq!(read::list(&answered(body), Sort::Post).unwrap().items.len(), 1);
    }
}

#[test]
fn what_is_unknown_is_named() {
    let body = json!({ "post": { "id": "p", "content": "c", "mood": 1, "aura": {} } });
    assert_eq!(read::post(&answered(body)).unwrap().unknown, ["aura", "mood"]);
    assert!(matches!(
        read::claim(&answered(json!({ "status": "limbo" }))).unwrap(),
        Claim::Unknown(_)
    ));
    let many: serde_json::Map<String, Value> =
        (0..100).map(|nth| (format!("new{nth}"), Value::Null)).collect();
    let mut body = json!({ "id": "p", "content": "c" });
    body.as_object_mut().unwrap().extend(many);
    assert_eq!(read::post(&answered(body)).unwrap().unknown.len(), 16);
}

#[test]
fn a_changed_type_is_an_error_that_names_the_field() {
    let changed =
        read::post(&answered(json!({ "post": { "id": 7, "content": "c" } }))).unwrap_err();
    assert_eq!(
        changed.to_string(),
        "id should be a text and is a number: the service has changed its answers"
    );
    assert!(read::claim(&answered(json!({}))).is_err());
    assert!(read::list(&answered(json!({ "posts": {} })), Sort::Post).is_err());
    assert!(
        read::profile(&answered(json!({ "agent": { "name": "n", "is_claimed": "yes" } }))).is_err()
    );
    let asked = json!({ "post": { "id": "p" }, "verification_required": true });
    assert!(read::challenge(&answered(asked)).is_err(), "asked, and nothing to answer");
    let no_text = json!({ "post": { "id": "p", "verification": { "verification_code": "c" } } });
    assert!(read::challenge(&answered(no_text)).is_err());
}

#[test]
fn a_challenge_is_found_in_each_of_its_places() {
    let recorded = json!({ "verification_code": "c", "challenge_text": "q?", "instructions": "i" });
    let older = json!({ "code": "c", "challenge": "q?" });
    for body in [
        json!({ "post": { "id": "p", "verification": recorded } }),
        json!({ "data": { "comment": { "id": "p", "verification": recorded } } }),
        json!({ "post": { "id": "p" }, "verification_required": true, "verification": older }),
    ] {
        let challenge = read::challenge(&answered(body)).unwrap().unwrap();
        assert_eq!((challenge.code.as_str(), challenge.text.raw()), ("c", "q?"));
        assert_eq!(challenge.about.as_deref(), Some("p"));
    }
    assert_eq!(read::challenge(&answered(json!({ "post": { "id": "p" } }))).unwrap(), None);
}

#[test]
fn one_item_that_cannot_be_read_does_not_hide_the_others() {
    let body = json!({ "posts": [{ "id": "a", "content": "c" }, { "id": 1 }, "x", { "id": "b", "url": "https://u" }] });
    let list = read::list(&answered(body), Sort::Post).unwrap();
    assert_eq!((list.items.len(), list.unreadable), (2, 2));
    let long: Vec<Value> = (0..500).map(|_| json!({ "id": "a", "content": "c" })).collect();
    let list = read::list(&answered(json!({ "posts": long })), Sort::Post).unwrap();
    assert_eq!(list.items.len(), ITEMS_MAX);
}

#[test]
fn a_quoted_key_is_taken_out_of_an_answer() {
    let key = ApiKey::parse("moltbook_sk_0123456789").unwrap();
    let quoted = format!("Bearer {}", "moltbook_sk_0123456789");
    let reply = Reply { location: Some(quoted.clone()), ..reply(401, json!({ "error": quoted })) };
    let reply = reply.scrubbed(&key);
    assert!(!format!("{reply:?}").contains("moltbook_sk"));
    assert!(!String::from_utf8_lossy(&reply.body).contains("moltbook_sk"));
    assert_eq!(reply.location.unwrap(), "Bearer (key)");
}

#[test]
fn a_key_that_json_escapes_is_taken_out_before_the_escapes_are_read() {
    let key = ApiKey::parse("moltbook_sk_0123456789").unwrap();
    let body = br#"{"error":"no agent has \u006doltbook\u005Fsk_0123456789","hint":"{\"sent\":\"\\u006doltbook_sk_0123456789\"}"}"#;
    let reply = Reply { status: 401, body: body.to_vec(), ..Reply::default() }.scrubbed(&key);
    let Judged::Refused(refusal) = judge(&Call::Status, &reply) else { panic!("{reply:?}") };
    let (said, hint) = (refusal.said.unwrap(), refusal.hint.unwrap());
    assert_eq!((said.raw(), hint.raw()), ("no agent has (key)", r#"{"sent":"(key)"}"#));
}

fn any_json() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 14] = [
        "id",
        "post",
        "posts",
        "comment",
        "data",
        "verification",
        "verification_code",
        "challenge_text",
        "content",
        "author",
        "name",
        "agent",
        "status",
        "retry_after_seconds",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(&NAMES[..]), inner), 0..6)
                .prop_map(|fields| fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_makes_a_reader_panic(status in any::<u16>(), body in any_json(), after in "\\PC{0,12}") {
        let reply = Reply { retry_after: Some(after), ..reply(status, body.clone()) };
        drop(judge(&post(), &reply));
        let answered = answered(body);
        drop((read::claim(&answered), read::created(&answered), read::profile(&answered)));
        drop((read::post(&answered), read::list(&answered, Sort::Comment)));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(judge(&post(), &Reply { status, body, ..Reply::default() }));
    }
}
