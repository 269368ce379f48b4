//! A conversation with a mail server (RFC 5321), as whoever submits a mail: over TLS from the start,
//! from a STARTTLS on (RFC 3207), or, on this host only, without.
//!
//! A server may say what it wants for as long as it wants: lines, replies and the whole conversation
//! have an end.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;

use crate::connection::{Connection, impatient};
use crate::terminal::printable;

#[cfg(test)]
mod tests;

/// How long a server may take for one step.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long for all of them.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(60);
/// Most bytes of a line of a reply; RFC 5321 has 512.
const LINE_BYTES_MAX: usize = 4_096;
/// Most lines of one.
const LINES_MAX: usize = 100;
/// Most letters of one that are told.
const TOLD_MAX: usize = 200;

/// Whether others can read along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// TLS begins when the server has said that it can, before anything of worth is said.
    #[default]
    StartTls,
    /// TLS from the start.
    Tls,
    /// Everybody on the way can.
    None,
}

/// A mail server.
#[derive(Clone)]
pub struct Server {
    /// `host:port`.
    pub address: String,
    /// Whether others can read along.
    pub security: Security,
    /// User and password, if it asks for them.
    pub credentials: Option<(String, String)>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// What a server answers.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    text: String,
}

impl Reply {
    /// The status of RFC 3463 that its text begins with is one of policy: the receiver is there, and
    /// whoever sends is not welcome.
    pub(super) fn is_policy(&self) -> bool {
        self.text.starts_with("5.7.") || matches!(self.code, 530 | 534 | 535 | 538)
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told: String = self.text.chars().take(TOLD_MAX).collect();
        write!(f, "{} {}", self.code, printable(&told))
    }
}

/// A conversation.
pub(super) struct Session {
    stream: BufReader<Connection>,
    until: Instant,
    /// What it can do beyond the least, a word and perhaps others behind it.
    extensions: Vec<String>,
}

impl Session {
    /// Greets a server, and shows it who we are.
    ///
    /// # Errors
    /// If it is not there, or not as it should be.
    pub(super) fn open(server: &Server, tls: &Arc<ClientConfig>) -> io::Result<Self> {
        let address = &server.address;
        let mut connection = Connection::open(address, PATIENCE)?;
        if server.security == Security::Tls {
            connection = connection.secured(tls, address)?;
        }
        let mut session = Self {
            stream: BufReader::new(connection),
            until: Instant::now() + PATIENCE_IN_ALL,
            extensions: Vec::new(),
        };
        session.reply()?.must("greets us with", 220..221)?;
        session.greet()?;
        if server.security == Security::StartTls {
            session = session.secured(tls, address)?;
        }
        if let Some((user, password)) = &server.credentials {
            session.prove(user, password)?;
        }
        Ok(session)
    }

    fn greet(&mut self) -> io::Result<()> {
        let ours = self.stream.get_ref().socket().local_addr()?.ip();
        let name = if ours.is_ipv4() {
            format!("[{ours}]")
        } else {
            format!("[IPv6:{ours}]")
        };
        let reply = self.say(&format!("EHLO {name}"))?;
        reply.must("answers our greeting by", 250..251)?;
        // The first line is its own name.
        self.extensions = reply.text.lines().skip(1).map(str::to_uppercase).collect();
        Ok(())
    }

    fn secured(mut self, tls: &Arc<ClientConfig>, address: &str) -> io::Result<Self> {
        if !self.extensions.iter().any(|one| one == "STARTTLS") {
            return Err(io::Error::other(
                "it offers no STARTTLS, and nothing is said to it in clear text",
            ));
        }
        let reply = self.say("STARTTLS")?;
        reply.must("answers STARTTLS by", 220..221)?;
        // What was said in clear text is not to be believed afterwards.
        if !self.stream.buffer().is_empty() {
            return Err(io::Error::other("it went on in clear text after STARTTLS"));
        }
        let connection = self.stream.into_inner().secured(tls, address)?;
        let mut session = Self {
            stream: BufReader::new(connection),
            until: self.until,
            extensions: Vec::new(),
        };
        session.greet()?;
        Ok(session)
    }

    fn prove(&mut self, user: &str, password: &str) -> io::Result<()> {
        let offered = |how: &str| {
            let mut lines = self.extensions.iter();
            lines.any(|line| line.starts_with("AUTH ") && line.split(' ').any(|word| word == how))
        };
        let reply = if offered("PLAIN") {
            let both = STANDARD.encode(format!("\0{user}\0{password}"));
            self.say(&format!("AUTH PLAIN {both}"))?
        } else if offered("LOGIN") {
            let asked = self.say("AUTH LOGIN")?;
            asked.must("answers AUTH LOGIN by", 334..335)?;
            let asked = self.say(&STANDARD.encode(user))?;
            asked.must("answers the user by", 334..335)?;
            self.say(&STANDARD.encode(password))?
        } else {
            return Err(io::Error::other(
                "it offers neither AUTH PLAIN nor AUTH LOGIN, so that it cannot be told `user`",
            ));
        };
        reply.must("answers `user` and its password by", 235..236)
    }

    /// Says a line, and reads what the server answers.
    ///
    /// # Errors
    /// If there is no answer, or it is none of SMTP.
    pub(super) fn say(&mut self, line: &str) -> io::Result<Reply> {
        if line.contains(['\r', '\n', '\0']) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.write(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Hands a mail over, whose lines end by CR LF, after the server has answered DATA by 354.
    ///
    /// # Errors
    /// If there is no answer, and nobody knows whether it has it.
    pub(super) fn hand_over(&mut self, mail: &[u8]) -> io::Result<Reply> {
        let mut sent = Vec::with_capacity(mail.len() + 64);
        for line in mail.split_inclusive(|byte| *byte == b'\n') {
            // A dot alone would end it.
            if line.first() == Some(&b'.') {
                sent.push(b'.');
            }
            sent.extend_from_slice(line);
        }
        if !sent.ends_with(b"\r\n") {
            sent.extend_from_slice(b"\r\n");
        }
        sent.extend_from_slice(b".\r\n");
        self.write(&sent)?;
        self.reply()
    }

    /// Takes leave; whether the server hears it is of no account.
    pub(super) fn leave(mut self) {
        let _heard = self.say("QUIT").is_ok();
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let connection = self.stream.get_mut();
        let written = connection
            .write_all(bytes)
            .and_then(|()| connection.flush());
        written.map_err(|error| impatient(error, PATIENCE))
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut text = String::new();
        for _ in 0..LINES_MAX {
            let line = self.line()?;
            let (code, is_last) = match (line.get(..3), line.as_bytes().get(3)) {
                (Some(code), None | Some(b' ')) => (code, true),
                (Some(code), Some(b'-')) => (code, false),
                _ => return Err(no_reply(&line)),
            };
            let code: u16 = code.parse().map_err(|_| no_reply(&line))?;
            text.push_str(line.get(4..).unwrap_or_default());
            if is_last {
                return Ok(Reply { code, text });
            }
            text.push('\n');
        }
        Err(io::Error::other("its answer does not end"))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        loop {
            if Instant::now() > self.until {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("it takes longer than {PATIENCE_IN_ALL:?} for one mail"),
                ));
            }
            let held = self.stream.fill_buf();
            let held = held.map_err(|error| impatient(error, PATIENCE))?;
            if held.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it ended the connection",
                ));
            }
            let end = held.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(held.len(), |end| end + 1);
            line.extend_from_slice(&held[..taken]);
            self.stream.consume(taken);
            if line.len() > LINE_BYTES_MAX {
                return Err(io::Error::other("a line of its answer does not end"));
            }
            if end.is_some() {
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
    }
}

impl Reply {
    fn must(&self, what: &str, be: std::ops::Range<u16>) -> io::Result<()> {
        if be.contains(&self.code) {
            return Ok(());
        }
        Err(io::Error::other(format!("it {what} {self}")))
    }
}

fn no_reply(line: &str) -> io::Error {
    let told: String = line.chars().take(TOLD_MAX).collect();
    io::Error::other(format!(
        "it answers `{}`, which is none of SMTP",
        printable(&told)
    ))
}
