//! What is kept for a later process: a magic word with a version in its last byte, a checksum, and
//! the content. Whatever was altered, cut off or written by another version is noticed.

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Length of the magic word, bytes.
const MAGIC_BYTES: usize = 8;

/// The bytes of a content.
///
/// # Errors
/// If the content cannot be written as postcard.
pub fn seal(magic: [u8; MAGIC_BYTES], content: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let content = postcard::to_stdvec(content)?;
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&crc32fast::hash(&content).to_le_bytes());
    bytes.extend_from_slice(&content);
    Ok(bytes)
}

/// The content of the bytes.
///
/// # Errors
/// If it is damaged, or of another version.
pub fn open<T: DeserializeOwned>(magic: [u8; MAGIC_BYTES], bytes: &[u8]) -> anyhow::Result<T> {
    let Some((head, content)) = bytes.split_at_checked(MAGIC_BYTES + 4) else {
        bail!("it is damaged: {} bytes are too few", bytes.len());
    };
    let (word, sum) = head.split_at(MAGIC_BYTES);
    let (name, version) = word.split_at(MAGIC_BYTES - 1);
    if name == &magic[..MAGIC_BYTES - 1] && version != &magic[MAGIC_BYTES - 1..] {
        bail!("it was written by another version of andon");
    }
    if word != magic || sum != crc32fast::hash(content).to_le_bytes() {
        bail!("it is damaged: its checksum does not match");
    }
    postcard::from_bytes(content).context("it is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 8] = *b"ANDONXX1";

    #[test]
    fn damage_and_other_versions_are_told_apart() {
        let bytes = seal(MAGIC, &(7_u32, "seven")).unwrap();
        assert_eq!(
            open::<(u32, String)>(MAGIC, &bytes).unwrap(),
            (7, "seven".to_owned())
        );
        let words = |bytes: &[u8]| open::<(u32, String)>(MAGIC, bytes).unwrap_err().to_string();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let expected = if at == 7 {
                "another version"
            } else {
                "damaged"
            };
            assert!(words(&damaged).contains(expected), "byte {at}");
            assert!(words(&bytes[..at]).contains("damaged"), "cut at {at}");
        }
    }
}
