//! Verdicts out: files, terminal, MQTT, Kafka, SIEM, decision points.

pub mod http;
pub mod kafka;
pub mod mqtt;
pub mod opa;
pub mod rotated;
pub mod siem;
pub mod stix;
pub mod terminal;
