//! The exit code of `handfast`, computed in one place.

use serde::{Deserialize, Serialize};

use crate::event::Summary;

/// How the program ends, as its parent process sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitCode {
    /// 0: everything that ran passed, and something ran.
    Passed,
    /// 1: the product failed, or hung until its unit was ended by force.
    ProductFailure,
    /// 2: the command line or a file of the project is wrong; nothing was started.
    Usage,
    /// 3: the platform or the machine failed.
    Infrastructure,
    /// 4: nothing ran: no unit matched, or every unit was unsupported.
    NothingRan,
    /// 5: the only failures were flaky ones.
    OnlyFlaky,
    /// 6: the time budget of a category was spent before all of its units ran.
    BudgetSpent,
}

impl ExitCode {
    /// The number the operating system is told.
    pub fn number(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::ProductFailure => 1,
            Self::Usage => 2,
            Self::Infrastructure => 3,
            Self::NothingRan => 4,
            Self::OnlyFlaky => 5,
            Self::BudgetSpent => 6,
        }
    }

    /// The exit code of a run that was carried out.
    ///
    /// The first that applies wins: a product failure hides nothing behind it, an infrastructure
    /// failure means that "passed" cannot be claimed, a spent budget that not all was seen.
    pub fn of(summary: &Summary) -> Self {
        let failed = summary.failed + summary.timed_out + summary.suites_failed;
        // What failed exactly as a reviewed file says is no news; what is left is.
        let told = summary.as_expected + summary.known + summary.quarantined;
        let unexpected = failed.saturating_sub(told);
        if unexpected + summary.unexpected_passes + summary.expectation_faults > 0 {
            Self::ProductFailure
        } else if summary.infra.saturating_sub(summary.infra_known) + summary.shard_faults > 0
            || summary.absent > summary.absent_allowed
        {
            Self::Infrastructure
        } else if summary.budgets_spent > 0 {
            Self::BudgetSpent
        } else if summary.flaky > 0 {
            Self::OnlyFlaky
        } else if nothing_ran(summary) {
            Self::NothingRan
        } else {
            Self::Passed
        }
    }

    /// The exit code of a shard to which the partition gave nothing, while others have something: that nothing ran is
    /// what was planned, and whether anything ran at all is said of the whole.
    pub fn of_empty_shard(summary: &Summary) -> Self {
        let code = Self::of(summary);
        if code == Self::NothingRan { Self::Passed } else { code }
    }
}

fn nothing_ran(summary: &Summary) -> bool {
    let cells = summary.passed + summary.recalled + summary.as_expected + summary.known;
    cells + summary.suite_tests_passed == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: Summary = Summary {
        passed: 1,
        failed: 0,
        infra: 0,
        timed_out: 0,
        unsupported: 0,
        flaky: 0,
        not_run: 0,
        budgets_spent: 0,
        suites_failed: 0,
        suite_tests_passed: 0,
        suite_tests_failed: 0,
        absent: 0,
        absent_allowed: 0,
        recalled: 0,
        as_expected: 0,
        unexpected_passes: 0,
        expectation_faults: 0,
        shard_faults: 0,
        known: 0,
        quarantined: 0,
        infra_known: 0,
        skipped: 0,
        healed: 0,
    };

    #[track_caller]
    fn check(summary: Summary, expected: u8) {
        assert_eq!(ExitCode::of(&summary).number(), expected);
    }

    #[test]
    fn a_run_that_passed_ends_with_0() {
        check(PASSED, 0);
        check(Summary { passed: 0, suite_tests_passed: 1, ..PASSED }, 0);
    }

    #[test]
    fn a_failure_a_hang_and_a_failed_suite_end_with_1() {
        check(Summary { failed: 1, ..PASSED }, 1);
        check(Summary { timed_out: 1, ..PASSED }, 1);
        check(Summary { suites_failed: 1, ..PASSED }, 1);
    }

    #[test]
    fn a_product_failure_comes_before_infrastructure() {
        check(Summary { failed: 1, infra: 1, ..PASSED }, 1);
    }

    #[test]
    fn infrastructure_comes_before_a_spent_budget() {
        check(Summary { infra: 1, budgets_spent: 1, ..PASSED }, 3);
    }

    #[test]
    fn a_spent_budget_ends_with_6_and_flaky_alone_with_5() {
        check(Summary { budgets_spent: 1, flaky: 1, ..PASSED }, 6);
        check(Summary { flaky: 1, ..PASSED }, 5);
    }

    #[test]
    fn nothing_that_ran_ends_with_4() {
        check(Summary { passed: 0, ..PASSED }, 4);
        check(Summary { passed: 0, unsupported: 3, ..PASSED }, 4);
    }

    #[test]
    fn what_is_known_or_in_quarantine_decides_nothing() {
        check(Summary { failed: 1, timed_out: 1, known: 1, quarantined: 1, ..PASSED }, 0);
        check(Summary { failed: 3, known: 1, quarantined: 1, ..PASSED }, 1);
        check(Summary { infra: 1, infra_known: 1, ..PASSED }, 0);
        check(Summary { infra: 2, infra_known: 1, ..PASSED }, 3);
        check(Summary { flaky: 1, healed: 1, ..PASSED }, 5);
        // A run of nothing but quarantined tests shows nothing; one of known issues shows that they are still there.
        check(Summary { passed: 0, failed: 1, quarantined: 1, ..PASSED }, 4);
        check(Summary { passed: 0, failed: 1, known: 1, ..PASSED }, 0);
        check(Summary { passed: 0, skipped: 1, ..PASSED }, 4);
    }

    #[test]
    fn what_fails_as_expected_ends_with_0_and_what_passes_unexpectedly_with_1() {
        check(Summary { failed: 1, timed_out: 1, as_expected: 2, ..PASSED }, 0);
        check(Summary { failed: 2, timed_out: 1, as_expected: 2, ..PASSED }, 1);
        check(Summary { passed: 0, failed: 1, as_expected: 1, ..PASSED }, 0);
        check(Summary { unexpected_passes: 1, ..PASSED }, 1);
        check(Summary { expectation_faults: 1, ..PASSED }, 1);
    }

    #[test]
    fn an_absent_peer_ends_with_3_unless_it_is_allowed_to_be_absent() {
        check(Summary { absent: 2, ..PASSED }, 3);
        check(Summary { absent: 2, absent_allowed: 1, ..PASSED }, 3);
        check(Summary { absent: 2, absent_allowed: 2, ..PASSED }, 0);
        check(Summary { passed: 0, absent: 2, absent_allowed: 2, ..PASSED }, 4);
    }

    #[test]
    fn a_fault_of_the_shards_ends_with_3_and_hides_no_failure() {
        check(Summary { shard_faults: 1, ..PASSED }, 3);
        check(Summary { shard_faults: 1, failed: 1, ..PASSED }, 1);
        check(Summary { shard_faults: 1, budgets_spent: 1, ..PASSED }, 3);
    }

    #[test]
    fn a_shard_that_was_given_nothing_has_passed_and_hides_nothing_else() {
        let empty = Summary { passed: 0, ..PASSED };
        assert_eq!(ExitCode::of_empty_shard(&empty), ExitCode::Passed);
        let fault = Summary { expectation_faults: 1, ..empty };
        assert_eq!(ExitCode::of_empty_shard(&fault), ExitCode::ProductFailure);
    }

    #[test]
    fn verdicts_of_earlier_runs_are_something_that_ran() {
        check(Summary { passed: 0, recalled: 1, ..PASSED }, 0);
    }

    #[test]
    fn a_usage_error_ends_with_2() {
        assert_eq!(ExitCode::Usage.number(), 2);
    }
}
