//! The 62 recorded error cases of the earlier peer, each with its answer in both profiles.
//!
//! The table is `tests/data/error_profiles.json`. Where a profile answers otherwise than the earlier peer, the entry
//! names the rule. Cases of the layer `transport` (wrong method, wrong path) never reach a peer; they are driven by the
//! program that serves HTTP, from the same table.

use entity_crypto::signing::SigningKey;
use entity_peer::config::{Config, Profile, Protocols};
use entity_peer::{Peer, PeerEvent};
use entity_wire::json::{Fields, Number, Object, Value};
use entity_wire::kind::MessageKind;
use entity_wire::payload::session_sealing_1_0::SessionSealed;
use entity_wire::reply::{Answer, Reply};
use entity_wire::time::Timestamp;

use crate::stranger::{Agreed, Stranger, bytes_of, drain, handled, introduce, parse};

const GOLDEN: &[u8] = include_bytes!("../data/errors.json");
const TABLE: &[u8] = include_bytes!("../data/error_profiles.json");
const RULES: &str = include_str!("../../../../docs/protocol/1.0.md");

/// A peer in the place of the recorded one, at the recorded moment.
struct Recorded {
    peer: Peer,
    x: Stranger,
    a: Stranger,
    agreed: Option<Agreed>,
    now: Timestamp,
}

impl Recorded {
    fn new(id: &str, profile: Profile, moment: &str) -> Self {
        let now = time(moment);
        let config =
            Config { protocols: Protocols::OnlyV1_0, profile, ..Config::new(id.parse().unwrap()) };
        let mut peer = Peer::new(config, SigningKey::from_seed([0xb2; 32]), [7; 32], now);
        let x = Stranger::new("entity-x", SigningKey::from_seed([0xe5; 32]));
        let a = Stranger::new("entity-a", SigningKey::from_seed([0xa1; 32]));
        introduce(&mut peer, &x, now);
        introduce(&mut peer, &a, now);
        Self { peer, x, a, agreed: None, now }
    }

    /// Shakes hands with `entity-a` at `created_at`, and comes back to the recorded moment.
    fn in_session(mut self, created_at: &str) -> Self {
        self.agreed = Some(self.a.shake_hands(&mut self.peer, time(created_at)));
        self
    }

    /// Lets the recorded requests of these cases pass before.
    fn after(mut self, cases: &[&str]) -> Self {
        for case in cases {
            let reply = self.say(&request(case));
            assert_eq!(reply.status, 200, "{case} comes before and is accepted");
        }
        self
    }

    fn say(&mut self, body: &[u8]) -> Reply {
        self.peer.handle_message(body, self.now)
    }
}

#[test]
fn all_62_cases_answer_as_the_table_says_in_compat() {
    check_profile(Profile::Compat, "compat");
}

#[test]
fn all_62_cases_answer_as_the_table_says_in_hardened() {
    check_profile(Profile::Hardened, "hardened");
}

#[test]
fn the_table_has_every_case_and_each_deviation_names_a_rule_that_exists() {
    let (golden, table) = (cases(GOLDEN), cases(TABLE));
    assert_eq!((golden.len(), table.len()), (62, 62));
    for (golden, entry) in golden.iter().zip(&table) {
        assert_eq!(text(golden, "case"), text(entry, "case"));
        check_golden(golden, object(entry, "golden"));
        for profile in ["compat", "hardened"] {
            check_reason(text(entry, "case"), object(entry, "golden"), object(entry, profile));
        }
    }
    let transport = table.iter().filter(|entry| text(entry, "layer") == "transport").count();
    assert_eq!(transport, 3, "and no other case is left to the transport");
}

/// The table repeats the recorded answer.
#[track_caller]
fn check_golden(golden: &Object, entry: &Object) {
    let case = text(golden, "case");
    if let Some(status) = golden.get("status") {
        assert_eq!(entry.get("status"), Some(status), "{case}");
        let recorded = object(golden, "response").get("detail").cloned().unwrap_or_default();
        assert_eq!(entry.get("detail"), Some(&recorded), "{case}");
    } else {
        let statuses = Fields::new(golden).array("statuses").unwrap();
        let accepted = statuses.iter().filter(|status| **status == Value::from(200_u64));
        assert_eq!(entry.get("accepted"), Some(&Value::from(count(accepted))), "{case}");
    }
}

#[track_caller]
fn check_reason(case: &str, golden: &Object, expected: &Object) {
    let mut bare = expected.clone();
    let because = bare.remove("because");
    if bare == *golden {
        assert_eq!(because, None, "{case}: there is nothing to explain");
        return;
    }
    let because = because.unwrap_or_else(|| panic!("{case}: a deviation names its rule"));
    let (document, anchor) =
        because.as_str().and_then(|rule| rule.split_once('#')).expect("a document and its heading");
    assert_eq!(document, "docs/protocol/1.0.md", "{case}: a rule of 1.0");
    let exists = RULES
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .any(|heading| heading.to_ascii_lowercase().replace(' ', "-") == anchor);
    assert!(exists, "{case}: the heading {anchor} exists");
}

fn check_profile(profile: Profile, column: &'static str) {
    let table = cases(TABLE);
    let driven = table.iter().filter(|entry| text(entry, "layer") == "peer");
    let mut count = 0;
    for entry in driven {
        let (case, expected) = (text(entry, "case"), object(entry, column));
        count += 1;
        if expected.contains_key("accepted") {
            check_limiter(profile, expected);
            continue;
        }
        let mut recorded = set_up(case, profile);
        drain(&mut recorded.peer);
        let body = body_of(case, &mut recorded);
        let reply = recorded.say(&body);
        let answer = Answer::read(reply.status, &reply.body);
        let said = (u64::from(reply.status), answer.detail);
        let fields = Fields::new(expected);
        let detail = fields.optional_text("detail").unwrap().map(str::to_owned);
        assert_eq!(said, (fields.unsigned("status").unwrap(), detail), "{case} in {column}");
        check_handled(case, reply.status, &drain(&mut recorded.peer));
    }
    assert_eq!(count, 59);
}

/// What is refused reaches no handler.
#[track_caller]
fn check_handled(case: &str, status: u16, events: &[PeerEvent]) {
    let handled = handled(events);
    let refused = events.iter().any(|event| matches!(event, PeerEvent::MessageRefused { .. }));
    if status == 200 {
        assert!(handled <= 1 && !refused, "{case}");
    } else {
        assert!(handled == 0 && refused, "{case}");
    }
}

/// The 75 messages of the limiter's case, all at one moment.
#[track_caller]
fn check_limiter(profile: Profile, expected: &Object) {
    let mut recorded = Recorded::new("entity-b", profile, MOMENT);
    let fields = Fields::new(expected);
    let total = fields.unsigned("of").unwrap();
    let detail = fields.text("detail").unwrap();
    let mut statuses = Vec::new();
    for number in 1..=total {
        let body = recorded.x.status(number, recorded.now);
        let reply = recorded.say(&body);
        if reply.status != 200 {
            assert_eq!(Answer::read(reply.status, &reply.body).detail.as_deref(), Some(detail));
        }
        statuses.push(reply.status);
    }
    let accepted = usize::try_from(fields.unsigned("accepted").unwrap()).unwrap();
    let refused = u16::try_from(fields.unsigned("status").unwrap()).unwrap();
    assert!(statuses[..accepted].iter().all(|status| *status == 200), "{statuses:?}");
    assert!(statuses[accepted..].iter().all(|status| *status == refused), "{statuses:?}");
}

/// When the cases up to `BRIDGE` were recorded, and those with `--replay`.
const MOMENT: &str = "2026-11-22T07:43:00.481000+00:00";
const MOMENT_OF_REPLAYS: &str = "2026-11-22T07:43:05.654000+00:00";
/// An hour and a second before [`MOMENT`].
const MOMENT_OF_OLD_SESSION: &str = "2026-11-22T06:42:59.481000+00:00";

/// Puts a peer into the state that a case assumes.
fn set_up(case: &str, profile: Profile) -> Recorded {
    let at = |moment| Recorded::new("entity-b", profile, moment);
    let replays = || Recorded::new("entity-d", profile, MOMENT_OF_REPLAYS);
    match case {
        "exact replay of the same message" => at(MOMENT).after(&["valid, no handshake session"]),
        "in session, sequence 2 again (replay)" => {
            at(MOMENT).in_session(MOMENT).after(&["in session, sequence 2"])
        }
        "in session, sequence 999 after gap" | "in session, sequence as string '1001'" => {
            at(MOMENT).in_session(MOMENT).after(&["in session, gap to 1000"])
        }
        "session older than 3600 s" => at(MOMENT).in_session(MOMENT_OF_OLD_SESSION),
        "--replay: same nonce" => replays().after(&["--replay: first"]),
        _ if case.starts_with("in session, ") => at(MOMENT).in_session(MOMENT),
        "_e2e_encrypted tampered ciphertext" => at(MOMENT).in_session(MOMENT),
        _ if case.starts_with("--replay: ") => replays(),
        _ => at(MOMENT),
    }
}

/// Returns the recorded request of a case, rebuilt where the recording cut it or named what is random.
fn body_of(case: &str, recorded: &mut Recorded) -> Vec<u8> {
    match case {
        "body with NaN (non-standard JSON)" => message_with_nan(&recorded.x),
        "nesting depth 50000" => {
            let (open, close) = ("[".repeat(50_000), "]".repeat(50_000));
            let begin = String::from_utf8(request(case)).unwrap();
            let begin = begin.trim_end_matches('[');
            assert!(begin.ends_with("\"payload\":"));
            format!("{begin}{open}{close}}}").into_bytes()
        }
        "20 MiB payload" => {
            let payload = Object::new().with("a", "x".repeat(20 << 20));
            let draft = recorded.x.draft(MessageKind::Status, payload, 1, recorded.now);
            recorded.x.sign(&draft)
        }
        // The sealed session is named by whom it was agreed with, so the message is signed anew with its id.
        "_e2e_encrypted tampered ciphertext" => {
            let payload = crate::stranger::payload_of(&request(case));
            let mut sealed = SessionSealed::from_object(&payload).unwrap();
            sealed.session_id.clone_from(&recorded.agreed.as_ref().unwrap().sealed_id);
            let payload = sealed.to_object();
            let draft = recorded.a.draft(MessageKind::Status, payload, 1_100, recorded.now);
            recorded.a.sign(&draft)
        }
        _ => request(case),
    }
}

/// The message with NaN. The recording is cut within the signature; what is left of it has to be the beginning of ours.
fn message_with_nan(x: &Stranger) -> Vec<u8> {
    let cut = String::from_utf8(request("body with NaN (non-standard JSON)")).unwrap();
    let (unsigned, signature) = cut.split_once(", \"signature\": \"").unwrap();
    let mut message = parse(format!("{unsigned}}}").as_bytes());
    let mut signed = Object::new();
    for field in entity_wire::v1_0::SIGNED_FIELDS {
        signed.insert(field, message.get(field).unwrap().clone());
    }
    let payload = signed.get("payload").and_then(Value::as_object).unwrap();
    assert!(matches!(payload.get("v"), Some(Value::Number(Number::Float(v))) if v.is_nan()));
    let ours = x.key.sign(&entity_wire::canonical::object_to_vec(&signed)).to_base64();
    assert!(ours.starts_with(signature), "the recorded signature begins with {signature}");
    message.insert("signature", ours);
    bytes_of(&message)
}

fn request(case: &str) -> Vec<u8> {
    let golden = cases(GOLDEN);
    let golden = golden.iter().find(|golden| text(golden, "case") == case).unwrap();
    match golden.get("request").unwrap() {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(object) => bytes_of(object),
        other => panic!("{case} has the request {other:?}"),
    }
}

fn cases(file: &[u8]) -> Vec<Object> {
    let file = parse(file);
    let cases = Fields::new(&file).array("cases").unwrap();
    cases.iter().map(|case| case.as_object().unwrap().clone()).collect()
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_iso(text).unwrap()
}

fn text<'a>(object: &'a Object, field: &'static str) -> &'a str {
    Fields::new(object).text(field).unwrap()
}

fn object<'a>(object: &'a Object, field: &'static str) -> &'a Object {
    Fields::new(object).object(field).unwrap()
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap()
}
