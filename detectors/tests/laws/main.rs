//! The laws that every detector of the catalogue obeys, a newcomer's included: nothing here names
//! a detector unless a law holds for some and not for others.
//!
//! `plant` watches a device of the shipped plant the way the engine does, one row after the other;
//! `calm` makes honest rows from a profile, `wild` makes rows that no honest device sends.
#![expect(clippy::unwrap_used, reason = "a law that cannot be set up is broken")]

mod calm;
mod catalogue;
mod conduct;
mod patient;
mod plant;
mod wild;
