//! What would have to stand in a profile for a finding not to occur: the smallest edit, and what it
//! allows from then on. Where no edit is right, why not.

mod change;
mod diff;
mod place;
mod remedy;
#[cfg(test)]
mod tests;
mod write;

pub use change::Change;
pub use diff::unified;
pub use remedy::{Remedy, remedy};
pub use write::written;
