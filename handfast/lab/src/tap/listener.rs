//! The side of the asker: one listener of a tap.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use handfast_faults::{Link, text_of};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::tap::relay::{Outcome, relay};
use crate::tap::socket;
use crate::tap::upstream::strip;
use crate::tap::wire::{Request, Wire};
use crate::tap::{BODY_MAX, CONCURRENT_MAX};

/// Who asks on a listener.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// The role of this link.
    Known(Link),
    /// Any role but `to`; each message says which.
    Anyone { to: String },
}

impl Asker {
    fn link(&self, wire: &Wire, body: &[u8]) -> Link {
        match self {
            Self::Known(link) => link.clone(),
            Self::Anyone { to } => {
                let from = text_of(body, &wire.config.sender_field);
                let from = from.filter(|from| from != to && wire.has_role(from));
                Link::new(from.unwrap_or_else(|| UNKNOWN.to_owned()), to)
            }
        }
    }
}

/// The sender of a request that does not say whose it is. No role has this name.
const UNKNOWN: &str = "?";

/// Accepts connections until the task is ended; ending it ends its connections too.
pub(super) async fn serve(listener: TcpListener, wire: Arc<Wire>, asker: Asker) {
    let room = Arc::new(Semaphore::new(CONCURRENT_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let (wire, asker) = (wire.clone(), asker.clone());
                connections.spawn(async move {
                    // A broken connection concerns only its two ends.
                    drop(connection(stream, wire, asker).await);
                    drop(permit);
                });
            }
            // Most often no descriptor is free; a connection that ends frees one.
            Err(_) => drop(connections.join_next().await),
        }
    }
}

async fn connection(stream: TcpStream, wire: Arc<Wire>, asker: Asker) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    // A second descriptor of the same socket: the last one to be closed decides how it ends.
    let last: OwnedFd = stream.as_fd().try_clone_to_owned()?;
    let reset = Arc::new(AtomicBool::new(false));
    let service = {
        let reset = reset.clone();
        service_fn(move |request| answer(wire.clone(), asker.clone(), reset.clone(), request))
    };
    let served = http1::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    // An error here is how the tap closes a connection without an answer.
    drop(served);
    if reset.load(Ordering::Relaxed) {
        SockRef::from(&last).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

async fn answer(
    wire: Arc<Wire>,
    asker: Asker,
    reset: Arc<AtomicBool>,
    request: HttpRequest<Incoming>,
) -> Result<Response<Full<Bytes>>, NoAnswer> {
    if socket::is_upgrade(&request) {
        let link = asker.link(&wire, &[]);
        return socket::open(wire, link, request).await.map_err(|outcome| ended(&outcome, &reset));
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let link = asker.link(&wire, &body);
    let request = Request { head: Arc::new(head), body };
    // A task of its own: the message goes on even if its asker gives up waiting.
    let relayed = tokio::spawn(relay(wire, link, request)).await;
    match relayed.unwrap_or(Outcome::Closed) {
        Outcome::Answered(head, body) => {
            let mut response = Response::from_parts(head, Full::new(body));
            strip(response.headers_mut());
            Ok(response)
        }
        outcome @ (Outcome::Closed | Outcome::Reset) => Err(ended(&outcome, &reset)),
    }
}

/// Notes how a connection is to end without an answer.
fn ended(outcome: &Outcome, reset: &AtomicBool) -> NoAnswer {
    if let Outcome::Reset = outcome {
        reset.store(true, Ordering::Relaxed);
    }
    NoAnswer
}

/// Closes the connection: nothing is written on it.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tap gives no answer")
    }
}

impl std::error::Error for NoAnswer {}
