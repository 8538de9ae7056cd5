//! What a simulator is asked for.

use clap::builder::RangedU64ValueParser;
use serde_json::{Value, json};

/// A network and what happens in it.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Network {
    Peers(Town),
    Dht(Dht),
    /// Not a word of the command line: `--scenario` is.
    #[command(skip)]
    Scenario(Played),
}

/// A scenario file, played once a seed
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Played {
    /// As it was given
    pub(super) path: String,
    /// Relative to the folder of scenarios
    pub(super) file: String,
    /// What stands in it
    pub(super) text: String,
    /// How many seeds
    pub(super) seeds: u64,
}

/// Whole peers that pay each other
///
/// The machines are those that a node runs, with real signatures; four of them are the committee of the ledger. Links lose,
/// double and delay requests as well as answers, peers lose their power and come back, some come late. Then everything
/// heals, and it is judged: tokens conserved, every payment once or refused, the books of all members equal and those of a
/// reference, durable messages once and in order, sessions shared by both sides.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Town {
    /// How many, the committee included
    #[arg(long = "peers", value_name = "N", default_value = "500", value_parser = RangedU64ValueParser::<usize>::new().range(6..=1_000))]
    count: usize,
    /// Payments that they are asked for, beside those by which tokens come among them; of one in four the payee is told by
    /// a durable message
    #[arg(long, value_name = "N", default_value = "5000", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    payments: usize,
    /// Over how many virtual minutes
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// Of a thousand requests and answers, how many get lost; as many are doubled, or come late
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(0..=300))]
    loss: u32,
    /// After how many virtual minutes a peer loses its power, on average
    #[arg(long, value_name = "MINUTES", default_value = "10", conflicts_with = "calm", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    lifetime: u64,
    /// No peer loses its power
    #[arg(long)]
    calm: bool,
    /// Plant this into every machine: a law has to see it
    #[arg(long, value_name = "NAME", value_parser = ["answers-too-soon", "tears-batches"])]
    defect: Option<String>,
}

/// Bare nodes of the distributed hash table
///
/// The machines are those that a node runs, signatures are modelled. The network is put in place as it would be after a long
/// time; then part of it dies at once. 99.9 % of the lookups have to find what a reference of the registry says.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Dht {
    /// How many are alive
    #[arg(long, value_name = "N", default_value = "10000", value_parser = RangedU64ValueParser::<usize>::new().range(2..=1_000_000))]
    nodes: usize,
    /// Lookups, half of them for nodes and half for records
    #[arg(long, value_name = "N", default_value = "20000", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000_000))]
    lookups: usize,
    /// Records
    #[arg(long, value_name = "N", default_value = "1000", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    records: usize,
    /// Over how many virtual minutes
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// Of a hundred contacts, how many are dead when it begins
    #[arg(long, value_name = "PERCENT", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(0..=90))]
    dead: usize,
    /// Of a thousand messages, how many get lost
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(0..=300))]
    loss: u32,
    /// How many virtual minutes a node lives on average; then another one joins in its place
    #[arg(long, value_name = "MINUTES", default_value = "120", conflicts_with = "calm", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    lifetime: u64,
    /// After the beginning no node dies
    #[arg(long)]
    calm: bool,
    /// Let the network grow through one node, one after the other, instead of putting it in place; none is dead at the beginning
    #[arg(long, conflicts_with = "dead")]
    grown: bool,
    /// Plant this into every node: the reference has to see it
    #[arg(long, value_name = "NAME", value_parser = ["stale-wins"])]
    defect: Option<String>,
}

impl Network {
    /// The order, as the simulator reads it (docs/design/simulation.md).
    pub(super) fn order(&self, seed: u64) -> Value {
        match self {
            Self::Peers(one) => json!({
                "seed": seed,
                "network": "peers",
                "peers": one.count,
                "payments": one.payments,
                "span_s": one.minutes * 60,
                "loss_per_mille": one.loss,
                "lifetime_s": (!one.calm).then_some(one.lifetime * 60),
                "defect": one.defect,
            }),
            Self::Dht(one) => json!({
                "seed": seed,
                "network": "dht",
                "nodes": one.nodes,
                "lookups": one.lookups,
                "records": one.records,
                "span_s": one.minutes * 60,
                "dead_percent": if one.grown { 0 } else { one.dead },
                "loss_per_mille": one.loss,
                "lifetime_s": (!one.calm).then_some(one.lifetime * 60),
                "grown": one.grown,
                "defect": one.defect,
            }),
            Self::Scenario(one) => json!({
                "seed": seed,
                "network": "scenario",
                "file": one.file,
                "text": one.text,
                "seeds": one.seeds,
            }),
        }
    }

    /// The command line that runs the same once more.
    pub(super) fn again(&self, seed: u64) -> String {
        let mut words = vec!["handfast simulate".to_owned()];
        let calm_or = |is_calm: bool, lifetime: u64| {
            if is_calm { "--calm".to_owned() } else { format!("--lifetime {lifetime}") }
        };
        let defect = match self {
            Self::Peers(one) => {
                words.push(format!(
                    "peers --peers {} --payments {} --minutes {} --loss {} {}",
                    one.count,
                    one.payments,
                    one.minutes,
                    one.loss,
                    calm_or(one.calm, one.lifetime)
                ));
                &one.defect
            }
            Self::Dht(one) => {
                let beginning =
                    if one.grown { "--grown".to_owned() } else { format!("--dead {}", one.dead) };
                words.push(format!(
                    "dht --nodes {} --lookups {} --records {} --minutes {} --loss {} {} {beginning}",
                    one.nodes,
                    one.lookups,
                    one.records,
                    one.minutes,
                    one.loss,
                    calm_or(one.calm, one.lifetime)
                ));
                &one.defect
            }
            Self::Scenario(one) => {
                words.push(format!("--scenario {} --seeds {}", one.path, one.seeds));
                &None
            }
        };
        words.extend(defect.as_ref().map(|defect| format!("--defect {defect}")));
        words.push(format!("--seed {seed}"));
        words.join(" ")
    }
}

impl Network {
    /// The command line that runs what failed once more: of many seeds that one alone.
    pub(super) fn again_with(&self, report: &Value, seed: u64) -> String {
        match (self, report["failed_seed"].as_u64()) {
            (Self::Scenario(one), Some(seed)) => {
                Self::Scenario(Played { seeds: 1, ..one.clone() }).again(seed)
            }
            (Self::Peers(_) | Self::Dht(_) | Self::Scenario(_), _) => self.again(seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        network: Network,
    }

    /// The lines that a test of the simulator reads.
    const ORDERS: &str = include_str!("../../../../simulator/tests/data/orders.jsonl");

    fn parse(words: &str) -> Network {
        let words = ["handfast"].into_iter().chain(words.split_whitespace());
        Line::try_parse_from(words).unwrap().network
    }

    #[test]
    fn an_order_is_what_a_simulator_reads() {
        let lines = [
            "peers",
            "peers --peers 20 --payments 10 --minutes 1 --loss 0 --calm --defect tears-batches",
            "dht",
            "dht --nodes 100 --lookups 10 --records 5 --minutes 1 --loss 0 --calm --grown --defect stale-wins",
        ];
        let played = Played {
            path: "scenarios/x.toml".to_owned(),
            file: "x.toml".to_owned(),
            text: "name = \"x\"".to_owned(),
            seeds: 3,
        };
        let last: Value = serde_json::from_str(ORDERS.lines().last().unwrap()).unwrap();
        assert_eq!(Network::Scenario(played).order(7), last);
        assert_eq!(ORDERS.lines().count(), lines.len() + 1);
        for (line, order) in lines.iter().zip(ORDERS.lines()) {
            let order: Value = serde_json::from_str(order).unwrap();
            let network = parse(line);
            assert_eq!(network.order(7), order, "{line}");
            // What is shown to be run again is the same order.
            let again = network.again(7);
            let again = again.strip_prefix("handfast simulate ").unwrap();
            let again = again.strip_suffix(" --seed 7").unwrap();
            assert_eq!(parse(again).order(7), order, "{again}");
        }
    }
}
