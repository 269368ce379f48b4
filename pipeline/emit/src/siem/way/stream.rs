//! Syslog over TCP (RFC 6587) and TLS (RFC 5425).
//!
//! The protocol has no acknowledgement: what was written may lie in a buffer of a receiver that is
//! gone. So a connection is ended now and then, by us, and what was sent over it has arrived when
//! the receiver, having read everything, ends it too. If it breaks instead, everything that was
//! sent over it is sent again.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_schemas::verdict::Verdict;
use rustls::ClientConfig;

use crate::connection::{Connection, within};
use crate::outlet::{Event, Trouble, Way};
use crate::siem::{Form, Writer, carried};
use crate::tls::{self, TlsError, TlsOptions};

/// How long a receiver may take to connect, to take some bytes, and to end a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// After the receiver has ended a connection, how long the word that it had not read everything may
/// be on its way.
const RESET_WITHIN: Duration = Duration::from_millis(50);

/// How messages are told apart on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// The length, a space, the message (RFC 5425, RFC 6587 §3.4.1).
    #[default]
    Octets,
    /// The message, a line feed (RFC 6587 §3.4.2).
    Lines,
}

/// What says that messages have arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// The receiver ends a connection that we have ended.
    #[default]
    Close,
    /// Nothing: they have when they are written. For receivers that never end one.
    Nothing,
}

/// How to reach a receiver of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// `host:port`.
    pub address: String,
    /// TLS, if it is to be.
    pub tls: Option<TlsOptions>,
    /// How messages are told apart.
    pub framing: Framing,
    /// What says that they have arrived.
    pub confirm: Confirm,
    /// What a message holds.
    pub form: Form,
}

/// Sends over a stream.
#[derive(Debug)]
pub struct Streams {
    options: StreamOptions,
    writer: Writer,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
}

impl Streams {
    /// Nothing is opened before something is sent.
    ///
    /// # Errors
    /// If a file of TLS cannot be used.
    pub fn new(options: StreamOptions, writer: Writer) -> Result<Self, TlsError> {
        let tls = options.tls.as_ref().map(tls::client).transpose()?;
        Ok(Self {
            options,
            writer,
            tls,
            connection: None,
        })
    }

    /// An open connection that its other end has not ended, as far as is known.
    fn connection(&mut self) -> io::Result<&mut Connection> {
        if let Some(connection) = &mut self.connection
            && connection.is_ended()
        {
            self.connection = None;
            // With nothing on the way nothing is lost: receivers end connections that are idle.
            if self.options.confirm == Confirm::Close {
                return Err(ended_by_receiver());
            }
        }
        if self.connection.is_none() {
            self.connection = Some(self.connect()?);
        }
        let connection = self.connection.as_mut();
        connection.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn connect(&self) -> io::Result<Connection> {
        let address = &self.options.address;
        let connection = Connection::open(address, PATIENCE)?;
        match &self.tls {
            None => Ok(connection),
            Some(tls) => connection.secured(tls, address, &within(PATIENCE)),
        }
    }

    fn framed(&self, message: &str) -> Vec<u8> {
        match self.options.framing {
            Framing::Octets => format!("{} {message}", message.len()).into_bytes(),
            Framing::Lines => format!("{message}\n").into_bytes(),
        }
    }
}

fn ended_by_receiver() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the receiver ended the connection",
    )
}

impl Way<Verdict> for Streams {
    fn send(&mut self, event: &Event<'_, Verdict>) -> Result<(), Trouble> {
        let frame = self.framed(&carried(self.options.form, event.item, &self.writer));
        let sent = self.connection().and_then(|connection| {
            connection.write_all(&frame)?;
            connection.flush()
        });
        if sent.is_err() {
            self.connection = None;
        }
        sent.map_err(Trouble::later)
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        if self.options.confirm == Confirm::Nothing {
            return Ok(());
        }
        match self.connection.take() {
            None => Ok(()),
            Some(connection) => connection.end().map_err(Trouble::later),
        }
    }

    fn window(&self) -> u64 {
        match self.options.confirm {
            Confirm::Close => 500,
            Confirm::Nothing => 1,
        }
    }

    fn confirms(&self) -> bool {
        self.options.confirm == Confirm::Close
    }
}

impl Connection {
    /// Whether the other end has ended it, or it is broken. What it says is read and forgotten.
    fn is_ended(&mut self) -> bool {
        if self.socket().set_nonblocking(true).is_err() {
            return true;
        }
        let mut said = [0; 1_024];
        let is_ended = loop {
            match self.read(&mut said) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
            }
        };
        self.socket().set_nonblocking(false).is_err() || is_ended
    }

    /// Ends it, and waits until the other end does.
    fn end(mut self) -> io::Result<()> {
        if self.is_ended() {
            return Err(ended_by_receiver());
        }
        if let Self::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            while stream.conn.wants_write() {
                stream.conn.write_tls(&mut stream.sock)?;
            }
        }
        self.socket().shutdown(Shutdown::Write)?;
        let began = Instant::now();
        let mut said = [0; 1_024];
        loop {
            if began.elapsed() > PATIENCE {
                return Err(still_open());
            }
            match self.read(&mut said) {
                // Many end a session of TLS by ending the connection under it.
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return Err(still_open()),
                    _ => return Err(error),
                },
            }
        }
        // If it ended the connection before our last words came, it answers them by a reset.
        std::thread::sleep(RESET_WITHIN);
        self.socket().take_error()?.map_or(Ok(()), Err)
    }
}

fn still_open() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!(
            "the receiver has not ended the connection within {PATIENCE:?} after we did, so that \
             nobody knows what it has read. If it never does, say `confirm = \"nothing\"`."
        ),
    )
}
