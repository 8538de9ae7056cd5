use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::{Bounds, accept};
use crate::conversation::Conversation;
use crate::desk::Desk;
use crate::expression::Fresh;
use crate::player::Player;

fn desk() -> Arc<Mutex<Desk>> {
    let text = format!(
        "name = \"x\"\nversion = \"1.1\"\nrecorded = \"nothing\"\nseed = \"{}\"\n[[exchange]]\nwhen = {{}}\nkeep = \"m\"\nthen = []\n",
        "02".repeat(32)
    );
    let conversation = Conversation::read("x", &text).unwrap();
    let player = Player::new("b", vec![conversation], Fresh::recorded(BTreeMap::new()));
    Arc::new(Mutex::new(Desk::new("b", "python", "http://127.0.0.1:1", player)))
}

const BOUNDS: Bounds = Bounds { connections: 3, within: Duration::from_millis(300) };

async fn listening() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(accept(listener, desk(), BOUNDS));
    address
}

async fn asked(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn silent_connections_hold_all_places_only_until_their_time_is_over() {
    let address = listening().await;
    let begun = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..BOUNDS.connections {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let answer = asked(address).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(begun.elapsed() >= BOUNDS.within, "answered after {:?}", begun.elapsed());
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "a silent connection is still open");
    }
}
