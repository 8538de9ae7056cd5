//! Asked and measured, line by line.

use std::time::Duration;

use handfast_statistics::binomial::{binomial_agrees, binomial_at_most, binomial_interval};
use handfast_statistics::number::real_u64;
use serde::{Deserialize, Serialize};

use crate::account::{Account, Cause, QUANTILES};
use crate::conditions::{Conditions, Cut, Loss, Shape};
use crate::dice::Chance;
use crate::units;

/// One thing that was asked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The field of the conditions, such as `loss`.
    pub what: String,
    /// What was asked for.
    pub asked: String,
    /// What was measured.
    pub measured: String,
    /// Whether the one is the other.
    pub verdict: LineVerdict,
}

/// Whether what was asked for came to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineVerdict {
    /// It did, as far as chance lets one tell.
    Held,
    /// It did not.
    Missed,
    /// Too few packets came to tell.
    TooFew,
}

/// How strictly to judge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// What the outcomes in the middle have to make up, for chance to be believed.
    pub confidence: f64,
    /// Most that half of all packets may be delivered late.
    pub late_p50: Duration,
    /// Most that ninety-nine of a hundred may be.
    pub late_p99: Duration,
}

impl Level {
    /// For a calibration: 99 % intervals, a tenth of a millisecond, a millisecond. One of a hundred honest lines misses.
    pub const CALIBRATION: Self = Self {
        confidence: 0.99,
        late_p50: Duration::from_micros(100),
        late_p99: Duration::from_millis(1),
    };

    /// For a run, in which thousands of lines are judged and a miss counts against the whole unit: of a million honest
    /// lines one misses. Lateness is what a busy machine does to everybody (guessed: below what a scenario waits for).
    pub const RUN: Self = Self {
        confidence: 0.999_999,
        late_p50: Duration::from_millis(20),
        late_p99: Duration::from_millis(500),
    };
}

impl Account {
    /// Compares with what was asked for, at [`Level::RUN`].
    pub fn judge(&self, asked: &Conditions) -> Vec<Line> {
        self.judge_at(asked, &Level::RUN)
    }

    /// Compares with what was asked for: a line for each field in which something happens.
    pub fn judge_at(&self, asked: &Conditions, level: &Level) -> Vec<Line> {
        let lines = [
            self.judge_cut(asked),
            self.judge_dead_flows(asked),
            self.judge_mtu(asked),
            self.judge_rate(asked),
            self.judge_loss(asked, level),
            self.judge_bursts(asked, level),
            self.judge_share("duplicate", asked.duplicate, self.duplicated, level),
            self.judge_share("corrupt", asked.corrupt, self.corrupted, level),
            self.judge_share("reorder", asked.reorder.chance, self.reordered, level),
            self.judge_delay(asked, level),
            self.judge_lateness(level),
        ];
        let mut lines: Vec<Line> = lines.into_iter().flatten().collect();
        if self.is_of_streams {
            leave_undone(&mut lines, asked);
        }
        lines
    }

    fn judge_cut(&self, asked: &Conditions) -> Option<Line> {
        let (how, cause) = match asked.cut? {
            Cut::Silent => ("silent", Cause::Cut),
            Cut::Reset => ("reset", Cause::Reset),
        };
        let verdict = match (self.packets, self.dropped(cause) == self.packets) {
            (0, _) => LineVerdict::TooFew,
            (_, true) => LineVerdict::Held,
            (_, false) => LineVerdict::Missed,
        };
        let measured = format!("{} of {} packets swallowed", self.dropped(cause), self.packets);
        Some(line("cut", how.to_owned(), measured, verdict))
    }

    fn judge_dead_flows(&self, asked: &Conditions) -> Option<Line> {
        // Which flows there were is not counted: what is known is whether any met its dead way.
        if asked.dead_flows.is_never() || asked.cut.is_some() {
            return None;
        }
        let dropped = self.dropped(Cause::Cut);
        let verdict = if dropped == 0 { LineVerdict::TooFew } else { LineVerdict::Held };
        let measured = format!("{dropped} of {} packets on dead ways", self.packets);
        Some(line("dead_flows", asked.dead_flows.to_string(), measured, verdict))
    }

    fn judge_mtu(&self, asked: &Conditions) -> Option<Line> {
        let mtu = asked.mtu?;
        let dropped = self.dropped(Cause::Mtu);
        let verdict = if dropped == 0 { LineVerdict::TooFew } else { LineVerdict::Held };
        let measured = format!("{dropped} of {} packets were larger and vanished", self.packets);
        Some(line("mtu", format!("{mtu}B"), measured, verdict))
    }

    fn judge_rate(&self, asked: &Conditions) -> Option<Line> {
        let rate = asked.rate?;
        let asked = format!("at most {}", units::display_bits_per_s(rate.bits_per_s));
        if self.busy_ns == 0 {
            let measured = "nothing was sent".to_owned();
            return Some(line("rate", asked, measured, LineVerdict::TooFew));
        }
        let found = real_u64(self.busy_bytes) * 8e9 / real_u64(self.busy_ns);
        let is_held = (found / real_u64(rate.bits_per_s) - 1.0).abs() <= RATE_TOLERANCE;
        let (p50, p99) = (self.waits.quantile_ns(500), self.waits.quantile_ns(990));
        let measured = format!(
            "{:.3} Mbit/s while busy, waited {} p50, {} p99, {} dropped by the queue",
            found / 1e6,
            millis(p50),
            millis(p99),
            self.dropped(Cause::Queue)
        );
        let verdict = if is_held { LineVerdict::Held } else { LineVerdict::Missed };
        Some(line("rate", asked, measured, verdict))
    }

    fn judge_loss(&self, asked: &Conditions, level: &Level) -> Option<Line> {
        if asked.loss == Loss::None {
            return None;
        }
        let dispersion = asked.loss.dispersion();
        let (share, tried) = (asked.loss.share(), self.tried());
        let (measured, verdict) =
            proportion(share, self.dropped(Cause::Loss), tried, (dispersion, level));
        Some(line("loss", percent(share), measured, verdict))
    }

    fn judge_bursts(&self, asked: &Conditions, level: &Level) -> Option<Line> {
        let Loss::GilbertElliott { .. } = asked.loss else { return None };
        let continues = asked.loss.continues()?;
        let probability = self.bursts.geometric_probability(continues);
        let verdict = match probability {
            None => LineVerdict::TooFew,
            Some(probability) if probability < 1.0 - level.confidence => LineVerdict::Missed,
            Some(_) => LineVerdict::Held,
        };
        let mean =
            self.bursts.mean().map_or("none".to_owned(), |mean| format!("{mean:.2} packets"));
        let fit = probability.map_or(String::new(), |fit| format!(", chi-square p = {fit:.3}"));
        let measured = format!("{mean} in the mean of {}{fit}", self.bursts.count());
        let asked = format!("{:.2} packets in the mean, geometric", 1.0 / (1.0 - continues));
        Some(line("bursts", asked, measured, verdict))
    }

    fn judge_share(&self, what: &str, asked: Chance, found: u64, level: &Level) -> Option<Line> {
        if asked.is_never() {
            return None;
        }
        let (measured, verdict) = proportion(asked.as_share(), found, self.passed, (1.0, level));
        Some(line(what, asked.to_string(), measured, verdict))
    }

    fn judge_delay(&self, asked: &Conditions, level: &Level) -> Option<Line> {
        let delay = asked.delay;
        if delay.base.is_zero() && delay.jitter.is_zero() {
            return None;
        }
        let inherited = delay.correlation.as_share();
        let dispersion = (1.0 + inherited) / (1.0 - inherited);
        let trials = real_u64(self.delays.count()) / dispersion;
        let agree = |(share, below): (f64, u64)| {
            let hits = real_u64(below) / dispersion;
            if delay.quantile(share).is_zero() {
                // Where the distribution is cut off at zero more are at most that, never fewer.
                binomial_at_most(hits, trials, share) >= (1.0 - level.confidence) / 2.0
            } else {
                binomial_agrees(hits, trials, share, level.confidence)
            }
        };
        let ends = (self.delays.least_ns(), self.delays.most_ns());
        let is_held = match (delay.shape, ends) {
            (Shape::Constant, (Some(least), Some(most))) => {
                [least, most].map(Duration::from_nanos) == [delay.base; 2]
            }
            _ => QUANTILES.into_iter().zip(self.below).all(agree),
        };
        let verdict = match (self.delays.count(), is_held) {
            (0, _) => LineVerdict::TooFew,
            (_, true) => LineVerdict::Held,
            (_, false) => LineVerdict::Missed,
        };
        let of = |share| units::display_span(delay.quantile(share));
        let asked = match delay.shape {
            Shape::Constant => units::display_span(delay.base),
            Shape::Uniform | Shape::Normal | Shape::Pareto | Shape::ParetoNormal => {
                format!("p50 {}, p90 {}, p99 {}", of(0.5), of(0.9), of(0.99))
            }
        };
        let found = |per_mille| millis(self.delays.quantile_ns(per_mille));
        let measured = format!("p50 {}, p90 {}, p99 {}", found(500), found(900), found(990));
        Some(line("delay", asked, measured, verdict))
    }

    fn judge_lateness(&self, level: &Level) -> Option<Line> {
        let (p50, p99) = (self.late.quantile_ns(500)?, self.late.quantile_ns(990)?);
        let within = |ns: u64, most: Duration| u128::from(ns) <= most.as_nanos();
        let is_held = within(p50, level.late_p50) && within(p99, level.late_p99);
        let most = (units::display_span(level.late_p50), units::display_span(level.late_p99));
        let asked = format!("p50 within {}, p99 within {}", most.0, most.1);
        let measured = format!("p50 {}, p99 {}", millis(Some(p50)), millis(Some(p99)));
        let verdict = if is_held { LineVerdict::Held } else { LineVerdict::Missed };
        Some(line("lateness", asked, measured, verdict))
    }
}

/// What a driver of streams has left undone is told so. Where it is all that was asked for, that is missed; beside other
/// conditions it is approximated by nothing.
fn leave_undone(lines: &mut [Line], asked: &Conditions) {
    let undone = asked.approximated().into_iter().filter(|of| !of.acts);
    // The damage that nobody is to notice is the line of all damage.
    let undone: Vec<(&str, &str)> = undone
        .map(|of| (if of.what == "renew_checksums" { "corrupt" } else { of.what }, of.how))
        .collect();
    let is_undone = |line: &Line| undone.iter().any(|(what, _)| *what == line.what);
    let is_all = lines.iter().all(|line| is_undone(line) || line.what == "lateness");
    for line in lines.iter_mut() {
        if let Some((_, how)) = undone.iter().find(|(what, _)| *what == line.what) {
            line.measured = format!("not carried out between streams ({how})");
            line.verdict = if is_all { LineVerdict::Missed } else { LineVerdict::TooFew };
        }
    }
}

/// Most by which the rate of a busy bottleneck may be off.
const RATE_TOLERANCE: f64 = 0.02;

fn line(what: &str, asked: String, measured: String, verdict: LineVerdict) -> Line {
    Line { what: what.to_owned(), asked, measured, verdict }
}

/// A share that was asked for, and the share that was found.
fn proportion(
    share: f64,
    found: u64,
    tried: u64,
    (dispersion, level): (f64, &Level),
) -> (String, LineVerdict) {
    let (hits, trials) = (real_u64(found) / dispersion, real_u64(tried) / dispersion);
    let tail = (1.0 - level.confidence) / 2.0;
    // So few that a link on which nothing happens would look the same.
    let is_blind = share < 1.0 && binomial_at_most(0.0, trials, share) > tail;
    let verdict = if !binomial_agrees(hits, trials, share, level.confidence) {
        LineVerdict::Missed
    } else if tried == 0 || is_blind {
        LineVerdict::TooFew
    } else {
        LineVerdict::Held
    };
    let (low, high) = binomial_interval(hits, trials, level.confidence);
    let measured = match tried {
        0 => "no packet".to_owned(),
        _ => format!(
            "{} of {tried} packets ({} to {})",
            percent(real_u64(found) / real_u64(tried)),
            percent(low),
            percent(high)
        ),
    };
    (measured, verdict)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn millis(ns: Option<u64>) -> String {
    ns.map_or("none".to_owned(), |ns| format!("{:.3} ms", real_u64(ns) / 1e6))
}
