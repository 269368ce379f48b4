//! Decisions about requests, for whoever asks over HTTP. Who decides is no part of this crate.

use std::fmt;

use serde_json::Value;

/// Decides about requests.
pub trait DecisionPoint: Send + Sync + fmt::Debug {
    /// Answers a question of somebody who is called `who`. It may take some milliseconds.
    ///
    /// # Errors
    /// Why nothing can be answered; nothing may be allowed then.
    fn decide(&self, who: &str, question: Value) -> Result<Decided, String>;
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// By what name it is found in the audit.
    pub id: String,
    /// What was decided, an object.
    pub answer: Value,
}
