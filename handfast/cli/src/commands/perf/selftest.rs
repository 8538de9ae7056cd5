//! `handfast perf selftest`

use std::fmt::Write as _;
use std::thread;

use clap::builder::RangedU64ValueParser;
use handfast_perf::incident::Decision;
use handfast_perf::{Aim, Aims, Metric};
use handfast_report::palette::{Ink, Palette};
use handfast_runner::perf::{self, Cast, Means, Measured, Order, PerfError};
use handfast_scenario::{ExitCode, Project};
use handfast_statistics::number::whole;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::super::telling::Telling;
use super::bench::Bench;
use super::judge::{Judged, Known};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Plant slowness and leaks into peers and see whether each becomes exactly one incident, or only a warning
///
/// For each of handshake, latency, throughput and memory there is a peer that is between target and alert, and one that is beyond the alert, by the aims of
/// this project; and one that is well. All are measured and judged as `handfast perf run` does, at the same time. Exit code 1: beyond an alert something else came of
/// it than one incident, of that metric, after further looks; or between target and alert something else than a warning.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How often everything is measured
    #[arg(long, value_name = "N", default_value = "2", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    rounds: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast perf selftest                would a slow peer be noticed, and one that is slow enough be told?
  handfast perf selftest --rounds 10    with less of chance in it";

/// Carries out the command.
pub(crate) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let bench = Bench::open(around, &Telling::default())?;
    let order = Order {
        rounds: args.rounds,
        messages: 10,
        burst: BURST,
        counts: false,
        ..Order::default()
    };
    let aims = bench.aims();
    let plants = plants(&aims, order);
    let means = bench.means();
    let settled = thread::scope(|scope| {
        let runtime = bench.runtime();
        let aims = &aims;
        let plant = |plant| scope.spawn(move || try_out(runtime, means, plant, (order, aims)));
        let tried: Vec<_> = plants.into_iter().map(plant).collect();
        let joined = tried.into_iter().map(thread::ScopedJoinHandle::join);
        joined.collect::<Vec<_>>()
    });
    bench.close()?;
    let mut all = Vec::new();
    for settled in settled {
        let settled = settled.map_err(|_| broken("a thread of the selftest broke"))?;
        all.push(settled.map_err(|error| CommandError::infra(&error, "nothing was measured"))?);
    }
    let good = all.iter().filter(|settled| settled.is_good()).count();
    if args.json {
        let rows: Vec<Value> = all.iter().map(Settled::json).collect();
        Stream::Out.print(&format!("{:#}\n", json!({ "plants": rows, "good": good })));
    } else {
        Stream::Out.print(&text(&all, around.out.palette));
    }
    Ok(if good == all.len() { ExitCode::Passed } else { ExitCode::ProductFailure })
}

/// What is wrong with a peer, and what is to come of it.
#[derive(Debug, Clone)]
struct Plant {
    what: Option<(Metric, Place)>,
    arguments: Vec<String>,
}

/// Where the planted value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between target and alert.
    Between,
    /// Beyond the alert.
    Beyond,
}

/// A plant, and what came of it.
struct Settled {
    plant: Plant,
    judged: Judged,
}

/// One that is well, and for each metric with an aim one on either side of its alert.
fn plants(aims: &Aims, order: Order) -> Vec<Plant> {
    let metrics = [Metric::Handshake, Metric::Latency, Metric::Throughput, Metric::Memory];
    let with_aims = metrics.into_iter().filter_map(|metric| Some((metric, aims.of(metric)?)));
    let places = |(metric, aim)| {
        [Place::Between, Place::Beyond].map(|place| Plant {
            what: Some((metric, place)),
            arguments: arguments(metric, value(metric, aim, place), order),
        })
    };
    let well = Plant { what: None, arguments: Vec::new() };
    std::iter::once(well).chain(with_aims.flat_map(places)).collect()
}

/// In the middle, or a quarter beyond.
fn value(metric: Metric, aim: Aim, place: Place) -> f64 {
    match place {
        Place::Between => f64::midpoint(aim.target, aim.alert),
        Place::Beyond if metric.is_better_high() => aim.alert / BEYOND,
        Place::Beyond => aim.alert * BEYOND,
    }
}

/// What `handfast perf peer` is told.
fn arguments(metric: Metric, value: f64, order: Order) -> Vec<String> {
    let micros = |us: f64| format!("{}ms", whole((us / 1_000.0).round()));
    let (option, value) = match metric {
        Metric::Handshake => ("--handshake", micros(value)),
        Metric::Latency => ("--message", micros(value)),
        Metric::Throughput => ("--work", micros(1e6 / value)),
        // Nothing else is planted.
        Metric::Memory
        | Metric::CpuPerMessage
        | Metric::HandshakeBytes
        | Metric::HandshakeTrips
        | Metric::MessageBytes
        | Metric::MessageTrips => {
            ("--leak", (whole(value) / order.messages_each().max(1)).to_string())
        }
    };
    vec![option.to_owned(), value]
}

/// Measures and judges as `handfast perf run` does, of a pair of which nothing is known.
fn try_out(
    runtime: &Runtime,
    means: Means<'_>,
    plant: Plant,
    (order, aims): (Order, &Aims),
) -> Result<Settled, PerfError> {
    let cast = plant.cast();
    let known = Known::default();
    let measure = || -> Result<Measured, PerfError> {
        let measured =
            runtime.block_on(perf::measure(means, std::slice::from_ref(&cast), order, |_| ()));
        measured.map(|mut measured| measured.remove(0))
    };
    let mut judged = Judged::new(measure()?, aims, &known);
    while judged.wants_look() {
        judged.look(&measure()?, aims, &known, |_| None);
    }
    Ok(Settled { plant, judged })
}

impl Plant {
    fn name(&self) -> String {
        match self.what {
            None => "well".to_owned(),
            Some((metric, Place::Between)) => format!("{metric} between target and alert"),
            Some((metric, Place::Beyond)) => format!("{metric} beyond its alert"),
        }
    }

    /// Two of this peer.
    ///
    /// # Panics
    ///
    /// Never: the text is a project with one peer.
    fn cast(&self) -> Cast {
        let words = ["${handfast}", "perf", "peer"].map(str::to_owned);
        let words: Vec<String> = words.into_iter().chain(self.arguments.clone()).collect();
        let name = self.what.map_or("well", |(metric, _)| metric.name());
        let text =
            format!("[project]\nname = \"selftest\"\n[peers.{name}]\nstart = {}\n", json!(words));
        let project = Project::parse("selftest", &text).expect("the text is a project");
        let peer = project.peers.into_iter().next().expect("it has a peer");
        Cast { a: peer.clone(), b: peer }
    }
}

impl Settled {
    fn of(&self, is: fn(Decision) -> bool) -> Vec<Metric> {
        let findings = self.judged.findings.iter();
        findings.filter(|found| is(found.decision)).map(|found| found.metric).collect()
    }

    fn incidents(&self) -> Vec<Metric> {
        self.of(|decision| matches!(decision, Decision::Open(_)))
    }

    fn warnings(&self) -> Vec<Metric> {
        self.of(|decision| matches!(decision, Decision::Warning | Decision::NotConfirmed(_)))
    }

    fn is_good(&self) -> bool {
        match self.plant.what {
            None => self.incidents().is_empty() && self.warnings().is_empty(),
            Some((metric, Place::Between)) => {
                self.incidents().is_empty() && self.warnings().contains(&metric)
            }
            Some((metric, Place::Beyond)) => self.incidents() == [metric],
        }
    }

    /// What was judged of the metric that was planted.
    fn judged(&self) -> Option<f64> {
        let (metric, _) = self.plant.what?;
        self.judged.measured.figure(metric).map(|figure| figure.judged)
    }

    fn json(&self) -> Value {
        json!({
            "plant": self.plant.name(), "arguments": self.plant.arguments, "judged": self.judged(),
            "incidents": self.incidents(), "warnings": self.warnings(), "good": self.is_good(),
            "found": self.judged.json(),
        })
    }
}

fn text(all: &[Settled], palette: Palette) -> String {
    let mut text = String::new();
    for settled in all {
        let names = |metrics: Vec<Metric>| {
            let names: Vec<&str> = metrics.into_iter().map(Metric::name).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let (ink, word) =
            if settled.is_good() { (Ink::Good, "as it should") } else { (Ink::Bad, "WRONG") };
        let unit = settled.plant.what.map(|(metric, _)| metric.unit());
        let judged = settled.judged().zip(unit).map(|(value, unit)| unit.show(value));
        // Writing to a text cannot fail.
        writeln!(
            text,
            "{:<38} {:>9}  incidents: {:<12} warnings: {:<22} {}",
            settled.plant.name(),
            judged.unwrap_or_default(),
            names(settled.incidents()),
            names(settled.warnings()),
            palette.paint(ink, word)
        )
        .unwrap_or_default();
    }
    let good = all.iter().filter(|settled| settled.is_good()).count();
    writeln!(text, "{good} of {} peers were judged as they should be", all.len())
        .unwrap_or_default();
    text
}

fn broken(why: &str) -> CommandError {
    CommandError::infra(&std::io::Error::other(why.to_owned()), "the selftest ended")
}

/// How far beyond the alert is planted.
const BEYOND: f64 = 1.25;

/// Messages at once, a round: two for each that is on its way.
const BURST: usize = 128;

#[cfg(test)]
mod tests {
    use super::super::judge::tests::of_values;
    use super::*;

    const WELL: [(Metric, f64); 4] = [
        (Metric::Handshake, 2e3),
        (Metric::Latency, 1e3),
        (Metric::Throughput, 5e3),
        (Metric::Memory, 10e6),
    ];

    /// Judged where each look finds the value that was planted, and the first one something else, if it is given.
    fn settled(plant: Plant, aims: &Aims, first: Option<f64>) -> Settled {
        let known = Known::default();
        let with = |value: Option<f64>| {
            let values = WELL.map(|(metric, well)| match plant.what {
                Some((planted, place)) if planted == metric => (
                    metric,
                    value.unwrap_or_else(|| super::value(metric, aims.of(metric).unwrap(), place)),
                ),
                Some(_) | None => (metric, well),
            });
            of_values(&values)
        };
        let mut judged = Judged::new(with(first), aims, &known);
        while judged.wants_look() {
            judged.look(&with(None), aims, &known, |_| None);
        }
        Settled { plant, judged }
    }

    #[test]
    fn every_plant_beyond_an_alert_is_one_incident_and_every_other_only_a_warning() {
        let mut own = Aims::default();
        own.set(Metric::Latency, Aim { target: 3e3, alert: 4e3 });
        own.set(Metric::Throughput, Aim { target: 800.0, alert: 790.0 });
        for aims in [Aims::default(), own] {
            let plants = plants(&aims, Order::default());
            assert_eq!(plants.len(), 9);
            for plant in plants {
                let settled = settled(plant, &aims, None);
                assert!(settled.is_good(), "{}: {:#}", settled.plant.name(), settled.json());
                let beyond = matches!(settled.plant.what, Some((_, Place::Beyond)));
                assert_eq!(settled.incidents().len(), usize::from(beyond));
                assert_eq!(
                    settled.warnings().len(),
                    usize::from(settled.plant.what.is_some() && !beyond)
                );
            }
        }
    }

    #[test]
    fn what_only_the_first_look_saw_is_no_incident() {
        let aims = Aims::default();
        let plant = Plant { what: Some((Metric::Latency, Place::Between)), arguments: Vec::new() };
        let settled = settled(plant, &aims, Some(1e6));
        assert_eq!((settled.incidents(), settled.is_good()), (Vec::new(), true));
    }

    #[test]
    fn a_plant_is_told_what_makes_its_value() {
        let told =
            |metric, value| arguments(metric, value, Order { burst: 128, ..Order::default() });
        assert_eq!(told(Metric::Handshake, 750e3), ["--handshake", "750ms"]);
        assert_eq!(told(Metric::Throughput, 40.0), ["--work", "25ms"]);
        // 64 messages before the first of 20 rounds of 20 and 128.
        assert_eq!(told(Metric::Memory, 3_024_000.0), ["--leak", "1000"]);
        let cast = plants(&Aims::default(), Order::default())[2].cast();
        assert_eq!(cast.name(), "handshake -> handshake");
    }
}
