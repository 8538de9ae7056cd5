//! An HTTP/1.1 server that bounds what its callers may cost.
//!
//! A connection is one task, and that task does everything for its requests: it reads, calls the [`Handler`] and writes. No
//! request crosses a channel or wakes another task; on two cores that would cost more than checking a signature.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tracing::{debug, warn};

use super::answer::{self, Answer};
use super::body::{self, BodyError};
use super::limits::ServerLimits;
use super::slots::{Slot, Slots};
use crate::host::Host;
use crate::turns::{Line, Turns};
use crate::ws::{self, NotUpgraded, Receiver, Sockets};

/// The methods that endpoints have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`; the request body is not read.
    Get,
    /// `POST`
    Post,
}

/// One whole request to a path that the handler knows, with its method.
#[derive(Debug)]
pub struct Request<'a> {
    /// The path without query.
    pub path: &'a str,
    /// The body; empty for `GET`.
    pub body: Bytes,
    /// Who is at the other end of the connection.
    pub remote: SocketAddr,
    /// Whose work it is; whoever finds out says so.
    pub caller: &'a Caller,
}

/// The other end of one connection, as far as it costs us something.
#[derive(Debug)]
pub struct Caller {
    line: Line,
    slot: Option<Slot>,
}

impl Caller {
    /// Somebody at `remote` without a connection.
    pub fn without_connection(remote: SocketAddr) -> Self {
        Self { line: Turns::new(1).line(remote.ip()), slot: None }
    }

    /// Waits until its place was taken away.
    async fn evicted(&self) {
        match &self.slot {
            Some(slot) => slot.evicted().await,
            None => std::future::pending().await,
        }
    }

    /// Notes that this peer has proved who it is: what comes next over the connection is its own cost, and strangers do not take
    /// its place.
    pub fn is(&self, peer: &str) {
        self.line.belongs_to(peer);
        if let Some(slot) = &self.slot {
            slot.set_known();
        }
    }
}

/// Answers whole requests.
///
/// It runs inside the connection's task and must not block on anything but short locks and its own computation.
pub trait Handler: Send + Sync + 'static {
    /// The method of the endpoint at `path`, or nothing if there is none (404). Another method is answered 405.
    fn endpoint(&self, path: &str) -> Option<Verb>;

    /// Who takes the WebSocket at `path`; nobody where there is none.
    fn socket(&self, _path: &str) -> Option<Arc<dyn Receiver>> {
        None
    }

    /// Answers one request. It may wait, but not long: the connection and its share of the budget for bodies wait with it.
    fn answer(&self, request: Request<'_>) -> impl Future<Output = Answer> + Send;
}

/// A listening server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_address: SocketAddr,
    limits: ServerLimits,
    turns: Turns,
}

impl Server {
    /// How many connections may wait to be accepted.
    const BACKLOG: u32 = 1024;

    /// Listens on `address`; port 0 chooses one. The address can be taken again at once after an earlier process ended.
    ///
    /// # Errors
    ///
    /// What the operating system says, for example that the address is in use.
    pub fn bind(address: SocketAddr, limits: ServerLimits) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(Self::BACKLOG)?;
        let local_address = listener.local_addr()?;
        Ok(Self { listener, local_address, limits, turns: Turns::for_this_runtime() })
    }

    /// Shares the processor out together with others who have these turns.
    #[must_use]
    pub fn in_turns(self, turns: &Turns) -> Self {
        Self { turns: turns.clone(), ..self }
    }

    /// The address it really listens on.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Serves until `stop` completes, then lets open requests finish for [`ServerLimits::drain_timeout`].
    pub async fn serve<H: Handler>(self, handler: Arc<H>, stop: impl Future<Output = ()>) {
        let (stopping, _) = watch::channel(false);
        let slots = Slots::new(self.limits.connections_max, self.limits.connections_per_host_max);
        let shared = Arc::new(Shared {
            handler,
            limits: self.limits,
            sockets: Sockets::new(self.limits.sockets),
            body_budget: Semaphore::new(self.limits.bodies_max_bytes.min(Semaphore::MAX_PERMITS)),
        });
        {
            let accepting = accept_all(&self.listener, &shared, (&slots, &self.turns), &stopping);
            let mut accepting = pin!(accepting);
            tokio::select! {
                () = stop => {}
                never = &mut accepting => match never {},
            }
        }
        drop(self.listener);
        let _ = stopping.send(true);
        let all_ended = async { tokio::join!(slots.all_free(), shared.sockets.close_all()) };
        if tokio::time::timeout(self.limits.drain_timeout, all_ended).await.is_err() {
            debug!("connections still open at the end of the drain time are cut");
        }
    }
}

/// Accepts connections, in turns of its own: who calls often costs those who are connected no more than one of them.
async fn accept_all<H: Handler>(
    listener: &TcpListener,
    shared: &Arc<Shared<H>>,
    (slots, turns): (&Arc<Slots>, &Turns),
    stopping: &watch::Sender<bool>,
) -> Infallible {
    let door = turns.line_of(Host::Door);
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => match slots.take(remote.ip()) {
                    Some(slot) => {
                        let caller = Caller { line: turns.line(remote.ip()), slot: Some(slot) };
                        let (shared, stopping) = (Arc::clone(shared), stopping.subscribe());
                        tokio::spawn(connection(shared, (stream, remote), caller, stopping));
                    }
                    None => refuse(&stream),
                },
                Err(error) => accept_failed(&error, (slots, shared.sockets.slots())).await,
            }
            door.pause().await;
        }
    };
    door.run(accepting).await
}

/// What all connections of a server share.
struct Shared<H> {
    handler: Arc<H>,
    limits: ServerLimits,
    sockets: Sockets,
    /// One permit a byte of the large bodies in memory.
    body_budget: Semaphore,
}

async fn connection<H: Handler>(
    shared: Arc<Shared<H>>,
    (stream, remote): (TcpStream, SocketAddr),
    caller: Caller,
    mut stopping: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot turn off the delay of small segments");
    }
    let limits = shared.limits;
    let caller = Arc::new(caller);
    let of_requests = Arc::clone(&caller);
    let service = service_fn(move |request| {
        let (shared, caller) = (Arc::clone(&shared), Arc::clone(&of_requests));
        async move { Ok::<_, Infallible>(respond(&shared, request, (remote, &caller)).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(limits.headers_max)
        // Twice the head limit, because the buffer holds the beginning of the body too; hyper takes no less than 8 KiB.
        .max_buf_size((limits.head_max_bytes * 2).max(8192))
        .max_header_size(limits.head_max_bytes);
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let serving = async {
        let mut serving = pin!(serving);
        tokio::select! {
            outcome = &mut serving => outcome,
            _ = stopping.changed() => {
                serving.as_mut().graceful_shutdown();
                tokio::time::timeout(limits.drain_timeout, serving).await.unwrap_or(Ok(()))
            }
        }
    };
    // Whoever has to go does so without a turn.
    let outcome = tokio::select! {
        biased;
        () = caller.evicted() => {
            debug!("a connection gave its place to another");
            Ok(())
        }
        outcome = caller.line.run(serving) => outcome,
    };
    if let Err(error) = outcome {
        debug!(%error, "connection ended");
    }
}

async fn respond<H: Handler>(
    shared: &Shared<H>,
    request: hyper::Request<Incoming>,
    (remote, caller): (SocketAddr, &Caller),
) -> Response<Full<Bytes>> {
    caller.line.pause().await;
    if request.method() == Method::GET
        && let Some(receiver) = shared.handler.socket(request.uri().path())
    {
        return match ws::upgrade(&shared.sockets, request, (remote, receiver), &caller.line) {
            Ok(response) => response,
            Err(NotUpgraded::Request) => response(answer::NOT_A_WEBSOCKET),
            Err(NotUpgraded::Full) => response(answer::overloaded()),
        };
    }
    let (head, mut body) = request.into_parts();
    let path = head.uri.path();
    let Some(verb) = shared.handler.endpoint(path) else {
        return response(answer::NOT_FOUND);
    };
    let body = match (verb, &head.method) {
        (Verb::Get, &Method::GET) => Ok((Bytes::new(), None)),
        (Verb::Post, &Method::POST) => {
            receive(shared, &mut body, head.headers.contains_key(EXPECT)).await
        }
        (Verb::Get | Verb::Post, _) => {
            let mut response = response(answer::METHOD_NOT_ALLOWED);
            let allowed = if verb == Verb::Get { "GET" } else { "POST" };
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return response;
        }
    };
    match body {
        Ok((body, reserved)) => {
            let _busy = caller.slot.as_ref().map(Slot::busy);
            let answer = shared.handler.answer(Request { path, body, remote, caller }).await;
            drop(reserved);
            response(answer)
        }
        Err(refusal) => {
            let mut response = response(refusal);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

/// Reads a request body within all limits; a large one comes with its share of the memory budget.
async fn receive<'a, H>(
    shared: &'a Shared<H>,
    body: &mut Incoming,
    expects_continue: bool,
) -> Result<(Bytes, Option<SemaphorePermit<'a>>), Answer> {
    let limits = &shared.limits;
    let length = body::declared_length(body)
        .map_or(limits.body_max_bytes, |length| usize::try_from(length).unwrap_or(usize::MAX));
    let mut reserved = None;
    if length > ServerLimits::SMALL_BODY_BYTES && length <= limits.body_max_bytes {
        let permits = u32::try_from(length).map_err(|_| answer::overloaded())?;
        reserved =
            Some(shared.body_budget.try_acquire_many(permits).map_err(|_| answer::overloaded())?);
    }
    let whole = async {
        match body::collect(body, limits.body_max_bytes).await {
            Ok(bytes) => Ok(bytes),
            Err(BodyError::TooLarge) => {
                // A caller that waits for permission to send its body has not sent any of it.
                if !expects_continue {
                    body::discard(body, limits.discard_max_bytes).await;
                }
                Err(answer::too_large())
            }
            Err(BodyError::Broken(error)) => {
                debug!(%error, "request body broke off");
                Err(answer::BODY_BROKEN)
            }
        }
    };
    match tokio::time::timeout(limits.body_timeout, whole).await {
        Ok(outcome) => outcome.map(|bytes| (bytes, reserved)),
        Err(_) => Err(answer::BODY_TOO_SLOW),
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    // A status outside 100-999 is a mistake of the handler, not of the caller.
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = answer.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Tells a caller for whom there is no place to come back, without spending a task on it.
fn refuse(stream: &TcpStream) {
    let body = std::str::from_utf8(&answer::overloaded().body).unwrap_or_default().to_owned();
    let text = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // The buffer of a new connection holds the text; a caller that is gone already is no concern.
    if let Err(error) = stream.try_write(text.as_bytes()) {
        debug!(%error, "no place for a connection and no way to say so");
    }
}

/// Waits before the next accept: with no descriptors left, accepting again at once would spin. Then one of those who have most
/// places gives its up, as for a newcomer without a place.
async fn accept_failed(error: &io::Error, (slots, sockets): (&Slots, &Slots)) {
    const PAUSE: Duration = Duration::from_millis(50);
    warn!(%error, "cannot accept a connection");
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => {
            let fuller = if sockets.open() > slots.open() { sockets } else { slots };
            fuller.make_room(PAUSE).await;
        }
        Some(_) | None => tokio::time::sleep(PAUSE).await,
    }
}
