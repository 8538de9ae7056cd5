//! What is thought of one test by its outcomes.

use handfast_history::questions::Seen;
use handfast_report::quantity::median;
use handfast_trend::evaluate::flaky::HALF_LIFE;
use handfast_trend::flaky::rate::Rate;
use handfast_trend::flaky::test::{Outcome, State, Test};

/// What is thought of a test, and from what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    /// The state.
    pub(super) state: State,
    /// How often it fails, in first tries.
    pub(super) rate: Rate,
    /// Runs in which it passed or failed.
    pub(super) judged: usize,
    /// What the middle one of its passes took, and of how many; nothing where none passed, or nobody knows how long.
    pub(super) takes_us: Option<(u64, usize)>,
}

/// Outcomes that are looked at: as many as it takes until one counts half.
pub(super) const OUTCOMES: usize = 500;

/// What is thought of a test with these outcomes, the newest first; nothing where it never passed and never failed.
///
/// One test alone: failures of runs in which everything failed count as any other.
pub(super) fn standing(outcomes: &[Seen]) -> Option<Standing> {
    let mut test = Test::new(HALF_LIFE);
    let mut judged = 0;
    for seen in outcomes.iter().rev() {
        let outcome = match seen.kind.as_str() {
            "passed" => Outcome::Passed,
            "failed" | "timed_out" => Outcome::Failed,
            // Nothing was found out about the test.
            _ => continue,
        };
        judged += 1;
        if seen.is_flaky {
            test.observe(Outcome::Failed);
            test.again(outcome);
        } else {
            test.observe(outcome);
        }
    }
    let passes = outcomes.iter().filter(|seen| seen.kind == "passed" && seen.duration_us > 0);
    let passes: Vec<u64> = passes.map(|seen| seen.duration_us).collect();
    (judged > 0).then(|| Standing {
        state: test.state(),
        rate: test.rate(),
        judged,
        takes_us: median(&passes).map(|middle| (middle, passes.len())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.` passed, `x` failed, `h` hung, `f` passed the second time, `i` infrastructure; the oldest first.
    #[track_caller]
    fn check(outcomes: &str, expected: Option<(State, usize)>) {
        let seen = |letter| {
            let (kind, is_flaky) = match letter {
                '.' => ("passed", false),
                'x' => ("failed", false),
                'h' => ("timed_out", false),
                'f' => ("passed", true),
                _ => ("infra", false),
            };
            let (run, kind) = (String::new(), kind.to_owned());
            Seen { run, kind, is_flaky, duration_us: 7, ended_unix_us: 0 }
        };
        let seen: Vec<Seen> = outcomes.chars().rev().map(seen).collect();
        let found = standing(&seen);
        assert_eq!(found.map(|found| (found.state, found.judged)), expected, "{outcomes}");
    }

    #[test]
    fn the_state_follows_from_the_outcomes() {
        check("", None);
        check("ii", None);
        check("....", Some((State::Healthy, 4)));
        check("..i..x", Some((State::Suspect, 5)));
        check("...f.", Some((State::Flaky, 5)));
        check("........xhxx", Some((State::Broken, 12)));
        check("..x..x", Some((State::Flaky, 6)));
    }

    #[test]
    fn a_pass_at_the_second_try_is_a_failure_of_the_rate() {
        let one = |is_flaky| Seen {
            run: String::new(),
            kind: "passed".to_owned(),
            is_flaky,
            duration_us: 7,
            ended_unix_us: 0,
        };
        let sure = standing(&[one(false), one(false)]).unwrap();
        let lucky = standing(&[one(true), one(false)]).unwrap();
        assert!(lucky.rate.mean > sure.rate.mean);
        assert_eq!(lucky.takes_us, Some((7, 2)));
    }
}
