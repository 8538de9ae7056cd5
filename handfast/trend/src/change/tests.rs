use proptest::prelude::*;

use super::*;
use crate::random::Dice;

fn noise(seed: u64, length: usize) -> Vec<f64> {
    let mut dice = Dice::new(seed);
    (0..length).map(|_| dice.normal()).collect()
}

fn stepped(seed: u64, length: usize, at: usize, height: f64) -> Vec<f64> {
    let mut values = noise(seed, length);
    for value in &mut values[at..] {
        *value += height;
    }
    values
}

#[track_caller]
fn check(values: &[f64], expected: &[usize]) {
    let found: Vec<usize> =
        change_points(values).unwrap().into_iter().map(|point| point.index).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_step_is_found_with_its_levels() {
    let points = change_points(&stepped(1, 100, 60, 4.0)).unwrap();
    assert_eq!(points.len(), 1, "{points:?}");
    let point = &points[0];
    assert_eq!((point.index, point.kind), (60, Kind::Level));
    assert!(point.before.abs() < 0.4 && (point.after - 4.0).abs() < 0.6, "{point:?}");
    assert!(point.superiority > 0.98 && point.score > threshold(100), "{point:?}");
}

#[test]
fn a_counter_that_changes_once_is_found_where_it_does() {
    let mut values = vec![1_000.0; 40];
    values[33..].fill(1_001.0);
    check(&values, &[33]);
}

#[test]
fn what_never_changes_has_no_change_point() {
    check(&[], &[]);
    check(&[7.0; 500], &[]);
    check(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0], &[]);
}

#[test]
fn outliers_are_no_change() {
    let mut values = noise(3, 120);
    for index in [10, 11, 60, 90] {
        values[index] = 1e9;
    }
    check(&values, &[]);
}

#[test]
fn a_level_that_comes_and_goes_is_two_changes() {
    let mut values = noise(5, 400);
    for value in &mut values[180..220] {
        *value += 8.0;
    }
    // One off each: what lies at a border is worth no more than the noise at any threshold between.
    check(&values, &[179, 221]);
}

#[test]
fn a_walk_is_no_row_of_steps() {
    let mut found = 0;
    for seed in 0..40 {
        let mut sum = 0.0;
        let walk: Vec<f64> = noise(seed, 200)
            .into_iter()
            .map(|step| {
                sum += step;
                sum
            })
            .collect();
        found += change_points(&walk).unwrap().len();
    }
    assert!(found <= 20, "{found} in 40 walks");
}

#[test]
fn a_slope_that_turns_is_a_drift() {
    let mut values = noise(7, 200);
    for (index, value) in (0_i32..).zip(&mut values) {
        *value += 0.3 * f64::from(100 - (index - 100).abs());
    }
    let points = change_points(&values).unwrap();
    let turns =
        points.iter().filter(|point| point.kind == Kind::Drift && point.index.abs_diff(100) <= 5);
    assert_eq!((turns.count(), points.len()), (1, 1), "{points:?}");
}

/// The law behind [`threshold`]: of series whose values are exchangeable hardly one has a change point.
#[test]
fn exchangeable_series_are_quiet() {
    for (length, series) in [(30, 400), (100, 300), (400, 100)] {
        let with: u64 = (0..series)
            .map(|seed| u64::from(!change_points(&noise(1_000 + seed, length)).unwrap().is_empty()))
            .sum();
        assert!(with * 100 <= series * 5, "{with} of {series} of length {length}");
    }
}

#[test]
fn what_is_no_number_is_refused_and_changes_nothing() {
    let mut series = Series::new();
    series.push(1.0).unwrap();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(series.push(value), Err(SeriesError::NotFinite { .. })));
    }
    assert_eq!(series.values(), [1.0]);
}

#[test]
fn a_series_that_is_full_says_so() {
    let mut series = Series::new();
    for _ in 0..Series::LENGTH_MAX {
        series.push(0.0).unwrap();
    }
    assert_eq!(series.push(0.0), Err(SeriesError::Full));
    assert_eq!(series.change_points(), []);
}

#[test]
fn the_largest_numbers_do_not_break_it() {
    let mut values = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 0.0].repeat(10);
    values.extend([f64::MAX; 40]);
    assert!(
        change_points(&values)
            .unwrap()
            .iter()
            .all(|point| point.score.is_finite() && !point.before.is_nan())
    );
    let slope: Vec<f64> = (0_u32..100).map(|index| f64::MAX / 100.0 * f64::from(index)).collect();
    assert!(change_points(&slope).unwrap().iter().all(|point| point.score.is_finite()));
}

fn series() -> impl Strategy<Value = Vec<f64>> {
    (any::<u64>(), 0_usize..150, 0.0..4.0_f64, any::<bool>()).prop_map(
        |(seed, length, height, is_whole)| {
            let mut values = stepped(seed, length, length / 2, height);
            if is_whole {
                // Ties, as of counters.
                for value in &mut values {
                    *value = (2.0 * *value).round();
                }
            }
            values
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn value_by_value_is_all_at_once(values in series()) {
        let mut series = Series::new();
        for (count, &value) in (1..).zip(&values) {
            series.push(value).unwrap();
            if count % 17 == 0 {
                prop_assert_eq!(series.change_points(), change_points(&values[..count]).unwrap());
            }
        }
        prop_assert_eq!(series.change_points(), change_points(&values).unwrap());
    }

    #[test]
    fn neither_unit_nor_origin_matters(values in series(), power in -20_i32..20, shift in -8_i32..8) {
        // Powers of two and few bits: nothing is rounded, so that the outcome is the same to the last index.
        let exact: Vec<f64> = values.iter().map(|value| (value * 1_024.0).round() / 1_024.0).collect();
        let moved: Vec<f64> = exact.iter().map(|value| (value + f64::from(shift)) * 2.0_f64.powi(power)).collect();
        let (one, other) = (change_points(&exact).unwrap(), change_points(&moved).unwrap());
        let shape = |points: &[ChangePoint]| points.iter().map(|point| (point.index, point.kind)).collect::<Vec<_>>();
        prop_assert_eq!(shape(&one), shape(&other));
    }

    #[test]
    fn change_points_are_ordered_apart_and_above_the_threshold(values in series()) {
        let points = change_points(&values).unwrap();
        let mut last = 0;
        for point in &points {
            prop_assert!(point.index >= last + 4 && point.index + 4 <= values.len());
            prop_assert!(point.score > threshold(values.len()));
            prop_assert!((0.5..=1.0).contains(&point.superiority));
            last = point.index;
        }
    }
}
