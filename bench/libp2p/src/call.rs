//! Who asks the answering process, and measures.

use std::io::{BufRead as _, BufReader};
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::request_response::{Event, Message};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Stream, Swarm};

use crate::swarm::{BULK, Behaviour, BehaviourEvent, MESSAGE_LEN, MESSAGES, swarm};
use crate::{Failure, SERVE};

/// A piece of a bulk transfer.
const PIECE_LEN: usize = 64 * 1024;

/// A process that ends with this value.
struct Answering(Child);

impl Drop for Answering {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A peer that is connected with the answering process.
pub struct Caller {
    answering: Answering,
    address: Multiaddr,
    peer: PeerId,
    swarm: Swarm<Behaviour>,
}

impl Caller {
    /// Starts the answering process on the same cores and connects.
    pub async fn start() -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let answering = Answering(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let (address, peer) = line.trim().split_once(' ').ok_or("no address")?;
        let (address, peer) = (address.parse()?, peer.parse()?);
        let mut swarm = swarm()?;
        connected(&mut swarm, &address).await?;
        let mut caller = Self { answering, address, peer, swarm };
        caller.requests(1_000, 64).await?;
        caller.stream(10_000, 64).await?;
        Ok(caller)
    }

    pub async fn requests(&mut self, count: usize, in_flight: usize) -> Result<f64, Failure> {
        let start = Instant::now();
        let (mut sent, mut answered) = (0, 0);
        while answered < count {
            while sent < count && sent - answered < in_flight {
                self.request();
                sent += 1;
            }
            self.answered().await?;
            answered += 1;
        }
        Ok(count as f64 / start.elapsed().as_secs_f64())
    }

    pub async fn request_trip(&mut self, count: usize) -> Result<f64, Failure> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            self.request();
            self.answered().await?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        Ok(median(times))
    }

    pub async fn stream(&mut self, count: usize, in_flight: usize) -> Result<f64, Failure> {
        self.over(MESSAGES, async |mut stream| {
            let start = Instant::now();
            let (mut sent, mut answered, mut buffer) = (0, 0, vec![0; 4_096]);
            let messages = vec![7; in_flight * MESSAGE_LEN];
            while answered < count {
                let now = (count - sent).min(in_flight - (sent - answered));
                stream.write_all(&messages[..now * MESSAGE_LEN]).await?;
                stream.flush().await?;
                sent += now;
                answered += some(stream.read(&mut buffer).await?)?;
            }
            Ok(count as f64 / start.elapsed().as_secs_f64())
        })
        .await
    }

    pub async fn stream_trip(&mut self, count: usize) -> Result<f64, Failure> {
        self.over(MESSAGES, async |mut stream| {
            let (mut times, mut answer) = (Vec::with_capacity(count), [0]);
            for _ in 0..count {
                let start = Instant::now();
                stream.write_all(&[7; MESSAGE_LEN]).await?;
                stream.flush().await?;
                stream.read_exact(&mut answer).await?;
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
            Ok(median(times))
        })
        .await
    }

    pub async fn bulk(&mut self, mib: usize) -> Result<f64, Failure> {
        self.over(BULK, async |mut stream| {
            let (len, piece) = (mib << 20, vec![7; PIECE_LEN]);
            let start = Instant::now();
            stream.write_all(&(len as u64).to_be_bytes()).await?;
            for _ in 0..len / PIECE_LEN {
                stream.write_all(&piece).await?;
            }
            stream.flush().await?;
            stream.read_exact(&mut [0]).await?;
            Ok(len as f64 / start.elapsed().as_secs_f64() / 1e6)
        })
        .await
    }

    /// Fresh peers, one after the other, each from dialling to its ready connection.
    pub async fn handshake(&mut self, count: usize) -> Result<f64, Failure> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let mut fresh = swarm()?;
            times.push(connected(&mut fresh, &self.address).await? * 1e3);
        }
        Ok(median(times))
    }

    /// Resident memory of the answering process before and with so many idle peers more, in MiB.
    pub async fn idle(&mut self, count: usize) -> Result<(f64, f64), Failure> {
        let before = self.resident_mib()?;
        let mut peers = Vec::with_capacity(count);
        for _ in 0..count {
            let mut fresh = swarm()?;
            connected(&mut fresh, &self.address).await?;
            peers.push(fresh);
        }
        // Behind the last of them: all are taken.
        self.request_trip(10).await?;
        Ok((before, self.resident_mib()?))
    }

    fn resident_mib(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.answering.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no size")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
    }

    fn request(&mut self) {
        let requests = &mut self.swarm.behaviour_mut().requests;
        requests.send_request(&self.peer, vec![7; MESSAGE_LEN]);
    }

    async fn answered(&mut self) -> Result<(), Failure> {
        loop {
            let SwarmEvent::Behaviour(BehaviourEvent::Requests(event)) =
                self.swarm.select_next_some().await
            else {
                continue;
            };
            match event {
                Event::Message { message: Message::Response { .. }, .. } => return Ok(()),
                Event::OutboundFailure { error, .. } => return Err(error.to_string().into()),
                _ => {}
            }
        }
    }

    /// Does something over a stream of its own while the peer goes on.
    async fn over<T>(
        &mut self,
        protocol: libp2p::StreamProtocol,
        work: impl AsyncFnOnce(Stream) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut control = self.swarm.behaviour().stream.new_control();
        let peer = self.peer;
        let mut work = pin!(async { work(control.open_stream(peer, protocol).await?).await });
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = self.swarm.select_next_some() => {}
            }
        }
    }
}

/// Seconds from dialling until the connection is there.
async fn connected(swarm: &mut Swarm<Behaviour>, address: &Multiaddr) -> Result<f64, Failure> {
    let start = Instant::now();
    swarm.dial(address.clone())?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => return Ok(start.elapsed().as_secs_f64()),
            SwarmEvent::OutgoingConnectionError { error, .. } => {
                return Err(error.to_string().into());
            }
            _ => {}
        }
    }
}

fn some(read: usize) -> Result<usize, Failure> {
    if read == 0 { Err("the stream ended".into()) } else { Ok(read) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
