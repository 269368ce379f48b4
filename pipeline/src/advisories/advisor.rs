//! What advisories say of the devices of a run, now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use andon_schemas::advisory::{self, Advisories, DeviceAdvisories, FirmwareVersion};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Inventory, Make};
use andon_schemas::observation::Record;

use super::attested::Attested;
use super::counted::{self, Counted};
use super::{Gathered, gather};
use crate::exit::words;

/// Files with something wrong that a log names one by one.
const LOGGED_MAX: usize = 20;

/// Knows the advisories and what devices attested. Clones share it.
#[derive(Clone, Debug)]
pub struct Advisor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    paths: Vec<PathBuf>,
    advisories: RwLock<Arc<Advisories>>,
    attested: Attested,
    reading: Mutex<()>,
    /// What is kept in the data folder is not of now.
    is_stale: AtomicBool,
}

impl Advisor {
    /// Reads the advisories; `None` if no path is named.
    ///
    /// # Errors
    /// If a path is not there. What is wrong with a file in it is only said.
    pub fn open(paths: &[PathBuf]) -> anyhow::Result<Option<Self>> {
        if paths.is_empty() {
            return Ok(None);
        }
        let advisories = Arc::new(told(gather(paths)?));
        let attested = Attested::default();
        Ok(Some(Self::of(paths.to_vec(), advisories, attested)))
    }

    fn of(paths: Vec<PathBuf>, advisories: Arc<Advisories>, attested: Attested) -> Self {
        Self(Arc::new(Shared {
            paths,
            advisories: RwLock::new(advisories),
            attested,
            reading: Mutex::default(),
            is_stale: AtomicBool::new(true),
        }))
    }

    /// The same, with what an earlier run knew of its devices. It is context: what cannot be read of
    /// it is said, and begins anew.
    #[must_use]
    pub fn going_on(self, folder: &Path) -> Self {
        let attested = Attested::read(folder).unwrap_or_else(|error| {
            tracing::warn!("what devices attested begins anew: {}", words(&error));
            Attested::default()
        });
        Self::of(self.0.paths.clone(), self.advisories(), attested)
    }

    /// Reads the files again, as the inventory is. If they are not there, the former ones stay.
    pub fn reload(&self) {
        // Whoever reads last has read the newest.
        let _one_by_one = self.0.reading.lock();
        match gather(&self.0.paths) {
            Ok(gathered) => {
                let advisories = Arc::new(told(gathered));
                let held = self.0.advisories.write();
                *held.unwrap_or_else(PoisonError::into_inner) = advisories;
            }
            Err(error) => tracing::error!(
                "advisories cannot be read, the former ones stay: {}",
                words(&error)
            ),
        }
        self.0.is_stale.store(true, Ordering::Relaxed);
    }

    /// The same on a thread of its own: thousands of files take seconds, and rows do not wait for
    /// them.
    pub fn reload_aside(&self) {
        let advisor = self.clone();
        let begun = thread::Builder::new()
            .name("advisories".to_owned())
            .spawn(move || advisor.reload());
        if let Err(error) = begun {
            tracing::error!("advisories cannot be read, the former ones stay: {error}");
        }
    }

    /// How much was read.
    pub fn counts(&self) -> advisory::Counts {
        self.advisories().counts()
    }

    fn advisories(&self) -> Arc<Advisories> {
        let held = self.0.advisories.read();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of what a device attests.
    pub fn see(&self, device: &DeviceId, record: &Record, inventory: &Inventory) {
        if self.0.attested.see(device, record, inventory) {
            self.0.is_stale.store(true, Ordering::Relaxed);
        }
    }

    /// Keeps what devices attested, of those that the inventory lists, in a data folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, folder: &Path, inventory: &Inventory) -> anyhow::Result<()> {
        self.0.attested.keep_to(inventory);
        self.0.attested.write(folder)?;
        if !self.0.is_stale.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        counted::write(folder, &self.counted(inventory))
    }

    /// How much is said of each device of which anything is.
    fn counted(&self, inventory: &Inventory) -> BTreeMap<DeviceId, Counted> {
        let advisories = self.advisories();
        // Many devices are of one make and run the same.
        let mut asked = BTreeMap::new();
        let mut counted = BTreeMap::new();
        for device in &inventory.devices {
            let Some(make) = device.make.as_deref() else {
                continue;
            };
            let runs = firmware(&self.0.attested, &device.id, Some(make));
            let key = (make, runs.as_ref().map(|runs| runs.version.clone()));
            let found = asked
                .entry(key)
                .or_insert_with(|| Counted::of(&advisories.of(Some(make), runs)));
            counted.extend(found.clone().map(|found| (device.id.clone(), found)));
        }
        counted
    }
}

impl advisory::Advisor for Advisor {
    fn of(&self, device: &DeviceId, make: Option<&Make>) -> DeviceAdvisories {
        let firmware = firmware(&self.0.attested, device, make);
        self.advisories().of(make, firmware)
    }
}

/// The version that counts: what the device attested last, else what the inventory says.
pub(crate) fn firmware(
    attested: &Attested,
    device: &DeviceId,
    make: Option<&Make>,
) -> Option<FirmwareVersion> {
    attested
        .of(device)
        .or_else(|| FirmwareVersion::of_inventory(make))
}

/// Says what was read, and what could not be.
fn told(gathered: Gathered) -> Advisories {
    for problems in gathered.problems.iter().take(LOGGED_MAX) {
        tracing::error!("advisories: {problems}");
    }
    let counts = gathered.advisories.counts();
    if counts.faulty > 0 {
        tracing::error!(
            faulty = counts.faulty,
            used = counts.files,
            "files of advisories have something wrong in them; the others, and what is right in \
             these, are used"
        );
    }
    tracing::info!(
        advisories = counts.advisories,
        statements = counts.statements,
        shed = counts.shed,
        "advisories were read"
    );
    gathered.advisories
}
