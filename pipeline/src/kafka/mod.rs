//! The pipeline on Apache Kafka: partitions in, verdicts out, one transaction per epoch.

pub mod settings;
