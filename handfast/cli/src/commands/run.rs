//! `handfast run`

use std::path::Path;

use clap::builder::RangedU64ValueParser;
use handfast_runner::interrupt::Lever;
use handfast_runner::project::Loaded;
use handfast_runner::record::{RecordSink, Records};
use handfast_runner::run::{self, Build, Means, Order, REPEAT_MAX};
use handfast_runner::sink::{self, Ear, EventSink, Mouth};
use handfast_scenario::{ExitCode, Plan};

use super::interruption;
use super::selection::{SelectionArgs, load};
use super::session::Session;
use crate::around::Around;
use crate::console::{ConsoleSink, JsonSink, Stream};
use crate::error::CommandError;

/// Run scenarios over real peers
///
/// Builds the peers, starts them as processes, introduces them to each other through a recording proxy, carries out
/// the steps and checks both sides and the wire. Leaves a record in .handfast/runs/.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Run the test suites of handfast.toml, too
    #[arg(long)]
    all: bool,
    /// Print the summary as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
    /// Run every scenario so many times
    #[arg(long, value_name = "N", default_value = "1", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    repeat: usize,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
    /// Seed of the peers' keys and of the scenarios' identifiers; chosen by chance if not given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

const _: () = assert!(REPEAT_MAX == 10_000, "the help and the parser name the limit");

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let mut plan = args.selection.plan(&loaded)?;
    if !args.all {
        plan.suites.clear();
    }
    plan.units = run::repeated(plan.units, args.repeat);
    let session = Session::open(&loaded, around, args.seed)?;
    let (mouth, ear) = open_sinks(&args, around, &loaded.root, &session)?;
    if let Some(note) = session.swept_note() {
        mouth.progress(note);
    }
    let order = Order {
        run: session.id.clone(),
        handfast: env!("CARGO_PKG_VERSION").to_owned(),
        command: around.command.clone(),
        seed: session.seed,
        build: if args.no_build { Build::Skip } else { Build::First },
    };
    let code = carry_out(loaded, plan, session, mouth, order)?;
    ear.finish().map_err(|error| CommandError::infra(&error, "the run could not be recorded"))?;
    Ok(code)
}

fn open_sinks(
    args: &Args,
    around: &Around,
    root: &Path,
    session: &Session,
) -> Result<(Mouth, Ear), CommandError> {
    let records = Records::of(root);
    let folder = records.folder_of(&session.id);
    let unrecorded =
        |error: std::io::Error| CommandError::infra(&error, "the run cannot be recorded");
    records.make_room().map_err(unrecorded)?;
    let record = RecordSink::create(&folder).map_err(unrecorded)?;
    let shown = folder.strip_prefix(root).unwrap_or(&folder).display().to_string();
    let last_words = vec![format!("record: {shown}/ (summary.json, junit.xml, events.jsonl)")];
    let (stream, screen) =
        if args.json { (Stream::Error, around.error) } else { (Stream::Out, around.out) };
    // The record is finished before the console says where it is.
    let mut sinks: Vec<Box<dyn EventSink>> =
        vec![Box::new(record), Box::new(ConsoleSink::new(stream, screen, last_words))];
    if args.json {
        sinks.push(Box::new(JsonSink::default()));
    }
    sink::open(session.clock, sinks)
        .map_err(|error| CommandError::infra(&error, "no thread for the run's outputs"))
}

fn carry_out(
    loaded: Loaded,
    plan: Plan,
    session: Session,
    mouth: Mouth,
    order: Order,
) -> Result<ExitCode, CommandError> {
    let (lever, interrupt) = Lever::new();
    let means = Means {
        loaded,
        places: session.places,
        lab: session.lab,
        workshop: session.workshop,
        mouth,
        interrupt,
    };
    let runtime = runtime()?;
    runtime.spawn(interruption::listen(lever));
    let (_, code) = runtime.block_on(run::run(means, plan, order));
    Ok(code)
}

/// The runtime of a command that starts processes.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CommandError::infra(&error, "the runtime cannot be started"))
}
