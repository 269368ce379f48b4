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
    /// Its connections move so many times their bytes. One that began before stays as it was: a
    /// running total that leaps would be more than that.
    Volume(f64),
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
            (What::Volume(factor), RecordBody::Flow(flow)) if flow.start >= self.from => {
                for bytes in [&mut flow.originator_bytes, &mut flow.responder_bytes] {
                    *bytes = bytes.map(|bytes| times(bytes, *factor));
                }
            }
            _ => {}
        }
        Some(record)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "bytes of one connection, far below 2^53, and a positive factor"
)]
fn times(bytes: u64, factor: f64) -> u64 {
    (bytes as f64 * factor).round() as u64
}
