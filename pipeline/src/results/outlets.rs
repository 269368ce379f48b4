//! The ways by which results reach others while a run lasts, taken together.

use andon_emit::outlet::Status;

use super::Results;

impl Results {
    /// Lets the last of what outlets keep out, for a while.
    pub fn close_outlets(&mut self) {
        self.siem.close();
        self.notify.close();
    }

    /// How each outlet stands: those to SIEMs, and those for notices.
    pub fn outlets(&self) -> (Vec<Status>, Vec<Status>) {
        (self.siem.status(), self.notify.status())
    }
}
