//! `handfast selftest`

mod shown;

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use handfast_report::palette::Palette;
use handfast_runner::build;
use handfast_runner::command::Workshop;
use handfast_runner::interrupt::{Interrupt, Lever};
use handfast_runner::place::Places;
use handfast_runner::project::Loaded;
use handfast_runner::selftest::{self, Flaw, Means, Settled, Subject};
use handfast_runner::sink::{self, EventSink, Mouth};
use handfast_scenario::flaws::FlawedBuild;
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::{Plan, Selection};
use handfast_scenario::project::PeerProgram;
use handfast_scenario::{ExitCode, filter::Filter};

use self::shown::Peer;
use super::interruption;
use super::run::runtime;
use super::selection::load;
use super::session::Session;
use super::telling::Wait;
use crate::around::Around;
use crate::console::{ProgressSink, Stream};
use crate::error::CommandError;

/// Plant flaws into the peers and see whether the scenarios catch them
///
/// Each peer with a table [peers.NAME.flaws] is built with its flaws. Then scenarios are played with each flaw, in one
/// role after the other beside sound peers, until one fails that passes without it. Exit code 1: fewer were caught than
/// `min_caught` of [selftest] asks for, 95 % unless it says otherwise. A scenario that fails without a flaw, too, is named and counts for nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Only scenarios that one of these matches, as in `handfast run`
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Only this peer; may be given more than once
    #[arg(long, value_name = "PEER")]
    peer: Vec<String>,
    /// Only this flaw; may be given more than once
    #[arg(long, value_name = "NAME")]
    flaw: Vec<String>,
    /// Print the outcome as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
    /// Write a file in the form of `JUnit` here, too: one test for each flaw
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How many flaws to look for at the same time
    #[arg(long, value_name = "N", default_value = "4", value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    parallel: usize,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
    /// Seed of the peers' keys and of the scenarios' identifiers; chosen by chance if not given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

const _: () = assert!(selftest::PARALLEL_MAX == 64, "the parser names the limit");

const AFTER_HELP: &str = "\
Examples:
  handfast selftest                                    every flaw of every peer
  handfast selftest --flaw accepts-replay              one flaw
  handfast selftest --peer entity --json               for a machine
  handfast selftest security/ --flaw accepts-replay    do these scenarios see it?";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let flawed = flawed(&loaded, &args.peer)?;
    let plan = plan(&loaded, &args.filters)?;
    if plan.units.is_empty() {
        return Ok(ExitCode::NothingRan);
    }
    let session = Session::open(&loaded, around, args.seed)?;
    let sinks: Vec<Box<dyn EventSink>> = vec![Box::new(ProgressSink::new(around.error))];
    let (mouth, ear) = sink::open(session.clock, sinks)
        .map_err(|error| CommandError::infra(&error, "no thread for the outputs"))?;
    let (lever, interrupt) = Lever::new();
    let runtime = runtime()?;
    runtime.spawn(interruption::listen(lever, Wait::default()));
    let (stream, screen) =
        if args.json { (Stream::Error, around.error) } else { (Stream::Out, around.out) };
    let min_caught = loaded.project.selftest.min_caught;
    let desk = Desk { args: &args, interrupt: interrupt.clone(), stream, palette: screen.palette };
    let searched = runtime.block_on(search(desk, loaded, session, mouth, (&plan, flawed)));
    ear.finish()
        .map_err(|error| CommandError::infra(&error, "the outputs could not be written"))?;
    let peers = match searched {
        Ok(peers) => peers,
        Err(refused) => return refused.end(),
    };
    if let Some(path) = &args.junit {
        let written = shown::junit(&peers).and_then(|text| write(path, &text));
        written.map_err(|error| CommandError::infra(&error, "the JUnit file cannot be written"))?;
    }
    if args.json {
        Stream::Out.print(&shown::json(&peers, min_caught));
    }
    stream.print(&shown::closing(&peers, min_caught));
    let good = peers.iter().all(|peer| peer.is_good(min_caught));
    Ok(match (interrupt.is_pulled(), good) {
        (true, _) => ExitCode::Infrastructure,
        (false, true) => ExitCode::Passed,
        (false, false) => ExitCode::ProductFailure,
    })
}

/// What was asked for, and where it is shown.
struct Desk<'a> {
    args: &'a Args,
    interrupt: Interrupt,
    stream: Stream,
    palette: Palette,
}

/// A peer that can be started with a flaw.
type Flawed = (PeerProgram, FlawedBuild);

async fn search(
    desk: Desk<'_>,
    loaded: Loaded,
    session: Session,
    mouth: Mouth,
    (plan, flawed): (&Plan, Vec<Flawed>),
) -> Result<Vec<Peer>, Refused> {
    let (workshop, places) = (&session.workshop, &session.places);
    if !desk.args.no_build {
        build_all(&loaded, (places, workshop), &mouth, (plan, &flawed)).await?;
    }
    let subjects = subjects(&desk.args.flaw, (places, workshop), flawed).await?;
    let mut peers = Vec::new();
    for subject in &subjects {
        let (name, count) = (subject.peer.name.clone(), subject.flaws.len());
        desk.stream.print(&format!("{name}: looking for {count} flaws\n"));
        peers.push(Peer { name, settled: Vec::new() });
    }
    let means = Means {
        loaded,
        places: places.clone(),
        lab: session.lab,
        mouth,
        interrupt: desk.interrupt,
        run: session.id.clone(),
        seed: session.seed,
        parallel: desk.args.parallel,
    };
    let told = |name: &PeerName, settled: Settled| {
        desk.stream.print(&shown::line(name, &settled, desk.palette));
        if let Some(peer) = peers.iter_mut().find(|peer| peer.name == *name) {
            peer.settled.push(settled);
        }
    };
    let searched = selftest::run(means, workshop, &subjects, plan, told).await;
    searched.map(|()| peers).map_err(Refused::Because)
}

/// Builds the sound peers that play, and the flawed ones.
async fn build_all(
    loaded: &Loaded,
    (places, workshop): (&Places, &Workshop),
    mouth: &Mouth,
    (plan, flawed): (&Plan, &[Flawed]),
) -> Result<(), Refused> {
    let names: Vec<_> = plan.peers().into_iter().cloned().collect();
    let failures = build::peers(&loaded.project, places, workshop, mouth, names).await;
    if !failures.is_empty() {
        return Err(Refused::Shown);
    }
    for (peer, flawed) in flawed {
        let what = format!("peer {} with flaws", peer.name);
        let Some(command) = &flawed.build else { continue };
        let built = build::command(command, (places, workshop), mouth, &what).await;
        built.map_err(|_| Refused::Shown)?;
    }
    Ok(())
}

/// Asks each peer for its flaws, and keeps those that were asked for.
async fn subjects(
    asked: &[String],
    (places, workshop): (&Places, &Workshop),
    flawed: Vec<Flawed>,
) -> Result<Vec<Subject>, Refused> {
    let mut subjects = Vec::new();
    for (peer, flawed) in flawed {
        let flaws = selftest::read_list(workshop, places, &flawed).await;
        let flaws = flaws.map_err(|why| Refused::Because(format!("{}: {why}", peer.name)))?;
        subjects.push(Subject { peer, flawed, flaws });
    }
    let is_known = |name: &&String| {
        let mut flaws = subjects.iter().flat_map(|subject| &subject.flaws);
        flaws.any(|flaw| flaw.name.as_str() == *name)
    };
    if let Some(name) = asked.iter().find(|name| !is_known(name)) {
        return Err(Refused::NoSuchFlaw(name.clone()));
    }
    for subject in &mut subjects {
        let is_asked_for = |flaw: &Flaw| asked.iter().any(|name| flaw.name.as_str() == name);
        subject.flaws.retain(|flaw| asked.is_empty() || is_asked_for(flaw));
    }
    subjects.retain(|subject| !subject.flaws.is_empty());
    Ok(subjects)
}

/// Why nothing can be said.
enum Refused {
    /// A build failed, which has been shown.
    Shown,
    /// This.
    Because(String),
    /// A flaw was asked for that no peer has.
    NoSuchFlaw(String),
}

impl Refused {
    fn end(self) -> Result<ExitCode, CommandError> {
        match self {
            Self::Shown => Ok(ExitCode::Infrastructure),
            Self::Because(reason) => {
                Stream::Error.print(&format!("{reason}\n"));
                Ok(ExitCode::Infrastructure)
            }
            Self::NoSuchFlaw(name) => {
                let help = "a peer's `list` command in handfast.toml prints the names";
                Err(CommandError::usage_text(format!("no peer has a flaw {name}"), help))
            }
        }
    }
}

/// The peers that can be started with a flaw: all, or those of these names.
fn flawed(loaded: &Loaded, names: &[String]) -> Result<Vec<Flawed>, CommandError> {
    let peers = &loaded.project.peers;
    let flawed = |peer: &PeerProgram| Some((peer.clone(), peer.flaws.clone()?));
    let all: Vec<_> = peers.iter().filter_map(flawed).collect();
    let known: Vec<&str> = all.iter().map(|(peer, _)| peer.name.as_str()).collect();
    let known = if known.is_empty() { "none has".to_owned() } else { known.join(", ") };
    let help = format!("a peer with flaws has a table [peers.NAME.flaws]: {known}");
    if all.is_empty() {
        let error = "no peer of handfast.toml can be started with a flaw";
        return Err(CommandError::usage_text(error, help));
    }
    let missing =
        names.iter().find(|name| !all.iter().any(|(peer, _)| peer.name.as_str() == *name));
    if let Some(name) = missing {
        let error = format!("handfast.toml has no peer {name} that can be started with a flaw");
        return Err(CommandError::usage_text(error, help));
    }
    let wanted = |peer: &PeerProgram| {
        names.is_empty() || names.iter().any(|name| peer.name.as_str() == name)
    };
    Ok(all.into_iter().filter(|(peer, _)| wanted(peer)).collect())
}

fn plan(loaded: &Loaded, filters: &[String]) -> Result<Plan, CommandError> {
    let filters: Result<_, _> = filters.iter().map(|text| Filter::new(text)).collect();
    let help = "quote a pattern for the shell, such as 'ab.*'";
    let filters = filters.map_err(|error| CommandError::usage_text(error, help))?;
    let selection = Selection { filters, ..Selection::default() };
    let plan = Plan::new(&loaded.project, &loaded.scenarios, &selection);
    let plan = plan.map_err(|error| {
        CommandError::usage_text(error, "`handfast list` shows the scenarios and their peers")
    })?;
    Ok(Plan { suites: Vec::new(), ..plan })
}

fn write(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
