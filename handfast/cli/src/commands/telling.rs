//! `--notify`: what a run finds is told while it runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use handfast_lab::Clock;
use handfast_notify::config;
use handfast_notify::teller::{Means, Teller, chain};
use handfast_notify::watch::Brief;
use handfast_runner::project::FILE;
use handfast_runner::sink::EventSink;
use handfast_scenario::notify::NotifySettings;
use handfast_scenario::{ExitCode, Recorded};

use super::session;
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// What is watched where the command line does not say.
const SUBJECT: &str = "run";

/// Longest name of what is watched, characters.
const SUBJECT_LEN_MAX: usize = 100;

/// Whether and as what a run is told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct NotifyArgs {
    /// Tell the channels of `[notify]` what this run finds, as news of SUBJECT (`run` if none is given)
    #[arg(long, value_name = "SUBJECT", num_args = 0..=1, require_equals = true, default_missing_value = SUBJECT)]
    notify: Option<String>,
}

/// Tells of one run, if that is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling {
    subject: Option<String>,
    shared: Arc<Mutex<Shared>>,
    wait: Wait,
}

/// The wait at the end, until what a run found is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wait(Arc<(AtomicBool, AtomicBool)>);

impl Wait {
    fn begin(&self) {
        self.0.0.store(true, Ordering::Relaxed);
    }

    /// Ends it. `false`: it has not begun, or was ended before.
    pub(crate) fn end(&self) -> bool {
        self.0.0.load(Ordering::Relaxed) && !self.0.1.swap(true, Ordering::Relaxed)
    }

    /// Whether somebody ended it.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.1.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Shared {
    teller: Option<Teller>,
    notes: Vec<String>,
}

impl NotifyArgs {
    /// Tells as news of this subject, if there is one.
    pub(crate) fn of(subject: Option<String>) -> Self {
        Self { notify: subject }
    }

    /// Carries out a command that makes a run. One that ends before its run has begun is told, too.
    pub(crate) fn tell(
        &self,
        around: &Around,
        work: impl FnOnce(&Telling) -> Result<ExitCode, CommandError>,
    ) -> Result<ExitCode, CommandError> {
        let subject = self.notify.as_deref().map(subject).transpose()?;
        let telling = Telling { subject, ..Telling::default() };
        let result = work(&telling);
        if let Err(error) = &result {
            telling.refused(error, around);
        }
        telling.finish();
        for note in &telling.lock().notes {
            Stream::Error.print(&format!("{note}\n"));
        }
        result
    }
}

impl Telling {
    /// Begins to watch the run `run`, if it is to be told.
    pub(crate) fn begin(
        &self,
        around: &Around,
        root: &std::path::Path,
        project: &str,
        settings: Option<&NotifySettings>,
        run: (&str, Clock),
    ) -> Result<(), CommandError> {
        let Some(subject) = &self.subject else { return Ok(()) };
        let Some(settings) = settings else { return Err(nobody()) };
        let (run, clock) = run;
        let brief = Brief {
            project: project.to_owned(),
            subject: subject.clone(),
            run: run.to_owned(),
            command: around.command.clone(),
            link: around.link.clone(),
            record: format!(".handfast/runs/{run}"),
            started_unix_us: clock.started_unix_us(),
        };
        let program = std::env::current_exe()
            .map_err(|error| CommandError::infra(&error, "handfast cannot find its own program"))?;
        let means = Means {
            root: root.to_owned(),
            settings: settings.clone(),
            program: program.into_os_string(),
        };
        match Teller::begin(means, brief) {
            Ok(teller) => self.lock().teller = Some(teller),
            // What cannot be told does not keep anybody from finding it out.
            Err(error) => self.lock().notes.push(format!("nothing is told: {}", chain(&error))),
        }
        Ok(())
    }

    /// The wait at its end.
    pub(crate) fn wait(&self) -> Wait {
        self.wait.clone()
    }

    /// The run is over: who is waited for from now on is only who tells.
    pub(crate) fn run_is_over(&self) {
        if self.subject.is_some() {
            self.wait.begin();
        }
    }

    /// What hears the run, if it is to be told.
    pub(crate) fn sink(&self) -> Option<Box<dyn EventSink>> {
        self.lock().teller.as_ref()?;
        Some(Box::new(TellingSink(self.clone())))
    }

    /// The command ended early: that is told as the end of the run.
    fn refused(&self, error: &CommandError, around: &Around) {
        if self.subject.is_none() {
            return;
        }
        if self.lock().teller.is_none() {
            self.begin_anyhow(around);
        }
        if let Some(teller) = &mut self.lock().teller {
            teller.refuse(error.code, &error.report.to_string());
        }
    }

    /// Begins without a run: with what the project file alone says, as the project as a whole may be wrong.
    fn begin_anyhow(&self, around: &Around) {
        let root = around.folder.ancestors().find(|folder| folder.join(FILE).is_file());
        let Some((root, config)) = root.and_then(|root| Some((root, config::read(root).ok()?)))
        else {
            self.lock().notes.push("nobody is told: handfast.toml cannot be used".to_owned());
            return;
        };
        let clock = Clock::start();
        let begun = session::fresh_id(clock).and_then(|run| {
            let settings = Some(&config.settings);
            self.begin(around, root, &config.project, settings, (&run, clock))
        });
        if let Err(error) = begun {
            self.lock().notes.push(format!("nobody is told: {}", error.report));
        }
    }

    fn finish(&self) {
        let teller = self.lock().teller.take();
        if let Some(teller) = teller {
            let notes = teller.finish(|| self.wait.is_ended());
            self.lock().notes.extend(notes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks the name of what is watched.
pub(super) fn subject(text: &str) -> Result<String, CommandError> {
    let fits = !text.trim().is_empty() && text.chars().count() <= SUBJECT_LEN_MAX;
    if fits && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let error = format!("{text:?} cannot name what is watched");
    let help = format!("use 1 to {SUBJECT_LEN_MAX} characters, such as daily or \"ci main\"");
    Err(CommandError::usage_text(error, help))
}

/// There is no `[notify]`.
pub(super) fn nobody() -> CommandError {
    let help = "add [notify] with at least one [[notify.channels]], or leave the option out";
    CommandError::usage_text("handfast.toml has no [notify]: nobody can be told", help)
}

struct TellingSink(Telling);

impl EventSink for TellingSink {
    fn event(&mut self, recorded: &Recorded) {
        if let Some(teller) = &mut self.0.lock().teller {
            teller.event(recorded);
        }
    }

    fn tick(&mut self, _now_us: u64) {
        if let Some(teller) = &mut self.0.lock().teller {
            teller.tick();
        }
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.0.finish();
        Ok(())
    }
}
