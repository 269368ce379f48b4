//! What is told of each file once it was read.

use super::{Format, PacketCounts};

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileReport {
    /// The file as it was given or found.
    pub path: String,
    /// What it is; null if it is empty, or of no format that is read.
    pub format: Option<Format>,
    /// Records taken from it.
    pub records: u64,
    /// Rejects it gave.
    pub rejects: u64,
    /// Rows of logs, or frames of kinds, that are not observed, beyond the one reject that says so.
    pub unread: u64,
    /// What was in it if it holds packets, which are more than its records; else null.
    pub packets: Option<PacketCounts>,
    /// What was wrong with the first row that could not be read, or with the file as a whole.
    pub first_refusal: Option<String>,
}

impl FileReport {
    /// Says so if flows were cut in two for want of room.
    pub(super) fn tell_evicted(&self) {
        if let Some(evicted) = self.packets.as_ref().map(|packets| packets.evicted)
            && evicted > 0
        {
            tracing::warn!(
                "`{}` has more flows open at one time than are kept: {evicted} were told before \
                 their end, and what came of them later counts as further flows",
                self.path
            );
        }
    }
}
