//! Builds the peers of a plan before the first of them plays.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use handfast_heal::fact::Fact;
use handfast_lab::usage::cpu_below_us;
use handfast_lab::{Clock, Exit};
use handfast_scenario::name::PeerName;
use handfast_scenario::project::Command;
use handfast_scenario::{Project, duration};

use crate::command::{Outputs, Program, Workshop};
use crate::place::Places;
use crate::sink::{Mouth, Progress};
use crate::unit::{chain, micros};

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

/// As [`peers`], but a build that says nothing and uses no processor for longer than `patience` is ended. What was measured of those
/// is the second result, by the peer.
pub(crate) async fn peers_within(
    project: &Project,
    places: &Places,
    workshop: &Workshop,
    mouth: &Mouth,
    (names, patience): (Vec<PeerName>, Duration),
) -> (BTreeMap<PeerName, String>, BTreeMap<PeerName, Fact>) {
    let (mut failures, mut silent) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        let built = peers(project, places, workshop, mouth, [name.clone()]);
        let watched = tokio::select! {
            built = built => Ok(built),
            silent_us = silence(mouth, patience) => Err(silent_us),
        };
        match watched {
            Ok(built) => failures.extend(built),
            Err(silent_us) => {
                let text = duration::display(patience);
                let reason =
                    format!("peer {name} did not build: it has said and done nothing for {text}");
                let limit_us = micros(patience);
                mouth.progress(Progress::BuildFailed {
                    what: format!("peer {name}"),
                    reason: reason.clone(),
                    last_lines: Vec::new(),
                });
                silent.insert(
                    name.clone(),
                    Fact::BuildSilent { peer: name.clone(), silent_us, limit_us },
                );
                failures.insert(name, reason);
            }
        }
    }
    (failures, silent)
}

/// Ends when nothing below this process has used the processor, and no build has said a line, for so long; for how long, microseconds.
async fn silence(mouth: &Mouth, patience: Duration) -> u64 {
    let look = (patience / 4).clamp(Duration::from_millis(20), LOOK_MAX);
    let clock = mouth.clock();
    let (mut seen, mut since_us) = ((0, 0), clock.now_us());
    loop {
        let now = (mouth.lines_built(), cpu_below_us(std::process::id()));
        let now_us = clock.now_us();
        if now != seen {
            (seen, since_us) = (now, now_us);
        }
        let silent_us = now_us.saturating_sub(since_us);
        if silent_us >= micros(patience) {
            return silent_us;
        }
        tokio::time::sleep(look).await;
    }
}

/// How often it is looked at most whether a build still does something.
const LOOK_MAX: Duration = Duration::from_secs(5);

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
