//! Verdicts out: files, terminal, MQTT, Kafka, SIEM, decision points, notices to people.

mod blank;
mod connection;
pub mod hook;
pub mod http;
pub mod kafka;
pub mod mqtt;
pub mod notify;
pub mod opa;
pub mod outlet;
pub mod rotated;
pub mod siem;
pub mod spool;
pub mod stix;
pub mod terminal;
pub mod tls;
