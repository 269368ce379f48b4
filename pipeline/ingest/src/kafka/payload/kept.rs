//! Answers of a schema registry, kept on disk: what was read before a restart is read again after
//! it, also while the registry is gone. A schema never changes under its number, so an answer
//! never ages; it belongs to its registry's address.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The answers of one registry.
#[derive(Debug)]
pub(super) struct Kept {
    folder: Option<PathBuf>,
}

impl Kept {
    /// Those below `folder` that came from this address; none are kept without a folder.
    pub(super) fn of(folder: Option<&Path>, address: &str) -> Self {
        let hash = Sha256::digest(address.as_bytes());
        let start = hash
            .iter()
            .take(8)
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Self {
            folder: folder.map(|folder| folder.join(format!("{start:016x}"))),
        }
    }

    /// The answer about a number, if there is one.
    pub(super) fn get(&self, id: u32) -> Option<Vec<u8>> {
        std::fs::read(self.folder.as_ref()?.join(name(id))).ok()
    }

    /// Keeps an answer. It does without if the disk refuses: the registry can be asked again.
    pub(super) fn put(&self, id: u32, answer: &[u8]) {
        let Some(folder) = &self.folder else {
            return;
        };
        if let Err(error) = written(folder, &name(id), answer) {
            tracing::warn!("cannot keep schema {id} in `{}`: {error}", folder.display());
        }
    }
}

fn name(id: u32) -> String {
    format!("{id}.json")
}

/// Writes a file that is there as a whole or not at all.
fn written(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let draft = folder.join(format!("{name}.{}.draft", std::process::id()));
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&draft, folder.join(name))
}
