//! The names of the kinds of faults, as `[exercise] faults` of handfast.toml and warnings say them.

use std::collections::BTreeSet;

use crate::conditions::{Conditions, Cut, Loss};
use crate::disturbance::{Limit, What};

/// Every kind, those of links first.
pub const KINDS: [&str; 22] = [
    "delay",
    "jitter",
    "loss",
    "burst-loss",
    "duplicate",
    "corrupt",
    "reorder",
    "rate",
    "mtu",
    "dead-flows",
    "silent-cut",
    "reset-cut",
    "kill",
    "pause",
    "crash-loop",
    "clock",
    "cpu",
    "memory",
    "processes",
    "descriptors",
    "full-disk",
    "slow-disk",
];

/// The kinds of faults that a link of these conditions has.
pub fn of_conditions(conditions: &Conditions) -> BTreeSet<&'static str> {
    let asked = [
        ("delay", !conditions.delay.base.is_zero()),
        ("jitter", !conditions.delay.jitter.is_zero()),
        ("loss", matches!(conditions.loss, Loss::Independent(_))),
        ("burst-loss", matches!(conditions.loss, Loss::GilbertElliott { .. })),
        ("duplicate", !conditions.duplicate.is_never()),
        ("corrupt", !conditions.corrupt.is_never()),
        ("reorder", !conditions.reorder.chance.is_never()),
        ("rate", conditions.rate.is_some()),
        ("mtu", conditions.mtu.is_some()),
        ("dead-flows", !conditions.dead_flows.is_never()),
        ("silent-cut", conditions.cut == Some(Cut::Silent)),
        ("reset-cut", conditions.cut == Some(Cut::Reset)),
    ];
    asked.into_iter().filter_map(|(kind, is_asked)| is_asked.then_some(kind)).collect()
}

/// The kinds of faults that a disturbance is.
pub fn of_disturbance(what: &What) -> BTreeSet<&'static str> {
    let one = |kind| BTreeSet::from([kind]);
    match what {
        What::Network { change, .. } => of_conditions(&change.over(&Conditions::default())),
        What::Cut { how: Cut::Silent, .. } => one("silent-cut"),
        What::Cut { how: Cut::Reset, .. } => one("reset-cut"),
        What::Kill { .. } => one("kill"),
        What::Pause { .. } => one("pause"),
        What::CrashLoop { .. } => one("crash-loop"),
        What::Clock { .. } => one("clock"),
        What::Limit { what, .. } => one(match what {
            Limit::Cpu { .. } => "cpu",
            Limit::Memory { .. } => "memory",
            Limit::Processes { .. } => "processes",
            Limit::Descriptors { .. } => "descriptors",
            Limit::DiskFull => "full-disk",
            Limit::DiskSlow { .. } => "slow-disk",
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conditions::{ConditionsPatch, Rate, Reorder};
    use crate::dice::Chance;
    use crate::{Delay, Queue, Shape};

    /// Conditions in which everything happens that a link can do without being cut.
    fn stormy(loss: Loss, cut: Option<Cut>) -> Conditions {
        let often = Chance::per_mille(100);
        Conditions {
            delay: Delay {
                jitter: Duration::from_millis(1),
                shape: Shape::Uniform,
                ..Delay::constant(Duration::from_millis(5))
            },
            loss,
            duplicate: often,
            corrupt: often,
            renew_checksums: false,
            reorder: Reorder { chance: often, by: Reorder::BY },
            rate: Some(Rate { bits_per_s: 1_000_000, queue: Queue::USUAL }),
            mtu: Some(1_280),
            dead_flows: often,
            cut,
        }
    }

    #[test]
    fn every_kind_is_of_some_link_or_disturbance_and_each_of_those_is_a_kind() {
        let often = Chance::per_mille(100);
        let bursts = Loss::bursts(often, 4.0).unwrap();
        let role = || "a".to_owned();
        let limits = [
            Limit::Cpu { percent: 10 },
            Limit::Memory { bytes: 1 << 26 },
            Limit::Processes { most: 10 },
            Limit::Descriptors { most: 32 },
            Limit::DiskFull,
            Limit::DiskSlow { bytes_per_s: 1_000 },
        ];
        let others = [
            What::Kill { role: role() },
            What::Pause { role: role() },
            What::CrashLoop { role: role(), times: 2, every: Duration::from_secs(1) },
            What::Clock { role: role(), offset_ms: 5 },
        ];
        let limits = limits.into_iter().map(|what| What::Limit { role: role(), what });
        let mut found: BTreeSet<&str> =
            others.into_iter().chain(limits).flat_map(|what| of_disturbance(&what)).collect();
        found.extend(of_conditions(&stormy(Loss::Independent(often), Some(Cut::Silent))));
        found.extend(of_conditions(&stormy(bursts, Some(Cut::Reset))));
        assert_eq!(found, BTreeSet::from(KINDS));
    }

    #[test]
    fn a_link_on_which_nothing_happens_has_no_fault() {
        assert!(of_conditions(&Conditions::default()).is_empty());
    }

    #[test]
    fn a_disturbance_of_a_link_has_the_kinds_that_it_changes() {
        let (from, to) = ("a".to_owned(), "b".to_owned());
        let change = ConditionsPatch { mtu: Some(1_280), ..ConditionsPatch::default() };
        let what = What::Network { from: from.clone(), to: to.clone(), both: true, change };
        assert_eq!(of_disturbance(&what), BTreeSet::from(["mtu"]));
        let what = What::Cut { from, to, both: false, how: Cut::Reset };
        assert_eq!(of_disturbance(&what), BTreeSet::from(["reset-cut"]));
    }
}
