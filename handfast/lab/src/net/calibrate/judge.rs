//! From samples to a line of the table. Pure: what is not in the samples is not known here.

use std::collections::BTreeMap;

use handfast_faults::{Account, Loss};
use handfast_statistics::binomial::{binomial_agrees, binomial_interval};
use handfast_statistics::number::real_u64;
use serde::Serialize;

use super::cells::{Cell, Group};
use super::probe::{Host, us};
use super::traffic::Traffic;
use crate::net::switch::Carried;

/// One cell, measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What it is about: `delay`, `jitter`, `loss`, `bursts`, `rate`, `repetition`, `throughput`.
    pub group: &'static str,
    /// The condition.
    pub name: String,
    /// What was measured, for people.
    pub measured: String,
    /// What was measured, for programs; spans in microseconds.
    pub figures: BTreeMap<&'static str, f64>,
    /// What it had to be.
    pub aim: &'static str,
    /// Whether it was.
    pub verdict: Verdict,
    /// Why it was not, or could not be told.
    pub why: Option<String>,
    /// What the host added meanwhile.
    pub host: Host,
    /// Why the switch did not run before other threads, if it did not.
    pub not_real_time: Option<String>,
}

/// Whether a cell met its aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It did.
    Held,
    /// It did not.
    Missed,
    /// As far as can be told; but there were too few packets for one of the tests.
    TooFew,
    /// It did not, or it could not be told; but others used this host meanwhile, or the host lost packets by itself: on a quiet one it
    /// may hold.
    HostBusy,
}

/// All that is known of a cell that was measured by datagrams.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// Without faults.
    pub(super) base: Traffic,
    /// Under the conditions of the cell.
    pub(super) shaped: Traffic,
    /// What a second shaper says of each packet, and its account.
    pub(super) asked: Vec<Asked>,
    pub(super) account: Account,
    /// Packets that the switch saw under these conditions, and how it carried out all of both.
    pub(super) seen: u64,
    pub(super) carried: Carried,
    /// Length of each packet with its headers.
    pub(super) packet_bytes: u32,
    pub(super) host: Host,
    pub(super) not_real_time: Option<String>,
}

/// What is to become of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It does not arrive.
    Lost,
    /// It arrives so many nanoseconds after it was sent.
    After(u64),
}

/// What was found, before the host is asked.
struct Finding {
    measured: String,
    figures: BTreeMap<&'static str, f64>,
    aim: &'static str,
    /// Why it is not what it had to be.
    objection: Option<String>,
    /// What could not be tested, with so few packets.
    untested: Option<&'static str>,
}

/// The line of a cell.
pub(super) fn line(cell: &Cell, heard: &Heard) -> Line {
    let finding = match cell.group {
        Group::Delay | Group::Jitter => delay(heard),
        Group::Loss | Group::Bursts => loss(cell, heard),
        Group::Rate => rate(cell, heard),
        Group::Repetition | Group::Throughput { .. } => Finding {
            measured: String::new(),
            figures: BTreeMap::new(),
            aim: "",
            objection: Some("this cell is judged otherwise".to_owned()),
            untested: None,
        },
    };
    settle(cell, finding, heard)
}

/// The line of a cell that was measured twice.
pub(super) fn repetition(cell: &Cell, first: &Heard, second: &Heard) -> Line {
    let (one, other) = (lost(&first.shaped), lost(&second.shaped));
    let differ = one.iter().zip(&other).filter(|(a, b)| a != b).count();
    let count = one.iter().filter(|lost| **lost).count();
    let figures =
        BTreeMap::from([("lost", real_u64(count as u64)), ("differ", real_u64(differ as u64))]);
    let finding = Finding {
        measured: format!("{count} lost, {differ} others in the second run"),
        figures,
        aim: "the same packets",
        objection: (differ > 0).then(|| format!("{differ} packets fared differently")),
        untested: None,
    };
    // The second one is at fault where the first one was right.
    let judged = if host_losses(first) > 0 { first } else { second };
    settle(cell, finding, judged)
}

/// The line of a cell that was measured by a stream.
pub(super) fn throughput(
    cell: &Cell,
    bits_per_s: f64,
    host: Host,
    not_real_time: Option<String>,
) -> Line {
    let gbit = bits_per_s / 1e9;
    let is_enough = gbit >= 1.0;
    let verdict = match (is_enough, host.is_busy()) {
        (true, _) => Verdict::Held,
        (false, true) => Verdict::HostBusy,
        (false, false) => Verdict::Missed,
    };
    Line {
        group: cell.group.name(),
        name: cell.name.clone(),
        measured: format!("{gbit:.2} Gbit/s"),
        figures: BTreeMap::from([("gbit_per_s", gbit)]),
        aim: "at least 1 Gbit/s",
        verdict,
        why: (!is_enough).then(|| "less passes".to_owned()),
        host,
        not_real_time,
    }
}

fn settle(cell: &Cell, finding: Finding, heard: &Heard) -> Line {
    let by_host = host_losses(heard);
    let lost = heard.carried.unasked_losses();
    let objection = match lost {
        0 => finding.objection,
        lost => Some(format!("the switch lost {lost} packets that nobody asked it to lose")),
    };
    let (verdict, why) = match objection {
        None => match finding.untested {
            None => (Verdict::Held, None),
            Some(what) => (Verdict::TooFew, Some(what.to_owned())),
        },
        Some(why) if lost == 0 && by_host > 0 => {
            let why = format!("{why}; this host's kernel lost {by_host} packets beside the switch");
            (Verdict::HostBusy, Some(why))
        }
        Some(why) if heard.host.is_busy() => (Verdict::HostBusy, Some(why)),
        Some(why) => (Verdict::Missed, Some(why)),
    };
    Line {
        group: cell.group.name(),
        name: cell.name.clone(),
        measured: finding.measured,
        figures: finding.figures,
        aim: finding.aim,
        verdict,
        why,
        host: heard.host,
        not_real_time: heard.not_real_time.clone(),
    }
}

/// Packets that the kernel lost: before the switch saw them, or after it had delivered them.
fn host_losses(heard: &Heard) -> u64 {
    let sent = heard.shaped.sent.len() as u64;
    let arrivals = heard.base.arrivals + heard.shaped.arrivals;
    sent.saturating_sub(heard.seen) + heard.carried.delivered.saturating_sub(arrivals)
}

fn delay(heard: &Heard) -> Finding {
    let base: Vec<u64> = heard.base.took.iter().flatten().copied().collect();
    let usual = quantile(base.clone(), 0.5);
    let spread: Vec<u64> = base.iter().map(|took| took.abs_diff(usual)).collect();
    let pairs = heard.shaped.took.iter().zip(&heard.asked);
    let mut missing = 0_u64;
    let off: Vec<u64> = pairs
        .filter_map(|(took, asked)| match (took, asked) {
            (Some(took), Asked::After(asked)) => Some(took.abs_diff(asked + usual)),
            (None, Asked::After(_)) => {
                missing += 1;
                None
            }
            (_, Asked::Lost) => None,
        })
        .collect();
    let (p50, p99) = (us(quantile(off.clone(), 0.5)), us(quantile(off.clone(), 0.99)));
    let spread = us(quantile(spread, 0.99));
    let objection = if off.is_empty() {
        Some("nothing arrived".to_owned())
    } else if missing > 0 {
        Some(format!("{missing} packets did not arrive"))
    } else if p50 > OFF_P50_US || p99 > OFF_P99_US {
        Some("packets are further off".to_owned())
    } else {
        None
    };
    let figures = BTreeMap::from([
        ("off_p50_us", p50),
        ("off_p99_us", p99),
        ("path_p50_us", us(usual)),
        ("path_spread_p99_us", spread),
        ("packets", real_u64(off.len() as u64)),
    ]);
    let measured = format!(
        "off by {} p50, {} p99 (path {}, spread {})",
        show(p50),
        show(p99),
        show(us(usual)),
        show(spread)
    );
    Finding {
        measured,
        figures,
        aim: "off by at most 0.1 ms p50, 1 ms p99",
        objection,
        untested: None,
    }
}

fn loss(cell: &Cell, heard: &Heard) -> Finding {
    let found = lost(&heard.shaped);
    let expected: Vec<bool> = heard.asked.iter().map(|asked| *asked == Asked::Lost).collect();
    let differ = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
    let (hits, trials) = (found.iter().filter(|lost| **lost).count() as u64, found.len() as u64);
    let asked: Loss = cell.conditions.loss;
    let dispersion = asked.dispersion();
    let (hits, trials) = (real_u64(hits), real_u64(trials));
    let (low, high) = binomial_interval(hits / dispersion, trials / dispersion, CONFIDENCE);
    let is_inside =
        binomial_agrees(hits / dispersion, trials / dispersion, asked.share(), CONFIDENCE);
    let mut figures = BTreeMap::from([
        ("share", hits / trials.max(1.0)),
        ("low", low),
        ("high", high),
        ("packets", trials),
        ("differ_from_seed", real_u64(differ as u64)),
    ]);
    let percent = |share: f64| format!("{:.3} %", share * 100.0);
    let mut measured =
        format!("{} ({} to {})", percent(hits / trials.max(1.0)), percent(low), percent(high));
    let mut objection = if differ > 0 {
        Some(format!("{differ} packets fared otherwise than the seed says"))
    } else if is_inside {
        None
    } else {
        Some(format!("{} lies outside of the interval", percent(asked.share())))
    };
    let mut aim = "inside of the 99 % interval, the packets of the seed";
    let mut untested = None;
    if cell.group == Group::Bursts {
        aim = "99 % interval, lengths geometric (chi-square p >= 0.01), the packets of the seed";
        // The packets are those of the seed, so the second shaper's bursts are those that were measured.
        let fit = asked.continues().and_then(|on| heard.account.bursts.geometric_probability(on));
        let mean = heard.account.bursts.mean().unwrap_or(0.0);
        figures.extend([("burst_mean", mean), ("chi_square_p", fit.unwrap_or(f64::NAN))]);
        if fit.is_none() {
            untested = Some("too few bursts to test their lengths");
        }
        let text = fit.map_or(String::new(), |fit| format!(", p = {fit:.2}"));
        measured = format!("{measured}, {mean:.2} a burst{text}");
        if fit.is_some_and(|fit| fit < 1.0 - CONFIDENCE) {
            objection.get_or_insert("lengths are not distributed as asked".to_owned());
        }
    }
    Finding { measured, figures, aim, objection, untested }
}

fn rate(cell: &Cell, heard: &Heard) -> Finding {
    let asked = cell.conditions.rate.map_or(0.0, |rate| real_u64(rate.bits_per_s));
    let bits = |count: usize| real_u64(count as u64) * f64::from(heard.packet_bytes) * 8.0;
    let sent = &heard.shaped.sent;
    let (first, last) = (sent.first().copied().unwrap_or(0), sent.last().copied().unwrap_or(0));
    // While more comes than passes: afterwards the queue only empties.
    let mut arrived: Vec<u64> =
        heard.shaped.arrived.iter().flatten().copied().filter(|at| *at <= last).collect();
    arrived.sort_unstable();
    let span = match (arrived.first(), arrived.last()) {
        (Some(first), Some(last)) => real_u64(last - first) / 1e9,
        (None, _) | (_, None) => 0.0,
    };
    let found = if span > 0.0 { bits(arrived.len() - 1) / span } else { 0.0 };
    let offered = bits(sent.len().saturating_sub(1)) / (real_u64(last - first) / 1e9).max(1e-9);
    let off = (found / asked.max(1.0) - 1.0) * 100.0;
    let objection = if offered < asked * 1.05 {
        Some(format!("this host sent only {:.3} Mbit/s", offered / 1e6))
    } else if off.abs() > RATE_OFF_PERCENT {
        Some("another rate passes".to_owned())
    } else {
        None
    };
    let figures = BTreeMap::from([
        ("mbit_per_s", found / 1e6),
        ("off_percent", off),
        ("offered_mbit_per_s", offered / 1e6),
    ]);
    let measured = format!("{:.3} Mbit/s, {off:+.2} %", found / 1e6);
    Finding { measured, figures, aim: "within 2 %", objection, untested: None }
}

fn lost(traffic: &Traffic) -> Vec<bool> {
    traffic.took.iter().map(Option::is_none).collect()
}

/// The value that `share` of all are not above; 0 without any.
fn quantile(mut values: Vec<u64>, share: f64) -> u64 {
    if values.is_empty() {
        return 0;
    }
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank of a list in memory"
    )]
    let rank = (real_u64(values.len() as u64) * share).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

fn show(us: f64) -> String {
    if us >= 1_000.0 { format!("{:.2} ms", us / 1_000.0) } else { format!("{us:.0} us") }
}

const OFF_P50_US: f64 = 100.0;
const OFF_P99_US: f64 = 1_000.0;
const RATE_OFF_PERCENT: f64 = 2.0;
const CONFIDENCE: f64 = 0.99;

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
