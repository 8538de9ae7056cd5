//! What a person sees while a run goes on and when it is over.

use std::fmt::Write as _;

use handfast_scenario::event::{Healing, Outcome, Standing};
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::VerdictKind;
use handfast_scenario::{Recorded, RunEvent};

use crate::book::{Book, SuitePage, SuiteTest, UnitPage};
use crate::palette::{Ink, Palette};
use crate::quantity::{clipped, tame, time};
use crate::{failure, matrix, shards, table};

/// Turns events into lasting lines, and the present state into passing ones.
///
/// The caller prints what [`Console::read`] returns and, on a terminal only, keeps redrawing
/// [`Console::live`] below it.
#[derive(Debug)]
pub struct Console {
    book: Book,
    palette: Palette,
    cells: Cells,
    failures_told: usize,
}

/// How the cells of a matrix that pass are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Each with a line.
    Listed,
    /// Only in the grid, which is redrawn all the time.
    Drawn,
}

/// Cells of a matrix whose failure is told at length; of the rest one line is enough, and the record has it all.
const FAILURES_TOLD_MAX: usize = 10;

/// Lines of a failed test's output that are shown; the record has all of it.
const SUITE_OUTPUT_LINES_MAX: usize = 40;

/// The spinner's frames, one each 100 ms.
const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

impl Console {
    /// A console that has seen nothing.
    pub fn new(palette: Palette, cells: Cells) -> Self {
        Self { book: Book::new(), palette, cells, failures_told: 0 }
    }

    /// Reads the next event and returns the lasting lines it causes, each with its line end; often none.
    pub fn read(&mut self, recorded: &Recorded) -> String {
        self.book.read(recorded);
        match &recorded.event {
            RunEvent::RunStarted { run, units, suites, shard, .. } => {
                let suites =
                    if *suites == 0 { String::new() } else { format!(", {suites} suites") };
                let shard = shard.as_ref().map(shards::part).unwrap_or_default();
                format!("run {run}: {units} scenarios{suites}{shard}\n")
            }
            RunEvent::ShardsMerged { .. } => {
                self.book.merged().map(|page| shards::parts(page, self.palette)).unwrap_or_default()
            }
            RunEvent::MatrixStarted { peers, cells, .. } => {
                let peers: Vec<&str> = peers.iter().map(PeerName::as_str).collect();
                format!("matrix: {} cells of {}\n", cells.len(), peers.join(", "))
            }
            RunEvent::UnitEnded { unit, .. } => {
                let is_cell = self.book.grid().cell(unit).is_some();
                let text = self.book.unit(unit).map(|page| {
                    if is_cell { self.cell_ended(page) } else { self.unit_ended(page) }
                });
                let text = text.unwrap_or_default();
                self.failures_told += usize::from(is_cell && text.lines().count() > 2);
                text
            }
            RunEvent::SuiteTest { suite, test, outcome, duration_us } => {
                let test = SuiteTest {
                    name: format!("{suite}: {test}"),
                    outcome: outcome.clone(),
                    duration_us: *duration_us,
                };
                self.suite_test(&test)
            }
            RunEvent::UnitFlaky { unit, verdict } => {
                let page = self.book.unit(unit);
                let name = page.map(|page| format!("{} ({})", page.label(), page.cast()));
                self.flaky(&name.unwrap_or_else(|| unit.to_string()), &verdict.reason())
            }
            RunEvent::UnitHealing { unit, healing } => self.skipped(unit, healing),
            RunEvent::SuiteTestFlaky { suite, test, reason } => {
                self.flaky(&format!("{suite}: {test}"), reason)
            }
            RunEvent::SuiteEnded { suite, .. } => {
                let page = self.book.suites().iter().rev().find(|page| page.suite == *suite);
                page.map(|page| self.suite_ended(page)).unwrap_or_default()
            }
            RunEvent::NeverExercised { messages, faults } => {
                self.never_exercised("messages", messages) + &self.never_exercised("faults", faults)
            }
            RunEvent::RunEnded { duration_us, .. } => self.run_ended(*duration_us),
            RunEvent::UnitStarted { .. }
            | RunEvent::PeerStarted { .. }
            | RunEvent::StepStarted { .. }
            | RunEvent::StepEnded { .. }
            | RunEvent::CallStarted { .. }
            | RunEvent::CallEnded { .. }
            | RunEvent::PeerEvent { .. }
            | RunEvent::WireMessage { .. }
            | RunEvent::PeerLog { .. }
            | RunEvent::NetworkStarted { .. }
            | RunEvent::Disturbance { .. }
            | RunEvent::Account { .. }
            | RunEvent::Searched { .. }
            | RunEvent::Measured { .. }
            | RunEvent::PeerExited { .. }
            | RunEvent::CheckEnded { .. }
            | RunEvent::CellRecalled { .. }
            | RunEvent::SuiteStarted { .. } => String::new(),
        }
    }

    /// What goes on at `now_us` of the run's clock: one line a running unit or suite, at most
    /// `lines_max` of at most `columns` characters, without line ends.
    pub fn live(&self, now_us: u64, columns: usize, lines_max: usize) -> Vec<String> {
        let frame = usize::try_from(now_us / 100_000).unwrap_or_default() % FRAMES.len();
        let spinner = FRAMES[frame];
        let units = self.book.units().iter().filter(|page| page.end.is_none());
        let units = units.map(|page| {
            let doing = page.open_steps.iter().next_back();
            let doing = doing.map_or_else(
                || "starting or ending its peers".to_owned(),
                |(step, at)| format!("step {}: {}", step.0, at.text),
            );
            (page.started_us, format!("{}  {doing}", page.title()))
        });
        let is_cell = |page: &&UnitPage| self.book.grid().cell(&page.unit).is_some();
        if let Some(page) = self.book.units().iter().rfind(|page| page.end.is_none())
            && is_cell(&page)
        {
            return matrix::terminal::live(self.book.grid(), self.palette, columns, lines_max);
        }
        let suites = self.book.suites().iter().filter(|page| page.end.is_none());
        let suites = suites.map(|page| {
            let failed = page.failures().count();
            (
                page.started_us,
                format!("suite {}: {} tests, {failed} failed", page.suite, page.tests.len()),
            )
        });
        let line = |(started_us, text): (u64, String)| {
            let elapsed = time(now_us.saturating_sub(started_us));
            clipped(&tame(&format!("{spinner} {elapsed:>9}  {text}")), columns)
        };
        units.chain(suites).take(lines_max).map(line).collect()
    }

    /// What has been read so far.
    pub fn book(&self) -> &Book {
        &self.book
    }

    fn unit_ended(&self, page: &UnitPage) -> String {
        let Some(end) = &page.end else { return String::new() };
        if end.verdict.kind() != VerdictKind::Passed {
            let command = self.book.run().map(|run| run.command.as_slice()).unwrap_or_default();
            return format!("\n{}\n", failure::block(page, command, self.palette));
        }
        let verdict = self.palette.verdict(VerdictKind::Passed);
        let cast = self.palette.paint(Ink::Faint, format!("({})", page.cast()));
        let accounts = page.accounts.text(self.palette);
        format!(
            "{verdict} {:>9}  {} {cast}\n{accounts}",
            time(end.duration_us),
            tame(&page.label())
        )
    }

    /// A cell: what is in the grid anyway is not told twice.
    fn cell_ended(&self, page: &UnitPage) -> String {
        let Some(end) = &page.end else { return String::new() };
        let kind = end.verdict.kind();
        let told = self.failures_told < FAILURES_TOLD_MAX;
        match kind {
            // Told once for all of them, below the grid.
            VerdictKind::Absent => String::new(),
            VerdictKind::Passed | VerdictKind::Unsupported if self.cells == Cells::Drawn => {
                String::new()
            }
            VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Infra if told => {
                self.unit_ended(page)
            }
            VerdictKind::Passed
            | VerdictKind::Unsupported
            | VerdictKind::Failed
            | VerdictKind::TimedOut
            | VerdictKind::Infra
            | VerdictKind::DidNotFit => {
                let verdict = self.palette.verdict(kind);
                let cast = self.palette.paint(Ink::Faint, format!("({})", page.cast()));
                let reason = end.verdict.reason();
                let reason = reason.lines().next().map(|line| format!(": {}", tame(line)));
                let (took, label) = (time(end.duration_us), tame(&page.label()));
                format!("{verdict} {took:>9}  {label} {cast}{}\n", reason.unwrap_or_default())
            }
        }
    }

    /// What a rule keeps from being run is told at once; every other healing with its unit.
    fn skipped(&self, unit: &UnitId, healing: &Healing) -> String {
        if healing.standing != Standing::Skipped {
            return String::new();
        }
        let word = self.palette.paint(Ink::Doubtful, "SKIP");
        let Healing { class, act, .. } = healing;
        format!("{word}  {}: {}\n", tame(unit.as_str()), tame(&format!("{class}; {act}")))
    }

    /// What failed and then passed unchanged is no plain pass: it is told by name, with what it said when it failed.
    fn flaky(&self, name: &str, reason: &str) -> String {
        let word = self.palette.paint(Ink::Doubtful, "FLAKY");
        let name = tame(name);
        let mut text = format!("\n{word}  {name}: failed, and passed when it was tried again\n");
        let skipped = reason.lines().count().saturating_sub(SUITE_OUTPUT_LINES_MAX);
        for line in reason.lines().skip(skipped) {
            let _ = writeln!(text, "    {}", tame(line));
        }
        text
    }

    fn never_exercised(&self, what: &str, names: &[String]) -> String {
        if names.is_empty() {
            return String::new();
        }
        let word = self.palette.paint(Ink::Doubtful, "warning:");
        format!("{word} never exercised: {what} {}\n", tame(&names.join(", ")))
    }

    /// Tests that pass are counted, not listed: a suite has thousands.
    fn suite_test(&self, test: &SuiteTest) -> String {
        let Outcome::Failed { reason } = &test.outcome else { return String::new() };
        let verdict = self.palette.verdict(VerdictKind::Failed);
        let mut text = format!("\n{verdict} {:>9}  {}\n", time(test.duration_us), tame(&test.name));
        let skipped = reason.lines().count().saturating_sub(SUITE_OUTPUT_LINES_MAX);
        if skipped > 0 {
            let _ = writeln!(text, "    ({skipped} lines before these)");
        }
        for line in reason.lines().skip(skipped) {
            let _ = writeln!(text, "    {}", tame(line));
        }
        text
    }

    fn suite_ended(&self, page: &SuitePage) -> String {
        let Some(end) = &page.end else { return String::new() };
        let (kind, reason) = match &end.outcome {
            Outcome::Passed => (VerdictKind::Passed, String::new()),
            Outcome::Failed { reason } => {
                (VerdictKind::Failed, format!("\n    {}", reason.replace('\n', "\n    ")))
            }
            Outcome::Skipped { reason } => (VerdictKind::DidNotFit, format!(": {reason}")),
        };
        format!(
            "{} {:>9}  suite {}: {} passed, {} failed{reason}\n",
            self.palette.verdict(kind),
            time(end.duration_us),
            page.suite,
            end.passed,
            end.failed
        )
    }

    fn run_ended(&self, duration_us: u64) -> String {
        let mut text = String::from("\n");
        let grid = self.book.grid();
        let outside = self.book.units().iter().any(|page| grid.cell(&page.unit).is_none());
        if !grid.is_empty() {
            text.push_str(&matrix::terminal::grid(grid, self.palette));
            text.push_str(&matrix::notes::text(grid, self.palette));
        }
        if outside || !self.book.suites().is_empty() {
            text.push_str(&table::table(&self.book, self.palette));
        } else if grid.is_empty() {
            text.push_str(&shards::nothing_ran(&self.book));
        }
        text.push_str(&table::footer(&self.book, self.palette));
        text.push_str(&shards::faults(&self.book, self.palette));
        let _ = writeln!(text, "took {}", time(duration_us));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn read_all(events: Vec<Recorded>) -> (Console, String) {
        let mut console = Console::new(Palette::Plain, Cells::Listed);
        let text = events.iter().map(|event| console.read(event)).collect();
        (console, text)
    }

    #[test]
    fn a_passed_unit_is_one_line_and_a_row() {
        let (_, text) = read_all(sample::passed_events());
        assert!(text.contains("PASS      40 ms  two peers meet (a=entity b=entity)\n"), "{text}");
        assert_eq!(text.matches("two peers meet").count(), 2, "{text}");
    }

    #[test]
    fn variants_and_rounds_are_told_apart() {
        let mut events = sample::passed_events();
        for recorded in &mut events {
            let text = serde_json::to_string(recorded).unwrap();
            let text = text.replace("\"unit\":\"u1\"", "\"unit\":\"u1[nonce=*[0-9]] (a=x) #3\"");
            *recorded = serde_json::from_str(&text).unwrap();
        }
        let (_, text) = read_all(events);
        assert!(text.contains("two peers meet [nonce=*[0-9]] #3 (a=entity"), "{text}");
    }

    #[test]
    fn a_failed_unit_tells_why() {
        let (_, text) = read_all(sample::failed_events());
        assert!(text.contains("expected ready"), "{text}");
    }

    #[test]
    fn whose_a_failure_is_stands_below_it() {
        let (_, text) = read_all(sample::healed_events(Standing::Known));
        let line = "healing: known: late; marked as known, https://example.org/7: stands (rule late, https://example.org/7)";
        assert!(text.contains(line), "{text}");
        let (_, text) = read_all(sample::healed_events(Standing::Skipped));
        assert!(text.contains("SKIP  u1: known: late; marked as known"), "{text}");
    }

    #[test]
    fn what_runs_is_shown_with_its_step_and_time() {
        let mut events = sample::failed_events();
        events.truncate(4);
        let (console, _) = read_all(events);
        let live = console.live(2_000_000, 200, 5);
        assert_eq!(live.len(), 1);
        assert!(live[0].contains("two peers meet") && live[0].contains("step"), "{live:?}");
        assert!(console.live(0, 10, 5)[0].chars().count() <= 10);
        assert!(console.live(0, 10, 0).is_empty());
    }

    #[test]
    fn what_a_run_did_not_reach_is_a_line_of_each_sort() {
        let line = |messages: &[&str], faults: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let event =
                RunEvent::NeverExercised { messages: owned(messages), faults: owned(faults) };
            read_all(vec![Recorded { at_us: 1, event }]).1
        };
        assert_eq!(line(&["bye"], &[]), "warning: never exercised: messages bye\n");
        let both =
            "warning: never exercised: messages bye\nwarning: never exercised: faults mtu, rate\n";
        assert_eq!(line(&["bye"], &["mtu", "rate"]), both);
    }

    #[test]
    fn a_run_without_units_says_so() {
        let (_, text) = read_all(sample::empty_events());
        assert!(text.contains("nothing ran"), "{text}");
    }

    #[test]
    fn the_output_of_a_failed_test_is_cut_at_its_start() {
        let lines: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        let (_, text) = read_all(sample::suite_events_with(&lines.join("\n")));
        assert!(text.contains("(60 lines before these)") && text.contains("line 99"), "{text}");
        assert!(!text.contains("line 59\n"), "{text}");
    }
}
