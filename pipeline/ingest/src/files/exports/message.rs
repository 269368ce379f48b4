//! Where one message ends and the next one begins.

use std::io::{self, Read};

use andon_schemas::reject::RejectReason;

use super::super::bytes::{Bytes, Short, cut};
use crate::refused::Refused;

/// Most bytes of a message: what a datagram holds.
const MESSAGE_BYTES_MAX: usize = 65_535;

const V5: u16 = 5;
const V9: u16 = 9;
const IPFIX: u16 = 10;

/// Lengths of headers, and of a record of v5.
const V5_HEADER: usize = 24;
const V5_RECORD: usize = 48;
const V9_HEADER: usize = 20;
const IPFIX_HEADER: usize = 16;

/// Most records of a message of v5.
const V5_RECORDS_MAX: u16 = 30;

/// What a file may end in front of.
const HEADER: &str = "message header";

/// Whether a file begins as a message does.
pub(in super::super) fn looks_like(head: &[u8]) -> bool {
    let word = |at: usize| Some(u16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]));
    let is_set = |at| word(at).is_some_and(|id| !(4..256).contains(&id));
    match (word(0), word(2)) {
        (Some(V5), Some(count)) => (1..=V5_RECORDS_MAX).contains(&count),
        (Some(V9), Some(count)) => count > 0 && is_set(V9_HEADER),
        (Some(IPFIX), Some(length)) => {
            usize::from(length) >= IPFIX_HEADER + 4 && is_set(IPFIX_HEADER)
        }
        _ => false,
    }
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// A whole message.
    Message(&'a [u8]),
    /// Damage after which nothing more can be read.
    Damage(Refused),
    /// The end.
    End,
}

/// The messages of a file.
#[derive(Debug)]
pub(super) struct Messages {
    bytes: Bytes,
    message: Vec<u8>,
    /// The first four bytes of the next message, if they have been looked at.
    ahead: Option<[u8; 4]>,
    ended: bool,
}

/// Reading has come to a stop.
enum Stop {
    End,
    Damage(Refused),
}

impl Messages {
    pub(super) fn new(reader: Box<dyn Read + Send>, packed: bool) -> Self {
        Self {
            bytes: Bytes::new(reader, packed),
            message: Vec::new(),
            ahead: None,
            ended: false,
        }
    }

    /// The next message.
    ///
    /// # Errors
    /// Only what the operating system says.
    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        if self.ended {
            return Ok(Next::End);
        }
        match self.read()? {
            None => Ok(Next::Message(&self.message)),
            Some(stop) => {
                self.ended = true;
                Ok(match stop {
                    Stop::End => Next::End,
                    Stop::Damage(refused) => Next::Damage(refused),
                })
            }
        }
    }

    fn read(&mut self) -> io::Result<Option<Stop>> {
        self.message.clear();
        match self.ahead.take() {
            Some(ahead) => self.message.extend(ahead),
            None => {
                if let Some(stop) = self.more(4, HEADER)? {
                    return Ok(Some(stop));
                }
            }
        }
        let version = u16::from_be_bytes([self.message[0], self.message[1]]);
        let number = u16::from_be_bytes([self.message[2], self.message[3]]);
        match version {
            V5 if (1..=V5_RECORDS_MAX).contains(&number) => {
                let length = V5_HEADER + usize::from(number) * V5_RECORD;
                self.more(length - 4, "message")
            }
            IPFIX if usize::from(number) >= IPFIX_HEADER => {
                self.more(usize::from(number) - 4, "message")
            }
            V9 => self.sets(),
            _ => Ok(Some(Stop::Damage(Refused::new(
                RejectReason::Malformed,
                format!(
                    "no message of NetFlow v5, v9 or IPFIX begins with version {version} and \
                     {number}; what is before is kept, what follows cannot be read"
                ),
            )))),
        }
    }

    /// Reads the sets of a v9 message, whose header does not say how long it is: no set has the
    /// number of a version.
    fn sets(&mut self) -> io::Result<Option<Stop>> {
        if let Some(stop) = self.more(V9_HEADER - 4, "message")? {
            return Ok(Some(stop));
        }
        loop {
            let at = self.message.len();
            match self.more(4, HEADER)? {
                None => {}
                Some(Stop::End) => {
                    self.message.truncate(at);
                    return Ok(None);
                }
                stop => return Ok(stop),
            }
            let mut head = [0; 4];
            head.copy_from_slice(&self.message[at..]);
            if matches!(u16::from_be_bytes([head[0], head[1]]), V5 | V9 | IPFIX) {
                self.message.truncate(at);
                self.ahead = Some(head);
                return Ok(None);
            }
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            if length < 4 || at + length > MESSAGE_BYTES_MAX {
                return Ok(Some(Stop::Damage(Refused::new(
                    RejectReason::Malformed,
                    format!(
                        "set claims to be {length} bytes long; what is before is kept, what \
                         follows cannot be read"
                    ),
                ))));
            }
            if let Some(stop) = self.more(length - 4, "message")? {
                return Ok(Some(stop));
            }
        }
    }

    /// Brings more bytes of the message; says what stopped it, if something did.
    fn more(&mut self, bytes: usize, of: &str) -> io::Result<Option<Stop>> {
        let at = self.message.len();
        self.message.resize(at + bytes, 0);
        let short = self.bytes.fill(&mut self.message[at..], of)?;
        Ok(short.map(|short| match short {
            Short::End if of == HEADER => Stop::End,
            Short::End => Stop::Damage(cut(of)),
            Short::Broken(refused) => Stop::Damage(refused),
        }))
    }
}
