//! How the program ends: 0 done, 1 a check failed or a claim was refused, 2 usage or bad input.

use std::fmt;

/// An error for which the person at the keyboard has to change what they wrote.
#[derive(Debug)]
pub struct Usage(anyhow::Error);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(&self.0))
    }
}

impl std::error::Error for Usage {}

/// Marks an error as one of usage or input.
pub fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    Usage(error.into()).into()
}

/// An error with its causes, each said once: some errors name their cause themselves.
pub fn words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.ends_with(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked.
    Done,
    /// A check failed.
    Failed,
}

/// The exit status of a command.
pub fn status(result: &anyhow::Result<Outcome>) -> u8 {
    match result {
        Ok(Outcome::Done) => 0,
        Err(error) if error.is::<Usage>() => 2,
        Ok(Outcome::Failed) | Err(_) => 1,
    }
}
