//! The target and the alert of a metric, and how a value stands to them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::metric::Metric;

/// What is wanted of a metric, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Aim {
    /// It is met on the good side of this.
    pub target: f64,
    /// Beyond this somebody is told.
    pub alert: f64,
}

/// How a value stands to its aim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Within the target.
    Met,
    /// Between target and alert.
    Warning,
    /// Beyond the alert.
    Alert,
}

/// Aims by metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Aims(BTreeMap<Metric, Aim>);

impl Aim {
    /// How a value stands to it: exactly at the target it is not met, exactly at the alert nobody is told yet.
    pub fn judge(&self, metric: Metric, value: f64) -> Standing {
        let is_beyond = |bound: f64| {
            if metric.is_better_high() { value < bound } else { value > bound }
        };
        // A target is met only beyond it: no value equals itself by chance.
        let is_met =
            if metric.is_better_high() { value > self.target } else { value < self.target };
        if is_beyond(self.alert) || value.is_nan() {
            Standing::Alert
        } else if is_met {
            Standing::Met
        } else {
            Standing::Warning
        }
    }

    /// Whether the target is on the good side of the alert, and both are above 0.
    pub fn is_sound(&self, metric: Metric) -> bool {
        let are_positive =
            [self.target, self.alert].iter().all(|bound| bound.is_finite() && *bound > 0.0);
        are_positive && metric.cost(self.target) <= metric.cost(self.alert)
    }
}

impl Aims {
    /// The aim of a metric, if it has one.
    pub fn of(&self, metric: Metric) -> Option<Aim> {
        self.0.get(&metric).copied()
    }

    /// Gives a metric an aim of its own.
    pub fn set(&mut self, metric: Metric, aim: Aim) {
        self.0.insert(metric, aim);
    }

    /// How a value stands; nothing of a metric without an aim.
    pub fn judge(&self, metric: Metric, value: f64) -> Option<Standing> {
        Some(self.of(metric)?.judge(metric, value))
    }
}

impl Default for Aims {
    /// Those of the plan for automated tests, "M3-2: Performance Regression": handshakes below 500 ms and told beyond 1 s, messages 100 ms
    /// and 200 ms, more than 100 messages a second and told below 50, memory below 512 MB and told beyond 1 GB.
    fn default() -> Self {
        let aim = |target, alert| Aim { target, alert };
        Self(BTreeMap::from([
            (Metric::Handshake, aim(500e3, 1e6)),
            (Metric::Latency, aim(100e3, 200e3)),
            (Metric::Throughput, aim(100.0, 50.0)),
            (Metric::Memory, aim(512e6, 1e9)),
        ]))
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Met => "met",
            Self::Warning => "warning",
            Self::Alert => "alert",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(metric: Metric, values: &[(f64, Standing)]) {
        for (value, expected) in values {
            assert_eq!(Aims::default().judge(metric, *value), Some(*expected), "{metric} {value}");
        }
    }

    #[test]
    fn the_aims_of_the_plan_hold_by_default() {
        use Standing::{Alert, Met, Warning};
        check(
            Metric::Handshake,
            &[(499e3, Met), (500e3, Warning), (1e6, Warning), (1.01e6, Alert)],
        );
        check(Metric::Latency, &[(99e3, Met), (100e3, Warning), (200e3, Warning), (201e3, Alert)]);
        check(
            Metric::Throughput,
            &[(101.0, Met), (100.0, Warning), (50.0, Warning), (49.0, Alert)],
        );
        check(Metric::Memory, &[(511e6, Met), (512e6, Warning), (1e9, Warning), (1.1e9, Alert)]);
        check(Metric::Memory, &[(f64::NAN, Alert)]);
        assert_eq!(Aims::default().judge(Metric::MessageBytes, 1e9), None);
    }

    #[test]
    fn an_aim_of_its_own_wins() {
        let mut aims = Aims::default();
        aims.set(Metric::Latency, Aim { target: 1.0, alert: 2.0 });
        assert_eq!(aims.judge(Metric::Latency, 3.0), Some(Standing::Alert));
    }

    #[test]
    fn a_target_beyond_its_alert_is_not_sound() {
        let aim = Aim { target: 2.0, alert: 1.0 };
        assert!(!aim.is_sound(Metric::Latency) && aim.is_sound(Metric::Throughput));
        assert!(!Aim { target: 0.0, alert: 1.0 }.is_sound(Metric::Latency));
    }
}
