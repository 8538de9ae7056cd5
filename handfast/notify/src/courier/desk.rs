//! Delivering: a thread a channel, so that one that is stuck holds up nobody else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use handfast_lab::Clock;
use handfast_scenario::notify::NotifySettings;

use super::{CourierError, rest};
use crate::channel::Channel;
use crate::clock::{elapsed, unix_us};
use crate::outbox::queue::{Claim, backoff};
use crate::outbox::{Outbox, OutboxError, folder};
use crate::outcome::Outcome;
use crate::presence::Desk;
use crate::rules::{ChannelRule, Rules};
use crate::wiring;

/// How often a channel's thread looks by itself.
const LOOK: Duration = Duration::from_millis(500);

/// Longest pause of a whole channel that we choose ourselves after attempts in vain.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Longest time that a closing office waits for its clerks.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Tries to note what came of an attempt; after that the letter goes again as unsure.
const SETTLE_MAX: u32 = 5;

/// Pause between two of these tries: what is wrong with the file may pass.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// The threads of the one courier that delivers.
#[derive(Debug)]
pub struct Office {
    bell: Arc<Bell>,
    clerks: Vec<JoinHandle<()>>,
    _desk: Desk,
}

#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
    closed: AtomicBool,
}

impl Bell {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        *rung = rung.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Waits until it rings after `heard`, or a time is over.
    fn wait(&self, heard: &mut u64, longest: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(rung, longest, |rung| *rung == *heard);
        let (rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *heard = *rung;
    }
}

impl Office {
    /// Begins to deliver, if no other courier does.
    ///
    /// # Errors
    ///
    /// [`CourierError`].
    pub fn open(root: &Path, settings: &NotifySettings) -> Result<Option<Self>, CourierError> {
        let Some(desk) = Desk::take(root)? else { return Ok(None) };
        let mut outbox = Outbox::open(&folder(root))?;
        outbox.release_orphans()?;
        // In this order: what was refused for too long is forgotten before it would be tried again.
        outbox.prune(unix_us())?;
        outbox.retry_refused(unix_us())?;
        let bell = Arc::new(Bell::default());
        let rules = Rules::of(settings);
        let mut clerks = Vec::new();
        for (rule, channel) in rules.channels().iter().zip(wiring::open_all(root, settings)) {
            let clerk =
                Clerk { root: root.to_owned(), rule: rule.clone(), channel, bell: bell.clone() };
            let builder = std::thread::Builder::new().name(format!("to {}", rule.name));
            clerks.push(builder.spawn(move || clerk.work())?);
        }
        Ok(Some(Self { bell, clerks, _desk: desk }))
    }

    /// Ends delivering. A clerk whose channel does not answer is left to the end of the process: what it was sending is found
    /// marked by the next courier.
    pub fn close(self) {
        self.bell.closed.store(true, Ordering::Relaxed);
        self.bell.ring();
        let clock = Clock::start();
        while self.clerks.iter().any(|clerk| !clerk.is_finished()) && elapsed(&clock) < CLOSE_MAX {
            rest();
        }
    }

    /// Says that there may be something new.
    pub fn wake(&self) {
        self.bell.ring();
    }
}

/// Delivers to one channel.
struct Clerk {
    root: PathBuf,
    rule: ChannelRule,
    channel: Box<dyn Channel>,
    bell: Arc<Bell>,
}

impl Clerk {
    /// Delivers until the office is closed.
    fn work(self) {
        let mut heard = 0;
        while !self.bell.is_closed() {
            // Whatever is wrong with the file may pass; nothing is lost meanwhile.
            drop(self.deliver(&mut heard));
            self.bell.wait(&mut heard, LOOK);
        }
    }

    fn deliver(&self, heard: &mut u64) -> Result<(), OutboxError> {
        let mut outbox = Outbox::open(&folder(&self.root))?;
        // Whatever is marked is what this clerk could not settle: nobody else sends to its channel.
        outbox.release_orphans_of(&self.rule.name)?;
        let clock = Clock::start();
        let (mut in_vain, mut paused_until) = (0_u64, Duration::ZERO);
        while !self.bell.is_closed() {
            if let Some(left) =
                paused_until.checked_sub(elapsed(&clock)).filter(|left| !left.is_zero())
            {
                self.bell.wait(heard, left);
                continue;
            }
            let now = unix_us();
            match outbox.claim(&self.rule, now)? {
                Claim::Letter { row, letter } => {
                    let outcome = catch_unwind(AssertUnwindSafe(|| self.channel.deliver(&letter)));
                    let outcome = outcome.unwrap_or_else(|_| Outcome::Unsure {
                        why: "the channel's code panicked, which is a mistake of handfast"
                            .to_owned(),
                    });
                    self.settle(&mut outbox, row, &outcome)?;
                    in_vain = if outcome.is_told() { 0 } else { in_vain + 1 };
                    paused_until = elapsed(&clock).saturating_add(pause(&outcome, in_vain));
                }
                Claim::At(moment) => self.bell.wait(heard, until(moment, now).min(LOOK)),
                Claim::Nothing => self.bell.wait(heard, LOOK),
            }
        }
        Ok(())
    }

    fn settle(&self, outbox: &mut Outbox, row: i64, outcome: &Outcome) -> Result<(), OutboxError> {
        let mut tries = 1;
        loop {
            match outbox.settle(row, outcome, unix_us(), dice()) {
                Err(_) if tries < SETTLE_MAX && !self.bell.is_closed() => tries += 1,
                other => return other,
            }
            std::thread::park_timeout(SETTLE_PAUSE);
        }
    }
}

/// How long the whole channel is left alone: as long as it asks for, and a little more with every attempt in vain.
fn pause(outcome: &Outcome, in_vain: u64) -> Duration {
    match outcome {
        Outcome::Told { .. } | Outcome::Never { .. } => Duration::ZERO,
        Outcome::Later { after: Some(after), .. } => *after,
        Outcome::Later { after: None, .. } | Outcome::Unsure { .. } => {
            backoff(in_vain, dice()).min(PAUSE_MAX)
        }
    }
}

fn until(moment_unix_us: i64, now_unix_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(moment_unix_us - now_unix_us).unwrap_or_default().max(1))
}

/// A number for the jitter; without the system's randomness there is none.
fn dice() -> u64 {
    getrandom::u64().unwrap_or_default()
}
