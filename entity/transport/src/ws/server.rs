//! Takes an upgrade of the HTTP server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use entity_wire::socket::SUBPROTOCOL;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;
use tracing::debug;

use super::connection::{Connection, ConnectionId, Side};
use super::limits::SocketLimits;
use super::link::{Link, config};
use super::message::Receiver;
use super::meter::{Budget, Metered};
use crate::http::slots::Slots;
use crate::turns::Line;

/// The accepted connections of a server.
#[derive(Debug)]
pub(crate) struct Sockets {
    limits: SocketLimits,
    slots: Arc<Slots>,
    budget: Budget,
    open: Open,
}

/// Handles of the open connections, to close them at the end; as many as there are slots.
#[derive(Debug, Default, Clone)]
struct Open(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    connections: BTreeMap<ConnectionId, Connection>,
    is_stopping: bool,
}

impl Open {
    fn insert(&self, connection: &Connection) {
        let mut registry = self.lock();
        if registry.is_stopping {
            connection.close();
        }
        registry.connections.insert(connection.id(), connection.clone());
    }

    fn remove(&self, connection: &Connection) {
        self.lock().connections.remove(&connection.id());
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets {
    pub(crate) fn new(limits: SocketLimits) -> Self {
        Self {
            limits,
            slots: Slots::new(limits.connections_max, limits.connections_per_host_max),
            budget: Budget::new(limits.unfinished_max_bytes),
            open: Open::default(),
        }
    }

    /// Their places.
    pub(crate) const fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// Closes every connection, those about to open as well, and waits until all have ended.
    pub(crate) async fn close_all(&self) {
        {
            let mut registry = self.open.lock();
            registry.is_stopping = true;
            registry.connections.values().for_each(Connection::close);
        }
        self.slots.all_free().await;
    }
}

/// Why a request is not upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotUpgraded {
    /// It is no upgrade to a WebSocket with our subprotocol: 400.
    Request,
    /// There is no place: 503.
    Full,
}

/// Answers a request for an upgrade, and serves the connection in a task of its own as soon as it is upgraded.
///
/// # Errors
///
/// [`NotUpgraded`]
pub(crate) fn upgrade(
    sockets: &Sockets,
    mut request: hyper::Request<Incoming>,
    (remote, receiver): (SocketAddr, Arc<dyn Receiver>),
    line: &Line,
) -> Result<Response<Full<Bytes>>, NotUpgraded> {
    if !names_subprotocol(request.headers()) {
        return Err(NotUpgraded::Request);
    }
    let mut response = create_response_with_body(&request, || Full::new(Bytes::new()))
        .map_err(|_| NotUpgraded::Request)?;
    let headers = response.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    let slot = sockets.slots.take(remote.ip()).ok_or(NotUpgraded::Full)?;
    let upgrading = hyper::upgrade::on(&mut request);
    let (limits, budget, open) = (sockets.limits, sockets.budget.clone(), sockets.open.clone());
    let line = line.clone();
    tokio::spawn(async move {
        if let Some(socket) = upgraded(upgrading, &limits).await {
            let slot = Arc::new(slot);
            let (end, place) = ((Side::Accepted, remote), (line.clone(), Some(&slot)));
            let connection = Connection::new(end, limits, place);
            open.insert(&connection);
            let link = Link::new(socket, connection.clone(), receiver, (limits, &budget)).run();
            // Whoever has to go does so without a turn, and whether or not the other side reads: what others had queued on it
            // hears that it is broken when it is dropped.
            tokio::select! {
                biased;
                () = slot.evicted() => {
                    debug!(connection = ?connection.id(), "it gave its place to another");
                }
                () = line.run(link) => {}
            }
            open.remove(&connection);
        }
    });
    Ok(response)
}

/// Whether our subprotocol is among those that the client names.
fn names_subprotocol(headers: &HeaderMap) -> bool {
    let named = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    let mut names = named.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    names.any(|name| name.trim() == SUBPROTOCOL)
}

async fn upgraded(upgrading: OnUpgrade, limits: &SocketLimits) -> Option<WebSocketStream<Metered>> {
    let upgraded = upgrading.await.inspect_err(|error| debug!(%error, "not upgraded")).ok()?;
    // The server has made it of such a stream.
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    let stream = Metered::new(parts.io.into_inner());
    let (read, config) = (parts.read_buf.into(), Some(config(limits)));
    Some(WebSocketStream::from_partially_read(stream, read, Role::Server, config).await)
}
