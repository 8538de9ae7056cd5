//! HTTP and the peer contract around a [`Desk`]: the one place with sockets, a clock and standard streams.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handfast_contract::codec::{self, LINE_LEN_MAX};
use handfast_contract::message::{Message, PARSE_ERROR, RpcError};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::conversation::Conversation;
use crate::desk::Desk;
use crate::expression::Fresh;
use crate::player::Player;

/// The largest body that is read.
pub(crate) const BODY_LEN_MAX: usize = 1024 * 1024;
/// How long a message of the stub may take.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// How long after a failed accept the next one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// What connections may take.
const BOUNDS: Bounds = Bounds { connections: 64, within: Duration::from_mins(1) };

/// What connections may take.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Open at the same time; further ones wait in the system's queue.
    connections: usize,
    /// How long one may be open: a peer that says nothing gives its place back.
    within: Duration,
}

/// What the stub is told by its environment.
#[derive(Debug, Clone)]
pub struct Role {
    /// `HANDFAST_NAME`.
    pub name: String,
    /// The peer it stands for.
    pub of: String,
    /// `HANDFAST_LISTEN`.
    pub listen: String,
    /// `HANDFAST_PROTOCOL`: a version, or `both`.
    pub protocol: String,
    /// Where its randomness comes from.
    pub seed: [u8; 32],
}

/// Plays until standard input ends or `shutdown` comes.
///
/// # Errors
/// It cannot listen, or no conversation is of the wanted version; a sentence for a person.
pub async fn serve(role: Role, conversations: Vec<Conversation>) -> Result<(), String> {
    let wanted = |known: &Conversation| role.protocol == "both" || known.version == role.protocol;
    let chosen: Vec<Conversation> = conversations.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err(format!("no recorded conversation is of version {}", role.protocol));
    }
    let listener = TcpListener::bind(&role.listen).await;
    let listener =
        listener.map_err(|error| format!("cannot listen on {}: {error}", role.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let player = Player::new(&role.name, chosen, Fresh::seeded(role.seed));
    let desk = Desk::new(&role.name, &role.of, &format!("http://{address}"), player);
    let desk = Arc::new(Mutex::new(desk));
    let accepting = tokio::spawn(accept(listener, Arc::clone(&desk), BOUNDS));
    let result = contract(&desk).await;
    accepting.abort();
    result
}

async fn contract(desk: &Arc<Mutex<Desk>>) -> Result<(), String> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    loop {
        if !read_line(&mut input, &mut line).await? {
            return Ok(());
        }
        let (id, method, params) = match codec::decode(&line) {
            Ok(Message::Request { id, method, params }) => (id, method, params),
            // Nothing here takes long enough to be withdrawn.
            Ok(Message::Notification { .. } | Message::Response { .. }) => continue,
            Err(error) => {
                let error = RpcError { code: PARSE_ERROR, message: error.to_string(), data: None };
                say(&Message::Response { id: None, outcome: Err(error) })?;
                continue;
            }
        };
        let outcome = {
            let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
            desk.handle_request(&method, params)
        };
        let ended = method == "shutdown" && outcome.is_ok();
        say(&Message::Response { id: Some(id), outcome })?;
        if ended {
            return Ok(());
        }
    }
}

/// Reads the next line of the contract; `false` at the end.
pub(crate) async fn read_line(
    input: &mut BufReader<tokio::io::Stdin>,
    line: &mut Vec<u8>,
) -> Result<bool, String> {
    line.clear();
    let limit = u64::try_from(LINE_LEN_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let read = input.take(limit).read_until(b'\n', line).await;
    read.map(|len| len > 0).map_err(|error| error.to_string())
}

pub(crate) fn say(message: &Message) -> Result<(), String> {
    let line = codec::encode(message).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).map_err(|error| error.to_string())
}

async fn accept(listener: TcpListener, desk: Arc<Mutex<Desk>>, bounds: Bounds) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log(&format!("cannot accept a connection: {error}"));
                // With no descriptors left, accepting again at once would spin.
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, Arc::clone(&desk)));
            let served = hyper::server::conn::http1::Builder::new();
            let served = served.serve_connection(TokioIo::new(stream), answer);
            if let Ok(Err(error)) = timeout(bounds.within, served).await {
                log(&format!("a connection broke: {error}"));
            }
            drop(place);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    desk: Arc<Mutex<Desk>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_message = request.method() == hyper::Method::POST && request.uri().path() == "/message";
    let body = Limited::new(request.into_body(), BODY_LEN_MAX).collect().await;
    let (true, Ok(body)) = (is_message, body) else {
        return Ok(response(404, "{\"detail\":\"a stub only answers POST /message\"}".to_owned()));
    };
    let posted = {
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        let posted = desk.handle_post(&body.to_bytes(), &now());
        // Told while the desk is locked, so that events keep the order in which they are counted.
        for notice in &posted.notices {
            if let Err(error) = say(notice) {
                log(&error);
            }
        }
        posted
    };
    if posted.status != 200 {
        log(&format!("refused: {}", posted.body));
    }
    tokio::spawn(async move {
        for (address, message) in posted.sends {
            if let Err(error) = send(&address, &message).await {
                log(&format!("not delivered to {address}: {error}"));
            }
        }
    });
    Ok(response(posted.status, posted.body.to_string()))
}

pub(crate) async fn send(address: &str, message: &Json) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let at = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
    let work = async {
        let stream = TcpStream::connect(at).await.map_err(|error| text(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| text(&error))?;
        tokio::spawn(async move { drop(connection.await) });
        let body = Full::new(Bytes::from(message.to_string()));
        let request = Request::post("/message")
            .header("host", at)
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| text(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| text(&error))?;
        if answer.status() == StatusCode::OK {
            Ok(())
        } else {
            Err(format!("answered {}", answer.status()))
        }
    };
    timeout(SEND_WITHIN, work).await.map_err(|_| "no answer".to_owned())?
}

pub(crate) fn response(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

fn log(line: &str) {
    // Standard error is the log of a peer; nobody is left to tell if it is closed.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
