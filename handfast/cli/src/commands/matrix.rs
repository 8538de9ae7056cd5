//! `handfast matrix`

use std::collections::BTreeSet;
use std::fs;

use handfast_lab::Clock;
use handfast_matrix::{Ask, Cell, Expectations, MatrixError, cells};
use handfast_runner::matrix::MatrixOrder;
use handfast_runner::project::Loaded;
use handfast_runner::run::{Build, Order};
use handfast_scenario::name::PeerName;
use handfast_scenario::project::MatrixSettings;
use handfast_scenario::{ExitCode, Plan};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::network::NetworkArgs;
use super::retry::RetryArgs;
use super::run::{Form, carry_out, open_sinks};
use super::selection::{SelectionArgs, load};
use super::session::Session;
use super::shard::ShardArgs;
use super::telling::{NotifyArgs, Telling};
use crate::around::Around;
use crate::console::MatrixForm;
use crate::error::CommandError;

/// Play every scenario with every pair of peers
///
/// Rows are scenarios, columns are who plays the first and who plays the second role that a scenario leaves open. A cell that
/// an earlier run has judged on the same content (programs of both peers, scenario, configuration, handfast itself) is taken over
/// if it passed; so a second call plays what was touched or failed, and a call after a killed one goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Only scenarios that one of these matches; as in `handfast run`
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Only scenarios that one of these matches; the same as FILTER
    #[arg(long, value_name = "FILTER")]
    scenario: Vec<String>,
    /// Only this category, such as `integration`; may be given more than once
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<String>,
    /// Which peers meet each other, in place of those of `[matrix]` in handfast.toml
    #[arg(long, value_name = "PEER,PEER", value_delimiter = ',')]
    peers: Vec<String>,
    /// Only cells all of whose roles speak only these versions, such as `1.1`
    #[arg(long, value_name = "VERSION,VERSION", value_delimiter = ',')]
    versions: Vec<String>,
    /// Play every cell, whatever earlier runs have found
    #[arg(long)]
    fresh: bool,
    /// Whatever this peer would have to play in may go unproved; may be given more than once
    #[arg(long, value_name = "PEER")]
    allow_absent: Vec<String>,
    /// Print the matrix as JSON on standard output, everything else on standard error
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the matrix as Markdown on standard output, everything else on standard error
    #[arg(long)]
    markdown: bool,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
    /// Seed of the peers' keys and of the scenarios' identifiers; chosen by chance if not given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Play every cell with so many seeds, from `--seed` on, whatever earlier runs have found; the budget is for each seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000), conflicts_with = "shard")]
    seeds: Option<u32>,
    /// Begin nothing more once something has failed; what has begun is ended
    #[arg(long)]
    fail_fast: bool,
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
  handfast matrix                                 every scenario with every pair of the peers of [matrix]
  handfast matrix --scenario interop              only those whose id or name has interop in it
  handfast matrix --peers entity,python --versions 1.1
  handfast matrix --allow-absent python           where Python is not installed
  handfast matrix --markdown > matrix.md
  handfast matrix chaos/ --seeds 10 --seed 1      the scenarios of chaos with seeds 1 to 10
  handfast matrix --shard 2/4 --shard-plan plan.json   the second of four parts; see `handfast shards --help`";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let notify = args.notify.clone();
    notify.tell(around, |telling| go(args, around, telling))
}

fn go(args: Args, around: &Around, telling: &Telling) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let allow_absent = peers(&loaded, &args.allow_absent)?;
    let session = Session::open(&loaded, around, args.seed)?;
    let care = args.retry.care(&loaded.root, session.clock)?;
    let mut order_of_cells = order(&loaded, session.clock, args.ask(&loaded)?, !args.fresh)?;
    if let Some(seeds) = args.seeds {
        order_of_cells = with_seeds(order_of_cells, session.seed, seeds)?;
    }
    let mut matrix = Some(order_of_cells);
    let shard = args.shard.cut(&loaded, &mut Plan::default(), &mut matrix)?;
    let form = match (args.json, args.markdown) {
        (true, _) => Some(Form::Matrix(MatrixForm::Json)),
        (false, true) => Some(Form::Matrix(MatrixForm::Markdown)),
        (false, false) => None,
    };
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
        fail_fast: args.fail_fast,
    };
    carry_out(loaded, Plan::default(), session, (mouth, ear), order, telling)
}

impl Args {
    /// Whether a shard is chosen.
    pub(super) fn is_part(&self) -> bool {
        self.shard.is_part()
    }

    /// Whether every cell of the project is asked for.
    fn is_whole(&self) -> bool {
        let chosen = [&self.filters, &self.scenario, &self.category, &self.peers, &self.versions];
        chosen.iter().all(|words| words.is_empty()) && !self.is_part()
    }

    /// Which cells these arguments choose, without the choice of a shard.
    pub(super) fn ask(&self, loaded: &Loaded) -> Result<Ask, CommandError> {
        let filters = self.filters.iter().chain(&self.scenario).cloned().collect();
        let selection =
            SelectionArgs { filters, category: self.category.clone(), peer: Vec::new() };
        ask(loaded, &selection, (&self.peers, &self.versions))
    }
}

/// What is asked of the dispatcher, for these cells.
pub(super) fn order(
    loaded: &Loaded,
    clock: Clock,
    ask: Ask,
    take_over: bool,
) -> Result<MatrixOrder, CommandError> {
    let settings = loaded.project.matrix.as_ref();
    let cells = chosen(loaded, &ask)?;
    let expectations = expectations(loaded, settings)?;
    let faults = match settings {
        Some(settings) => {
            let all = Ask { peers: settings.peers.clone(), ..Ask::default() };
            expectations.faults(&chosen(loaded, &all)?, today(clock))
        }
        None => Vec::new(),
    };
    Ok(MatrixOrder {
        peers: ask.peers,
        cells,
        expectations,
        faults,
        take_over,
        budget: settings.map_or(MatrixSettings::BUDGET, |settings| settings.budget),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    })
}

/// The project's peers of these names.
pub(super) fn peers(loaded: &Loaded, names: &[String]) -> Result<Vec<PeerName>, CommandError> {
    let mut found: Vec<PeerName> = Vec::new();
    for name in names {
        let peers = &loaded.project.peers;
        let Some(peer) = peers.iter().find(|peer| peer.name.as_str() == name) else {
            let known: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
            let error = format!("handfast.toml has no peer {name:?}");
            return Err(CommandError::usage_text(error, format!("it has {}", known.join(", "))));
        };
        if !found.contains(&peer.name) {
            found.push(peer.name.clone());
        }
    }
    Ok(found)
}

/// Which cells are asked for: of these scenarios, and of these peers and versions.
pub(super) fn ask(
    loaded: &Loaded,
    selection: &SelectionArgs,
    (named, versions): (&[String], &[String]),
) -> Result<Ask, CommandError> {
    let named = peers(loaded, named)?;
    let only_these_peers = !named.is_empty();
    let peers = match (&loaded.project.matrix, only_these_peers) {
        (_, true) => named,
        (Some(settings), false) => settings.peers.clone(),
        (None, false) => loaded.project.peers.iter().map(|peer| peer.name.clone()).collect(),
    };
    let versions: BTreeSet<String> = versions.iter().cloned().collect();
    Ok(Ask { selection: selection.selection()?, peers, versions, only_these_peers })
}

pub(super) fn chosen(loaded: &Loaded, ask: &Ask) -> Result<Vec<Cell>, CommandError> {
    cells(&loaded.project, &loaded.scenarios, ask).map_err(no_cells)
}

/// The same with every cell once for each of `seeds` seeds from `first` on.
fn with_seeds(order: MatrixOrder, first: u64, seeds: u32) -> Result<MatrixOrder, CommandError> {
    let cells = handfast_matrix::with_seeds(&order.cells, first, seeds).map_err(no_cells)?;
    let budget = order.budget.saturating_mul(seeds);
    Ok(MatrixOrder { cells, budget, ..order })
}

fn no_cells(error: MatrixError) -> CommandError {
    let help = match &error {
        MatrixError::Plan(_) => "`handfast list` shows scenarios, categories and roles",
        MatrixError::UnknownPeer { .. } | MatrixError::NoPeers => {
            "the peers of this project stand in handfast.toml under [peers.NAME]"
        }
        MatrixError::TooMany { .. } => "ask for fewer peers with --peers, or for some scenarios",
        MatrixError::TooManySeeds { .. } => "ask for fewer seeds, or for some scenarios",
    };
    CommandError::usage_text(error, help)
}

fn expectations(
    loaded: &Loaded,
    settings: Option<&MatrixSettings>,
) -> Result<Expectations, CommandError> {
    let Some(file) = settings.and_then(|settings| settings.expected.as_ref()) else {
        return Ok(Expectations::default());
    };
    let text = fs::read_to_string(loaded.root.join(file)).map_err(|error| {
        let help = "[matrix] of handfast.toml names it; leave `expected` out, or add the file";
        CommandError::usage_text(format!("failed to read {file}: {error}"), help)
    })?;
    Expectations::parse(file, &text).map_err(|error| {
        let help = error.help.clone();
        CommandError::usage_text(error, help)
    })
}

fn today(clock: Clock) -> Date {
    let now = jiff::Timestamp::from_microsecond(clock.started_unix_us()).unwrap_or_default();
    now.to_zoned(TimeZone::UTC).date()
}
