//! Devices that come in more than one partition, found among those that this process holds. Nothing
//! is refused for it: what a process does must not depend on which partitions it happens to hold.
//! Where [`Partitioner`](super::partitioner::Partitioner) is named, every stray record is refused.

use std::collections::BTreeMap;

use andon_schemas::identity::DeviceId;

use super::lane::Lane;

/// Most look-ups at a time: after a restore all devices of a plant are new at once.
const LOOK_UPS_MAX: usize = 100_000;
/// So many devices are named; then only their number is told.
const NAMED_MAX: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub struct Strays {
    /// How many devices of each lane have been looked at.
    looked_at: BTreeMap<i32, usize>,
    /// Which were found, with two of their partitions.
    found: BTreeMap<DeviceId, (i32, i32)>,
}

impl Strays {
    /// Looks for the devices that are new in a lane in all others, and tells of what it finds.
    pub fn look(&mut self, lanes: &BTreeMap<i32, Lane>) {
        self.looked_at
            .retain(|partition, _| lanes.contains_key(partition));
        let mut left = LOOK_UPS_MAX / lanes.len().max(1);
        for (partition, lane) in lanes {
            let devices = lane.engine().devices();
            let at = self.looked_at.entry(*partition).or_default();
            // A lane that was taken up anew may know fewer.
            let new = devices.get(*at..).unwrap_or_default();
            let new = &new[..new.len().min(left)];
            left -= new.len();
            *at = devices.len().min(*at + new.len());
            for device in new {
                let knows = |(other, lane): &(&i32, &Lane)| {
                    *other != partition && lane.engine().knows(device)
                };
                if let Some((other, _)) = lanes.iter().find(knows)
                    && self.found.len() < LOOK_UPS_MAX
                {
                    let before = self.found.insert(device.clone(), (*partition, *other));
                    if before.is_none() {
                        tell(self.found.len(), device, *partition, *other);
                    }
                }
            }
        }
    }
}

fn tell(number: usize, device: &DeviceId, one: i32, other: i32) {
    if number <= NAMED_MAX {
        tracing::warn!(
            "kafka: `{device}` comes in partitions {one} and {other}, and each counts what it sees \
             of it by itself. Its producers choose partitions in different ways, or spell its key \
             differently: say in kafka.partitioner which way is right, and the others are refused"
        );
    } else if number.is_power_of_two() {
        tracing::warn!("kafka: {number} devices come in more than one partition");
    }
}
