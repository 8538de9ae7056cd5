//! Sessions: after the healing both sides of each pair that has one hold the same.

use std::collections::BTreeSet;

use entity_peer::Peer;

use crate::machine::Machine;
use crate::world::Broken;

/// Looks at the end of a run only.
#[derive(Debug)]
pub(super) struct Sessions;

impl Sessions {
    #[expect(clippy::unused_self, reason = "a law like the others")]
    pub(super) fn judge(&self, machines: &[Machine]) -> Result<(), Broken> {
        for (a, first) in machines.iter().enumerate() {
            for (b, second) in machines.iter().enumerate().skip(a + 1) {
                let (Some(one), Some(other)) = (first.peer(), second.peer()) else {
                    return Err("a machine is off at the end".to_owned());
                };
                let (one, other) = (ready(one, second), ready(other, first));
                if one.is_disjoint(&other) && !(one.is_empty() && other.is_empty()) {
                    return Err(format!(
                        "machines {a} and {b} share no session: {one:?} and {other:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The ready sessions of a peer with the one of another machine.
fn ready(peer: &Peer, with: &Machine) -> BTreeSet<String> {
    let sessions = peer.sessions().into_iter();
    sessions
        .filter(|session| {
            session.peer.as_str() == with.config.id.as_str() && session.state == "ready"
        })
        .map(|session| session.id.to_string())
        .collect()
}
