//! Weaker changes of a link.

use handfast_faults::Chance;
use handfast_faults::conditions::{ConditionsPatch, Loss};

/// The change with a field less, with plain losses in place of bursts, with half the delay.
pub(super) fn weaker(change: &ConditionsPatch) -> Vec<ConditionsPatch> {
    let mut weaker = vec![
        ConditionsPatch { jitter: None, shape: None, correlation: None, ..change.clone() },
        ConditionsPatch { duplicate: None, ..change.clone() },
        ConditionsPatch { corrupt: None, renew_checksums: None, ..change.clone() },
        ConditionsPatch { reorder: None, reorder_by: None, ..change.clone() },
        ConditionsPatch { rate: None, ..change.clone() },
        ConditionsPatch { mtu: None, ..change.clone() },
    ];
    if let Some(Loss::GilbertElliott { .. }) = change.loss {
        let share = change.loss.map_or(0.0, |loss| loss.share());
        let plain = Chance::share(share).ok().map(Loss::Independent);
        weaker.push(ConditionsPatch { loss: plain, ..change.clone() });
    }
    if let Some(Loss::Independent(chance)) = change.loss
        && let Ok(half) = Chance::share(chance.as_share() / 2.0)
    {
        weaker.push(ConditionsPatch { loss: Some(Loss::Independent(half)), ..change.clone() });
    }
    if let Some(delay) = change.delay {
        weaker.push(ConditionsPatch { delay: Some(super::round(delay / 2)), ..change.clone() });
    }
    let before = cost(change);
    weaker.retain(|other| cost(other) < before && *other != ConditionsPatch::default());
    weaker.dedup();
    weaker
}

/// How complicated a change is: fields first, then bursts, then how strong it is.
pub(super) fn cost(change: &ConditionsPatch) -> u64 {
    let fields = [
        change.delay.is_some(),
        change.jitter.is_some(),
        change.loss.is_some(),
        change.duplicate.is_some(),
        change.corrupt.is_some(),
        change.reorder.is_some(),
        change.rate.is_some(),
        change.mtu.is_some(),
        change.dead_flows.is_some(),
        change.cut.is_some(),
    ];
    let fields = fields.iter().fold(0, |sum, is_set| sum + u64::from(*is_set));
    let is_chain = matches!(change.loss, Some(Loss::GilbertElliott { .. }));
    let strength = change.loss.map_or(0.0, |loss| loss.share() * 1e6);
    let delay = change.delay.map_or(0, super::millis).min(99_999);
    fields * 100_000_000 + u64::from(is_chain) * 10_000_000 + whole(strength) + delay
}

fn whole(number: f64) -> u64 {
    // From 0 to a million, which every integer holds.
    format!("{number:.0}").parse().unwrap_or(0)
}
