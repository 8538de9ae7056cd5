//! Who plays: from a plan's unit to the lab's configuration.

use handfast_faults::Link;
use handfast_faults::disturbance::{Limit, What};
use handfast_lab::net::{Ask, Means};
use handfast_lab::{NetworkConfig, RoleConfig, TapConfig, UnitConfig};
use handfast_scenario::name::{MethodName, PeerName, RoleName};
use handfast_scenario::plan;
use handfast_scenario::scenario::Role;
use handfast_scenario::verdict::Verdict;

use crate::unit::Surroundings;
use crate::unit::seed;

/// Why a unit cannot be played by these peers at all: one of them declares, in its answer to `initialize`, not to speak a
/// version that it needs. A peer that was not probed is asked for anything.
pub(super) fn unplayable(around: &Surroundings, unit: &plan::Unit) -> Option<Verdict> {
    let spoken = around.spoken.get()?;
    unit.scenario.roles.iter().find_map(|(name, role)| {
        let versions = spoken.get(unit.peers.get(name)?)?;
        let missing = missing_version(role, versions)?;
        let method = MethodName::new(format!("protocol-{missing}")).ok()?;
        Some(Verdict::Unsupported { role: name.clone(), method })
    })
}

/// The network that a unit gets; none where its scenario asks for none.
///
/// # Errors
/// Why it cannot be had here.
pub(super) async fn network(
    around: &Surroundings,
    unit: &plan::Unit,
) -> Result<Option<NetworkConfig>, Verdict> {
    let scenario = &unit.scenario;
    if !scenario.needs_network() {
        return Ok(None);
    }
    let ask = match around.lab.means(&around.network.ask).await {
        Means::Namespaces | Means::Rootless => around.network.ask.clone(),
        Means::Proxies { why } if around.network.insists => {
            let reason = format!("the scenario's network needs namespaces: {why}");
            return Err(Verdict::Infra { reason });
        }
        Means::Proxies { why } => Ask::Proxies { why },
    };
    let roles: Vec<&str> = scenario.roles.keys().map(RoleName::as_str).collect();
    let pairs = roles.iter().flat_map(|from| roles.iter().map(move |to| (*from, *to)));
    let pairs = pairs.filter(|(from, to)| from != to);
    let base =
        pairs.map(|(from, to)| (Link::new(from, to), scenario.network.toward(from, to))).collect();
    let seed = seed::of_unit(around.seed, &unit.id, &["network"]);
    Ok(Some(NetworkConfig { ask, base, seed, capture: None }))
}

/// The lab's configuration of a unit.
pub(super) fn config(
    around: &Surroundings,
    unit: &plan::Unit,
    network: Option<NetworkConfig>,
) -> UnitConfig {
    let roles = unit.scenario.roles.iter().filter_map(|(name, role)| {
        let peer = unit.peers.get(name)?;
        role_config(around, unit, (name, role), peer)
    });
    let name = unit.id.to_string();
    UnitConfig { name, roles: roles.collect(), tap: TapConfig::default(), network }
}

fn role_config(
    around: &Surroundings,
    unit: &plan::Unit,
    (name, role): (&RoleName, &Role),
    peer: &PeerName,
) -> Option<RoleConfig> {
    let program = around.project.peer(peer)?;
    let mut words = around.places.fill(&program.start).into_iter();
    let mut env = program.env.clone();
    env.extend(role.env.clone());
    let seed = seed::of_unit(around.seed, &unit.id, &[name.as_str()]);
    Some(RoleConfig {
        name: name.to_string(),
        program: words.next()?,
        args: words.chain(role.args.iter().cloned()).collect(),
        env,
        cwd: Some(around.places.root().to_owned()),
        protocol: role.protocol.clone(),
        seed: Some(seed.to_string()),
        ready_within: None,
        limits: limits(unit, name),
    })
}

/// What the disturbances of a unit limit of a role, which the lab prepares before the role starts.
fn limits(unit: &plan::Unit, name: &RoleName) -> Vec<Limit> {
    let what = unit.scenario.disturbances.iter().map(|disturbance| &disturbance.what);
    let of_role = what.filter_map(|what| {
        if let What::Limit { role, what } = what { Some((role, *what)) } else { None }
    });
    of_role.filter(|(role, _)| *role == name.as_str()).map(|(_, limit)| limit).collect()
}

fn missing_version<'a>(role: &'a Role, versions: &[String]) -> Option<&'a str> {
    let needed: &[&'a str] = match role.protocol.as_deref() {
        None => &[],
        Some("both") => &["1.0", "1.1"],
        Some(one) => &[one],
    };
    let speaks =
        |version: &str| versions.is_empty() || versions.iter().any(|known| known == version);
    needed.iter().copied().find(|version| !speaks(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(protocol: Option<&str>, versions: &[&str], expected: Option<&str>) {
        let role = Role { protocol: protocol.map(str::to_owned), ..Role::default() };
        let versions: Vec<String> = versions.iter().map(|version| (*version).to_owned()).collect();
        assert_eq!(missing_version(&role, &versions), expected);
    }

    #[test]
    fn a_peer_plays_what_it_speaks() {
        check(Some("1.0"), &["1.0"], None);
        check(Some("1.1"), &["1.0"], Some("1.1"));
        check(Some("both"), &["1.0"], Some("1.1"));
        check(Some("both"), &["1.0", "1.1"], None);
    }

    #[test]
    fn a_peer_without_declared_versions_plays_anything() {
        check(Some("1.1"), &[], None);
        check(None, &["1.0"], None);
    }
}
