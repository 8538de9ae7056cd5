//! The side of the answerer: connections to one role's peer, reused while they live.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use handfast_faults::Link;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::{request, response};
use hyper_util::rt::TokioIo;
use thiserror::Error;

use crate::tap::{BODY_MAX, Ground, ground};

/// Idle connections kept to one peer, from each ground (guessed: as many as a scenario's parallel steps).
const IDLE_MAX: usize = 64;

/// Headers that belong to one connection and are not passed on (RFC 9110, section 7.6.1), and the
/// framing of the body, which the sending side sets.
const OWN_OF_A_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

#[derive(Debug, Default)]
pub(super) struct Upstream {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    address: Option<SocketAddr>,
    /// By the role that they come from; where all ways are alike, under no name.
    idle: BTreeMap<String, Vec<SendRequest<Full<Bytes>>>>,
}

/// A complete answer.
pub(super) struct Received {
    pub(super) head: response::Parts,
    pub(super) body: Bytes,
}

/// Why a peer gave no answer.
#[derive(Debug, Error)]
pub(super) enum NoAnswer {
    #[error("the peer has not said where it listens")]
    NoAddress,
    #[error("failed to connect: {0}")]
    Connect(std::io::Error),
    #[error("{0}")]
    Http(String),
    #[error("failed to read the answer: {0}")]
    Body(String),
}

impl Upstream {
    /// The peer's address, once it is named.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.state().address
    }

    /// Names the peer's address; connections to an earlier one are forgotten.
    pub(super) fn set_address(&self, address: SocketAddr) {
        *self.state() = State { address: Some(address), idle: BTreeMap::new() };
    }

    /// Sends one request over a link, from where its `from` stands, and reads its whole answer. Makes one attempt: only a kept connection
    /// that turns out closed before anything was sent on it is replaced by a new one.
    pub(super) async fn send(
        &self,
        (ground, link): (&Arc<dyn Ground>, &Link),
        head: &request::Parts,
        body: Bytes,
    ) -> Result<Received, NoAnswer> {
        let are_alike = !ground.is_apart() && ground.shapes().is_none();
        let from = if are_alike { "" } else { &link.from };
        let mut request = hyper::Request::from_parts(head.clone(), Full::new(body));
        strip(request.headers_mut());
        loop {
            let (mut connection, is_new) = match self.kept(from) {
                Some(connection) => (connection, false),
                None => (self.connect(ground, link).await?, true),
            };
            match connection.try_send_request(request).await {
                Ok(answer) => {
                    let (head, body) = answer.into_parts();
                    let body = Limited::new(body, BODY_MAX).collect().await;
                    let body = body.map_err(|error| NoAnswer::Body(error.to_string()))?;
                    self.keep(from, connection);
                    return Ok(Received { head, body: body.to_bytes() });
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(NoAnswer::Http(describe(error.error()))),
                },
            }
        }
    }

    fn kept(&self, from: &str) -> Option<SendRequest<Full<Bytes>>> {
        let mut state = self.state();
        let idle = state.idle.get_mut(from)?;
        std::iter::from_fn(|| idle.pop()).find(|connection| !connection.is_closed())
    }

    fn keep(&self, from: &str, connection: SendRequest<Full<Bytes>>) {
        let mut state = self.state();
        let idle = state.idle.entry(from.to_owned()).or_default();
        if idle.len() < IDLE_MAX && !connection.is_closed() {
            idle.push(connection);
        }
    }

    async fn connect(
        &self,
        ground: &Arc<dyn Ground>,
        link: &Link,
    ) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        let address = self.state().address.ok_or(NoAnswer::NoAddress)?;
        let stream = ground::dial(ground, link, address).await.map_err(NoAnswer::Connect)?;
        let io = TokioIo::new(stream);
        let (mut sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .handshake(io)
            .await
            .map_err(|error| NoAnswer::Http(describe(&error)))?;
        // Ends when the sender is dropped or the peer closes; its error shows in the request.
        tokio::spawn(async move { drop(connection.await) });
        sender.ready().await.map_err(|error| NoAnswer::Http(describe(&error)))?;
        Ok(sender)
    }

    /// A panic elsewhere leaves a list of connections, whichever they are.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes out what belongs to the connection a message came on.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in &OWN_OF_A_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// An HTTP error with its cause: hyper's own text alone is often only "connection error".
fn describe(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::tap::Loopback;

    /// Answers nobody before `count` have asked, each on a connection of its own.
    async fn serve_together(listener: TcpListener, count: usize) {
        let mut streams = Vec::new();
        for _ in 0..count {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _asked = stream.read(&mut [0; 1_024]).await.unwrap();
            streams.push(stream);
        }
        for stream in &mut streams {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
        // The connections stay open until the test is over.
        std::future::pending::<()>().await;
        drop(streams);
    }

    #[tokio::test]
    async fn no_more_than_so_many_idle_connections_are_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Arc::new(Upstream::default());
        upstream.set_address(listener.local_addr().unwrap());
        let asked = IDLE_MAX + 3;
        let server = tokio::spawn(serve_together(listener, asked));
        let mut requests = JoinSet::new();
        for _ in 0..asked {
            let upstream = upstream.clone();
            requests.spawn(async move {
                let (head, ()) = hyper::Request::get("/").body(()).unwrap().into_parts();
                let ground: Arc<dyn Ground> = Arc::new(Loopback);
                upstream
                    .send((&ground, &Link::new("a", "b")), &head, Bytes::new())
                    .await
                    .map(|answer| answer.head.status.as_u16())
            });
        }
        for status in requests.join_all().await {
            assert_eq!(status.unwrap(), 200);
        }
        assert_eq!(upstream.state().idle[""].len(), IDLE_MAX);
        server.abort();
    }
}
