//! The newest events, numbered, for everybody who listens.
//!
//! There is one copy of each. A listener is a number: how far it has read. Whoever falls behind by
//! more than is kept is told so and begins anew; nobody waits for it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// So many events are kept.
const EVENTS_MAX: usize = 65_536;
/// And so many bytes of them.
const BYTES_MAX: usize = 32 << 20;

/// The newest events.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Tells this process from the one before: numbers begin anew with it.
    boot: String,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// The number of the next event; the first is 1.
    next: u64,
    /// As they are sent, whole.
    events: VecDeque<Bytes>,
    bytes: usize,
    events_max: usize,
}

/// What there is to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// These, and from where to go on.
    Events(Bytes, u64),
    /// Some of it is not kept any more.
    Gone,
}

/// What a listener asked to go on after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// The next event to send.
    At(u64),
    /// It is of another process, or no longer kept.
    Lost,
}

impl Ring {
    /// An empty one of the process of this name.
    pub(crate) fn new(boot: String) -> Self {
        Self::of_room(boot, EVENTS_MAX)
    }

    pub(crate) fn of_room(boot: String, events_max: usize) -> Self {
        Self {
            boot,
            kept: Mutex::new(Kept {
                next: 1,
                events: VecDeque::new(),
                bytes: 0,
                events_max,
            }),
        }
    }

    /// The name of this process.
    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    /// Adds an event; `data` is one line.
    pub(crate) fn push(&self, event: &str, data: &str) {
        let mut kept = self.kept();
        self.add(&mut kept, event, data);
    }

    /// Tells whoever follows to read everything again, and to go on from here.
    pub(crate) fn begin_anew(&self) {
        let mut kept = self.kept();
        let data = format!("{{\"seq\":\"{}\"}}", self.id(kept.next));
        self.add(&mut kept, "reset", &data);
    }

    fn add(&self, kept: &mut Kept, event: &str, data: &str) {
        let number = kept.next;
        let mut text = String::with_capacity(data.len() + event.len() + 64);
        // Writing to a text cannot fail.
        let _written = write!(
            text,
            "id: {}-{number}\nevent: {event}\ndata: {data}\n\n",
            self.boot
        );
        kept.next += 1;
        kept.bytes += text.len();
        kept.events.push_back(text.into());
        while kept.events.len() > kept.events_max || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.events.pop_front() else {
                break;
            };
            kept.bytes -= oldest.len();
        }
    }

    /// The number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.kept().next
    }

    /// The id of the newest event.
    pub(crate) fn newest(&self) -> String {
        self.id(self.next() - 1)
    }

    /// The id of an event.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }

    /// Events from a number on, one at least and not many more bytes than asked for; `None` if
    /// there is none yet.
    pub(crate) fn read(&self, from: u64, bytes_max: usize) -> Option<Read> {
        let kept = self.kept();
        if from >= kept.next {
            return None;
        }
        let Some(first) = kept.place(from) else {
            return Some(Read::Gone);
        };
        // Copied after the lock is given back: each of these is only a pointer.
        let mut taken: Vec<Bytes> = Vec::new();
        let mut length = 0;
        for event in kept.events.range(first..) {
            if length >= bytes_max {
                break;
            }
            length += event.len();
            taken.push(event.clone());
        }
        drop(kept);
        let next = from + taken.len() as u64;
        if let [only] = taken.as_slice() {
            return Some(Read::Events(only.clone(), next));
        }
        let mut all = BytesMut::with_capacity(length);
        for event in &taken {
            all.extend_from_slice(event);
        }
        Some(Read::Events(all.freeze(), next))
    }

    /// Where whoever has read up to this id goes on.
    pub(crate) fn resume(&self, id: &str) -> Resume {
        let number = id
            .strip_prefix(&self.boot)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|number| number.parse::<u64>().ok());
        let Some(next) = number.and_then(|number| number.checked_add(1)) else {
            return Resume::Lost;
        };
        let kept = self.kept();
        if next == kept.next || kept.place(next).is_some() {
            Resume::At(next)
        } else {
            Resume::Lost
        }
    }

    /// Nothing that is done under the lock can leave it half done.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Where an event lies, if it is kept.
    fn place(&self, number: u64) -> Option<usize> {
        let oldest = self.next - self.events.len() as u64;
        let place = number.checked_sub(oldest)?;
        usize::try_from(place)
            .ok()
            .filter(|place| *place < self.events.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(events: u64) -> Ring {
        let ring = Ring::of_room("b".to_owned(), 4);
        for number in 1..=events {
            ring.push("risk", &number.to_string());
        }
        ring
    }

    #[test]
    fn events_are_read_in_order_in_pieces_and_once() {
        let ring = ring(3);
        let Some(Read::Events(first, next)) = ring.read(1, 1) else {
            panic!("there is one");
        };
        assert_eq!(first, "id: b-1\nevent: risk\ndata: 1\n\n");
        let Some(Read::Events(rest, end)) = ring.read(next, 1 << 10) else {
            panic!("there are two");
        };
        assert_eq!(
            rest,
            "id: b-2\nevent: risk\ndata: 2\n\nid: b-3\nevent: risk\ndata: 3\n\n"
        );
        assert_eq!(ring.read(end, 1), None);
        assert_eq!(ring.newest(), "b-3");
    }

    #[test]
    fn what_is_not_kept_any_more_is_said() {
        let ring = ring(6);
        assert_eq!(ring.read(2, 1), Some(Read::Gone));
        assert!(matches!(ring.read(3, 1), Some(Read::Events(_, 4))));
        assert_eq!(ring.resume("b-1"), Resume::Lost);
        assert_eq!(ring.resume("b-2"), Resume::At(3));
        assert_eq!(ring.resume("b-6"), Resume::At(7));
        for other in ["b-7", "a-6", "b6", "b-", "b-18446744073709551615", ""] {
            assert_eq!(ring.resume(other), Resume::Lost, "{other}");
        }
    }

    #[test]
    fn bytes_are_bounded_too() {
        let ring = Ring::new("b".to_owned());
        let long = "x".repeat(1 << 20);
        for _ in 0..40 {
            ring.push("verdict", &long);
        }
        assert!(ring.kept().bytes <= BYTES_MAX);
        assert_eq!(ring.read(1, 1), Some(Read::Gone));
        assert!(matches!(ring.read(40, 1), Some(Read::Events(_, 41))));
    }
}
