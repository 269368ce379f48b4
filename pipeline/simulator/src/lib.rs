//! The plant and its attackers: seeded, labelled records from an inventory and its profiles.
//!
//! Stands before the pipeline: what it makes is what readers would have read. [`Plant`] yields
//! records in event-time order, a slice of the plant's day at a time; [`ATTACKS`] lists what can
//! be done to it, and [`Label`] says what really happened. Pure: no clock, no I/O, and the same
//! seed gives the same records.

mod attacks;
mod class;
mod day;
mod label;
mod machine;
mod mix;
mod plant;
mod random;
mod scale;
mod shifts;
mod spread;

pub use attacks::{ATTACKS, AttackKind};
pub use label::Label;
pub use plant::{Options, Plant};
