//! Virtual nodes: a fixed division of all devices, independent of how many threads own them.

/// Number of virtual nodes; recorded in every snapshot.
pub const VNODES: usize = 256;

/// The virtual node of a device. Part of the snapshot format: FNV-1a over the bytes of the id,
/// folded to eight bits.
pub fn vnode_of(device: &str) -> u8 {
    let hash = device
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    #[expect(
        clippy::cast_possible_truncation,
        reason = "folding to the low byte is the point"
    )]
    let folded = (hash ^ hash >> 32 ^ hash >> 16 ^ hash >> 8) as u8;
    folded
}

/// A 64-bit fingerprint of a text and some numbers, stable across builds: word by word through a
/// multiplication and a shift, neither of which loses anything, with a final mix.
pub(crate) fn fingerprint(text: &str, numbers: &[u64]) -> u64 {
    let absorb = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^ hash >> 32
    };
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().copied().chain([last]).map(u64::from_le_bytes);
    // The length tells a text from the same text with zeros behind it.
    let hash = words.fold(!(text.len() as u64), absorb);
    let hash = numbers.iter().copied().fold(hash, absorb);
    (hash ^ hash >> 29).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
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
    fn fingerprints_tell_texts_and_numbers_apart() {
        let mut prints: Vec<u64> = ["", "\0", "C1", "C1\0", "C1234567", "C12345678"]
            .iter()
            .flat_map(|text| {
                let numbers: [&[u64]; 4] = [&[], &[0], &[0, 0], &[1, 0]];
                numbers.map(|numbers| fingerprint(text, numbers))
            })
            .collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), 24);
    }

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
