//! `handfast reproduce`

use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use handfast_chaos::repeat::{Kind, Repeat};
use handfast_chaos::{Outcome, Schedule};
use handfast_report::palette::Ink;
use handfast_report::quantity::tame;
use handfast_report::sequence;
use handfast_runner::chaos::again::Again;
use handfast_runner::chaos::finding::{self, FAILURE, Failure, Finding, SCENARIO};
use handfast_runner::project::Loaded;
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::{Selection, UnitId};
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{ExitCode, Plan, Scenario, plan};
use serde_json::json;

use super::chaos::flaws::named;
use super::chaos::options::Options;
use super::chaos::{Desk, Wants, shown};
use super::selection::{Casting, load};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Play a failure that chaos has found again, and say how often it fails
///
/// Takes the id of a finding, which knows who played with which seed, or a scenario file, such as the scenario.toml of a finding that
/// somebody has edited. Exit code 1: it failed at least once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A scenario file, or the id of a finding or its beginning; `last` is the newest
    #[arg(value_name = "FILE|ID", default_value = "last")]
    what: String,
    /// How often to play it
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,
    /// Who plays a role in place of whoever did, such as `b=python`; may be given more than once
    #[arg(long, value_name = "ROLE=PEER")]
    peer: Vec<Casting>,
    /// Seed of the peers' keys and of the scenario's identifiers, in place of that of the finding
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many to play at the same time, 1 to 16
    #[arg(long, value_name = "N", default_value = "3", value_parser = RangedU64ValueParser::<usize>::new().range(1..=16))]
    parallel: usize,
    /// Print the outcome as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast reproduce                            the newest finding, ten times
  handfast reproduce 20261123-0705 --times 100  the finding whose id begins so, a hundred times
  handfast reproduce .handfast/chaos/20261123-070512-1f3c07ab/scenario.toml --peer b=python";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let chosen = Chosen::find(&args, around, &loaded)?;
    let options = Options {
        seed: args.seed.or(chosen.failure.as_ref().map(|failure| failure.seed)),
        parallel: args.parallel,
        ..Options::default()
    };
    let wants = Wants { options: &options, is_json: args.json, is_to_build: !args.no_build };
    Desk::with(wants, around, loaded, |desk| play(desk, chosen, &args))
}

/// What is played again.
struct Chosen {
    unit: plan::Unit,
    /// The finding that it comes from, if it comes from one.
    failure: Option<Failure>,
}

fn play(desk: &mut Desk<'_>, chosen: Chosen, args: &Args) -> Result<ExitCode, CommandError> {
    let Chosen { mut unit, failure } = chosen;
    let peers: Vec<PeerName> = unit.peers.values().cloned().collect();
    if !desk.build(peers) {
        return Ok(ExitCode::Infrastructure);
    }
    let mut lanes = desk.lanes(desk.loaded.project.clone())?;
    if let Some(planted) = failure.as_ref().and_then(|failure| failure.flaw.as_ref()) {
        let program = flawed(desk, planted)?;
        let name = named(&planted.peer, &planted.flaw);
        unit.peers.insert(planted.role.clone(), name.clone());
        lanes.add_peer(name, &program);
    }
    let schedule = Schedule::new(unit.scenario.disturbances.clone());
    let subject = desk.subject(unit);
    desk.stream.print(&format!(
        "{}: {}, seed {}, {} times\n",
        subject.unit.id,
        shown::disturbances(schedule.len()),
        desk.session.seed,
        args.times
    ));
    let reason = failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default();
    let repeat = Repeat::new(&reason, args.times);
    let (palette, stream) = (desk.around.out.palette, desk.stream);
    let told = |repeat: &Repeat, outcome: &Outcome| {
        let word = match outcome {
            Outcome::Passed => palette.paint(Ink::Good, "passed"),
            Outcome::Failed { reason } => {
                format!("{}: {}", palette.paint(Ink::Bad, "failed"), shown::first_line(reason))
            }
            Outcome::Unclear { reason } => {
                format!(
                    "{}: {}",
                    palette.paint(Ink::Doubtful, "unclear"),
                    shown::first_line(reason)
                )
            }
        };
        let rate = repeat.rate();
        stream.print(&format!("{:>5}  {word}\n", rate.tries + rate.unclear));
    };
    let again = desk.runtime.block_on(lanes.again(&subject, repeat, told));
    desk.close(lanes)?;
    show(desk, &again, &schedule, subject.unit.id.as_str());
    Ok(match again.repeat.rate().kind() {
        Kind::Deterministic | Kind::Flaky => ExitCode::ProductFailure,
        Kind::Gone if again.repeat.rate().tries == 0 => ExitCode::Infrastructure,
        Kind::Gone => ExitCode::Passed,
    })
}

fn show(desk: &Desk<'_>, again: &Again, schedule: &Schedule, unit: &str) {
    let rate = again.repeat.rate();
    if again.reason.is_some() {
        let sequence = finding::sequence_of(&again.events, unit, schedule);
        desk.stream.print(&sequence::text::text(&sequence, desk.around.out.palette));
    }
    if let Some(reason) = &again.reason {
        desk.stream.print(&format!("{}\n", tame(reason)));
    }
    desk.stream.print(&format!("{rate}\n"));
    for (kind, count) in again.repeat.others() {
        desk.stream.print(&format!("  {count} of them otherwise: {}\n", tame(kind)));
    }
    if desk.is_json {
        let value = json!({
            "unit": unit,
            "seed": desk.session.seed,
            "rate": shown::rate(rate),
            "reason": again.reason,
            "others": again.repeat.others(),
        });
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        Stream::Out.print(&format!("{text}\n"));
    }
}

/// The program of a peer with a planted flaw.
fn flawed(
    desk: &Desk<'_>,
    planted: &finding::Planted,
) -> Result<handfast_scenario::project::PeerProgram, CommandError> {
    let peer = desk.loaded.project.peer(&planted.peer);
    let flawed = peer.and_then(|peer| Some((peer.clone(), peer.flaws.clone()?)));
    let Some((peer, flaws)) = flawed else {
        let error = format!("{} cannot be started with the flaw {}", planted.peer, planted.flaw);
        let help = "handfast.toml had a table [peers.NAME.flaws] when this was found";
        return Err(CommandError::usage_text(error, help));
    };
    let start = flaws.start_with(&planted.flaw);
    Ok(handfast_scenario::project::PeerProgram { start, ..peer })
}

impl Chosen {
    /// A finding by its id, or a file.
    fn find(args: &Args, around: &Around, loaded: &Loaded) -> Result<Self, CommandError> {
        let file = around.folder.join(&args.what);
        let file =
            if file.is_file() { file } else { finding_of(&args.what, loaded)?.join(SCENARIO) };
        let beside = file.with_file_name(FAILURE);
        let read = || {
            Failure::read(&beside).map_err(|error| {
                CommandError::usage_text(error, "look for it again with `handfast chaos`")
            })
        };
        let failure = beside.is_file().then(read).transpose()?;
        let scenario = scenario(&file, failure.as_ref())?;
        let mut selection = Selection::default();
        if let Some(failure) = &failure {
            let planted = failure.flaw.as_ref().map(|planted| &planted.role);
            let sound = failure.peers.iter().filter(|(role, _)| Some(*role) != planted);
            selection.peers.extend(sound.map(|(role, peer)| (role.clone(), peer.clone())));
        }
        selection.peers.extend(args.peer.iter().map(Casting::parts));
        let plan = Plan::new(&loaded.project, &[scenario], &selection).map_err(|error| {
            CommandError::usage_text(error, "`handfast list` shows scenarios, roles and categories")
        })?;
        let Some(mut unit) = plan.units.into_iter().next() else {
            return Err(CommandError::usage_text("there is nothing to play", "name a scenario"));
        };
        if let Some(failure) = &failure {
            // Keys and identifiers follow from it.
            unit.id = UnitId::new(failure.unit.clone());
        }
        Ok(Self { unit, failure })
    }
}

/// The folder of a finding.
fn finding_of(id: &str, loaded: &Loaded) -> Result<PathBuf, CommandError> {
    let all = Finding::folder_of_all(&loaded.root);
    let entries = fs::read_dir(&all).into_iter().flatten().flatten();
    let mut ids: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    ids.sort();
    let mut fitting = ids.iter().filter(|known| id == "last" || known.starts_with(id));
    let exact = ids.iter().find(|known| *known == id);
    if let Some(id) = exact.or_else(|| fitting.next_back()) {
        return Ok(all.join(id));
    }
    let help =
        "`handfast chaos SCENARIO` finds some; an id is the name of a folder in .handfast/chaos";
    Err(CommandError::usage_text(format!("there is no file and no finding {id:?}"), help))
}

/// The scenario of a file; of several variants that of the finding.
fn scenario(file: &Path, failure: Option<&Failure>) -> Result<Scenario, CommandError> {
    let text = fs::read_to_string(file).map_err(|error| {
        CommandError::usage_text(format!("{}: {error}", file.display()), "name a scenario file")
    })?;
    let vocabulary = Vocabulary { oracles: handfast_runner::project::oracles() };
    let path = failure.map_or_else(
        || file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        |failure| format!("{}.toml", failure.scenario.split('[').next().unwrap_or_default()),
    );
    let scenarios = Scenario::parse(&path, &text, &vocabulary).map_err(CommandError::usage)?;
    let wanted = failure.and_then(|failure| failure.variant.as_deref());
    let count = scenarios.len();
    let mut fitting = scenarios.into_iter().filter(|one| count == 1 || one.id.variant() == wanted);
    fitting.next().ok_or_else(|| {
        let error = format!("{} has {count} variants, and none is named", file.display());
        CommandError::usage_text(error, "leave one of its `variants`")
    })
}
