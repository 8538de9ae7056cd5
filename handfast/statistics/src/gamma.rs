//! The gamma function and its incomplete form: by Lanczos (SIAM Journal on Numerical Analysis 1, 1964; g = 7, nine terms), by its
//! series and by its continued fraction after W. J. Lentz.
//!
//! Source: W. H. Press and others, Numerical Recipes, 2007, chapter 6.

/// Terms of a series or a continued fraction at most: enough for 10^9 trials.
pub(crate) const TERMS_MAX: u32 = 100_000;

/// What stands for zero where something is divided by it.
const TINY: f64 = 1e-300;

/// The logarithm of the gamma function, for positive arguments, to 13 digits.
pub fn ln_gamma(at: f64) -> f64 {
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

/// The lower incomplete gamma function, regularised: from 0 to 1, for a positive shape.
pub fn gamma_below(shape: f64, at: f64) -> f64 {
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

/// The value, or next to nothing where it is nothing.
pub(crate) fn away_from_zero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_has_its_known_values() {
        for (at, expected) in
            [(0.5, std::f64::consts::PI.sqrt().ln()), (11.0, 3_628_800_f64.ln()), (1.0, 0.0)]
        {
            let found = ln_gamma(at);
            assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{at}: {found}");
        }
        // Reflected: gamma(1/4) gamma(3/4) = pi sqrt(2).
        let product = ln_gamma(0.25) + ln_gamma(0.75);
        assert!((product - (std::f64::consts::PI * 2.0_f64.sqrt()).ln()).abs() < 1e-12);
    }
}
