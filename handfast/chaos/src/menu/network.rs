//! Changes of a link that a schedule may draw.

use std::time::Duration;

use handfast_faults::conditions::{ConditionsPatch, Loss, Shape};
use handfast_faults::{Chance, Dice};

/// Delays of one direction, in milliseconds: from another town to a satellite.
const DELAYS_MS: [u64; 4] = [20, 80, 200, 600];

/// Losses, in thousandths: from a poor link to one that hardly works.
const LOSSES: [u32; 4] = [20, 100, 300, 700];

/// Lengths of bursts of losses, in packets.
const BURSTS: [f64; 2] = [4.0, 16.0];

/// A longer way, half of the time with jitter.
pub(super) fn delay(dice: &mut Dice) -> ConditionsPatch {
    let base = Duration::from_millis(super::one_of(&DELAYS_MS, dice));
    let patch = ConditionsPatch { delay: Some(base), ..ConditionsPatch::default() };
    if dice.happens(Chance::per_mille(500)) {
        let (jitter, shape) = (Some(base / 4), Some(Shape::Normal));
        return ConditionsPatch { jitter, shape, ..patch };
    }
    patch
}

/// Losses, each by itself or in bursts.
pub(super) fn loss(dice: &mut Dice) -> ConditionsPatch {
    let share = Chance::per_mille(super::one_of(&LOSSES, dice));
    let burst = super::one_of(&BURSTS, dice);
    let single = Loss::Independent(share);
    let loss = if dice.happens(Chance::per_mille(500)) {
        // Every pair of the two tables has a chain.
        Loss::bursts(share, burst).unwrap_or(single)
    } else {
        single
    };
    ConditionsPatch { loss: Some(loss), ..ConditionsPatch::default() }
}

/// What a change is about, in a few words.
pub(super) fn words(change: &ConditionsPatch) -> String {
    let fields = [
        ("delay", change.delay.is_some() || change.jitter.is_some()),
        ("loss", change.loss.is_some()),
        ("duplicate", change.duplicate.is_some()),
        ("corrupt", change.corrupt.is_some()),
        ("reorder", change.reorder.is_some()),
        ("rate", change.rate.is_some()),
        ("mtu", change.mtu.is_some()),
        ("dead flows", change.dead_flows.is_some()),
        ("cut", change.cut.is_some()),
    ];
    let named: Vec<&str> =
        fields.iter().filter_map(|(name, is_set)| is_set.then_some(*name)).collect();
    if named.is_empty() { "network".to_owned() } else { named.join("+") }
}
