//! Dials.

use std::io;
use std::sync::Arc;

use entity_wire::socket::{PATH, SUBPROTOCOL};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::{Error, handshake::client::Request};

use super::connection::{Connection, Side};
use super::limits::SocketLimits;
use super::link::{Link, config};
use super::message::Receiver;
use super::meter::{Budget, Metered};
use crate::http::Address;
use crate::turns::Turns;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFailure {
    /// The name of the host could not be resolved, or nobody listens there.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// It took too long.
    #[error("no connection in time")]
    TimedOut,
    /// The other side does not upgrade, or to something else.
    #[error("the other side does not speak `entity.v1` over a WebSocket")]
    Upgrade(#[source] Box<Error>),
}

/// Opens a connection to the peer at `address` and serves it in a task of its own, in `turns` with others; what comes goes to
/// `receiver`.
///
/// # Errors
///
/// [`ConnectFailure`], within twice [`SocketLimits::connect_timeout`].
pub async fn connect(
    address: &Address,
    limits: SocketLimits,
    receiver: Arc<dyn Receiver>,
    turns: &Turns,
) -> Result<Connection, ConnectFailure> {
    let opening = TcpStream::connect((address.host(), address.port()));
    let stream = tokio::time::timeout(limits.connect_timeout, opening)
        .await
        .map_err(|_| ConnectFailure::TimedOut)?
        .map_err(ConnectFailure::Connect)?;
    stream.set_nodelay(true).map_err(ConnectFailure::Connect)?;
    let remote = stream.peer_addr().map_err(ConnectFailure::Connect)?;
    let line = turns.line(remote.ip());
    let upgrading =
        client_async_with_config(request(address)?, Metered::new(stream), Some(config(&limits)));
    let (socket, _) = tokio::time::timeout(limits.connect_timeout, upgrading)
        .await
        .map_err(|_| ConnectFailure::TimedOut)?
        .map_err(|error| ConnectFailure::Upgrade(Box::new(error)))?;
    let connection = Connection::new((Side::Dialled, remote), limits, (line.clone(), None));
    // Whom we dial ourselves need not share a bound with strangers: their number is ours.
    let budget = Budget::new(limits.unfinished_max_bytes);
    let link = Link::new(socket, connection.clone(), receiver, (limits, &budget));
    tokio::spawn(line.run(link.run()));
    Ok(connection)
}

fn request(address: &Address) -> Result<Request, ConnectFailure> {
    let url = format!("ws://{}{}", address.authority(), address.path(PATH));
    let failed = |error| ConnectFailure::Upgrade(Box::new(error));
    let mut request = url.into_client_request().map_err(failed)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(request)
}
