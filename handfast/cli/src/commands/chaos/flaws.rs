//! `handfast chaos --flaws`: are planted flaws found, how fast, and how small do their schedules become?
//!
//! Each flaw is searched in the scenarios that `[selftest.chaos.flaws]` names, with the flawed peer in one role after the other, until
//! a campaign finds something that the same build without the flaw stands: the smallest schedule is played with that, too, and what
//! fails there as well does not count. The budget is for all searches of a flaw together. A flaw that shows without any disturbance is
//! none that had to be found by them, and counts as missed.

use std::sync::Arc;
use std::time::Duration;

use handfast_chaos::Settings;
use handfast_chaos::campaign::End;
use handfast_chaos::repeat::{Rate, Repeat};
use handfast_faults::disturbance::Disturbance;
use handfast_runner::build;
use handfast_runner::chaos::finding::Planted;
use handfast_runner::chaos::{Ended, Lanes, Subject};
use handfast_runner::selftest::{self, Flaw};
use handfast_scenario::flaws::{FlawedBuild, Hunt};
use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::project::PeerProgram;
use handfast_scenario::{ExitCode, Plan, plan};

use super::Desk;
use super::keep::Kept;
use super::shown::Steps;
use crate::console::Stream;
use crate::error::CommandError;

mod table;

use table::{Fate, Row, Table};

/// How often the smallest schedule is played without the flaw.
const CONTROL_TRIES: u32 = 4;

/// No search is begun for less: it would not get beyond playing undisturbed.
const SEARCH_MIN: Duration = Duration::from_secs(1);

/// A peer that can have flaws, and which of them are looked for.
struct Subjects {
    peer: PeerProgram,
    flawed: FlawedBuild,
    flaws: Vec<Flaw>,
}

/// A scenario with the flawed peer in a role.
#[derive(Clone, Copy)]
struct Casting<'a> {
    unit: &'a plan::Unit,
    role: &'a RoleName,
    peer: &'a PeerName,
}

/// Searches for each flaw.
pub(super) fn run(
    desk: &mut Desk<'_>,
    plan: &Plan,
    asked: &[String],
) -> Result<ExitCode, CommandError> {
    let plan = &narrowed(desk, plan, asked);
    if plan.units.is_empty() {
        return Ok(ExitCode::NothingRan);
    }
    let peers: Vec<PeerName> = plan.peers().into_iter().cloned().collect();
    if !desk.build(peers) || !build_flawed(desk, plan) {
        return Ok(ExitCode::Infrastructure);
    }
    let subjects = subjects(desk, plan, asked)?;
    let mut lanes = desk.lanes(desk.loaded.project.clone())?;
    let all = subjects.iter().map(|subject| subject.flaws.len()).sum();
    let min_found = desk.loaded.project.selftest.chaos.min_found;
    let mut table = Table::new(all, desk.options.budget, min_found);
    desk.stream.print(&table.head(desk.session.seed));
    for subject in &subjects {
        let sound = PeerProgram { start: subject.flawed.start.clone(), ..subject.peer.clone() };
        lanes.add_peer(named(&subject.peer.name, "without-flaw"), &sound);
        for flaw in &subject.flaws {
            let start = subject.flawed.start_with(flaw.name.as_str());
            let flawed = PeerProgram { start, ..subject.peer.clone() };
            lanes.add_peer(named(&subject.peer.name, flaw.name.as_str()), &flawed);
            let mut row = Row::new(subject.peer.name.clone(), flaw.clone());
            search(desk, &mut lanes, (plan, table.next()), &mut row)?;
            if desk.interrupt.is_pulled() && !row.is_found() {
                break;
            }
            desk.stream.print(&row.line(desk.around.out.palette));
            table.add(row);
        }
    }
    desk.close(lanes)?;
    desk.stream.print(&table.closing());
    if desk.is_json {
        Stream::Out.print(&table.json(desk.session.seed));
    }
    Ok(match (desk.interrupt.is_pulled(), table.is_good()) {
        (true, _) => ExitCode::Infrastructure,
        (false, true) => ExitCode::Passed,
        (false, false) => ExitCode::ProductFailure,
    })
}

/// One flaw, until a campaign finds it or its budget is over.
fn search(
    desk: &Desk<'_>,
    lanes: &mut Lanes,
    (plan, number): (&Plan, String),
    row: &mut Row,
) -> Result<(), CommandError> {
    let (peer, flaw) = (row.peer.clone(), row.flaw.clone());
    let castings = castings(desk, plan, &peer, &flaw);
    if castings.is_empty() {
        row.fate = Fate::Missed("no scenario that was chosen fits".to_owned());
    }
    let flawed = named(&peer, flaw.name.as_str());
    // What fails without the flaw, too, ends a campaign; what is left of the budget goes on from another seed.
    for round in 0.. {
        let spoilt = row.spoilt.len();
        let mut left = u32::try_from(castings.len()).unwrap_or(u32::MAX);
        for (unit, role) in &castings {
            // What one of them leaves the others have.
            let share = desk.options.budget.saturating_sub(row.searched) / left.max(1);
            left -= 1;
            if desk.interrupt.is_pulled() || share < SEARCH_MIN {
                return Ok(());
            }
            let casting = Casting { unit, role, peer: &peer };
            let subject = desk.subject(recast(casting, &flawed));
            let steps = Steps::new(desk.around.error.moving, desk.mouth.clone());
            let steps = steps.of(&format!("{number} {}, {}", flaw.name, subject.unit.id));
            let settings = desk.options.settings(desk.session.seed.wrapping_add(round));
            let settings = Settings { search_for: share, ..settings };
            let (ended, steady) = desk.campaign(lanes, &subject, settings, steps);
            row.tried(&ended, steady);
            judge(desk, lanes, (casting, &subject, &ended), row)?;
            if !matches!(row.fate, Fate::Missed(_)) {
                return Ok(());
            }
        }
        if row.spoilt.len() == spoilt {
            break;
        }
    }
    Ok(())
}

/// What a campaign says of the flaw.
fn judge(
    desk: &Desk<'_>,
    lanes: &mut Lanes,
    (casting, subject, ended): (Casting<'_>, &Subject, &Ended),
    row: &mut Row,
) -> Result<(), CommandError> {
    let scenario = casting.unit.scenario.id.to_string();
    match &ended.report.end {
        End::Found { shrunk, confirmed, .. } => {
            // What fails seldom cannot be told from what the build without the flaw does seldom.
            let is_rare = confirmed.tries > 0 && confirmed.failures * 2 < confirmed.tries;
            let control = control(desk, lanes, casting, &shrunk.failure.schedule.steps);
            if is_rare || control.failures > 0 || control.tries == 0 {
                let reason = shrunk.failure.reason.lines().next().unwrap_or_default();
                let times = format!("{} of {}", control.failures, control.tries);
                row.spoilt.push(format!("{scenario}: {reason} ({times} times without the flaw)"));
                return Ok(());
            }
            let flaw = row.flaw.name.to_string();
            let (peer, role) = (casting.peer.clone(), casting.role.clone());
            let planted = Planted { peer, flaw, role: role.clone() };
            let kept = Kept::of(desk, subject, ended, Some(planted))?;
            let id = kept.map(|kept| kept.failure.id).unwrap_or_default();
            let end = ended.report.clone().end;
            row.fate = Fate::Found(Box::new(table::Found { scenario, role, end, id }));
        }
        End::Unsteady { reason } => {
            let control = control(desk, lanes, casting, &[]);
            if control.failures > 0 || control.tries == 0 {
                row.spoilt.push(scenario);
            } else {
                row.fate = Fate::Undisturbed { scenario, reason: reason.clone() };
            }
        }
        End::Unclear { reason } => {
            row.fate = Fate::Missed(format!("{scenario} could not be played: {reason}"));
        }
        End::Nothing { .. } => {}
    }
    Ok(())
}

/// How the same build without the flaw stands these disturbances.
fn control(
    desk: &Desk<'_>,
    lanes: &mut Lanes,
    casting: Casting<'_>,
    steps: &[Disturbance],
) -> Rate {
    let mut unit = recast(casting, &named(casting.peer, "without-flaw"));
    let scenario = Arc::make_mut(&mut unit.scenario);
    scenario.disturbances.extend(steps.iter().cloned());
    let subject: Subject = desk.subject(unit);
    let repeat = Repeat::new("", CONTROL_TRIES);
    let again = desk.runtime.block_on(lanes.again(&subject, repeat, |_, _| {}));
    again.repeat.rate()
}

/// Where a flaw is searched.
fn hunt(desk: &Desk<'_>, flaw: &str) -> Hunt {
    desk.loaded.project.selftest.chaos.flaws.get(flaw).cloned().unwrap_or_default()
}

/// The scenarios that any of the flaws is searched in.
fn narrowed(desk: &Desk<'_>, plan: &Plan, asked: &[String]) -> Plan {
    let known = desk.loaded.project.selftest.chaos.flaws.keys();
    let names: Vec<&String> =
        if asked.is_empty() { known.collect() } else { asked.iter().collect() };
    let hunts: Vec<Hunt> = names.into_iter().map(|name| hunt(desk, name)).collect();
    let mut plan = plan.clone();
    plan.units.retain(|unit| hunts.iter().any(|hunt| hunt.includes(&unit.scenario)));
    plan
}

/// Which scenarios with the flawed peer in which role: the role of the flaw's hint in `[selftest]` first, then the first role of each, then
/// the rest.
fn castings<'a>(
    desk: &Desk<'_>,
    plan: &'a Plan,
    peer: &PeerName,
    flaw: &Flaw,
) -> Vec<(&'a plan::Unit, RoleName)> {
    let hint = desk.loaded.project.selftest.hints.get(flaw.name.as_str());
    let hunt = hunt(desk, flaw.name.as_str());
    let mut castings = Vec::new();
    for unit in plan.units.iter().filter(|unit| hunt.includes(&unit.scenario)) {
        for (rank, (name, role)) in unit.scenario.roles.iter().enumerate() {
            let is_wanted = hunt.role.as_ref().is_none_or(|wanted| wanted == name);
            // A role that another program is to play cannot have the flaw.
            let is_free = role.peer.as_ref().is_none_or(|kept| kept == peer);
            let is_hinted = hint.and_then(|hint| hint.role.as_ref()) == Some(name);
            if is_wanted && is_free && unit.peers.get(name) == Some(peer) {
                castings.push((!is_hinted, rank, (unit, name.clone())));
            }
        }
    }
    castings.sort_by_key(|(is_other, rank, _)| (*is_other, *rank));
    castings.into_iter().map(|(_, _, casting)| casting).collect()
}

fn recast(casting: Casting<'_>, peer: &PeerName) -> plan::Unit {
    let Casting { unit, role, .. } = casting;
    let mut recast = unit.clone();
    recast.peers.insert(role.clone(), peer.clone());
    recast.id = plan::UnitId::new(format!("{} ({role}={peer})", unit.scenario.id));
    recast
}

/// What a build is called in a plan: too long a name would be another's, then the peer itself plays, and nothing is found.
pub(in crate::commands) fn named(peer: &PeerName, suffix: &str) -> PeerName {
    PeerName::new(format!("{peer}.{suffix}")).unwrap_or_else(|_| peer.clone())
}

/// Whether all of them are there. What failed has been shown.
fn build_flawed(desk: &Desk<'_>, plan: &Plan) -> bool {
    if !desk.is_to_build {
        return true;
    }
    let session = &desk.session;
    for peer in playing(desk, plan) {
        let Some(command) = peer.flaws.as_ref().and_then(|flawed| flawed.build.clone()) else {
            continue;
        };
        let what = format!("peer {} with flaws", peer.name);
        let means = (&session.places, &session.workshop);
        let built = build::command(&command, means, &desk.mouth, &what);
        if desk.runtime.block_on(built).is_err() {
            return false;
        }
    }
    true
}

/// The peers of a plan that can have flaws.
fn playing(desk: &Desk<'_>, plan: &Plan) -> Vec<PeerProgram> {
    let players = plan.peers();
    let peers = desk.loaded.project.peers.iter();
    let able = peers.filter(|peer| peer.flaws.is_some() && players.contains(&peer.name));
    able.cloned().collect()
}

/// Asks the peers of the plan for their flaws, and keeps those that were asked for.
fn subjects(desk: &Desk<'_>, plan: &Plan, asked: &[String]) -> Result<Vec<Subjects>, CommandError> {
    let wanted: Vec<&str> = asked.iter().map(String::as_str).collect();
    let known = &desk.loaded.project.selftest.chaos.flaws;
    let mut subjects = Vec::new();
    for peer in playing(desk, plan) {
        let Some(flawed) = peer.flaws.clone() else { continue };
        let session = &desk.session;
        let list = selftest::read_list(&session.workshop, &session.places, &flawed);
        let mut flaws = desk.runtime.block_on(list).map_err(|why| {
            let help = "its `list` command in handfast.toml prints a line for each flaw";
            CommandError::usage_text(format!("{}: {why}", peer.name), help)
        })?;
        let is_wanted = |flaw: &Flaw| {
            let name = flaw.name.as_str();
            if wanted.is_empty() { known.contains_key(name) } else { wanted.contains(&name) }
        };
        flaws.retain(is_wanted);
        subjects.push(Subjects { peer, flawed, flaws });
    }
    let known = |name: &&&str| {
        let mut flaws = subjects.iter().flat_map(|subject| &subject.flaws);
        flaws.any(|flaw| flaw.name.as_str() == **name)
    };
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let help = "a peer's `list` command in handfast.toml prints the names";
        let error = format!("no peer that plays has a flaw {unknown}");
        return Err(CommandError::usage_text(error, help));
    }
    if subjects.iter().all(|subject| subject.flaws.is_empty()) {
        let help =
            "name one with --flaws NAME, or write it into [selftest.chaos.flaws] of handfast.toml";
        return Err(CommandError::usage_text("there is no flaw to search for", help));
    }
    Ok(subjects)
}
