//! A peer with HTTP alone and one with WebSockets alone, by a relay between them, as real processes.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::SystemTime;

use entity_bridge::member::{Member, Step};
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::relay::{Control, Form, ForwardId, Header, forward as wire};
use entity_wire::socket::{CONTROL, Notice};
use entity_wire::time::Timestamp;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::Shim;

/// A place before the relay that can be cut and restored, and may change what passes.
struct Place {
    address: SocketAddr,
    behind: Arc<Mutex<SocketAddr>>,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Place {
    /// `change` sees every piece that the relay sends.
    fn before(behind: &str, change: fn(&mut [u8])) -> Self {
        let behind = Arc::new(Mutex::new(host(behind)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_cut, open) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let place = Self {
            address,
            behind: Arc::clone(&behind),
            is_cut: Arc::clone(&is_cut),
            open: Arc::clone(&open),
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let other = TcpStream::connect(*behind.lock().unwrap());
                let (Ok(stream), Ok(other)) = (stream, other) else { continue };
                let mut open = open.lock().unwrap();
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let (to, from) = (other.try_clone().unwrap(), stream.try_clone().unwrap());
                open.extend([stream.try_clone().unwrap(), other.try_clone().unwrap()]);
                thread::spawn(move || pass(from, to, |_| ()));
                thread::spawn(move || pass(other, stream, change));
            }
        });
        place
    }

    /// Leads there from here on.
    fn lead(&self, behind: &str) {
        *self.behind.lock().unwrap() = host(behind);
    }

    fn cut(&self) {
        let mut open = self.open.lock().unwrap();
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in open.drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn restore(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn host(base: &str) -> SocketAddr {
    base.trim_start_matches("http://").parse().unwrap()
}

fn pass(mut from: TcpStream, mut to: TcpStream, change: fn(&mut [u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        change(&mut buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}

pub(crate) fn peer(name: &str, settings: &[(&str, String)]) -> (Shim, String, String) {
    started(Shim::command(name), settings)
}

fn started(mut command: Command, settings: &[(&str, String)]) -> (Shim, String, String) {
    command.arg("--test-peer").env("HANDFAST_PROTOCOL", "1.1").env("HANDFAST_SEED", "7");
    for (setting, value) in settings {
        command.env(setting, value);
    }
    let mut shim = Shim::spawn(command);
    let it = shim.call("initialize", json!({"contract": "1"}));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (address, key) = (text(&it["addresses"]["http"]), text(&it["keys"]["ed25519"]));
    (shim, address, key)
}

pub(crate) fn add(shim: &mut Shim, name: &str, address: &str, key: &str) {
    let params = json!({"name": name, "address": address, "key": key, "connect": false});
    assert_eq!(shim.call("peer.add", params), json!({}));
}

/// A with HTTP alone, C with WebSockets alone, and the relay.
struct World {
    a: Shim,
    c: Shim,
    _relay: Shim,
    /// Where A posts to.
    relay_at: String,
    /// The key of the relay that C has pinned.
    pinned: String,
    place: Place,
    /// The log of C, line by line. It is read all the time: who writes to a full pipe stands still.
    log: mpsc::Receiver<String>,
}

impl World {
    /// `pinned` is the key that C has for the relay; the relay's own where there is none.
    fn new(change: fn(&mut [u8]), pinned: Option<&str>) -> Self {
        let (mut relay, relay_at, relay_key) =
            peer("relay", &[("ENTITY_RELAY_ROLE", "true".to_owned())]);
        let place = Place::before(&relay_at, change);
        let (mut a, a_at, a_key) = peer("a", &[]);
        let pinned = pinned.unwrap_or(&relay_key).to_owned();
        let via = format!("ws://{}#{pinned}", place.address);
        let settings = [("ENTITY_WS", "only".to_owned()), ("ENTITY_RELAY", via)];
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Shim::command("c");
        command.stderr(writer);
        let (mut c, _, c_key) = started(command, &settings);
        let (lines, log) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                // A test that does not look at them is done with them.
                drop(lines.send(line));
            }
        });
        add(&mut relay, "a", &a_at, &a_key);
        add(&mut a, "c", &format!("{relay_at}/relay/{c_key}"), &c_key);
        add(&mut c, "a", &a_at, &a_key);
        Self { a, c, _relay: relay, relay_at, pinned, place, log }
    }

    /// What C holds against the relay, as its event says it.
    fn held_by_c(&self, why: &str, event: &Value) -> Value {
        let relay = format!("ws://{}", self.place.address);
        json!({"n": event["n"], "relay": relay, "key": self.pinned, "why": why})
    }

    /// Waits until C says in its log what it holds against the relay.
    fn suspicion(&mut self) -> String {
        self.log.iter().find(|line| line.contains("relay suspected")).unwrap()
    }
}

/// Sends a durable message; where the queue is full, once there is room.
fn send(from: &mut Shim, to: &str, number: u64) {
    let params = json!({"to": to, "body": {"n": number}, "durable": true});
    loop {
        let id = from.request("message.send", params.clone());
        let sent = from.answer(id);
        match sent["error"]["data"]["code"].as_str() {
            None => return,
            Some("SERVICE_UNAVAILABLE") => {}
            Some(_) => panic!("{sent}"),
        }
    }
}

/// What the events of a peer say that it has received, in order.
pub(crate) fn received(shim: &mut Shim, count: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        for event in shim.events.drain(..) {
            if event["method"] == "message.received" && event["params"]["type"] == "message" {
                numbers.push(event["params"]["body"]["n"].as_u64().unwrap());
            }
        }
        if numbers.len() as u64 >= count {
            return numbers;
        }
        let event = shim.read();
        shim.events.push(event);
    }
}

/// Both send to each other by the relay, while the WebSocket is cut and restored.
fn check(count: u64, cuts: u64) {
    let World { mut a, mut c, place, _relay, log: _log, .. } = World::new(|_| (), None);
    for number in 0..count {
        send(&mut a, "c", number);
        if number % 10 == 0 {
            send(&mut c, "a", number / 10);
        }
        let span = count / cuts;
        if number % span == span / 3 {
            place.cut();
        } else if number % span == span / 2 {
            place.restore();
        }
    }
    assert_eq!(received(&mut c, count), (0..count).collect::<Vec<_>>());
    assert_eq!(received(&mut a, count.div_ceil(10)), (0..count.div_ceil(10)).collect::<Vec<_>>());
    // The answers come after every event before them: nothing more has come.
    c.call("outbox.list", json!({}));
    a.call("outbox.list", json!({}));
    assert_eq!((received(&mut c, 0), received(&mut a, 0)), (vec![], vec![]));
}

/// `RELAY_MESSAGES=10000` sends as many; by itself the test is short.
#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for the long form of the test")]
fn thousands_of_messages_cross_a_relay_once_and_in_order_while_the_websocket_is_cut_twenty_times() {
    let count = std::env::var("RELAY_MESSAGES").map_or(2_000, |count| count.parse().unwrap());
    check(count, 20);
}

#[test]
fn a_relay_without_the_pinned_key_is_named() {
    // Another key than that of the relay.
    let pinned = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let mut world = World::new(|_| (), Some(pinned));
    let line = world.suspicion();
    assert!(line.contains("impersonates") && line.contains(&world.place.address.to_string()));
    let event = world.c.event("relay.suspected");
    assert_eq!(event, world.held_by_c("impersonates", &event));
}

/// Changes one digit of each signature that passes.
fn tamper(piece: &mut [u8]) {
    let name = b"\"signature\":\"";
    let found = piece.windows(name.len()).position(|window| window == name);
    if let Some(digit) = found.and_then(|at| piece.get_mut(at + name.len() + 3)) {
        *digit = if *digit == b'A' { b'B' } else { b'A' };
    }
}

#[test]
fn a_relay_that_changes_messages_is_named() {
    // The proof of the relay has a signature, too, and must stay whole; it comes with a type.
    let mut world = World::new(
        |piece| {
            if !piece.windows(6).any(|at| at == b"relay_") {
                tamper(piece);
            }
        },
        None,
    );
    for number in 0..3 {
        send(&mut world.a, "c", number);
    }
    let line = world.suspicion();
    assert!(line.contains("tampers") && line.contains(&world.place.address.to_string()));
    let event = world.c.event("relay.suspected");
    assert_eq!(event, world.held_by_c("tampers", &event));
    // The sender is told what its recipient refused, and knows by whom it went.
    let event = world.a.event("relay.suspected");
    let held = json!({"n": event["n"], "relay": world.relay_at, "key": null, "why": "tampers"});
    assert_eq!(event, held);
}

/// Somebody who connects to the relay from this host of the loopback network, and never registers.
async fn stranger(from: [u8; 4], relay: &str) -> WebSocketStream<tokio::net::TcpStream> {
    let relay = host(relay);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let stream = socket.connect(relay).await.unwrap();
    let mut request = format!("ws://{relay}/ws").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "entity.v1".parse().unwrap());
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

/// Forwards a message for the key, and returns the status that the relay answers.
async fn forward(
    over: &mut WebSocketStream<tokio::net::TcpStream>,
    recipient: &str,
    number: u8,
) -> u16 {
    forward_after(over, recipient, (number, 0)).await
}

/// The same, of a message that so many relays have passed on already.
async fn forward_after(
    over: &mut WebSocketStream<tokio::net::TcpStream>,
    recipient: &str,
    (number, hops): (u8, u8),
) -> u16 {
    let recipient = PublicKey::from_hex(recipient).unwrap();
    let (id, form) = (ForwardId::from_bytes([number; 16]), Form::Envelope);
    let forward = Header { hops, id, recipient, form }.write(b"{}");
    over.send(Message::binary(forward)).await.unwrap();
    loop {
        let Message::Binary(bytes) = over.next().await.unwrap().unwrap() else { continue };
        match Notice::decode(&bytes) {
            Ok(Notice::Accepted { .. }) => return 200,
            Ok(Notice::Refused { status, .. }) => return status,
            // The challenge of the relay.
            Err(_) => {}
        }
    }
}

#[tokio::test]
async fn strangers_of_one_host_have_no_share_in_what_those_of_another_may_leave() {
    let settings = [("ENTITY_RELAY_ROLE", "true"), ("ENTITY_RELAY_MAIL_MAX", "4")];
    let settings = settings.map(|(name, value)| (name, value.to_owned()));
    let (mut relay, relay_at, _) = peer("relay", &settings);
    let keys = [3_u8, 4].map(|seed| SigningKey::from_seed([seed; 32]).public_key().to_string());
    // Nobody listens there, so that everything is kept.
    for (name, key) in ["x", "y"].into_iter().zip(&keys) {
        add(&mut relay, name, "http://127.0.0.1:1", key);
    }
    let mut greedy = stranger([127, 0, 0, 2], &relay_at).await;
    for number in 1..=4 {
        assert_eq!(forward(&mut greedy, &keys[0], number).await, 200);
    }
    assert_eq!(forward(&mut greedy, &keys[1], 5).await, 503, "its own share is full");
    let mut modest = stranger([127, 0, 0, 3], &relay_at).await;
    assert_eq!(forward(&mut modest, &keys[1], 6).await, 200);
}

/// Waits until a peer is registered at its relay.
fn registered(shim: &mut Shim) {
    while shim.call("route.list", json!({}))["relays"][0]["registered"] != true {
        thread::yield_now();
    }
}

#[tokio::test]
async fn two_relays_that_ask_each_other_refuse_who_is_nobodys_member_and_what_has_passed_too_many()
{
    let role = || ("ENTITY_RELAY_ROLE", "true".to_owned());
    // Its key follows from its name and the seed, and is needed before it runs.
    let (_, _, far_key) = peer("far", &[role()]);
    let place = Place::before("http://127.0.0.1:1", |_| ());
    let via = |at: &dyn std::fmt::Display, key: &str| ("ENTITY_RELAY", format!("ws://{at}#{key}"));
    let (mut near, near_at, near_key) = peer("near", &[role(), via(&place.address, &far_key)]);
    let (mut far, far_at, again) = peer("far", &[role(), via(&host(&near_at), &near_key)]);
    assert_eq!(again, far_key);
    place.lead(&far_at);
    registered(&mut near);
    registered(&mut far);
    let nobody = SigningKey::from_seed([3; 32]).public_key().to_string();
    let mut stranger = stranger([127, 0, 0, 1], &near_at).await;
    assert_eq!(forward(&mut stranger, &nobody, 1).await, 403, "it went round once");
    assert_eq!(forward(&mut stranger, &nobody, 1).await, 403, "and is no other the second time");
    let (most, more) = (wire::HOPS_MAX, wire::HOPS_MAX + 1);
    assert_eq!(forward_after(&mut stranger, &nobody, (2, most)).await, 403, "no further relay");
    assert_eq!(forward_after(&mut stranger, &nobody, (3, more)).await, 400);
}

/// The wall clock: a registration is refused where it lies elsewhere.
#[expect(clippy::disallowed_methods, reason = "the relay is a process with a clock of its own")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::UNIX_EPOCH.plus(since)
}

#[tokio::test]
async fn mail_leaves_in_the_order_in_which_it_came() {
    let settings = [("ENTITY_RELAY_ROLE", "true".to_owned())];
    let (mut relay, relay_at, relay_key) = peer("relay", &settings);
    let key = SigningKey::from_seed([3; 32]);
    let hex = key.public_key().to_string();
    // Nobody listens there, so that everything is kept.
    add(&mut relay, "x", "http://127.0.0.1:1", &hex);
    let mut giver = stranger([127, 0, 0, 2], &relay_at).await;
    for number in 1..=MAIL_UNDER_WAY {
        assert_eq!(forward(&mut giver, &hex, number).await, 200);
    }
    let mut taker = stranger([127, 0, 0, 3], &relay_at).await;
    let pinned = PublicKey::from_hex(&relay_key).unwrap();
    let mut member = Member::new("x".parse().unwrap(), key, pinned, [5; 32]);
    member.handle_opened(now());
    let mut came = Vec::new();
    while came.len() < usize::from(MAIL_UNDER_WAY) {
        let Message::Binary(bytes) = taker.next().await.unwrap().unwrap() else { continue };
        let Some(object) = bytes.strip_prefix(&[CONTROL]) else {
            came.push(Header::read(&bytes).unwrap().0.id.as_bytes()[0]);
            continue;
        };
        if let Step::Say(said) = member.handle_control(&Control::read(object).unwrap(), now()) {
            let said = [&[CONTROL], &said.to_json()[..]].concat();
            taker.send(Message::binary(said)).await.unwrap();
        }
    }
    assert_eq!(came, (1..=MAIL_UNDER_WAY).collect::<Vec<_>>());
}

/// How much mail a relay sends without an acknowledgement (docs/protocol/1.1.md#relay-mail).
const MAIL_UNDER_WAY: u8 = 64;
