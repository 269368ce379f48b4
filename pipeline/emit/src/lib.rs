//! Verdicts out: files, terminal, MQTT.

pub mod terminal;
