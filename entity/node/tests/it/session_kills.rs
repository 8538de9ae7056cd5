//! One session and its durable messages, between two processes that are killed again and again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::crash::plan::{Dice, Who};
use crate::crash::side::{Line, Side};

/// How often a side is killed.
const KILLS: u64 = 100;

/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// What randomness follows from.
const SEED: u64 = 20_261_122;

struct Pair {
    sides: [Side; 2],
    lines: Receiver<Line>,
    /// Events that nobody has asked for yet.
    events: VecDeque<(Who, Value)>,
    /// Messages by sender: each was said to be kept, or was on its way when the sender was killed.
    kept: BTreeMap<Who, Vec<u64>>,
    unsure: BTreeMap<Who, Vec<u64>>,
    last: u64,
}

impl Pair {
    fn start() -> Self {
        let (sender, lines) = channel();
        let sides = Who::BOTH.map(|who| Side::new(who, SEED, sender.clone()));
        let (events, kept, unsure) = (VecDeque::new(), BTreeMap::new(), BTreeMap::new());
        let mut pair = Self { sides, lines, events, kept, unsure, last: 0 };
        let known = Who::BOTH.map(|who| {
            let ready = pair.start_side(who);
            let address = ready["addresses"]["http"].as_str().unwrap();
            pair.side(who).stays_at(address);
            json!({"name": who.name(), "address": address, "key": ready["keys"]["ed25519"], "connect": true})
        });
        for who in Who::BOTH {
            pair.call(who, "peer.add", &known[who.other().index()]);
        }
        pair
    }

    fn side(&mut self, who: Who) -> &mut Side {
        &mut self.sides[who.index()]
    }

    fn start_side(&mut self, who: Who) -> Value {
        let id = self.side(who).start();
        self.answer(who, id)
    }

    /// The next line of a process that still runs; what a killed one had written before counts as well.
    fn next(&mut self) -> (Who, u64, Value) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("somebody says something in time");
            if let Some(message) = line.message {
                return (line.who, line.start, message);
            }
        }
    }

    fn answer(&mut self, who: Who, id: u64) -> Value {
        loop {
            let (from, _, message) = self.next();
            if message.get("method").is_some() {
                self.events.push_back((from, message));
            } else if from == who && message["id"] == id {
                return message.get("result").unwrap_or_else(|| panic!("{message}")).clone();
            }
        }
    }

    fn call(&mut self, who: Who, method: &str, params: &Value) -> Value {
        let id = self.side(who).request(method, params);
        self.answer(who, id)
    }

    /// Waits for an event of one side; those before it are gone.
    fn event(&mut self, who: Who, method: &str) -> Value {
        loop {
            let (from, message) = self.events.pop_front().unwrap_or_else(|| {
                let (from, _, message) = self.next();
                (from, message)
            });
            if from == who && message["method"] == method {
                return message["params"].clone();
            }
        }
    }

    fn request_message(&mut self, from: Who) -> (u64, u64) {
        self.last += 1;
        let number = self.last;
        let params = json!({"to": from.other().name(), "body": {"n": number}, "durable": true});
        (number, self.side(from).request("message.send", &params))
    }

    /// Sends a message that is kept when this returns.
    fn send(&mut self, from: Who) {
        let (number, id) = self.request_message(from);
        assert_eq!(self.answer(from, id)["queued"], true);
        self.kept.entry(from).or_default().push(number);
    }

    /// Sends a message and does not wait to hear that it is kept.
    fn send_unsure(&mut self, from: Who) {
        let (number, _) = self.request_message(from);
        self.unsure.entry(from).or_default().push(number);
    }

    /// The messages in the inbox of one side, in their order.
    fn inbox(&mut self, who: Who) -> Vec<u64> {
        let (mut numbers, mut after) = (Vec::new(), 0);
        loop {
            let part = self.call(who, "message.inbox", &json!({"after": after}));
            let messages = part["messages"].as_array().unwrap();
            if messages.is_empty() {
                return numbers;
            }
            numbers.extend(messages.iter().map(|message| message["body"]["n"].as_u64().unwrap()));
            after = part["next"].as_u64().unwrap();
        }
    }

    fn outbox_size(&mut self, who: Who) -> u64 {
        self.call(who, "outbox.list", &json!({}))["size"].as_u64().unwrap()
    }

    fn sessions(&mut self, who: Who) -> Vec<(String, String)> {
        let listed = self.call(who, "session.list", &json!({}));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let sessions = listed["sessions"].as_array().unwrap().iter();
        sessions.map(|session| (text(&session["id"]), text(&session["state"]))).collect()
    }
}

#[test]
fn a_session_survives_a_hundred_kills_and_its_durable_messages_come_once() {
    let mut pair = Pair::start();
    let session = pair.call(Who::A, "session.open", &json!({"to": "b"}))["id"].clone();
    let mut dice = Dice::of(SEED, 1);
    let mut victims = [0; 2];
    for _ in 0..KILLS {
        let victim = if dice.one_in(2) { Who::A } else { Who::B };
        victims[victim.index()] += 1;
        pair.send(Who::A);
        pair.send(Who::B);
        pair.send_unsure(victim);
        let moment = Duration::from_micros(dice.below(3_000));
        if let Ok(Line { who, message: Some(message), .. }) = pair.lines.recv_timeout(moment) {
            pair.events.push_back((who, message));
        }
        pair.side(victim).kill();
        // While it is away the other side goes on.
        pair.send(victim.other());
        pair.events.clear();
        pair.start_side(victim);
        let resumed = pair.event(victim, "session.resumed");
        assert_eq!(resumed["id"], session);
    }
    assert!(victims.iter().all(|kills| *kills >= 30), "{victims:?}");

    while Who::BOTH.iter().any(|who| pair.outbox_size(*who) > 0) {}
    for who in Who::BOTH {
        let expected = (session.as_str().unwrap().to_owned(), "ready".to_owned());
        assert_eq!(pair.sessions(who), [expected]);
        let mut received = pair.inbox(who);
        let (kept, unsure) = (pair.kept[&who.other()].clone(), pair.unsure[&who.other()].clone());
        // Where nobody heard that a message was kept it came or not, but not twice.
        let mut found: Vec<_> = received.iter().filter(|number| unsure.contains(number)).collect();
        let count = found.len();
        found.dedup();
        assert_eq!(found.len(), count);
        received.retain(|number| !unsure.contains(number));
        assert_eq!(received, kept, "each message once and in order");
    }
}
