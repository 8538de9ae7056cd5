//! Connections that are held and hardly used, in six ways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::besiegers::{asked, connect, say};

/// Ways of being slow.
const WAYS: usize = 6;

/// How often those ask who read no answer.
const QUESTIONS: usize = 20;

const HEAD: &[u8] = b"POST /message HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n";
/// Longer in coming than anything is measured.
const BODY: &[u8] = &[b'x'; 4_096];
const ASK: &[u8] = b"GET /stats HTTP/1.1\r\nhost: x\r\n\r\n";
/// An upgrade to a WebSocket (`docs/protocol/1.1.md#websocket`).
pub(crate) const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: entity.v1\r\n\r\n";

/// Holds connections from 127.0.0.2 on, and says how many stand when it is asked.
pub(crate) async fn hold(server: SocketAddr, count: usize, hosts: usize) {
    let held = Arc::new(watch::Sender::new((0_usize, 0_usize)));
    for index in 0..count {
        let host = 2 + u8::try_from(index * hosts / count).unwrap();
        let held = Arc::clone(&held);
        tokio::spawn(async move {
            let mut is_first = true;
            // Whoever is sent away comes back.
            loop {
                if let Ok(stream) = connect(server, host).await {
                    held.send_modify(|(standing, tried)| {
                        *standing += 1;
                        *tried += usize::from(std::mem::take(&mut is_first));
                    });
                    be_slow(stream, index % WAYS).await;
                    held.send_modify(|(standing, _)| *standing -= 1);
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
    let mut all = held.subscribe();
    drop(all.wait_for(|(_, tried)| *tried == count).await);
    say("holding");
    asked().await;
    let (standing, _) = *held.borrow();
    say(standing);
    asked().await;
}

/// Ends when the server does.
async fn be_slow(mut stream: TcpStream, way: usize) {
    let (at_once, byte_by_byte): (Vec<u8>, &[u8]) = match way {
        0 => (Vec::new(), b""),
        1 => (Vec::new(), HEAD),
        2 => (HEAD.to_vec(), BODY),
        3 => (ASK.repeat(QUESTIONS), b""),
        4 => (UPGRADE[..UPGRADE.len() / 2].to_vec(), b""),
        _ => (UPGRADE.to_vec(), b""),
    };
    if stream.write_all(&at_once).await.is_err() {
        return;
    }
    for byte in byte_by_byte {
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    if way == 3 {
        // Reads no answer.
        drop(stream.ready(tokio::io::Interest::ERROR).await);
        return;
    }
    loop {
        match stream.read(&mut [0; 1_024]).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
