//! `handfast heal drill`

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use handfast_heal::class::Class;
use handfast_heal::fault::InfraFault;
use handfast_heal::known::Known;
use handfast_heal::ledger::{Entry, Outcome};
use handfast_lab::clock::unix_us;
use handfast_runner::care::{Care, Repairs, Wall};
use handfast_runner::interrupt::{Interrupt, Lever};
use handfast_runner::project::Loaded;
use handfast_runner::record::{RecordSink, Records};
use handfast_runner::run::{self, Build, Means, Order};
use handfast_runner::sink::{self, EventSink};
use handfast_scenario::plan::Selection;
use handfast_scenario::{ExitCode, Plan, Recorded, RunEvent};
use jiff::civil::Date;

use super::control::Control;
use super::plant::{self, Defect, PLANTED, Plant};
use super::shown;
use crate::around::Around;
use crate::commands::interruption;
use crate::commands::run::runtime;
use crate::commands::session::Session;
use crate::commands::telling::Wait;
use crate::console::Stream;
use crate::error::CommandError;

/// Plant faults of the machine and defects of a peer, and say which are healed, and how fast
///
/// Each is planted into a run of its own: three scenarios of a peer that handfast brings along, of which the second one is hit. A fault is
/// healed if that one passes in the end, its fault stands in the ledger as healed, and neither of the others ran twice. A defect
/// shows itself once, in words of a fault: it is healed away if its run does not fail. Exit code 1: fewer than 95 % of the planted faults
/// were healed within 60 s, more than the hit scenario ran again, or a defect was healed away.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  handfast heal drill\n  handfast heal drill --times 1 --defects 5\n  handfast heal drill --json"
)]
pub(super) struct Args {
    /// How often each fault is planted
    #[arg(long, value_name = "N", default_value = "10", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    times: usize,
    /// How many defects are planted, at most as many as there are
    #[arg(long, value_name = "N", default_value = "60", value_parser = RangedU64ValueParser::<usize>::new().range(0..=60))]
    defects: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How long a build of a drill may do nothing: it copies a file.
const PATIENCE: Duration = Duration::from_secs(2);

/// Within which time a fault is to be healed.
pub(super) const HEALED_WITHIN: Duration = Duration::from_mins(1);

/// What a fault that was planted came to.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    /// Whether it was healed.
    pub(super) is_healed: bool,
    /// Whether only the scenario that it hit ran again.
    pub(super) is_only_hit: bool,
    /// From the failure to the end of the further try, as the ledger says it; of one that was not healed the whole run.
    pub(super) took: Duration,
    /// What the run said of it where it was not healed.
    pub(super) said: String,
}

/// What a drill found.
#[derive(Debug, Default)]
pub(super) struct Drilled {
    pub(super) faults: BTreeMap<InfraFault, Vec<Trial>>,
    pub(super) defects: usize,
    /// Defects that were healed away.
    pub(super) lost: Vec<String>,
}

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let (lever, interrupt) = Lever::new();
    let listening = runtime()?;
    listening.spawn(interruption::listen(lever, Wait::default()));
    let mut drilled = Drilled::default();
    for fault in PLANTED {
        for _ in 0..args.times {
            let played = play(&Plant::Fault(fault), around, &interrupt)?;
            drilled.faults.entry(fault).or_default().push(played.trial(fault));
        }
    }
    for defect in Defect::all().into_iter().take(args.defects) {
        let name = format!("{} like {}", defect.does, defect.like);
        let played = play(&Plant::Defect(defect), around, &interrupt)?;
        drilled.defects += 1;
        if played.code != ExitCode::ProductFailure {
            drilled.lost.push(format!("{name}: {:?}: {}", played.code, played.said()));
        }
    }
    let text = if args.json { shown::json(&drilled) } else { shown::text(&drilled) };
    Stream::Out.print(&text);
    Ok(if shown::is_good(&drilled) { ExitCode::Passed } else { ExitCode::ProductFailure })
}

/// One run and what was heard of it.
struct Played {
    code: ExitCode,
    events: Vec<Recorded>,
    begun: BTreeMap<String, usize>,
}

impl Played {
    fn trial(&self, fault: InfraFault) -> Trial {
        let healed = self.entries().find(|entry| {
            let is_it = entry.class == Class::Infra { fault: Some(fault) };
            is_it && entry.outcome == Outcome::Healed
        });
        let is_once = |scenario: &str| self.begun.get(scenario) == Some(&1);
        let whole_us = self.events.last().map_or(0, |recorded| recorded.at_us);
        Trial {
            // What was healed counts as flaky: any other end of the run says that something else failed.
            is_healed: healed.is_some() && self.code == ExitCode::OnlyFlaky,
            is_only_hit: is_once("before") && is_once("after"),
            took: Duration::from_micros(healed.map_or(whole_us, |entry| entry.cost_us)),
            said: self.said(),
        }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.events.iter().filter_map(|recorded| {
            let RunEvent::UnitHealing { healing, .. } = &recorded.event else { return None };
            serde_json::from_value(healing.entry.clone()).ok()
        })
    }

    /// What the run said of each failure.
    fn said(&self) -> String {
        let said: Vec<String> = self
            .entries()
            .map(|entry| format!("{}: {} ({})", entry.class, entry.reason, entry.outcome))
            .collect();
        said.join("; ").replace('\n', " ")
    }
}

/// A folder that is gone at the end; what a drill that was killed has left, the next one removes.
struct Folder(PathBuf);

const NAME: &str = "handfast-drill-";

impl Folder {
    fn make() -> io::Result<Self> {
        let temporary = std::env::temp_dir();
        for entry in fs::read_dir(&temporary)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let pid = name.strip_prefix(NAME).and_then(|pid| pid.parse::<u32>().ok());
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
                // Two drills may find the same one.
                drop(fs::remove_dir_all(entry.path()));
            }
        }
        let folder = temporary.join(format!("{NAME}{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder.canonicalize()?))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Plays one run into which something is planted.
fn play(plant: &Plant, around: &Around, interrupt: &Interrupt) -> Result<Played, CommandError> {
    let failed = |error: io::Error| CommandError::infra(&error, "the drill cannot be carried out");
    let program = std::env::current_exe().map_err(failed)?;
    let folder = Folder::make().map_err(failed)?;
    plant::write(plant, &folder.0, &program).map_err(failed)?;
    let set_us = Arc::new(AtomicI64::new(0));
    let control = Control::open(plant.clone(), &folder.0, &program, set_us.clone());
    let control = control.map_err(failed)?;
    let around = Around { folder: folder.0.clone(), cargo_target: None, ..around.clone() };
    let loaded = Loaded::find(&folder.0).map_err(CommandError::usage)?;
    let plan = Plan::new(&loaded.project, &loaded.scenarios, &Selection::default())
        .map_err(|error| CommandError::infra(&error, "the drill has no plan"))?;
    let session = Session::open(&loaded, &around, Some(1))?;
    let record = Records::of(&loaded.root).folder_of(&session.id);
    let record = RecordSink::create(&record).map_err(failed)?;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sinks: Vec<Box<dyn EventSink>> = vec![Box::new(record), Box::new(Notebook(heard.clone()))];
    let (mouth, ear) = sink::open(session.clock, sinks).map_err(failed)?;
    let wall = Wall::new(move || unix_us().saturating_add(set_us.load(Ordering::SeqCst)));
    let order = order(&session, around.command.clone(), wall);
    let means = Means {
        loaded,
        places: session.places,
        lab: session.lab,
        workshop: session.workshop,
        mouth,
        history: None,
        interrupt: interrupt.clone(),
    };
    let (_, code) = runtime()?.block_on(run::run(means, plan, order));
    ear.finish().map_err(|error| CommandError::infra(&error, "the drill was not recorded"))?;
    if interrupt.is_pulled() {
        let error = io::Error::from(io::ErrorKind::Interrupted);
        return Err(CommandError::infra(&error, "the drill was ended"));
    }
    if let Some(error) = control.error() {
        return Err(CommandError::infra(&error, "something could not be planted"));
    }
    let begun = control.begun();
    let events = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Played { code, events, begun })
}

fn order(session: &Session, command: Vec<String>, wall: Wall) -> Order {
    Order {
        run: session.id.clone(),
        handfast: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        seed: session.seed,
        build: Build::First,
        allow_absent: std::collections::BTreeSet::new(),
        matrix: None,
        shard: None,
        network: run_network(),
        is_whole: false,
        care: Care {
            known: Known::default(),
            passes: BTreeMap::new(),
            day: Date::MIN,
            // A defect that shows itself once would pass as flaky, which is not healed: here nothing is to make it pass but a repair.
            retries: 0,
            repairs: Repairs::Proved,
            wall,
            patience: PATIENCE,
        },
        fail_fast: false,
    }
}

/// No scenario of a drill asks for a network.
fn run_network() -> handfast_runner::unit::NetworkAsk {
    handfast_runner::unit::NetworkAsk::default()
}

struct Notebook(Arc<Mutex<Vec<Recorded>>>);

impl EventSink for Notebook {
    fn event(&mut self, recorded: &Recorded) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(recorded.clone());
    }
}
