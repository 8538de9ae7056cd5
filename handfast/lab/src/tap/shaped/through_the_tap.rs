//! Links behind a whole tap: what two peers see of them, over HTTP and over WebSockets.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, client_async};

use super::*;
use crate::clock::Clock;
use crate::evidence::Evidence;
use crate::tap::{Tap, TapConfig};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(20);

/// A tap between `a`, which a test plays, and `b`, with a delay of 30 ms each way.
struct Line {
    tap: Tap,
    shapes: Arc<Shapes>,
    b: JoinHandle<()>,
}

impl Line {
    async fn open<F: Future<Output = ()> + Send + 'static>(b: fn(TcpStream) -> F) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behind = listener.local_addr().unwrap();
        let b = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(b(stream));
            }
        });
        let delayed = || serde_json::from_str::<Conditions>(r#"{"delay": "30ms"}"#).unwrap();
        let base = [("a", "b"), ("b", "a")].map(|(from, to)| (Link::new(from, to), delayed()));
        let shapes = Arc::new(Shapes::new(7, base.into()));
        let roles = ["a", "b"].map(str::to_owned);
        let evidence = Evidence::new(Clock::start());
        let config = TapConfig::default();
        let tap = Tap::open(&roles, config, evidence, shapes.clone()).await.unwrap();
        tap.set_upstream("b", behind).unwrap();
        Self { tap, shapes, b }
    }

    async fn connect(&self) -> TcpStream {
        self.tap.connect(&Link::new("a", "b")).await.unwrap()
    }

    async fn web_socket(&self) -> tokio_tungstenite::WebSocketStream<TcpStream> {
        let dialling = client_async("ws://b/ws", self.connect().await);
        timeout(LONG, dialling).await.unwrap().unwrap().0
    }

    fn cut(&self, how: Option<Cut>) {
        let cut = Conditions { cut: how, ..Conditions::default() };
        self.shapes.set("a", "b", cut);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.b.abort();
    }
}

/// Answers every request on a connection.
async fn answer(mut stream: TcpStream) {
    let mut request = [0; 4_096];
    while let Ok(1..) = stream.read(&mut request).await {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// Sends every message of a WebSocket back.
async fn echo(stream: TcpStream) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() || socket.send(message).await.is_err() {
            return;
        }
    }
}

const POST: &[u8] = b"POST /message HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}";

/// Posts a message and waits for its answer; says how long that took.
async fn post(stream: &mut TcpStream) -> io::Result<Duration> {
    let began = Instant::now();
    stream.write_all(POST).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok") {
        let mut more = [0; 4_096];
        let count = timeout(LONG, stream.read(&mut more)).await.unwrap()?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&more[..count]);
    }
    Ok(began.elapsed())
}

#[tokio::test]
async fn a_request_takes_a_round_trip_and_the_first_one_that_of_its_connection_too() {
    let line = Line::open(answer).await;
    let mut stream = line.connect().await;
    let (first, second) = (post(&mut stream).await.unwrap(), post(&mut stream).await.unwrap());
    assert!(first >= 120 * MS, "{first:?}");
    assert!(second >= 60 * MS, "{second:?}");
}

#[tokio::test]
async fn a_request_behind_a_silent_cut_is_answered_once_it_is_lifted() {
    let line = Line::open(answer).await;
    let mut stream = line.connect().await;
    post(&mut stream).await.unwrap();
    line.cut(Some(Cut::Silent));
    let mut posting = Box::pin(post(&mut stream));
    assert!(timeout(100 * MS, &mut posting).await.is_err());
    line.cut(None);
    posting.await.unwrap();
}

#[tokio::test]
async fn a_link_that_resets_resets_the_connection_of_whoever_asks() {
    let line = Line::open(answer).await;
    let mut stream = line.connect().await;
    post(&mut stream).await.unwrap();
    line.cut(Some(Cut::Reset));
    let error = post(&mut stream).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    // Nor is a new one of any use.
    let error = post(&mut line.connect().await).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    line.cut(None);
    post(&mut line.connect().await).await.unwrap();
}

#[tokio::test]
async fn messages_of_a_web_socket_take_their_time_each_way() {
    let line = Line::open(echo).await;
    let mut socket = line.web_socket().await;
    let began = Instant::now();
    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.unwrap();
    }
    for text in ["one", "two"] {
        let back = timeout(LONG, socket.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(back, Message::text(text));
    }
    let took = began.elapsed();
    assert!(took >= 60 * MS, "{took:?}");
}

#[tokio::test]
async fn a_web_socket_over_a_link_that_resets_ends_without_a_farewell() {
    let line = Line::open(echo).await;
    let mut socket = line.web_socket().await;
    line.cut(Some(Cut::Reset));
    socket.send(Message::text("gone")).await.unwrap();
    let end = timeout(LONG, socket.next()).await.unwrap();
    assert!(matches!(end, Some(Err(Error::Io(_) | Error::Protocol(_)))), "{end:?}");
    // And none can be opened.
    let dialling = client_async("ws://b/ws", line.connect().await);
    assert!(timeout(LONG, dialling).await.unwrap().is_err());
}
