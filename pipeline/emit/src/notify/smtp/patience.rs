//! How long a server is waited for.

use std::io;
use std::time::{Duration, Instant};

use crate::connection::impatient;
use crate::outlet::Ending;

/// How long a server may take for a step: RFC 5321 section 4.5.3.2, which has nothing to say of
/// the greeting of ours, of TLS and of who we are. Whoever waits for less after the end of a mail
/// sends it again to a server that has taken it, and only looked at it for longer.
#[derive(Clone, Copy, Debug)]
pub(in crate::notify) struct Patience {
    /// Agreeing on TLS, all of it.
    pub(in crate::notify) handshake: Duration,
    /// Its greeting.
    pub(in crate::notify) greeting: Duration,
    /// Each command that is not named.
    pub(in crate::notify) command: Duration,
    /// DATA.
    pub(in crate::notify) data: Duration,
    /// Taking what we write.
    pub(in crate::notify) block: Duration,
    /// Answering the end of a mail.
    pub(in crate::notify) end: Duration,
    /// QUIT, when nothing depends on it any more.
    pub(in crate::notify) leave: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            handshake: Duration::from_secs(20),
            greeting: minutes(5),
            command: minutes(5),
            data: minutes(2),
            block: minutes(3),
            end: minutes(10),
            leave: Duration::from_secs(5),
        }
    }
}

/// A wait for a server.
pub(super) struct Wait {
    patience: Duration,
    until: Instant,
    ending: Ending,
}

impl Wait {
    /// So long, from now on.
    pub(super) fn of(patience: Duration, ending: &Ending) -> Self {
        Self {
            patience,
            until: Instant::now() + patience,
            ending: ending.clone(),
        }
    }

    /// Whether there is time left.
    pub(super) fn check(&self) -> io::Result<()> {
        let kind = io::ErrorKind::TimedOut;
        if self.ending.is_over() {
            let why = "there was no time left to wait for its answer";
            return Err(io::Error::new(kind, why));
        }
        if Instant::now() >= self.until {
            return Err(impatient(kind.into(), self.patience));
        }
        Ok(())
    }

    /// Whether an error is only that nothing has come for a moment.
    pub(super) fn goes_on(&self, error: io::Error) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                self.check()
            }
            _ => Err(error),
        }
    }
}
