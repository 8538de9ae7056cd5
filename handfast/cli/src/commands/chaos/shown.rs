//! How a search is shown: lines, JSON, progress.

use std::fmt::Write as _;

use handfast_chaos::campaign::{End, Phase};
use handfast_chaos::chances;
use handfast_chaos::repeat::Rate;
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{tame, time};
use handfast_report::sequence;
use handfast_runner::chaos::{Ended, Progress, Subject};
use handfast_runner::sink::{self, Mouth};
use handfast_scenario::duration;
use serde_json::{Value, json};

use super::keep::Kept;
use super::options::Options;
use crate::around::Moving;

/// How often a line says how far it is where lines cannot be redrawn, in microseconds.
const LASTING_EVERY_US: u128 = 10_000_000;

/// Says how far a campaign is.
pub(super) struct Steps {
    moving: Moving,
    mouth: Mouth,
    /// What stands before each line.
    before: String,
    last: Option<Phase>,
    said_us: u128,
}

impl Steps {
    pub(super) fn new(moving: Moving, mouth: Mouth) -> Self {
        Self { moving, mouth, before: String::new(), last: None, said_us: 0 }
    }

    /// The same, with this before each line.
    pub(super) fn of(self, what: &str) -> Self {
        Self { before: format!("{what}: "), ..self }
    }

    /// One more try is over. On a terminal the line is redrawn; elsewhere a line a phase and every ten seconds.
    pub(super) fn tell(&mut self, progress: Progress) {
        let line = format!("{}{}", self.before, line(progress));
        let elapsed_us = progress.elapsed.as_micros();
        if self.moving == Moving::Redrawn {
            self.mouth.progress(sink::Progress::Passing { line });
            return;
        }
        let is_new = self.last != Some(progress.phase);
        if is_new || elapsed_us >= self.said_us + LASTING_EVERY_US {
            self.mouth.progress(sink::Progress::Note { text: line });
            (self.last, self.said_us) = (Some(progress.phase), elapsed_us);
        }
    }
}

fn line(progress: Progress) -> String {
    let Progress { phase, tries, features, smallest, elapsed } = progress;
    let what = match phase {
        Phase::SteadyBefore => "undisturbed",
        Phase::Search => "searching",
        Phase::Again => "does it fail again?",
        Phase::SteadyAfter => "undisturbed once more",
        Phase::Shrink => "shrinking",
        Phase::Confirm => "the smallest one again",
        Phase::Over => "over",
    };
    let smallest = smallest.map(|smallest| format!(", fails with {}", disturbances(smallest)));
    let elapsed = time(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
    format!(
        "{what}: {tries} tries, {features} things seen{}, {elapsed}",
        smallest.unwrap_or_default()
    )
}

/// What is about to be searched.
pub(super) fn head(subject: &Subject, options: &Options, seed: u64) -> String {
    let kinds: Vec<&str> = subject.kinds.iter().map(|kind| kind.as_str()).collect();
    format!(
        "{}: searching for {} with {}, seed {seed}\n",
        subject.unit.id,
        duration::display(options.budget),
        kinds.join(", ")
    )
}

/// What came of it.
pub(super) fn ended(ended: &Ended, kept: Option<&Kept>, palette: Palette) -> String {
    let report = &ended.report;
    let took = micros(ended.took);
    let mut text = match &report.end {
        End::Unsteady { reason } => format!(
            "{} It fails without any disturbance: {}\n",
            palette.paint(Ink::Bad, "UNSTEADY"),
            tame(reason)
        ),
        End::Unclear { reason } => format!(
            "{} It could not be played: {}\n",
            palette.paint(Ink::Doubtful, "UNCLEAR"),
            tame(reason)
        ),
        End::Nothing { is_whole } => format!(
            "{} in {} tries and {}, {} things seen of the protocol{}\n",
            palette.paint(Ink::Good, "nothing found"),
            report.tries,
            time(took),
            report.known.features,
            if *is_whole { "" } else { "; ended before its time was over" }
        ),
        End::Found { .. } => found(ended, kept, palette),
    };
    for lost in &report.lost {
        // Writing to a text cannot fail.
        writeln!(text, "seen once and not again: {}", first_line(&lost.reason)).unwrap_or_default();
    }
    text
}

fn found(ended: &Ended, kept: Option<&Kept>, palette: Palette) -> String {
    let End::Found { found, shrunk, confirmed } = &ended.report.end else { return String::new() };
    let mut text = format!(
        "{} after {} and {} tries: {}\n  as found   {}, {}\n  as shrunk  {} in {} and {} tries{}\n             {}\n",
        palette.paint(Ink::Bad, "FOUND"),
        time(micros(found.after)),
        found.tries,
        first_line(&shrunk.failure.reason),
        disturbances(found.failure.schedule.len()),
        found.rate,
        disturbances(shrunk.failure.schedule.len()),
        time(micros(shrunk.took)),
        shrunk.tries,
        if shrunk.is_minimal { ", none of them can be left out" } else { "" },
        confirmed,
    );
    for other in &shrunk.others {
        writeln!(text, "  also seen  {}", first_line(&other.reason)).unwrap_or_default();
    }
    let Some(kept) = kept else { return text };
    text.push('\n');
    text.push_str(&sequence::text::text(&kept.sequence, palette));
    text.push('\n');
    text.push_str(&kept.disturbances);
    let folder = kept.folder.display();
    writeln!(
        text,
        "seed {}, in {folder}/: scenario.toml, found.toml, sequence.svg, sequence.txt\n\n  handfast reproduce {}",
        kept.failure.seed, kept.failure.id
    )
    .unwrap_or_default();
    text
}

/// How many there are.
pub(in crate::commands) fn disturbances(count: usize) -> String {
    match count {
        1 => "1 disturbance".to_owned(),
        count => format!("{count} disturbances"),
    }
}

/// The same for a machine.
pub(super) fn json(subject: &Subject, ended: &Ended, kept: Option<&Kept>) -> Value {
    let report = &ended.report;
    let mut value = json!({
        "unit": subject.unit.id.as_str(),
        "seed": report.seed,
        "tries": report.tries,
        "features": report.known.features,
        "took_us": micros(ended.took),
        "lost": report.lost.iter().map(|lost| lost.reason.as_str()).collect::<Vec<_>>(),
    });
    match &report.end {
        End::Unsteady { reason } => {
            value["outcome"] = json!("unsteady");
            value["reason"] = json!(reason);
        }
        End::Unclear { reason } => {
            value["outcome"] = json!("unclear");
            value["reason"] = json!(reason);
        }
        End::Nothing { is_whole } => {
            value["outcome"] = json!(if *is_whole { "nothing" } else { "ended-early" });
        }
        End::Found { found, shrunk, confirmed } => {
            value["outcome"] = json!("found");
            value["reason"] = json!(shrunk.failure.reason);
            value["found_after_us"] = json!(micros(found.after));
            value["found_steps"] = json!(found.failure.schedule.len());
            value["found_rate"] = rate(found.rate);
            value["steps"] = json!(shrunk.failure.schedule.len());
            value["is_minimal"] = json!(shrunk.is_minimal);
            value["shrink_us"] = json!(micros(shrunk.took));
            value["shrink_tries"] = json!(shrunk.tries);
            value["rate"] = rate(*confirmed);
            let schedule = shrunk.failure.schedule.steps.iter().map(ToString::to_string);
            value["schedule"] = json!(schedule.collect::<Vec<_>>());
        }
    }
    if let Some(kept) = kept {
        value["id"] = json!(kept.failure.id);
        value["folder"] = json!(kept.folder.display().to_string());
    }
    value
}

/// A rate with its interval.
pub(in crate::commands) fn rate(rate: Rate) -> Value {
    let interval = chances::interval(rate.failures, rate.tries);
    json!({
        "failures": rate.failures,
        "tries": rate.tries,
        "unclear": rate.unclear,
        "low": interval.start(),
        "high": interval.end(),
    })
}

/// What is printed on standard output for a machine.
pub(super) fn json_text(results: Vec<Value>) -> String {
    let mut text =
        serde_json::to_string_pretty(&json!({ "searches": results })).unwrap_or_default();
    text.push('\n');
    text
}

pub(super) fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

pub(in crate::commands) fn first_line(text: &str) -> String {
    tame(text.lines().next().unwrap_or_default())
}
