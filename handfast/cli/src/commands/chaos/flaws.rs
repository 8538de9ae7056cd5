//! `handfast chaos --flaw`: are planted flaws found, how fast, and how small do their schedules become?
//!
//! Each flaw is searched in the scenarios that were chosen, one after the other, with the flawed peer in one role after the other, until
//! a campaign finds something that the same build without the flaw stands: the smallest schedule is played with that, too, and what
//! fails there as well does not count.

use handfast_chaos::campaign::End;
use handfast_chaos::repeat::Repeat;
use handfast_runner::build;
use handfast_runner::chaos::finding::Planted;
use handfast_runner::chaos::{Ended, Lanes, Subject};
use handfast_runner::selftest::{self, Flaw};
use handfast_scenario::flaws::FlawedBuild;
use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::project::PeerProgram;
use handfast_scenario::{ExitCode, Plan, plan};

use super::keep::Kept;
use super::{Desk, shown};
use crate::console::Stream;
use crate::error::CommandError;

mod table;

use table::{Fate, Row};

/// How often the smallest schedule is played without the flaw.
const CONTROL_TRIES: u32 = 4;

/// A peer that can have flaws, and which of them are looked for.
struct Subjects {
    peer: PeerProgram,
    flawed: FlawedBuild,
    flaws: Vec<Flaw>,
}

/// Searches for each flaw.
pub(super) fn run(
    desk: &mut Desk<'_>,
    plan: &Plan,
    asked: &[String],
) -> Result<ExitCode, CommandError> {
    let peers: Vec<PeerName> = plan.peers().into_iter().cloned().collect();
    if !desk.build(peers) || !build_flawed(desk, plan) {
        return Ok(ExitCode::Infrastructure);
    }
    let subjects = subjects(desk, plan, asked)?;
    let mut lanes = desk.lanes(desk.loaded.project.clone())?;
    let mut rows = Vec::new();
    for subject in &subjects {
        let sound = PeerProgram { start: subject.flawed.start.clone(), ..subject.peer.clone() };
        lanes.add_peer(named(&subject.peer.name, "without-flaw"), &sound);
        for flaw in &subject.flaws {
            if desk.interrupt.is_pulled() {
                break;
            }
            let start = subject.flawed.start_with(flaw.name.as_str());
            let flawed = PeerProgram { start, ..subject.peer.clone() };
            lanes.add_peer(named(&subject.peer.name, flaw.name.as_str()), &flawed);
            let row = search(desk, &mut lanes, plan, (&subject.peer.name, flaw))?;
            desk.stream.print(&row.line(desk.around.out.palette));
            rows.push(row);
        }
    }
    desk.close(lanes)?;
    desk.stream.print(&table::closing(&rows));
    if desk.is_json {
        Stream::Out.print(&table::json(&rows));
    }
    let all_found = rows.iter().all(Row::is_found);
    Ok(match (desk.interrupt.is_pulled(), all_found) {
        (true, _) => ExitCode::Infrastructure,
        (false, true) => ExitCode::Passed,
        (false, false) => ExitCode::ProductFailure,
    })
}

/// One flaw, until a campaign finds it.
fn search(
    desk: &Desk<'_>,
    lanes: &mut Lanes,
    plan: &Plan,
    (peer, flaw): (&PeerName, &Flaw),
) -> Result<Row, CommandError> {
    let mut row = Row::new(peer.clone(), flaw.clone());
    for (unit, role) in castings(desk, plan, peer, flaw) {
        if desk.interrupt.is_pulled() {
            break;
        }
        let flawed = named(peer, flaw.name.as_str());
        let subject = desk.subject(recast(unit, &role, &flawed));
        let ended = desk.campaign(lanes, &subject);
        row.tried(&ended);
        let End::Found { shrunk, confirmed, .. } = &ended.report.end else { continue };
        let scenario = unit.scenario.id.to_string();
        // What fails seldom cannot be told from what the build without the flaw does seldom.
        let is_rare = confirmed.tries > 0 && confirmed.failures * 2 < confirmed.tries;
        if is_rare || !stands(desk, lanes, (unit, &role, peer), &shrunk.failure.schedule.steps) {
            row.spoilt.push(scenario);
            continue;
        }
        let planted =
            Planted { peer: peer.clone(), flaw: flaw.name.to_string(), role: role.clone() };
        let kept = Kept::of(desk, &subject, &ended, Some(planted))?;
        row.fate = Fate::Found(Box::new(found(scenario, role, &ended, kept)));
        break;
    }
    Ok(row)
}

fn found(scenario: String, role: RoleName, ended: &Ended, kept: Option<Kept>) -> table::Found {
    let id = kept.map(|kept| kept.failure.id).unwrap_or_default();
    let value = ended.report.clone();
    table::Found { scenario, role, end: value.end, id }
}

/// Whether the same build without the flaw passes under the schedule.
fn stands(
    desk: &Desk<'_>,
    lanes: &mut Lanes,
    (unit, role, peer): (&plan::Unit, &RoleName, &PeerName),
    steps: &[handfast_faults::disturbance::Disturbance],
) -> bool {
    let mut unit = recast(unit, role, &named(peer, "without-flaw"));
    unit.scenario.disturbances.extend(steps.iter().cloned());
    let subject: Subject = desk.subject(unit);
    let repeat = Repeat::new("", CONTROL_TRIES);
    let again = desk.runtime.block_on(lanes.again(&subject, repeat, |_, _| {}));
    let rate = again.repeat.rate();
    rate.failures == 0 && rate.tries > 0
}

/// Which scenarios with the flawed peer in which role: what a hint of `[selftest]` says first, then the first role of each, then the rest.
fn castings<'a>(
    desk: &Desk<'_>,
    plan: &'a Plan,
    peer: &PeerName,
    flaw: &Flaw,
) -> Vec<(&'a plan::Unit, RoleName)> {
    let hint = desk.loaded.project.selftest.hints.get(flaw.name.as_str());
    let mut castings = Vec::new();
    for unit in &plan.units {
        for (rank, (name, role)) in unit.scenario.roles.iter().enumerate() {
            let is_free = role.peer.as_ref().is_none_or(|kept| kept == peer);
            let is_hinted = hint.and_then(|hint| hint.role.as_ref()) == Some(name);
            if is_free {
                castings.push((!is_hinted, rank, (unit, name.clone())));
            }
        }
    }
    castings.sort_by_key(|(is_other, rank, _)| (*is_other, *rank));
    castings.into_iter().map(|(_, _, casting)| casting).collect()
}

fn recast(unit: &plan::Unit, role: &RoleName, peer: &PeerName) -> plan::Unit {
    let mut unit = unit.clone();
    unit.peers.insert(role.clone(), peer.clone());
    unit.id = plan::UnitId::new(format!("{} ({role}={peer})", unit.scenario.id));
    unit
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
    let wanted: Vec<&str> =
        asked.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
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
            if wanted.is_empty() { is_of_chaos(desk, name) } else { wanted.contains(&name) }
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
        let help = "name one with --flaw NAME; without a name those are searched whose hint leads to scenarios/chaos";
        return Err(CommandError::usage_text("there is no flaw to search for", help));
    }
    Ok(subjects)
}

/// Whether a flaw is one of those that only a disturbance shows: its hint leads to a scenario of `chaos/`.
fn is_of_chaos(desk: &Desk<'_>, flaw: &str) -> bool {
    let Some(hint) = desk.loaded.project.selftest.hints.get(flaw) else { return false };
    let mut scenarios = desk.loaded.scenarios.iter();
    scenarios.any(|one| one.id.path().starts_with("chaos/") && hint.scenario.matches(one))
}
