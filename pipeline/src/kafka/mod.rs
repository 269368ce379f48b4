//! The pipeline on Apache Kafka: partitions in, verdicts out, one transaction per epoch.
//!
//! ```text
//! Reader ─▶ Lane (one per partition: intake, engine) ─▶ Draft ─▶ epoch ─▶ Transactor
//!   ▲                                                             │ records, offsets, state
//!   └── Restorer: snapshot, then what was committed after it ◀────┘
//! ```

pub mod acts;
pub mod address;
pub mod bridge;
pub mod clients;
pub mod connect;
pub mod control;
pub mod copy;
pub mod directory;
pub mod draft;
pub mod epochs;
pub mod evidence;
pub mod group;
pub mod journal;
pub mod lane;
pub mod measure;
pub mod names;
pub mod partitioner;
pub mod pulse;
pub mod recall;
pub mod respond;
pub mod restore;
pub mod run;
mod running;
pub mod security;
pub mod settings;
pub mod shelf;
pub mod sink;
pub mod snapshot;
pub mod strays;
mod told;
pub mod topics;
pub mod trail;
mod whole;
