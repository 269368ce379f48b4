//! Advisories, and the answers that were asked of them. One answer goes through all products of a
//! vendor, and whoever looks at a device looks at it again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use andon_schemas::advisory::{Advisories, DeviceAdvisories, FirmwareVersion};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Inventory, Make};

use super::attested::Attested;
use super::counted::Counted;
use super::firmware;

/// Answers that are kept, and vulnerabilities in them, together: about 20 MB.
pub(super) const KEPT_MAX: usize = 20_000;

/// Of what an answer depends: who made the device, and the version that it runs.
type Key = (Make, Option<String>);

/// A device and the version that it runs.
pub(super) type Question = (DeviceId, Arc<Make>, Option<FirmwareVersion>);

/// Advisories that do not change, so that answers stay right.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) advisories: Advisories,
    kept: Mutex<Kept>,
    counted: Mutex<BTreeMap<Key, Option<Counted>>>,
}

#[derive(Debug, Default)]
struct Kept {
    answers: BTreeMap<Key, Arc<DeviceAdvisories>>,
    /// The oldest first.
    order: VecDeque<Key>,
    size: usize,
}

impl Shelf {
    pub(super) fn of(advisories: Advisories) -> Self {
        Self {
            advisories,
            ..Self::default()
        }
    }

    /// What is said of a device of this make that runs this firmware.
    pub(super) fn ask(
        &self,
        make: Option<&Make>,
        firmware: Option<FirmwareVersion>,
    ) -> DeviceAdvisories {
        let Some(known) = make else {
            return self.advisories.of(make, firmware);
        };
        let version = firmware.as_ref().map(|runs| runs.version.clone());
        let key = (known.clone(), version);
        let kept = self.kept().answers.get(&key).cloned();
        let answer = kept.unwrap_or_else(|| {
            let answer = Arc::new(self.advisories.of(make, firmware.clone()));
            self.kept().take(key, answer.clone());
            answer
        });
        // Another device of this make attested it at another time.
        DeviceAdvisories {
            firmware,
            ..(*answer).clone()
        }
    }

    /// How much is said of each device of which anything is.
    pub(super) fn count(&self, questions: &[Question]) -> BTreeMap<DeviceId, Counted> {
        let mut before = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked = BTreeMap::new();
        let mut counted = BTreeMap::new();
        for (device, make, runs) in questions {
            let version = runs.as_ref().map(|runs| runs.version.clone());
            let key = ((**make).clone(), version);
            // Many devices are of one make and run the same.
            let known = before.remove(&key);
            let found = asked.entry(key).or_insert_with(|| {
                let ask = || Counted::of(&self.advisories.of(Some(make), runs.clone()));
                known.unwrap_or_else(ask)
            });
            counted.extend(found.clone().map(|found| (device.clone(), found)));
        }
        // What nobody runs any more is not kept.
        *before = asked;
        counted
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers that are kept, and their size.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let kept = self.kept();
        assert_eq!(kept.answers.len(), kept.order.len());
        (kept.answers.len(), kept.size)
    }
}

impl Kept {
    fn take(&mut self, key: Key, answer: Arc<DeviceAdvisories>) {
        let size = |answer: &DeviceAdvisories| 1 + answer.advisories.len();
        self.size += size(&answer);
        if let Some(same) = self.answers.insert(key.clone(), answer) {
            // Two have asked at once.
            self.size -= size(&same);
            return;
        }
        self.order.push_back(key);
        while self.size > KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.answers.remove(&oldest);
            self.size -= gone.map_or(0, |gone| size(&gone));
        }
    }
}

/// What is to be asked of the devices of an inventory that have a make.
pub(super) fn questions(inventory: &Inventory, attested: &Attested) -> Vec<Question> {
    let devices = inventory.devices.iter().filter_map(|device| {
        let make = device.make.clone()?;
        let runs = firmware(attested, &device.id, Some(&make));
        Some((device.id.clone(), make, runs))
    });
    devices.collect()
}
