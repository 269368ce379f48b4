//! Verdicts out: files, terminal, MQTT, Kafka.

pub mod kafka;
pub mod mqtt;
pub mod terminal;
