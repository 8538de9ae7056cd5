//! Plays the schedules of a chaos campaign on real peers, several at the same time.
//!
//! The search itself is pure (`handfast-chaos`): here it is given lanes. A lane is a lab of its own, in which one try after the other
//! is played: the same unit with the same seed and another schedule of disturbances. What a try shows is read out of its events.
//!
//! | module | what it holds |
//! |---|---|
//! | `lane` | one place to play, and what is heard there |
//! | `signs` | from the events of a try to what the search learns |
//! | [`again`] | a schedule again and again, to see how often it fails |
//! | [`finding`] | what is kept of a failure: a scenario file, a diagram, the line that plays it again |
//!
//! Source: docs/design/chaos.md

pub mod again;
pub mod finding;
mod lane;
mod signs;

use std::io;
use std::time::Duration;

use handfast_chaos::campaign::Phase;
use handfast_chaos::menu::{Kind, Menu};
use handfast_chaos::shrink::{Try, TryId};
use handfast_chaos::{Campaign, Report, Schedule, Settings};
use handfast_lab::{Clock, Lab};
use handfast_scenario::name::PeerName;
use handfast_scenario::project::PeerProgram;
use handfast_scenario::{Project, Recorded, plan};
use tokio::task::JoinSet;

use self::lane::{Lane, Play};
use crate::interrupt::{Interrupt, Lever};
use crate::place::Places;

/// Most schedules that are played at the same time.
pub const LANES_MAX: usize = 64;

/// What tries are played with.
#[derive(Debug)]
pub struct Means {
    /// The project; a flawed peer is one of its peers.
    pub project: Project,
    /// What the variables of its commands stand for.
    pub places: Places,
    /// One for each schedule that is played at the same time, 1 to [`LANES_MAX`].
    pub labs: Vec<Lab>,
    /// The clock of all of them.
    pub clock: Clock,
    /// Tells that it is to end.
    pub interrupt: Interrupt,
    /// Seed of the peers' keys and of the scenario's identifiers: the same in every try.
    pub seed: u64,
}

/// A scenario on certain peers.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What is played.
    pub unit: plan::Unit,
    /// The scenario file as a person would open it.
    pub file: String,
    /// What may be done to it.
    pub kinds: Vec<Kind>,
}

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Tries begun.
    pub tries: u32,
    /// Things seen of the protocol.
    pub features: usize,
    /// Disturbances of the smallest failing schedule.
    pub smallest: Option<usize>,
    /// Since its beginning.
    pub elapsed: Duration,
}

/// A campaign that is over.
#[derive(Debug)]
pub struct Ended {
    /// What came of it.
    pub report: Report,
    /// The events of a try in which the smallest schedule failed.
    pub failed: Vec<Recorded>,
    /// How long it took.
    pub took: Duration,
}

/// The lanes of a command, which campaigns use one after the other.
#[derive(Debug)]
pub struct Lanes {
    idle: Vec<Lane>,
    lever: Lever,
    clock: Clock,
    interrupt: Interrupt,
}

/// What a lane hands back.
struct Returned {
    lane: Lane,
    id: TryId,
    schedule: Schedule,
    play: Play,
}

impl Lanes {
    /// Opens the lanes; each has a thread that hears what is said in it.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn open(means: Means) -> io::Result<Self> {
        let (lever, interrupt) = Lever::new();
        let mut idle = Vec::new();
        for lab in means.labs.into_iter().take(LANES_MAX) {
            idle.push(Lane::open(
                (means.project.clone(), means.places.clone(), lab),
                (means.clock, means.seed),
                interrupt.clone(),
            )?);
        }
        Ok(Self { idle, lever, clock: means.clock, interrupt: means.interrupt })
    }

    /// Searches, and reduces what it finds; `told` hears after each try how far it is.
    pub async fn campaign(
        &mut self,
        subject: &Subject,
        settings: Settings,
        mut told: impl FnMut(Progress),
    ) -> Ended {
        let roles = subject.unit.scenario.roles.keys().map(ToString::to_string);
        let mut campaign = Campaign::new(settings, Menu::new(roles, subject.kinds.iter().copied()));
        let began_us = self.clock.now_us();
        let clock = self.clock;
        let now = move || Duration::from_micros(clock.now_us().saturating_sub(began_us));
        let mut running: JoinSet<Returned> = JoinSet::new();
        let mut failed = Failed::default();
        let mut interrupt = self.interrupt.clone();
        while !campaign.is_over() {
            while let Some(lane) = self.idle.pop() {
                let Some(next) = campaign.poll_try(now()) else {
                    self.idle.push(lane);
                    break;
                };
                running.spawn(play(lane, subject.clone(), next));
            }
            let joined = tokio::select! {
                joined = running.join_next() => joined,
                () = interrupt.pulled() => {
                    campaign.handle_stop();
                    break;
                }
            };
            // Nothing runs, and nothing is to run: then it is over, or every lane was lost.
            let Some(joined) = joined else { break };
            let Ok(Returned { lane, id, schedule, play }) = joined else { continue };
            self.idle.push(lane);
            let is_failed = play.played.outcome.failure().is_some();
            campaign.handle_played(id, play.played, now());
            if is_failed {
                failed.note(&campaign, schedule, play.events);
            }
            told(progress(&campaign, now()));
        }
        self.call_back(running).await;
        let events = failed.events_of(campaign.best());
        Ended { report: campaign.into_report(), failed: events, took: now() }
    }

    /// Waits for those that are still under way; they are ended, in order.
    async fn call_back(&mut self, mut running: JoinSet<Returned>) {
        if running.is_empty() {
            return;
        }
        self.lever.pull();
        while let Some(joined) = running.join_next().await {
            self.idle.extend(joined.ok().map(|returned| returned.lane));
        }
        let (lever, interrupt) = Lever::new();
        for lane in &mut self.idle {
            lane.listen_to(interrupt.clone());
        }
        self.lever = lever;
    }

    /// Adds a peer to the project of every lane, such as one with a flaw.
    pub fn add_peer(&mut self, name: PeerName, program: &PeerProgram) {
        for lane in &mut self.idle {
            lane.add_peer(PeerProgram { name: name.clone(), ..program.clone() });
        }
    }

    /// Ends the threads that hear.
    ///
    /// # Errors
    ///
    /// Never because of a try; only if a thread panicked.
    pub fn close(self) -> Result<(), crate::sink::SinkError> {
        self.idle.into_iter().try_for_each(Lane::close)
    }
}

async fn play(mut lane: Lane, subject: Subject, next: Try) -> Returned {
    let Try { id, schedule } = next;
    let play = lane.play(&subject, &schedule).await;
    Returned { lane, id, schedule, play }
}

fn progress(campaign: &Campaign, elapsed: Duration) -> Progress {
    Progress {
        phase: campaign.phase(),
        tries: campaign.tries(),
        features: campaign.known().features,
        smallest: campaign.best().map(Schedule::len),
        elapsed,
    }
}

/// The newest failing tries of the schedules that were the smallest: the one that is the smallest in the end is among them.
#[derive(Debug, Default)]
struct Failed {
    tries: Vec<(Schedule, Vec<Recorded>)>,
}

/// The found one and the smallest one, which are all that can be the best in the end, and one more for the change between two.
const FAILED_MAX: usize = 3;

impl Failed {
    fn note(&mut self, campaign: &Campaign, schedule: Schedule, events: Vec<Recorded>) {
        if campaign.best() != Some(&schedule) {
            return;
        }
        self.tries.retain(|(other, _)| *other != schedule);
        if self.tries.len() == FAILED_MAX {
            // The first is the one that was found.
            self.tries.remove(1);
        }
        self.tries.push((schedule, events));
    }

    fn events_of(mut self, best: Option<&Schedule>) -> Vec<Recorded> {
        let place = self.tries.iter().position(|(schedule, _)| Some(schedule) == best);
        place.map(|place| self.tries.swap_remove(place).1).unwrap_or_default()
    }
}
