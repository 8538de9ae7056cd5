//! WebSockets through the tap.
//!
//! The upgrade is an exchange of the type [`UPGRADE`]: a rule that cuts this type keeps connections from being made, and one
//! that is laid while they are open breaks them. What goes over a connection is recorded message by message, in both
//! directions: what the side that was dialled sends is on the link that leads back. A text message is a message like one that
//! is posted, with its type and number; of a binary one only the bytes are known.
//!
//! A connection has no half of a message to lose: what is dropped ends it. A copy is posted, so that neither side loses count.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use handfast_faults::{Direction, Link, Verdict};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName};
use hyper::http::request::Parts;
use hyper::{Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest as _};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::tap::exchange::{Answer, Exchange, Fate};
use crate::tap::relay::{Outcome, held, replaced, replay, send_again};
use crate::tap::stream::Stream;
use crate::tap::upstream::Upstream;
use crate::tap::wire::{Admitted, Request, Wire};
use crate::tap::{BODY_MAX, ground};

/// The message type of an upgrade to a WebSocket, for rules.
pub const UPGRADE: &str = "websocket";

/// The target of what goes over a connection, in the record.
const TARGET: &str = "WEBSOCKET";

const SUBPROTOCOL: HeaderName = header::SEC_WEBSOCKET_PROTOCOL;

/// Whether a request asks for a WebSocket.
pub(super) fn is_upgrade(request: &HttpRequest<Incoming>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    upgrade
        .and_then(|value| value.to_str().ok())
        .is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
}

/// Carries an upgrade through, and everything that goes over it afterwards.
pub(super) async fn open(
    wire: Arc<Wire>,
    link: Link,
    mut request: HttpRequest<Incoming>,
) -> Result<Response<Full<Bytes>>, Outcome> {
    let Some(permit) = wire.enter().await else { return Err(Outcome::Closed) };
    let upgrading = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let asked = Request { head: Arc::new(head), body: Bytes::new() };
    let Admitted { mut exchange, decided } = wire.admit_as(&link, &asked, Some(UPGRADE), true);
    exchange.rule = decided.rule;
    let refused = match decided.verdict {
        Verdict::Cut => Some((Fate::Cut(Direction::Request), Outcome::Reset)),
        Verdict::Drop | Verdict::Respond { .. } => {
            Some((Fate::Dropped(Direction::Request), Outcome::Closed))
        }
        // There is nothing in it to copy, keep or change.
        Verdict::Pass
        | Verdict::Duplicate
        | Verdict::Hold(_)
        | Verdict::Replace(_)
        | Verdict::Replay { .. } => None,
    };
    if let Some((fate, outcome)) = refused {
        exchange.fate = fate;
        wire.record(exchange);
        return Err(outcome);
    }
    exchange.delivered = Some(Bytes::new().into());
    let dialled = dial(&wire, &link, &asked.head).await;
    let (other, subprotocol) = match dialled {
        Ok(dialled) => dialled,
        Err(NotDialled::Refused(answer)) => {
            exchange.answer = Some(answer.clone());
            exchange.returned = Some(answer.clone());
            wire.record(exchange);
            let mut response = Response::new(Full::new(answer.body.kept().clone()));
            *response.status_mut() =
                StatusCode::from_u16(answer.status).map_err(|_| Outcome::Closed)?;
            return Ok(response);
        }
        Err(NotDialled::Unreachable(reason)) => {
            exchange.fate = Fate::Unreachable { reason };
            wire.record(exchange);
            let is_reset = wire.is_reset(&link);
            return Err(if is_reset { Outcome::Reset } else { Outcome::Closed });
        }
    };
    let asked_again = HttpRequest::from_parts((*asked.head).clone(), ());
    let Ok(mut response) = create_response_with_body(&asked_again, || Full::new(Bytes::new()))
    else {
        exchange.fate = Fate::Unreachable { reason: "the request is no upgrade".to_owned() };
        wire.record(exchange);
        return Err(Outcome::Closed);
    };
    if let Some(subprotocol) = subprotocol {
        response.headers_mut().insert(SUBPROTOCOL, subprotocol);
    }
    let answer = Answer { status: 101, body: Bytes::new().into() };
    (exchange.answer, exchange.returned) = (Some(answer.clone()), Some(answer));
    wire.record(exchange);
    drop(permit);
    let posted = Arc::new(as_posted(&wire, &asked.head));
    tokio::spawn(async move {
        let Ok(upgraded) = upgrading.await else { return };
        let io = TokioIo::new(upgraded);
        let asker = WebSocketStream::from_raw_socket(io, Role::Server, Some(config())).await;
        pass(&wire, &link, posted, (asker, other)).await;
    });
    Ok(response)
}

/// Why the other side is not on the line.
enum NotDialled {
    Refused(Answer),
    Unreachable(String),
}

type Dialled = (WebSocketStream<Stream>, Option<header::HeaderValue>);

async fn dial(wire: &Wire, link: &Link, head: &Parts) -> Result<Dialled, NotDialled> {
    let unreachable = |reason: String| NotDialled::Unreachable(reason);
    let upstream = wire.upstream(&link.to).and_then(Upstream::address);
    let address =
        upstream.ok_or_else(|| unreachable("the peer has not said where it listens".to_owned()))?;
    let dialling = ground::dial(&wire.ground, link, address);
    let stream = dialling.await.map_err(|error| unreachable(error.to_string()))?;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .map_err(|error| unreachable(error.to_string()))?;
    for (name, value) in &head.headers {
        if *name == SUBPROTOCOL {
            request.headers_mut().append(name.clone(), value.clone());
        }
    }
    let dialling = client_async_with_config(request, stream, Some(config()));
    match tokio::time::timeout(wire.config.answer_within, dialling).await {
        Ok(Ok((socket, response))) => Ok((socket, response.headers().get(SUBPROTOCOL).cloned())),
        Ok(Err(Error::Http(response))) => {
            let status = response.status().as_u16();
            let body = Bytes::from(response.into_body().unwrap_or_default());
            Err(NotDialled::Refused(Answer { status, body: body.into() }))
        }
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_elapsed) => Err(unreachable("no answer to the upgrade".to_owned())),
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * BODY_MAX)
        .max_message_size(Some(BODY_MAX))
        .max_frame_size(Some(BODY_MAX))
}

/// The head that a message has when it is posted: copies go that way.
fn as_posted(wire: &Wire, upgrade: &Parts) -> Parts {
    let request = HttpRequest::post(wire.config.message_path.as_str())
        .header(header::CONTENT_TYPE, "application/json");
    let host = upgrade.headers.get(header::HOST).cloned();
    let request = match host {
        Some(host) => request.header(header::HOST, host),
        None => request,
    };
    // The path is that of the configuration, with which requests are compared.
    request.body(()).map_or_else(|_| upgrade.clone(), |request| request.into_parts().0)
}

/// Passes messages on in both directions until one side ends, a rule does, or the tap closes.
async fn pass<A, B>(
    wire: &Arc<Wire>,
    link: &Link,
    posted: Arc<Parts>,
    (asker, other): (WebSocketStream<A>, WebSocketStream<B>),
) where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut to_asker, from_asker) = asker.split();
    let (mut to_other, from_other) = other.split();
    let back = Link::new(&link.to, &link.from);
    let broken = tokio::select! {
        ended = pump(wire, (link, &posted), from_asker, &mut to_other) => ended,
        ended = pump(wire, (&back, &posted), from_other, &mut to_asker) => ended,
        () = cut(wire, link) => Ended::Cut,
    };
    // Behind a link that answers with resets nobody says farewell.
    if broken == Ended::Closed && !wire.is_reset(link) {
        // Who has gone already hears no farewell.
        drop(to_asker.close().await);
        drop(to_other.close().await);
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Closed,
    Cut,
}

/// Waits until a rule takes connections of this link down.
async fn cut(wire: &Wire, link: &Link) {
    loop {
        let laid = wire.laid.notified();
        if wire.takes_down(link, UPGRADE) {
            return;
        }
        laid.await;
    }
}

async fn pump<A, B>(
    wire: &Arc<Wire>,
    (link, posted): (&Link, &Arc<Parts>),
    mut from: SplitStream<WebSocketStream<A>>,
    to: &mut SplitSink<WebSocketStream<B>, Message>,
) -> Ended
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = from.next().await {
        let passed = match message {
            Message::Text(text) => {
                let text = Bytes::from(text);
                match judge(wire, (link, posted), text, true).await {
                    Some(bytes) => as_text(bytes),
                    None => return Ended::Cut,
                }
            }
            Message::Binary(bytes) => match judge(wire, (link, posted), bytes, false).await {
                Some(bytes) => Message::Binary(bytes),
                None => return Ended::Cut,
            },
            Message::Close(_) => return Ended::Closed,
            // Each half answers for itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        if to.send(passed).await.is_err() {
            return Ended::Closed;
        }
    }
    Ended::Closed
}

/// What a rule has made of a text is passed on as what it is now.
fn as_text(bytes: Bytes) -> Message {
    let text = tokio_tungstenite::tungstenite::Utf8Bytes::try_from(bytes.clone());
    text.map_or(Message::Binary(bytes), Message::Text)
}

/// What is passed on of a message; nothing where that ends the connection.
async fn judge(
    wire: &Arc<Wire>,
    (link, posted): (&Link, &Arc<Parts>),
    body: Bytes,
    is_text: bool,
) -> Option<Bytes> {
    let request = Request { head: Arc::clone(posted), body };
    let kind = is_text.then(|| handfast_faults::text_of(&request.body, &wire.config.kind_field));
    let Admitted { mut exchange, decided } =
        wire.admit_as(link, &request, kind.flatten().as_deref(), is_text);
    exchange.rule = decided.rule;
    TARGET.clone_into(&mut exchange.target);
    let (direction, index) = (Direction::Request, exchange.index);
    let mut passed = Some(request.body.clone());
    let mut copied = None;
    match decided.verdict {
        Verdict::Pass => {}
        Verdict::Duplicate => copied = index,
        Verdict::Replay { index } => copied = Some(index),
        Verdict::Replace(changed) => {
            exchange.fate = replaced(wire, &exchange, direction);
            passed = Some(changed.into());
        }
        Verdict::Hold(id) => {
            exchange.fate = held(wire, &exchange, (id, direction), decided.hold).await;
            if matches!(exchange.fate, Fate::Withheld(_)) {
                passed = None;
            }
        }
        Verdict::Drop | Verdict::Respond { .. } => {
            exchange.fate = Fate::Dropped(direction);
            passed = None;
        }
        Verdict::Cut => {
            exchange.fate = Fate::Cut(direction);
            passed = None;
        }
    }
    exchange.delivered = passed.clone().map(Into::into);
    copy(wire, (link, &request), (index, copied));
    wire.record(exchange);
    passed
}

/// Posts a message once more: the same, or a recorded one.
fn copy(
    wire: &Arc<Wire>,
    (link, request): (&Link, &Request),
    (own, copied): (Option<u64>, Option<u64>),
) {
    let Some(index) = copied else { return };
    let (wire, link, request) = (Arc::clone(wire), link.clone(), request.clone());
    tokio::spawn(async move {
        if Some(index) == own {
            let body = request.body.clone();
            drop(send_again(&wire, &link, own, (&request, body), Fate::Duplicated).await);
        } else {
            drop(replay(&wire, &link, index).await);
        }
    });
}

impl Exchange {
    /// Whether it went over a WebSocket.
    pub fn is_of_socket(&self) -> bool {
        self.target == TARGET
    }
}

#[cfg(test)]
mod tests;
