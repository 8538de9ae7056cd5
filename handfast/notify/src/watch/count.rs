//! Counts of a run, and texts that are short enough to be kept.

use handfast_scenario::event::{Standing, Summary};
use handfast_scenario::verdict::{Verdict, VerdictKind};

use super::TEXT_LEN_MAX;
use crate::letter::Class;

/// The class that a verdict is red in, unless something else was expected.
pub(super) fn class_of(verdict: &Verdict) -> Option<Class> {
    match verdict {
        Verdict::Failed { .. } | Verdict::TimedOut { .. } => Some(Class::Product),
        Verdict::Infra { .. } | Verdict::Absent { allowed: false, .. } => Some(Class::Infra),
        Verdict::Passed
        | Verdict::Unsupported { .. }
        | Verdict::Absent { .. }
        | Verdict::DidNotFit { .. } => None,
    }
}

pub(super) fn count(summary: &mut Summary, verdict: &Verdict, recalled: bool) {
    let counter = match verdict {
        Verdict::Passed if recalled => &mut summary.recalled,
        Verdict::Passed => &mut summary.passed,
        Verdict::Failed { .. } => &mut summary.failed,
        Verdict::Infra { .. } => &mut summary.infra,
        Verdict::TimedOut { .. } => &mut summary.timed_out,
        Verdict::Unsupported { .. } => &mut summary.unsupported,
        Verdict::Absent { allowed, .. } => {
            summary.absent_allowed += u64::from(*allowed);
            &mut summary.absent
        }
        Verdict::DidNotFit { .. } => &mut summary.not_run,
    };
    *counter += 1;
}

/// Counts what is known by a rule or in quarantine; whether it decides nothing.
pub(super) fn set_aside(summary: &mut Summary, standing: Standing, kind: VerdictKind) -> bool {
    let is_failure = matches!(kind, VerdictKind::Failed | VerdictKind::TimedOut);
    let is_infra = kind == VerdictKind::Infra;
    let counter = match standing {
        Standing::Known if is_failure => &mut summary.known,
        Standing::Quarantined if is_failure => &mut summary.quarantined,
        Standing::Known | Standing::Quarantined if is_infra => &mut summary.infra_known,
        Standing::Known | Standing::Quarantined | Standing::Decides | Standing::Skipped => {
            return false;
        }
    };
    *counter += 1;
    true
}

/// Adds the counts of two runs.
pub(super) fn sum(a: &Summary, b: &Summary) -> Summary {
    Summary {
        passed: a.passed + b.passed,
        failed: a.failed + b.failed,
        infra: a.infra + b.infra,
        timed_out: a.timed_out + b.timed_out,
        unsupported: a.unsupported + b.unsupported,
        flaky: a.flaky + b.flaky,
        not_run: a.not_run + b.not_run,
        budgets_spent: a.budgets_spent + b.budgets_spent,
        suites_failed: a.suites_failed + b.suites_failed,
        suite_tests_passed: a.suite_tests_passed + b.suite_tests_passed,
        suite_tests_failed: a.suite_tests_failed + b.suite_tests_failed,
        absent: a.absent + b.absent,
        absent_allowed: a.absent_allowed + b.absent_allowed,
        recalled: a.recalled + b.recalled,
        as_expected: a.as_expected + b.as_expected,
        unexpected_passes: a.unexpected_passes + b.unexpected_passes,
        expectation_faults: a.expectation_faults + b.expectation_faults,
        shard_faults: a.shard_faults + b.shard_faults,
        known: a.known + b.known,
        quarantined: a.quarantined + b.quarantined,
        infra_known: a.infra_known + b.infra_known,
        skipped: a.skipped + b.skipped,
        healed: a.healed + b.healed,
    }
}

/// The first [`TEXT_LEN_MAX`] characters, on one line.
pub(super) fn short(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = line.clone().take(TEXT_LEN_MAX).collect();
    if line.count() > TEXT_LEN_MAX {
        short.pop();
        short.push('…');
    }
    short
}

pub(super) fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
