//! The two incomplete integrals under every distribution here, accurate from 1 to 1e9 trials.
//!
//! `statrs` stops its continued fraction after 140 terms and takes its factor from differences of
//! `ln_gamma`, whose rounding is 4e-6 at 1e9. The factor is therefore written as a deviance
//! (Loader, "Fast and accurate computation of binomial probabilities", 2000), which has no such
//! difference, and the fraction runs until it has converged. Both tails are returned so that
//! nobody computes `1 - cdf` where it would be nought.
#![expect(
    clippy::many_single_char_names,
    reason = "the letters are those of the formulas"
)]

use statrs::function::gamma::ln_gamma;

/// A terms limit far beyond what 1e9 trials need (about the square root of the larger parameter
/// times ten), so that no input can loop for ever.
const TERMS_MAX: u32 = 1_000_000;
const TINY: f64 = 1e-300;
const LN_TWO_PI: f64 = 1.837_877_066_409_345_3;

/// A probability seen from both sides, each with its own full precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tails {
    /// Mass at or below the point.
    pub lower: f64,
    /// Mass above the point.
    pub upper: f64,
}

impl Tails {
    const ALL_ABOVE: Self = Self {
        lower: 0.0,
        upper: 1.0,
    };
    const ALL_BELOW: Self = Self {
        lower: 1.0,
        upper: 0.0,
    };

    fn from_lower(p: f64) -> Self {
        let p = p.clamp(0.0, 1.0);
        Self {
            lower: p,
            upper: 1.0 - p,
        }
    }

    fn from_upper(q: f64) -> Self {
        let q = q.clamp(0.0, 1.0);
        Self {
            lower: 1.0 - q,
            upper: q,
        }
    }

    /// The same point seen from the other side.
    #[must_use]
    pub const fn swapped(self) -> Self {
        Self {
            lower: self.upper,
            upper: self.lower,
        }
    }
}

/// Stirling's error: `ln Γ(n+1) - (n ln n - n + ln(2πn)/2)` for `n > 0`.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        return ln_gamma(n + 1.0) - (n + 0.5) * n.ln() + n - 0.5 * LN_TWO_PI;
    }
    let square = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / n
}

/// Deviance `x ln(x/m) + m - x`, without cancellation where `x` is near `m`.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut term = 2.0 * x * v;
    for j in 1..1000_u32 {
        term *= v * v;
        let next = sum + term / f64::from(2 * j + 1);
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum
}

/// Distribution function of Beta(a, b) at `x`; `y` is `1 - x`, given by the caller because it
/// often knows it more exactly than a subtraction would.
///
/// Parameters that are not positive numbers give all mass above.
pub fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> Tails {
    if !(a > 0.0 && b > 0.0 && x > 0.0) {
        return Tails::ALL_ABOVE;
    }
    if y.is_nan() || y <= 0.0 {
        return Tails::ALL_BELOW;
    }
    if a * y < b * x {
        Tails::from_upper(beta_lower_tail(b, a, y, x))
    } else {
        Tails::from_lower(beta_lower_tail(a, b, x, y))
    }
}

/// Lower tail for `x` at or below the mean `a / (a + b)`.
fn beta_lower_tail(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    // ln of x^a y^b / B(a, b)
    let ln_front = 0.5 * (a.ln() + b.ln() - n.ln() - LN_TWO_PI) + stirling_error(n)
        - stirling_error(a)
        - stirling_error(b)
        - deviance(a, n * x)
        - deviance(b, n * y);
    let fraction = if a >= 1.0 && b >= 1.0 {
        // Didonato and Morris, Algorithm 708 (1992): its terms hold `ay - bx`, the distance from
        // the mean, so nothing cancels when x or y is tiny.
        let distance = a * y - b * x + 1.0;
        let term = |m: f64| {
            let odd = a + 2.0 * m - 1.0;
            let numerator = m * (a + m - 1.0) / odd * ((n + m - 1.0) / odd) * (b - m) * x * x;
            let denominator = m
                + m * (b - m) * x / odd
                + (a + m) * (distance + m * (1.0 + y)) / (a + 2.0 * m + 1.0);
            (numerator, denominator)
        };
        continued_fraction(a * distance / (a + 1.0), term).recip()
    } else {
        // The classical expansion, two of its terms at a time joined by their common index.
        let term = |index: f64| {
            let m = (0.5 * index).floor();
            let numerator = if index > 2.0 * m {
                -(a + m) * (n + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
            } else {
                m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
            };
            (numerator, 1.0)
        };
        (a * continued_fraction(1.0, term)).recip()
    };
    ln_front.exp() * fraction
}

/// `first + n1/(d1 + n2/(d2 + ...))` where `term(i)` gives numerator and denominator `i`, by
/// Lentz's method until it has converged.
fn continued_fraction(first: f64, term: impl Fn(f64) -> (f64, f64)) -> f64 {
    let not_nought = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut value = not_nought(first);
    let (mut c, mut d) = (value, 0.0);
    for index in 1..TERMS_MAX {
        let (numerator, denominator) = term(f64::from(index));
        d = not_nought(denominator + numerator * d).recip();
        c = not_nought(denominator + numerator / c);
        value *= c * d;
        if (c * d - 1.0).abs() <= 4.0 * f64::EPSILON {
            break;
        }
    }
    value
}

/// Distribution function of a Gamma variable of shape `a` and scale 1 at `x`.
///
/// Parameters that are not positive numbers give all mass above.
pub fn gamma_tails(a: f64, x: f64) -> Tails {
    if !(a > 0.0 && x > 0.0) {
        return Tails::ALL_ABOVE;
    }
    if x.is_infinite() {
        return Tails::ALL_BELOW;
    }
    // x^a e^-x / Γ(a+1)
    let front = (-deviance(a, x) - stirling_error(a) - 0.5 * (LN_TWO_PI + a.ln())).exp();
    if x < a + 1.0 {
        let (mut sum, mut term, mut n) = (1.0, 1.0, a);
        for _ in 0..TERMS_MAX {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term <= sum * f64::EPSILON / 4.0 {
                break;
            }
        }
        return Tails::from_lower(front * sum);
    }
    let start = x + 1.0 - a;
    let fraction = continued_fraction(start, |i| (-i * (i - a), start + 2.0 * i));
    Tails::from_upper(front * a / fraction)
}

/// The point where a condition that holds at `low` and fails at `high` changes, as the last two
/// neighbouring numbers `(holds, fails)`.
///
/// Plain halving: about 80 steps, no derivative that could throw it off.
pub fn bisect(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> (f64, f64) {
    let (mut low, mut high) = (low, high);
    for _ in 0..1100 {
        let middle = 0.5 * (low + high);
        if middle <= low.min(high) || middle >= low.max(high) {
            break;
        }
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::function::{beta::beta_reg, gamma::gamma_lr};

    #[test]
    fn agrees_with_statrs_where_statrs_is_exact() {
        for (a, b) in [
            (0.5, 0.5),
            (1.0, 9.0),
            (3.0, 7.5),
            (40.0, 60.0),
            (8.2, 51.0),
        ] {
            for i in 1..20 {
                let x = f64::from(i) / 20.0;
                let tails = beta_tails(a, b, x, 1.0 - x);
                assert!(
                    (tails.lower - beta_reg(a, b, x)).abs() < 1e-12,
                    "Beta({a}, {b}) at {x}"
                );
            }
        }
        for a in [0.3, 1.0, 4.5, 30.0] {
            for x in [0.1, 1.0, 5.0, 29.0, 80.0] {
                let tails = gamma_tails(a, x);
                assert!(
                    (tails.lower - gamma_lr(a, x)).abs() < 1e-12,
                    "Gamma({a}) at {x}"
                );
            }
        }
    }

    #[test]
    fn closed_forms_hold_at_a_thousand_million() {
        let n = 1e9;
        for p in [1e-10_f64, 3e-9, 1e-8, 5e-8] {
            // P(no hit in n) and P(at most one hit in n).
            let none = (n * (-p).ln_1p()).exp();
            let one = none + n * p * ((n - 1.0) * (-p).ln_1p()).exp();
            let relative = |got: f64, want: f64| (got / want - 1.0).abs();
            assert!(relative(beta_tails(1.0, n, p, 1.0 - p).upper, none) < 1e-12);
            assert!(relative(beta_tails(2.0, n - 1.0, p, 1.0 - p).upper, one) < 1e-12);
        }
    }

    #[test]
    fn a_symmetric_distribution_has_half_on_either_side_at_any_size() {
        for a in [2.0, 1e3, 1e6, 4e8] {
            let tails = beta_tails(a, a, 0.5, 0.5);
            assert!(
                (tails.lower - 0.5).abs() < 1e-9,
                "Beta({a}, {a}) gives {tails:?}"
            );
        }
    }

    #[test]
    fn deep_tails_keep_their_digits() {
        // Exponential: Q(1, x) = e^-x.
        assert!((gamma_tails(1.0, 300.0).upper / (-300.0_f64).exp() - 1.0).abs() < 1e-12);
        // Beta(1, b): upper tail (1 - x)^b.
        let want = (200.0 * 0.1_f64.ln()).exp();
        assert!((beta_tails(1.0, 200.0, 0.9, 0.1).upper / want - 1.0).abs() < 1e-11);
    }
}
