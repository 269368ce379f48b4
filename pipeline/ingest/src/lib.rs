//! Records in: files and MQTT, decoded to observations.

pub mod delivery;
pub mod endpoint;
pub mod files;
pub mod log;
pub mod refused;
pub mod split;
pub mod subscriber;
