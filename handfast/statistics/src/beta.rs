//! The incomplete beta function, by its continued fraction after W. J. Lentz.
//!
//! Source: W. H. Press and others, Numerical Recipes, 2007, section 6.4.

use crate::gamma::{TERMS_MAX, away_from_zero, ln_gamma};

/// The incomplete beta function, regularised: from 0 to 1, for two positive weights.
pub fn beta_below(a: f64, b: f64, at: f64) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_its_known_values() {
        let check = |value: f64, expected: f64| {
            assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
        };
        check(beta_below(1.0, 1.0, 0.3), 0.3);
        // I_x(2, 3) = x^2 (6 - 8 x + 3 x^2).
        check(beta_below(2.0, 3.0, 0.4), 0.16 * (6.0 - 3.2 + 0.48));
        // The arcsine distribution.
        check(beta_below(0.5, 0.5, 0.1), 2.0 / std::f64::consts::PI * 0.1_f64.sqrt().asin());
        check(beta_below(3.0, 2.0, 0.0), 0.0);
        check(beta_below(3.0, 2.0, 1.0), 1.0);
    }
}
