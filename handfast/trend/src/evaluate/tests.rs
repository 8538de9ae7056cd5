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
    assert_eq!(evaluate(None, 3), evaluate(None, 3));
    assert_ne!(evaluate(None, 3).steps, evaluate(None, 4).steps);
}

#[test]
fn known_truth_is_found() {
    for seed in 1..=3 {
        let report = evaluate(None, seed);
        assert!(report.annotated.all >= 0.85, "seed {seed}\n{report}");
        assert!(report.annotated.all > report.annotated.nothing + 0.1, "seed {seed}\n{report}");
        for sum in report.steps.sums.iter().filter(|sum| sum.part.is_none()) {
            assert!(sum.count.quiet > 0 && sum.recall >= 0.7, "seed {seed}\n{report}");
            assert!(
                sum.quiet != Quiet::Levelled || sum.false_points <= 0.05,
                "seed {seed}\n{report}"
            );
        }
    }
}

#[test]
fn recorded_data_are_read() {
    let annotated = r#"{"nile": {"values": [1, 2.5], "annotations": {"7": [1], "6": []}}}"#;
    let data = Data::read([annotated, r#"{"fib": [1, 2]}"#]).unwrap();
    assert_eq!(data.annotated["nile"].values, [1.0, 2.5]);
    assert_eq!(data.annotated["nile"].annotations["7"], [1]);
    assert_eq!(data.noise["fib"], [1.0, 2.0]);
    let report = evaluate(Some(&data), 1);
    assert_eq!((report.source, report.annotated.rows.len()), (Source::Recorded, 1));
}

#[test]
fn what_is_no_data_is_named() {
    let error = Data::read(["{}", "[]"]).unwrap_err();
    assert!(matches!(error, DataError::Malformed { file: "runner-noise/series.json", .. }));
    let error = Data::read(["{}", r#"{"fib": [1]}"#]).unwrap_err();
    assert_eq!(error.to_string(), "changepoints/annotated-series.json holds nothing");
}
