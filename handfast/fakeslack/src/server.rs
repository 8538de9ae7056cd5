//! The rules and the weather behind a socket on 127.0.0.1, in a thread of their own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::weather::{Fault, Weather};
use crate::workspace::{Message, Reply, Request, Settings, Tally, Workspace};

/// A Slack that runs until it is dropped.
#[derive(Debug)]
pub struct FakeSlack {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    webhook: String,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    workspace: Workspace,
    weather: Weather,
    requests: u64,
}

impl FakeSlack {
    /// Starts a service on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// What the system says if there is no socket or no thread to be had.
    pub fn start(settings: Settings, weather: Weather) -> io::Result<Self> {
        Self::start_at(settings, weather, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a service at an address.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); also if the address is taken.
    pub fn start_at(settings: Settings, weather: Weather, address: SocketAddr) -> io::Result<Self> {
        let webhook = settings.webhook.clone();
        let workspace = Workspace::new(settings);
        let shared = Arc::new(Mutex::new(Shared { workspace, weather, requests: 0 }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("fakeslack".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, inside) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, shared, webhook, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of the web API, such as `http://127.0.0.1:4711/api`.
    pub fn api(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// Address of the incoming webhook.
    pub fn webhook(&self) -> String {
        format!("http://{}/services/{}", self.address, self.webhook)
    }

    /// Address that takes any JSON.
    pub fn hook(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Lets these faults meet the next requests.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared().weather.script(faults);
    }

    /// Changes the weather.
    pub fn turn(&self, weather: Weather) {
        self.shared().weather = weather;
    }

    /// The messages of a channel, oldest first.
    pub fn messages(&self, channel: &str) -> Vec<Message> {
        self.shared().workspace.messages(channel).to_vec()
    }

    /// What was posted to [`hook`](Self::hook), oldest first.
    pub fn hooked(&self) -> Vec<Value> {
        self.shared().workspace.hooked().cloned().collect()
    }

    /// How often each letter was taken, by its key.
    pub fn tallies(&self) -> BTreeMap<String, Tally> {
        self.shared().workspace.tallies().clone()
    }

    /// How often the letter with this key was taken.
    pub fn tally(&self, key: &str) -> Tally {
        self.shared().workspace.tallies().get(key).copied().unwrap_or_default()
    }

    /// Connections so far, those that were reset included.
    pub fn requests(&self) -> u64 {
        self.shared().requests
    }

    /// Somebody deletes a message.
    pub fn delete(&self, channel: &str, ts: &str) {
        self.shared().workspace.delete(channel, ts);
    }

    /// Somebody else writes a message; returns its time stamp.
    pub fn say(&self, channel: &str, text: &str) -> String {
        let now = since_epoch();
        self.shared().workspace.say(channel, text, now)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl Drop for FakeSlack {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on stderr; there is nothing to add.
            drop(thread.join());
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let fault = {
            let mut shared = lock(&shared);
            shared.requests += 1;
            shared.weather.draw()
        };
        tokio::spawn(connection(stream, fault, Arc::clone(&shared)));
    }
}

async fn connection(stream: TcpStream, fault: Fault, shared: Arc<Mutex<Shared>>) {
    if matches!(fault, Fault::ResetBefore | Fault::ResetAfter | Fault::AcceptLate { .. }) {
        // Without lingering, closing is a reset.
        let lingering = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        if lingering.is_err() || fault == Fault::ResetBefore {
            return;
        }
    }
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(request, fault, shared).await }
    });
    // What goes wrong here is what was asked for, or a client that went away.
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    drop(served);
}

async fn answer(
    request: hyper::Request<Incoming>,
    fault: Fault,
    shared: Arc<Mutex<Shared>>,
) -> io::Result<hyper::Response<Full<Bytes>>> {
    let request = read(request).await?;
    let mut pending = Pending { shared, key: None };
    let reply = match fault {
        Fault::Limited { seconds } => Reply::limited(seconds),
        Fault::Broken { status } => Reply::broken(status),
        Fault::Silent => std::future::pending().await,
        Fault::ResetBefore => return Err(io::ErrorKind::ConnectionReset.into()),
        Fault::AcceptLate { after } => {
            tokio::spawn(accept_late(request, after, pending));
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Fault::None | Fault::SilentAfter | Fault::ResetAfter | Fault::Slow { .. } => {
            let reply = lock(&pending.shared).workspace.handle(&request, since_epoch());
            pending.key = reply.accepted.clone();
            reply
        }
    };
    match fault {
        Fault::ResetAfter => return Err(io::ErrorKind::ConnectionReset.into()),
        Fault::SilentAfter => std::future::pending().await,
        Fault::Slow { by } => tokio::time::sleep(by).await,
        Fault::None
        | Fault::Limited { .. }
        | Fault::Broken { .. }
        | Fault::Silent
        | Fault::AcceptLate { .. }
        | Fault::ResetBefore => {}
    }
    pending.key = None;
    write(&reply)
}

/// Takes a request whose client is gone; its answer is lost with `pending`.
async fn accept_late(request: Request, after: Duration, mut pending: Pending) {
    tokio::time::sleep(after).await;
    let reply = lock(&pending.shared).workspace.handle(&request, since_epoch());
    pending.key = reply.accepted;
}

/// A letter that was accepted and whose answer has not left: if it never does, that is counted.
struct Pending {
    shared: Arc<Mutex<Shared>>,
    key: Option<String>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            lock(&self.shared).workspace.answer_lost(&key);
        }
    }
}

async fn read(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (authorization, key) = (header("authorization"), header("idempotency-key"));
    let path = request.uri().path().to_owned();
    let body = Limited::new(request.into_body(), BODY_MAX);
    let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Request { path, authorization, key, body: serde_json::from_slice(&bytes).ok() })
}

fn write(reply: &Reply) -> io::Result<hyper::Response<Full<Bytes>>> {
    let mut response = hyper::Response::builder().status(reply.status);
    if let Some(seconds) = reply.retry_after {
        response = response.header("retry-after", seconds);
    }
    let kind = if reply.body.starts_with('{') { "application/json" } else { "text/plain" };
    response
        .header("content-type", kind)
        .body(Full::from(reply.body.clone()))
        .map_err(io::Error::other)
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // What a panicking test leaves is still good to look at.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the fake's one clock: time stamps and rates")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Longest request, bytes.
const BODY_MAX: usize = 1024 * 1024;
