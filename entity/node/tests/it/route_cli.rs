//! `entity route` and `entity queue`, as a person and as a program sees them.

use serde_json::{Value, json};

use crate::cli::{Run, check, entity, stdout};

/// How often a node is asked at most: each question is a process, so this is half a minute at least.
const QUESTIONS_MAX: usize = 3_000;

/// An entity with a key of its own, whether it runs or not.
struct Home(tempfile::TempDir, String);

impl Home {
    fn new(name: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        check(&entity(home.path(), &["wallet", "create", name, "--unprotected"]), 0, "");
        let shown = entity(home.path(), &["wallet", "show", "--json"]);
        let shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
        Self(home, shown["public_key"].as_str().unwrap().to_owned())
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::start(self.0.path(), arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = entity(self.0.path(), &[arguments, &["--json"]].concat());
        check(&output, 0, "");
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = entity(self.0.path(), arguments);
        check(&output, 0, "");
        stdout(&output)
    }

    /// Asks again until the answer holds.
    #[track_caller]
    fn until(&self, arguments: &[&str], holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..QUESTIONS_MAX {
            last = self.json(arguments);
            if holds(&last) {
                return last;
            }
        }
        panic!("{last}");
    }
}

fn known(name: &str, address: &str, key: &str) -> String {
    format!("id={name},address={address},key={key}")
}

#[test]
fn a_way_by_a_relay_and_what_the_relay_keeps_are_shown() {
    let (relay, a, c) = (Home::new("relay"), Home::new("a"), Home::new("c"));
    let relay_run = relay.run(&["--relay"]);
    let mailbox = format!("{}/relay/{}", relay_run.address(), c.1);
    let a_run = a.run(&["--connect", "false", "--peer", &known("c", &mailbox, &c.1)]);
    let via = relay_run.address().replace("http://", "ws://");
    let member = format!("{via}#{}", relay.1);
    let to_a = known("a", &a_run.address(), &a.1);
    let of_c = ["--connect", "false", "--ws", "only", "--via", &member, "--peer", &to_a];
    let c_run = c.run(&of_c);

    let shown = c.until(&["route", "a"], |shown| shown["peers"][0]["layer"] == "relay");
    let way = json!({"name": "a", "address": a_run.address(), "layer": "relay", "relay": via,
        "socket": "none", "dialled_by": null});
    assert_eq!(shown["peers"], json!([way]));
    let at = json!([{"address": via, "key": relay.1, "registered": true, "suspected": [],
        "taken": 0, "acknowledged": 0, "outstanding": 0}]);
    assert_eq!(shown["relays"], at);
    assert!(c.says(&["route"]).contains(&format!("relay {via}: registered\n")));
    let way = &a.json(&["route"])["peers"][0];
    assert_eq!((&way["layer"], &way["relay"]), (&json!("relay"), &json!(relay_run.address())));
    let queue = relay.json(&["queue"]);
    let of = &queue["mailboxes"][0];
    assert_eq!((&of["id"], &of["connected"]), (&json!("c"), &json!(true)));
    assert_eq!((&of["messages"], &of["expires_at"]), (&json!(0), &json!(null)));

    drop(c_run);
    relay.until(&["queue"], |queue| queue["mailboxes"][0]["connected"] == false);
    a.says(&["send", "c", "--durable"]);
    let queue = relay.until(&["queue"], |queue| queue["messages"] != 0);
    let of = &queue["mailboxes"][0];
    assert_eq!((&of["recipient"], &of["messages"]), (&json!(c.1), &queue["messages"]));
    assert_eq!(of["bytes"], queue["bytes"]);
    assert!(of["oldest_at"].as_str() < of["expires_at"].as_str(), "{of}");
    let text = relay.says(&["queue"]);
    assert!(text.starts_with("mailboxes  1, ") && text.contains(&c.1), "{text}");
    assert_eq!(relay.json(&["queue", "--after", &c.1])["mailboxes"], json!([]));
    let relays = a.json(&["route"])["relays"].clone();
    assert_eq!(
        (&relays[0]["address"], &relays[0]["key"]),
        (&json!(relay_run.address()), &json!(null))
    );
    let own = a.json(&["queue"]);
    assert_eq!(own["outbox"], json!([{"to": "c", "messages": 1}]));
    assert_eq!((&own["relay"], &own["outbox_messages"]), (&json!(false), &json!(1)));
    let text = a.says(&["queue"]);
    assert!(text.contains("no relay") && text.contains("1 for c"), "{text}");

    let _c_run = c.run(&of_c);
    relay.until(&["queue"], |queue| queue["messages"] == 0);
}

#[test]
fn an_open_websocket_who_dialled_it_and_its_loss_are_shown_beside_plain_http() {
    let (a, b) = (Home::new("a"), Home::new("b"));
    // A has no port: nobody dials it.
    let to_a = known("a", "ws://127.0.0.1:9", &a.1);
    let b_run = b.run(&["--ws", "--connect", "false", "--peer", &to_a]);
    let to_b = known("b", &b_run.address().replace("http://", "ws://"), &b.1);
    let to_z = known("z", &b_run.address(), &a.1);
    let of_a = ["--ws", "--connect", "false", "--listen", "none", "--peer", &to_b, "--peer", &to_z];
    let _a_run = a.run(&of_a);
    a.says(&["send", "b"]);
    let is_open = |shown: &Value| shown["peers"][0]["socket"] == "open";
    let way = &a.until(&["route", "b"], is_open)["peers"][0];
    assert_eq!((&way["layer"], &way["dialled_by"]), (&json!("websocket"), &json!("self")));
    let way = &b.until(&["route", "a"], is_open)["peers"][0];
    assert_eq!((&way["layer"], &way["dialled_by"]), (&json!("websocket"), &json!("peer")));
    assert!(a.says(&["route"]).contains("websocket  open         self"), "{}", a.says(&["route"]));
    drop(b_run);
    let failing = a.until(&["route"], |shown| shown["peers"][0]["socket"] == "partitioned");
    assert_eq!(failing["peers"][0]["layer"], "websocket", "its address is of a WebSocket");
    let plain = &failing["peers"][1];
    assert_eq!((&plain["layer"], &plain["socket"]), (&json!("http"), &json!("none")));
    check(&entity(a.0.path(), &["route", "d"]), 1, "d is not known");
    check(&entity(a.0.path(), &["queue", "--after", "x"]), 1, "after");
}

#[test]
fn a_relay_under_suspicion_is_shown_with_what_it_is_suspected_of() {
    let (relay, c) = (Home::new("relay"), Home::new("c"));
    let relay_run = relay.run(&["--relay"]);
    let via = relay_run.address().replace("http://", "ws://");
    // The key of somebody else.
    let _c_run = c.run(&["--via", &format!("{via}#{}", c.1)]);
    let shown = c.until(&["route"], |shown| shown["relays"][0]["suspected"] != json!([]));
    assert_eq!(shown["relays"][0]["suspected"], json!(["impersonates"]));
    assert_eq!(shown["relays"][0]["registered"], false);
    let text = c.says(&["route"]);
    let line = format!("relay {via}: not registered; suspected: impersonates");
    assert!(text.contains("no peers") && text.contains(&line), "{text}");
}
