//! From what was measured to what follows.

use std::collections::BTreeMap;

use handfast_perf::compare::Baseline;
use handfast_perf::incident::{Decision, Look, Suspicion, decide};
use handfast_perf::{Aim, Aims, Figure, Metric, Standing};
use handfast_runner::perf::Measured;
use serde_json::{Value, json};

/// What is known of a pair of peers before it is measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// What runs before this one have measured.
    pub(super) baselines: BTreeMap<Metric, Baseline>,
    /// Metrics with an open incident.
    pub(super) open: BTreeMap<Metric, String>,
}

/// What follows for one metric.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) metric: Metric,
    pub(super) aim: Option<Aim>,
    pub(super) standing: Option<Standing>,
    pub(super) baseline: Option<Baseline>,
    /// What it costs, as a multiple of the baseline, where that makes it suspect.
    pub(super) worse: Option<f64>,
    first: Look,
    pub(super) further: Vec<Look>,
    pub(super) decision: Decision,
}

/// A pair of peers, measured and judged.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) measured: Measured,
    pub(super) findings: Vec<Finding>,
    open: BTreeMap<Metric, String>,
}

impl Judged {
    /// Judges what was measured first.
    pub(super) fn new(measured: Measured, aims: &Aims, known: &Known) -> Self {
        let finding = |figure: &Figure| {
            let metric = figure.metric;
            let baseline = known.baselines.get(&metric).cloned();
            let worse = baseline.as_ref().and_then(|baseline| baseline.suspects(figure));
            let first = look(figure, aims, known);
            let decision = decide(first, &[], known.open.contains_key(&metric));
            Finding {
                metric,
                aim: aims.of(metric),
                standing: aims.judge(metric, figure.judged),
                baseline,
                worse,
                first,
                further: Vec::new(),
                decision,
            }
        };
        let findings = measured.figures.iter().map(finding).collect();
        Self { measured, findings, open: known.open.clone() }
    }

    /// Whether peers that are started anew have to be looked at.
    pub(super) fn wants_look(&self) -> bool {
        self.findings.iter().any(|finding| matches!(finding.decision, Decision::LookAgain(_)))
    }

    /// Whether something that is counted has to be looked at.
    pub(super) fn wants_count(&self) -> bool {
        let is_wanted = |finding: &Finding| matches!(finding.decision, Decision::LookAgain(_));
        self.findings.iter().any(|finding| finding.metric.is_counter() && is_wanted(finding))
    }

    /// One more look; `is_worse` says how the same rounds stand to a build that is known, where one was named.
    pub(super) fn look(
        &mut self,
        again: &Measured,
        aims: &Aims,
        known: &Known,
        is_worse: impl Fn(Metric) -> Option<bool>,
    ) {
        for finding in &mut self.findings {
            if !matches!(finding.decision, Decision::LookAgain(_)) {
                continue;
            }
            let Some(figure) = again.figure(finding.metric) else { continue };
            let mut seen = look(figure, aims, known);
            if finding.first == Look::Suspect(Suspicion::Worse)
                && seen != Look::Suspect(Suspicion::Alert)
                && let Some(is_worse) = is_worse(finding.metric)
            {
                seen = if is_worse { Look::Suspect(Suspicion::Worse) } else { Look::Well };
            }
            finding.further.push(seen);
            let is_open = self.open.contains_key(&finding.metric);
            finding.decision = decide(finding.first, &finding.further, is_open);
        }
    }

    /// The name under which the history knows an incident of a metric.
    pub(super) fn subject(&self, metric: Metric) -> String {
        subject(&self.measured.pair, metric)
    }

    /// The incident of a metric that is open from before.
    pub(super) fn open(&self, metric: Metric) -> Option<&String> {
        self.open.get(&metric)
    }

    /// Whether something is wrong with the peers.
    pub(super) fn is_failure(&self) -> bool {
        self.measured.failed > 0
            || self.findings.iter().any(|finding| finding.decision.is_failure())
    }

    /// The same for a program.
    pub(super) fn json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "metric": finding.metric, "aim": finding.aim, "standing": finding.standing,
                "baseline": finding.baseline, "worse": finding.worse,
                "further_looks": finding.further, "decision": finding.decision,
            })
        };
        let findings: Vec<Value> = self.findings.iter().map(finding).collect();
        json!({ "measured": self.measured, "findings": findings })
    }
}

/// The name under which the history knows an incident of a pair and a metric.
pub(super) fn subject(pair: &str, metric: Metric) -> String {
    format!("perf {pair}: {metric}")
}

fn look(figure: &Figure, aims: &Aims, known: &Known) -> Look {
    let standing = aims.judge(figure.metric, figure.judged);
    let worse = known.baselines.get(&figure.metric).and_then(|baseline| baseline.suspects(figure));
    match (standing, worse) {
        (Some(Standing::Alert), _) => Look::Suspect(Suspicion::Alert),
        (_, Some(_)) => Look::Suspect(Suspicion::Worse),
        (Some(Standing::Warning), None) => Look::Warning,
        (Some(Standing::Met) | None, None) => Look::Well,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use handfast_perf::Latencies;
    use handfast_runner::perf::Limits;

    use super::*;

    fn measured(latency_us: f64) -> Measured {
        of_values(&[(Metric::Latency, latency_us)])
    }

    /// What a run of one round with these values would have measured.
    pub(in crate::commands::perf) fn of_values(values: &[(Metric, f64)]) -> Measured {
        let figure = |(metric, value): &(Metric, f64)| Figure::of_rounds(*metric, vec![*value]);
        let mut some = Latencies::new();
        some.record(0, 1);
        let some = some.percentiles().unwrap();
        Measured {
            pair: "a -> b".to_owned(),
            protocol: None,
            figures: values.iter().filter_map(figure).collect(),
            handshakes: some,
            latencies: some,
            late: some,
            limits: Limits { loopback: some, call: some, calls_per_second: 1.0 },
            messages: 1,
            failed: 0,
            first_failure: None,
            detours: 0,
        }
    }

    /// Six earlier runs of a millisecond.
    fn known() -> Known {
        let baseline = Baseline::new(Metric::Latency, &[1_000.0; 6]).unwrap();
        Known { baselines: BTreeMap::from([(Metric::Latency, baseline)]), ..Known::default() }
    }

    /// A first look, and further ones until none is wanted; whether the build is worse than a known one is said by `is_worse`.
    fn decided(looks: &[f64], known: &Known, is_worse: Option<bool>) -> Decision {
        let aims = Aims::default();
        let mut judged = Judged::new(measured(looks[0]), &aims, known);
        for look in &looks[1..] {
            assert!(judged.wants_look(), "{looks:?}");
            judged.look(&measured(*look), &aims, known, |_| is_worse);
        }
        assert!(!judged.wants_look(), "{looks:?}");
        judged.findings[0].decision
    }

    #[test]
    fn what_is_worse_than_earlier_runs_is_confirmed_before_it_is_an_incident() {
        let known = known();
        assert_eq!(decided(&[1_010.0], &known, None), Decision::Well);
        let open = Decision::Open(Suspicion::Worse);
        assert_eq!(decided(&[1_500.0, 1_490.0, 1_510.0], &known, None), open);
        let slow_minute = Decision::NotConfirmed(Suspicion::Worse);
        assert_eq!(decided(&[1_500.0, 1_000.0], &known, None), slow_minute);
        assert_eq!(decided(&[1_500.0], &Known::default(), None), Decision::Well);
    }

    #[test]
    fn a_known_build_in_turns_decides_over_the_past() {
        let known = known();
        // The machine became slower, and the known build with it.
        let machine = Decision::NotConfirmed(Suspicion::Worse);
        assert_eq!(decided(&[1_500.0, 1_500.0], &known, Some(false)), machine);
        let open = Decision::Open(Suspicion::Worse);
        assert_eq!(decided(&[1_500.0, 1_000.0, 1_000.0], &known, Some(true)), open);
        // An alert is one whatever else is as slow.
        let alert = Decision::Open(Suspicion::Alert);
        assert_eq!(decided(&[300e3, 300e3, 300e3], &known, Some(false)), alert);
    }

    #[test]
    fn an_open_incident_is_not_opened_again_and_closes() {
        let mut known = known();
        known.open.insert(Metric::Latency, "r1-1".to_owned());
        assert_eq!(decided(&[300e3], &known, None), Decision::StillOpen(Suspicion::Alert));
        assert_eq!(decided(&[1_000.0], &known, None), Decision::Close);
    }
}
