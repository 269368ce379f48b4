//! How many different destinations or ports in a window: exact while few, an estimate when many.
//!
//! Up to 16 hashes are kept as they are, which is all that normal devices ever need and makes the
//! count exact where thresholds lie. Beyond that the same 64 bytes become 64 registers of a
//! `HyperLogLog` (Flajolet, Fusy, Gandouet and Meunier 2007), good to about 13 %.

use serde::{Deserialize, Serialize};

use super::uniform::finalise;

/// Hashes that are counted exactly.
pub const EXACT_MAX: usize = 16;
const REGISTERS: u32 = 64;
/// `len` of a set that has become a sketch.
const SKETCH: u8 = u8::MAX;
/// Bias constant of `HyperLogLog` for 64 registers.
const ALPHA: f64 = 0.709;

/// A set of 32-bit hashes of which only the size is ever asked: 68 bytes.
///
/// Sets of panes merge; the order of insertion does not matter to the size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctSet {
    /// The first `len` hashes, or 64 registers of one byte.
    words: [u32; EXACT_MAX],
    len: u8,
}

impl DistinctSet {
    /// Adds a hash, and says whether the set has changed. Hashes must be well mixed.
    pub fn insert(&mut self, hash: u32) -> bool {
        if self.len == SKETCH {
            return self.record(hash);
        }
        let len = self.exact_len();
        if self.words[..len].contains(&hash) {
            return false;
        }
        if len < EXACT_MAX {
            self.words[len] = hash;
            self.len += 1;
            return true;
        }
        let hashes = self.words;
        *self = Self {
            words: [0; EXACT_MAX],
            len: SKETCH,
        };
        for old in hashes {
            self.record(old);
        }
        self.record(hash);
        true
    }

    /// Adds everything another set has seen.
    pub fn merge(&mut self, other: &Self) {
        if other.len != SKETCH {
            for hash in &other.words[..other.exact_len()] {
                self.insert(*hash);
            }
            return;
        }
        let own = *self;
        *self = *other;
        if own.len != SKETCH {
            for hash in &own.words[..own.exact_len()] {
                self.record(*hash);
            }
            return;
        }
        for index in 0..REGISTERS {
            self.raise(index, own.register(index));
        }
    }

    /// How many different hashes: exact up to 16, else an estimate that is at least 17.
    pub fn count(&self) -> u32 {
        if self.len == SKETCH {
            self.estimate()
        } else {
            u32::from(self.len).min(16)
        }
    }

    /// Whether [`Self::count`] is exact.
    pub const fn is_exact(&self) -> bool {
        self.len != SKETCH
    }

    fn exact_len(&self) -> usize {
        usize::from(self.len).min(EXACT_MAX)
    }

    fn estimate(&self) -> u32 {
        let (mut sum, mut empty) = (0.0, 0_u32);
        for index in 0..REGISTERS {
            let rank = self.register(index);
            sum += 0.5_f64.powi(i32::from(rank));
            empty += u32::from(rank == 0);
        }
        let registers = f64::from(REGISTERS);
        let raw = ALPHA * registers * registers / sum;
        let estimate = if raw <= 2.5 * registers && empty > 0 {
            registers * (registers / f64::from(empty)).ln()
        } else {
            raw
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and the estimate is positive"
        )]
        let rounded = estimate.round() as u32;
        rounded.max(17)
    }

    /// Puts a hash into its register; says whether the register rose.
    fn record(&mut self, hash: u32) -> bool {
        let mixed = finalise(u64::from(hash).wrapping_add(0x9E37_79B9_7F4A_7C15));
        let index = (mixed >> 58) as u32;
        // The guard bit bounds the rank at 59 without a branch.
        #[expect(clippy::cast_possible_truncation, reason = "at most 59")]
        let rank = ((mixed << 6) | (1 << 5)).leading_zeros() as u8 + 1;
        self.raise(index, rank)
    }

    fn register(&self, index: u32) -> u8 {
        self.words[(index / 4) as usize].to_le_bytes()[(index % 4) as usize]
    }

    fn raise(&mut self, index: u32, rank: u8) -> bool {
        let word = &mut self.words[(index / 4) as usize];
        let mut bytes = word.to_le_bytes();
        let byte = &mut bytes[(index % 4) as usize];
        if rank <= *byte {
            return false;
        }
        *byte = rank;
        *word = u32::from_le_bytes(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::*;
    use proptest::prelude::*;

    fn set(dice: &mut Dice, size: u32) -> DistinctSet {
        let mut set = DistinctSet::default();
        for _ in 0..size {
            set.insert(dice.hash());
        }
        set
    }

    #[test]
    fn state_is_compact() {
        assert_eq!(size_of::<DistinctSet>(), 68);
    }

    #[test]
    fn few_are_counted_exactly_and_repeats_do_not_count() {
        let mut set = DistinctSet::default();
        for round in 0..3 {
            for hash in 0..16 {
                assert_eq!(set.insert(hash), round == 0);
            }
        }
        assert_eq!(set.count(), 16);
        assert!(set.is_exact());
        assert!(set.insert(99));
        assert!(!set.is_exact() && set.count() >= 17);
    }

    #[test]
    fn many_are_estimated_without_bias() {
        let mut dice = Dice(31);
        for size in [40, 200, 1_000, 65_000] {
            let rounds = 60;
            let estimates: Vec<f64> = (0..rounds)
                .map(|_| f64::from(set(&mut dice, size).count()) / f64::from(size))
                .collect();
            let mean = estimates.iter().sum::<f64>() / f64::from(rounds);
            assert!((mean - 1.0).abs() < 0.06, "{size}: {mean}");
            assert!(estimates.iter().all(|e| (0.5..1.6).contains(e)), "{size}");
        }
    }

    proptest! {
        #[test]
        fn merging_panes_is_the_same_as_one_window(
            a in proptest::collection::vec(any::<u32>(), 0..60),
            b in proptest::collection::vec(any::<u32>(), 0..60),
        ) {
            let build = |hashes: &[u32]| {
                let mut set = DistinctSet::default();
                for hash in hashes {
                    set.insert(*hash);
                }
                set
            };
            let (mut left, right) = (build(&a), build(&b));
            left.merge(&right);
            let whole = build(&[a, b].concat());
            prop_assert_eq!(left.count(), whole.count());
            prop_assert_eq!(left.is_exact(), whole.is_exact());
        }
    }
}
