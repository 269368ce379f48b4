//! Records in: files, MQTT and Kafka, decoded to observations.

pub mod delivery;
pub mod endpoint;
pub mod files;
pub mod kafka;
pub mod log;
pub mod refused;
pub mod split;
pub mod subscriber;
