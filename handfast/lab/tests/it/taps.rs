//! The recording proxy over real HTTP peers: every verdict as the wire shows it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use handfast_faults::{
    Action, ByteChange, ByteOffset, Direction, Edit, FieldChange, Lifetime, Link, Position, Rule,
    Selector,
};
use handfast_lab::peer::Peer;
use handfast_lab::tap::{Answer, BODY_MAX, ReplayError};
use handfast_lab::{Exchange, Fact, Fate, TapConfig, Unit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{LONG, TestLab, role, wait_for};

/// An HTTP client that shows what a connection really does.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects to `to` as `from` does: through the tap.
    pub(crate) async fn connect(unit: &Unit, from: &str, to: &str) -> Self {
        Self::at(&unit.tap().address(&Link::new(from, to)).unwrap()).await
    }

    async fn at(address: &str) -> Self {
        let stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).await.unwrap();
        Self::over(stream)
    }

    /// Over a connection that is there.
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Posts a body and reads the answer; `UnexpectedEof` if the connection is closed without one.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> io::Result<(u16, String)> {
        let len = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n{body}");
        let raw = self.exchange(request.as_bytes()).await?;
        let text = String::from_utf8(raw).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Ok((head[9..12].parse().unwrap(), body.to_owned()))
    }

    /// Writes bytes and reads one answer with a `Content-Length`.
    async fn exchange(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        read_message(&mut self.stream, &mut self.buffer).await
    }
}

/// Reads one HTTP message with a `Content-Length`, raw.
async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    loop {
        if let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
            let len = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let end = head + 4 + len.map_or(0, |len| len.trim().parse::<usize>().unwrap());
            if buffer.len() >= end {
                return Ok(buffer.drain(..end).collect());
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A unit whose role `b` runs; the test itself plays `a`.
struct Wire {
    lab: TestLab,
    unit: Unit,
    b: Arc<Peer>,
}

impl Wire {
    async fn open() -> Self {
        let lab = TestLab::open();
        let unit = lab.unit(&[("a", "good"), ("b", "good")]).await;
        let b = unit.start("b").await.unwrap();
        Self { lab, unit, b }
    }

    fn link() -> Link {
        Link::new("a", "b")
    }

    async fn client(&self) -> Client {
        Client::connect(&self.unit, "a", "b").await
    }

    fn lay(&self, selector: Selector, action: Action) {
        self.unit.tap().lay(Rule::new(selector, Lifetime::Once, action).unwrap()).unwrap();
    }

    /// Bodies that reached `b`.
    async fn received(&self) -> Vec<String> {
        let received = self.b.call("received", json!({}), LONG).await.unwrap();
        serde_json::from_value(received["bodies"].clone()).unwrap()
    }

    /// Ends the unit and gives the exchanges it recorded.
    async fn close(self) -> Vec<Arc<Exchange>> {
        let mut facts = self.unit.evidence().reader();
        let report = self.unit.close().await;
        assert!(report.clean && report.settled, "{report:?}");
        self.lab.check_nothing_is_left();
        let mut exchanges = Vec::new();
        while let Some(observation) = facts.next().await {
            if let Fact::Exchange(exchange) = &observation.fact {
                exchanges.push(exchange.clone());
            }
        }
        exchanges
    }
}

fn requests() -> Selector {
    Selector::on(&Wire::link())
}

fn kind_of<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}

#[track_caller]
fn check(exchange: &Exchange, index: u64, fate: &Fate) {
    assert_eq!((exchange.index, &exchange.fate), (Some(index), fate));
    assert_eq!((&exchange.link, exchange.target.as_str()), (&Wire::link(), "POST /message"));
}

#[tokio::test]
async fn an_untouched_message_passes_byte_for_byte_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let lab = TestLab::open();
    let mut b = role("b", "good");
    b.env.insert("FIXTURE_ADDRESS".to_owned(), address);
    let roles = vec![role("a", "good"), b];
    let config = handfast_lab::UnitConfig { roles, ..Default::default() };
    let unit = lab.lab.unit(config).await.unwrap();
    unit.start("b").await.unwrap();

    let body: Vec<u8> = (0..=255).collect();
    let head = "POST /message?x=%20y HTTP/1.1\r\nHOST: somewhere:1\r\nx-Odd-CASE:  two words\r\n\
                Content-Type: application/json\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 256\r\n\r\n";
    let request = [head.as_bytes(), &body].concat();
    let answer_head =
        "HTTP/1.1 418 I'm a teapot\r\nServer: Fixture\r\nX-ODD: é\r\nContent-Length: 256\r\n\r\n";
    let answer = [answer_head.as_bytes(), &body].concat();

    let server = tokio::spawn({
        let answer = answer.clone();
        async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = Vec::new();
            let mut seen = Vec::new();
            // Both requests on one connection: it is kept alive on this side, too.
            for _ in 0..2 {
                seen.push(read_message(&mut stream, &mut buffer).await.unwrap());
                stream.write_all(&answer).await.unwrap();
            }
            seen
        }
    });
    let mut client = Client::connect(&unit, "a", "b").await;
    for _ in 0..2 {
        check_same(&client.exchange(&request).await.unwrap(), &answer);
    }
    for seen in server.await.unwrap() {
        check_same(&seen, &request);
    }
    unit.close().await;
}

/// Same start line, same headers with their case and values, same body; the order of headers is free.
#[track_caller]
fn check_same(seen: &[u8], expected: &[u8]) {
    let parts = |raw: &[u8]| {
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let mut lines = head.split("\r\n").map(|line| line.replace(":  ", ": "));
        let first = lines.next().unwrap();
        let mut headers: Vec<String> = lines.collect();
        headers.sort();
        // hyper writes the length itself, in lower case.
        let headers: Vec<String> =
            headers.into_iter().map(|h| h.replace("content-length", "Content-Length")).collect();
        let mut headers = headers;
        headers.sort();
        (first, headers, raw[end..].to_vec())
    };
    assert_eq!(parts(seen), parts(expected));
}

#[tokio::test]
async fn messages_are_numbered_and_typed_and_other_requests_are_not() {
    let wire = Wire::open().await;
    let mut client = wire.client().await;
    client.post("/message", r#"{"msg_type":"ping"}"#).await.unwrap();
    client.exchange(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    client.post("/message", "no json").await.unwrap();
    assert_eq!(wire.unit.tap().recorded(&Wire::link()), 2);
    let exchanges = wire.close().await;
    let seen: Vec<_> = exchanges
        .iter()
        .map(|e| (e.index, e.kind.as_deref(), e.target.as_str(), &e.fate))
        .collect();
    assert_eq!(
        seen,
        [
            (Some(1), Some("ping"), "POST /message", &Fate::Passed),
            (None, None, "GET /health", &Fate::Passed),
            (Some(2), None, "POST /message", &Fate::Passed),
        ]
    );
    let first = &exchanges[0];
    assert_eq!(first.delivered.as_ref(), Some(&first.request));
    assert_eq!(first.answer, Some(Answer { status: 200, body: first.request.clone() }));
    assert_eq!(first.returned, first.answer);
}

#[tokio::test]
async fn a_dropped_request_closes_the_connection_and_reaches_nobody() {
    let wire = Wire::open().await;
    wire.lay(requests(), Action::Drop);
    let lost = wire.client().await.post("/message", "one").await;
    assert_eq!(kind_of(lost), io::ErrorKind::UnexpectedEof);
    assert_eq!(wire.client().await.post("/message", "two").await.unwrap().0, 200);
    assert_eq!(wire.received().await, ["two"]);
    let exchanges = wire.close().await;
    check(&exchanges[0], 1, &Fate::Dropped(Direction::Request));
    assert_eq!((&exchanges[0].delivered, &exchanges[0].answer), (&None, &None));
    check(&exchanges[1], 2, &Fate::Passed);
}

#[tokio::test]
async fn a_dropped_answer_was_given_all_the_same() {
    let wire = Wire::open().await;
    wire.lay(requests().responses(), Action::Drop);
    let lost = wire.client().await.post("/message", "one").await;
    assert_eq!(kind_of(lost), io::ErrorKind::UnexpectedEof);
    assert_eq!(wire.received().await, ["one"]);
    let exchanges = wire.close().await;
    check(&exchanges[0], 1, &Fate::Dropped(Direction::Response));
    assert!(exchanges[0].answer.is_some() && exchanges[0].returned.is_none());
}

#[tokio::test]
async fn a_duplicate_is_delivered_before_the_first_answer_returns() {
    let wire = Wire::open().await;
    wire.lay(requests(), Action::Duplicate);
    let answer = wire.client().await.post("/message", "one").await.unwrap();
    assert_eq!(answer, (200, "one".to_owned()));
    assert_eq!(wire.received().await, ["one", "one"]);
    let exchanges = wire.close().await;
    check(&exchanges[0], 1, &Fate::Passed);
    check(&exchanges[1], 1, &Fate::Duplicated);
    assert!(exchanges[1].answer.is_some() && exchanges[1].returned.is_none());
}

#[tokio::test]
async fn a_held_message_waits_while_others_pass_and_arrives_when_released() {
    let wire = Wire::open().await;
    wire.lay(requests(), Action::Hold);
    let mut facts = wire.unit.evidence().reader();
    let mut client = wire.client().await;
    let held = tokio::spawn(async move { client.post("/message", "one").await });
    let fact = wait_for(&mut facts, |fact| matches!(fact, Fact::Held { .. })).await;
    let Fact::Held { hold, message } = &fact.fact else { unreachable!() };
    assert_eq!(message.index, Some(1));
    wire.client().await.post("/message", "two").await.unwrap();
    assert_eq!(wire.received().await, ["two"]);
    assert_eq!(wire.unit.tap().held().len(), 1);
    assert!(wire.unit.tap().release(*hold));
    assert!(!wire.unit.tap().release(*hold), "released twice");
    assert_eq!(held.await.unwrap().unwrap().0, 200);
    assert_eq!(wire.received().await, ["two", "one"]);
    let exchanges = wire.close().await;
    check(&exchanges[0], 2, &Fate::Passed);
    let Fate::Held { direction, for_us } = exchanges[1].fate else {
        panic!("{:?}", exchanges[1].fate)
    };
    assert_eq!((exchanges[1].index, direction), (Some(1), Direction::Request));
    assert!(for_us > 0);
}

#[tokio::test]
async fn a_held_message_goes_on_even_if_its_sender_gave_up() {
    let wire = Wire::open().await;
    wire.lay(requests(), Action::Hold);
    let mut facts = wire.unit.evidence().reader();
    let mut client = wire.client().await;
    let len = 3;
    let request = format!("POST /message HTTP/1.1\r\nContent-Length: {len}\r\n\r\none");
    client.stream.write_all(request.as_bytes()).await.unwrap();
    wait_for(&mut facts, |fact| matches!(fact, Fact::Held { .. })).await;
    drop(client);
    assert_eq!(wire.unit.tap().release_all(), 1);
    wait_for(&mut facts, |fact| matches!(fact, Fact::Exchange(_))).await;
    assert_eq!(wire.received().await, ["one"]);
    wire.close().await;
}

#[tokio::test]
async fn a_message_that_is_never_released_is_recorded_as_withheld() {
    let wire = Wire::open().await;
    wire.lay(requests(), Action::Hold);
    let mut facts = wire.unit.evidence().reader();
    let mut client = wire.client().await;
    let held = tokio::spawn(async move { client.post("/message", "one").await });
    wait_for(&mut facts, |fact| matches!(fact, Fact::Held { .. })).await;
    let exchanges = wire.close().await;
    check(&exchanges[0], 1, &Fate::Withheld(Direction::Request));
    assert!(held.await.unwrap().is_err());
}

#[tokio::test]
async fn a_cut_resets_the_connection() {
    let wire = Wire::open().await;
    wire.lay(requests(), Action::Cut);
    let cut = wire.client().await.post("/message", "one").await;
    assert_eq!(kind_of(cut), io::ErrorKind::ConnectionReset);
    wire.lay(requests().responses(), Action::Cut);
    let cut = wire.client().await.post("/message", "two").await;
    assert_eq!(kind_of(cut), io::ErrorKind::ConnectionReset);
    assert_eq!(wire.received().await, ["two"]);
    let exchanges = wire.close().await;
    check(&exchanges[0], 1, &Fate::Cut(Direction::Request));
    check(&exchanges[1], 2, &Fate::Cut(Direction::Response));
}

#[tokio::test]
async fn a_request_is_answered_by_the_rule_and_reaches_nobody() {
    let wire = Wire::open().await;
    wire.lay(requests(), Action::Respond { status: 500, body: b"{\"detail\":1}".to_vec() });
    let mut client = wire.client().await;
    let told = client.post("/message", "one").await.unwrap();
    assert_eq!(told, (500, "{\"detail\":1}".to_owned()));
    // On the same connection: it stays open.
    assert_eq!(client.post("/message", "two").await.unwrap().0, 200);
    assert_eq!(wire.received().await, ["two"]);
    let exchanges = wire.close().await;
    check(&exchanges[0], 1, &Fate::Responded(Direction::Request));
    assert_eq!((&exchanges[0].delivered, &exchanges[0].answer), (&None, &None));
    let returned = Answer { status: 500, body: "{\"detail\":1}".into() };
    assert_eq!(exchanges[0].returned, Some(returned));
    check(&exchanges[1], 2, &Fate::Passed);
}

#[tokio::test]
async fn an_answer_given_by_the_rule_hides_the_one_of_the_peer() {
    let wire = Wire::open().await;
    wire.lay(requests().responses(), Action::Respond { status: 503, body: Vec::new() });
    let told = wire.client().await.post("/message", "one").await.unwrap();
    assert_eq!(told, (503, String::new()));
    assert_eq!(wire.received().await, ["one"]);
    let exchanges = wire.close().await;
    check(&exchanges[0], 1, &Fate::Responded(Direction::Response));
    assert_eq!(exchanges[0].answer, Some(Answer { status: 200, body: "one".into() }));
    assert_eq!(exchanges[0].returned, Some(Answer { status: 503, body: "".into() }));
}

#[tokio::test]
async fn a_replaced_field_arrives_changed_and_all_else_as_it_was() {
    let wire = Wire::open().await;
    let path = "payload.sealed".parse().unwrap();
    let edit = Edit::Field { path, change: FieldChange::FlipOneBit };
    wire.lay(requests(), Action::Replace(edit));
    let sent = r#"{ "msg_type":"x" , "payload": {"sealed" : "aGVsbG8=", "n": 1.50} }"#;
    let arrived = r#"{ "msg_type":"x" , "payload": {"sealed" : "aGVsbG4=", "n": 1.50} }"#;
    wire.client().await.post("/message", sent).await.unwrap();
    assert_eq!(wire.received().await, [arrived]);
    let exchanges = wire.close().await;
    let (direction, what) = (Direction::Request, "payload.sealed".to_owned());
    check(&exchanges[0], 1, &Fate::Replaced { direction, what });
    assert_eq!(exchanges[0].request, sent);
    assert_eq!(exchanges[0].delivered.as_ref().unwrap(), arrived);
}

#[tokio::test]
async fn a_replaced_byte_of_an_answer_reaches_the_asker() {
    let wire = Wire::open().await;
    let edit = Edit::Byte { offset: ByteOffset::FromEnd(0), change: ByteChange::Set(b'!') };
    wire.lay(requests().responses(), Action::Replace(edit));
    let answer = wire.client().await.post("/message", "one").await.unwrap();
    assert_eq!(answer.1, "on!");
    let exchanges = wire.close().await;
    assert_eq!(exchanges[0].answer.as_ref().unwrap().body, "one");
    assert_eq!(exchanges[0].returned.as_ref().unwrap().body, "on!");
}

#[tokio::test]
async fn a_recorded_message_is_replayed_by_a_rule_and_on_demand() {
    let wire = Wire::open().await;
    let mut client = wire.client().await;
    client.post("/message", "one").await.unwrap();
    wire.lay(requests(), Action::Replay { index: 1 });
    client.post("/message", "two").await.unwrap();
    assert_eq!(wire.received().await, ["one", "two", "one"]);
    let answer = wire.unit.tap().replay(&Wire::link(), 2).await.unwrap();
    assert_eq!(answer, Answer { status: 200, body: "two".into() });
    assert_eq!(wire.received().await, ["one", "two", "one", "two"]);
    let (link, index) = (Wire::link(), 9);
    let missing = wire.unit.tap().replay(&link, index).await;
    assert_eq!(missing, Err(ReplayError::NotRecorded { link, index }));
    let exchanges = wire.close().await;
    check(&exchanges[2], 1, &Fate::Replayed);
    check(&exchanges[3], 2, &Fate::Replayed);
}

#[tokio::test]
async fn a_rule_for_everything_also_hits_requests_without_a_message() {
    let wire = Wire::open().await;
    let selector = requests().everything();
    let rule = Rule::new(selector, Lifetime::Standing, Action::Drop).unwrap();
    let id = wire.unit.tap().lay(rule).unwrap();
    let get = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let lost = wire.client().await.exchange(get).await;
    assert_eq!(kind_of(lost), io::ErrorKind::UnexpectedEof);
    let lost = wire.client().await.post("/message", "one").await;
    assert_eq!(kind_of(lost), io::ErrorKind::UnexpectedEof);
    wire.unit.tap().lift(id);
    wire.client().await.exchange(get).await.unwrap();
    let reports = wire.unit.tap().reports();
    assert_eq!((reports[0].matched, reports[0].effects_total), (2, 2));
    wire.close().await;
}

#[tokio::test]
async fn a_rule_that_never_matched_is_reported() {
    let wire = Wire::open().await;
    wire.lay(requests().kind("token").position(Position::Any), Action::Drop);
    wire.client().await.post("/message", r#"{"msg_type":"ping"}"#).await.unwrap();
    let idle = wire.unit.tap().without_effect();
    assert_eq!((idle.len(), idle[0].matched), (1, 0));
    wire.close().await;
}

#[tokio::test]
async fn a_peer_that_is_gone_is_unreachable_and_back_after_its_restart() {
    let wire = Wire::open().await;
    let mut client = wire.client().await;
    client.post("/message", "one").await.unwrap();
    wire.unit.kill("b").await.unwrap();
    let lost = client.post("/message", "two").await;
    assert_eq!(kind_of(lost), io::ErrorKind::UnexpectedEof);
    wire.unit.start("b").await.unwrap();
    assert_eq!(wire.client().await.post("/message", "three").await.unwrap().0, 200);
    let exchanges = wire.close().await;
    assert!(matches!(exchanges[1].fate, Fate::Unreachable { .. }), "{:?}", exchanges[1].fate);
    check(&exchanges[2], 3, &Fate::Passed);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_passed() {
    let wire = Wire::open().await;
    let largest = "x".repeat(BODY_MAX);
    assert_eq!(wire.client().await.post("/message", &largest).await.unwrap().0, 200);
    assert!(wire.client().await.post("/message", &(largest + "x")).await.is_err());
    assert_eq!(wire.unit.tap().recorded(&Wire::link()), 1);
    wire.close().await;
}

#[tokio::test]
async fn an_address_shared_by_several_roles_tells_them_apart_by_the_sender() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good"), ("b", "good"), ("c", "good")]).await;
    unit.start("b").await.unwrap();
    let mut facts = unit.evidence().reader();
    let mut client = Client::at(&unit.tap().advertised("b").unwrap()).await;
    for (body, from) in [
        (r#"{"sender_id":"c"}"#, "c"),
        (r#"{"sender_id":"a"}"#, "a"),
        (r#"{"sender_id":"b"}"#, "?"),
    ] {
        client.post("/message", body).await.unwrap();
        let fact = wait_for(&mut facts, |fact| matches!(fact, Fact::Exchange(_))).await;
        let Fact::Exchange(exchange) = &fact.fact else { unreachable!() };
        assert_eq!(exchange.link, Link::new(from, "b"));
    }
    unit.close().await;
}

/// The error that starting `b` gives, with what caused it.
async fn start_error(behaviour: &str) -> String {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good"), ("b", behaviour)]).await;
    let error = unit.start("b").await.unwrap_err();
    unit.close().await;
    lab.check_nothing_is_left();
    error.to_string()
}

#[tokio::test]
async fn a_peer_that_gives_the_address_of_the_tap_as_its_own_is_refused() {
    let error = start_error("says-what-it-announces").await;
    assert!(error.contains("where the recording proxy listens"), "{error}");
}

#[tokio::test]
async fn a_peer_that_never_answers_a_request_is_given_up_and_the_exchange_says_so() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lab = TestLab::open();
    let mut b = role("b", "good");
    let address = format!("http://{}", silent.local_addr().unwrap());
    b.env.insert("FIXTURE_ADDRESS".to_owned(), address);
    let tap = TapConfig { answer_within: Duration::from_millis(100), ..TapConfig::default() };
    let config =
        handfast_lab::UnitConfig { roles: vec![role("a", "good"), b], tap, ..Default::default() };
    let unit = lab.lab.unit(config).await.unwrap();
    let b = unit.start("b").await.unwrap();
    let wire = Wire { lab, unit, b };

    let closed = wire.client().await.post("/message", "{}").await;
    assert_eq!(kind_of(closed), io::ErrorKind::UnexpectedEof);
    let exchanges = wire.close().await;
    let reason = "no answer within 100ms".to_owned();
    check(&exchanges[0], 1, &Fate::Unreachable { reason });
}
