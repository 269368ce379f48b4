//! What flow meters export: messages of `NetFlow` v5 and v9 and of IPFIX (RFC 3954, 7011), one after
//! the other as a collector stores them (RFC 5655).
//!
//! A record of theirs tells one direction. Two that match become one flow; one that finds no match
//! stays a flow of which only one side is known. A rate of sampling is applied if the record itself
//! or the header of v5 tells it, not if only an options record does. Rejects and records bear the number of the
//! message they come from.

mod decode;
mod message;
mod pair;

use std::collections::VecDeque;
use std::io::{self, Read};

use andon_schemas::time::EventTime;

use self::decode::Decoder;
use self::message::{Messages, Next};
use self::pair::Pairs;
use super::rows::{Content, Numbered};
use crate::refused::Refused;

pub(super) use self::message::looks_like;

/// The rows of one file of export messages.
#[derive(Debug)]
pub(super) struct ExportRows {
    messages: Messages,
    decoder: Decoder,
    pairs: Pairs,
    number: u64,
    out: VecDeque<Numbered>,
    ended: bool,
}

impl ExportRows {
    /// Reads messages. `packed` says that errors of the reader are damage of the file.
    pub(super) fn new(reader: Box<dyn Read + Send>, packed: bool) -> Self {
        Self {
            messages: Messages::new(reader, packed),
            decoder: Decoder::default(),
            pairs: Pairs::default(),
            number: 0,
            out: VecDeque::new(),
            ended: false,
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            if let Some(row) = self.out.pop_front() {
                return Ok(Some(row));
            }
            if self.ended {
                return Ok(None);
            }
            self.step()?;
        }
    }

    fn step(&mut self) -> io::Result<()> {
        match self.messages.next()? {
            Next::Message(message) => {
                self.number += 1;
                for told in self.decoder.message(message) {
                    match told {
                        Ok(half) => {
                            let paired = self.pairs.take(self.number, half);
                            self.out.extend(paired.into_iter().map(row));
                        }
                        Err(refused) => self.out.push_back(refusal(self.number, refused)),
                    }
                }
            }
            Next::Damage(refused) => self.out.push_back(refusal(self.number + 1, refused)),
            Next::End => {
                self.ended = true;
                self.out.extend(self.pairs.end().into_iter().map(row));
            }
        }
        Ok(())
    }
}

fn row((number, record): (u64, andon_schemas::observation::Record)) -> Numbered {
    let content = Ok(Content::Record(record, None));
    Numbered { number, content }
}

fn refusal(number: u64, refused: Refused) -> Numbered {
    let content = Err((refused, String::new()));
    Numbered { number, content }
}

/// When the first flow ended that can be read in the beginning of a file.
pub(super) fn first_time(head: &[u8]) -> Option<EventTime> {
    let mut rows = ExportRows::new(Box::new(io::Cursor::new(head.to_vec())), false);
    loop {
        if let Ok(Content::Record(record, _)) = rows.next().ok()??.content {
            return Some(record.event_time);
        }
    }
}
