use std::time::Duration;

use serde_json::{Value, json};

use super::*;

const HERE: &str = "C0FAKE001";

struct Slack(Workspace, Duration);

impl Slack {
    fn new(settings: Settings) -> Self {
        Self(Workspace::new(settings), Duration::from_secs(1_700_000_000))
    }

    fn wait(&mut self, time: Duration) {
        self.1 += time;
    }

    fn reply(&mut self, path: &str, token: Option<&str>, body: Value) -> Reply {
        let request = Request {
            path: path.to_owned(),
            authorization: token.map(|token| format!("Bearer {token}")),
            key: None,
            body: Some(body),
        };
        self.0.handle(&request, self.1)
    }

    fn call(&mut self, method: &str, body: Value) -> Value {
        let reply = self.reply(&format!("/api/{method}"), Some("xoxb-fake-token"), body);
        serde_json::from_str(&reply.body).unwrap()
    }

    /// Posts with a key, and waits until the next may be posted.
    fn post(&mut self, key: &str) -> String {
        let answer = self.call("chat.postMessage", message(key));
        assert_eq!(answer["ok"], true, "{answer}");
        self.wait(Duration::from_secs(1));
        answer["ts"].as_str().unwrap().to_owned()
    }
}

fn message(key: &str) -> Value {
    json!({
        "channel": HERE, "text": "hello",
        "metadata": { "event_type": "letter", "event_payload": { "key": key } },
    })
}

fn slack() -> Slack {
    Slack::new(Settings::default())
}

#[test]
fn a_wrong_token_is_refused_and_so_is_none() {
    let mut slack = slack();
    let wrong = slack.reply("/api/chat.postMessage", Some("xoxb-other"), message("k"));
    assert_eq!(wrong.body, r#"{"error":"invalid_auth","ok":false}"#);
    let none = slack.reply("/api/chat.postMessage", None, message("k"));
    assert_eq!(none.body, r#"{"error":"not_authed","ok":false}"#);
    assert!(slack.0.messages(HERE).is_empty());
}

#[test]
fn channels_are_known_strange_or_archived() {
    let mut settings = Settings::default();
    settings.channels.insert("C0OLD".to_owned());
    settings.archived.insert("C0OLD".to_owned());
    let mut slack = Slack::new(settings);
    for (channel, error) in
        [("C0NONE", "channel_not_found"), ("C0STRANGE", "not_in_channel"), ("C0OLD", "is_archived")]
    {
        let answer = slack.call("chat.postMessage", json!({ "channel": channel, "text": "x" }));
        assert_eq!(answer["error"], error);
    }
}

#[test]
fn a_scope_that_is_missing_is_named() {
    let mut settings = Settings::default();
    settings.scopes.remove("channels:history");
    let mut slack = Slack::new(settings);
    let answer = slack.call("conversations.history", json!({ "channel": HERE }));
    assert_eq!(answer["error"], "missing_scope");
    assert_eq!(answer["needed"], "channels:history");
    assert_eq!(answer["provided"], "chat:write,groups:history");
}

#[test]
fn one_message_a_second_and_channel() {
    let mut slack = slack();
    assert_eq!(slack.call("chat.postMessage", message("a"))["ok"], true);
    slack.wait(Duration::from_millis(999));
    let reply = slack.reply("/api/chat.postMessage", Some("xoxb-fake-token"), message("b"));
    assert_eq!((reply.status, reply.retry_after), (429, Some(1)));
    slack.wait(Duration::from_millis(1));
    assert_eq!(slack.call("chat.postMessage", message("b"))["ok"], true);
}

#[test]
fn a_method_of_tier_three_is_limited_by_the_minute() {
    let mut slack = slack();
    for _ in 0..50 {
        assert_eq!(slack.call("conversations.history", json!({ "channel": HERE }))["ok"], true);
    }
    let body = json!({ "channel": HERE });
    let reply = slack.reply("/api/conversations.history", Some("xoxb-fake-token"), body);
    assert_eq!((reply.status, reply.retry_after), (429, Some(60)));
    slack.wait(Duration::from_mins(1));
    assert_eq!(slack.call("conversations.history", json!({ "channel": HERE }))["ok"], true);
}

#[test]
fn metadata_is_shown_to_who_asks_and_survives_an_update_without() {
    let mut slack = slack();
    let ts = slack.post("k1");
    let update = json!({ "channel": HERE, "ts": ts, "text": "new" });
    assert_eq!(slack.call("chat.update", update)["ok"], true);
    let plain = slack.call("conversations.history", json!({ "channel": HERE }));
    assert_eq!(plain["messages"][0]["text"], "new");
    assert_eq!(plain["messages"][0]["metadata"], Value::Null);
    let body = json!({ "channel": HERE, "include_all_metadata": true });
    let full = slack.call("conversations.history", body);
    assert_eq!(full["messages"][0]["metadata"]["event_payload"]["key"], "k1");
}

#[test]
fn a_thread_has_to_exist_and_is_no_part_of_the_history() {
    let mut slack = slack();
    let mut reply = message("r");
    reply["thread_ts"] = "1600000000.000000".into();
    assert_eq!(slack.call("chat.postMessage", reply.clone())["error"], "thread_not_found");
    let ts = slack.post("p");
    reply["thread_ts"] = ts.as_str().into();
    assert_eq!(slack.call("chat.postMessage", reply)["ok"], true);
    let history = slack.call("conversations.history", json!({ "channel": HERE }));
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    let replies = slack.call("conversations.replies", json!({ "channel": HERE, "ts": ts }));
    assert_eq!(replies["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn only_own_messages_may_be_updated() {
    let mut slack = slack();
    let ts = slack.0.say(HERE, "lunch?", slack.1);
    let update = json!({ "channel": HERE, "ts": ts, "text": "no" });
    assert_eq!(slack.call("chat.update", update)["error"], "cant_update_message");
    let update = json!({ "channel": HERE, "ts": "1.000000", "text": "no" });
    assert_eq!(slack.call("chat.update", update)["error"], "message_not_found");
}

#[test]
fn history_comes_in_pages_newest_first() {
    let mut settings = Settings::default();
    settings.limits.page_max = 2;
    let mut slack = Slack::new(settings);
    let ts: Vec<_> = ["a", "b", "c"].map(|key| slack.post(key)).into();
    let first = slack.call("conversations.history", json!({ "channel": HERE, "limit": 100 }));
    let names = |page: &Value| {
        let messages = page["messages"].as_array().unwrap();
        messages
            .iter()
            .map(|message| message["ts"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&first), [ts[2].clone(), ts[1].clone()]);
    let cursor = &first["response_metadata"]["next_cursor"];
    let body = json!({ "channel": HERE, "limit": 100, "cursor": cursor });
    let second = slack.call("conversations.history", body);
    assert_eq!(names(&second), [ts[0].clone()]);
    assert_eq!(second["has_more"], false);
    let body = json!({ "channel": HERE, "oldest": ts[0] });
    assert_eq!(names(&slack.call("conversations.history", body)), [ts[2].clone(), ts[1].clone()]);
}

#[test]
fn what_is_too_large_is_refused() {
    let section = |len: usize| json!({ "type": "section", "text": { "type": "mrkdwn", "text": "x".repeat(len) } });
    let many = |count: usize| vec![json!({ "type": "divider" }); count];
    for (body, error) in [
        (json!({ "channel": HERE, "text": "x".repeat(40_001) }), "msg_too_long"),
        (json!({ "channel": HERE, "text": "" }), "no_text"),
        (json!({ "channel": HERE, "text": "x", "blocks": many(51) }), "invalid_blocks"),
        (json!({ "channel": HERE, "text": "x", "blocks": [section(3_001)] }), "invalid_blocks"),
        (json!({ "channel": HERE, "text": "x", "blocks": [section(0)] }), "invalid_blocks"),
        (
            json!({ "channel": HERE, "text": "x", "metadata": { "key": 1 } }),
            "invalid_metadata_format",
        ),
    ] {
        assert_eq!(slack().call("chat.postMessage", body)["error"], error);
    }
    let fits = json!({ "channel": HERE, "text": "x", "blocks": [section(3_000)] });
    assert_eq!(slack().call("chat.postMessage", fits)["ok"], true);
}

#[test]
fn the_webhook_speaks_its_own_words() {
    let mut slack = slack();
    let path = "/services/T0FAKE/B0FAKE/fakewebhooksecret";
    let ok = slack.reply(path, None, json!({ "text": "x" }));
    assert_eq!((ok.status, &*ok.body), (200, "ok"));
    let limited = slack.reply(path, None, json!({ "text": "x" }));
    assert_eq!((limited.status, limited.retry_after), (429, Some(1)));
    let other = slack.reply("/services/T0/B0/x", None, json!({ "text": "x" }));
    assert_eq!((other.status, &*other.body), (404, "no_service"));
    let empty = slack.reply(path, None, json!({ "text": "" }));
    assert_eq!((empty.status, &*empty.body), (400, "no_text"));
}

#[test]
fn every_letter_is_counted() {
    let mut slack = slack();
    slack.post("k");
    slack.post("k");
    slack.0.answer_lost("k");
    assert_eq!(slack.0.tallies()["k"], Tally { accepted: 2, answers_lost: 1 });
}
