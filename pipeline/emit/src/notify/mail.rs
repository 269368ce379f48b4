//! Notices by mail, to one receiver: everybody has an outlet of his own, so that nobody waits for the
//! mailbox of another.

use std::sync::Arc;
use std::time::SystemTime;

use andon_schemas::notice::Notice;
use rustls::ClientConfig;

use super::message::{Letterhead, Mailbox};
use super::smtp::{Patience, Reply, Server, Session};
use crate::outlet::{Ending, Event, Trouble, Way};
use crate::terminal::printable;
use crate::tls::{self, TlsError, TlsOptions};

/// How to reach somebody by mail.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// Who takes mails.
    pub server: Server,
    /// How it is known.
    pub tls: TlsOptions,
    /// What stands on every mail.
    pub letterhead: Letterhead,
}

/// Sends mails to somebody.
#[derive(Debug)]
pub struct Mail {
    options: MailOptions,
    tls: Arc<ClientConfig>,
    to: Mailbox,
    pub(super) patience: Patience,
    ending: Ending,
}

impl Mail {
    /// To one of those whom the mails are to. Nothing is opened before something is sent.
    ///
    /// # Errors
    /// If a file of TLS cannot be used.
    pub fn new(options: MailOptions, to: Mailbox) -> Result<Self, TlsError> {
        let tls = tls::client(&options.tls)?;
        Ok(Self {
            options,
            tls,
            to,
            patience: Patience::default(),
            ending: Ending::default(),
        })
    }

    fn submit(&self, session: &mut Session, mail: &[u8]) -> Result<(), Trouble> {
        let from = self.options.letterhead.from.address();
        let reply = session.say(&format!("MAIL FROM:<{from}>"));
        let reply = reply.map_err(Trouble::later)?;
        if reply.code != 250 {
            let why = format!("it takes no mail of `{from}`: {reply}");
            return Err(Trouble::later(why));
        }
        let to = self.to.address();
        let reply = session.say(&format!("RCPT TO:<{to}>"));
        let reply = reply.map_err(Trouble::later)?;
        if !matches!(reply.code, 250 | 251) {
            return Err(refusal(&format!("it takes no mail to `{to}`"), &reply));
        }
        let reply = session.ask_to_hand_over().map_err(Trouble::later)?;
        if reply.code != 354 {
            return Err(Trouble::later(format!("it answers DATA by {reply}")));
        }
        let reply = session.hand_over(mail).map_err(Trouble::later)?;
        match reply.code {
            250 => Ok(()),
            _ => Err(refusal("it does not take the mail", &reply)),
        }
    }
}

/// What a server thinks of us may change, and so may the room that a mailbox has; that nobody lives
/// there, or that it does not like a mail, does not.
fn refusal(what: &str, reply: &Reply) -> Trouble {
    let why = format!("{what}: {reply}");
    if reply.is_passing() {
        Trouble::later(why)
    } else {
        Trouble::Never(why)
    }
}

impl Way<Notice> for Mail {
    fn heed(&mut self, ending: &Ending) {
        self.ending = ending.clone();
    }

    fn send(&mut self, event: &Event<'_, Notice>) -> Result<(), Trouble> {
        let letterhead = &self.options.letterhead;
        let mail = letterhead.write(&event.id, event.item, SystemTime::now());
        let mail = mail.map_err(|error| Trouble::Never(error.to_string()))?;
        let session = Session::open(
            &self.options.server,
            &self.tls,
            self.patience,
            self.ending.clone(),
        );
        let mut session = session.map_err(|error| {
            let server = printable(&self.options.server.address);
            Trouble::later(format!("the mail server `{server}`: {error}"))
        })?;
        let done = self.submit(&mut session, &mail);
        session.leave();
        done
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn window(&self) -> u64 {
        1
    }
}
