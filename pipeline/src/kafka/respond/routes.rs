//! Which desk is to answer for something: the one that has the verdicts of the device's segment.

use std::cell::OnceCell;
use std::collections::HashMap;

use andon_respond::key_of;
use andon_schemas::act::Ack;
use andon_schemas::command::Action;
use andon_schemas::identity::DeviceId;

use crate::kafka::partitioner::Partitioner;
use crate::policy::PlantPolicy;

/// The desk that answers what names nothing that anybody has, or cannot be read.
pub const OF_NOBODY: i32 = 0;
/// The actions whose commands a device may read, by their key.
const READ_BY_DEVICES: [Action; 3] = [Action::Restrict, Action::Isolate, Action::Quarantine];

/// Which desk is to answer, as the plant is now.
#[derive(Debug)]
pub struct Routes {
    policy: PlantPolicy,
    partitions: usize,
    /// The desk of every key by which an enforcement point may name a command; made when the first
    /// is asked for.
    keys: OnceCell<HashMap<String, i32>>,
}

impl Routes {
    /// In a plant, with so many partitions of verdicts.
    pub fn new(policy: PlantPolicy, partitions: usize) -> Self {
        Self {
            policy,
            partitions,
            keys: OnceCell::new(),
        }
    }

    /// The plant is another one from now on.
    pub fn follow(&mut self, policy: PlantPolicy) {
        *self = Self::new(policy, self.partitions);
    }

    /// For a device.
    pub fn of_device(&self, device: &DeviceId) -> i32 {
        let segment = self.policy.verdict_segment(device);
        let home = Partitioner::Murmur2.home(segment, self.partitions);
        home.unwrap_or(OF_NOBODY)
    }

    /// For an acknowledgement whose record is about this device.
    pub fn of_ack(&self, ack: &Ack, device: Option<&DeviceId>) -> i32 {
        match (&ack.key, device) {
            (Some(key), _) => self.keys().get(key).copied().unwrap_or(OF_NOBODY),
            (None, Some(device)) => self.of_device(device),
            (None, None) => OF_NOBODY,
        }
    }

    fn keys(&self) -> &HashMap<String, i32> {
        self.keys.get_or_init(|| {
            let listed = self.policy.answered_devices();
            listed
                .flat_map(|device| {
                    let home = self.of_device(device);
                    READ_BY_DEVICES.map(|action| (key_of(device, action), home))
                })
                .collect()
        })
    }
}
