//! Verdicts out: files, terminal, MQTT, Kafka, SIEM.

pub mod kafka;
pub mod mqtt;
pub mod siem;
pub mod stix;
pub mod terminal;
