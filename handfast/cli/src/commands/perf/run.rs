//! `handfast perf run`

use clap::builder::RangedU64ValueParser;
use handfast_lab::clock::unix_us;
use handfast_perf::compare::builds;
use handfast_perf::{Aims, Metric};
use handfast_runner::perf::{Cast, Measured, Order};
use handfast_scenario::event::{FORMAT, Summary};
use handfast_scenario::plan::UnitId;
use handfast_scenario::project::PeerProgram;
use handfast_scenario::{ExitCode, RunEvent};
use handfast_trend::paired::Verdict;
use serde_json::{Value, json};

use super::super::telling::{NotifyArgs, Telling};
use super::bench::{Bench, machine_class};
use super::judge::{Judged, Known};
use super::shown;
use super::store::{RunMark, Store};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Measure peers, and hold them against targets, alerts and what earlier runs have measured
///
/// Each peer talks to another one of its kind: handshakes, messages at a steady rate that count from when they were due, as many messages as are taken,
/// memory, processor time, and what goes over the wire. Beside it stands what the machine allowed in the same rounds. What is beyond an alert, or worse than
/// earlier runs on machines of this class, is looked at twice more with peers started anew before it becomes an incident of the history: one for each change.
/// Exit code 1: an incident was opened or is open still, or a message failed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The peers, as handfast.toml names them; left out: those of `perf` there, of the matrix, or the first one
    #[arg(value_name = "PEER")]
    peers: Vec<String>,
    /// Who sends to the peers; left out: each to one of its own kind
    #[arg(long, value_name = "PEER")]
    from: Option<String>,
    /// A build that is known to be well: whoever is suspect of being worse is measured in turns with it
    #[arg(long, value_name = "PEER")]
    against: Option<String>,
    /// How often everything is measured; from 20 on it can be said what chance does to a figure
    #[arg(long, value_name = "N", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    rounds: usize,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Tell the channels of `[notify]` what this run finds, as news of SUBJECT (`perf` if none is given)
    #[arg(long, value_name = "SUBJECT", num_args = 0..=1, require_equals = true, default_missing_value = "perf")]
    notify: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  handfast perf run                          the peers of [perf] or of the matrix
  handfast perf run entity --rounds 40       one of them, with less of chance in it
  handfast perf run python --from entity     between two kinds
  handfast perf run --no-build --json        for a program
  handfast perf run --notify                 and tell the team of what is confirmed";

/// Carries out the command.
pub(crate) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    NotifyArgs::of(args.notify.clone()).tell(around, |telling| go(args, around, telling))
}

fn go(args: &Args, around: &Around, telling: &Telling) -> Result<ExitCode, CommandError> {
    let bench = Bench::open(around, telling)?;
    let peers = bench.peers(&args.peers)?;
    let from = args.from.as_deref().map(|name| bench.peer(name)).transpose()?;
    let against = args.against.as_deref().map(|name| bench.peer(name)).transpose()?;
    let cast = |b: PeerProgram| Cast { a: from.clone().unwrap_or_else(|| b.clone()), b };
    let casts: Vec<Cast> = peers.into_iter().map(cast).collect();
    let known_build = against.map(cast);
    let all: Vec<Cast> = casts.iter().chain(&known_build).cloned().collect();
    bench.prepare(&all, args.no_build)?;

    let machine = machine_class();
    let session = &bench.session;
    let started_unix_us = session.clock.started_unix_us();
    let mark = RunMark { run: &session.id, started_unix_us, seed: session.seed, machine };
    let mut store = Store::open(&bench.loaded.root, mark, around)?;
    begin(&bench, around, casts.len());
    let order = Order { rounds: args.rounds, ..Order::default() };
    let (aims, mut judged, mut opened) = (bench.aims(), Vec::new(), Vec::new());
    for cast in &casts {
        let known = store.known(&cast.name())?;
        let of_cast = judge(&bench, cast, known_build.as_ref(), (order, &aims, &known))?;
        opened.extend(store.keep(&of_cast, unix_us())?);
        bench.say(ended(&of_cast, &opened));
        if !args.json {
            Stream::Out.print(&shown::judged(
                &of_cast,
                &opened,
                &store.machine,
                around.out.palette,
            ));
        }
        judged.push(of_cast);
    }
    let failed = judged.iter().filter(|judged| judged.is_failure()).count();
    let exit = if failed > 0 { ExitCode::ProductFailure } else { ExitCode::Passed };
    let pairs: Vec<_> = judged.iter().map(Judged::json).collect();
    let report = json!({
        "run": bench.session.id, "commit": store.commit, "machine": store.machine, "pairs": pairs, "opened": opened,
    });
    let counts = [judged.len() - failed, failed];
    let duration_us = bench.session.clock.now_us();
    store.end(&report, exit, counts, duration_us)?;
    let [passed, failed] = counts.map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    let summary = Summary { passed, failed, ..Summary::default() };
    bench.say(RunEvent::RunEnded { summary, exit, duration_us });
    telling.run_is_over();
    bench.close()?;
    if args.json {
        Stream::Out.print(&format!("{report:#}\n"));
    } else {
        Stream::Out.print(&shown::closing(&judged, &opened));
    }
    Ok(exit)
}

/// Who is told of the run hears that it begins: each pair of peers is a unit of it.
fn begin(bench: &Bench, around: &Around, units: usize) {
    let session = &bench.session;
    bench.say(RunEvent::RunStarted {
        format: FORMAT,
        run: session.id.clone(),
        handfast: env!("CARGO_PKG_VERSION").to_owned(),
        command: around.command.clone(),
        seed: session.seed,
        started_unix_us: session.clock.started_unix_us(),
        units,
        suites: 0,
        shard: None,
    });
}

/// What people are told of a pair: nothing of a suspect that was not confirmed.
fn ended(judged: &Judged, opened: &[Value]) -> RunEvent {
    let reasons = shown::failures(judged, opened);
    let verdict = if reasons.is_empty() {
        handfast_scenario::verdict::Verdict::Passed
    } else {
        handfast_scenario::verdict::Verdict::Failed { reason: reasons.join("; ") }
    };
    let unit = UnitId::new(format!("perf {}", judged.measured.pair));
    RunEvent::UnitEnded { unit, verdict, duration_us: 0, cpu_us: 0 }
}

/// Measures a pair, and looks again as long as something is suspect.
fn judge(
    bench: &Bench,
    cast: &Cast,
    known_build: Option<&Cast>,
    (order, aims, known): (Order, &Aims, &Known),
) -> Result<Judged, CommandError> {
    let first = bench.measure(std::slice::from_ref(cast), order)?;
    let Some(first) = first.into_iter().next() else { return Err(nothing()) };
    let mut judged = Judged::new(first, aims, known);
    while judged.wants_look() {
        bench.note(format!("{} is suspect: started anew and measured once more", cast.name()));
        let casts: Vec<Cast> = std::iter::once(cast).chain(known_build).cloned().collect();
        let order = Order { counts: judged.wants_count(), ..order };
        let measured = bench.measure(&casts, order)?;
        let Some((again, against)) = measured.split_first() else { return Err(nothing()) };
        let is_worse = |metric| Some(worse(against.first()?, again, metric)? == Verdict::Worse);
        judged.look(again, aims, known, is_worse);
    }
    Ok(judged)
}

fn worse(known: &Measured, again: &Measured, metric: Metric) -> Option<Verdict> {
    Some(builds(known.figure(metric)?, again.figure(metric)?)?.verdict)
}

fn nothing() -> CommandError {
    let error = std::io::Error::other("no pair of peers was measured");
    CommandError::infra(&error, "nothing was measured")
}
