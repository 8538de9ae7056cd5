//! What a run prints: each line with an aim, and under it what stands beside it.

use serde_json::{Value, json};

use crate::lines::{self, Line, number};
use crate::machine::Busy;
use crate::spread::Spread;

/// A figure of the same run that a line is held against: a limit of this machine, or somebody else's program.
#[derive(Debug)]
struct Beside {
    name: &'static str,
    unit: &'static str,
    spread: Spread,
}

/// A line, measured.
#[derive(Debug)]
pub(crate) struct Measured {
    line: Line,
    spread: Spread,
    beside: Vec<Beside>,
}

impl Measured {
    /// A line with the figure of each of its rounds.
    pub(crate) fn new(line: Line, rounds: Vec<f64>) -> Self {
        let spread = Spread::of(rounds);
        progress(line.name, line.unit, spread);
        Self { line, spread, beside: Vec::new() }
    }

    /// Puts a figure beside it; nothing where nothing was measured.
    #[must_use]
    pub(crate) fn beside(
        mut self,
        name: &'static str,
        unit: &'static str,
        rounds: impl IntoIterator<Item = f64>,
    ) -> Self {
        let rounds: Vec<f64> = rounds.into_iter().collect();
        if !rounds.is_empty() {
            let spread = Spread::of(rounds);
            progress(name, unit, spread);
            self.beside.push(Beside { name, unit, spread });
        }
        self
    }

    /// Its place among all lines.
    pub(crate) fn place(&self) -> usize {
        lines::ALL.iter().position(|line| *line == self.line).unwrap()
    }

    fn is_met(&self) -> bool {
        self.line.aim.is_met(self.spread.median)
    }

    fn print(&self) {
        let verdict = if self.is_met() { "met" } else { "NOT MET" };
        row(self.line.name, self.line.unit, self.spread, &self.line.aim.to_string(), verdict);
        for Beside { name, unit, spread } in &self.beside {
            row(&format!("    {name}"), unit, *spread, "", "");
        }
    }

    fn to_json(&self) -> Value {
        let beside = self.beside.iter().map(|beside| {
            json!({"name": beside.name, "unit": beside.unit, "figure": beside.spread.to_json()})
        });
        json!({
            "name": self.line.name, "part": self.line.part, "unit": self.line.unit,
            "figure": self.spread.to_json(), "aim": self.line.aim.to_string(), "met": self.is_met(),
            "beside": beside.collect::<Vec<_>>(),
        })
    }
}

fn row(name: &str, unit: &str, spread: Spread, aim: &str, verdict: &str) {
    let (figure, between) = (number(spread.median), spread.between());
    let text = format!("{name:<56} {figure:>9} {unit:<5} {between:<19} {aim:>9}  {verdict}");
    println!("{}", text.trim_end());
}

/// Prints all of them for people.
pub(crate) fn print(measured: &[Measured], busy: &Busy) {
    let (middle, aim) = ("median", "aim");
    let head = format!("{:<56} {middle:>9} {:<5} {:<19} {aim:>9}", "", "", "middle half");
    println!("{head}");
    for measured in measured {
        measured.print();
    }
    let met = measured.iter().filter(|measured| measured.is_met()).count();
    println!("\n{met} of {} met; {} cores, {busy}", measured.len(), crate::machine::cores());
    if let Some(warning) = busy.warning() {
        println!("{warning}");
    }
}

/// Prints all of them for a program, as one line.
pub(crate) fn print_json(measured: &[Measured], busy: &Busy) {
    let lines: Vec<_> = measured.iter().map(Measured::to_json).collect();
    println!(
        "{}",
        json!({"cores": crate::machine::cores(), "others_busy_percent": busy.to_json(), "lines": lines})
    );
}

#[expect(clippy::print_stderr, reason = "a run takes a while; progress is no result")]
fn progress(name: &str, unit: &str, spread: Spread) {
    eprintln!("measured {name}: {} {unit}", number(spread.median));
}
