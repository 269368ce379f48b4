//! Reproducible tie-breaking: the uniform number that makes a count's score continuous.
//!
//! It must be the same in a backtest, in a live run and after a restore, so it is a fixed hash of
//! device, signal and window. The hash is part of the format of evidence: FNV-1a, 64 bits, over
//! the device id, one byte `0xFF`, the signal's name, one byte `0xFF`, and the window number as
//! eight little-endian bytes; then the finaliser of `SplitMix64`; the upper 53 bits are the number.

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;
/// No UTF-8 text holds this byte, so no two triples run into the same bytes.
const SEPARATOR: u8 = 0xFF;

/// The part of the hash that belongs to a device: kept with its state, so that no id is hashed
/// when a window closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSeed(u64);

impl DeviceSeed {
    /// The seed of a device id as it is written in verdicts (lower case).
    pub fn of(device: &str) -> Self {
        Self(fnv(fnv(FNV_OFFSET, device.as_bytes()), &[SEPARATOR]))
    }

    /// A number in [0, 1) for this device, signal and window.
    pub fn uniform(self, signal: &str, window: i64) -> f64 {
        let hash = fnv(fnv(self.0, signal.as_bytes()), &[SEPARATOR]);
        let hash = finalise(fnv(hash, &window.to_le_bytes()));
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let upper = (hash >> 11) as f64;
        upper * 2.0_f64.powi(-53)
    }
}

/// A number in [0, 1) for this device, signal and window number: always the same one.
pub fn uniform_hash(device: &str, signal: &str, window: i64) -> f64 {
    DeviceSeed::of(device).uniform(signal, window)
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}

/// The last stage of `SplitMix64`: spreads every input bit over the whole word.
pub(super) fn finalise(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_frozen() {
        // FNV-1a of "a" is published; the rest of the format is pinned by the second value.
        assert_eq!(fnv(FNV_OFFSET, b"a"), 0xAF63_DC4C_8601_EC8C);
        let frozen = 6_832_395_454_566_875.0 * 2.0_f64.powi(-53);
        let u = uniform_hash("cnc-07", "connection_rate", 490_000);
        assert!((u - frozen).abs() < f64::MIN_POSITIVE, "{u}");
    }

    #[test]
    fn numbers_are_uniform_and_neighbours_are_unrelated() {
        let seed = DeviceSeed::of("plc-3");
        let numbers: Vec<f64> = (0..20_000).map(|w| seed.uniform("volume", w)).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let product: f64 = numbers
            .windows(2)
            .map(|w| (w[0] - 0.5) * (w[1] - 0.5))
            .sum();
        assert!((product / 19_999.0 * 12.0).abs() < 0.03);
        assert!(numbers.iter().all(|u| (0.0..1.0).contains(u)));
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        assert_ne!(
            uniform_hash("ab", "c", 1).to_bits(),
            uniform_hash("a", "bc", 1).to_bits()
        );
    }
}
