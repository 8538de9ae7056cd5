//! Where events go.
//!
//! Units and suites speak to a [`Mouth`]; one thread hears them all, puts the events in one order and
//! hands each to every [`EventSink`]. The way between is bounded: a sink that is slow slows the run
//! down, it does not let memory grow.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use handfast_heal::failure::{Cases, Failure};
use handfast_lab::Clock;
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{Recorded, RunEvent};

use crate::reach::Reach;
use crate::tally::Tally;

/// Events that may wait for the sinks. A guess: a scenario of 1,000 messages each way makes some 10,000.
pub const QUEUE_LEN_MAX: usize = 16_384;

/// How often a sink with something moving is asked to draw: ten times a second looks alive.
const TICK: Duration = Duration::from_millis(100);

/// Something that hears a run.
pub trait EventSink: Send {
    /// Hears the next event. Sinks do not fail: one that cannot write remembers it for [`EventSink::finish`].
    fn event(&mut self, recorded: &Recorded);

    /// Hears of progress that is not part of the record.
    fn progress(&mut self, _progress: &Progress) {}

    /// Is given the time, about ten times a second.
    fn tick(&mut self, _now_us: u64) {}

    /// Writes what is left, after the last event.
    ///
    /// # Errors
    ///
    /// The first thing that could not be written.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What goes on before the first event or beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A command that builds something starts.
    Building {
        /// What is built, such as `peer entity`.
        what: String,
        /// The command.
        command: String,
    },
    /// The command printed a line.
    BuildLine {
        /// What is built.
        what: String,
        /// The line.
        line: String,
    },
    /// It is built.
    Built {
        /// What was built.
        what: String,
        /// How long it took.
        duration_us: u64,
    },
    /// It could not be built.
    BuildFailed {
        /// What was to be built.
        what: String,
        /// Why.
        reason: String,
        /// The last lines that the command printed.
        last_lines: Vec<String>,
    },
    /// How far something is that takes its time: worth showing until the next one comes, and only where it can be redrawn.
    Passing {
        /// The line.
        line: String,
    },
    /// Something worth a line, such as leftovers of a killed run that were removed.
    Note {
        /// The line.
        text: String,
    },
}

enum Heard {
    Event(Recorded),
    Progress(Progress),
}

/// Says what happens; clones speak to the same sinks.
#[derive(Clone)]
pub struct Mouth {
    sender: SyncSender<Heard>,
    clock: Clock,
    reach: Arc<Reach>,
    cases: Arc<Mutex<Option<Cases>>>,
    lines_built: Arc<AtomicU64>,
}

impl Mouth {
    /// Says that something happened now.
    pub fn say(&self, event: RunEvent) {
        self.repeat(Recorded { at_us: self.clock.now_us(), event });
    }

    /// Says that something happened at a time that is already known.
    pub fn repeat(&self, recorded: Recorded) {
        self.reach.hear(&recorded.event);
        if Cases::is_of_interest(&recorded.event)
            && let Some(cases) = self.cases().as_mut()
        {
            cases.hear(recorded.at_us, &recorded.event);
        }
        // The thread that hears lives as long as any mouth: a closed way means that it panicked, which
        // `Ear::finish` reports.
        drop(self.sender.send(Heard::Event(recorded)));
    }

    /// Says how something goes on.
    pub fn progress(&self, progress: Progress) {
        if let Progress::BuildLine { .. } = progress {
            self.lines_built.fetch_add(1, Ordering::Relaxed);
        }
        drop(self.sender.send(Heard::Progress(progress)));
    }

    /// From now on units under way are remembered, so that what fails can be looked at.
    pub(crate) fn remember(&self) {
        self.cases().get_or_insert_default();
    }

    /// The failure of a unit that is under way and whose try ended so at `at_us`.
    pub(crate) fn failure(&self, unit: &UnitId, verdict: &Verdict, at_us: u64) -> Option<Failure> {
        self.cases().as_ref()?.failure(unit, verdict, at_us)
    }

    /// How many lines builds have printed.
    pub(crate) fn lines_built(&self) -> u64 {
        self.lines_built.load(Ordering::Relaxed)
    }

    fn cases(&self) -> MutexGuard<'_, Option<Cases>> {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was reached so far.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }
}

impl std::fmt::Debug for Mouth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mouth").finish_non_exhaustive()
    }
}

/// The thread that hears.
#[must_use]
#[derive(Debug)]
pub struct Ear {
    thread: JoinHandle<Vec<io::Error>>,
}

/// What the sinks could not do.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A sink could not write.
    #[error("failed to write the outputs of the run")]
    Write(#[source] io::Error),
    /// A sink panicked, which is a mistake of ours.
    #[error("the thread that writes the outputs panicked")]
    Panicked,
}

impl Ear {
    /// Waits for the last event; every [`Mouth`] has to be gone.
    ///
    /// # Errors
    ///
    /// [`SinkError`] with the first thing that went wrong.
    pub fn finish(self) -> Result<(), SinkError> {
        let errors = self.thread.join().map_err(|_| SinkError::Panicked)?;
        match errors.into_iter().next() {
            Some(error) => Err(SinkError::Write(error)),
            None => Ok(()),
        }
    }
}

/// Starts to hear, on the run's clock.
///
/// The record's times never fall: an event that was seen earlier than the one before it (another
/// unit's observation came through first) takes the time of that one.
///
/// # Errors
///
/// If the system gives no thread.
pub fn open(clock: Clock, sinks: Vec<Box<dyn EventSink>>) -> io::Result<(Mouth, Ear)> {
    let (sender, receiver) = sync_channel(QUEUE_LEN_MAX);
    let builder = std::thread::Builder::new().name("sinks".to_owned());
    let thread = builder.spawn(move || hear(clock, &receiver, sinks))?;
    let (reach, cases, lines_built) = (Arc::default(), Arc::default(), Arc::default());
    Ok((Mouth { sender, clock, reach, cases, lines_built }, Ear { thread }))
}

/// Gives recorded events to sinks, as a live run would.
///
/// # Errors
///
/// What the sinks could not write.
pub fn replay(events: &[Recorded], sinks: &mut [Box<dyn EventSink>]) -> io::Result<()> {
    for recorded in events {
        for sink in &mut *sinks {
            sink.event(recorded);
        }
    }
    sinks.iter_mut().try_for_each(|sink| sink.finish())
}

/// Counts the events of a record again.
pub fn tally(events: &[Recorded]) -> Tally {
    let mut tally = Tally::default();
    for recorded in events {
        tally.count(&recorded.event);
    }
    tally
}

fn hear(
    clock: Clock,
    receiver: &Receiver<Heard>,
    mut sinks: Vec<Box<dyn EventSink>>,
) -> Vec<io::Error> {
    let mut last_us = 0;
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(Heard::Event(mut recorded)) => {
                last_us = recorded.at_us.max(last_us);
                recorded.at_us = last_us;
                for sink in &mut sinks {
                    sink.event(&recorded);
                }
            }
            Ok(Heard::Progress(progress)) => {
                for sink in &mut sinks {
                    sink.progress(&progress);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now_us = clock.now_us();
        for sink in &mut sinks {
            sink.tick(now_us);
        }
    }
    sinks.iter_mut().filter_map(|sink| sink.finish().err()).collect()
}

#[cfg(test)]
mod tests {
    use handfast_scenario::ExitCode;
    use handfast_scenario::event::Summary;

    use super::*;

    struct Memory(Arc<Mutex<Vec<u64>>>);

    impl EventSink for Memory {
        fn event(&mut self, recorded: &Recorded) {
            self.0.lock().unwrap().push(recorded.at_us);
        }
    }

    fn event(at_us: u64) -> Recorded {
        let event = RunEvent::RunEnded {
            summary: Summary::default(),
            exit: ExitCode::Passed,
            duration_us: 0,
        };
        Recorded { at_us, event }
    }

    #[test]
    fn the_times_of_a_record_never_fall() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mouth, ear) = open(Clock::start(), vec![Box::new(Memory(heard.clone()))]).unwrap();
        for at_us in [5, 3, 9] {
            mouth.repeat(event(at_us));
        }
        drop(mouth);
        ear.finish().unwrap();
        assert_eq!(*heard.lock().unwrap(), [5, 5, 9]);
    }

    /// More events than fit on the way all arrive: the way is bounded, not lossy.
    #[test]
    fn no_event_is_lost_when_the_queue_is_full() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mouth, ear) = open(Clock::start(), vec![Box::new(Memory(heard.clone()))]).unwrap();
        for _ in 0..QUEUE_LEN_MAX + 10 {
            mouth.repeat(event(1));
        }
        drop(mouth);
        ear.finish().unwrap();
        assert_eq!(heard.lock().unwrap().len(), QUEUE_LEN_MAX + 10);
    }
}
