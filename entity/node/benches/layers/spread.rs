//! The middle of several rounds, and how far they lie apart.

use serde_json::{Value, json};

use crate::lines::number;

/// Several measurements of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// The first and the third quartile: half of the rounds lie between them.
    quartiles: (f64, f64),
    rounds: usize,
}

impl Spread {
    /// Of at least one measurement.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        let at = |quarters: usize| {
            f64::midpoint(values[last * quarters / 4], values[(last * quarters).div_ceil(4)])
        };
        Self { median: at(2), quartiles: (at(1), at(3)), rounds: values.len() }
    }

    /// For people; nothing where there was one round.
    pub(crate) fn between(self) -> String {
        if self.rounds < 2 {
            return String::new();
        }
        format!("{} .. {}", number(self.quartiles.0), number(self.quartiles.1))
    }

    pub(crate) fn to_json(self) -> Value {
        let (low, high) = self.quartiles;
        json!({"median": self.median, "quartiles": [low, high], "rounds": self.rounds})
    }
}
