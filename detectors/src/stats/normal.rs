//! The standard normal distribution: the common scale on which scores are compared.
//!
//! Upper tails are computed as such and never as `1 - cdf`, which is nought beyond eight standard
//! deviations. The distribution is taken from the incomplete gamma function, `Q(1/2, z²/2)/2`,
//! because the `erfc` of `statrs` is good to 11 digits only; its inverse is good to 12 and used.

use statrs::function::erf::erfc_inv;
use std::f64::consts::SQRT_2;

use super::special::{Tails, gamma_tails};

/// Scores are held within this many standard deviations: the smallest tail a double can hold is
/// about 38 away, and a score must stay a number.
pub const Z_LIMIT: f64 = 37.5;

/// Mass of the standard normal at or below `z`.
pub fn phi(z: f64) -> f64 {
    sf(-z)
}

/// Mass of the standard normal above `z`, with full precision far out.
pub fn sf(z: f64) -> f64 {
    let outer = 0.5 * gamma_tails(0.5, 0.5 * z * z).upper;
    if z < 0.0 { 1.0 - outer } else { outer }
}

/// The point with mass `p` below it, held within ±[`Z_LIMIT`].
///
/// For a `p` near 1 use [`z_of`] with the upper tail; a `p` that is not a number gives 0.
pub fn phi_inv(p: f64) -> f64 {
    if p.is_nan() {
        return 0.0;
    }
    if p <= 0.0 {
        return -Z_LIMIT;
    }
    if p >= 1.0 {
        return Z_LIMIT;
    }
    (-SQRT_2 * erfc_inv(2.0 * p)).clamp(-Z_LIMIT, Z_LIMIT)
}

/// The standard normal score of a point whose two tails are known, taken through the smaller one.
pub fn z_of(tails: Tails) -> f64 {
    if tails.lower < tails.upper {
        phi_inv(tails.lower)
    } else {
        -phi_inv(tails.upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_match_the_printed_tables() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.95, 1.644_853_626_951_472_2),
            (0.999, 3.090_232_306_167_813_5),
            (1e-4, -3.719_016_485_455_68),
            (1e-10, -6.361_340_902_404_056),
        ] {
            assert!((phi_inv(p) - z).abs() < 1e-12, "{p} gives {}", phi_inv(p));
        }
    }

    #[test]
    fn the_upper_tail_keeps_its_digits() {
        // The tail at 9 is 1.12858840595384e-19, where 1 - cdf is 0.
        assert!((sf(9.0) / 1.128_588_405_953_84e-19 - 1.0).abs() < 1e-13);
        assert!(
            (phi(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15,
            "{}",
            phi(1.0)
        );
    }

    proptest! {
        #[test]
        fn the_inverse_undoes_the_distribution(z in 0.0..36.0_f64) {
            prop_assert!((phi_inv(phi(-z)) + z).abs() < 1e-11);
            prop_assert!((phi_inv(sf(z)) + z).abs() < 1e-11);
        }

        #[test]
        fn no_input_gives_nan(p in proptest::num::f64::ANY, q in proptest::num::f64::ANY) {
            prop_assert!(phi_inv(p).abs() <= Z_LIMIT);
            let tails = Tails { lower: p, upper: q };
            prop_assert!(z_of(tails).abs() <= Z_LIMIT);
        }
    }
}
