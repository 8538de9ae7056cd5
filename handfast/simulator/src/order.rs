//! What is to be run: one line of JSON.

use serde::Deserialize;

/// One run. Together with its build the order decides everything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Order {
    /// Everything left to chance follows from it.
    pub(crate) seed: u64,
    /// What is run.
    #[serde(flatten)]
    pub(crate) network: Network,
}

/// What can be run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "network", rename_all = "kebab-case")]
pub(crate) enum Network {
    /// Whole peers that pay each other.
    Peers(Town),
    /// Bare nodes of the distributed hash table.
    Dht(Dht),
    /// A scenario on whole peers.
    Scenario(Scenario),
}

/// A scenario file, played once a seed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Scenario {
    /// What its file is called; its place in the folder of scenarios is the scenario's id.
    pub(crate) file: String,
    /// What stands in it.
    pub(crate) text: String,
    /// How many seeds, from that of the order on.
    pub(crate) seeds: u64,
}

/// Whole peers that pay each other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Town {
    /// How many.
    pub(crate) peers: usize,
    /// Payments that they are asked for.
    pub(crate) payments: usize,
    /// Over so many virtual seconds.
    pub(crate) span_s: u64,
    /// Of a thousand requests and answers, how many get lost.
    pub(crate) loss_per_mille: u32,
    /// After so many virtual seconds a peer loses its power, on average.
    pub(crate) lifetime_s: Option<u64>,
    /// What is wrong with every machine.
    pub(crate) defect: Option<PeerDefect>,
}

/// What can be wrong with every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PeerDefect {
    /// What rests on a batch leaves before the batch is durable.
    AnswersTooSoon,
    /// A part of the batch is kept that the disk is at when the power fails.
    TearsBatches,
}

/// Bare nodes of the distributed hash table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Dht {
    /// How many are alive.
    pub(crate) nodes: usize,
    /// Lookups, half of them for nodes, half for records.
    pub(crate) lookups: usize,
    /// Records.
    pub(crate) records: usize,
    /// Over so many virtual seconds.
    pub(crate) span_s: u64,
    /// Of a hundred contacts, how many are dead at the beginning.
    pub(crate) dead_percent: usize,
    /// Of a thousand messages, how many get lost.
    pub(crate) loss_per_mille: u32,
    /// How many virtual seconds a node lives on average.
    pub(crate) lifetime_s: Option<u64>,
    /// Whether the network grows through one node.
    pub(crate) grown: bool,
    /// What is wrong with every node.
    pub(crate) defect: Option<DhtDefect>,
}

/// What can be wrong with every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DhtDefect {
    /// A storer says that it has a newer record and keeps the older one.
    StaleWins,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_handfast_writes_are_read() {
        for line in include_str!("../tests/data/orders.jsonl").lines() {
            let order: Order = serde_json::from_str(line).unwrap();
            assert_eq!(order.seed, 7, "{line}");
        }
    }

    #[test]
    fn a_network_that_nobody_knows_is_refused() {
        let error = serde_json::from_str::<Order>(r#"{"seed":1,"network":"chain"}"#).unwrap_err();
        assert!(error.to_string().contains("chain"), "{error}");
        assert!(serde_json::from_str::<Order>("").is_err());
    }
}
