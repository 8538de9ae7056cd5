//! What a network is to be like.

use std::collections::BTreeMap;
use std::path::PathBuf;

use handfast_faults::{Conditions, Link};

/// The network of a unit: who is in it, and what the links between them are like.
#[derive(Clone, Debug, Default)]
pub struct NetPlan {
    /// Who has a place in it, at most [`super::place::PLACES_MAX`].
    pub roles: Vec<String>,
    /// The conditions of each direction from the start; nothing happens on a direction that is not named.
    pub base: BTreeMap<Link, Conditions>,
    /// All chance follows from it.
    pub seed: u64,
    /// Where every packet is recorded, as pcapng; nowhere if none.
    pub capture: Option<PathBuf>,
    /// Whether large segments may pass as one packet on links on which nothing happens: several times as fast.
    pub offload: bool,
}
