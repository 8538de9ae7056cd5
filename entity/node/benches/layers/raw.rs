//! The same bytes over the same loopback to a process that answers each message and does nothing else.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::median;
use crate::processes::Process;

/// First argument of the answering process; then the layer.
pub(crate) const SERVE: &str = "serve-raw";

/// As long as a compact frame of the messages that are measured.
const MESSAGE_LEN: usize = 400;

/// What the bytes go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Messages one behind the other, all of one length.
    Tcp,
    /// Binary messages.
    Socket,
}

/// An answering process, and who speaks to it.
pub(crate) struct Raw {
    layer: Layer,
    address: SocketAddr,
    runtime: Runtime,
    _process: Process,
}

enum Link {
    Tcp { stream: TcpStream, out: Vec<u8> },
    Socket(Box<WebSocketStream<TcpStream>>),
}

impl Raw {
    pub(crate) fn start(layer: Layer) -> Self {
        let word = if layer == Layer::Tcp { "tcp" } else { "socket" };
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command.args([SERVE, word]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { layer, address: line.trim().parse().unwrap(), runtime, _process: Process(child) }
    }

    /// Messages answered a second with so many in flight.
    pub(crate) fn rate(&self, messages: usize, in_flight: usize) -> f64 {
        self.runtime.block_on(async {
            let mut link = self.link().await;
            let start = Instant::now();
            let (mut sent, mut answered) = (0, 0);
            while answered < messages {
                while sent < messages && sent - answered < in_flight {
                    link.feed().await;
                    sent += 1;
                }
                link.flush().await;
                answered += link.answers().await;
            }
            messages as f64 / start.elapsed().as_secs_f64()
        })
    }

    /// Microseconds that half of some messages took at most until they were answered.
    pub(crate) fn median_trip(&self, count: usize) -> f64 {
        self.runtime.block_on(async {
            let mut link = self.link().await;
            let mut times = Vec::with_capacity(count);
            for _ in 0..count {
                let start = Instant::now();
                link.feed().await;
                link.flush().await;
                link.answers().await;
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
            median(times)
        })
    }

    /// Megabytes a second in pieces of 64 KiB, until the last is answered.
    pub(crate) fn bulk(&self, mib: usize) -> f64 {
        const PIECE: usize = 64 * 1024;
        self.runtime.block_on(async {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let (mut answers, mut out) = stream.into_split();
            let len = mib << 20;
            let wanted = len / MESSAGE_LEN;
            let start = Instant::now();
            let writing = tokio::spawn(async move {
                let piece = vec![b'x'; PIECE];
                for _ in 0..len / PIECE {
                    out.write_all(&piece).await.unwrap();
                }
                out
            });
            let (mut answered, mut buffer) = (0, vec![0; 64 * 1024]);
            while answered < wanted {
                answered += answers.read(&mut buffer).await.unwrap();
            }
            drop(writing.await.unwrap());
            len as f64 / start.elapsed().as_secs_f64() / 1e6
        })
    }

    async fn link(&self) -> Link {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        match self.layer {
            Layer::Tcp => Link::Tcp { stream, out: Vec::new() },
            Layer::Socket => {
                let url = format!("ws://{}/", self.address);
                Link::Socket(Box::new(client_async(url, stream).await.unwrap().0))
            }
        }
    }
}

impl Link {
    async fn feed(&mut self) {
        match self {
            Self::Tcp { out, .. } => out.extend_from_slice(&[b'x'; MESSAGE_LEN]),
            Self::Socket(socket) => {
                socket.feed(Message::binary(vec![b'x'; MESSAGE_LEN])).await.unwrap();
            }
        }
    }

    async fn flush(&mut self) {
        match self {
            Self::Tcp { stream, out } => {
                stream.write_all(out).await.unwrap();
                out.clear();
            }
            Self::Socket(socket) => socket.flush().await.unwrap(),
        }
    }

    /// How many answers have come; waits for the first.
    async fn answers(&mut self) -> usize {
        match self {
            Self::Tcp { stream, .. } => stream.read(&mut [0; 4_096]).await.unwrap(),
            Self::Socket(socket) => {
                socket.next().await.unwrap().unwrap();
                let mut answers = 1;
                while let Some(Some(answer)) = socket.next().now_or_never() {
                    answer.unwrap();
                    answers += 1;
                }
                answers
            }
        }
    }
}

/// The answering process: prints its address and answers until its standard input ends.
pub(crate) fn serve(layer: &str) {
    let is_socket = layer == "socket";
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                if is_socket {
                    tokio::spawn(answer_socket(stream));
                } else {
                    tokio::spawn(answer_tcp(stream));
                }
            }
        });
        let ended = || std::io::stdin().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(ended).await.unwrap().unwrap();
    });
}

async fn answer_tcp(mut stream: TcpStream) {
    let (mut buffer, mut unfinished) = (vec![0; 64 * 1024], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        unfinished += read;
        let answers = vec![1; unfinished / MESSAGE_LEN];
        unfinished %= MESSAGE_LEN;
        if stream.write_all(&answers).await.is_err() {
            return;
        }
    }
}

async fn answer_socket(stream: TcpStream) {
    let mut socket = accept_async(stream).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {
        let mut answers = 1;
        while let Some(Some(Ok(_))) = socket.next().now_or_never() {
            answers += 1;
        }
        for _ in 0..answers {
            if socket.feed(Message::binary(vec![1; 9])).await.is_err() {
                return;
            }
        }
        if socket.flush().await.is_err() {
            return;
        }
    }
}
