//! The courier: a small process of its own that delivers, and that notices the death of its runner.
//!
//! It is the handfast program once more, under a hidden subcommand, in a session of its own, so that what kills the runner and its
//! process group leaves it alive. It holds the read end of a pipe, the *lifeline*; the runner writes a letter a piece of news.
//! When the lifeline breaks before the runner has said that the run is over, the runner is dead, and that is told like anything else.
//! It ends when the run is over and nothing is due, and at the latest [`AFTER_MAX`] after its runner: the outbox keeps what is left.
//!
//! - `serve`: the process
//! - [`desk`]: a thread a channel that delivers
//! - [`handle`]: the runner's end of the lifeline

pub mod desk;
pub mod handle;

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use handfast_lab::Clock;
use handfast_scenario::notify::NotifySettings;

use crate::clock::{elapsed, unix_us};
use crate::config;
use crate::deaths;
use crate::outbox::write::When;
use crate::outbox::{Outbox, OutboxError, folder};
use crate::presence;
use crate::rules::Rules;
use desk::Office;

/// The hidden subcommand that makes a program a courier.
pub const ARGUMENT: &str = "__courier";

/// On the lifeline: there are new letters.
pub(crate) const NEWS: u8 = b'n';

/// On the lifeline: the run is over.
pub(crate) const OVER: u8 = b'o';

/// Longest time that a courier goes on after its runner.
pub const AFTER_MAX: Duration = Duration::from_mins(10);

/// How often a courier looks for what no lifeline tells it: letters of other runs, the desk of a courier that died.
const LOOK: Duration = Duration::from_millis(200);

/// How long a runner that let go of its lifeline may take until the system has taken its lock away.
const DYING_MAX: Duration = Duration::from_secs(10);

/// Why a courier ended early.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The project file cannot be used.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The outbox cannot be used.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The system gave no lock, thread or descriptor.
    #[error("the system does not let the courier work")]
    System(#[from] io::Error),
}

/// Whether a program was started to be a courier; its `main` then returns the value of [`main`] at once.
pub fn is_courier_invocation(mut args: impl Iterator<Item = OsString>) -> bool {
    args.nth(1).is_some_and(|argument| argument == ARGUMENT)
}

/// Runs a courier until its run is over and nothing is due. Expects the lifeline as standard input, and the project's folder and
/// the run's id as the arguments after [`ARGUMENT`].
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(2);
    let (Some(root), Some(run)) = (words.next(), words.next()) else { return ExitCode::from(2) };
    let (root, run) = (PathBuf::from(root), run.to_string_lossy().into_owned());
    let lifeline = match listen(io::stdin()) {
        Ok(lifeline) => lifeline,
        Err(error) => return failed(&error.into()),
    };
    match serve(&root, &run, &lifeline, AFTER_MAX) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &CourierError) -> ExitCode {
    use std::io::Write as _;
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    // Standard error is the file of last words.
    drop(writeln!(io::stderr(), "{text}"));
    ExitCode::FAILURE
}

/// What comes over the lifeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    News,
    Over,
    Broken,
}

fn listen(mut stream: impl Read + Send + 'static) -> io::Result<Receiver<Heard>> {
    let (sender, receiver): (Sender<Heard>, _) = channel();
    let hear = move || {
        let mut bytes = [0; 64];
        loop {
            let read = match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let heard = if bytes[..read].contains(&OVER) { Heard::Over } else { Heard::News };
            // Nobody listens any more when the courier is about to end.
            let _ = sender.send(heard);
        }
        let _ = sender.send(Heard::Broken);
    };
    std::thread::Builder::new().name("lifeline".to_owned()).spawn(hear)?;
    Ok(receiver)
}

/// Watches one runner and delivers, as the module says.
///
/// # Errors
///
/// [`CourierError`]: what this courier cannot begin without, and what was wrong to its end; the next courier goes on with what is left.
pub(crate) fn serve(
    root: &Path,
    run: &str,
    lifeline: &Receiver<Heard>,
    after_max: Duration,
) -> Result<(), CourierError> {
    let settings = config::read(root)?.settings;
    let rules = Rules::of(&settings);
    let mut outbox = Outbox::open(&folder(root))?;
    let clock = Clock::start();
    let mut office: Option<Office> = None;
    let mut ends_at: Option<Duration> = None;
    let mut end = End::None;
    let mut look_at = Duration::ZERO;
    // What goes wrong here may pass, a full disk for one: it is tried again at each look, to the end.
    let mut trouble: Option<CourierError> = None;
    loop {
        if office.is_none() && elapsed(&clock) >= look_at {
            office = noted(Office::open(root, &settings), &mut trouble).flatten();
        }
        match lifeline.recv_timeout(LOOK) {
            Ok(Heard::News) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Heard::Over) => {
                ends_at = ends_at.or(Some(elapsed(&clock).saturating_add(after_max)));
            }
            Ok(Heard::Broken) | Err(RecvTimeoutError::Disconnected) => {
                if ends_at.is_none() {
                    end = End::Broken { at: elapsed(&clock), noticed_unix_us: unix_us() };
                    ends_at = Some(elapsed(&clock).saturating_add(after_max));
                }
            }
        }
        if let Some(office) = &office {
            office.wake();
        }
        let now = elapsed(&clock);
        let Some(ends_at) = ends_at else { continue };
        if now >= look_at {
            look_at = now + LOOK;
            let looked = end.look((root, run), &mut outbox, &rules, now);
            end = noted(looked, &mut trouble).unwrap_or(end);
        }
        let left = ends_at.saturating_sub(now);
        let before_unix_us = unix_us().saturating_add(micros(left));
        let is_due =
            noted(is_due(&outbox, &settings, before_unix_us).map_err(Into::into), &mut trouble);
        let is_idle = end == End::None && is_due == Some(false);
        if is_idle || left.is_zero() {
            if let Some(office) = office {
                office.close();
            }
            return trouble.filter(|_| !is_idle).map_or(Ok(()), Err);
        }
        rest();
    }
}

/// How the runner came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It lives, said that its run is over, or its death is kept.
    None,
    /// It let go of its lifeline without a word.
    Broken {
        /// When, since the courier began.
        at: Duration,
        /// The same on the clock that people set, microseconds since the Unix epoch.
        noticed_unix_us: i64,
    },
}

impl End {
    /// Looks whether the runner is dead, and keeps its death.
    fn look(
        self,
        (root, run): (&Path, &str),
        outbox: &mut Outbox,
        rules: &Rules,
        now: Duration,
    ) -> Result<Self, CourierError> {
        let Self::Broken { at, noticed_unix_us } = self else { return Ok(self) };
        if presence::is_alive(root, run)? {
            return Ok(if now.saturating_sub(at) >= DYING_MAX { Self::None } else { self });
        }
        deaths::bury(outbox, root, run, rules, When { now_unix_us: unix_us(), noticed_unix_us })?;
        Ok(Self::None)
    }
}

/// What was done; what went wrong is noted for the end.
fn noted<T>(done: Result<T, CourierError>, trouble: &mut Option<CourierError>) -> Option<T> {
    done.map_err(|error| *trouble = Some(error)).ok()
}

/// Delivers what is due before `ends_at` (microseconds since the Unix epoch), here and now; whether everything due is out.
///
/// # Errors
///
/// [`CourierError`]; that a death of an earlier run could not be told is said once the letters are out.
pub fn deliver(root: &Path, settings: &NotifySettings, ends_at: i64) -> Result<bool, CourierError> {
    let clock = Clock::start();
    let within = u64::try_from(ends_at.saturating_sub(unix_us())).unwrap_or_default();
    let within = Duration::from_micros(within);
    let mut outbox = Outbox::open(&folder(root))?;
    let swept = deaths::sweep(&mut outbox, root, &Rules::of(settings), unix_us());
    let mut office: Option<Office> = None;
    loop {
        if office.is_none() {
            office = Office::open(root, settings)?;
        }
        let left = within.saturating_sub(elapsed(&clock));
        let is_out = !is_due(&outbox, settings, unix_us().saturating_add(micros(left)))?;
        if is_out || left.is_zero() {
            if let Some(office) = office {
                office.close();
            }
            swept?;
            return Ok(is_out);
        }
        rest();
    }
}

/// Whether a letter is under way or to be tried before a moment.
fn is_due(
    outbox: &Outbox,
    settings: &NotifySettings,
    before_unix_us: i64,
) -> Result<bool, OutboxError> {
    for channel in &settings.channels {
        if outbox.is_due(&channel.name, before_unix_us)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// A breath between two looks at the outbox, which other processes change without telling.
pub(crate) fn rest() {
    std::thread::park_timeout(Duration::from_millis(20));
}

#[cfg(test)]
mod tests;
