//! The distributions that accounts are judged by.
//!
//! Only what is needed, each in the classical form: the logarithm of the gamma function by Lanczos (g = 7, nine terms),
//! the incomplete gamma function by its series and its continued fraction, the incomplete beta function by its continued
//! fraction (both after W. J. Lentz's method), the normal quantile by P. J. Acklam's rational approximation.

/// Probability that a chi-square variable of so many degrees of freedom is at least `value`.
pub fn chi_square_at_least(value: f64, degrees: f64) -> f64 {
    if value <= 0.0 || degrees <= 0.0 {
        return 1.0;
    }
    1.0 - gamma_below(degrees / 2.0, value / 2.0)
}

/// Probability of at most `hits` hits in `trials` trials, each with this chance. Trials and hits may be broken numbers:
/// those of trials that depend on each other, divided by their dispersion.
pub fn binomial_at_most(hits: f64, trials: f64, chance: f64) -> f64 {
    if hits < 0.0 {
        return 0.0;
    }
    if hits >= trials {
        return 1.0;
    }
    beta_below(trials - hits, hits + 1.0, 1.0 - chance)
}

/// Whether so many hits are among the `confidence` of outcomes in the middle, for instance 0.99.
pub fn binomial_agrees(hits: f64, trials: f64, chance: f64, confidence: f64) -> bool {
    let tail = (1.0 - confidence) / 2.0;
    let most = binomial_at_most(hits, trials, chance);
    let least = 1.0 - binomial_at_most(hits - 1.0, trials, chance);
    most >= tail && least >= tail
}

/// The chances with which so many hits agree: the interval of Clopper and Pearson (Biometrika 26, 1934).
pub fn binomial_interval(hits: f64, trials: f64, confidence: f64) -> (f64, f64) {
    if trials <= 0.0 {
        return (0.0, 1.0);
    }
    let tail = (1.0 - confidence) / 2.0;
    let low = if hits <= 0.0 {
        0.0
    } else {
        // The largest chance with which so many or more are still too rare.
        bisect(|chance| 1.0 - binomial_at_most(hits - 1.0, trials, chance) < tail)
    };
    let high = if hits >= trials {
        1.0
    } else {
        bisect(|chance| binomial_at_most(hits, trials, chance) >= tail)
    };
    (low, high)
}

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

/// A count as a number; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of packets stay far below 2^53")]
pub fn real(count: u64) -> f64 {
    count as f64
}

/// From the highest power down.
fn polynomial(coefficients: &[f64], at: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * at + coefficient)
}

/// Where a condition that holds at 0 and not at 1 stops to hold.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Terms of a series or a continued fraction at most: enough for 10^9 trials.
const TERMS_MAX: u32 = 100_000;

const TINY: f64 = 1e-300;

/// The logarithm of the gamma function, for positive arguments.
fn ln_gamma(at: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if at < 0.5 {
        // Reflected: the series is for the right half.
        return (std::f64::consts::PI / (std::f64::consts::PI * at).sin()).ln()
            - ln_gamma(1.0 - at);
    }
    let at = at - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    let mut place = at;
    for term in TERMS {
        place += 1.0;
        sum += term / place;
    }
    let base = at + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (at + 0.5) * base.ln() - base + sum.ln()
}

/// The lower incomplete gamma function, regularised.
fn gamma_below(shape: f64, at: f64) -> f64 {
    if at <= 0.0 {
        return 0.0;
    }
    let front = (shape * at.ln() - at - ln_gamma(shape)).exp();
    if at < shape + 1.0 {
        let mut term = 1.0 / shape;
        let mut sum = term;
        let mut place = shape;
        for _ in 0..TERMS_MAX {
            place += 1.0;
            term *= at / place;
            sum += term;
            if term.abs() < sum.abs() * 1e-15 {
                break;
            }
        }
        return (front * sum).min(1.0);
    }
    (1.0 - front * gamma_fraction(shape, at)).max(0.0)
}

fn gamma_fraction(shape: f64, at: f64) -> f64 {
    let mut base = at + 1.0 - shape;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / base;
    let mut fraction = d;
    for step in 1..TERMS_MAX {
        let step = f64::from(step);
        let factor = -step * (step - shape);
        base += 2.0;
        d = 1.0 / away_from_zero(factor * d + base);
        c = away_from_zero(base + factor / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// The incomplete beta function, regularised.
fn beta_below(a: f64, b: f64, at: f64) -> f64 {
    if at <= 0.0 {
        return 0.0;
    }
    if at >= 1.0 {
        return 1.0;
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * at.ln() + b * (-at).ln_1p();
    let front = front.exp();
    if at < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, at) / a
    } else {
        // The fraction is quick on this side only.
        1.0 - front * beta_fraction(b, a, 1.0 - at) / b
    }
}

fn beta_fraction(a: f64, b: f64, at: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * at / (a + 1.0));
    let mut fraction = d;
    for step in 1..TERMS_MAX {
        let place = f64::from(step);
        let even = place * (b - place) * at / ((a + 2.0 * place - 1.0) * (a + 2.0 * place));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd =
            -(a + place) * (a + b + place) * at / ((a + 2.0 * place) * (a + 2.0 * place + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

fn away_from_zero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(value: f64, expected: f64) {
        let error = (value - expected).abs() / expected.abs().max(1e-12);
        assert!(error < 1e-7, "{value} is not {expected}");
    }

    #[test]
    fn tails_of_chi_square_are_those_of_the_tables() {
        // The NIST e-Handbook of Statistical Methods, section 1.3.6.7.4, upper critical values: three digits.
        for (value, degrees, tail) in [
            (6.635, 1.0, 0.01),
            (3.841, 1.0, 0.05),
            (9.210, 2.0, 0.01),
            (18.307, 10.0, 0.05),
            (23.209, 10.0, 0.01),
            (76.154, 50.0, 0.01),
            (135.807, 100.0, 0.01),
        ] {
            let found = chi_square_at_least(value, degrees);
            assert!((found / tail - 1.0).abs() < 2e-3, "{value}, {degrees}: {found}");
        }
        // Two degrees of freedom are an exponential distribution.
        for value in [0.1, 1.0, 10.0, 40.0] {
            near(chi_square_at_least(value, 2.0), (-value / 2.0_f64).exp());
        }
        assert!(chi_square_at_least(0.0, 3.0) >= 1.0);
    }

    #[test]
    fn binomial_sums_are_those_of_their_terms() {
        // Ten trials with chance 0.3, summed by hand.
        let mut sum = 0.0;
        let mut term = 0.7_f64.powi(10);
        for hits in 0..10_u32 {
            sum += term;
            near(binomial_at_most(f64::from(hits), 10.0, 0.3), sum);
            term *= f64::from(10 - hits) / f64::from(hits + 1) * 0.3 / 0.7;
        }
        assert!(
            binomial_at_most(10.0, 10.0, 0.3) >= 1.0 && binomial_at_most(-1.0, 10.0, 0.3) <= 0.0
        );
        // A hundred thousand trials: the normal approximation with its correction is near.
        let sigma = (100_000.0_f64 * 0.02 * 0.98).sqrt();
        let approximate = normal_at_most((2_050.5 - 2_000.0) / sigma);
        assert!((binomial_at_most(2_050.0, 100_000.0, 0.02) - approximate).abs() < 1e-3);
    }

    #[test]
    fn the_interval_is_that_of_clopper_and_pearson() {
        // 0 of n: the upper end is 1 - (a/2)^(1/n), the lower 0; n of n is its mirror.
        let (low, high) = binomial_interval(0.0, 20.0, 0.95);
        assert!(low <= 0.0);
        near(high, 1.0 - 0.025_f64.powf(1.0 / 20.0));
        let (low, high) = binomial_interval(20.0, 20.0, 0.95);
        assert!(high >= 1.0);
        near(low, 0.025_f64.powf(1.0 / 20.0));
        // Its ends are where the tails are what they should be.
        let (low, high) = binomial_interval(37.0, 1_000.0, 0.99);
        near(1.0 - binomial_at_most(36.0, 1_000.0, low), 0.005);
        near(binomial_at_most(37.0, 1_000.0, high), 0.005);
        assert_eq!(binomial_interval(0.0, 0.0, 0.99), (0.0, 1.0));
    }

    #[test]
    fn what_agrees_is_what_lies_in_the_middle() {
        assert!(binomial_agrees(20.0, 1_000.0, 0.02, 0.99));
        assert!(!binomial_agrees(35.0, 1_000.0, 0.02, 0.99));
        assert!(!binomial_agrees(8.0, 1_000.0, 0.02, 0.99));
        assert!(
            binomial_agrees(0.0, 1_000.0, 0.0, 0.99) && !binomial_agrees(1.0, 1_000.0, 0.0, 0.99)
        );
    }

    #[test]
    fn the_normal_quantile_turns_its_distribution_round() {
        for probability in [1e-6, 0.001, 0.024, 0.025, 0.3, 0.5, 0.7, 0.975, 0.976, 0.999] {
            let again = normal_at_most(normal_quantile(probability));
            assert!((again / probability - 1.0).abs() < 1e-6, "{probability}: {again}");
        }
        assert!((normal_quantile(0.975) - 1.959_963_985).abs() < 1e-8);
        assert!(normal_quantile(0.0).is_infinite() && normal_quantile(1.0).is_infinite());
    }

    #[test]
    fn a_billion_trials_are_judged_as_well() {
        assert!(binomial_agrees(1e7, 1e9, 0.01, 0.99));
        assert!(!binomial_agrees(1.002e7, 1e9, 0.01, 0.99));
    }
}
