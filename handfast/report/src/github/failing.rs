//! What made a run fail.

use handfast_matrix::expected::Comparison;
use handfast_matrix::grid::Square;
use handfast_scenario::event::Outcome;
use handfast_scenario::verdict::VerdictKind;

use crate::book::{Book, Failure, SuitePage, UnitPage};
use crate::failure;
use crate::palette::Palette;

/// One thing that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// What.
    pub title: String,
    /// The scenario file, relative to the project.
    pub file: Option<String>,
    /// The line of the step that failed.
    pub line: Option<usize>,
    /// Why; the first line says most.
    pub reason: String,
    /// The command that carries out this alone.
    pub again: Option<String>,
    /// What led to it, as the console shows it; empty where there is no more to say.
    pub story: String,
}

/// All of it, the worst first: what is wrong with the whole, then scenarios, then tests of suites.
pub fn failing(book: &Book) -> Vec<Failing> {
    let of_all = |title: &'static str| {
        move |fault: &String| Failing {
            title: title.to_owned(),
            file: None,
            line: None,
            reason: fault.clone(),
            again: None,
            story: String::new(),
        }
    };
    let mut all: Vec<Failing> = Vec::new();
    all.extend(book.shard_faults().iter().map(of_all("the shards are not the whole")));
    all.extend(book.grid().faults().iter().map(of_all("the file of expected results")));
    let command = book.run().map(|run| run.command.as_slice()).unwrap_or_default();
    all.extend(book.units().iter().filter_map(|page| unit(book, page, command)));
    for page in book.suites() {
        suite(page, &mut all);
    }
    all
}

fn unit(book: &Book, page: &UnitPage, command: &[String]) -> Option<Failing> {
    let comparison = book.grid().cell(&page.unit).and_then(Square::comparison);
    let reason = match (comparison, page.end.as_ref()) {
        (Some(Comparison::AsExpected), Some(_)) => return None,
        (_, Some(_)) if page.is_set_aside() => return None,
        (Some(Comparison::UnexpectedPass), Some(_)) => {
            "it passed, but another result is expected of it".to_owned()
        }
        (_, None) => "the run ended before it did".to_owned(),
        (_, Some(end)) => match (end.verdict.kind(), &end.verdict) {
            (VerdictKind::Passed | VerdictKind::Unsupported, _)
            | (_, handfast_scenario::Verdict::Absent { allowed: true, .. }) => return None,
            (kind, verdict) => format!("{kind}: {}", verdict.reason()),
        },
    };
    let line = page.failures.iter().find_map(|failure| match failure {
        Failure::Step { at, .. } => (at.line > 0).then_some(at.line),
        Failure::Check { .. } => None,
    });
    Some(Failing {
        title: page.title(),
        file: Some(page.file.clone()),
        line,
        reason,
        again: Some(failure::repeat_command(page, command)),
        story: failure::block(page, command, Palette::Plain),
    })
}

fn suite(page: &SuitePage, all: &mut Vec<Failing>) {
    let failing = |title: String, reason: &str| Failing {
        title,
        file: None,
        line: None,
        reason: reason.trim().lines().next().unwrap_or_default().to_owned(),
        again: None,
        story: if reason.trim().lines().count() > 1 { reason.to_owned() } else { String::new() },
    };
    all.extend(
        page.failures()
            .map(|(test, reason)| failing(format!("{}: {}", page.suite, test.name), reason)),
    );
    let title = || format!("suite {}", page.suite);
    match page.end.as_ref().map(|end| &end.outcome) {
        Some(Outcome::Failed { reason }) if page.failures().next().is_none() => {
            all.push(failing(title(), reason));
        }
        Some(_) => {}
        None => all.push(failing(title(), "the run ended before it did")),
    }
}
