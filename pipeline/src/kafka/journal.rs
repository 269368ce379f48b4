//! What `andon.state.v1` holds of a partition, as keys and values: where the last epoch ended and
//! the ticks that no record made, and the newest snapshot in pieces. The topic is compacted, so of
//! every key the newest value counts.

use std::sync::Arc;

use andon_emit::kafka::Outgoing;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

use super::recall::Values;
use super::snapshot::{Manifest, Snapshot, Sum};
use crate::sealed::{open, seal};

const EPOCH: [u8; 8] = *b"ANDONEP1";
const EPOCH_KEY: &[u8] = b"epoch";
const MANIFEST_KEY: &[u8] = b"manifest";

/// Most bytes of a piece in one record.
const CHUNK_BYTES: usize = 800_000;

/// Where the last epoch of a partition ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Which beginning it goes back to.
    pub line: u64,
    /// Into how many partitions the observations were divided.
    pub partitions: usize,
    /// Its number; the first is 1.
    pub epoch: u64,
    /// The offset of the next record.
    pub next: i64,
    /// No snapshot that was taken before this epoch can be gone on from.
    pub oldest: u64,
    /// Times told by the clock of an idle partition since `oldest`: the offset of the record that
    /// came next, and the time.
    pub ticks: Vec<(i64, EventTime)>,
}

/// Writes the state of one partition.
#[derive(Clone, Debug)]
pub struct Journal {
    topic: Arc<str>,
    partition: i32,
}

impl Journal {
    /// Of a partition, to this topic.
    pub fn new(topic: Arc<str>, partition: i32) -> Self {
        Self { topic, partition }
    }

    fn record(&self, key: Vec<u8>, payload: Option<Vec<u8>>) -> Outgoing {
        Outgoing {
            topic: self.topic.clone(),
            partition: Some(self.partition),
            key,
            payload,
            headers: Vec::new(),
        }
    }

    /// Where an epoch ended.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn epoch(&self, epoch: &EpochRecord, out: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        out.push(self.record(EPOCH_KEY.to_vec(), Some(seal(EPOCH, epoch)?)));
        Ok(())
    }

    /// What a snapshot holds that the one before did not.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn snapshot(
        &self,
        snapshot: &Snapshot,
        before: &[Sum],
        out: &mut Vec<Outgoing>,
    ) -> anyhow::Result<()> {
        let sums = &snapshot.manifest.pieces;
        for (at, (piece, sum)) in snapshot.pieces.iter().zip(sums).enumerate() {
            if before.get(at) == Some(sum) {
                continue;
            }
            for (number, chunk) in piece.chunks(CHUNK_BYTES).enumerate() {
                out.push(self.record(piece_key(at, number), Some(chunk.to_vec())));
            }
        }
        let manifest = snapshot.manifest.to_bytes()?;
        out.push(self.record(MANIFEST_KEY.to_vec(), Some(manifest)));
        Ok(())
    }
}

fn piece_key(piece: usize, chunk: usize) -> Vec<u8> {
    format!("piece/{piece:05}/{chunk:05}").into_bytes()
}

/// Whether a key of the topic is one of these.
pub fn is_ours(key: &[u8]) -> bool {
    key == EPOCH_KEY || key == MANIFEST_KEY || key.starts_with(b"piece/")
}

/// What was read of a partition's state.
#[derive(Debug)]
pub struct Kept<'a>(pub &'a Values);

impl Kept<'_> {
    /// Where the last epoch ended; `None` if there was none.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn epoch(&self) -> anyhow::Result<Option<EpochRecord>> {
        let bytes = self.0.get(EPOCH_KEY);
        bytes
            .map(|bytes| open(EPOCH, bytes).context("the record of the last epoch"))
            .transpose()
    }

    /// The newest snapshot; `None` if there was none.
    ///
    /// # Errors
    /// If it is damaged, incomplete or of another version.
    pub fn snapshot(&self) -> anyhow::Result<Option<Snapshot>> {
        let Some(manifest) = self.0.get(MANIFEST_KEY) else {
            return Ok(None);
        };
        let manifest = Manifest::from_bytes(manifest)?;
        let pieces = manifest
            .pieces
            .iter()
            .enumerate()
            .map(|(at, sum)| self.piece(at, *sum))
            .collect::<anyhow::Result<_>>()?;
        let snapshot = Snapshot { manifest, pieces };
        snapshot.check()?;
        Ok(Some(snapshot))
    }

    fn piece(&self, at: usize, sum: Sum) -> anyhow::Result<Vec<u8>> {
        let length = usize::try_from(sum.length)?;
        let mut piece = Vec::new();
        for chunk in 0..length.div_ceil(CHUNK_BYTES) {
            let bytes = self.0.get(&piece_key(at, chunk));
            piece.extend(bytes.ok_or_else(|| anyhow!("piece {at} of it is missing"))?);
        }
        Ok(piece)
    }
}
