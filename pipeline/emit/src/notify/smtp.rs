//! A conversation with a mail server (RFC 5321), as whoever submits a mail: over TLS from the start,
//! from a STARTTLS on (RFC 3207), or, on this host only, without.
//!
//! A server may say what it wants for as long as it wants: lines, replies and the whole conversation
//! have an end.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;

use crate::blank::blanked;
use crate::connection::Connection;
use crate::outlet::Ending;
use crate::terminal::printable;

mod patience;
#[cfg(test)]
mod tests;

pub(super) use self::patience::Patience;
use self::patience::Wait;

/// How long a server may take until it is reached.
const REACHED_WITHIN: Duration = Duration::from_secs(20);
/// After so long without a word it is looked whether the end has come.
const LOOK_EVERY: Duration = Duration::from_millis(200);
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
    /// Whether it refuses something for now only. By its status (RFC 3463) that is one of policy,
    /// where the receiver is there and whoever sends is not welcome, or of a mailbox that is full;
    /// without one, its code says the same.
    pub(super) fn is_passing(&self) -> bool {
        let has = |status: &str| self.text.starts_with(status);
        match self.code {
            ..500 | 530 | 534 | 535 | 538 => true,
            // One that is too large for any mailbox of it never has room.
            552 => !has("5.3.4"),
            _ => has("5.7.") || has("5.2.2"),
        }
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
    patience: Patience,
    ending: Ending,
    /// Nobody knows what the server would take the next word for.
    is_broken: bool,
    /// What it can do beyond the least, a word and perhaps others behind it.
    extensions: Vec<String>,
    /// What it was told that nobody else is to be told, as it was written.
    secrets: Vec<String>,
}

impl Session {
    /// Greets a server, and shows it who we are.
    ///
    /// # Errors
    /// If it is not there, or not as it should be.
    pub(super) fn open(
        server: &Server,
        tls: &Arc<ClientConfig>,
        patience: Patience,
        ending: Ending,
    ) -> io::Result<Self> {
        let address = &server.address;
        let mut connection = Connection::open(address, REACHED_WITHIN)?;
        if server.security == Security::Tls {
            let wait = Wait::of(patience.handshake, &ending);
            connection = connection.secured(tls, address, &|| wait.check())?;
        }
        connection.wait_at_most(LOOK_EVERY)?;
        let mut session = Self {
            stream: BufReader::new(connection),
            patience,
            ending,
            is_broken: false,
            extensions: Vec::new(),
            secrets: Vec::new(),
        };
        let greeting = session.reply(patience.greeting)?;
        greeting.must("greets us with", 220..221)?;
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
        let connection = self.stream.into_inner();
        let wait = Wait::of(self.patience.handshake, &self.ending);
        let connection = connection.secured(tls, address, &|| wait.check())?;
        let mut session = Self {
            stream: BufReader::new(connection),
            extensions: Vec::new(),
            ..self
        };
        session.greet()?;
        Ok(session)
    }

    fn prove(&mut self, user: &str, password: &str) -> io::Result<()> {
        let offered = |how: &str| {
            let mut lines = self.extensions.iter();
            lines.any(|line| line.starts_with("AUTH ") && line.split(' ').any(|word| word == how))
        };
        let both = STANDARD.encode(format!("\0{user}\0{password}"));
        let secrets = vec![both.clone(), STANDARD.encode(password), password.to_owned()];
        let reply = if offered("PLAIN") {
            self.secrets = secrets;
            self.say(&format!("AUTH PLAIN {both}"))?
        } else if offered("LOGIN") {
            self.secrets = secrets;
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
        self.say_within(line, self.patience.command)
    }

    fn say_within(&mut self, line: &str, patience: Duration) -> io::Result<Reply> {
        if line.contains(['\r', '\n', '\0']) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.exchange(format!("{line}\r\n").as_bytes(), patience)
    }

    /// Writes, and reads what the server answers.
    fn exchange(&mut self, bytes: &[u8], patience: Duration) -> io::Result<Reply> {
        let reply = self.write(bytes).and_then(|()| self.reply(patience));
        self.is_broken |= reply.is_err();
        reply
    }

    /// Says that a mail is to come.
    ///
    /// # Errors
    /// If there is no answer, or it is none of SMTP.
    pub(super) fn ask_to_hand_over(&mut self) -> io::Result<Reply> {
        self.say_within("DATA", self.patience.data)
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
        self.exchange(&sent, self.patience.end)
    }

    /// Takes leave, unless there is nobody to take it of, or no time; whether the server hears it
    /// is of no account.
    pub(super) fn leave(mut self) {
        if !self.is_broken && !self.ending.is_closing() {
            let _heard = self.say_within("QUIT", self.patience.leave).is_ok();
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wait = Wait::of(self.patience.block, &self.ending);
        let connection = self.stream.get_mut();
        let mut left = bytes;
        while !left.is_empty() {
            match connection.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) => wait.goes_on(error)?,
            }
        }
        while let Err(error) = connection.flush() {
            wait.goes_on(error)?;
        }
        Ok(())
    }

    fn reply(&mut self, patience: Duration) -> io::Result<Reply> {
        let wait = Wait::of(patience, &self.ending);
        let mut text = String::new();
        for _ in 0..LINES_MAX {
            let line = self.line(&wait)?;
            let line = blanked(&line, self.secrets.iter().map(String::as_str));
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

    fn line(&mut self, wait: &Wait) -> io::Result<String> {
        let mut line = Vec::new();
        loop {
            wait.check()?;
            let held = match self.stream.fill_buf() {
                Ok(held) => held,
                Err(error) => {
                    wait.goes_on(error)?;
                    continue;
                }
            };
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
