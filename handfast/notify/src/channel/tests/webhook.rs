use std::collections::BTreeMap;

use handfast_fakeslack::{Fault, Tally};
use serde_json::Value;

use super::*;
use crate::channel::settings::HeaderFrom;
use crate::letter::Note;

fn webhook(template: &str, headers: &[(&str, HeaderFrom)]) -> Service {
    let headers: BTreeMap<_, _> =
        headers.iter().map(|(name, from)| ((*name).to_owned(), from.clone())).collect();
    Service::Webhook { template: template.to_owned(), method: "POST".to_owned(), headers }
}

#[test]
fn every_letter_reaches_a_service_that_wants_it() {
    let slack = slack(generous());
    let hook = open(webhook("json", &[]), &slack.hook()).unwrap();
    for (key, kind) in [("1", Kind::Post), ("2", Kind::Edit), ("3", Kind::Reply(Note::RedAgain))] {
        assert_eq!(told(hook.deliver(&letter(key, kind))), None);
    }
    let kinds: Vec<_> = slack.hooked().iter().map(|json| json["kind"].clone()).collect();
    assert_eq!(kinds, ["post", "edit", "reply"].map(Value::from));
    assert_eq!(slack.tally("2").accepted, 1);
}

#[test]
fn nothing_is_sent_where_the_template_gives_nothing() {
    let slack = slack(generous());
    let hook = open(webhook("discord", &[]), &slack.hook()).unwrap();
    assert_eq!(told(hook.deliver(&letter("k", Kind::Edit))), None);
    assert_eq!(slack.requests(), 0);
}

#[test]
fn only_a_lost_answer_makes_two() {
    let slack = slack(generous());
    let hook = open(webhook("json", &[]), &slack.hook()).unwrap();
    slack.script([Fault::Limited { seconds: 5 }, Fault::Broken { status: 502 }, Fault::ResetAfter]);
    let after = Some(Duration::from_secs(5));
    let outcome = hook.deliver(&letter("k", Kind::Post));
    assert!(matches!(outcome, Outcome::Later { after: said, .. } if said == after));
    for _ in 0..2 {
        assert!(matches!(hook.deliver(&letter("k", Kind::Post)), Outcome::Unsure { .. }));
    }
    told(hook.deliver(&letter("k", Kind::Post)));
    assert_eq!(slack.tally("k"), Tally { accepted: 2, answers_lost: 1 });
}

#[test]
fn a_header_that_cannot_be_set_is_refused() {
    let plain = |text: &str| HeaderFrom::Plain(text.to_owned());
    for name in ["Host", "Content-Length", "Idempotency-Key", "a b", "x\r\ny", ""] {
        let Err(error) = open(webhook("json", &[(name, plain("1"))]), "https://x.example/") else {
            panic!("{name}")
        };
        assert!(error.to_string().contains("header"), "{error}");
    }
    let bad = webhook("json", &[("X-A", plain("1\r\nX-B: 2"))]);
    assert!(open(bad, "https://x.example/").is_err());
    let unset = webhook(
        "json",
        &[("Authorization", HeaderFrom::Secret(SecretFrom::Environment("NONE".into())))],
    );
    let Err(error) = open(unset, "https://x.example/") else { panic!("unset") };
    assert!(error.to_string().contains("NONE is not set"), "{error}");
    let fine = webhook("json", &[("Content-Type", plain("application/vnd.x+json"))]);
    assert!(open(fine, "https://x.example/").is_ok());
}

#[test]
fn a_method_that_sends_nothing_is_refused() {
    let service = Service::Webhook {
        template: "json".to_owned(),
        method: "GET".to_owned(),
        headers: BTreeMap::new(),
    };
    let Err(error) = open(service, "https://x.example/") else { panic!("GET") };
    assert!(error.to_string().contains("POST, PUT or PATCH"), "{error}");
}
