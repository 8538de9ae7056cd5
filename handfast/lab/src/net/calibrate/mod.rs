//! How exact the switch is on this host: faults are asked for, traffic is sent between two places, and what arrives is compared.
//!
//! A [`Cell`] is one condition. Each is measured over a network of its own, with a stretch without faults before it: what is judged is
//! what the conditions *add* to that. While it is measured, a probe notes how late this host wakes a thread that sleeps, because
//! a host that others use adds delays which nobody asked for: what missed its aim on such a host is marked as
//! [`Verdict::HostBusy`], neither held nor missed.
//!
//! Which packet is lost and which one waits how long follows from the seed. So a second [`Shaper`] with the same seed, fed with
//! the same packets, says beforehand what has to arrive: the measured set of lost packets must be exactly that set, beside
//! lying in the interval of its share.
//!
//! - [`cells`]: what is measured; `traffic` and `bulk`: how; `probe`: the host
//! - `judge`: from samples to a line, purely
//!
//! [`Shaper`]: handfast_faults::Shaper

mod bulk;
pub mod cells;
mod judge;
mod probe;
mod traffic;

use std::io;
use std::time::Duration;

use handfast_faults::{Account, Conditions, Link, Shaper};
use thiserror::Error;

pub use self::cells::{Cell, Group};
use self::judge::{Asked, Heard};
pub use self::judge::{Line, Verdict};
pub use self::probe::Host;
use super::error::NetError;
use super::namespaces::Owner;
use super::network::Net;
use super::plan::NetPlan;
use super::switch::SwitchError;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// 100,000 packets or 30 s a cell.
    Full,
    /// 2,000 packets or 2 s a cell: to see that all works; intervals are wide.
    Quick,
}

/// Why nothing, or nothing further, was measured.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// There is no network.
    #[error("there is no network to measure")]
    Net(#[from] NetError),
    /// There is no switch.
    #[error("there is no switch to measure")]
    Switch(#[from] SwitchError),
    /// Traffic could not be sent.
    #[error("traffic could not be sent")]
    Traffic(#[source] io::Error),
}

/// Measures one cell.
///
/// # Errors
///
/// [`CalibrateError`]; then a further cell fails alike.
pub fn measure(
    owner: &Owner,
    cell: &Cell,
    seed: u64,
    extent: Extent,
) -> Result<Line, CalibrateError> {
    match cell.group {
        Group::Throughput { is_large } => throughput(owner, cell, is_large, extent),
        Group::Delay | Group::Jitter | Group::Loss | Group::Bursts | Group::Rate => {
            let first = hear(owner, cell, seed, extent)?;
            Ok(judge::line(cell, &first))
        }
        Group::Repetition => {
            let first = hear(owner, cell, seed, extent)?;
            let second = hear(owner, cell, seed, extent)?;
            Ok(judge::repetition(cell, &first, &second))
        }
    }
}

/// A network of two places.
fn pair(owner: &Owner, seed: u64, offload: bool) -> Result<Net, CalibrateError> {
    let roles = vec![FROM.to_owned(), TO.to_owned()];
    Ok(Net::make(owner, &NetPlan { roles, seed, offload, ..NetPlan::default() })?)
}

/// Sends without faults, then with those of the cell.
fn hear(owner: &Owner, cell: &Cell, seed: u64, extent: Extent) -> Result<Heard, CalibrateError> {
    let net = pair(owner, seed, false)?;
    let probe = probe::start();
    let ends = traffic::Ends::open(&net).map_err(CalibrateError::Traffic)?;
    let calm = Cell::calm(extent);
    let base = ends.run(&calm, Duration::ZERO).map_err(CalibrateError::Traffic)?;
    net.set(FROM, TO, cell.conditions.clone())?;
    let load = cell.load(extent);
    let patience = cell.conditions.delay.base + cell.conditions.delay.jitter * 16 + QUEUE_PATIENCE;
    let shaped = ends.run(&load, patience).map_err(CalibrateError::Traffic)?;
    let (host, footing) = (probe.stop(), net.switch().footing().clone());
    let report = net.down();
    let mut ours = report.accounts.iter().filter(|account| account.from == FROM);
    let seen = ours.clone().filter(|account| account.asked == cell.conditions);
    let seen = seen.map(|account| account.account.packets).sum();
    let carried = ours.find_map(|account| account.carried.clone()).unwrap_or_default();
    let (asked, account) =
        twin(&cell.conditions, seed, &base.sent, &shaped.sent, load.packet_bytes());
    let (not_real_time, packet_bytes) = (footing.real_time.err(), load.packet_bytes());
    Ok(Heard { base, shaped, asked, account, seen, carried, packet_bytes, host, not_real_time })
}

/// What a second shaper, with the same seed and the same packets, says of each packet.
fn twin(
    conditions: &Conditions,
    seed: u64,
    before: &[u64],
    sent: &[u64],
    length: u32,
) -> (Vec<Asked>, Account) {
    let name = Link::new(FROM, TO).to_string();
    let mut shaper = Shaper::new(Conditions::default(), seed, &name);
    let packet = handfast_faults::Packet { length, flow: 0 };
    for now_ns in before {
        shaper.handle_packet(packet, *now_ns);
    }
    shaper.set(conditions.clone(), sent.first().copied().unwrap_or(0));
    let asked = sent.iter().map(|now_ns| {
        let fate = shaper.handle_packet(packet, *now_ns);
        let first = fate.copies.into_iter().next();
        first.map_or(Asked::Lost, |copy| Asked::After(copy.due_ns.saturating_sub(*now_ns)))
    });
    (asked.collect(), shaper.account().clone())
}

fn throughput(
    owner: &Owner,
    cell: &Cell,
    is_large: bool,
    extent: Extent,
) -> Result<Line, CalibrateError> {
    let net = pair(owner, 0, is_large)?;
    let probe = probe::start();
    let span = cell.load(extent).span();
    let bits_per_s = bulk::run(&net, span).map_err(CalibrateError::Traffic)?;
    let (host, footing) = (probe.stop(), net.switch().footing().clone());
    Ok(judge::throughput(cell, bits_per_s, host, footing.real_time.err()))
}

/// The two places.
const FROM: &str = "a";
const TO: &str = "b";

/// How long a queue may keep a packet beyond the delay that was asked for, and the host as well.
const QUEUE_PATIENCE: Duration = Duration::from_millis(500);
