//! What an engine knows of its devices, for whoever looks without being told.

use andon_schemas::grade::Grade;
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
    /// The open episode, as its latest revision said it.
    pub open: Option<OpenEpisode>,
}

/// An open episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenEpisode {
    /// The id of its verdict.
    pub verdict_id: String,
    /// Its grade.
    pub grade: Grade,
    /// Event time of the finding that opened it.
    pub since: EventTime,
}

impl Engine {
    /// What is known of some devices: so many from a place in [`devices`](Self::devices) on.
    pub fn standings(&self, from: usize, count: usize) -> Vec<Standing> {
        let end = from.saturating_add(count).min(self.devices.len());
        (from..end)
            .map(|slot| {
                let open = self.devices.cold[slot].case.told();
                let last_seen = self.devices.hot[slot].last_seen();
                Standing {
                    device_id: self.devices.ids[slot].clone(),
                    risk: self.risk_of(slot),
                    last_seen,
                    at: last_seen.max(self.last_tick),
                    open: open.map(|(id, grade, since)| OpenEpisode {
                        verdict_id: id.to_owned(),
                        grade,
                        since,
                    }),
                }
            })
            .collect()
    }
}
