//! What advisories say of the devices of a run, now.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use andon_schemas::advisory::{self, Advisories, DeviceAdvisories, FirmwareVersion};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Inventory, Make};
use andon_schemas::observation::Record;
use anyhow::anyhow;

use super::attested::Attested;
use super::shelf::{Question, Shelf, questions};
use super::{Gathered, counted, gather};
use crate::exit::words;

/// Files with something wrong that a log names one by one.
const LOGGED_MAX: usize = 20;

/// Knows the advisories and what devices attested. Clones share it.
#[derive(Clone, Debug)]
pub struct Advisor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    paths: Vec<PathBuf>,
    shelf: RwLock<Arc<Shelf>>,
    attested: Attested,
    reading: Mutex<()>,
    /// What counts how much is said of the devices.
    counting: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
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
        let shelf = Arc::new(Shelf::of(told(gather(paths)?)));
        let attested = Attested::default();
        Ok(Some(Self::of(paths.to_vec(), shelf, attested)))
    }

    fn of(paths: Vec<PathBuf>, shelf: Arc<Shelf>, attested: Attested) -> Self {
        Self(Arc::new(Shared {
            paths,
            shelf: RwLock::new(shelf),
            attested,
            reading: Mutex::default(),
            counting: Mutex::default(),
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
        Self::of(self.0.paths.clone(), self.shelf(), attested)
    }

    /// Reads the files again, as the inventory is. If they are not there, the former ones stay.
    pub fn reload(&self) {
        // Whoever reads last has read the newest.
        let _one_by_one = self.0.reading.lock();
        match gather(&self.0.paths) {
            Ok(gathered) => {
                // With the former advisories go the answers that were theirs.
                let newest = Arc::new(Shelf::of(told(gathered)));
                let held = self.0.shelf.write();
                *held.unwrap_or_else(PoisonError::into_inner) = newest;
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
        self.shelf().advisories.counts()
    }

    pub(super) fn shelf(&self) -> Arc<Shelf> {
        let held = self.0.shelf.read();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of what a device attests.
    pub fn see(&self, device: &DeviceId, record: &Record, inventory: &Inventory) {
        if self.0.attested.see(device, record, inventory) {
            self.0.is_stale.store(true, Ordering::Relaxed);
        }
    }

    /// Keeps what devices attested, of those that the inventory lists, in a data folder, and how
    /// much is said of them.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, folder: &Path, inventory: &Inventory) -> anyhow::Result<()> {
        self.keep_attested(folder, inventory)?;
        let mut counting = self.counting();
        counting.take().map_or(Ok(()), ended)?;
        if !self.0.is_stale.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.count(folder, &questions(inventory, &self.0.attested))
    }

    /// The same, but counts on a thread of its own: many makes and many advisories take long, and
    /// rows do not wait for them. While it still counts, nothing new is begun.
    ///
    /// # Errors
    /// If it cannot be written, or could not be the last time.
    pub fn keep_aside(&self, folder: &Path, inventory: &Inventory) -> anyhow::Result<()> {
        self.keep_attested(folder, inventory)?;
        let mut counting = self.counting();
        if counting
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            return Ok(());
        }
        counting.take().map_or(Ok(()), ended)?;
        if !self.0.is_stale.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let (advisor, folder) = (self.clone(), folder.to_owned());
        let questions = questions(inventory, &self.0.attested);
        let begun = thread::Builder::new()
            .name("advised".to_owned())
            .spawn(move || advisor.count(&folder, &questions));
        match begun {
            Ok(thread) => *counting = Some(thread),
            Err(error) => {
                tracing::error!("what advisories say of the devices is not counted: {error}");
                self.0.is_stale.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn keep_attested(&self, folder: &Path, inventory: &Inventory) -> anyhow::Result<()> {
        self.0.attested.keep_to(inventory);
        self.0.attested.write(folder)
    }

    fn count(&self, folder: &Path, questions: &[Question]) -> anyhow::Result<()> {
        counted::write(folder, &self.shelf().count(questions))
    }

    fn counting(&self) -> MutexGuard<'_, Option<JoinHandle<anyhow::Result<()>>>> {
        let counting = self.0.counting.lock();
        counting.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for what counts, and says what came of it.
fn ended(thread: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    let ended = thread.join();
    ended.unwrap_or_else(|_| Err(anyhow!("what counts advisories ended abnormally")))
}

impl advisory::Advisor for Advisor {
    fn of(&self, device: &DeviceId, make: Option<&Make>) -> DeviceAdvisories {
        let firmware = firmware(&self.0.attested, device, make);
        self.shelf().ask(make, firmware)
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
