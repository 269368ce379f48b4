//! Snapshot and restore: the state of every device, by virtual node, versioned and checksummed.
//!
//! Layout: `ANDONSNP`, version (u32 LE), header section, then one section per virtual node. A
//! section is its length (u32 LE), the CRC-32 of its bytes (u32 LE), and the bytes, postcard. The
//! header names the hashes of the profiles, the inventory and the indicators that the state was
//! made with.

use andon_detectors::catalog::CATALOG;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use std::sync::Arc;

use crate::device::{Cold, Hot};
use crate::engine::Engine;
use crate::output::Counts;
use crate::plant::Plant;
use crate::vnode::{VNODES, vnode_of};

const MAGIC: &[u8; 8] = b"ANDONSNP";
const VERSION: u32 = 11;

/// Why a snapshot cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Not one of ours.
    #[error("this is not a snapshot of Andon")]
    NotASnapshot,
    /// Written by another version.
    #[error("snapshot version {0} is not supported, this build reads version {VERSION}")]
    Version(u32),
    /// Divided into another number of virtual nodes.
    #[error("snapshot has {0} virtual nodes, this build has {VNODES}")]
    VirtualNodes(u16),
    /// Cut off or altered.
    #[error("snapshot is damaged in section {section} at byte {at}: {cause}")]
    Damaged {
        /// Which section, 0 for the header.
        section: usize,
        /// Where it begins.
        at: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// Made with other profiles, another inventory or other indicators.
    #[error("snapshot was made with {what} {theirs}, this engine runs with {ours}")]
    Control {
        /// Profiles, inventory or indicators.
        what: &'static str,
        /// Hash in the snapshot.
        theirs: String,
        /// Hash of the engine.
        ours: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    vnodes: u16,
    /// The whole catalogue: what is remembered of a device is laid out by it.
    detectors: String,
    last_tick: EventTime,
    counts: Counts,
    profile_hash: String,
    inventory_hash: String,
    /// Empty without indicators.
    indicator_hash: String,
}

impl Engine {
    /// The state of all devices as bytes.
    ///
    /// # Errors
    /// If a device's state cannot be written, with its id; nothing a caller can cause.
    pub fn snapshot(&self) -> Result<Vec<u8>, String> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let header = Header {
            vnodes: u16::try_from(VNODES).unwrap_or(u16::MAX),
            detectors: detectors(),
            last_tick: self.last_tick,
            counts: self.counts,
            profile_hash: self.plant.profile_hash().to_owned(),
            inventory_hash: self.plant.inventory_hash().to_owned(),
            indicator_hash: self.plant.indicator_hash().to_owned(),
        };
        write_section(&mut bytes, &header)?;
        let mut nodes: Vec<Vec<usize>> = vec![Vec::new(); VNODES];
        for (slot, id) in self.devices.ids.iter().enumerate() {
            nodes[usize::from(vnode_of(id.as_str()))].push(slot);
        }
        for slots in nodes {
            let devices: Vec<(&DeviceId, &Hot, &Cold)> = slots
                .iter()
                .map(|s| {
                    (
                        &self.devices.ids[*s],
                        &self.devices.hot[*s],
                        &self.devices.cold[*s],
                    )
                })
                .collect();
            write_section(&mut bytes, &devices)?;
        }
        Ok(bytes)
    }

    /// An engine that goes on where the snapshots were taken, with the virtual nodes that `own`
    /// accepts. Several snapshots are those of several shards at one point of the input; their
    /// counts are carried on by the engine that is told to.
    ///
    /// # Errors
    /// Says what is wrong with a snapshot, and where.
    pub fn restore(
        plant: Arc<Plant>,
        snapshots: &[Vec<u8>],
        own: impl Fn(u8) -> bool,
        carry_counts: bool,
    ) -> Result<Self, SnapshotError> {
        let mut engine = Self::new(plant);
        for bytes in snapshots {
            let mut reader = Reader::open(bytes)?;
            let header: Header = reader.section()?;
            header.check(&engine.plant)?;
            engine.last_tick = engine.last_tick.max(header.last_tick);
            if carry_counts {
                engine.counts.add(&header.counts);
            }
            for node in 0..VNODES {
                let devices: Vec<(DeviceId, Hot, Cold)> = reader.section()?;
                if !own(u8::try_from(node).unwrap_or(u8::MAX)) {
                    continue;
                }
                for (id, hot, cold) in devices {
                    engine.devices.restore(id, hot, cold, &engine.plant);
                }
            }
            reader.finish()?;
        }
        for slot in 0..engine.devices.len() {
            engine.rearm(slot);
        }
        Ok(engine)
    }
}

/// Cuts a snapshot into its parts, which are it again when they are put together: the beginning
/// with the header, then each virtual node. Nothing but their lengths is looked at.
///
/// # Errors
/// If it is none, or ends early.
pub fn split_snapshot(bytes: &[u8]) -> Result<Vec<&[u8]>, SnapshotError> {
    let mut reader = Reader::open(bytes)?;
    let mut parts = Vec::with_capacity(1 + VNODES);
    let mut began = 0;
    while reader.at < bytes.len() {
        let length = reader.number()? as usize;
        reader.number()?;
        reader.at = reader.at.saturating_add(length);
        let part = bytes.get(began..reader.at);
        parts.push(part.ok_or_else(|| reader.damaged(began, "it ends early"))?);
        began = reader.at;
        reader.section += 1;
    }
    Ok(parts)
}

impl Header {
    fn check(&self, plant: &Plant) -> Result<(), SnapshotError> {
        if usize::from(self.vnodes) != VNODES {
            return Err(SnapshotError::VirtualNodes(self.vnodes));
        }
        check_control("detectors", &self.detectors, &detectors())?;
        check_control("profiles", &self.profile_hash, plant.profile_hash())?;
        check_control("inventory", &self.inventory_hash, plant.inventory_hash())?;
        check_control("indicators", &self.indicator_hash, plant.indicator_hash())
    }
}

fn detectors() -> String {
    CATALOG
        .iter()
        .map(|entry| entry.name)
        .collect::<Vec<_>>()
        .join(" ")
}

fn check_control(what: &'static str, theirs: &str, ours: &str) -> Result<(), SnapshotError> {
    if theirs == ours {
        return Ok(());
    }
    Err(SnapshotError::Control {
        what,
        theirs: theirs.to_owned(),
        ours: ours.to_owned(),
    })
}

fn write_section(bytes: &mut Vec<u8>, content: &impl Serialize) -> Result<(), String> {
    let content = postcard::to_stdvec(content).map_err(|e| format!("snapshot: {e}"))?;
    let length = u32::try_from(content.len()).map_err(|_| "snapshot section over 4 GiB")?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&content).to_le_bytes());
    bytes.extend_from_slice(&content);
    Ok(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    section: usize,
}

impl<'a> Reader<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, SnapshotError> {
        if bytes.get(..8) != Some(MAGIC.as_slice()) {
            return Err(SnapshotError::NotASnapshot);
        }
        let mut reader = Self {
            bytes,
            at: 8,
            section: 0,
        };
        let version = reader.number()?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        Ok(reader)
    }

    fn section<T: DeserializeOwned>(&mut self) -> Result<T, SnapshotError> {
        let began = self.at;
        let length = self.number()? as usize;
        let crc = self.number()?;
        let content = self
            .bytes
            .get(self.at..self.at.saturating_add(length))
            .ok_or_else(|| self.damaged(began, "it ends early"))?;
        if crc32fast::hash(content) != crc {
            return Err(self.damaged(began, "its checksum does not match"));
        }
        let value = postcard::from_bytes(content)
            .map_err(|e| self.damaged(began, &format!("it cannot be decoded: {e}")))?;
        self.at += length;
        self.section += 1;
        Ok(value)
    }

    /// Nothing may follow the last section.
    fn finish(&self) -> Result<(), SnapshotError> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(self.damaged(self.at, "it goes on after its last section"))
    }

    fn number(&mut self) -> Result<u32, SnapshotError> {
        let bytes: [u8; 4] = self
            .bytes
            .get(self.at..self.at + 4)
            .and_then(|b| b.try_into().ok())
            .ok_or_else(|| self.damaged(self.at, "it ends early"))?;
        self.at += 4;
        Ok(u32::from_le_bytes(bytes))
    }

    fn damaged(&self, at: usize, cause: &str) -> SnapshotError {
        SnapshotError::Damaged {
            section: self.section,
            at,
            cause: cause.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
