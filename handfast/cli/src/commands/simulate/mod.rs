//! `handfast simulate`

mod folder;
mod order;
mod shown;

use std::path::{Path, PathBuf};

use handfast_report::palette::Palette;
use handfast_runner::build;
use handfast_runner::command::Workshop;
use handfast_runner::interrupt::{Interrupt, Lever};
use handfast_runner::place::Places;
use handfast_runner::simulate;
use handfast_runner::sink::{self, EventSink, Mouth, Progress};
use handfast_scenario::project::Simulator;
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{ExitCode, Scenario};
use serde_json::Value;

use self::folder::Sum;
use self::order::{Network, Played};
use self::shown::Steps;
use super::interruption;
use super::run::runtime;
use super::selection::load;
use super::session::Session;
use super::telling::Wait;
use crate::around::{Around, Moving};
use crate::console::{ProgressSink, Stream};
use crate::error::CommandError;

/// Run a large network, or a scenario, in virtual time, from one seed
///
/// Builds and starts the simulator that `[simulator]` of handfast.toml names, and shows how far it is and what came of it,
/// beside what theory says. The same seed has the same history in the same build: its hash is printed. Ctrl-C ends it in
/// order and shows what was done until then. Of a folder every scenario is played that virtual time can play. Exit code 1: a law
/// did not hold.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    network: Option<Network>,
    /// Play this scenario file, or those of this folder, on whole peers, with network and disturbances, in place of a network
    #[arg(long, value_name = "FILE|FOLDER")]
    scenario: Option<PathBuf>,
    /// With how many seeds each scenario is played, from that of `--seed` on
    #[arg(long, value_name = "N", default_value = "1", requires = "scenario", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    seeds: u64,
    /// Everything left to chance follows from this number; chosen by chance if not given
    #[arg(long, value_name = "NUMBER", global = true)]
    seed: Option<u64>,
    /// Print the report as JSON on standard output, everything else on standard error
    #[arg(long, global = true)]
    json: bool,
    /// Take the simulator as it is, without building it first
    #[arg(long, global = true)]
    no_build: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast simulate peers                                   500 whole peers that pay each other over lossy links, with churn
  handfast simulate peers --peers 50 --payments 200         fewer of both
  handfast simulate dht                                     10,000 nodes of the table, a fifth of their contacts dead, 20,000 lookups
  handfast simulate dht --nodes 100000 --calm --minutes 5   a hundred thousand, without further deaths
  handfast simulate dht --seed 7 --json                     the same history each time, for a machine
  handfast simulate --scenario scenarios/token/test_e2e_a_pays_b_across_a_crash.toml --seeds 10000
                                                            the same scenario as on processes, ten thousand times
  handfast simulate --scenario scenarios/chaos --seeds 200  every scenario of a folder that can be played, 200 times each
  handfast simulate peers --defect answers-too-soon         does a law see this defect?";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let Some(simulator) = loaded.project.simulator.clone() else {
        let help = "name its program in handfast.toml: [simulator] start = [\"program\"]";
        return Err(CommandError::usage_text("this project has no simulator", help));
    };
    let networks = args.networks()?;
    let session = Session::open(&loaded, around, args.seed)?;
    let sinks: Vec<Box<dyn EventSink>> = vec![Box::new(ProgressSink::new(around.error))];
    let (mouth, ear) = sink::open(session.clock, sinks)
        .map_err(|error| CommandError::infra(&error, "no thread for the outputs"))?;
    if let Some(note) = session.swept_note() {
        mouth.progress(note);
    }
    let (lever, interrupt) = Lever::new();
    let runtime = runtime()?;
    runtime.spawn(interruption::listen(lever, Wait::default()));
    let mut desk = Desk {
        workshop: &session.workshop,
        places: &session.places,
        mouth,
        steps: Steps::new(around.error.moving),
    };
    let ended = runtime.block_on(async {
        if !args.no_build {
            desk.build(&simulator, interrupt.clone()).await?;
        }
        match &networks[..] {
            [network] if !args.is_of_folder() => {
                let order = network.order(session.seed);
                let report = desk.simulate(&simulator, &order, interrupt).await?;
                let again = network.again_with(&report, session.seed);
                Ok(show(&report, &again, args.json, around.out.palette))
            }
            networks => {
                let sum = desk.play_all(&simulator, networks, (session.seed, interrupt)).await?;
                if args.json {
                    Stream::Out.print(&sum.json());
                } else {
                    Stream::Out.print(&sum.closing(around.out.palette));
                }
                Ok(sum.code())
            }
        }
    });
    // The ear listens as long as there is a mouth.
    drop(desk);
    ear.finish()
        .map_err(|error| CommandError::infra(&error, "the outputs could not be written"))?;
    match ended {
        Ok(code) => Ok(code),
        Err(Refused::Shown) => Ok(ExitCode::Infrastructure),
        Err(Refused::Because(reason)) => {
            Stream::Error.print(&format!("{reason}\n"));
            Ok(ExitCode::Infrastructure)
        }
    }
}

impl Args {
    /// What is to be run: a network by its name, or a scenario by its file; of a folder all of its scenarios.
    fn networks(&self) -> Result<Vec<Network>, CommandError> {
        match (&self.network, &self.scenario) {
            (Some(network), None) => Ok(vec![network.clone()]),
            (None, Some(path)) if path.is_dir() => {
                let files = folder::files(path).map_err(|error| {
                    let error = format!("read {}: {error}", path.display());
                    CommandError::usage_text(error, "give the path of a folder of scenario files")
                })?;
                files.iter().map(|file| self.played(file).map(Network::Scenario)).collect()
            }
            (None, Some(path)) => Ok(vec![Network::Scenario(self.played(path)?)]),
            (Some(_), Some(_)) | (None, None) => {
                let help = "`handfast simulate peers`, `handfast simulate dht` or `handfast simulate --scenario FILE`";
                Err(CommandError::usage_text("either a network or a scenario is run", help))
            }
        }
    }

    fn is_of_folder(&self) -> bool {
        self.scenario.as_ref().is_some_and(|path| path.is_dir())
    }

    fn played(&self, path: &Path) -> Result<Played, CommandError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            CommandError::usage_text(
                format!("read {shown}: {error}"),
                "give the path of a scenario file",
            )
        })?;
        let parts = path.components().map(|part| part.as_os_str().to_string_lossy());
        // What comes after the folder of scenarios is the scenario's id, as on processes.
        let parts: Vec<_> = parts.collect();
        let after =
            parts.iter().rposition(|part| part == "scenarios").map_or(parts.len() - 1, |at| at + 1);
        let file = parts[after..].join("/");
        Scenario::parse(&file, &text, &Vocabulary::default())
            .map_err(|problems| CommandError::usage_text(problems, "mend the scenario file"))?;
        Ok(Played { path: shown, file, text, seeds: self.seeds })
    }
}

/// Prints the report; says what the caller is told.
fn show(report: &Value, again: &str, is_json: bool, palette: Palette) -> ExitCode {
    if is_json {
        Stream::Out.print(&shown::json(report, again));
    } else {
        Stream::Out.print(&shown::text(report, again, palette));
    }
    match report["outcome"].as_str() {
        Some("passed") => ExitCode::Passed,
        Some("failed") => ExitCode::ProductFailure,
        Some("refused") => ExitCode::Usage,
        Some(_) | None => ExitCode::Infrastructure,
    }
}

/// Why there is no report.
enum Refused {
    /// It has been shown.
    Shown,
    /// In one line.
    Because(String),
}

/// What a simulator runs with, and where it is shown.
struct Desk<'a> {
    workshop: &'a Workshop,
    places: &'a Places,
    mouth: Mouth,
    steps: Steps,
}

impl Desk<'_> {
    async fn build(&self, simulator: &Simulator, mut interrupt: Interrupt) -> Result<(), Refused> {
        let Some(command) = simulator.build.as_ref() else { return Ok(()) };
        let means = (self.places, self.workshop);
        tokio::select! {
            built = build::command(command, means, &self.mouth, "the simulator") => {
                built.map(drop).map_err(|_| Refused::Shown)
            }
            // The reaper ends what is being built with it.
            () = interrupt.pulled() => {
                Err(Refused::Because("nothing was run: the simulator was not built yet".to_owned()))
            }
        }
    }

    /// One scenario after the other, each with its line as it ends.
    async fn play_all(
        &mut self,
        simulator: &Simulator,
        networks: &[Network],
        (seed, interrupt): (u64, Interrupt),
    ) -> Result<Sum, Refused> {
        let mut sum = Sum::default();
        for network in networks {
            if interrupt.is_pulled() {
                sum.end_early();
                break;
            }
            let report = self.simulate(simulator, &network.order(seed), interrupt.clone()).await?;
            let line = sum.add(network, &report, seed);
            Stream::Error.print(&line);
        }
        Ok(sum)
    }

    async fn simulate(
        &mut self,
        simulator: &Simulator,
        order: &Value,
        interrupt: Interrupt,
    ) -> Result<Value, Refused> {
        let (mouth, steps) = (&self.mouth, &mut self.steps);
        let told = |progress: simulate::Progress| match steps.moving() {
            Moving::Redrawn => mouth.progress(Progress::Passing { line: shown::line(&progress) }),
            Moving::Lasting => {
                if steps.is_worth_a_line(&progress) {
                    Stream::Error.print(&format!("{}\n", shown::line(&progress)));
                }
            }
        };
        let means = (self.workshop, self.places);
        let ran = simulate::run(means, &simulator.start, order, interrupt, told).await;
        ran.map_err(Refused::Because)
    }
}
