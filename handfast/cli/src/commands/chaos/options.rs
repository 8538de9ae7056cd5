//! What can be said of a search on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use handfast_chaos::Settings;
use handfast_chaos::menu::Kind;
use handfast_chaos::repeat;
use handfast_chaos::schedule::STEPS_MAX;
use handfast_chaos::search::{STEPS_DEFAULT, Steps};
use handfast_runner::chaos::LANES_MAX;
use handfast_scenario::plan;

/// See the module.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Everything left to chance follows from this number; chosen by chance if not given
    #[arg(long, value_name = "NUMBER")]
    pub(in crate::commands) seed: Option<u64>,
    /// How long to search each scenario, such as 30s, 10m or 1h
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = budget)]
    pub(in crate::commands) budget: Duration,
    /// How long to shrink what was found
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = budget)]
    pub(in crate::commands) shrink: Duration,
    /// So many disturbances at a time, 1 to 64; one to four if not given
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(in crate::commands) steps: Option<usize>,
    /// Only these kinds of disturbances, such as kill,pause
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub(in crate::commands) only: Vec<Kind>,
    /// How many schedules to play at the same time, 1 to 64
    #[arg(long, value_name = "N", default_value = "3", value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(in crate::commands) parallel: usize,
    /// Keep what is found in this folder, in place of .handfast/chaos
    #[arg(long, value_name = "DIR")]
    pub(in crate::commands) out: Option<PathBuf>,
    /// How often to play the smallest failing schedule again
    #[arg(long, value_name = "N", default_value_t = repeat::TRIES_DEFAULT, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(in crate::commands) confirm: u32,
}

const _: () =
    assert!(STEPS_MAX == 64 && LANES_MAX == 64, "the help and the parsers name the limits");

/// What is done where nobody says what: what needs no rights on the host. Links are disturbed by proxies where there are no namespaces.
const USUAL: [Kind; 8] = [
    Kind::Kill,
    Kind::Pause,
    Kind::CrashLoop,
    Kind::Clock,
    Kind::Delay,
    Kind::Loss,
    Kind::Silence,
    Kind::Reset,
];

impl Default for Options {
    /// What holds where nothing is said.
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        Self {
            seed: None,
            budget: minute,
            shrink: minute,
            steps: None,
            only: Vec::new(),
            parallel: 3,
            out: None,
            confirm: repeat::TRIES_DEFAULT,
        }
    }
}

impl Options {
    /// What a campaign is told.
    pub(in crate::commands) fn settings(&self, seed: u64) -> Settings {
        Settings {
            seed,
            steps: self.steps.map_or(Steps::UpTo(STEPS_DEFAULT), Steps::Exactly),
            search_for: self.budget,
            shrink_for: self.shrink,
            confirm: self.confirm,
            abreast: self.parallel,
        }
    }

    /// What may be done to a unit.
    pub(in crate::commands) fn kinds(&self, _unit: &plan::Unit) -> Vec<Kind> {
        if self.only.is_empty() { USUAL.to_vec() } else { self.only.clone() }
    }
}

/// A time: those of scenario files, and `10m` for ten minutes.
pub(in crate::commands) fn budget(text: &str) -> Result<Duration, String> {
    let minutes = text
        .trim()
        .strip_suffix('m')
        .filter(|number| !number.ends_with(|letter: char| letter.is_alphabetic()));
    let text = minutes.map_or_else(|| text.to_owned(), |minutes| format!("{minutes}min"));
    handfast_scenario::duration::parse(&text).map_err(|error| error.to_string())
}

fn kind(text: &str) -> Result<Kind, String> {
    let known = || Kind::ALL.map(Kind::as_str).join(", ");
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    kind.ok_or_else(|| format!("there is no kind {text:?} of disturbances; use {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_time() {
        assert_eq!(budget("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(budget("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(budget("2min"), Ok(Duration::from_mins(2)));
        assert_eq!(budget("50ms"), Ok(Duration::from_millis(50)));
        assert!(budget("m").is_err() && budget("10").is_err());
    }

    #[test]
    fn an_unknown_kind_is_answered_with_those_there_are() {
        assert_eq!(kind("pause"), Ok(Kind::Pause));
        let error = kind("paus").unwrap_err();
        assert!(error.contains("kill, pause, crash-loop"), "{error}");
    }
}
