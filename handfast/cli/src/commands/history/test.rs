//! `handfast history NAME`: one test over time.

use std::fmt::Write as _;

use handfast_history::questions::{Named, Questions, Seen};
use handfast_history::{HistoryError, TestName};
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{tame, time};
use handfast_scenario::ExitCode;
use handfast_scenario::verdict::VerdictKind;
use handfast_trend::flaky::test::State;
use serde_json::{Value, json};

use super::standing::{OUTCOMES, Standing, standing};
use super::{moment, unusable};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Tests that are shown of many that a name means.
const TESTS: usize = 50;

/// Outcomes of each of them that are looked at.
const OUTCOMES_OF_MANY: usize = 100;

/// Shows the tests that a name means.
pub(super) fn show(
    history: &dyn Questions,
    name: &str,
    last: usize,
    as_json: bool,
    around: &Around,
) -> Result<ExitCode, CommandError> {
    let named = history.named(name, TESTS).map_err(|error| unusable(&error))?;
    let text = match named.tests.as_slice() {
        [] => {
            return Err(CommandError::usage_text(
                format!("the history knows no test {name:?}, and none with that in its name"),
                "`handfast history` shows the last runs; units have the names that `handfast list` shows",
            ));
        }
        [test] if named.count == 1 => one(history, test, last, as_json, around.out.palette),
        _ => many(history, &named, as_json, around.out.palette),
    };
    Stream::Out.print(&text.map_err(|error| unusable(&error))?);
    Ok(ExitCode::Passed)
}

fn one(
    history: &dyn Questions,
    test: &TestName,
    last: usize,
    as_json: bool,
    palette: Palette,
) -> Result<String, HistoryError> {
    let outcomes = history.outcomes(test, OUTCOMES.max(last))?;
    let standing = standing(&outcomes[..outcomes.len().min(OUTCOMES)]);
    let shown = &outcomes[..outcomes.len().min(last)];
    if as_json {
        let seen: Vec<Value> = shown.iter().map(seen).collect();
        let mut all = value(test, standing.as_ref());
        all["outcomes"] = seen.into();
        return Ok(format!("{all:#}\n"));
    }
    Ok(page(test, standing.as_ref(), shown, palette))
}

fn page(test: &TestName, standing: Option<&Standing>, shown: &[Seen], palette: Palette) -> String {
    let mut text = format!("{}\n", palette.paint(Ink::Strong, tame(&test.to_string())));
    // Writing to a text cannot fail.
    let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
    match standing {
        None => line("never passed and never failed".to_owned()),
        Some(standing) => {
            let rate = &standing.rate;
            let (state, ink) = state(standing.state);
            line(format!(
                "{}: fails in {} of runs, {} to {}, by {} runs",
                palette.paint(ink, state),
                percent(rate.mean),
                percent(rate.low),
                percent(rate.high),
                standing.judged
            ));
            if let Some((us, passes)) = standing.takes_us {
                line(format!("takes {}, the middle one of {passes} passes", time(us)));
            }
        }
    }
    line(String::new());
    for Seen { run, kind, is_flaky, duration_us, ended_unix_us } in shown {
        let took = if *duration_us == 0 { String::new() } else { time(*duration_us) };
        let (ended, run) = (moment(*ended_unix_us), tame(run));
        line(format!("{}  {ended}  {took:>12}  {run}", verdict(kind, *is_flaky, palette)));
    }
    text
}

fn many(
    history: &dyn Questions,
    named: &Named,
    as_json: bool,
    palette: Palette,
) -> Result<String, HistoryError> {
    let mut rows = Vec::new();
    for test in &named.tests {
        rows.push((test, standing(&history.outcomes(test, OUTCOMES_OF_MANY)?)));
    }
    if as_json {
        let tests: Vec<Value> =
            rows.iter().map(|(test, standing)| value(test, standing.as_ref())).collect();
        return Ok(format!("{:#}\n", json!({ "tests": tests, "count": named.count })));
    }
    let mut text = String::new();
    for (test, standing) in &rows {
        let name = tame(&test.to_string());
        let line = match standing {
            None => {
                format!("{}  {name}", palette.paint(Ink::Faint, format!("{:<21}", "never judged")))
            }
            Some(standing) => {
                let (state, ink) = state(standing.state);
                let rate = percent(standing.rate.mean);
                format!("{} {rate:>9}  {name}", palette.paint(ink, format!("{state:<11}")))
            }
        };
        writeln!(text, "{line}").unwrap_or_default();
    }
    let shown = rows.len();
    writeln!(
        text,
        "\n{shown} of {} tests with that in their name; the whole name of one shows it over time",
        named.count
    )
    .unwrap_or_default();
    Ok(text)
}

fn value(test: &TestName, standing: Option<&Standing>) -> Value {
    json!({
        "suite": test.suite,
        "test": test.test,
        "state": standing.map(|standing| standing.state),
        "rate": standing.map(|standing| standing.rate),
        "judged": standing.map_or(0, |standing| standing.judged),
        "takes_us": standing.and_then(|standing| standing.takes_us).map(|(us, _)| us),
    })
}

fn seen(seen: &Seen) -> Value {
    json!({
        "run": seen.run,
        "kind": seen.kind,
        "is_flaky": seen.is_flaky,
        "duration_us": seen.duration_us,
        "ended_unix_us": seen.ended_unix_us,
    })
}

fn state(state: State) -> (&'static str, Ink) {
    match state {
        State::Healthy => ("healthy", Ink::Good),
        State::Suspect => ("suspect", Ink::Doubtful),
        State::Flaky => ("flaky", Ink::Doubtful),
        State::Broken => ("broken", Ink::Bad),
        State::Quarantined => ("quarantined", Ink::Doubtful),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn verdict(kind: &str, is_flaky: bool, palette: Palette) -> String {
    let known: Option<VerdictKind> = serde_json::from_value(kind.into()).ok();
    match known {
        _ if is_flaky => palette.paint(Ink::Doubtful, "FLAKY"),
        Some(kind) => palette.verdict(kind),
        None => palette.paint(Ink::Doubtful, "SKIP "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(run: &str, kind: &str, is_flaky: bool, duration_us: u64) -> Seen {
        let (run, kind) = (run.to_owned(), kind.to_owned());
        Seen { run, kind, is_flaky, duration_us, ended_unix_us: 1_761_984_000_000_000 }
    }

    #[test]
    fn a_test_is_shown_over_time() {
        let test = TestName { suite: Some("cargo".to_owned()), test: "one\u{1b}".to_owned() };
        let outcomes = [
            outcome("r4", "passed", true, 1_230_000),
            outcome("r3", "skipped", false, 0),
            outcome("r2", "timed_out", false, 90_000_000),
            outcome("r1", "passed", false, 420_000),
        ];
        let shown = page(&test, standing(&outcomes).as_ref(), &outcomes, Palette::Plain);
        let (head, rows) = shown.split_once("\n\n").unwrap();
        let [name, state, takes] = head.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert_eq!(name, "cargo: one\u{fffd}");
        assert!(state.starts_with("flaky: fails in ") && state.ends_with(", by 3 runs"), "{state}");
        assert_eq!(takes, "takes 420 ms, the middle one of 2 passes");
        let expected = "\
FLAKY  2025-11-01 08:00:00Z        1.23 s  r4
SKIP   2025-11-01 08:00:00Z                r3
HUNG   2025-11-01 08:00:00Z    1 min 30 s  r2
PASS   2025-11-01 08:00:00Z        420 ms  r1
";
        assert_eq!(rows, expected);
        let never = page(&test, None, &outcomes[1..2], Palette::Plain);
        assert!(never.contains("never passed and never failed"), "{never}");
    }
}
