//! The wire form of records: one JSON object per record, versioned. NDJSON captures hold one per
//! line, MQTT payloads are one each.
//!
//! ```json
//! {"v":1,"kind":"flow","device":"plc-07","time":"2025-12-14T01:30:00Z","start":"2025-12-14T01:29:12Z",
//!  "orig":"10.1.2.3:40123","resp":"10.1.9.1:502","transport":"tcp","service":"modbus",
//!  "orig_bytes":1440,"resp_bytes":1300,"state":"answered"}
//! {"v":1,"kind":"flow","time":"2025-12-14T01:30:00Z","orig":"10.1.2.3:40123","resp":"10.1.9.1:502",
//!  "transport":"tcp","commands":"modbus.read_coils=120 modbus.write_single_coil=3"}
//! {"v":1,"kind":"reading","device":"cnc-01","time":"2025-12-14T01:30:00Z","current_a":4.2,"spindle_rpm":8000}
//! {"v":1,"kind":"attestation","device":"cnc-01","time":"2025-12-14T01:30:00Z","firmware":"4.2.1","tpm_ok":true}
//! {"v":1,"kind":"resolution","device":"cnc-01","time":"2025-12-14T01:30:00Z","server":"10.1.0.53",
//!  "name":"historian.plant.example","addresses":["10.1.9.1"],"ttl_s":300}
//! ```
//!
//! What is read is strict where a guess could be wrong and tolerant where it cannot: a field of
//! the wrong type, a negative count or an unknown `v` refuses the record; a field this build does
//! not know is ignored, so that a newer sender loses nothing. `null` is the same as absent, and a
//! record without `v` is version 1. What belongs to the reader (`received_at`, `sender`,
//! `sender_proven`, `source`) counts in captures only: in a live payload the sender could forge it.

mod address;
mod decode;
mod encode;
mod field;
mod form;
mod members;
mod scan;
mod stamp;
#[cfg(test)]
mod tests;
mod value;

pub use decode::{DecodeOptions, WireError, decode, decode_capture};
pub use encode::{encode, encode_into, encode_observation};
pub use form::{EndpointForm, WireRecord};
pub use stamp::parse_time;

/// The version this build writes, and the only one it reads.
pub const WIRE_VERSION: u64 = 1;

/// Longest accepted text in a record, in bytes: a name, a service, a firmware version, a uid.
pub const TEXT_BYTES_MAX: usize = 512;

/// Most addresses in one DNS answer.
pub const ADDRESSES_MAX: usize = 256;

/// Largest accepted current draw, amperes: ten times the largest arc furnace.
pub const CURRENT_A_MAX: f32 = 1e6;

/// Largest accepted spindle speed, revolutions per minute: ten times a dental turbine.
pub const SPINDLE_RPM_MAX: f32 = 1e7;
