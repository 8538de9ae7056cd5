//! What the peers of a fixture say they do, while they do it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// How long the next thing may take: far more than it needs, on a machine that is busy otherwise.
pub(crate) const MOMENT_WITHIN: Duration = Duration::from_secs(20);

/// Where they say it.
pub(crate) struct Moments {
    pub(crate) address: String,
    pub(crate) lines: Receiver<String>,
}

/// Hears what the peers say they do.
pub(crate) fn listen() -> Moments {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, lines) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            hear(stream.unwrap(), sender.clone());
        }
    });
    Moments { address, lines }
}

/// The same at a path, which peers reach from networks of their own, too.
pub(crate) fn listen_at(path: &Path) -> Moments {
    let listener = UnixListener::bind(path).unwrap();
    let (sender, lines) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            hear(stream.unwrap(), sender.clone());
        }
    });
    Moments { address: path.to_str().unwrap().to_owned(), lines }
}

fn hear(stream: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}
