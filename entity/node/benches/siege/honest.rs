//! The honest peer: signed messages, one at a time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::processes::Run;
use crate::sender::{self, Sender};

pub(crate) struct Honest {
    sender: Sender,
    server: SocketAddr,
    _runtime: Runtime,
}

/// The server, the honest peer, and the one that will flood.
pub(crate) fn start() -> (Run, Honest, Sender) {
    let runtime = Runtime::new().unwrap();
    let (run, [sender, flooder]) = runtime.block_on(sender::start(["honest", "flooder"]));
    let server = run.address;
    (run, Honest { sender, server, _runtime: runtime }, flooder)
}

impl Honest {
    /// Messages a second over a new connection, each signed before the clock ran and answered 200.
    pub(crate) fn rate(&mut self, part: Duration) -> f64 {
        // More than any machine takes in that time; what is left over is thrown away, numbers may be left out.
        let count = usize::try_from(part.as_millis()).unwrap() * 60;
        let requests: Vec<Vec<u8>> = (0..count).map(|_| self.sender.next()).collect();
        let start = Instant::now();
        let count = answered(self.server, &requests, start + part);
        count as f64 / start.elapsed().as_secs_f64()
    }
}

/// Sends until `end`, and counts what was answered 200. Anything else ends the measurement: an honest peer is never refused.
fn answered(server: SocketAddr, requests: &[Vec<u8>], end: Instant) -> usize {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut received = [0; 4_096];
    for (index, request) in requests.iter().enumerate() {
        if Instant::now() >= end {
            return index;
        }
        stream.write_all(request).unwrap();
        let mut len = 0;
        while !is_whole(&received[..len]) {
            let read = stream.read(&mut received[len..]).unwrap();
            assert!(read > 0, "the server closed the connection of an honest peer");
            len += read;
        }
        let answer = &received[..len];
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(answer));
    }
    panic!("more answers than requests were made before: make more")
}

/// Whether an answer with a content length is complete.
fn is_whole(answer: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = &answer[..end];
    let at = head.windows(LENGTH.len()).position(|bytes| bytes == LENGTH).unwrap() + LENGTH.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() >= end + 4 + length
}
