//! Notices to those who run the plant, by webhook and by mail.

mod mail;
mod message;
mod smtp;

use andon_schemas::notice::Notice;

pub use self::mail::{Mail, MailOptions};
pub use self::message::{Letterhead, Mailbox};
pub use self::smtp::{Security, Server};
use crate::hook::{Hook, HookError, HookOptions};
use crate::outlet::{Event, Told, Trouble, Way};

impl Told for Notice {
    const SECTION: &'static str = "notify";
    const ONE: &'static str = "notice";
    const MANY: &'static str = "notices";

    fn id(&self) -> String {
        Self::id(self)
    }
}

/// Posts notices as they are.
#[derive(Debug)]
pub struct NoticeHook(Hook);

impl NoticeHook {
    /// Nothing is opened before something is sent.
    ///
    /// # Errors
    /// If an option cannot be used.
    pub fn new(options: HookOptions, version: &str) -> Result<Self, HookError> {
        Hook::new(options, version).map(Self)
    }
}

impl Way<Notice> for NoticeHook {
    fn send(&mut self, event: &Event<'_, Notice>) -> Result<(), Trouble> {
        let body = serde_json::to_string(event.item);
        let body = body.map_err(|error| Trouble::Never(error.to_string()))?;
        self.0.post(&event.id, &body)
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn window(&self) -> u64 {
        1
    }
}
