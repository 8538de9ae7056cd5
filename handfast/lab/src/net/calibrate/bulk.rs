//! How much one TCP connection carries between the two places.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{FROM, TO};
use crate::clock::monotonic_ns;
use crate::net::holder::SocketKind;
use crate::net::network::Net;

/// Sends for so long; returns bits a second, counted by the receiver.
pub(super) fn run(net: &Net, span: Duration) -> io::Result<f64> {
    let listener = net.socket(TO, SocketKind::Tcp4)?;
    let place = net.place(TO).ok_or(io::ErrorKind::NotFound)?;
    listener.bind(&SocketAddr::from((place.v4, 0)).into())?;
    listener.listen(1)?;
    let listener: TcpListener = listener.into();
    let sender = net.socket(FROM, SocketKind::Tcp4)?;
    sender.connect_timeout(&listener.local_addr()?.into(), CONNECT_WITHIN)?;
    let mut sender: TcpStream = sender.into();
    sender.set_write_timeout(Some(CONNECT_WITHIN))?;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(CONNECT_WITHIN))?;
    std::thread::scope(|scope| {
        let counting = scope.spawn(move || count(&mut receiver));
        let until_ns = monotonic_ns() + u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let block = vec![0x5a; BLOCK];
        while monotonic_ns() < until_ns {
            sender.write_all(&block)?;
        }
        drop(sender);
        counting.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))
    })
}

fn count(receiver: &mut TcpStream) -> io::Result<f64> {
    let mut block = vec![0; BLOCK];
    let mut bytes = receiver.read(&mut block)?;
    let begin_ns = monotonic_ns();
    let mut end_ns = begin_ns;
    // The first block opened the clock.
    bytes -= bytes;
    loop {
        let length = receiver.read(&mut block)?;
        if length == 0 {
            break;
        }
        bytes += length;
        end_ns = monotonic_ns();
    }
    let span = end_ns.saturating_sub(begin_ns).max(1);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let bits_per_s = bytes as f64 * 8.0 / (span as f64 / 1e9);
    Ok(bits_per_s)
}

const BLOCK: usize = 256 << 10;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
