//! The counts of a run, from its events.

use handfast_matrix::expected::{Comparison, compare};
use handfast_scenario::event::{Expected, Healing, Outcome, Standing, Summary};
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{ExitCode, RunEvent};

/// Why a suite without a single test failed.
pub(crate) const RAN_NOTHING: &str = "it ran no test";

/// Counts events into a [`Summary`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    summary: Summary,
    empty_suites: u64,
    ends_at_failure: bool,
}

impl Tally {
    /// Counts from nothing; with `ends_at_failure` the first failure is [enough](Self::is_enough).
    pub(crate) fn new(ends_at_failure: bool) -> Self {
        Self { ends_at_failure, ..Self::default() }
    }

    /// Whether nothing more is to begin: something has failed, or could not be carried out, and that was to be the end.
    pub(crate) fn is_enough(&self) -> bool {
        let code = ExitCode::of(&self.summary());
        self.ends_at_failure && matches!(code, ExitCode::ProductFailure | ExitCode::Infrastructure)
    }

    /// Counts what an event adds.
    pub fn count(&mut self, event: &RunEvent) {
        if let RunEvent::UnitEnded { verdict, .. } = event {
            self.unit(verdict);
        }
        if let RunEvent::SuiteEnded { outcome, passed, failed, .. } = event {
            self.suite(outcome, *passed, *failed);
        }
        if matches!(event, RunEvent::UnitFlaky { .. } | RunEvent::SuiteTestFlaky { .. }) {
            self.flaky(1);
        }
        if let RunEvent::UnitHealing { healing, .. } = event {
            self.healing(healing);
        }
    }

    /// Counts what was made of a failure.
    pub fn healing(&mut self, healing: &Healing) {
        let is_failure = matches!(healing.verdict, VerdictKind::Failed | VerdictKind::TimedOut);
        let is_infra = healing.verdict == VerdictKind::Infra;
        let summary = &mut self.summary;
        match healing.standing {
            Standing::Decides => {}
            Standing::Skipped => summary.skipped += 1,
            Standing::Known => summary.known += u64::from(is_failure),
            Standing::Quarantined => summary.quarantined += u64::from(is_failure),
        }
        let is_set_aside = matches!(healing.standing, Standing::Known | Standing::Quarantined);
        summary.infra_known += u64::from(is_set_aside && is_infra);
        summary.healed += u64::from(healing.is_healed);
        // What could be begun only after a repair failed in no try: it has no other event that says so.
        let is_before = healing.verdict == VerdictKind::Absent;
        summary.flaky += u64::from(healing.is_healed && is_before);
    }

    /// Counts what failed once and then passed unchanged.
    pub fn flaky(&mut self, count: u64) {
        self.summary.flaky += count;
    }

    /// Counts a unit that ended.
    pub fn unit(&mut self, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Passed => &mut self.summary.passed,
            Verdict::Failed { .. } => &mut self.summary.failed,
            Verdict::Infra { .. } => &mut self.summary.infra,
            Verdict::TimedOut { .. } => &mut self.summary.timed_out,
            Verdict::Unsupported { .. } => &mut self.summary.unsupported,
            Verdict::Absent { allowed, .. } => {
                self.summary.absent_allowed += u64::from(*allowed);
                &mut self.summary.absent
            }
            Verdict::DidNotFit { .. } => &mut self.summary.not_run,
        };
        *counter += 1;
    }

    /// Counts a cell that ended, beside what was expected of it.
    pub fn cell(&mut self, verdict: &Verdict, expected: Option<&Expected>) {
        self.unit(verdict);
        self.compare(verdict, expected);
    }

    /// Counts a cell whose verdict is taken over from an earlier run.
    pub fn recalled(&mut self, verdict: &Verdict, expected: Option<&Expected>) {
        if verdict.is_passed() {
            self.summary.recalled += 1;
        } else {
            self.unit(verdict);
        }
        self.compare(verdict, expected);
    }

    /// Counts mistakes in the file of expected results.
    pub fn expectation_faults(&mut self, faults: usize) {
        self.summary.expectation_faults += u64::try_from(faults).unwrap_or(u64::MAX);
    }

    fn compare(&mut self, verdict: &Verdict, expected: Option<&Expected>) {
        let kind = verdict.kind();
        match compare(expected, kind) {
            Comparison::AsExpected => {
                let failed = matches!(kind, VerdictKind::Failed | VerdictKind::TimedOut);
                self.summary.as_expected += u64::from(failed);
            }
            Comparison::UnexpectedPass => self.summary.unexpected_passes += 1,
            Comparison::Plain | Comparison::Otherwise => {}
        }
    }

    /// Counts a suite that ended.
    pub fn suite(&mut self, outcome: &Outcome, passed: u64, failed: u64) {
        self.summary.suite_tests_passed += passed;
        self.summary.suite_tests_failed += failed;
        if matches!(outcome, Outcome::Failed { .. }) {
            // One that could not be compiled has failed: nobody knows what it would have run.
            let nothing_ran =
                matches!(outcome, Outcome::Failed { reason } if reason == RAN_NOTHING);
            let counter =
                if nothing_ran { &mut self.empty_suites } else { &mut self.summary.suites_failed };
            *counter += 1;
        }
    }

    /// Counts units that were never begun.
    pub fn not_run(&mut self, units: usize) {
        self.summary.not_run += u64::try_from(units).unwrap_or(u64::MAX);
    }

    /// Counts a category whose time was over before its work was.
    pub fn budget_spent(&mut self) {
        self.summary.budgets_spent += 1;
    }

    /// The counts so far.
    ///
    /// A suite without a single test is a failed suite; but where nothing else ran either, the run as a
    /// whole is one in which nothing ran, which has an exit code of its own.
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary;
        let ran = summary.passed + summary.failed + summary.infra + summary.timed_out;
        let ran = ran + summary.recalled;
        let ran =
            ran + summary.suite_tests_passed + summary.suite_tests_failed + summary.suites_failed;
        if ran > 0 {
            summary.suites_failed += self.empty_suites;
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use handfast_scenario::ExitCode;
    use handfast_scenario::name::SuiteName;
    use handfast_scenario::plan::UnitId;

    use super::*;

    fn unit(verdict: Verdict) -> RunEvent {
        RunEvent::UnitEnded { unit: UnitId::new("u"), verdict, duration_us: 1, cpu_us: 0 }
    }

    fn suite(good: bool, passed: u64, failed: u64) -> RunEvent {
        let reason = if passed + failed == 0 { RAN_NOTHING } else { "some failed" }.to_owned();
        let outcome = if good { Outcome::Passed } else { Outcome::Failed { reason } };
        let suite = SuiteName::new("cargo").unwrap();
        RunEvent::SuiteEnded { suite, outcome, passed, failed, duration_us: 1 }
    }

    #[track_caller]
    fn check(events: &[RunEvent], expected: ExitCode) {
        let mut tally = Tally::default();
        for event in events {
            tally.count(event);
        }
        assert_eq!(ExitCode::of(&tally.summary()), expected);
    }

    #[test]
    fn what_passed_ends_well() {
        check(&[unit(Verdict::Passed), suite(true, 3, 0)], ExitCode::Passed);
    }

    #[test]
    fn an_empty_suite_beside_others_is_a_failure() {
        check(&[unit(Verdict::Passed), suite(false, 0, 0)], ExitCode::ProductFailure);
    }

    #[test]
    fn an_empty_suite_alone_is_nothing_that_ran() {
        check(&[suite(false, 0, 0)], ExitCode::NothingRan);
    }

    #[test]
    fn a_suite_that_could_not_be_compiled_is_a_failure() {
        let outcome = Outcome::Failed { reason: "suite cargo did not build".to_owned() };
        let suite = SuiteName::new("cargo").unwrap();
        check(
            &[RunEvent::SuiteEnded { suite, outcome, passed: 0, failed: 0, duration_us: 1 }],
            ExitCode::ProductFailure,
        );
    }

    #[test]
    fn infrastructure_has_its_own_exit_code() {
        check(&[unit(Verdict::Infra { reason: String::new() })], ExitCode::Infrastructure);
    }

    #[test]
    fn what_passed_only_when_tried_again_is_no_plain_pass() {
        let verdict = Verdict::Failed { reason: String::new() };
        let flaky = RunEvent::UnitFlaky { unit: UnitId::new("u"), verdict };
        check(&[flaky.clone(), unit(Verdict::Passed)], ExitCode::OnlyFlaky);
        check(&[flaky, unit(Verdict::Passed), suite(false, 1, 1)], ExitCode::ProductFailure);
        let suite_name = SuiteName::new("cargo").unwrap();
        let test = RunEvent::SuiteTestFlaky {
            suite: suite_name,
            test: "t".to_owned(),
            reason: String::new(),
        };
        check(&[test, suite(true, 1, 0)], ExitCode::OnlyFlaky);
    }

    fn healing(verdict: VerdictKind, standing: Standing, is_healed: bool) -> RunEvent {
        let healing = Healing {
            verdict,
            class: String::new(),
            evidence: Vec::new(),
            act: String::new(),
            outcome: String::new(),
            is_healed,
            standing,
            entry: serde_json::Value::Null,
        };
        RunEvent::UnitHealing { unit: UnitId::new("u"), healing }
    }

    #[test]
    fn what_is_known_or_in_quarantine_decides_nothing_and_what_was_healed_is_flaky() {
        let failed = || unit(Verdict::Failed { reason: String::new() });
        let infra = || unit(Verdict::Infra { reason: String::new() });
        let (kind, passed) = (VerdictKind::Failed, unit(Verdict::Passed));
        for standing in [Standing::Known, Standing::Quarantined] {
            check(&[healing(kind, standing, false), failed(), passed.clone()], ExitCode::Passed);
            check(&[healing(kind, standing, false), failed(), failed()], ExitCode::ProductFailure);
            let infra_healing = healing(VerdictKind::Infra, standing, false);
            check(&[infra_healing, infra(), passed.clone()], ExitCode::Passed);
        }
        let decides = healing(kind, Standing::Decides, false);
        check(&[decides, failed(), passed.clone()], ExitCode::ProductFailure);
        let before = healing(VerdictKind::Absent, Standing::Decides, true);
        check(&[before, passed.clone()], ExitCode::OnlyFlaky);
        let skipped = healing(VerdictKind::Passed, Standing::Skipped, false);
        check(&[skipped.clone(), passed], ExitCode::Passed);
        check(&[skipped], ExitCode::NothingRan);
    }

    #[test]
    fn a_spent_budget_has_its_own_exit_code() {
        let mut tally = Tally::default();
        tally.count(&unit(Verdict::Passed));
        tally.budget_spent();
        tally.not_run(2);
        assert_eq!(ExitCode::of(&tally.summary()), ExitCode::BudgetSpent);
        assert_eq!(tally.summary().not_run, 2);
    }
}
