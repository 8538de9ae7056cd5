use std::collections::BTreeMap;

use super::change::{MARGIN, Quiet, f_measure};
use super::data::{Data, DataError};
use super::*;

#[track_caller]
fn check_measure(annotators: &[&[usize]], found: &[usize], expected: f64) {
    let annotations: BTreeMap<String, Vec<usize>> = annotators
        .iter()
        .enumerate()
        .map(|(name, marked)| (name.to_string(), marked.to_vec()))
        .collect();
    let measure = f_measure(&annotations, found, MARGIN);
    assert!((measure - expected).abs() < 1e-12, "{measure}");
}

#[test]
fn the_measure_is_that_of_the_paper() {
    check_measure(&[&[], &[]], &[], 1.0);
    check_measure(&[&[28], &[], &[28]], &[28], 1.0);
    // Precision 1, recall (1/2 + 1 + 1/2) / 3.
    check_measure(&[&[28], &[], &[28]], &[], 0.8);
    // Precision 1/2.
    check_measure(&[&[]], &[100], 2.0 / 3.0);
    check_measure(&[&[100]], &[105], 1.0);
    check_measure(&[&[100]], &[106], 0.5);
    // A found point stands for one marked: precision 1, recall 2/3.
    check_measure(&[&[100, 104]], &[102], 0.8);
}

#[test]
fn the_same_seed_makes_the_same_tables() {
    let data = Data { rates: vec![0.0, 0.1, 0.0, 1.0], ..synthetic::data(&Dice::new(1)) };
    assert_eq!(evaluate(Some(&data), 3), evaluate(Some(&data), 3));
    assert_ne!(evaluate(Some(&data), 3).steps, evaluate(Some(&data), 4).steps);
}

#[test]
fn known_changes_are_found() {
    for seed in 1..=3 {
        let data = synthetic::data(&Dice::new(seed).part(1));
        let annotated = change::annotated(&data.annotated);
        assert!(annotated.all >= 0.85, "seed {seed}\n{annotated}");
        assert!(annotated.all > annotated.nothing + 0.1, "seed {seed}\n{annotated}");
        let steps = change::steps(&data.noise, &Dice::new(seed).part(2));
        for sum in steps.sums.iter().filter(|sum| sum.part.is_none()) {
            assert!(sum.count.quiet > 0 && sum.recall >= 0.7, "seed {seed}\n{steps}");
            assert!(
                sum.quiet != Quiet::Levelled || sum.false_points <= 0.05,
                "seed {seed}\n{steps}"
            );
        }
    }
}

#[test]
fn recorded_data_are_read() {
    let annotated = r#"{"nile": {"values": [1, 2.5], "annotations": {"7": [1], "6": []}}}"#;
    let data = Data::read([annotated, r#"{"fib": [1, 2]}"#, RERUNS]).unwrap();
    assert_eq!(data.annotated["nile"].values, [1.0, 2.5]);
    assert_eq!(data.annotated["nile"].annotations["7"], [1]);
    assert_eq!(data.noise["fib"], [1.0, 2.0]);
    assert_eq!(data.rates, [0.0, 0.25]);
    let report = evaluate(Some(&data), 1);
    assert_eq!((report.source, report.annotated.rows.len()), (Source::Recorded, 1));
}

#[test]
fn what_is_no_data_is_named() {
    let error = Data::read(["{}", "[]", RERUNS]).unwrap_err();
    assert!(matches!(error, DataError::Malformed { file: "runner-noise/series.json", .. }));
    let error = Data::read(["{}", r#"{"fib": [1]}"#, RERUNS]).unwrap_err();
    assert_eq!(error.to_string(), "changepoints/annotated-series.json holds nothing");
    let annotated = r#"{"nile": {"values": [], "annotations": {}}}"#;
    let line = |reruns| Data::read([annotated, r#"{"fib": [1]}"#, reruns]).unwrap_err().to_string();
    let expected = "flaky/rerun-counts.csv: line 3 is no test with its failing and passing runs";
    assert_eq!(line("test,failing_runs,passing_runs\na,1,2\nb,0,0\n"), expected);
    assert_eq!(line("test,failing_runs,passing_runs\na,1,2\nb,-1,2\n"), expected);
    assert_eq!(line("test,failing_runs,passing_runs\n"), "flaky/rerun-counts.csv holds nothing");
}

const RERUNS: &str = "test,failing_runs,passing_runs\nt0,0,10000\n\"a, b\",25,75\n";

#[test]
fn flaky_tests_are_told_from_broken_ones_and_bursts() {
    let report = flaky::flaky(&synthetic::data(&Dice::new(1)).rates, &Dice::new(1));
    let all = report.rows.iter().find(|row| row.part.is_none()).unwrap();
    assert!(all.recognised.share() >= 0.85, "{report}");
    assert!(all.covered.share() >= 0.93 && all.covered_failing.share() >= 0.9, "{report}");
    assert!(all.false_alarms.share() < 0.01 && all.broken_flaky.share() <= 0.005, "{report}");
    assert!(all.broken.share() >= 0.95 && all.degraded.share() >= 0.8, "{report}");
    assert!(report.extra <= 0.03 && all.false_alarms.of > 1_000, "{report}");
}

#[test]
fn a_slower_build_is_seen_in_nine_experiments_of_ten() {
    let dice = Dice::new(1);
    let equal = synthetic::pairs(&mut dice.part(5), 1.0);
    let slower = synthetic::pairs(&mut dice.part(6), paired::SLOWER);
    let paired = paired::paired(&equal, &slower, &dice);
    assert!(paired.power.share() >= 0.9 && paired.false_alarms.share() <= 0.01, "{paired}");
    assert_eq!(
        (paired.power.of, paired.false_alarms.of),
        (paired::EXPERIMENTS, paired::EXPERIMENTS)
    );
    let told = paired::paired(&[], &[], &dice);
    assert_eq!(told.power.of, 0, "nothing is told from nothing");
}

#[test]
fn a_forecast_is_nearer_than_the_last_value() {
    let forecasts = forecast::forecasts(&synthetic::data(&Dice::new(1)).noise);
    let all = forecasts.rows.last().unwrap();
    assert!(all.within.of > 500 && (0.93..=0.99).contains(&all.within.share()), "{forecasts}");
    assert!(all.off < all.off_last, "{forecasts}");
}
