//! Those who hold connections and those who flood: this program started again, from other addresses of this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::processes::Process;
use crate::slow;

/// First argument of a besieging process; then `slow ADDRESS COUNT HOSTS`, `flood ADDRESS HOST` or `call ADDRESS HOST`, a host
/// being the last part of an address of this machine.
pub(crate) const BESIEGE: &str = "besiege";

/// What is handed to the network at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Connections of a flood.
const CONNECTIONS: usize = 16;

/// A besieging process, which ends with this value.
pub(crate) struct Besiegers {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Besiegers {
    /// Holds `count` connections from so many hosts, as far as it is let, by the time this returns.
    pub(crate) fn slow(server: SocketAddr, count: usize, hosts: usize) -> Self {
        Self::start(&["slow", &server.to_string(), &count.to_string(), &hosts.to_string()], &[])
    }

    /// Sends `requests` over and over by the time this returns, each connection its part of them, and waits for no answer.
    ///
    /// `hello` is what each connection begins with.
    pub(crate) fn flood(server: SocketAddr, host: u8, hello: &[u8], requests: &[Vec<u8>]) -> Self {
        let hello = [hello.to_vec()];
        let all: Vec<&[u8]> = hello.iter().chain(requests).map(Vec::as_slice).collect();
        Self::start(&["flood", &server.to_string(), &host.to_string()], &all)
    }

    /// Connects and disconnects.
    pub(crate) fn call(server: SocketAddr, host: u8) -> Self {
        Self::start(&["call", &server.to_string(), &host.to_string()], &[])
    }

    /// Ends it; how many connections it held, or how many bytes, or connections, a second it was rid of.
    pub(crate) fn end(mut self) -> f64 {
        self.input.write_all(b"?").unwrap();
        self.line().parse().unwrap()
    }

    fn start(arguments: &[&str], requests: &[&[u8]]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(BESIEGE).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut besiegers = Self { _process: Process(child), input, output };
        besiegers.input.write_all(&length(requests.len())).unwrap();
        for request in requests {
            besiegers.input.write_all(&length(request.len())).unwrap();
            besiegers.input.write_all(request).unwrap();
        }
        besiegers.input.flush().unwrap();
        besiegers.line();
        besiegers
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the besiegers ended");
        line.trim().to_owned()
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap().to_be_bytes()
}

/// The besieging process. It gives way to the honest peer, with whom it shares a core: what it costs *there* is no part of what
/// is measured.
pub(crate) fn serve(arguments: &[String]) {
    rustix::process::nice(19).unwrap();
    let requests = read_requests();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = arguments[1].parse().unwrap();
    let number = || arguments[2].parse().unwrap();
    runtime.block_on(async {
        match arguments[0].as_str() {
            "slow" => slow::hold(server, number(), arguments[3].parse().unwrap()).await,
            "flood" => flood(server, u8::try_from(number()).unwrap(), requests).await,
            _ => call(server, u8::try_from(number()).unwrap()).await,
        }
    });
}

/// From another address of this machine: 127.0.0.`host`.
pub(crate) async fn connect(server: SocketAddr, host: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0))?;
    socket.connect(server).await
}

async fn flood(server: SocketAddr, host: u8, mut requests: Vec<Vec<u8>>) {
    let hello = requests.remove(0);
    let sent = Arc::new(AtomicUsize::new(0));
    let parts = requests.len().div_ceil(CONNECTIONS);
    for part in requests.chunks(parts) {
        let (part, hello) = (part.concat(), hello.clone());
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            loop {
                // Whoever is sent away comes back.
                let Ok(stream) = connect(server, host).await else { continue };
                send_all(stream, &hello, &part, &sent).await;
            }
        });
    }
    count(&sent, CONNECTIONS * PIECE_BYTES).await;
}

/// Sends again and again, and reads what comes; ends when the server does.
async fn send_all(stream: TcpStream, hello: &[u8], part: &[u8], sent: &AtomicUsize) {
    let (mut reader, mut writer) = stream.into_split();
    let reading = async {
        let mut received = vec![0; 65_536];
        while matches!(reader.read(&mut received).await, Ok(1..)) {}
    };
    let writing = async {
        if writer.write_all(hello).await.is_err() {
            return;
        }
        loop {
            for piece in part.chunks(PIECE_BYTES) {
                if writer.write_all(piece).await.is_err() {
                    return;
                }
                sent.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

async fn call(server: SocketAddr, host: u8) {
    let called = Arc::new(AtomicUsize::new(0));
    for _ in 0..CONNECTIONS {
        let called = Arc::clone(&called);
        tokio::spawn(async move {
            loop {
                if let Ok(stream) = connect(server, host).await {
                    // Gone at once and for good: no port of ours waits for what the server may have to say.
                    drop(stream.set_zero_linger());
                    called.fetch_add(1, Ordering::Relaxed);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    count(&called, CONNECTIONS).await;
}

/// Says that it has begun once there was enough, and, asked, how much there was a second from then on.
async fn count(counted: &AtomicUsize, enough: usize) {
    while counted.load(Ordering::Relaxed) < enough {
        tokio::task::yield_now().await;
    }
    let (start, before) = (Instant::now(), counted.load(Ordering::Relaxed));
    say("flooding");
    asked().await;
    let counted = counted.load(Ordering::Relaxed) - before;
    say(counted as f64 / start.elapsed().as_secs_f64());
    asked().await;
}

fn read_requests() -> Vec<Vec<u8>> {
    let mut input = std::io::stdin().lock();
    let count = read_length(&mut input);
    let request = |_| {
        let mut request = vec![0; read_length(&mut input)];
        input.read_exact(&mut request).unwrap();
        request
    };
    (0..count).map(request).collect()
}

fn read_length(input: &mut impl std::io::Read) -> usize {
    let mut length = [0; 4];
    input.read_exact(&mut length).unwrap();
    usize::try_from(u32::from_be_bytes(length)).unwrap()
}

/// Waits for a byte, or the end, of standard input.
pub(crate) async fn asked() {
    drop(tokio::task::spawn_blocking(|| std::io::stdin().lock().read(&mut [0; 1])).await);
}

pub(crate) fn say(what: impl std::fmt::Display) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{what}").unwrap();
    output.flush().unwrap();
}
