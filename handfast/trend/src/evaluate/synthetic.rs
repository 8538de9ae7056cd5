//! Series whose truth is known, for where no recorded data are.

use std::collections::BTreeMap;

use handfast_statistics::number::real;

use super::data::{AnnotatedSeries, Data};
use crate::paired::Pair;
use crate::random::Dice;

/// Data of every kind, from dice.
pub(super) fn data(dice: &Dice) -> Data {
    let makers: [(&str, Make); 8] = [
        ("quiet-normal", |dice, _| dice.normal()),
        ("quiet-walk", walk),
        ("step-normal", |dice, index| step(index, 100, 1.5) + dice.normal()),
        ("step-modes", |dice, index| step(index, 120, 0.15) + modes(dice)),
        ("step-outliers", |dice, index| step(index, 80, 2.0) + outliers(dice)),
        ("steps-three", |dice, index| {
            step(index, 50, 3.0) - step(index, 100, 3.0) + step(index, 150, 2.0) + dice.normal()
        }),
        ("slope-begins", |dice, index| 0.5 * real(index.saturating_sub(110)) + dice.normal()),
        ("slope-ends", |dice, index| 0.5 * real(index.min(90)) + dice.normal()),
    ];
    let truths: [&[usize]; 8] = [&[], &[], &[100], &[120], &[80], &[50, 100, 150], &[110], &[90]];
    let mut annotated = BTreeMap::new();
    for (number, ((name, make), truth)) in (0_u64..).zip(makers.iter().zip(truths)) {
        let mut dice = dice.part(number);
        let mut values: Vec<f64> = (0..LENGTH).map(|index| make(&mut dice, index)).collect();
        if *name == "quiet-walk" {
            accumulate(&mut values);
        }
        let annotations = BTreeMap::from([("truth".to_owned(), truth.to_vec())]);
        annotated.insert((*name).to_owned(), AnnotatedSeries { values, annotations });
    }
    let mut noise = BTreeMap::new();
    for (number, (name, make)) in (100_u64..).zip(NOISES) {
        let mut dice = dice.part(number);
        let values = (0..LENGTH).map(|index| 200.0 * make(&mut dice, index)).collect();
        noise.insert(name.to_owned(), values);
    }
    Data { annotated, noise, rates: rates(&mut dice.part(200)) }
}

type Make = fn(&mut Dice, usize) -> f64;

const LENGTH: usize = 200;

/// Runners as they are: one make, several makes, and one that is now and then disturbed.
const NOISES: [(&str, Make); 3] = [
    ("runner-one-make", |dice, _| 1.0 + 0.05 * dice.normal()),
    ("runner-several-makes", |dice, _| 1.0 + 0.5 * modes(dice)),
    ("runner-disturbed", |dice, _| 1.0 + 0.04 * outliers(dice)),
];

/// How often the tests of a suite fail: most never, one in twenty now and then, a few of these always.
fn rates(dice: &mut Dice) -> Vec<f64> {
    let mut rate = || match dice.below(100) {
        0..95 => 0.0,
        95..99 => 10.0_f64.powf(-3.0 * dice.unit()),
        _ => 1.0,
    };
    (0..TESTS).map(|_| rate()).collect()
}

/// Pairs of runs under weather that both share, with outliers that one has.
pub(super) fn pairs(dice: &mut Dice, ratio: f64) -> Vec<Pair> {
    let mut weather = 0.0;
    let mut pair = || {
        weather = 0.95 * weather + 0.03 * dice.normal();
        let mut cost = || {
            let outlier = if dice.happens(0.05) { 2.0 * dice.unit() } else { 0.0 };
            (weather + 0.06 * dice.normal() + outlier).exp()
        };
        Pair { before: cost(), after: ratio * cost() }
    };
    (0..PAIRS).map(|_| pair()).collect()
}

const PAIRS: usize = 2_000;

const TESTS: usize = 1_000;

fn step(index: usize, at: usize, height: f64) -> f64 {
    if index >= at { height } else { 0.0 }
}

fn walk(dice: &mut Dice, _index: usize) -> f64 {
    dice.normal()
}

fn accumulate(values: &mut [f64]) {
    let mut sum = 0.0;
    for value in values {
        sum += *value;
        *value = sum;
    }
}

/// Three sharp modes, as of three makes of processor.
fn modes(dice: &mut Dice) -> f64 {
    let mode = match dice.below(6) {
        0..3 => 0.0,
        3..5 => 0.25,
        _ => 0.6,
    };
    mode + 0.02 * dice.normal()
}

/// Noise of which one value in twenty is far off.
fn outliers(dice: &mut Dice) -> f64 {
    if dice.happens(0.05) { 20.0 * dice.unit() } else { dice.normal() }
}
