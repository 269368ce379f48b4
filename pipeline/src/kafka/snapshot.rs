//! The state of one lane at the end of an epoch, and how it is kept: in pieces, so that only those
//! which changed are written again.

use andon_engine::{FeedState, split_snapshot};
use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::blueprint::Blueprint;
use crate::intake::Tally;
use crate::sealed::{open, seal};

const MANIFEST: [u8; 8] = *b"ANDONMF1";
const WHOLE: [u8; 8] = *b"ANDONLN1";

/// What identifies a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Its length, bytes.
    pub length: u64,
    /// The first half of the SHA-256 of its bytes.
    pub digest: u128,
}

impl Sum {
    /// That of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            length: bytes.len() as u64,
            digest: half(Sha256::digest(bytes).into()),
        }
    }
}

fn half(digest: [u8; 32]) -> u128 {
    let (half, _) = digest.split_at(16);
    half.iter()
        .fold(0, |half, byte| half << 8 | u128::from(*byte))
}

/// What a snapshot consists of, and where it was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The partition of the observations.
    pub partition: i32,
    /// Which beginning it goes back to: state from before a topic was made anew is of no use.
    pub line: u64,
    /// The epoch after which it was taken.
    pub epoch: u64,
    /// The offset of the next record.
    pub next: i64,
    /// Where the control topic says what it was measured against.
    pub control: i64,
    /// Where the feed stands.
    pub feed: FeedState,
    /// Where every record went.
    pub tally: Tally,
    /// Its pieces: the blueprint, the header of the engine's snapshot, then the virtual nodes.
    pub pieces: Vec<Sum>,
}

/// The state of one lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What it consists of.
    pub manifest: Manifest,
    /// Its pieces.
    pub pieces: Vec<Vec<u8>>,
}

impl Snapshot {
    /// Cuts the state of a lane into its pieces. `manifest.pieces` is filled in.
    ///
    /// # Errors
    /// If the engine's snapshot is none.
    pub fn of(
        mut manifest: Manifest,
        blueprint: &Blueprint,
        engine: &[u8],
    ) -> anyhow::Result<Self> {
        let mut pieces = vec![serde_json::to_vec(blueprint)?];
        pieces.extend(split_snapshot(engine)?.into_iter().map(<[u8]>::to_vec));
        manifest.pieces = pieces.iter().map(|piece| Sum::of(piece)).collect();
        Ok(Self { manifest, pieces })
    }

    /// What it is measured against, and the engine's snapshot.
    ///
    /// # Errors
    /// If the blueprint cannot be read.
    pub fn parts(&self) -> anyhow::Result<(Blueprint, Vec<u8>)> {
        let (blueprint, engine) = self
            .pieces
            .split_first()
            .context("the snapshot has no pieces")?;
        let blueprint = serde_json::from_slice(blueprint).context("cannot read its blueprint")?;
        Ok((blueprint, engine.concat()))
    }

    /// Whether every piece is what the manifest says.
    ///
    /// # Errors
    /// Says which one is not.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.pieces.len() != self.manifest.pieces.len() {
            bail!(
                "it has {} pieces of {}",
                self.pieces.len(),
                self.manifest.pieces.len()
            );
        }
        for (at, (piece, sum)) in self.pieces.iter().zip(&self.manifest.pieces).enumerate() {
            if Sum::of(piece) != *sum {
                bail!("piece {at} is not the one it names");
            }
        }
        Ok(())
    }

    /// Length of its pieces together, bytes.
    pub fn length(&self) -> u64 {
        self.manifest.pieces.iter().map(|sum| sum.length).sum()
    }

    /// All of it as one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        seal(WHOLE, self)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> anyhow::Result<Self> {
        let snapshot: Self = open(WHOLE, bytes)?;
        snapshot.check()?;
        Ok(snapshot)
    }
}

impl Manifest {
    /// Its bytes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        seal(MANIFEST, self)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> anyhow::Result<Self> {
        open(MANIFEST, bytes).map_err(|error| anyhow!("manifest: {error:#}"))
    }
}
