//! What of a scenario can be played in virtual time, and by whom.

use std::collections::BTreeSet;

use entity_peer::Config;
use entity_peer::config::{Frames, Heartbeat, LegacyTransfers, Protocols};
use handfast_faults::disturbance::What;
use handfast_scenario::event::Half;
use handfast_scenario::name::RoleName;
use handfast_scenario::scenario::Role;
use handfast_scenario::step::{Repeat, Step, StepKind, Wire, WireAction};
use handfast_scenario::{Scenario, duration};

/// The methods that need more than a peer in memory: files, keys, tokens of access, requests by hand, other networks.
const BEYOND: [&str; 12] = [
    "dht.",
    "file.",
    "jwt.",
    "key.",
    "moltbook.",
    "queue.list",
    "route.list",
    "wire.",
    "peer.remove",
    "token.statement",
    "token.history",
    "token.certificate",
];

/// What of a scenario cannot be played in virtual time, a sentence each; nothing where all of it can.
pub(super) fn unplayable(scenario: &Scenario) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (name, role) in &scenario.roles {
        if let Some(peer) = role.peer.as_ref().filter(|peer| peer.as_str() != "entity") {
            let line = role.span.line;
            found.insert((
                line,
                format!("role {name} is played by {peer}, and only entity peers are simulated"),
            ));
        }
        if let Err(problem) = config(name, role) {
            found.insert((role.span.line, problem));
        }
        if role.address.is_some() || !role.args.is_empty() {
            let problem = format!("role {name} has an address or arguments of its own");
            found.insert((role.span.line, problem));
        }
    }
    for step in &scenario.steps {
        in_step(step, &mut found);
    }
    for (disturbance, span) in scenario.disturbances.iter().zip(&scenario.disturbed_at) {
        if let What::Limit { role, what } = &disturbance.what {
            found.insert((span.line, format!("the limit of {role} ({what}) is not simulated")));
        }
    }
    for method in scenario.requires.iter().filter(|method| is_beyond(method.as_str())) {
        found.insert((0, format!("it requires {method}, which is not simulated")));
    }
    let sentence = |(line, problem): (usize, String)| match line {
        0 => problem,
        _ => format!("line {line}: {problem}"),
    };
    found.into_iter().map(sentence).collect()
}

fn in_step(step: &Step, found: &mut BTreeSet<(usize, String)>) {
    let mut not_simulated = |what: String| {
        found.insert((step.span.line, format!("{what} is not simulated")));
    };
    match &step.kind {
        StepKind::Call(call) if is_beyond(call.method.as_str()) => {
            not_simulated(call.method.to_string());
        }
        StepKind::Call(call)
            if call.method.as_str() == "transfer.send"
                && call.params.raw().get("path").is_some() =>
        {
            not_simulated("transfer.send of a file".to_owned());
        }
        StepKind::Expect(expect) if is_beyond(expect.method.as_str()) => {
            not_simulated(expect.method.to_string());
        }
        StepKind::Wire(Wire::Replay(_)) => {
            not_simulated("sending a recorded message again".to_owned());
        }
        StepKind::Wire(Wire::Rule(rule)) => match (&rule.action, rule.half) {
            (WireAction::Duplicate, _) => not_simulated("a second copy of a message".to_owned()),
            (WireAction::Hold, Half::Response) => not_simulated("holding an answer".to_owned()),
            (
                WireAction::Hold
                | WireAction::Drop
                | WireAction::Cut
                | WireAction::Truncate { .. }
                | WireAction::ReplaceField { .. }
                | WireAction::ReplaceByte { .. }
                | WireAction::Respond { .. },
                Half::Request | Half::Response,
            ) => {}
        },
        StepKind::Measure(_) => not_simulated("measuring processes".to_owned()),
        StepKind::Check(oracles) => {
            for oracle in oracles {
                let params = oracle.params.raw();
                if params["logs"] == true || params["stores"] == true {
                    not_simulated(format!("searching logs and stores for {}", oracle.name));
                }
            }
        }
        StepKind::Parallel(steps) | StepKind::Repeat(Repeat { steps, .. }) => {
            for step in steps {
                in_step(step, found);
            }
        }
        StepKind::Call(_)
        | StepKind::Expect(_)
        | StepKind::AwaitEvent(_)
        | StepKind::Never(_)
        | StepKind::Fault(_)
        | StepKind::Wire(Wire::Release { .. } | Wire::Clear { .. })
        | StepKind::Stop(_)
        | StepKind::Kill(_)
        | StepKind::Start(_)
        | StepKind::Calm(_) => {}
    }
}

fn is_beyond(method: &str) -> bool {
    BEYOND
        .iter()
        .any(|beyond| method == *beyond || beyond.ends_with('.') && method.starts_with(beyond))
}

/// The configuration of a role's peer.
///
/// # Errors
///
/// What of it is not simulated.
pub(super) fn config(name: &RoleName, role: &Role) -> Result<Config, String> {
    let id = name.as_str().parse().map_err(|_| format!("{name} is no id of a peer"))?;
    let mut config = Config::new(id);
    config.protocols = match role.protocol.as_deref() {
        None | Some("both") => Protocols::Both,
        Some("1.0") => Protocols::OnlyV1_0,
        Some("1.1") => Protocols::OnlyV1_1,
        Some(other) => return Err(format!("role {name} speaks {other}, which is not simulated")),
    };
    for (key, value) in &role.env {
        let not_simulated = || format!("{key} = {value:?} of role {name} is not simulated");
        match (key.as_str(), value.as_str()) {
            ("ENTITY_FRAMES", "always") => config.frames = Frames::Always,
            ("ENTITY_FRAMES", "never") => config.frames = Frames::Never,
            ("ENTITY_LEGACY_TOKEN_TRANSFER", "true") => {
                config.legacy_transfers = LegacyTransfers::Kept;
            }
            ("ENTITY_WS" | "ENTITY_LEGACY_TOKEN_TRANSFER" | "ENTITY_DHT", "false") => {}
            ("ENTITY_HEARTBEAT", text) => {
                let period = duration::parse(text).map_err(|_| not_simulated())?;
                config.heartbeat = Heartbeat::every(period, config.heartbeat.failures_max);
            }
            _ => return Err(not_simulated()),
        }
    }
    Ok(config)
}
