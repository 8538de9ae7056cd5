//! Sessions: after the healing both sides of each pair that know each other and have one hold the same.

use std::collections::{BTreeMap, BTreeSet};

use entity_peer::Peer;

use crate::machine::Machine;
use crate::world::Broken;

/// Looks at the end of a run only.
#[derive(Debug)]
pub(super) struct Sessions;

impl Sessions {
    #[expect(clippy::unused_self, reason = "a law like the others")]
    pub(super) fn judge(&self, machines: &[Machine], knows: &[Vec<usize>]) -> Result<(), Broken> {
        let peers: Option<Vec<_>> =
            machines.iter().map(|machine| Some(ready(machine.peer()?))).collect();
        let peers = peers.ok_or("a machine is off at the end")?;
        let none = BTreeSet::new();
        for (a, known) in knows.iter().enumerate() {
            for b in known.iter().copied().filter(|b| *b > a) {
                let side = |at: usize, with: usize| {
                    peers[at].get(machines[with].config.id.as_str()).unwrap_or(&none)
                };
                let (one, other) = (side(a, b), side(b, a));
                if one.is_disjoint(other) && !(one.is_empty() && other.is_empty()) {
                    return Err(format!(
                        "machines {a} and {b} share no session: {one:?} and {other:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The ready sessions of a peer, by the one that they are with.
fn ready(peer: &Peer) -> BTreeMap<String, BTreeSet<String>> {
    let mut ready: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for session in peer.sessions().into_iter().filter(|session| session.state == "ready") {
        ready.entry(session.peer.to_string()).or_default().insert(session.id.to_string());
    }
    ready
}
