//! What is measured.

use std::time::Duration;

use handfast_faults::{Chance, Conditions, Delay, Loss, Queue, Rate, Shape};

use super::Extent;
use super::traffic::Load;

/// One condition and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What it is about.
    pub group: Group,
    /// The condition in words.
    pub name: String,
    /// The conditions of the one direction that is measured.
    pub conditions: Conditions,
}

/// What a cell is about, and with it what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A constant delay: how far off are packets from it?
    Delay,
    /// A distribution of delays: how far off is each packet from what the dice said, and are the dice those of the distribution?
    Jitter,
    /// Independent losses: is their share in the interval, and are they the packets that the dice said?
    Loss,
    /// Losses in bursts: are their lengths distributed as asked?
    Bursts,
    /// A bottleneck: is it as narrow as asked?
    Rate,
    /// The same twice: are the same packets lost?
    Repetition,
    /// Nothing asked for: how much passes?
    Throughput {
        /// Whether segmentation is left to the other side.
        is_large: bool,
    },
}

impl Group {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Jitter => "jitter",
            Self::Loss => "loss",
            Self::Bursts => "bursts",
            Self::Rate => "rate",
            Self::Repetition => "repetition",
            Self::Throughput { .. } => "throughput",
        }
    }
}

impl Cell {
    /// The traffic without faults before it.
    pub(super) fn calm(extent: Extent) -> Load {
        let packets = match extent {
            Extent::Full => 10_000,
            Extent::Quick => 1_000,
        };
        Load::paced(packets, PACKETS_PER_S, SMALL)
    }

    /// The traffic under its conditions.
    pub(super) fn load(&self, extent: Extent) -> Load {
        let (packets, span) = match extent {
            Extent::Full => (100_000, Duration::from_secs(30)),
            Extent::Quick => (2_000, Duration::from_secs(2)),
        };
        match self.group {
            Group::Delay | Group::Jitter | Group::Loss | Group::Bursts | Group::Repetition => {
                Load::paced(packets, PACKETS_PER_S, SMALL)
            }
            Group::Rate => {
                let bits_per_s = self.conditions.rate.map_or(0, |rate| rate.bits_per_s);
                // A fifth more than passes: the queue is full after half a second, and stays so.
                let per_s = (bits_per_s * 6 / 5 / (u64::from(LARGE) * 8)).max(1);
                let packets = per_s * span.as_secs();
                Load::paced(usize::try_from(packets).unwrap_or(usize::MAX), per_s, LARGE)
            }
            Group::Throughput { .. } => {
                let seconds = span.as_secs().clamp(1, 5);
                Load::paced(usize::try_from(seconds).unwrap_or(1), 1, LARGE)
            }
        }
    }
}

/// Every cell, in the order of the table.
pub fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    cells.extend([1, 2, 5, 10, 20, 50, 100, 200].map(delay));
    cells.extend([
        jitter(10, 5, Shape::Uniform),
        jitter(50, 10, Shape::Uniform),
        jitter(50, 10, Shape::Normal),
        jitter(100, 20, Shape::Pareto),
        jitter(100, 20, Shape::ParetoNormal),
    ]);
    cells.extend([1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 300_000].map(loss));
    cells.extend([(10_000, 4), (20_000, 8), (50_000, 3), (100_000, 10)].map(bursts));
    cells.extend([1, 5, 10, 20, 50, 100, 200].map(rate));
    let again = Cell { group: Group::Repetition, ..loss(20_000) };
    cells.push(Cell { name: "loss 2 %, twice".to_owned(), ..again });
    cells.extend([false, true].map(throughput));
    cells
}

fn delay(ms: u64) -> Cell {
    let delay = Delay::constant(Duration::from_millis(ms));
    let conditions = Conditions { delay, ..Conditions::default() };
    Cell { group: Group::Delay, name: format!("{ms} ms"), conditions }
}

fn jitter(ms: u64, by: u64, shape: Shape) -> Cell {
    let (base, jitter) = (Duration::from_millis(ms), Duration::from_millis(by));
    let delay = Delay { jitter, shape, keeps_order: false, ..Delay::constant(base) };
    let conditions = Conditions { delay, ..Conditions::default() };
    let shape = match shape {
        Shape::Constant => "constant",
        Shape::Uniform => "uniform",
        Shape::Normal => "normal",
        Shape::Pareto => "Pareto",
        Shape::ParetoNormal => "Pareto-normal",
    };
    Cell { group: Group::Jitter, name: format!("{ms} ± {by} ms {shape}"), conditions }
}

fn loss(per_million: u32) -> Cell {
    let loss = Loss::Independent(Chance::per_million(per_million));
    let conditions = Conditions { loss, ..Conditions::default() };
    Cell { group: Group::Loss, name: percent(per_million), conditions }
}

fn bursts((per_million, length): (u32, u32)) -> Cell {
    let share = Chance::per_million(per_million);
    // Each of ours is a chain that exists: a test says so.
    let loss = Loss::bursts(share, f64::from(length)).unwrap_or_default();
    let conditions = Conditions { loss, ..Conditions::default() };
    let name = format!("{} in bursts of {length}", percent(per_million));
    Cell { group: Group::Bursts, name, conditions }
}

fn rate(mbit: u64) -> Cell {
    let rate = Rate { bits_per_s: mbit * 1_000_000, queue: Queue::USUAL };
    let conditions = Conditions { rate: Some(rate), ..Conditions::default() };
    Cell { group: Group::Rate, name: format!("{mbit} Mbit/s"), conditions }
}

fn throughput(is_large: bool) -> Cell {
    let name = if is_large { "TCP, large segments" } else { "TCP, packets of 1,500 bytes" };
    let (group, conditions) = (Group::Throughput { is_large }, Conditions::default());
    Cell { group, name: name.to_owned(), conditions }
}

fn percent(per_million: u32) -> String {
    let percent = f64::from(per_million) / 10_000.0;
    format!("{percent} %")
}

/// The load of all cells that are about single packets.
const PACKETS_PER_S: u64 = 10_000;

/// Lengths of packets with their headers: a small one, and one that nearly fills an Ethernet.
const SMALL: u32 = 128;
const LARGE: u32 = 1_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_a_name_of_its_own_and_conditions_that_can_be() {
        let cells = all();
        let mut names: Vec<_> = cells.iter().map(|cell| (cell.group.name(), &cell.name)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), cells.len());
        for cell in &cells {
            cell.conditions.check().unwrap();
            let is_about_nothing = matches!(cell.group, Group::Throughput { .. });
            assert_eq!(cell.conditions.are_clear(), is_about_nothing, "{}", cell.name);
        }
    }

    #[test]
    fn the_table_reaches_as_far_as_it_says() {
        let names: Vec<String> = all().into_iter().map(|cell| cell.name).collect();
        for name in
            ["1 ms", "200 ms", "0.1 %", "30 %", "2 % in bursts of 8", "1 Mbit/s", "200 Mbit/s"]
        {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
    }

    #[test]
    fn a_bottleneck_is_offered_more_than_passes() {
        let load = rate(10).load(Extent::Quick);
        let offered = load.per_s() * u64::from(load.packet_bytes()) * 8;
        assert!((11_900_000..=12_100_000).contains(&offered), "{offered}");
    }
}
