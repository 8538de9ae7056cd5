//! `handfast history`: the last runs.

use std::fmt::Write as _;

use handfast_history::questions::{Extent, Questions, RunSeen};
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{clipped, tame, time};
use handfast_scenario::ExitCode;
use serde_json::{Value, json};

use super::{moment, size, unusable};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Shows the last runs.
pub(super) fn show(
    history: &dyn Questions,
    last: usize,
    as_json: bool,
    around: &Around,
) -> Result<ExitCode, CommandError> {
    let text = text(history, last, as_json, around.out.palette);
    Stream::Out.print(&text.map_err(|error| unusable(&error))?);
    Ok(ExitCode::Passed)
}

fn text(
    history: &dyn Questions,
    last: usize,
    as_json: bool,
    palette: Palette,
) -> Result<String, handfast_history::HistoryError> {
    let (runs, extent) = (history.last_runs(last)?, history.extent()?);
    if as_json {
        let runs: Vec<Value> = runs.iter().map(value).collect();
        let Extent { runs: count, oldest_unix_us, bytes } = extent;
        let all = json!({ "runs": runs, "count": count, "oldest_unix_us": oldest_unix_us, "bytes": bytes });
        return Ok(format!("{all:#}\n"));
    }
    let Some(oldest_unix_us) = extent.oldest_unix_us else {
        return Ok("no run yet: `handfast run` makes the first one\n".to_owned());
    };
    let mut text = table(&runs, palette);
    // Writing to a text cannot fail.
    writeln!(
        text,
        "\n{} of {} runs, the oldest of {}, {}",
        runs.len(),
        extent.runs,
        moment(oldest_unix_us),
        size(extent.bytes)
    )
    .unwrap_or_default();
    Ok(text)
}

fn table(runs: &[RunSeen], palette: Palette) -> String {
    let rows = runs.iter().map(row);
    let head = ["run", "began", "took", "ended", "passed", "failed", "command"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(rows).collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, width) in widths.into_iter().enumerate() {
            let cell = &row[column];
            let gap = " ".repeat(width - cell.chars().count() + 2);
            let ink = match (at, column) {
                (0, _) => Some(Ink::Strong),
                (_, 3) => Some(ink(cell)),
                _ => None,
            };
            // Writing to a text cannot fail.
            match (ink, is_number(column)) {
                (Some(ink), _) => write!(line, "{}{gap}", palette.paint(ink, cell)),
                (None, false) => write!(line, "{cell}{gap}"),
                (None, true) => write!(line, "{}{cell}  ", &gap[2..]),
            }
            .unwrap_or_default();
        }
        line.push_str(&row[6]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn is_number(column: usize) -> bool {
    matches!(column, 2 | 4 | 5)
}

fn ink(exit: &str) -> Ink {
    match exit {
        "passed" => Ink::Good,
        "product failure" => Ink::Bad,
        _ => Ink::Doubtful,
    }
}

fn row(run: &RunSeen) -> [String; 7] {
    let words: Vec<String> = serde_json::from_str(&run.command).unwrap_or_default();
    let command = clipped(&tame(&words.join(" ")), COMMAND_CHARS);
    let (id, began) = (tame(&run.run), moment(run.started_unix_us));
    let Some(end) = &run.end else {
        let [took, passed, failed] = [const { String::new() }; 3];
        return [id, began, took, "not over".to_owned(), passed, failed, command];
    };
    let summary: Value = serde_json::from_str(&end.summary).unwrap_or_default();
    let count =
        |names: &[&str]| -> u64 { names.iter().filter_map(|name| summary[name].as_u64()).sum() };
    let passed = count(&["passed", "recalled", "suite_tests_passed"]);
    let failed = count(&["failed", "timed_out", "suite_tests_failed"]);
    let exit = tame(&end.exit.replace('_', " "));
    [id, began, time(end.duration_us), exit, passed.to_string(), failed.to_string(), command]
}

fn value(run: &RunSeen) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let end = run.end.as_ref();
    json!({
        "run": run.run,
        "started_unix_us": run.started_unix_us,
        "handfast": run.handfast,
        "command": parsed(&run.command),
        "record": run.record,
        "exit": end.map(|end| &end.exit),
        "summary": end.map(|end| parsed(&end.summary)),
        "duration_us": end.map(|end| end.duration_us),
    })
}

const COMMAND_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use handfast_history::questions::EndSeen;

    use super::*;

    fn seen(run: &str, end: Option<(&str, &str)>) -> RunSeen {
        RunSeen {
            run: run.to_owned(),
            started_unix_us: 1_761_984_000_000_000,
            handfast: "0.1.0".to_owned(),
            command: "[\"handfast\",\"run\",\"\\u001b[2J\"]".to_owned(),
            record: ".handfast/runs/r1".to_owned(),
            end: end.map(|(exit, summary)| EndSeen {
                exit: exit.to_owned(),
                summary: summary.to_owned(),
                duration_us: 6_120_000,
            }),
        }
    }

    #[test]
    fn runs_are_a_table_that_no_name_can_break() {
        let runs = [
            seen(
                "r10",
                Some(("passed", "{\"passed\":9,\"recalled\":100,\"suite_tests_passed\":1}")),
            ),
            seen("r2", Some(("product_failure", "{\"passed\":1,\"failed\":2,\"timed_out\":1}"))),
            seen("r1", None),
        ];
        let expected = "\
run  began                 took    ended            passed  failed  command
r10  2025-11-01 08:00:00Z  6.12 s  passed              110       0  handfast run \u{fffd}[2J
r2   2025-11-01 08:00:00Z  6.12 s  product failure       1       3  handfast run \u{fffd}[2J
r1   2025-11-01 08:00:00Z          not over                         handfast run \u{fffd}[2J
";
        assert_eq!(table(&runs, Palette::Plain), expected);
        assert!(table(&runs, Palette::Coloured).contains("\u{1b}["));
    }

    #[test]
    fn a_program_gets_everything() {
        let shown = value(&seen("r1", Some(("passed", "{\"passed\":1}"))));
        assert_eq!(shown["command"][1], "run");
        assert_eq!((&shown["exit"], &shown["summary"]["passed"]), (&json!("passed"), &json!(1)));
        assert_eq!(value(&seen("r1", None))["exit"], Value::Null);
    }
}
