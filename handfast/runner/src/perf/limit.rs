//! What the machine and the line to a peer allow by themselves, in the same rounds.

use handfast_lab::Peer;
use handfast_perf::Latencies;
use handfast_perf::latencies::Percentiles;
use handfast_statistics::number::median;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::PerfError;
use super::duo::{Duo, WITHIN};
use super::load::{IN_FLIGHT, now_us};
use super::real;

/// What the machine and the line to a peer allow by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// A round trip of a message's size over a TCP connection on the loopback, between two tasks of handfast, in microseconds.
    pub loopback: Percentiles,
    /// A call that the sending peer answers at once, whatever it is, over its standard streams, in microseconds: every latency has one in it.
    pub call: Percentiles,
    /// Such calls in a second, as many at once as messages are on their way.
    pub calls_per_second: f64,
}

/// What was measured of them so far.
pub(super) struct Tally {
    loopback: Latencies,
    call: Latencies,
    rates: Vec<f64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { loopback: Latencies::new(), call: Latencies::new(), rates: Vec::new() }
    }

    /// One round.
    pub(super) async fn look(&mut self, duo: &Duo) -> Result<(), PerfError> {
        loopback(&mut self.loopback).await.map_err(PerfError::Loopback)?;
        for _ in 0..CALLS {
            let began_us = now_us();
            nothing(&duo.a).await;
            self.call.record(began_us, now_us());
        }
        let began_us = now_us();
        let mut callers = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let a: Arc<Peer> = duo.a.clone();
            callers.spawn(async move {
                for _ in 0..CALLS_EACH {
                    nothing(&a).await;
                }
            });
        }
        callers.join_all().await;
        let calls = u64::try_from(IN_FLIGHT * CALLS_EACH).unwrap_or_default();
        self.rates.push(real(calls) * 1e6 / real((now_us() - began_us).max(1)));
        Ok(())
    }

    pub(super) fn limits(&self) -> Limits {
        let seen = |latencies: &Latencies| latencies.percentiles().unwrap_or(super::NOTHING);
        let calls_per_second = if self.rates.is_empty() { 0.0 } else { median(&self.rates) };
        Limits { loopback: seen(&self.loopback), call: seen(&self.call), calls_per_second }
    }
}

/// A call that no peer may know, and every peer has to answer at once.
async fn nothing(peer: &Peer) {
    drop(peer.call("perf.nothing", json!({}), WITHIN).await);
}

/// Round trips of a message's size over one connection.
async fn loopback(into: &mut Latencies) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut buffer = [0; MESSAGE_LEN];
        for _ in 0..TRIPS {
            stream.read_exact(&mut buffer).await?;
            stream.write_all(&buffer).await?;
        }
        std::io::Result::Ok(())
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [7; MESSAGE_LEN];
    for _ in 0..TRIPS {
        let began_us = now_us();
        stream.write_all(&buffer).await?;
        stream.read_exact(&mut buffer).await?;
        into.record(began_us, now_us());
    }
    echo.await.map_err(std::io::Error::other)?
}

/// Bytes of a round trip: 256 of text and what an envelope adds at least.
const MESSAGE_LEN: usize = 400;

/// Round trips a round.
const TRIPS: usize = 50;

/// Calls a round, one after the other; and of each caller, all at once.
const CALLS: usize = 20;
const CALLS_EACH: usize = 8;
