//! Those who hold connections and those who flood: this program started again, from other addresses of this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::honest::is_whole;
use crate::processes::Process;
use crate::sender::Sender;

/// First argument of a besieging process; then `slow ADDRESS COUNT` or `flood ADDRESS`.
pub(crate) const BESIEGE: &str = "besiege";

/// Connections of the flood.
const FLOOD_CONNECTIONS: usize = 16;

/// Requests of the flood that were signed before: more than the server can take in the time.
const FLOOD_REQUESTS: usize = 120_000;

/// A besieging process, which ends with this value.
pub(crate) struct Besiegers {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Besiegers {
    /// Holds `count` connections by the time this returns.
    pub(crate) fn slow(server: SocketAddr, count: usize) -> Self {
        let mut besiegers = Self::start(&["slow", &server.to_string(), &count.to_string()]);
        besiegers.line();
        besiegers
    }

    /// Floods by the time this returns. Its messages are signed here, so that making them costs nothing meanwhile.
    pub(crate) fn flood(server: SocketAddr, sender: &mut Sender) -> Self {
        let mut besiegers = Self::start(&["flood", &server.to_string()]);
        for _ in 0..FLOOD_REQUESTS {
            let request = sender.next();
            besiegers
                .input
                .write_all(&u32::try_from(request.len()).unwrap().to_be_bytes())
                .unwrap();
            besiegers.input.write_all(&request).unwrap();
        }
        besiegers.input.flush().unwrap();
        besiegers.line();
        besiegers
    }

    /// How many connections are held, as seen from their other ends.
    pub(crate) fn held(&mut self) -> f64 {
        self.input.write_all(b"?").unwrap();
        self.line().parse().unwrap()
    }

    /// Ends the flood; how many messages a second were answered.
    pub(crate) fn end(mut self) -> f64 {
        self.held()
    }

    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(BESIEGE).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { _process: Process(child), input, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the besiegers ended");
        line.trim().to_owned()
    }
}

/// The besieging process.
pub(crate) fn serve(arguments: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = arguments[1].parse().unwrap();
    match arguments[0].as_str() {
        "slow" => runtime.block_on(hold(server, arguments[2].parse().unwrap())),
        _ => runtime.block_on(flood(server)),
    }
}

/// Another address of this machine: 127.0.0.`last`.
async fn connect(server: SocketAddr, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let host = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    socket.bind(SocketAddr::new(host, 0)).unwrap();
    socket.connect(server).await.unwrap()
}

async fn hold(server: SocketAddr, count: usize) {
    let held = Arc::new(AtomicUsize::new(0));
    for index in 0..count {
        // A host has at most half of the places.
        let last = 2 + u8::try_from(index * 4 / count).unwrap();
        let held = Arc::clone(&held);
        tokio::spawn(async move {
            // Whoever is sent away comes back.
            loop {
                let stream = connect(server, last).await;
                held.fetch_add(1, Ordering::Relaxed);
                be_slow(stream, index % 4).await;
                held.fetch_sub(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    let mut stands = 0;
    // Long enough for those to be sent away that find no place.
    while stands < 10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stands = if held.load(Ordering::Relaxed) == count { stands + 1 } else { 0 };
    }
    say("holding");
    asked().await;
    say(held.load(Ordering::Relaxed));
    asked().await;
}

/// How often those ask who read no answer.
const QUESTIONS: usize = 20;

/// Ends when the server does.
async fn be_slow(mut stream: TcpStream, kind: usize) {
    const HEAD: &[u8] = b"POST /message HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n";
    const ASK: &[u8] = b"GET /stats HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut bytes: Box<dyn Iterator<Item = &[u8]> + Send> = match kind {
        0 => Box::new(std::iter::empty()),
        1 => Box::new(HEAD.chunks(1)),
        2 => Box::new(std::iter::once(HEAD).chain(std::iter::repeat(&b"x"[..]))),
        _ => Box::new(std::iter::repeat_n(ASK, QUESTIONS)),
    };
    let at_once = if kind == 3 { QUESTIONS } else { 1 };
    loop {
        for part in bytes.by_ref().take(at_once) {
            // Whoever reads no answers may find no place for a question, and waits with it.
            let sent =
                tokio::time::timeout(Duration::from_millis(50), stream.write_all(part)).await;
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => break,
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut gone = [0; 1];
        if kind != 3
            && let Ok(Ok(0) | Err(_)) =
                tokio::time::timeout(Duration::from_millis(1), stream.read(&mut gone)).await
        {
            return;
        }
    }
}

async fn flood(server: SocketAddr) {
    let requests = tokio::task::spawn_blocking(read_requests).await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let parts = requests.len().div_ceil(FLOOD_CONNECTIONS);
    for part in requests.chunks(parts) {
        let (stream, part) = (connect(server, 100).await, part.to_vec());
        let answered = Arc::clone(&answered);
        tokio::spawn(async move { send_all(stream, part, &answered).await });
    }
    let start = Instant::now();
    say("flooding");
    asked().await;
    say(answered.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64());
    asked().await;
}

async fn send_all(mut stream: TcpStream, requests: Vec<Vec<u8>>, answered: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let mut received = vec![0; 4_096];
    for request in requests {
        if stream.write_all(&request).await.is_err() {
            return;
        }
        let mut len = 0;
        while !is_whole(&received[..len]) {
            match stream.read(&mut received[len..]).await {
                Ok(read @ 1..) => len += read,
                Ok(0) | Err(_) => return,
            }
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn read_requests() -> Vec<Vec<u8>> {
    let mut input = std::io::stdin().lock();
    let request = |_| {
        let mut len = [0; 4];
        input.read_exact(&mut len).unwrap();
        let mut request = vec![0; usize::try_from(u32::from_be_bytes(len)).unwrap()];
        input.read_exact(&mut request).unwrap();
        request
    };
    (0..FLOOD_REQUESTS).map(request).collect()
}

/// Waits for a byte, or the end, of standard input.
async fn asked() {
    drop(tokio::task::spawn_blocking(|| std::io::stdin().lock().read(&mut [0; 1])).await);
}

fn say(what: impl std::fmt::Display) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{what}").unwrap();
    output.flush().unwrap();
}
