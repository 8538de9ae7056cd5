//! An honest peer beside hundreds that are slow, silent, or in a hurry. How fast it stays is measured elsewhere
//! (`cargo bench -p entity-node --bench siege`); here nothing of its is lost or refused, and it is printed how long it took.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity_peer::command::CommandResult;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::TestNode;

/// As many as leave this process its other descriptors where a process has 1,024.
const HELD: usize = 360;

const MESSAGES: usize = 100;

/// A connection from another address of this machine: 127.0.0.`last`.
async fn connect(to: SocketAddr, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// A third each says nothing, half a head, and a head with half a body.
async fn hold(to: SocketAddr) -> Vec<TcpStream> {
    const HEAD: &[u8] =
        b"POST /message HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{\"half\": ";
    let mut held = Vec::new();
    for index in 0..HELD {
        let mut stream = connect(to, 2).await;
        let said = match index % 3 {
            0 => &HEAD[..0],
            1 => &HEAD[..20],
            _ => HEAD,
        };
        stream.write_all(said).await.unwrap();
        held.push(stream);
    }
    held
}

/// Sends messages one at a time; how many a second were accepted. Each has to be.
async fn honest(from: &TestNode, to: &TestNode, round: &str) -> f64 {
    let start = Instant::now();
    for number in 0..MESSAGES {
        let sent = from.send(to, &format!("{round} {number}")).await;
        assert!(matches!(sent, Ok(CommandResult::Sent(_))), "{round} {number}: {sent:?}");
    }
    f64::from(u32::try_from(MESSAGES).unwrap()) / start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "how long it took is for whoever looks")]
async fn an_honest_peer_loses_nothing_beside_the_slow_and_a_flood() {
    let [a, b, flooder] = ["a", "b", "flooder"].map(|name| TestNode::start(name, |_| {}));
    for other in [&a, &flooder] {
        b.add(other).await;
        other.add(&b).await;
        other.open(&b).await.unwrap();
    }
    let alone = honest(&a, &b, "alone").await;
    let mut held = hold(b.serving.address()).await;
    let beside_slow = honest(&a, &b, "beside the slow").await;
    let (flooder, b) = (Arc::new(flooder), Arc::new(b));
    let goes_on = Arc::new(AtomicBool::new(true));
    let mut flood = JoinSet::new();
    for _ in 0..16 {
        let (flooder, b, goes_on) = (Arc::clone(&flooder), Arc::clone(&b), Arc::clone(&goes_on));
        flood.spawn(async move {
            while goes_on.load(Ordering::Relaxed) {
                drop(flooder.send(&b, "flood").await);
            }
        });
    }
    let beside_all = honest(&a, &b, "beside all").await;
    goes_on.store(false, Ordering::Relaxed);
    while flood.join_next().await.is_some() {}
    eprintln!(
        "accepted a second: alone {alone:.0}, beside the slow {beside_slow:.0}, beside all {beside_all:.0}"
    );
    // They are held, each of them: nothing has come back, neither an answer nor an end.
    for stream in &mut held {
        let mut byte = [0; 1];
        let silence = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(silence, stream.read(&mut byte)).await.is_err());
    }
}
