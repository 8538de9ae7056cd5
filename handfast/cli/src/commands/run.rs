//! `handfast run`

use std::path::Path;

use handfast_history::History;
use handfast_matrix::Ask;
use handfast_runner::chronicle::HistorySink;
use handfast_runner::interrupt::Lever;
use handfast_runner::project::Loaded;
use handfast_runner::record::{RecordSink, Records};
use handfast_runner::run::{self, Build, Means, Order};
use handfast_runner::sink::{self, Ear, EventSink, Mouth};
use handfast_scenario::{ExitCode, Plan};

use super::network::NetworkArgs;
use super::retry::RetryArgs;
use super::rounds::RoundArgs;
use super::selection::{SelectionArgs, load};
use super::session::Session;
use super::shard::ShardArgs;
use super::suites::SuiteArgs;
use super::telling::{NotifyArgs, Telling};
use super::{interruption, matrix};
use crate::around::Around;
use crate::console::{ConsoleSink, JsonSink, MatrixForm, MatrixSink, Stream};
use crate::error::CommandError;
use crate::github::GithubSink;

/// Run scenarios over real peers
///
/// Builds the peers, starts them as processes, introduces them to each other through a recording proxy, carries out
/// the steps and checks both sides and the wire. Leaves a record in .handfast/runs/.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    suites: SuiteArgs,
    /// Run the test suites of handfast.toml, too, and every scenario with every pair of the peers of its `[matrix]`
    #[arg(long)]
    all: bool,
    /// Whatever this peer would have to play in may go unproved; may be given more than once
    #[arg(long, value_name = "PEER")]
    allow_absent: Vec<String>,
    /// Print the summary as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rounds: RoundArgs,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
    /// Seed of the peers' keys and of the scenarios' identifiers; chosen by chance if not given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    #[command(flatten)]
    shard: ShardArgs,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    notify: NotifyArgs,
}

const EXAMPLES: &str = "\
Examples:
  handfast run                                      every scenario
  handfast run TC-05                                the scenarios that prove TC-05
  handfast run --all                                every scenario with every pair of peers, and every suite
  handfast run --repeat 50 start                    one scenario fifty times
  handfast run --until-fail start                   one scenario until it fails
  handfast run --suite workspace                    one test suite of handfast.toml
  handfast run --all --shard 2/4                    the second of four parts, by what earlier runs took
  handfast run --all --shard 2/4 --shard-plan plan.json   the same on every machine; see `handfast shards --help`";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let notify = args.notify.clone();
    notify.tell(around, |telling| go(args, around, telling))
}

fn go(args: Args, around: &Around, telling: &Telling) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let (mut plan, ask) = args.chosen(&loaded)?;
    let allow_absent = matrix::peers(&loaded, &args.allow_absent)?;
    let session = Session::open(&loaded, around, args.seed)?;
    let care = args.retry.care(&loaded.root, session.clock)?;
    let mut matrix = match ask {
        Some(ask) => Some(matrix::order(&loaded, session.clock, ask, false)?),
        None => None,
    };
    let shard = args.shard.cut(&loaded, &mut plan, &mut matrix)?;
    let form = args.json.then_some(Form::Summary);
    let (mouth, ear) = open_sinks(form, around, &loaded, &session, telling)?;
    if let Some(note) = session.swept_note() {
        mouth.progress(note);
    }
    let order = Order {
        run: session.id.clone(),
        handfast: env!("CARGO_PKG_VERSION").to_owned(),
        command: around.command.clone(),
        seed: session.seed,
        build: if args.no_build { Build::Skip } else { Build::First },
        allow_absent: allow_absent.into_iter().collect(),
        matrix,
        shard,
        network: args.network.ask(),
        is_whole: args.is_whole(),
        care,
        fail_fast: args.rounds.ends_at_failure(),
    };
    carry_out(loaded, plan, session, (mouth, ear), order, telling)
}

/// What a run consists of: units and suites, and with `all` the cells of all pairs of peers.
pub(super) fn whole(
    loaded: &Loaded,
    selection: &SelectionArgs,
    all: bool,
    repeat: usize,
) -> Result<(Plan, Option<Ask>), CommandError> {
    let mut plan = selection.plan(loaded)?;
    if !all {
        plan.suites.clear();
    }
    let all_pairs = all && repeat == 1 && selection.peer.is_empty();
    let settings = loaded.project.matrix.as_ref().filter(|_| all_pairs);
    let Some(settings) = settings else {
        plan.units = run::repeated(plan.units, repeat);
        return Ok((plan, None));
    };
    // The cells of all pairs are the units of the plan, and those of every other pair.
    plan.units.clear();
    let ask =
        Ask { selection: selection.selection()?, peers: settings.peers.clone(), ..Ask::default() };
    Ok((plan, Some(ask)))
}

impl Args {
    /// Whether a shard is chosen.
    pub(super) fn is_part(&self) -> bool {
        self.shard.is_part()
    }

    /// Whether every scenario of the project is asked for, once.
    fn is_whole(&self) -> bool {
        self.selection.is_whole()
            && !self.is_part()
            && !self.suites.is_choice()
            && self.rounds.times() == 1
    }

    /// What these arguments choose, without the choice of a shard.
    pub(super) fn chosen(&self, loaded: &Loaded) -> Result<(Plan, Option<Ask>), CommandError> {
        let (mut plan, ask) = whole(loaded, &self.selection, self.all, self.rounds.times())?;
        self.suites.only(loaded, &mut plan)?;
        Ok((plan, ask))
    }
}

/// What is printed on standard output for a program; everything else is on standard error then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The summary of the run.
    Summary,
    /// Its matrix.
    Matrix(MatrixForm),
}

/// Opens everything that hears a run: its record, the history, the console.
pub(super) fn open_sinks(
    form: Option<Form>,
    around: &Around,
    loaded: &Loaded,
    session: &Session,
    telling: &Telling,
) -> Result<(Mouth, Ear), CommandError> {
    let root = loaded.root.as_path();
    let records = Records::of(root);
    let folder = records.folder_of(&session.id);
    let unrecorded =
        |error: std::io::Error| CommandError::infra(&error, "the run cannot be recorded");
    records.make_room().map_err(unrecorded)?;
    let record = RecordSink::create(&folder).map_err(unrecorded)?;
    let shown = folder.strip_prefix(root).unwrap_or(&folder).display().to_string();
    let last_words = vec![last_words(&shown)];
    let history = HistorySink::new(open_history(root)?);
    let (stream, screen) = match form {
        Some(_) => (Stream::Error, around.error),
        None => (Stream::Out, around.out),
    };
    // The record is finished before the console says where it is.
    let mut sinks: Vec<Box<dyn EventSink>> = vec![
        Box::new(record),
        Box::new(history),
        Box::new(ConsoleSink::new(stream, screen, last_words)),
    ];
    match form {
        Some(Form::Summary) => sinks.push(Box::new(JsonSink::default())),
        Some(Form::Matrix(form)) => sinks.push(Box::new(MatrixSink::new(form))),
        None => {}
    }
    if let Some(github) = GithubSink::of_job(around, root, stream) {
        sinks.push(Box::new(github));
    }
    // Last, because its end waits until what the others say is told.
    let settings = loaded.project.notify.as_ref();
    let run = (session.id.as_str(), session.clock);
    telling.begin(around, root, &loaded.project.name, settings, run)?;
    sinks.extend(telling.sink());
    sink::open(session.clock, sinks)
        .map_err(|error| CommandError::infra(&error, "no thread for the run's outputs"))
}

/// Where the record of a run is, for the end of its output.
pub(super) fn last_words(record: &str) -> String {
    format!("record: {record}/ (report.html, summary.json, junit.xml, ctrf.json, events.jsonl)")
}

/// The history of the project at `root`.
pub(super) fn open_history(root: &Path) -> Result<History, CommandError> {
    History::open(&root.join(".handfast"))
        .map_err(|error| CommandError::infra(&error, "the history cannot be used"))
}

/// Carries out a plan until all of it is recorded and told. Ctrl-C and SIGTERM are heard all the time.
pub(super) fn carry_out(
    loaded: Loaded,
    plan: Plan,
    session: Session,
    (mouth, ear): (Mouth, Ear),
    order: Order,
    telling: &Telling,
) -> Result<ExitCode, CommandError> {
    let (lever, interrupt) = Lever::new();
    let history = open_history(&loaded.root)?;
    let means = Means {
        loaded,
        places: session.places,
        lab: session.lab,
        workshop: session.workshop,
        mouth,
        history: Some(history),
        interrupt,
    };
    // It listens until its end, after that of the run's own: no task of the run may keep the ear from ending.
    let listening = listening()?;
    listening.spawn(interruption::listen(lever, telling.wait()));
    let (_, code) = runtime()?.block_on(run::run(means, plan, order));
    telling.run_is_over();
    ear.finish().map_err(|error| CommandError::infra(&error, "the run could not be recorded"))?;
    drop(listening);
    Ok(code)
}

fn listening() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| CommandError::infra(&error, "nobody can listen for Ctrl-C"))
}

/// The runtime of a command that starts processes.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CommandError::infra(&error, "the runtime cannot be started"))
}
