//! Records in: files and MQTT, decoded to observations.

pub mod delivery;
pub mod endpoint;
pub mod log;
