//! What an attack does to the records that its victim would have sent.

use andon_schemas::observation::{Attestation, Body, Reading, Record, RecordBody};
use andon_schemas::time::EventTime;

/// A change of one device's records in `[from, to)`.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) from: EventTime,
    pub(crate) to: EventTime,
    pub(crate) what: What,
}

/// What is changed.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Nothing arrives.
    Silence,
    /// The sensors show this instead.
    Reading(Reading),
    /// The device runs this image.
    Firmware(Attestation),
}

impl Change {
    /// The record as it arrives, if it does.
    pub(crate) fn apply(&self, mut record: Record) -> Option<Record> {
        if record.event_time < self.from || record.event_time >= self.to {
            return Some(record);
        }
        match (&self.what, &mut record.body) {
            (What::Silence, _) => return None,
            (What::Reading(shown), RecordBody::Single(Body::Reading(reading))) => *reading = *shown,
            (What::Firmware(image), RecordBody::Single(Body::Attestation(report))) => {
                report.clone_from(image);
            }
            _ => {}
        }
        Some(record)
    }
}
