//! `handfast chaos`

pub(super) mod flaws;
mod keep;
pub(super) mod options;
pub(super) mod shown;

use std::path::{Path, PathBuf};
use std::time::Duration;

use handfast_chaos::Settings;
use handfast_chaos::campaign::{End, Phase};
use handfast_runner::build;
use handfast_runner::chaos::finding::Finding;
use handfast_runner::chaos::{Lanes, Means, Progress, Subject};
use handfast_runner::interrupt::{Interrupt, Lever};
use handfast_runner::project::Loaded;
use handfast_runner::sink::{self, EventSink, Mouth};
use handfast_scenario::name::PeerName;
use handfast_scenario::{ExitCode, Plan, Project, plan};

use self::keep::Kept;
use self::options::Options;
use self::shown::Steps;
use super::interruption;
use super::run::runtime;
use super::selection::{SelectionArgs, load};
use super::session::Session;
use super::telling::Wait;
use crate::around::Around;
use crate::console::{ProgressSink, Stream};
use crate::error::CommandError;

/// Look for disturbances that a scenario does not stand, and reduce them to those that matter
///
/// Plays the scenario undisturbed first, then under schedules of disturbances: kills, pauses, clocks that are set, links that are
/// slow, lossy or cut, less of everything. What shows something new of the protocol is changed and tried again. A schedule that makes it
/// fail is played again to see whether it does so every time, and shrunk; the scenario with what is left of it is written to
/// .handfast/chaos/ together with a diagram. Ctrl-C ends it and keeps the best so far. Exit code 1: something was found; with
/// `--flaws`: fewer planted flaws were found than `min_found` of [selftest.chaos] asks for.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    options: Options,
    /// Search in builds with planted flaws, one after the other, and say which were found: these, or all that
    /// [selftest.chaos.flaws] of handfast.toml names; `--budget` is the time for each
    #[arg(long, value_name = "NAME", num_args = 0.., value_delimiter = ',')]
    flaws: Option<Vec<String>>,
    /// Print the outcome as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast chaos chaos/test_e2e_letters --budget 10m     one scenario, for ten minutes
  handfast chaos letters --peer b=python --seed 7        with another peer, from a seed: the same schedules again
  handfast chaos letters --only kill,pause --steps 20    these disturbances alone, twenty at a time
  handfast chaos --flaws                                 are the planted flaws found, and how fast?
  handfast chaos --flaws retries-as-new --json           one of them, for a machine";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let plan = Plan { suites: Vec::new(), ..args.selection.plan(&loaded)? };
    if plan.units.is_empty() {
        return Ok(ExitCode::NothingRan);
    }
    match &args.flaws {
        None => with_desk(&args, around, loaded, |desk| desk.search(&plan)),
        Some(asked) => with_desk(&args, around, loaded, |desk| flaws::run(desk, &plan, asked)),
    }
}

/// What a command of chaos works with.
pub(super) struct Desk<'a> {
    pub(super) around: &'a Around,
    pub(super) loaded: Loaded,
    pub(super) session: Session,
    pub(super) options: &'a Options,
    pub(super) mouth: Mouth,
    pub(super) interrupt: Interrupt,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) stream: Stream,
    pub(super) is_json: bool,
    pub(super) is_to_build: bool,
}

fn with_desk(
    args: &Args,
    around: &Around,
    loaded: Loaded,
    act: impl FnOnce(&mut Desk<'_>) -> Result<ExitCode, CommandError>,
) -> Result<ExitCode, CommandError> {
    let wants = Wants { options: &args.options, is_json: args.json, is_to_build: !args.no_build };
    Desk::with(wants, around, loaded, act)
}

/// What a command of chaos is told.
#[derive(Clone, Copy)]
pub(super) struct Wants<'a> {
    pub(super) options: &'a Options,
    pub(super) is_json: bool,
    pub(super) is_to_build: bool,
}

impl<'a> Desk<'a> {
    /// Opens everything, acts, and closes it again.
    pub(super) fn with(
        wants: Wants<'a>,
        around: &'a Around,
        loaded: Loaded,
        act: impl FnOnce(&mut Desk<'a>) -> Result<ExitCode, CommandError>,
    ) -> Result<ExitCode, CommandError> {
        let session = Session::open(&loaded, around, wants.options.seed)?;
        let sinks: Vec<Box<dyn EventSink>> = vec![Box::new(ProgressSink::new(around.error))];
        let (mouth, ear) = sink::open(session.clock, sinks)
            .map_err(|error| CommandError::infra(&error, "no thread for the outputs"))?;
        if let Some(note) = session.swept_note() {
            mouth.progress(note);
        }
        let (lever, interrupt) = Lever::new();
        let runtime = runtime()?;
        runtime.spawn(interruption::listen(lever, Wait::default()));
        let stream = if wants.is_json { Stream::Error } else { Stream::Out };
        let mut desk = Desk {
            around,
            loaded,
            session,
            options: wants.options,
            mouth,
            interrupt,
            runtime,
            stream,
            is_json: wants.is_json,
            is_to_build: wants.is_to_build,
        };
        let ended = act(&mut desk);
        drop(desk);
        ear.finish()
            .map_err(|error| CommandError::infra(&error, "the outputs could not be written"))?;
        ended
    }

    /// Searches one scenario after the other.
    fn search(&mut self, plan: &Plan) -> Result<ExitCode, CommandError> {
        if !self.build(plan.peers().into_iter().cloned().collect()) {
            return Ok(ExitCode::Infrastructure);
        }
        let mut lanes = self.lanes(self.loaded.project.clone())?;
        let mut code = ExitCode::Passed;
        let mut results = Vec::new();
        for unit in &plan.units {
            if self.interrupt.is_pulled() {
                break;
            }
            let subject = self.subject(unit.clone());
            self.stream.print(&shown::head(&subject, self.options, self.session.seed));
            let settings = self.options.settings(self.session.seed);
            let steps = Steps::new(self.around.error.moving, self.mouth.clone());
            let ended = self.campaign(&mut lanes, &subject, settings, steps).0;
            let kept = Kept::of(&*self, &subject, &ended, None)?;
            self.stream.print(&shown::ended(&ended, kept.as_ref(), self.around.out.palette));
            results.push(shown::json(&subject, &ended, kept.as_ref()));
            code = worse(code, code_of(&ended.report.end));
        }
        if self.is_json {
            Stream::Out.print(&shown::json_text(results));
        }
        self.close(lanes)?;
        Ok(code)
    }

    /// Builds peers; whether all of them are there. What failed has been shown.
    pub(super) fn build(&self, peers: Vec<PeerName>) -> bool {
        if !self.is_to_build {
            return true;
        }
        let (project, session) = (&self.loaded.project, &self.session);
        let built = build::peers(project, &session.places, &session.workshop, &self.mouth, peers);
        self.runtime.block_on(built).is_empty()
    }

    /// As many lanes as are to play at the same time.
    pub(super) fn lanes(&self, project: Project) -> Result<Lanes, CommandError> {
        let labs = (0..self.options.parallel).map(|number| self.session.further_lab(number));
        let means = Means {
            project,
            places: self.session.places.clone(),
            labs: labs.collect::<Result<_, _>>()?,
            clock: self.session.clock,
            interrupt: self.interrupt.clone(),
            seed: self.session.seed,
        };
        Lanes::open(means).map_err(|error| CommandError::infra(&error, "no thread for a lane"))
    }

    /// An id that no other finding of this project has.
    pub(super) fn new_finding(&self) -> String {
        let free = |id: &String| !self.loaded.root.join(self.folder_of(id)).exists();
        let ids = (1..).map(|number| match number {
            1 => self.session.id.clone(),
            number => format!("{}-{number}", self.session.id),
        });
        let mut ids = ids.filter(free);
        ids.next().unwrap_or_default()
    }

    /// Where a finding is kept, below the folder of the project unless it is said otherwise.
    pub(super) fn folder_of(&self, id: &str) -> PathBuf {
        let root = &self.loaded.root;
        let all = self.options.out.clone();
        let all = all.map(|out| self.around.folder.join(out));
        let folder = all.unwrap_or_else(|| Finding::folder_of_all(root)).join(id);
        folder.strip_prefix(root).map(Path::to_path_buf).unwrap_or(folder)
    }

    pub(super) fn subject(&self, unit: plan::Unit) -> Subject {
        let kinds = self.options.kinds(&unit);
        Subject { file: self.loaded.file_of(&unit.scenario), unit, kinds }
    }

    /// One campaign, with its progress; and how long it played undisturbed before it searched.
    fn campaign(
        &self,
        lanes: &mut Lanes,
        subject: &Subject,
        settings: Settings,
        mut steps: Steps,
    ) -> (handfast_runner::chaos::Ended, Duration) {
        let mut steady = None;
        let told = |progress: Progress| {
            if progress.phase != Phase::SteadyBefore {
                steady.get_or_insert(progress.elapsed);
            }
            steps.tell(progress);
        };
        let ended = self.runtime.block_on(lanes.campaign(subject, settings, told));
        (ended, steady.unwrap_or_default())
    }

    pub(super) fn close(&self, lanes: Lanes) -> Result<(), CommandError> {
        let closed = self.runtime.block_on(async { lanes.close() });
        closed.map_err(|error| CommandError::infra(&error, "a lane could not be closed"))
    }
}

fn code_of(end: &End) -> ExitCode {
    match end {
        // What fails without any disturbance is a failure of the product, too.
        End::Found { .. } | End::Unsteady { .. } => ExitCode::ProductFailure,
        End::Unclear { .. } | End::Nothing { is_whole: false } => ExitCode::Infrastructure,
        End::Nothing { is_whole: true } => ExitCode::Passed,
    }
}

/// A failure of the product outweighs one of the machine, and both a pass.
fn worse(one: ExitCode, other: ExitCode) -> ExitCode {
    let outweighs = |code: ExitCode| code == ExitCode::ProductFailure || one == ExitCode::Passed;
    if one != ExitCode::ProductFailure && outweighs(other) { other } else { one }
}
