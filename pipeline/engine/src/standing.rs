//! What an engine knows of its devices, for whoever looks without being told.

use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Risk;

use crate::engine::Engine;

/// What an engine knows of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The device.
    pub device_id: DeviceId,
    /// Its risk now.
    pub risk: Risk,
    /// Event time of its last accepted row; [`EventTime::MIN`] before there is one.
    pub last_seen: EventTime,
    /// As of when, event time.
    pub at: EventTime,
}

impl Engine {
    /// What is known of some devices: so many from a place in [`devices`](Self::devices) on.
    pub fn standings(&self, from: usize, count: usize) -> Vec<Standing> {
        let end = from.saturating_add(count).min(self.devices.len());
        (from..end)
            .map(|slot| {
                let last_seen = self.devices.hot[slot].last_seen();
                Standing {
                    device_id: self.devices.ids[slot].clone(),
                    risk: self.risk_of(slot),
                    last_seen,
                    at: last_seen.max(self.last_tick),
                }
            })
            .collect()
    }
}
