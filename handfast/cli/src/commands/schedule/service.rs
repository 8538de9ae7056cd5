//! `handfast schedule run`

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use handfast_runner::project::Loaded;
use handfast_scenario::ExitCode;
use handfast_schedule::mark::{self, ProcessEnd};
use handfast_schedule::{Begin, Machine, Outcome, Output, State};
use rustix::process::{Signal, kill_process};

use super::ears::{Ears, Heard, Watched};
use super::store::{Folder, Held};
use super::{child, load_with_jobs, now};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Carry the jobs out until Ctrl-C or SIGTERM
///
/// SIGTERM and Ctrl-C end the run that is going on in order, and it is begun once more at the next start; once more ends it at once.
/// SIGHUP reads handfast.toml again. A second scheduler of the same project ends with exit code 2.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Carry out what is due now, and end; exit code 1 if a run did not pass
    #[arg(long)]
    once: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast schedule run                 in the foreground, a line for each thing that happens
  handfast schedule run --once          from a timer of your own
  kill -HUP PID                         read handfast.toml again";

/// Commands that tell what they find, where the project says whom.
const TELLING: [&str; 3] = ["run", "matrix", "merge"];

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load_with_jobs(around)?;
    let held = Held::take(Folder::of(&loaded.root))?;
    let state = match held.folder().state()? {
        Some(state) => state,
        None => State::new(seed()?),
    };
    // Asked once: a program that is replaced while this runs is no longer found by asking, but by its path.
    let program = std::env::current_exe()
        .map_err(|error| CommandError::infra(&error, "handfast cannot find its own program"))?;
    let mark = held.folder().mark();
    let machine = Machine::new(loaded.project.schedule.clone(), state, mark.as_ref(), now());
    let service = Service {
        around,
        loaded,
        held,
        machine,
        program,
        child: None,
        stop: Stop::No,
        is_all_passed: true,
    };
    service.live(args.once)
}

struct Service<'a> {
    around: &'a Around,
    loaded: Loaded,
    held: Held,
    machine: Machine,
    program: PathBuf,
    child: Option<Watched>,
    stop: Stop,
    is_all_passed: bool,
}

/// How far the service has been asked to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    InOrder,
    AtOnce,
}

impl Service<'_> {
    fn live(mut self, once: bool) -> Result<ExitCode, CommandError> {
        let unable = |error| CommandError::infra(&error, "the schedule cannot wait");
        let mut ears = Ears::open().map_err(unable)?;
        let count = self.machine.jobs().len();
        self.log(&format!("{count} jobs of {}", self.loaded.root.display()));
        // Said once, here: nobody watches the runs that would say it later.
        if let Some(settings) = &self.loaded.project.notify {
            for closed in handfast_notify::wiring::closed(&self.loaded.root, settings) {
                self.log(&format!("nobody will be told there: {closed}"));
            }
        }
        loop {
            self.carry_out()?;
            if self.is_over(once) {
                break;
            }
            let heard = ears.wait(self.machine.next_deadline(), self.child.as_ref());
            match heard.map_err(unable)? {
                Heard::Time => self.machine.handle_deadline(now()),
                Heard::Ended => self.ended().map_err(unable)?,
                Heard::Stop => self.stop(),
                Heard::Reload => self.reload(),
            }
        }
        self.log("ends");
        let passed = !once || self.is_all_passed;
        Ok(if passed { ExitCode::Passed } else { ExitCode::ProductFailure })
    }

    fn is_over(&self, once: bool) -> bool {
        self.child.is_none() && (self.stop != Stop::No || once && self.machine.is_idle())
    }

    /// Does what the machine wants, in its order: what it keeps is durable before anything begins.
    fn carry_out(&mut self) -> Result<(), CommandError> {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Keep(state) => self.held.keep(&state)?,
                Output::Tell(note) => self.log(&note.to_string()),
                Output::Begin(begin) => self.begin(&begin),
            }
        }
        Ok(())
    }

    fn begin(&mut self, begin: &Begin) {
        let words = self.words(begin);
        let again = if begin.attempt > 1 { ", once more" } else { "" };
        let (job, due) = (&begin.job, begin.due);
        self.log(&format!("{job}: begins{again}, due {due}: handfast {}", words.join(" ")));
        match child::start(&self.program, &self.loaded.root, &words, begin).and_then(Watched::new) {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                self.log(&format!("{job}: {error}"));
                self.is_all_passed = false;
                self.machine.handle_ended(Outcome::NotStarted, now());
            }
        }
    }

    /// The command of a job, which tells what it finds under the job's name where the project says whom.
    fn words(&self, begin: &Begin) -> Vec<String> {
        let mut words = begin.command.clone();
        let tells = words.first().is_some_and(|word| TELLING.contains(&word.as_str()));
        let says = words.iter().any(|word| word.starts_with("--notify"));
        if tells && !says && self.loaded.project.notify.is_some() {
            words.insert(1, format!("--notify={}", begin.job));
        }
        words
    }

    fn ended(&mut self) -> std::io::Result<()> {
        let Some(mut watched) = self.child.take() else { return Ok(()) };
        let status = watched.child.wait()?;
        let Some(running) = self.machine.state().running() else { return Ok(()) };
        let is_stopping = self.stop != Stop::No;
        let end = process_end(status);
        let outcome = mark::outcome(self.held.folder().mark().as_ref(), running, end, is_stopping);
        self.is_all_passed &= outcome == Outcome::Exited(0);
        self.machine.handle_ended(outcome, now());
        Ok(())
    }

    fn stop(&mut self) {
        self.stop = match self.stop {
            Stop::No => Stop::InOrder,
            Stop::InOrder | Stop::AtOnce => Stop::AtOnce,
        };
        self.machine.handle_stop(now());
        let Some(pid) = self.child.as_ref().map(|watched| watched.pid) else { return };
        let signal = match self.stop {
            Stop::AtOnce => Signal::KILL,
            Stop::No | Stop::InOrder => {
                self.log("ending the run in order; once more ends it at once");
                Signal::TERM
            }
        };
        // One that is gone already is heard of in the next round.
        kill_process(pid, signal).unwrap_or_default();
    }

    /// Reads the project again; one that is wrong changes nothing.
    fn reload(&mut self) {
        match load_with_jobs(self.around) {
            Ok(loaded) if loaded.root == self.loaded.root => {
                self.loaded = loaded;
                self.log("read handfast.toml again");
                self.machine.handle_jobs(self.loaded.project.schedule.clone(), now());
            }
            Ok(_) => self.log("handfast.toml is gone; going on with what it said"),
            Err(error) => {
                self.log("handfast.toml is wrong; going on with what it said before");
                crate::console::failed(&error, self.around);
            }
        }
    }

    fn log(&self, line: &str) {
        if self.around.is_journal {
            Stream::Out.print(&format!("{line}\n"));
        } else {
            Stream::Out.print(&format!("{} {line}\n", now().strftime("%FT%TZ")));
        }
    }
}

fn process_end(status: ExitStatus) -> ProcessEnd {
    let small = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => ProcessEnd::Exited(small(code)),
        (None, signal) => ProcessEnd::Signalled(signal.map_or(0, small)),
    }
}

fn seed() -> Result<u64, CommandError> {
    getrandom::u64()
        .map_err(|error| CommandError::infra(&error, "the system gives no random number"))
}
