//! The bridge: records from MQTT, or from a topic that is not keyed by device, to the topic of
//! observations, one row for each end of a flow that is the plant's, keyed by that device. From
//! there on Kafka is the source that can be read again.
//!
//! ```text
//! MQTT ────▶ Field ──▶ Ferry ─┐ acknowledged when Kafka has acknowledged every row
//!                             ├─▶ Rows ─▶ observations, rejects
//! a topic ─▶ Reader ─▶ Relay ─┘ one transaction per epoch, with the offsets of what it took
//! ```
//!
//! Nothing is kept on disk, and nothing is decided here: an observation that its sender may not
//! make goes through, for the engine to refuse. It is keyed by the sender, against whom it is held,
//! and so comes where everything is that is known of him, and not near the device that it names.
//!
//! **Twice.** What comes from a topic is moved exactly once. A message that came by MQTT is moved
//! again if the bridge, or its connection, ends between Kafka's acknowledgement and its own. Give
//! records a `seq`, or flows a `uid`: the engine takes such a row once. A row with neither counts
//! twice: a record of 1 MB becomes two.
//!
//! **Order.** Records keep the order in which they came. Of a topic that is the order within a
//! partition: where it spreads the records of one device over several, they come interleaved, which
//! the allowance for late rows takes while the partitions are about as far as each other.
//!
//! **Who is speaking.** Every row carries its sender, so the run that reads the observations must
//! be told to believe it (`trusted_producers`), and the cluster must let nobody else write there.
//! Of a topic whose own producers are not trusted (`--trusted-source`), every row is its device's
//! word, unproven.

pub mod counts;
pub mod ferry;
pub mod field;
pub mod open;
pub mod relay;
pub mod rows;
pub mod vitals;
