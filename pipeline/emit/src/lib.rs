//! Verdicts out: files, terminal, MQTT.

pub mod mqtt;
pub mod terminal;
