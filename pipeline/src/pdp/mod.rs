//! A policy decision point for whoever has none: the question of one request, answered by the same
//! policies, in the same language, as Open Policy Agent answers it (`docker/opa/policy`).
//!
//! ```text
//! inventory, profiles ──▶ plant document ─┐
//! risk of the device ─────────────────────┼─▶ Decider ─▶ allow / constrain / deny, with reasons
//! the question ───────────────────────────┘
//! ```
//!
//! Whatever goes wrong on the way is a denial that says so: nothing is let in by mistake.

mod audit;
mod decide;
mod plant;
mod point;
mod policy;
pub mod settings;
#[cfg(test)]
mod tests;

pub use audit::{Audit, AuditSettings, Entry};
pub use decide::{Answer, Decider, Decision, Known, Question};
pub use plant::document;
pub use point::{Parts, Point};
pub use policy::Policies;
