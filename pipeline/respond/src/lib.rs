//! What follows from verdicts, pure: the life cycle of commands, from the revisions of verdicts to
//! what enforcement points are told, and to the little of it that the device itself may see; and
//! the alerts that people are told, within what they bear in a day.
//!
//! ```text
//! Verdict ─┬─▶ Orders ─┬─▶ Command ──▶ enforcement points
//! Act ─────┤           │      ├──▶ DeviceCommand ──▶ the device
//!          │           │      └──▶ Notice ──▶ those who run the plant
//! Ack ─────┤           └─▶ AuditEntry ──▶ audit trail
//! Tick ────┘
//! Verdict ───▶ Alerts ───▶ Alert ──▶ people
//! Verdict ───▶ Incidents ──▶ Incident ──▶ people
//! ```
//!
//! No clock: time is what verdicts, ticks and acts say it is.
#![warn(clippy::disallowed_methods)]

mod alerts;
mod device;
mod incidents;
mod judge;
mod notices;
mod orders;
#[cfg(test)]
mod plant_of_tests;
mod policy;
#[cfg(test)]
mod tests;

pub use alerts::{AlertCounts, Alerts, Budget, evidence};
pub use device::device_view;
pub use incidents::{Incidents, KeptIncident};
pub use judge::{Judging, judge};
pub use orders::{Answered, Done, Dossier, Input, Orders, Output, key_of};
pub use policy::{Policy, Rules, Shield};

use andon_schemas::hex;
use sha2::{Digest, Sha256};

/// The first `bytes` of a SHA-256 over the parts, lower-case hex. A zero byte ends each part, and
/// no part holds one.
fn digest(parts: &[&str], bytes: usize) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let mut hash = hex(&digest.finalize());
    hash.truncate(2 * bytes);
    hash
}
