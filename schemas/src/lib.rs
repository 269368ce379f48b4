//! The nouns of Andon, in the order in which they flow: record, observation, profile, inventory,
//! finding, verdict, risk, command, alert. Everything else in the workspace shares these and nothing
//! more.
//!
//! Pure: no clock, no I/O.
#![warn(clippy::disallowed_methods)]

pub mod act;
pub mod advisory;
pub mod alert;
pub mod asyncapi;
pub mod audit;
pub mod builtin;
pub mod bundle;
pub mod chain;
pub mod columns;
pub mod command;
pub mod evidence;
pub mod finding;
pub mod grade;
pub mod identity;
pub mod incident;
pub mod indicator;
pub mod inventory;
pub mod mapping;
pub mod notice;
pub mod observation;
pub mod order;
pub mod ot_command;
pub mod problems;
pub mod profile;
pub mod protocol;
pub mod quantity;
pub mod reject;
pub mod time;
pub mod verdict;
pub mod view;
pub mod wire;

mod canonical;
mod yaml;

pub use canonical::hex;
