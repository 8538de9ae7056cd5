//! What every command that measures works with.

use std::fs;

use handfast_perf::{Aim, Aims, Metric, machine};
use handfast_report::quantity::tame;
use handfast_runner::absence::missing_programs;
use handfast_runner::build;
use handfast_runner::perf::{self, Cast, Means, Measured, Order};
use handfast_runner::project::Loaded;
use handfast_runner::sink::{self, Ear, EventSink, Mouth, Progress};
use handfast_scenario::name::PeerName;
use handfast_scenario::project::PeerProgram;
use handfast_scenario::{Project, RunEvent};
use handfast_statistics::number::real_u64;
use tokio::runtime::Runtime;

use super::super::run::runtime;
use super::super::selection::load;
use super::super::session::Session;
use super::super::telling::Telling;
use crate::around::Around;
use crate::console::ProgressSink;
use crate::error::CommandError;

/// A project, a lab, and where progress goes.
pub(super) struct Bench {
    pub(super) loaded: Loaded,
    pub(super) session: Session,
    mouth: Mouth,
    ear: Ear,
    runtime: Runtime,
}

impl Bench {
    /// Opens the project that the program was called in.
    pub(super) fn open(around: &Around, telling: &Telling) -> Result<Self, CommandError> {
        let loaded = load(around)?;
        let session = Session::open(&loaded, around, None)?;
        let mut sinks: Vec<Box<dyn EventSink>> = vec![Box::new(ProgressSink::new(around.error))];
        let settings = loaded.project.notify.as_ref();
        let run = (session.id.as_str(), session.clock);
        telling.begin(around, &loaded.root, &loaded.project.name, settings, run)?;
        sinks.extend(telling.sink());
        let (mouth, ear) = sink::open(session.clock, sinks)
            .map_err(|error| CommandError::infra(&error, "no thread for the outputs"))?;
        if let Some(note) = session.swept_note() {
            mouth.progress(note);
        }
        Ok(Self { loaded, session, mouth, ear, runtime: runtime()? })
    }

    /// The peers of these names; of no name, those of `[perf]`, of the matrix, or the first one.
    pub(super) fn peers(&self, names: &[String]) -> Result<Vec<PeerProgram>, CommandError> {
        if names.is_empty() {
            return Ok(usual(&self.loaded.project));
        }
        names.iter().map(|name| self.peer(name)).collect()
    }

    /// The peer of this name.
    pub(super) fn peer(&self, name: &str) -> Result<PeerProgram, CommandError> {
        let peers = &self.loaded.project.peers;
        peers.iter().find(|peer| peer.name.as_str() == name).cloned().ok_or_else(|| {
            let known: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
            let error = format!("handfast.toml has no peer {name}");
            CommandError::usage_text(error, format!("it has {}", known.join(", ")))
        })
    }

    /// Sees to it that all of them are there, and builds them.
    pub(super) fn prepare(&self, casts: &[Cast], no_build: bool) -> Result<(), CommandError> {
        let mut peers: Vec<&PeerProgram> = Vec::new();
        for peer in casts.iter().flat_map(|cast| [&cast.a, &cast.b]) {
            if !peers.iter().any(|known| known.name == peer.name) {
                peers.push(peer);
            }
        }
        let lacks =
            |peer: &&PeerProgram| Some(format!("{}: {}", peer.name, missing_programs(peer)?));
        if let Some(lack) = peers.iter().find_map(lacks) {
            return Err(infra(&lack, "a peer is absent"));
        }
        if no_build {
            return Ok(());
        }
        let names: Vec<PeerName> = peers.iter().map(|peer| peer.name.clone()).collect();
        let Self { loaded, session, mouth, .. } = self;
        let failures = self.runtime.block_on(build::peers(
            &loaded.project,
            &session.places,
            &session.workshop,
            mouth,
            names,
        ));
        failures.into_values().next().map_or(Ok(()), |why| Err(infra(&why, "a peer is absent")))
    }

    /// Measures.
    pub(super) fn measure(
        &self,
        casts: &[Cast],
        order: Order,
    ) -> Result<Vec<Measured>, CommandError> {
        let names: Vec<String> = casts.iter().map(Cast::name).collect();
        let names = names.join(" and ");
        self.note(format!("measuring {names}: {} rounds", order.rounds));
        let every = (order.rounds / 4).max(1);
        let told = |round: usize| {
            if round.is_multiple_of(every) && round < order.rounds {
                self.note(format!("measuring {names}: round {round} of {} is over", order.rounds));
            }
        };
        let measuring = perf::measure(self.means(), casts, order, told);
        self.runtime
            .block_on(measuring)
            .map_err(|error| CommandError::infra(&error, "nothing was measured"))
    }

    /// Where everything runs.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What it takes to measure.
    pub(super) fn means(&self) -> Means<'_> {
        let Session { lab, places, seed, .. } = &self.session;
        Means { lab, places, seed: *seed }
    }

    /// Says what people may be told.
    pub(super) fn say(&self, event: RunEvent) {
        self.mouth.say(event);
    }

    /// Says something that is no result.
    pub(super) fn note(&self, text: String) {
        self.mouth.progress(Progress::Note { text: tame(&text) });
    }

    /// The aims of the project.
    pub(super) fn aims(&self) -> Aims {
        aims(&self.loaded.project)
    }

    /// Ends the outputs.
    pub(super) fn close(self) -> Result<(), CommandError> {
        drop(self.mouth);
        self.ear
            .finish()
            .map_err(|error| CommandError::infra(&error, "the outputs could not be written"))
    }
}

fn usual(project: &Project) -> Vec<PeerProgram> {
    let matrix = project.matrix.as_ref().map(|matrix| &matrix.peers);
    let named = Some(&project.perf.peers).filter(|peers| !peers.is_empty()).or(matrix);
    match named {
        Some(named) => named.iter().filter_map(|name| project.peer(name)).cloned().collect(),
        None => project.peers.first().cloned().into_iter().collect(),
    }
}

/// Those by default, and over them the project's own.
fn aims(project: &Project) -> Aims {
    let mut aims = Aims::default();
    for (name, setting) in &project.perf.aims {
        if let Some(metric) = Metric::named(name) {
            let [target, alert] = [setting.target, setting.alert].map(real_u64);
            aims.set(metric, Aim { target, alert });
        }
    }
    aims
}

/// The class of this machine.
pub(super) fn machine_class() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    machine::class(std::env::consts::ARCH, cores, &read("/proc/cpuinfo"), &read("/proc/meminfo"))
}

fn infra(why: &str, what: &str) -> CommandError {
    CommandError::infra(&std::io::Error::other(why.to_owned()), what)
}
