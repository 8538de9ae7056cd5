//! A fake behind HTTPS on the loopback.
//!
//! Each start makes a key and a certificate of its own, for `localhost` alone; a client trusts it by its file and by nothing else. A thread
//! serves one connection, and a connection one request.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::fake::{Act, Fake};
use crate::http::{read_ask, to_bytes};

/// Most connections at a time; further ones are closed at once.
pub const CONNECTIONS_MAX: usize = 128;

/// A running fake. It ends when it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    certificate: String,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    fake: Mutex<Fake>,
    started: Instant,
    skipped: AtomicI64,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    tls: Arc<ServerConfig>,
}

/// Why a fake could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port.
    #[error("listen on the loopback")]
    Listen(#[from] io::Error),
    /// No certificate.
    #[error("make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate is not taken.
    #[error("use the certificate")]
    Tls(#[from] rustls::Error),
}

impl Server {
    /// Starts `fake` on `port` of 127.0.0.1; 0 chooses one.
    ///
    /// # Errors
    ///
    /// [`StartError`] if there is no port or no certificate.
    #[expect(clippy::disallowed_methods, reason = "the fake's one clock")]
    pub fn start(fake: Fake, port: u16) -> Result<Self, StartError> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            fake: Mutex::new(fake),
            started: Instant::now(),
            skipped: AtomicI64::new(0),
            ended: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
            tls: Arc::new(tls),
        });
        let of_thread = Arc::clone(&shared);
        let accepting = Some(std::thread::spawn(move || accept(&listener, &of_thread)));
        Ok(Self { shared, address, certificate: made.cert.pem(), accepting })
    }

    /// Where it is, as a client wants it: `https://localhost:PORT/api/v1`.
    pub fn address(&self) -> String {
        format!("https://localhost:{}/api/v1", self.address.port())
    }

    /// The port of 127.0.0.1 it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What a client has to trust, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The fake, to look into it or to change it.
    pub fn fake(&self) -> MutexGuard<'_, Fake> {
        self.shared.fake()
    }

    /// Lets `time` pass for the service at once.
    pub fn skip(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        self.shared.skipped.fetch_add(micros, Ordering::SeqCst);
    }

    /// Its time, in microseconds since it was started.
    pub fn now(&self) -> i64 {
        self.shared.now()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for stream in self.shared.open().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
        // Wakes the thread that accepts, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().ok();
        }
    }
}

impl Shared {
    fn fake(&self) -> MutexGuard<'_, Fake> {
        self.fake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        let passed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        passed.saturating_add(self.skipped.load(Ordering::SeqCst))
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let mut open = shared.open();
        open.retain(|stream| stream.peer_addr().is_ok());
        let Ok(copy) = stream.try_clone() else { continue };
        if open.len() >= CONNECTIONS_MAX {
            continue;
        }
        open.push(copy);
        drop(open);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client that breaks off is its own affair.
            serve(&stream, &shared).ok();
            stream.shutdown(Shutdown::Both).ok();
        });
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let tls = ServerConnection::new(Arc::clone(&shared.tls)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, stream.try_clone()?);
    let ask = read_ask(&mut stream)?;
    let now = shared.now();
    let act = shared.fake().handle(&ask, now);
    match act {
        Act::Answer(answer) => send(&mut stream, &to_bytes(&answer, None)),
        Act::Raw(answer, body) => send(&mut stream, &to_bytes(&answer, Some(&body))),
        Act::Half(answer) => {
            let bytes = to_bytes(&answer, None);
            stream.write_all(&bytes[..bytes.len() / 2])?;
            stream.flush()
        }
        Act::Stall => until_gone(&mut stream),
        Act::Drip => {
            stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n")?;
            drip(&mut stream)
        }
        Act::Reset => {
            socket2::SockRef::from(&stream.sock).set_linger(Some(Duration::ZERO))?;
            Ok(())
        }
    }
}

fn send(stream: &mut StreamOwned<ServerConnection, TcpStream>, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Reads what still comes, until the client, or the end of this server, closes the connection.
fn until_gone(stream: &mut impl Read) -> io::Result<()> {
    let mut rest = [0; 256];
    while stream.read(&mut rest)? > 0 {}
    Ok(())
}

/// A byte each 20 ms, until the client has had enough: the time between two comes from waiting for what it never sends.
fn drip(stream: &mut StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
    stream.sock.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut rest = [0; 1];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                stream.write_all(b" ")?;
                stream.flush()?;
            }
            Err(error) => return Err(error),
        }
    }
}
