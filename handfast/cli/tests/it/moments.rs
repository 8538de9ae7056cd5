//! What the peers of a fixture say they do, while they do it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
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
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream.unwrap()).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Moments { address, lines }
}
