//! Who plays what, and in which order it is tried.

use std::time::Duration;

use handfast_scenario::flaws::Hint;
use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::plan::{self, Plan};

/// Longest time of one attempt: a flawed peer may hang for as long as it is let.
pub(super) const BUDGET_MAX: Duration = Duration::from_mins(2);

/// A scenario and the role in it that the flawed peer takes.
#[derive(Debug, Clone)]
pub(super) struct Casting {
    pub(super) unit: plan::Unit,
    pub(super) role: RoleName,
}

/// Every role of every unit that a peer can take: what no scenario keeps for another peer. First all scenarios with the peer in
/// the first role, then in the second, and so on: most flaws show in one of the first two.
pub(super) fn castings(plan: &Plan, peer: &PeerName) -> Vec<Casting> {
    let mut castings = Vec::new();
    for unit in &plan.units {
        let roles = unit.scenario.roles.iter().enumerate();
        let free =
            roles.filter(|(_, (_, role))| role.peer.as_ref().is_none_or(|kept| kept == peer));
        castings.extend(
            free.map(|(rank, (role, _))| {
                (rank, Casting { unit: unit.clone(), role: role.clone() })
            }),
        );
    }
    castings.sort_by_key(|(rank, _)| *rank);
    castings.into_iter().map(|(_, casting)| casting).collect()
}

/// The same, with what a hint means in front.
pub(super) fn in_order(castings: &[Casting], hint: Option<&Hint>) -> Vec<Casting> {
    let (first, rest) = parted(castings, hint);
    first.into_iter().chain(rest).collect()
}

/// As [`in_order`], but what the hint means is tried twice before all the others: that a fault hits the moment in which a flaw shows is
/// likely, not certain.
pub(super) fn with_second_chance(castings: &[Casting], hint: Option<&Hint>) -> Vec<Casting> {
    let (first, _) = parted(castings, hint);
    first.into_iter().chain(in_order(castings, hint)).collect()
}

/// What a hint means, and the others.
fn parted(castings: &[Casting], hint: Option<&Hint>) -> (Vec<Casting>, Vec<Casting>) {
    let is_meant = |casting: &Casting| {
        hint.is_some_and(|hint| {
            hint.role.as_ref().is_none_or(|role| *role == casting.role)
                && hint.scenario.matches(&casting.unit.scenario)
        })
    };
    castings.iter().cloned().partition(is_meant)
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
