//! WebSockets between two of ours, and with somebody who does not keep the rules.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use entity_transport::http::{Answer, Handler, Request, Server, ServerLimits, Verb};
use entity_transport::turns::Turns;
use entity_transport::ws::{
    Answers, ConnectFailure, Connection, Full, Incoming, Outcome, Outgoing, Receiver, Side,
    SocketLimits, Verdict, connect,
};
use entity_wire::socket::Notice;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{PATIENCE, read_to_end, within};

/// What a test sees of a connection.
#[derive(Debug)]
enum Seen {
    Opened(Connection),
    Batch(Vec<Incoming>),
    Control(Bytes),
    Outcomes(Vec<(u64, Outcome)>),
    Closed,
}

/// Accepts everything but what begins with `no`, and never answers what begins with `never`.
struct Recorder {
    seen: mpsc::UnboundedSender<Seen>,
    /// Nothing is told before this is open.
    gate: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Recorder {
    fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Seen>) {
        let (seen, watched) = mpsc::unbounded_channel();
        (Arc::new(Self { seen, gate: Mutex::default() }), watched)
    }

    fn note(&self, seen: Seen) {
        // A test that is over looks no more.
        drop(self.seen.send(seen));
    }
}

impl Receiver for Recorder {
    fn opened(&self, connection: &Connection) {
        self.note(Seen::Opened(connection.clone()));
    }

    fn receive(&self, _: &Connection, batch: Vec<Incoming>) -> Answers {
        let verdicts = batch.iter().map(|message| {
            let (Incoming::Text(bytes) | Incoming::Binary(bytes)) = message;
            if bytes.ends_with(b"no") {
                Verdict::Refused(Answer::new(409, r#"{"detail":"no"}"#))
            } else if bytes.ends_with(b"never") {
                Verdict::Later(Box::pin(std::future::pending()))
            } else {
                Verdict::Accepted
            }
        });
        let verdicts = verdicts.collect();
        self.note(Seen::Batch(batch));
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rests_on = gate.map(|gate| -> entity_transport::ws::Passage {
            Box::pin(async move {
                drop(gate.await);
                entity_transport::ws::Settled::Kept
            })
        });
        Answers { verdicts, rests_on }
    }

    fn control(&self, _: &Connection, object: Bytes) {
        self.note(Seen::Control(object));
    }

    fn outcomes(&self, _: &Connection, outcomes: Vec<(u64, Outcome)>) {
        self.note(Seen::Outcomes(outcomes));
    }

    fn closed(&self, _: &Connection) {
        self.note(Seen::Closed);
    }
}

/// Who asks for something by HTTP.
const KNOWN: &str = "known";

struct Endpoints(Arc<Recorder>);

impl Handler for Endpoints {
    fn endpoint(&self, path: &str) -> Option<Verb> {
        (path == "/thing").then_some(Verb::Get)
    }

    fn socket(&self, path: &str) -> Option<Arc<dyn Receiver>> {
        let receiver: Arc<dyn Receiver> = self.0.clone();
        (path == "/ws").then_some(receiver)
    }

    async fn answer(&self, request: Request<'_>) -> Answer {
        request.caller.is(KNOWN);
        Answer::new(200, "{}")
    }
}

/// A server that takes sockets; it stops when told or dropped.
struct Running {
    address: SocketAddr,
    recorder: Arc<Recorder>,
    seen: mpsc::UnboundedReceiver<Seen>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Running {
    fn start(sockets: SocketLimits) -> Self {
        let limits = ServerLimits { sockets, ..ServerLimits::default() };
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits).unwrap();
        let address = server.local_address();
        let (recorder, seen) = Recorder::new();
        let (stop, stopped) = oneshot::channel::<()>();
        let handler = Arc::new(Endpoints(Arc::clone(&recorder)));
        let serving = tokio::spawn(server.serve(handler, async move { drop(stopped.await) }));
        Self { address, recorder, seen, stop: Some(stop), serving }
    }

    async fn dial(&self, limits: SocketLimits) -> Client {
        let (recorder, seen) = Recorder::new();
        let address = format!("http://{}", self.address).parse().unwrap();
        let connection = within(connect(&address, limits, recorder, &Turns::new(1))).await.unwrap();
        Client { connection, seen }
    }

    /// Somebody who writes what a test likes.
    async fn raw(&self) -> WebSocketStream<TcpStream> {
        self.raw_on(TcpStream::connect(self.address).await.unwrap()).await
    }

    async fn raw_on(&self, stream: TcpStream) -> WebSocketStream<TcpStream> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "entity.v1".parse().unwrap());
        let config = WebSocketConfig::default();
        let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        within(upgraded).await.unwrap().0
    }
}

struct Client {
    connection: Connection,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Client {
    fn post(&self, text: &'static str, ticket: u64) {
        let message = Outgoing::text(Bytes::from_static(text.as_bytes())).unwrap();
        self.connection.post(message, ticket, PATIENCE).unwrap();
    }
}

/// The outcomes until there are `count`, as status by ticket; 0 stands for a broken connection, 1 for time.
async fn outcomes(seen: &mut mpsc::UnboundedReceiver<Seen>, count: usize) -> Vec<(u64, u16)> {
    let mut all = Vec::new();
    while all.len() < count {
        if let Seen::Outcomes(outcomes) = next(seen).await {
            all.extend(outcomes.into_iter().map(|(ticket, outcome)| match outcome {
                Outcome::Answered(answer) => (ticket, answer.status),
                Outcome::TimedOut => (ticket, 1),
                Outcome::Broken => (ticket, 0),
            }));
        }
    }
    all
}

async fn next(seen: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
    within(seen.recv()).await.unwrap()
}

/// Everything that is handed over until `count` messages are there.
async fn received(seen: &mut mpsc::UnboundedReceiver<Seen>, count: usize) -> Vec<Incoming> {
    let mut all = Vec::new();
    while all.len() < count {
        if let Seen::Batch(batch) = next(seen).await {
            all.extend(batch);
        }
    }
    all
}

async fn until_closed(seen: &mut mpsc::UnboundedReceiver<Seen>) {
    while !matches!(next(seen).await, Seen::Closed) {}
}

fn text(text: &'static str) -> Incoming {
    Incoming::Text(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn messages_arrive_in_order_and_each_has_its_answer() {
    let mut server = Running::start(SocketLimits::default());
    let mut client = server.dial(SocketLimits::default()).await;
    assert_eq!(client.connection.side(), Side::Dialled);
    client.post("one", 1);
    client.post("no", 2);
    let frame = Bytes::from_static(b"\x11three");
    client.connection.post(Outgoing::binary(frame.clone()), 3, PATIENCE).unwrap();
    let mut outcomes = outcomes(&mut client.seen, 3).await;
    outcomes.sort_unstable();
    assert_eq!(outcomes, [(1, 200), (2, 409), (3, 200)]);
    let expected = [text("one"), text("no"), Incoming::Binary(frame)];
    assert_eq!(received(&mut server.seen, 3).await, expected);
}

#[tokio::test]
async fn what_is_sent_first_goes_first_whoever_waits_for_its_outcome_first() {
    let mut server = Running::start(SocketLimits::default());
    let client = server.dial(SocketLimits::default()).await;
    let send = |text: &'static str| {
        let message = Outgoing::text(Bytes::from_static(text.as_bytes())).unwrap();
        client.connection.send(message, PATIENCE)
    };
    let (one, two, three) = (send("one"), send("two"), send("three"));
    within(async { tokio::join!(three, two, one) }).await;
    assert_eq!(received(&mut server.seen, 3).await, [text("one"), text("two"), text("three")]);
}

#[tokio::test]
async fn whoever_was_dialled_sends_over_the_same_connection() {
    let mut server = Running::start(SocketLimits::default());
    let mut client = server.dial(SocketLimits::default()).await;
    let Seen::Opened(connection) = next(&mut server.seen).await else { unreachable!() };
    assert_eq!(connection.side(), Side::Accepted);
    assert!(connection.remote().ip().is_loopback() && connection.remote() != server.address);
    assert_eq!(client.connection.remote(), server.address);
    let message = Outgoing::text(Bytes::from_static(b"hello")).unwrap();
    let outcome = within(connection.send(message, PATIENCE)).await;
    assert_eq!(outcome, Outcome::Answered(Answer::new(200, "")));
    assert_eq!(received(&mut client.seen, 1).await, [text("hello")]);
    connection.control(br#"{"type":"relay_ack"}"#).unwrap();
    let object = loop {
        if let Seen::Control(object) = next(&mut client.seen).await {
            break object;
        }
    };
    assert_eq!(object, br#"{"type":"relay_ack"}"#.as_slice());
}

#[tokio::test]
async fn ten_thousand_messages_are_answered_with_few_notices() {
    let mut server = Running::start(SocketLimits::default());
    let mut client = server.dial(SocketLimits::default()).await;
    let message = || Outgoing::binary(Bytes::from(vec![0x11; 256]));
    let mut answered = Vec::new();
    let mut next_ticket = 0_u64;
    while answered.len() < 10_000 {
        while next_ticket < 10_000
            && client.connection.post(message(), next_ticket, PATIENCE).is_ok()
        {
            next_ticket += 1;
        }
        answered.extend(outcomes(&mut client.seen, 1).await);
    }
    let expected: Vec<_> = (0..10_000).map(|ticket| (ticket, 200)).collect();
    assert_eq!(answered, expected);
    assert_eq!(received(&mut server.seen, 10_000).await.len(), 10_000);
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_kept() {
    let mut server = Running::start(SocketLimits::default());
    let (keep, kept) = oneshot::channel();
    *server.recorder.gate.lock().unwrap() = Some(kept);
    let mut client = server.dial(SocketLimits::default()).await;
    client.post("one", 1);
    assert_eq!(received(&mut server.seen, 1).await, [text("one")]);
    client.post("two", 2);
    assert_eq!(received(&mut server.seen, 1).await, [text("two")], "it goes on receiving");
    keep.send(()).unwrap();
    assert_eq!(outcomes(&mut client.seen, 2).await, [(1, 200), (2, 200)]);
}

#[tokio::test]
async fn what_has_come_is_read_as_soon_as_there_is_room_for_a_further_batch() {
    let limits = SocketLimits { batch_max: 1, batches_max: 1, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let (open, gate) = oneshot::channel();
    *server.recorder.gate.lock().unwrap() = Some(gate);
    let mut raw = server.raw().await;
    // Both are there before the first is read, and nothing more comes that could wake the reader.
    for text in ["one", "two"] {
        raw.feed(Message::text(text)).await.unwrap();
    }
    raw.flush().await.unwrap();
    assert_eq!(received(&mut server.seen, 1).await, [text("one")]);
    open.send(()).unwrap();
    assert_eq!(received(&mut server.seen, 1).await, [text("two")]);
}

#[tokio::test]
async fn a_full_queue_gives_the_message_back_and_has_room_after_an_answer() {
    let mut server = Running::start(SocketLimits::default());
    let (keep, kept) = oneshot::channel();
    *server.recorder.gate.lock().unwrap() = Some(kept);
    let limits = SocketLimits { unanswered_max: 2, ..SocketLimits::default() };
    let client = server.dial(limits).await;
    client.post("one", 1);
    client.post("two", 2);
    let third = Outgoing::text(Bytes::from_static(b"three")).unwrap();
    let refused = client.connection.post(third.clone(), 3, PATIENCE);
    assert_eq!(refused, Err(Full::Queue(third.clone())));
    let waiting = tokio::spawn({
        let connection = client.connection.clone();
        async move { connection.send(third, PATIENCE).await }
    });
    assert_eq!(received(&mut server.seen, 2).await.len(), 2);
    keep.send(()).unwrap();
    assert_eq!(within(waiting).await.unwrap(), Outcome::Answered(Answer::new(200, "")));
}

#[tokio::test]
async fn bytes_are_bounded_like_messages_but_one_always_has_room() {
    let server = Running::start(SocketLimits::default());
    let limits = SocketLimits { unanswered_max_bytes: 4, ..SocketLimits::default() };
    let client = server.dial(limits).await;
    let never = Outgoing::text(Bytes::from_static(b"never")).unwrap();
    client.connection.post(never.clone(), 1, PATIENCE).unwrap();
    assert!(matches!(client.connection.post(never, 2, PATIENCE), Err(Full::Queue(_))));
}

#[tokio::test]
async fn what_is_not_answered_breaks_with_the_connection() {
    let mut server = Running::start(SocketLimits::default());
    let mut client = server.dial(SocketLimits::default()).await;
    client.post("never", 7);
    assert_eq!(received(&mut server.seen, 1).await.len(), 1);
    drop(server.stop.take());
    assert_eq!(outcomes(&mut client.seen, 1).await, [(7, 0)]);
    until_closed(&mut client.seen).await;
    within(client.connection.closed()).await;
    let late = Outgoing::text(Bytes::from_static(b"late")).unwrap();
    assert!(matches!(client.connection.post(late, 8, PATIENCE), Err(Full::Closed(_))));
    within(server.serving).await.unwrap();
}

#[tokio::test]
async fn a_message_without_an_answer_runs_into_its_time_and_others_do_not() {
    let mut server = Running::start(SocketLimits::default());
    let mut client = server.dial(SocketLimits::default()).await;
    let never = Outgoing::text(Bytes::from_static(b"never")).unwrap();
    client.post("one", 1);
    assert_eq!(outcomes(&mut client.seen, 1).await, [(1, 200)]);
    client.connection.post(never, 2, Duration::from_millis(50)).unwrap();
    assert_eq!(outcomes(&mut client.seen, 1).await, [(2, 1)]);
    assert!(client.connection.is_open());
    assert_eq!(received(&mut server.seen, 2).await.len(), 2);
}

#[tokio::test]
async fn a_silent_connection_is_asked_and_then_given_up() {
    let limits = SocketLimits {
        ping_after: Duration::from_millis(40),
        pings_max: 2,
        ..SocketLimits::default()
    };
    let mut server = Running::start(limits);
    // It takes the connection and never reads: nobody answers the questions.
    let mute = server.raw().await;
    assert!(matches!(next(&mut server.seen).await, Seen::Opened(_)));
    assert!(matches!(next(&mut server.seen).await, Seen::Closed));
    drop(mute);
    // Whoever answers them stays.
    let client = server.dial(SocketLimits::default()).await;
    assert!(matches!(next(&mut server.seen).await, Seen::Opened(_)));
    let quiet = tokio::time::timeout(Duration::from_millis(400), server.seen.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert!(client.connection.is_open());
}

#[tokio::test]
async fn an_answer_to_what_was_never_sent_ends_the_connection() {
    for notice in [
        Notice::Accepted { count: 1 }.encode(),
        Notice::Refused { index: 1, status: 409, body: "" }.encode(),
        vec![1, 2, 3],
    ] {
        let mut server = Running::start(SocketLimits::default());
        let mut liar = server.raw().await;
        liar.send(Message::Binary(notice.clone().into())).await.unwrap();
        until_closed(&mut server.seen).await;
        let ended = within(liar.next()).await;
        assert!(matches!(ended, None | Some(Err(_))), "{notice:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_message_above_the_limit_ends_the_connection() {
    let limits = SocketLimits { message_max_bytes: 1000, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let mut client = server.raw().await;
    client.send(Message::Binary(vec![0x11; 1000].into())).await.unwrap();
    assert_eq!(received(&mut server.seen, 1).await.len(), 1);
    client.send(Message::Binary(vec![0x11; 1001].into())).await.unwrap();
    until_closed(&mut server.seen).await;
}

#[tokio::test]
async fn an_unknown_kind_is_counted_and_handed_over() {
    let mut server = Running::start(SocketLimits::default());
    let mut client = server.raw().await;
    for bytes in [&b"\x33 what is this"[..], b""] {
        client.send(Message::Binary(Bytes::from_static(bytes))).await.unwrap();
    }
    assert_eq!(received(&mut server.seen, 2).await.len(), 2);
    let mut answered = 0;
    while answered < 2 {
        let Some(Ok(Message::Binary(notice))) = within(client.next()).await else { unreachable!() };
        let Ok(Notice::Accepted { count }) = Notice::decode(&notice) else { unreachable!() };
        answered = count;
    }
}

#[tokio::test]
async fn unfinished_messages_of_strangers_share_a_bound_and_a_time() {
    let limits = SocketLimits {
        unfinished_max_bytes: 300 * 1024,
        message_timeout: Duration::from_millis(200),
        ..SocketLimits::default()
    };
    // The first parts of a message that never ends, on several connections: beyond the bound one ends at once.
    let mut server = Running::start(limits);
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut stream = server.raw().await;
        let mut part = vec![0x01, 0xff];
        part.extend_from_slice(&(1024_u64 * 200).to_be_bytes());
        part.extend_from_slice(&[0; 4]);
        part.resize(180 * 1024, b'x');
        tokio::io::AsyncWriteExt::write_all(stream.get_mut(), &part).await.unwrap();
        slow.push(stream);
    }
    // And those within it end in their time.
    let mut closed = 0;
    while closed < 3 {
        if let Seen::Closed = next(&mut server.seen).await {
            closed += 1;
        }
    }
}

#[tokio::test]
async fn without_our_subprotocol_nothing_is_upgraded() {
    let server = Running::start(SocketLimits::default());
    let request = format!("ws://{}/ws", server.address).into_client_request().unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let refused = tokio_tungstenite::client_async(request, stream).await.unwrap_err();
    assert!(matches!(refused, Error::Http(response) if response.status() == 400));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let plain = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSec-WebSocket-Protocol: entity.v1\r\n\r\n";
    stream.write_all(plain).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn whoever_does_not_upgrade_is_told_apart_from_nobody() {
    let server = Running::start(SocketLimits::default());
    let (recorder, _seen) = Recorder::new();
    let elsewhere = format!("http://{}/elsewhere", server.address).parse().unwrap();
    let limits = SocketLimits::default();
    let failure =
        within(connect(&elsewhere, limits, recorder.clone(), &Turns::new(1))).await.unwrap_err();
    assert!(matches!(failure, ConnectFailure::Upgrade(_)), "{failure:?}");
    let address = format!("ws://{}", server.address).parse().unwrap();
    drop(server.stop);
    within(server.serving).await.unwrap();
    let failure = within(connect(&address, limits, recorder, &Turns::new(1))).await.unwrap_err();
    assert!(matches!(failure, ConnectFailure::Connect(_)), "{failure:?}");
}

#[tokio::test]
async fn a_stranger_who_says_nothing_gives_way_to_the_next() {
    let limits = SocketLimits { connections_per_host_max: 1, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let first = server.dial(SocketLimits::default()).await;
    let second = server.dial(SocketLimits::default()).await;
    within(first.connection.closed()).await;
    until_closed(&mut server.seen).await;
    assert!(second.connection.is_open());
}

#[tokio::test]
async fn one_host_has_its_share_of_connections_and_gets_it_back() {
    let limits = SocketLimits { connections_per_host_max: 1, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let first = server.dial(SocketLimits::default()).await;
    let Seen::Opened(known) = next(&mut server.seen).await else { unreachable!() };
    known.belongs_to("known");
    let (recorder, _seen) = Recorder::new();
    let address = format!("ws://{}", server.address).parse().unwrap();
    let refused = within(connect(&address, limits, recorder, &Turns::new(1))).await.unwrap_err();
    let ConnectFailure::Upgrade(error) = refused else { unreachable!("{refused:?}") };
    assert!(matches!(*error, Error::Http(response) if response.status() == 503));
    first.connection.close();
    until_closed(&mut server.seen).await;
    // The place is free just after the receiver has heard of the end.
    let again = async {
        loop {
            let (recorder, _seen) = Recorder::new();
            if connect(&address, limits, recorder, &Turns::new(1)).await.is_ok() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(again).await;
}

/// Has the server write to somebody who does not read until nothing more is taken.
async fn blocked(server: &mut Running) -> (WebSocketStream<TcpStream>, Connection) {
    let mut client = server.raw().await;
    let Seen::Opened(connection) = next(&mut server.seen).await else { unreachable!() };
    // More than what systems keep for both ends of a connection.
    let message = || Outgoing::binary(Bytes::from(vec![b'f'; 1024 * 1024]));
    let mut tickets = 0..;
    // None runs into its time while a test waits.
    while connection.post(message(), tickets.next().unwrap(), PATIENCE * 10).is_ok() {}
    // In the turn in which this comes as much is written as is taken. There is one thread: it has ended when the test goes on.
    client.send(Message::Text("now".into())).await.unwrap();
    received(&mut server.seen, 1).await;
    (client, connection)
}

#[tokio::test]
async fn whoever_does_not_read_gives_way_to_the_next_as_well() {
    let limits = SocketLimits { connections_per_host_max: 1, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let (_deaf, connection) = blocked(&mut server).await;
    let next = server.dial(SocketLimits::default()).await;
    let told = outcomes(&mut server.seen, 16).await;
    assert!(told.iter().all(|(_, status)| *status == 0), "{told:?}");
    within(connection.closed()).await;
    until_closed(&mut server.seen).await;
    assert!(next.connection.is_open());
}

#[tokio::test]
async fn a_connection_is_closed_whether_or_not_the_other_side_reads() {
    let mut server = Running::start(SocketLimits::default());
    let (_deaf, connection) = blocked(&mut server).await;
    connection.close();
    until_closed(&mut server.seen).await;
    assert!(!connection.is_open());
}

#[tokio::test]
async fn what_needs_no_answer_counts_as_one_of_a_batch() {
    let limits = SocketLimits { batch_max: 2, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let mut client = server.raw().await;
    // An envelope may end a turn by itself.
    let frame = Bytes::from_static(b"\x11frame");
    for _ in 0..2 {
        client.feed(Message::Binary(Bytes::from_static(b"\x10{}"))).await.unwrap();
        client.feed(Message::Binary(frame.clone())).await.unwrap();
    }
    client.flush().await.unwrap();
    for _ in 0..2 {
        while !matches!(next(&mut server.seen).await, Seen::Control(_)) {}
        let Seen::Batch(batch) = next(&mut server.seen).await else { unreachable!() };
        assert_eq!(batch, [Incoming::Binary(frame.clone())]);
    }
}

#[tokio::test]
async fn whoever_waits_for_an_answer_keeps_its_place() {
    let limits = SocketLimits { connections_per_host_max: 1, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let (open, gate) = oneshot::channel();
    *server.recorder.gate.lock().unwrap() = Some(gate);
    let mut first = server.dial(limits).await;
    first.post("one", 1);
    received(&mut server.seen, 1).await;
    let (recorder, _seen) = Recorder::new();
    let address = format!("ws://{}", server.address).parse().unwrap();
    let refused = within(connect(&address, limits, recorder, &Turns::new(1))).await.unwrap_err();
    assert!(matches!(refused, ConnectFailure::Upgrade(_)), "{refused:?}");
    open.send(()).unwrap();
    assert_eq!(outcomes(&mut first.seen, 1).await, [(1, 200)]);
    let _second = server.dial(limits).await;
    within(first.connection.closed()).await;
}

#[tokio::test]
async fn a_peer_that_was_known_before_its_upgrade_is_so_afterwards() {
    let limits = SocketLimits { connections_per_host_max: 1, ..SocketLimits::default() };
    let mut server = Running::start(limits);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /thing HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{}") {
        within(stream.read_buf(&mut answer)).await.unwrap();
    }
    let _first = server.raw_on(stream).await;
    let Seen::Opened(known) = next(&mut server.seen).await else { unreachable!() };
    known.belongs_to(KNOWN);
    let (recorder, _seen) = Recorder::new();
    let address = format!("ws://{}", server.address).parse().unwrap();
    let refused = within(connect(&address, limits, recorder, &Turns::new(1))).await.unwrap_err();
    assert!(matches!(refused, ConnectFailure::Upgrade(_)), "{refused:?}");
}
