//! The normal distribution.

use crate::gamma::gamma_below;

/// Probability that a standard normal variable is at most `value`.
pub fn normal_at_most(value: f64) -> f64 {
    let beyond = gamma_below(0.5, value * value / 2.0) / 2.0;
    if value < 0.0 { 0.5 - beyond } else { 0.5 + beyond }
}

/// The value that a standard normal variable is at most with this probability, to nine digits; infinite at 0 and 1.
pub fn normal_quantile(probability: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    const TAIL: f64 = 0.024_25;
    let far = |tail: f64| {
        let root = (-2.0 * tail.ln()).sqrt();
        polynomial(&C, root) / polynomial(&D, root)
    };
    if probability <= 0.0 {
        f64::NEG_INFINITY
    } else if probability >= 1.0 {
        f64::INFINITY
    } else if probability < TAIL {
        far(probability)
    } else if probability > 1.0 - TAIL {
        -far(1.0 - probability)
    } else {
        let middle = probability - 0.5;
        let square = middle * middle;
        middle * polynomial(&A, square) / polynomial(&B, square)
    }
}

/// From the highest power down.
fn polynomial(coefficients: &[f64], at: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * at + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_turns_its_distribution_round() {
        for probability in [1e-6, 0.001, 0.024, 0.025, 0.3, 0.5, 0.7, 0.975, 0.976, 0.999] {
            let again = normal_at_most(normal_quantile(probability));
            assert!((again / probability - 1.0).abs() < 1e-6, "{probability}: {again}");
        }
        assert!((normal_quantile(0.975) - 1.959_963_985).abs() < 1e-8);
        assert!(normal_quantile(0.0).is_infinite() && normal_quantile(1.0).is_infinite());
    }
}
