//! What a run does.

use std::time::Duration;

use entity_dht::Config;

/// A run of very many nodes. Together with its seed it decides everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// Nodes that are alive when the run begins.
    pub nodes: usize,
    /// Of a hundred contacts in the tables, how many are dead when the run begins.
    pub dead_percent: usize,
    /// How the network comes about.
    pub beginning: Beginning,
    /// How long a node lives on average once the run has begun; then another one joins in its place.
    pub lifetime: Option<Duration>,
    /// Of a thousand messages, how many get lost.
    pub loss_per_mille: u32,
    /// Records that are published at the beginning.
    pub records: usize,
    /// Lookups, half of them for nodes and half of them for records, spread over `span`.
    pub lookups: usize,
    /// How long the run takes, once the records are published.
    pub span: Duration,
    /// The bounds of every node.
    pub config: Config,
    /// What is wrong on purpose, to show that the reference sees it.
    pub defect: Option<Defect>,
}

/// What can be wrong with every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A storer says that it has a newer record and keeps the older one.
    StaleWins,
}

/// How a network comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Each node has heard of k nodes of each bucket, drawn from all there are: as after a long time.
    Settled,
    /// Each node joins through one that is there already.
    Grown,
}

impl Plan {
    /// A settled network of which a fifth has just died, with churn.
    pub fn settled(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            nodes,
            dead_percent: 20,
            beginning: Beginning::Settled,
            lifetime: Some(Duration::from_hours(2)),
            loss_per_mille: 5,
            records: 1_000,
            lookups: 20_000,
            span: Duration::from_mins(30),
            config: Config { keeps: false, ..Config::default() },
            defect: None,
        }
    }

    /// A network that grows through one node, and in which nothing goes wrong.
    pub fn grown(seed: u64, nodes: usize) -> Self {
        Self {
            dead_percent: 0,
            beginning: Beginning::Grown,
            lifetime: None,
            loss_per_mille: 0,
            ..Self::settled(seed, nodes)
        }
    }
}
