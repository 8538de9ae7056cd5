//! What every command that starts processes opens first: an id, a clock, a lab, a workshop.

use handfast_lab::{Clock, Lab, LabConfig, Swept};
use handfast_runner::command::Workshop;
use handfast_runner::place::Places;
use handfast_runner::project::Loaded;
use handfast_runner::sink::Progress;

use crate::around::Around;
use crate::error::CommandError;

/// The means of one run.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) lab: Lab,
    pub(crate) workshop: Workshop,
    pub(crate) places: Places,
    lab_config: LabConfig,
    /// What an earlier run that was killed had left, and what was done about it.
    pub(crate) swept: Swept,
}

impl Session {
    /// Removes what killed runs left, and opens a session of its own.
    pub(crate) fn open(
        loaded: &Loaded,
        around: &Around,
        seed: Option<u64>,
    ) -> Result<Self, CommandError> {
        let clock = Clock::start();
        let random = random()?;
        let id = run_id(clock, random);
        let reaper = LabConfig::own_reaper()
            .map_err(|error| CommandError::infra(&error, "handfast cannot find its own program"))?;
        let scratch_root = loaded.root.join(".handfast").join("scratch");
        let folder = scratch_root.join(&id);
        let config = LabConfig { scratch_root, run: id.clone(), reaper: reaper.clone(), clock };
        let lab_config = config.clone();
        let (lab, swept) = Lab::open(config)
            .map_err(|error| CommandError::infra(&error, "the lab cannot be opened"))?;
        Ok(Self {
            seed: seed.unwrap_or(random),
            clock,
            lab,
            workshop: Workshop::new(reaper, id.clone(), folder),
            places: Places::find(&loaded.root, around.cargo_target.clone()),
            id,
            lab_config,
            swept,
        })
    }

    /// One more lab of this session, for what is played beside everything else.
    pub(crate) fn further_lab(&self, number: usize) -> Result<Lab, CommandError> {
        let config = LabConfig { run: format!("{}-{number}", self.id), ..self.lab_config.clone() };
        let (lab, _) = Lab::open(config)
            .map_err(|error| CommandError::infra(&error, "a further lab cannot be opened"))?;
        Ok(lab)
    }

    /// What the user is told of leftovers.
    pub(crate) fn swept_note(&self) -> Option<Progress> {
        if self.swept.is_empty() {
            return None;
        }
        let text = format!(
            "removed what killed runs had left: {} processes, {} folders, {} control groups",
            self.swept.processes.len(),
            self.swept.folders.len(),
            self.swept.groups.len()
        );
        Some(Progress::Note { text })
    }
}

/// An id for a record that no run makes: sorts by time as those of runs do.
pub(super) fn new_id(clock: Clock) -> Result<String, CommandError> {
    Ok(run_id(clock, random()?))
}

/// An id that sorts by time and that no other run has: `20261122-093045-1f3c07ab`.
fn run_id(clock: Clock, random: u64) -> String {
    let started = jiff::Timestamp::from_microsecond(clock.started_unix_us()).unwrap_or_default();
    format!("{}-{:08x}", started.strftime("%Y%m%d-%H%M%S"), random & 0xffff_ffff)
}

/// The id of a run that never got a session.
pub(crate) fn fresh_id(clock: Clock) -> Result<String, CommandError> {
    Ok(run_id(clock, random()?))
}

fn random() -> Result<u64, CommandError> {
    getrandom::u64()
        .map_err(|error| CommandError::infra(&error, "the system gives no random number"))
}
