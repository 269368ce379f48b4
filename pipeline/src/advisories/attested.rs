//! The firmware that devices attested last, as far as a run has seen it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use andon_schemas::advisory::{FirmwareVersion, VERSION_BYTES_MAX, VersionSource};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{Body, Record, RecordBody};
use andon_schemas::time::EventTime;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::exit::usage;
use crate::results::write_json;

/// Name of the file in a data folder.
pub const FILE: &str = "firmware.json";

/// A version and when it was attested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    version: Arc<str>,
    at: EventTime,
}

/// The newest version of each device that the inventory lists. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Attested(Arc<Mutex<BTreeMap<DeviceId, Last>>>);

impl Attested {
    /// What an earlier run kept in its data folder; nothing if it kept nothing.
    ///
    /// # Errors
    /// If there is something, and it cannot be read.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                let cannot = format!("cannot read `{}`", path.display());
                return Err(usage(anyhow::Error::new(error).context(cannot)));
            }
        };
        let kept = serde_json::from_slice(&text)
            .with_context(|| format!("`{}`", path.display()))
            .map_err(usage)?;
        Ok(Self(Arc::new(Mutex::new(kept))))
    }

    /// Keeps it in a data folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let kept = self.lock().clone();
        write_json(&folder.join(FILE), &kept)
    }

    /// Takes note of a record about a device, if it attests something, and if whoever sent it may speak for the
    /// device. Of what is told twice the newest counts, so that it may be told again. Says whether
    /// the device runs something else now.
    pub fn see(&self, device: &DeviceId, record: &Record, inventory: &Inventory) -> bool {
        let RecordBody::Single(Body::Attestation(attestation)) = &record.body else {
            return false;
        };
        let listed = inventory.device(device.as_str());
        let may_speak = record
            .sender
            .as_ref()
            .is_none_or(|sender| inventory.may_speak_for(sender.name.as_str(), device.as_str()));
        if listed.is_none() || !may_speak || attestation.version.len() > VERSION_BYTES_MAX {
            return false;
        }
        let mut kept = self.lock();
        let at = record.event_time;
        match kept.get_mut(device) {
            Some(last) if last.at >= at => false,
            Some(last) if *last.version == *attestation.version => {
                last.at = at;
                false
            }
            _ => {
                let version = attestation.version.as_str().into();
                kept.insert(device.clone(), Last { version, at });
                true
            }
        }
    }

    /// What is not in the inventory any more is forgotten.
    pub fn keep_to(&self, inventory: &Inventory) {
        self.lock()
            .retain(|device, _| inventory.device(device.as_str()).is_some());
    }

    /// What a device attested last.
    pub fn of(&self, device: &DeviceId) -> Option<FirmwareVersion> {
        self.lock().get(device).map(|last| FirmwareVersion {
            version: last.version.to_string(),
            source: VersionSource::Attested,
            at: Some(last.at),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
