//! A way to a receiver: over a socket, over HTTP, by mail, into a file. Each is driven by one thread,
//! which waits, tries again and gives up in its place.

use std::time::Duration;

use super::ending::Ending;

/// One thing on its way.
#[derive(Debug)]
pub struct Event<'a, T> {
    /// Names it among all; the same each time it is sent.
    pub id: String,
    /// What is told.
    pub item: &'a T,
}

/// Why something has not been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It may be another time.
    Later {
        /// What happened.
        why: String,
        /// When the receiver wants to be asked again.
        after: Option<Duration>,
    },
    /// It never will be: the receiver refuses it.
    Never(String),
}

impl Trouble {
    /// It may be another time, whenever that is.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it stands where a function of errors does"
    )]
    pub fn later(why: impl ToString) -> Self {
        Self::Later {
            why: why.to_string(),
            after: None,
        }
    }
}

/// A way to a receiver.
pub trait Way<T>: Send {
    /// Tells it of the end, once, before anything is sent. One that may wait for long has to look
    /// whether it has come; what it waits for then may be another time.
    fn heed(&mut self, _ending: &Ending) {}

    /// Sends an event, after all that were sent before.
    ///
    /// # Errors
    /// If it did not get out. What was sent since the last [`Way::settle`] may not have arrived
    /// then, unless the event is refused for good.
    fn send(&mut self, event: &Event<'_, T>) -> Result<(), Trouble>;

    /// Makes sure that everything sent has arrived, as far as the receiver lets one know.
    ///
    /// # Errors
    /// If anything since the last time may not have.
    fn settle(&mut self) -> Result<(), Trouble>;

    /// Most events between two times that it is settled.
    fn window(&self) -> u64;

    /// Whether the receiver lets one know that something has arrived.
    fn confirms(&self) -> bool {
        true
    }
}
