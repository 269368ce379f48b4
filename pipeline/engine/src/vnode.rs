//! Virtual nodes: a fixed division of all devices, independent of how many threads own them.

/// Number of virtual nodes; recorded in every snapshot.
pub const VNODES: usize = 256;

/// The virtual node of a device. Part of the snapshot format: FNV-1a over the bytes of the id,
/// folded to eight bits.
pub fn vnode_of(device: &str) -> u8 {
    let hash = fnv(device.as_bytes(), FNV_OFFSET);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "folding to the low byte is the point"
    )]
    let folded = (hash ^ hash >> 32 ^ hash >> 16 ^ hash >> 8) as u8;
    folded
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(bytes: &[u8], seed: u64) -> u64 {
    bytes.iter().fold(seed, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A 64-bit fingerprint of several parts, stable across builds: FNV-1a with a final mix.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u64 {
    let mut hash = FNV_OFFSET;
    for part in parts {
        hash = fnv(part, hash);
        hash = fnv(&[0xff], hash);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let written = write!(text, "{byte:02x}");
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vnodes_spread_and_stay() {
        let mut counts = [0_u32; VNODES];
        for device in 0..25_600 {
            counts[usize::from(vnode_of(&format!("cnc-controller-{device:05}")))] += 1;
        }
        assert!(counts.iter().all(|n| (50..200).contains(n)), "{counts:?}");
        assert_eq!(
            vnode_of("plc-assembly-line-3"),
            vnode_of("plc-assembly-line-3")
        );
    }
}
