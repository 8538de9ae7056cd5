//! One place to play, and what is heard there.

use std::io;
use std::sync::{Arc, OnceLock};

use handfast_chaos::{Played, Schedule};
use handfast_lab::{Clock, Lab};
use handfast_scenario::name::PeerName;
use handfast_scenario::project::PeerProgram;
use handfast_scenario::{Project, Recorded, RunEvent};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Subject, signs};
use crate::interrupt::Interrupt;
use crate::place::Places;
use crate::retry::Retries;
use crate::sink::{self, Ear, EventSink};
use crate::unit::{self, Again, NetworkAsk, Surroundings};

/// Most events of a try that are kept; a thousand messages each way make some ten thousand.
const EVENTS_MAX: usize = 200_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Lane {
    around: Arc<Surroundings>,
    heard: UnboundedReceiver<Vec<Recorded>>,
    ear: Ear,
}

/// What came of a try.
#[derive(Debug)]
pub(super) struct Play {
    /// For the search.
    pub(super) played: Played,
    /// For people.
    pub(super) events: Vec<Recorded>,
}

impl Lane {
    pub(super) fn open(
        (project, places, lab): (Project, Places, Lab),
        (clock, seed): (Clock, u64),
        interrupt: Interrupt,
    ) -> io::Result<Self> {
        let (told, heard) = unbounded_channel();
        let notebook = Notebook { events: Vec::new(), told };
        let (mouth, ear) = sink::open(clock, vec![Box::new(notebook)])?;
        let spoken = OnceLock::new();
        let network = NetworkAsk::default();
        let (retries, healer) = (Retries::new(0, seed), OnceLock::new());
        let around = Surroundings {
            project,
            places,
            lab,
            mouth,
            seed,
            network,
            interrupt,
            retries,
            spoken,
            healer,
        };
        Ok(Self { around: Arc::new(around), heard, ear })
    }

    /// Plays a schedule to its end.
    pub(super) async fn play(&mut self, subject: &Subject, schedule: &Schedule) -> Play {
        let mut unit = subject.unit.clone();
        let scenario = Arc::make_mut(&mut unit.scenario);
        scenario.disturbances.extend(schedule.steps.iter().cloned());
        let file = subject.file.clone();
        let verdict = unit::run(self.around.clone(), unit, file, Again::Never).await.verdict;
        // The end of a unit is its last event, so that this is never waited for in vain but where the thread panicked.
        let events = self.heard.recv().await.unwrap_or_default();
        let outcome = signs::outcome(&verdict);
        let (signs, occurred) = (signs::signs(&events), signs::occurred(&events));
        Play { played: Played { outcome, signs, occurred: Some(occurred) }, events }
    }

    pub(super) fn listen_to(&mut self, interrupt: Interrupt) {
        if let Some(around) = Arc::get_mut(&mut self.around) {
            around.interrupt = interrupt;
        }
    }

    pub(super) fn add_peer(&mut self, program: PeerProgram) {
        if let Some(around) = Arc::get_mut(&mut self.around) {
            let name: &PeerName = &program.name;
            around.project.peers.retain(|other| other.name != *name);
            around.project.peers.push(program);
        }
    }

    pub(super) fn close(self) -> Result<(), sink::SinkError> {
        let Self { around, heard, ear } = self;
        drop((around, heard));
        ear.finish()
    }
}

/// Collects the events of one unit after the other.
struct Notebook {
    events: Vec<Recorded>,
    told: UnboundedSender<Vec<Recorded>>,
}

impl EventSink for Notebook {
    fn event(&mut self, recorded: &Recorded) {
        let is_end = matches!(recorded.event, RunEvent::UnitEnded { .. });
        if self.events.len() < EVENTS_MAX || is_end {
            self.events.push(recorded.clone());
        }
        if is_end {
            // Whoever listened may be gone: then nobody needs it.
            drop(self.told.send(std::mem::take(&mut self.events)));
        }
    }
}
