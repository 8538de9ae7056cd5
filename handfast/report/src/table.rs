//! The table at the end of a run, and what stands under it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use handfast_scenario::event::Outcome;
use handfast_scenario::name::CategoryName;
use handfast_scenario::verdict::VerdictKind;

use crate::book::{Book, SuitePage, UnitPage};
use crate::palette::{Ink, Palette};
use crate::quantity::{clipped, median, tame, time};

/// Longest name in the table; longer ones are cut, so that a row of two peers fits into 120 columns.
const NAME_CHARS_MAX: usize = 58;

/// The table of all units and suites, in the order of their categories' first appearance; rows of the
/// same scenario and cast are one row with a count, so that a repeated run stays readable.
pub fn table(book: &Book, palette: Palette) -> String {
    let rows = rows(book);
    let width = |cell: fn(&Row) -> &str, heading: &str| {
        rows.iter()
            .map(|row| cell(row).chars().count())
            .chain([heading.len()])
            .max()
            .unwrap_or_default()
    };
    let (names, casts) = (width(|row| &row.name, "scenario"), width(|row| &row.cast, "peers"));
    let categories = width(|row| &row.category, "category");
    let mut text = String::new();
    let heading = format!(
        "{:<names$}  {:<categories$}  {:<casts$}  {:>12}",
        "scenario", "category", "peers", "time"
    );
    let _ = writeln!(text, "       {}", palette.paint(Ink::Strong, heading));
    for row in &rows {
        let _ = writeln!(
            text,
            "{}  {:<names$}  {:<categories$}  {:<casts$}  {:>12}{}",
            row.verdict(palette),
            row.name,
            row.category,
            row.cast,
            time(row.duration_us()),
            row.count()
        );
    }
    text
}

/// What stands under the table: warnings, what was not run, the overhead of a cell. Each on its own
/// line; the closing line of the run is not part of it.
pub fn footer(book: &Book, palette: Palette) -> String {
    let mut text = String::new();
    for page in book.units().iter().filter(|page| page.kind() == Some(VerdictKind::Passed)) {
        for warning in &page.warnings {
            let label = palette.paint(Ink::Doubtful, "warning:");
            let _ = writeln!(text, "{label} {}: {}", page.file, tame(warning));
        }
    }
    if let Some(end) = book.end() {
        let summary = &end.summary;
        if summary.budgets_spent > 0 {
            let _ = writeln!(text, "time budgets spent: {}", summary.budgets_spent);
        }
        if summary.not_run > 0 {
            let _ = writeln!(text, "scenarios not run: {}", summary.not_run);
        }
        if summary.unsupported > 0 {
            let _ = writeln!(text, "scenarios unsupported by a peer: {}", summary.unsupported);
        }
        if summary.flaky > 0 {
            let _ = writeln!(text, "flaky, passed only when tried again: {}", summary.flaky);
        }
        for (what, count) in [
            ("failed as a known issue says, decided nothing", summary.known),
            ("failed in quarantine, decided nothing", summary.quarantined),
            ("not carried out, known or in quarantine, decided nothing", summary.infra_known),
            ("not run, by a known issue", summary.skipped),
            ("passed only after a repair of the machine", summary.healed),
        ] {
            if count > 0 {
                let _ = writeln!(text, "{what}: {count}");
            }
        }
    }
    let overheads = book.overheads_us();
    if let Some(p50) = median(&overheads) {
        let tenth = (p50 + 50) / 100;
        let _ = writeln!(
            text,
            "cell overhead p50 {}.{} ms (n={}): time of a scenario outside its steps",
            tenth / 10,
            tenth % 10,
            overheads.len()
        );
    }
    text
}

/// The last line of a run.
pub fn closing_line(book: &Book) -> String {
    let totals = book.totals();
    format!("{} passed, {} failed", totals.passed, totals.failed)
}

struct Row {
    name: String,
    cast: String,
    category: String,
    kind: Option<VerdictKind>,
    durations_us: Vec<u64>,
}

impl Row {
    fn verdict(&self, palette: Palette) -> String {
        match self.kind {
            Some(kind) => palette.verdict(kind),
            None => palette.paint(Ink::Doubtful, "ENDED"),
        }
    }

    fn duration_us(&self) -> u64 {
        median(&self.durations_us).unwrap_or_default()
    }

    fn count(&self) -> String {
        match self.durations_us.len() {
            0 | 1 => String::new(),
            many => format!("  x{many}, p50"),
        }
    }
}

fn rows(book: &Book) -> Vec<Row> {
    let mut by_key: BTreeMap<(&str, String, Option<VerdictKind>), usize> = BTreeMap::new();
    let mut rows: Vec<Row> = Vec::new();
    // The cells of a matrix are in its grid.
    let outside = |page: &&UnitPage| book.grid().cell(&page.unit).is_none();
    for page in book.units().iter().filter(outside) {
        let key = (page.file.as_str(), page.cast(), page.kind());
        let at = *by_key.entry(key).or_insert_with(|| {
            rows.push(unit_row(page));
            rows.len() - 1
        });
        rows[at].durations_us.extend(page.end.as_ref().map(|end| end.duration_us));
    }
    rows.extend(book.suites().iter().map(suite_row));
    let rank = ranks(book);
    rows.sort_by_key(|row| rank.get(row.category.as_str()).copied());
    rows
}

fn unit_row(page: &UnitPage) -> Row {
    Row {
        name: clipped(&tame(&page.name), NAME_CHARS_MAX),
        cast: page.cast(),
        category: page.category.to_string(),
        kind: page.kind(),
        durations_us: Vec::new(),
    }
}

fn suite_row(page: &SuitePage) -> Row {
    let count =
        page.end.as_ref().map(|end| format!("{} passed, {} failed", end.passed, end.failed));
    Row {
        name: format!("suite {}: {}", page.suite, count.unwrap_or_else(|| "not ended".to_owned())),
        cast: "-".to_owned(),
        category: page.category.to_string(),
        kind: page.end.as_ref().map(|end| match end.outcome {
            Outcome::Passed => VerdictKind::Passed,
            Outcome::Failed { .. } => VerdictKind::Failed,
            Outcome::Skipped { .. } => VerdictKind::DidNotFit,
        }),
        durations_us: page.end.iter().map(|end| end.duration_us).collect(),
    }
}

/// The order in which categories first appear in the run.
fn ranks(book: &Book) -> BTreeMap<&str, u64> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    let units = book.units().iter().map(|page| (&page.category, page.started_us));
    let suites = book.suites().iter().map(|page| (&page.category, page.started_us));
    for (category, started_us) in units.chain(suites) {
        let at = first.entry(CategoryName::as_str(category)).or_insert(started_us);
        *at = started_us.min(*at);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn each_scenario_has_a_row_with_category_peers_time_and_verdict() {
        let text = table(&sample::failed_run(), Palette::Plain);
        let row = text.lines().nth(1).unwrap();
        for part in ["FAIL", "two peers meet", "integration", "a=entity b=entity", "40 ms"] {
            assert!(row.contains(part), "{part:?} in {row:?}");
        }
    }

    #[test]
    fn the_rows_of_a_repeated_scenario_are_one() {
        let text = table(&sample::repeated_run(5), Palette::Plain);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("x5, p50"), "{text}");
    }

    #[test]
    fn the_footer_prints_the_overhead_of_a_cell() {
        let text = footer(&sample::passed_run(), Palette::Plain);
        assert!(text.contains("cell overhead p50 30.0 ms (n=1)"), "{text}");
    }

    #[test]
    fn a_warning_of_a_passed_scenario_is_still_shown() {
        let text = footer(&sample::passed_run(), Palette::Plain);
        assert!(text.contains("warning: scenarios/x.toml: never-exercised: rule 1"), "{text}");
    }

    #[test]
    fn what_ran_and_did_not_pass_has_failed() {
        assert_eq!(closing_line(&sample::passed_run()), "1 passed, 0 failed");
        assert_eq!(closing_line(&sample::failed_run()), "0 passed, 1 failed");
        assert_eq!(closing_line(&sample::suite_run(2, 0, true)), "2 passed, 0 failed");
        assert_eq!(closing_line(&sample::suite_run(2, 0, false)), "2 passed, 1 failed");
        assert_eq!(closing_line(&sample::suite_run(2, 3, false)), "2 passed, 3 failed");
    }
}
