//! Measures peers that talk: handshakes, messages under an open load, throughput, memory, processor time, the wire.
//!
//! `docs/design/perf.md` says why it measures so; `handfast-perf` judges what comes of it. Reading order:
//!
//! 1. [`measure`]: the rounds. What is measured of one pair of peers is [`Measured`].
//! 2. `duo`: the two peers of a pair, started and introduced. `load`: messages to them at given moments, or as many as they take.
//! 3. `limit`: what the machine and the line to a peer allow by themselves. `wire`: what goes between two peers, counted.

mod duo;
mod limit;
mod load;
mod wire;

use handfast_lab::clock::monotonic_ns;
use handfast_lab::{CallError, Lab, LabError, StartError, Usage};
use handfast_perf::latencies::Percentiles;
use handfast_perf::{Figure, Latencies, Load, Metric};
use handfast_scenario::project::PeerProgram;
use handfast_statistics::number::real_u64;
use serde::Serialize;

use self::duo::{Duo, Way};
use self::load::Taken;
use crate::place::Places;

pub use self::limit::Limits;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// How often everything is measured; from 20 on it can be said what chance does to a figure.
    pub rounds: usize,
    /// Messages of the open load, a round.
    pub messages: usize,
    /// How many of them a second.
    pub per_second: f64,
    /// Messages at once, as fast as they are taken, a round.
    pub burst: usize,
    /// Whether what goes over the wire is counted, too.
    pub counts: bool,
}

impl Order {
    /// How many messages a pair of peers exchanges, from the first one on.
    pub fn messages_each(&self) -> usize {
        self.burst.min(WARM_UP) + self.rounds * (self.messages + self.burst)
    }
}

impl Default for Order {
    /// 20 rounds. The open load is half of the throughput at which somebody is told: a peer that is just above carries it without a queue, so
    /// that a lack of throughput does not look like latency.
    fn default() -> Self {
        Self { rounds: 20, messages: 20, per_second: 25.0, burst: 200, counts: true }
    }
}

/// Who sends to whom.
#[derive(Debug, Clone)]
pub struct Cast {
    /// Opens sessions and sends.
    pub a: PeerProgram,
    /// Answers.
    pub b: PeerProgram,
}

impl Cast {
    /// The name of the pair: who opens and sends, an arrow, who answers.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.a.name, self.b.name)
    }

    /// The newest version of the protocol that both are said to speak.
    fn protocol(&self) -> Option<String> {
        self.a.versions.iter().rev().find(|version| self.b.versions.contains(version)).cloned()
    }
}

/// What it takes to measure.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// Where peers are started.
    pub lab: &'a Lab,
    /// What the variables of their commands stand for.
    pub places: &'a Places,
    /// Their randomness follows from it.
    pub seed: u64,
}

/// What was measured of one pair of peers.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Who sent to whom.
    pub pair: String,
    /// The version of the protocol that they were told to speak.
    pub protocol: Option<String>,
    /// What was measured of each metric, in the order of [`Metric::ALL`].
    pub figures: Vec<Figure>,
    /// Every handshake.
    pub handshakes: Percentiles,
    /// Every message of the open load.
    pub latencies: Percentiles,
    /// How late the driver itself sent them: what of their latency is not the peers'.
    pub late: Percentiles,
    /// What the machine and the line to the peers allowed by themselves.
    pub limits: Limits,
    /// How many messages were to be sent.
    pub messages: usize,
    /// How many of them were refused, or not answered in time.
    pub failed: usize,
    /// Why the first of them was.
    pub first_failure: Option<String>,
    /// Requests that came through the recording proxy, although the peers were told of each other's own address.
    pub detours: u64,
}

impl Measured {
    /// What was measured of a metric.
    pub fn figure(&self, metric: Metric) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.metric == metric)
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum PerfError {
    /// The machine or the platform failed.
    #[error("the lab could not be opened")]
    Lab(#[from] LabError),
    /// A peer could not be started.
    #[error("{peer} could not be started")]
    Start {
        /// The peer.
        peer: String,
        /// Why.
        #[source]
        source: StartError,
    },
    /// A peer did not do what measuring takes.
    #[error("{peer} failed at {method}")]
    Call {
        /// The peer.
        peer: String,
        /// What it was asked for.
        method: &'static str,
        /// What it said.
        #[source]
        source: CallError,
    },
    /// A peer lacks what measuring takes.
    #[error("{peer} does not offer {what}, which measuring takes")]
    Lacks {
        /// The peer.
        peer: String,
        /// What.
        what: &'static str,
    },
    /// A process cannot be looked at.
    #[error("what {peer} uses of the machine cannot be seen")]
    Usage {
        /// The peer.
        peer: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The machine gives no socket for its own limit.
    #[error("the loopback cannot be measured")]
    Loopback(#[source] std::io::Error),
}

/// Measures pairs of peers in rounds that take turns; the order of the pairs turns round with each round, so that none gains by its place.
///
/// `told` hears the number of each round that is over.
///
/// # Errors
///
/// [`PerfError`]; a message that is refused is none.
pub async fn measure(
    means: Means<'_>,
    casts: &[Cast],
    order: Order,
    mut told: impl FnMut(usize),
) -> Result<Vec<Measured>, PerfError> {
    let mut series = Vec::new();
    for cast in casts {
        series.push(Series::open(means, cast).await?);
    }
    for series in &mut series {
        series.warm_up(order).await?;
    }
    for round in 1..=order.rounds {
        for at in 0..series.len() {
            let at = if round % 2 == 0 { series.len() - 1 - at } else { at };
            series[at].round(order).await?;
        }
        told(round);
    }
    let mut measured = Vec::new();
    for series in series {
        measured.push(series.close(means, order).await?);
    }
    Ok(measured)
}

/// The rounds of one pair.
struct Series {
    cast: Cast,
    duo: Duo,
    handshakes: Latencies,
    latencies: Latencies,
    late: Latencies,
    limits: limit::Tally,
    rounds: Rounds,
    sent: usize,
    failed: usize,
    first_failure: Option<String>,
}

/// A value a round.
#[derive(Default)]
struct Rounds {
    handshake: Vec<f64>,
    latency: Vec<f64>,
    throughput: Vec<f64>,
    memory: Vec<f64>,
    cpu: Vec<f64>,
}

impl Series {
    async fn open(means: Means<'_>, cast: &Cast) -> Result<Self, PerfError> {
        Ok(Self {
            cast: cast.clone(),
            duo: Duo::open(means, cast, Way::Straight).await?,
            handshakes: Latencies::new(),
            latencies: Latencies::new(),
            late: Latencies::new(),
            limits: limit::Tally::new(),
            rounds: Rounds::default(),
            sent: 0,
            failed: 0,
            first_failure: None,
        })
    }

    /// The first messages open connections and fill pools; they are of no round.
    async fn warm_up(&mut self, order: Order) -> Result<(), PerfError> {
        self.duo.handshake().await?;
        let taken = load::at_once(&self.duo, order.burst.min(WARM_UP)).await?;
        self.count(&taken);
        Ok(())
    }

    async fn round(&mut self, order: Order) -> Result<(), PerfError> {
        let handshake_us = self.duo.handshake().await?;
        self.handshakes.record(0, handshake_us);
        self.rounds.handshake.push(real(handshake_us));

        let (taken, late) =
            load::open(&self.duo, Load::new(order.per_second, order.messages)).await?;
        self.count(&taken);
        let mut of_round = Latencies::new();
        for (due_us, over_us) in &taken.moments {
            self.latencies.record(*due_us, *over_us);
            of_round.record(*due_us, *over_us);
        }
        for late_us in late {
            self.late.record(0, late_us);
        }
        self.rounds.latency.extend(of_round.percentiles().map(|seen| seen.p50));

        let cpu_before = self.duo.cpu_us()?;
        let began_ns = monotonic_ns();
        let taken = load::at_once(&self.duo, order.burst).await?;
        let took_us = (monotonic_ns() - began_ns) / 1_000;
        let cpu_us = self.duo.cpu_us()?.saturating_sub(cpu_before);
        self.count(&taken);
        let answered = real_count(taken.moments.len() - taken.failed.min(taken.moments.len()));
        self.rounds.throughput.push(answered * 1e6 / real(took_us.max(1)));
        self.rounds.cpu.push(real(cpu_us) / answered.max(1.0));

        self.rounds.memory.push(real(self.duo.memory_bytes()?));
        self.limits.look(&self.duo).await
    }

    fn count(&mut self, taken: &Taken) {
        self.sent += taken.moments.len();
        self.failed += taken.failed;
        if self.first_failure.is_none() {
            self.first_failure.clone_from(&taken.first_failure);
        }
    }

    /// Ends the peers, and counts with others what goes over the wire: what looks into each message takes its time.
    async fn close(self, means: Means<'_>, order: Order) -> Result<Measured, PerfError> {
        let detours = self.duo.requests_seen();
        self.duo.close().await;
        let counted = if order.counts { wire::count(means, &self.cast).await? } else { Vec::new() };
        let handshakes = self.handshakes.percentiles().unwrap_or(NOTHING);
        let latencies = self.latencies.percentiles().unwrap_or(NOTHING);
        let Rounds { handshake, latency, throughput, memory, cpu } = self.rounds;
        let most = memory.iter().copied().fold(0.0, f64::max);
        let mean = cpu.iter().sum::<f64>() / real_count(cpu.len().max(1));
        let figures = [
            Figure::new(Metric::Handshake, handshake, handshakes.p99),
            Figure::new(Metric::Latency, latency, latencies.p99),
            Figure::of_rounds(Metric::Throughput, throughput),
            Figure::new(Metric::Memory, memory, most),
            Figure::new(Metric::CpuPerMessage, cpu, mean),
        ];
        let figures = figures.into_iter().flatten().chain(counted).collect();
        Ok(Measured {
            pair: self.cast.name(),
            protocol: self.cast.protocol(),
            figures,
            handshakes,
            latencies,
            late: self.late.percentiles().unwrap_or(NOTHING),
            limits: self.limits.limits(),
            messages: self.sent,
            failed: self.failed,
            first_failure: self.first_failure,
            detours,
        })
    }
}

fn real(value: u64) -> f64 {
    real_u64(value)
}

fn real_count(value: usize) -> f64 {
    real(u64::try_from(value).unwrap_or(u64::MAX))
}

/// What a process and its children use.
fn usage(peer: &handfast_lab::Peer) -> Result<Usage, PerfError> {
    let failed = |source| PerfError::Usage { peer: peer.role().to_owned(), source };
    Usage::of(peer.pid()).map_err(failed)
}

/// Percentiles of nothing, where not one message was to be sent.
const NOTHING: Percentiles =
    Percentiles { count: 0, p50: 0.0, p90: 0.0, p99: 0.0, p999: 0.0, max: 0.0 };

/// Messages at once before the first round (guessed: every connection of a pool has been opened).
const WARM_UP: usize = 64;
