//! `handfast history prune`

use std::fmt::Write as _;
use std::time::Duration;

use handfast_history::retention::{Beyond, Fate, Limits, Weighed};
use handfast_history::{History, Pruned, prune};
use handfast_lab::clock::unix_us;
use handfast_scenario::ExitCode;
use serde_json::{Value, json};

use super::{folder, moment, size};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Forget runs: all but the newest, those of long ago, or the oldest until the rest is small enough
///
/// A run goes with everything that it has found, or stays. The newest run stays, and every run whose verdicts the matrix takes over or rests on.
/// What stays is copied into a new file, which takes the place of the old one; so no run may be under way.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group(clap::ArgGroup::new("limits").required(true).multiple(true)))]
pub(super) struct Args {
    /// Keep so many runs, the newest
    #[arg(long, value_name = "N", group = "limits")]
    keep_runs: Option<usize>,
    /// Forget runs that began longer ago, such as 90d, 12w or 36h
    #[arg(long, value_name = "AGE", value_parser = age, group = "limits")]
    older_than: Option<Duration>,
    /// Forget the oldest runs until the file is no larger, such as 200MB or 1GiB
    #[arg(long, value_name = "SIZE", value_parser = bytes, group = "limits")]
    larger_than: Option<u64>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast history prune --keep-runs 1000
  handfast history prune --older-than 90d --larger-than 200MB
  handfast history prune --older-than 90d --dry-run";

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let folder = folder(around)?;
    let limits = Limits {
        keep_runs: args.keep_runs,
        since_unix_us: args.older_than.map(|age| since(age, unix_us())),
        bytes: args.larger_than,
    };
    let pruned = if args.dry_run {
        History::open(&folder).and_then(|history| history.would_prune(&limits))
    } else {
        prune(&folder, &limits)
    };
    let pruned = pruned.map_err(|error| CommandError::infra(&error, "nothing was forgotten"))?;
    Stream::Out.print(&if args.json {
        format!("{:#}\n", value(&pruned, args.dry_run))
    } else {
        page(&pruned, args.dry_run)
    });
    Ok(ExitCode::Passed)
}

fn since(age: Duration, now_unix_us: i64) -> i64 {
    now_unix_us.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}

fn page(pruned: &Pruned, is_dry: bool) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
    for (run, fate) in &pruned.runs {
        let (word, beyond) = match fate {
            Fate::Stays => continue,
            Fate::Needed(beyond) => ("stays", beyond),
            Fate::Goes(beyond) if is_dry => ("would go", beyond),
            Fate::Goes(beyond) => ("gone", beyond),
        };
        let why = match beyond {
            Beyond::Count => "there are enough newer ones",
            Beyond::Age => "it is older than was asked",
            Beyond::Size => "the history is larger than was asked",
        };
        let but = if word == "stays" { ", but the matrix rests on its verdicts" } else { "" };
        line(format!("{word:<8}  {}  {}  {why}{but}", run.run, moment(run.started_unix_us)));
    }
    let gone = pruned.gone().count();
    let (before, after) = (size(pruned.bytes_before), size(pruned.bytes_after));
    let (verb, about) = if is_dry { ("would go", "about ") } else { ("went", "") };
    line(format!("{gone} of {} runs {verb}: {before}, then {about}{after}", pruned.runs.len()));
    text
}

fn value(pruned: &Pruned, is_dry: bool) -> Value {
    let shown = |run: &Weighed, beyond: Beyond| {
        let beyond = match beyond {
            Beyond::Count => "count",
            Beyond::Age => "age",
            Beyond::Size => "size",
        };
        json!({ "run": run.run, "started_unix_us": run.started_unix_us, "bytes": run.bytes, "beyond": beyond })
    };
    let (mut gone, mut needed) = (Vec::new(), Vec::new());
    for (run, fate) in &pruned.runs {
        match fate {
            Fate::Stays => {}
            Fate::Needed(beyond) => needed.push(shown(run, *beyond)),
            Fate::Goes(beyond) => gone.push(shown(run, *beyond)),
        }
    }
    json!({
        "dry_run": is_dry,
        "runs": pruned.runs.len(),
        "gone": gone,
        "needed": needed,
        "bytes_before": pruned.bytes_before,
        "bytes_after": pruned.bytes_after,
    })
}

/// A number and a unit.
fn parts(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim()))
}

fn age(text: &str) -> Result<Duration, String> {
    let seconds = match parts(text) {
        Some((number, "h")) => number.checked_mul(3_600),
        Some((number, "d")) => number.checked_mul(86_400),
        Some((number, "w")) => number.checked_mul(7 * 86_400),
        Some(_) | None => None,
    };
    let seconds = seconds.ok_or("an age is a number with h, d or w, such as 90d")?;
    Ok(Duration::from_secs(seconds))
}

fn bytes(text: &str) -> Result<u64, String> {
    let bytes = match parts(text) {
        Some((number, "kB")) => number.checked_mul(1_000),
        Some((number, "MB")) => number.checked_mul(1_000_000),
        Some((number, "GB")) => number.checked_mul(1_000_000_000),
        Some((number, "KiB")) => number.checked_mul(1 << 10),
        Some((number, "MiB")) => number.checked_mul(1 << 20),
        Some((number, "GiB")) => number.checked_mul(1 << 30),
        Some(_) | None => None,
    };
    bytes.ok_or_else(|| {
        "a size is a number with kB, MB, GB, KiB, MiB or GiB, such as 200MB".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_read() {
        assert_eq!(age("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(age("36h"), Ok(Duration::from_hours(36)));
        assert_eq!(bytes("200MB"), Ok(200_000_000));
        assert_eq!(bytes("1GiB"), Ok(1_073_741_824));
        for wrong in
            ["", "90", "d", "-1d", "90 days", "99999999999999999999d", "18446744073709551615w"]
        {
            assert!(age(wrong).unwrap_err().contains("such as 90d"), "{wrong}");
        }
        for wrong in ["", "200", "MB", "1.5GB", "200mb", "18446744073709551615GB"] {
            assert!(bytes(wrong).unwrap_err().contains("such as 200MB"), "{wrong}");
        }
    }

    #[test]
    fn what_goes_and_what_stays_for_a_reason_is_named() {
        let run = |id: &str, fate| {
            let run = Weighed { run: id.to_owned(), bytes: 500, ..Weighed::default() };
            (run, fate)
        };
        let runs = vec![
            run("r3", Fate::Stays),
            run("r2", Fate::Goes(Beyond::Age)),
            run("r1", Fate::Needed(Beyond::Count)),
        ];
        let pruned = Pruned { runs, bytes_before: 3_000_000, bytes_after: 2_000_000 };
        let expected = "\
gone      r2  1970-01-01 00:00:00Z  it is older than was asked
stays     r1  1970-01-01 00:00:00Z  there are enough newer ones, but the matrix rests on its verdicts
1 of 3 runs went: 3.0 MB, then 2.0 MB
";
        assert_eq!(page(&pruned, false), expected);
        assert!(page(&pruned, true).ends_with("1 of 3 runs would go: 3.0 MB, then about 2.0 MB\n"));
        let shown = value(&pruned, true);
        assert_eq!(
            (&shown["gone"][0]["run"], &shown["gone"][0]["beyond"]),
            (&json!("r2"), &json!("age"))
        );
        assert_eq!(shown["needed"][0]["run"], "r1");
    }
}
