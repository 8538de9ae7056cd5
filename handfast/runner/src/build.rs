//! Builds the peers of a plan before the first of them plays.

use std::collections::{BTreeMap, VecDeque};

use handfast_lab::{Clock, Exit};
use handfast_scenario::Project;
use handfast_scenario::name::PeerName;
use handfast_scenario::project::Command;

use crate::command::{Outputs, Program, Workshop};
use crate::place::Places;
use crate::sink::{Mouth, Progress};
use crate::unit::chain;

/// Lines of a failed build that are shown: enough for the first error of a compiler.
pub const LAST_LINES_MAX: usize = 40;

/// Builds each of these peers once, one after the other (compilers use all cores already).
///
/// Returns why peers could not be built; those that could are not in it.
pub async fn peers(
    project: &Project,
    places: &Places,
    workshop: &Workshop,
    mouth: &Mouth,
    names: impl IntoIterator<Item = PeerName>,
) -> BTreeMap<PeerName, String> {
    let mut failures = BTreeMap::new();
    for name in names {
        let Some(build) = project.peer(&name).and_then(|peer| peer.build.as_ref()) else {
            continue;
        };
        let program = Program {
            words: places.fill(build),
            folder: places.root().to_owned(),
            env: BTreeMap::new(),
        };
        if let Err(reason) = step(workshop, mouth, &format!("peer {name}"), &program).await {
            failures.insert(name, reason);
        }
    }
    failures
}

/// Builds something that is no peer of the project by itself.
///
/// # Errors
///
/// Why it was not built, in one line, which has been told as progress, too.
pub async fn command(
    command: &Command,
    (places, workshop): (&Places, &Workshop),
    mouth: &Mouth,
    what: &str,
) -> Result<(), String> {
    let program = Program {
        words: places.fill(command),
        folder: places.root().to_owned(),
        env: BTreeMap::new(),
    };
    step(workshop, mouth, what, &program).await
}

/// Runs one command that builds something, with progress; its failure in one line.
pub(crate) async fn step(
    workshop: &Workshop,
    mouth: &Mouth,
    what: &str,
    program: &Program,
) -> Result<(), String> {
    let clock: Clock = mouth.clock();
    let began_us = clock.now_us();
    mouth.progress(Progress::Building { what: what.to_owned(), command: program.text() });
    let mut last_lines = VecDeque::new();
    let exit = workshop.run(program, Outputs::Merged, |_, line| {
        if last_lines.len() == LAST_LINES_MAX {
            last_lines.pop_front();
        }
        last_lines.push_back(line.clone());
        mouth.progress(Progress::BuildLine { what: what.to_owned(), line });
    });
    let reason = match exit.await {
        Ok(Exit::Code(0)) => {
            let duration_us = clock.now_us().saturating_sub(began_us);
            mouth.progress(Progress::Built { what: what.to_owned(), duration_us });
            return Ok(());
        }
        Ok(exit) => format!("{what} did not build: `{}` ended with {exit}", program.text()),
        Err(error) => format!("{what} did not build: {}", chain(&error)),
    };
    mouth.progress(Progress::BuildFailed {
        what: what.to_owned(),
        reason: reason.clone(),
        last_lines: last_lines.into(),
    });
    Err(reason)
}
