//! An object from its first byte to its last, a few parts ahead of whoever reads it.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};

use super::bucket::Asked;
use super::object::Object;

/// The first part: enough to tell what an object is, for the many that are only looked at.
const FIRST_BYTES: u64 = 128 << 10;

/// Every further part.
const PART_BYTES: u64 = 4 << 20;

/// Parts that are on their way while one is read. Memory is bounded by this many and one.
const AHEAD: usize = 2;

/// An object that is being read.
#[derive(Debug)]
pub(in crate::files) struct Forward {
    object: Object,
    /// What was asked for, in order.
    asked: VecDeque<Asked<Bytes>>,
    /// Where the next part begins that is to be asked for.
    next: u64,
    part: Bytes,
    has_begun: bool,
}

impl Forward {
    pub(super) fn new(object: Object) -> Self {
        Self {
            object,
            asked: VecDeque::new(),
            next: 0,
            part: Bytes::new(),
            has_begun: false,
        }
    }

    /// Brings the next part; an empty one at the end.
    fn bring(&mut self) -> io::Result<()> {
        let (length, most) = if self.has_begun {
            (PART_BYTES, 1 + AHEAD)
        } else {
            (FIRST_BYTES, 1)
        };
        while self.asked.len() < most && self.next < self.object.size {
            let end = self.object.size.min(self.next.saturating_add(length));
            self.asked.push_back(self.object.ask(self.next..end));
            self.next = end;
        }
        let Some(asked) = self.asked.pop_front() else {
            return Ok(());
        };
        match self.object.wait(&asked) {
            Ok(part) => {
                self.part = part;
                self.has_begun = true;
                Ok(())
            }
            Err(error) => {
                self.asked.clear();
                self.next = self.object.size;
                Err(if self.has_begun {
                    // What was read before it is good: see `is_lost`.
                    io::Error::new(io::ErrorKind::ConnectionAborted, error.to_string())
                } else {
                    error
                })
            }
        }
    }
}

impl Read for Forward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.is_empty() {
            self.bring()?;
        }
        let read = buffer.len().min(self.part.len());
        self.part.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
