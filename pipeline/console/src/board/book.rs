//! The verdicts that are kept: every open one and the newest of those that are over.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use bytes::Bytes;

use super::signals::{self, Room, Signal};
use super::wire::{RevisionRow, VerdictRow};

/// So many open ones are kept: more than any plant has devices that people could look after.
const OPEN_MAX: usize = 100_000;
/// And so many that are over.
const CLOSED_MAX: usize = 10_000;
/// So many revisions of each in one line: the first and the newest of the others.
const REVISIONS_MAX: usize = 64;
/// So many of one device are found by it.
const OF_DEVICE_MAX: usize = 32;

/// Worst first, then newest.
type Rank = (Reverse<Grade>, Reverse<EventTime>, Arc<str>);

/// Verdicts, by id.
#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: HashMap<Arc<str>, Entry>,
    open: BTreeSet<Rank>,
    /// Those that are over, by when they came to be.
    closed: BTreeMap<u64, Arc<str>>,
    ended: u64,
    of_device: HashMap<DeviceId, VecDeque<Arc<str>>>,
    room: Room,
    /// Open ones for which there was no room.
    pub(crate) shed: u64,
}

/// One verdict.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) row: Arc<VerdictRow>,
    /// The newest revision, as JSON.
    pub(crate) whole: Bytes,
    pub(crate) revisions: Vec<RevisionRow>,
    /// What they measured.
    pub(crate) signals: Vec<Signal>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Open(Rank),
    Closed(u64),
}

/// Which verdicts are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Those that are over as well.
    pub(crate) all: bool,
    pub(crate) grade: Option<Grade>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: usize,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    Open(Rank),
    Closed(u64),
}

impl Cursor {
    /// As it is handed out.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Open((Reverse(grade), Reverse(at), id)) => {
                format!("o.{grade}.{}.{id}", at.micros())
            }
            Self::Closed(number) => format!("c.{number}"),
        }
    }

    /// What was handed out.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_prefix("c.") {
            return number.parse().ok().map(Self::Closed);
        }
        let mut parts = text.strip_prefix("o.")?.splitn(3, '.');
        let grade = parts.next()?.parse().ok()?;
        let at = EventTime::from_micros(parts.next()?.parse().ok()?);
        let id = parts.next()?.into();
        Some(Self::Open((Reverse(grade), Reverse(at), id)))
    }
}

impl Book {
    /// Takes a revision. One older than what is known changes nothing: it is told again.
    pub(crate) fn take(&mut self, verdict: &Verdict, row: &Arc<VerdictRow>, whole: Bytes) {
        let id = row.verdict_id.clone();
        let (mut revisions, mut signals) = (Vec::new(), Vec::new());
        if let Some(known) = self.entries.get(&id) {
            if known.row.revision > verdict.revision {
                return;
            }
            let known = known.clone();
            self.leave(&known);
            (revisions, signals) = (known.revisions, known.signals);
        } else {
            let own = self.of_device.entry(row.device_id.clone()).or_default();
            own.push_back(id.clone());
            if own.len() > OF_DEVICE_MAX {
                own.pop_front();
            }
        }
        if revisions
            .last()
            .is_none_or(|last| last.revision < verdict.revision)
        {
            revisions.push(RevisionRow::of(verdict));
        }
        if revisions.len() > REVISIONS_MAX {
            revisions.remove(1);
        }
        signals::note(&mut signals, verdict, &mut self.room);
        let place = self.enter(row);
        let entry = Entry {
            row: row.clone(),
            whole,
            revisions,
            signals,
            place,
        };
        self.entries.insert(id, entry);
        self.make_room();
    }

    fn enter(&mut self, row: &VerdictRow) -> Place {
        if row.is_open() {
            let id = row.verdict_id.clone();
            let rank = (Reverse(row.grade), Reverse(row.updated), id);
            self.open.insert(rank.clone());
            return Place::Open(rank);
        }
        self.ended += 1;
        self.closed.insert(self.ended, row.verdict_id.clone());
        Place::Closed(self.ended)
    }

    fn leave(&mut self, entry: &Entry) {
        match &entry.place {
            Place::Open(rank) => {
                self.open.remove(rank);
            }
            Place::Closed(number) => {
                self.closed.remove(number);
            }
        }
    }

    /// Lets go of the mildest open and the oldest that are over.
    fn make_room(&mut self) {
        while self.open.len() > OPEN_MAX {
            let mildest = self.open.last().map(|rank| rank.2.clone());
            if let Some(entry) = mildest.and_then(|id| self.entries.get(&id).cloned()) {
                self.shed += 1;
                self.leave(&entry);
                self.forget(&entry.row.verdict_id);
            }
        }
        while self.closed.len() > CLOSED_MAX {
            if let Some((_, id)) = self.closed.pop_first() {
                self.forget(&id);
            }
        }
    }

    fn forget(&mut self, id: &Arc<str>) {
        let Some(entry) = self.entries.remove(id) else {
            return;
        };
        self.room.give_back(&entry.signals);
        if let Some(own) = self.of_device.get_mut(&entry.row.device_id) {
            own.retain(|known| known != id);
            if own.is_empty() {
                self.of_device.remove(&entry.row.device_id);
            }
        }
    }

    /// Another process says by then which verdict of a device is open, if one is. What was open
    /// otherwise is over, how is known there: it is forgotten here.
    pub(crate) fn is_open_elsewhere(&mut self, device: &str, open: Option<&str>, at: EventTime) {
        let ids = self.of_device.get(device).into_iter().flatten();
        let is_over = |entry: &&Entry| {
            let row = &entry.row;
            row.is_open() && open != Some(&*row.verdict_id) && row.updated <= at
        };
        let over = ids.filter_map(|id| self.get(id)).filter(is_over).cloned();
        for entry in over.collect::<Vec<_>>() {
            self.leave(&entry);
            self.forget(&entry.row.verdict_id);
        }
    }

    /// The verdict of this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Those of a device, newest first.
    pub(crate) fn of_device(&self, device: &str) -> Vec<Arc<VerdictRow>> {
        let ids = self.of_device.get(device).into_iter().flatten().rev();
        ids.filter_map(|id| self.get(id))
            .map(|entry| entry.row.clone())
            .collect()
    }

    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// A page: open ones worst first, then those that are over, newest first.
    pub(crate) fn page(&self, wanted: &Wanted) -> (Vec<Arc<VerdictRow>>, Option<Cursor>) {
        let mut rows = Vec::new();
        let mut last = None;
        let begin = match &wanted.after {
            None => Some(Bound::Unbounded),
            Some(Cursor::Open(rank)) => Some(Bound::Excluded(rank.clone())),
            Some(Cursor::Closed(_)) => None,
        };
        let open = begin
            .into_iter()
            .flat_map(|begin| self.open.range((begin, Bound::Unbounded)))
            .map(|rank| (&rank.2, Cursor::Open(rank.clone())));
        let end = match &wanted.after {
            Some(Cursor::Closed(number)) => *number,
            _ => u64::MAX,
        };
        let closed = self
            .closed
            .range(..end)
            .rev()
            .take_while(|_| wanted.all)
            .map(|(number, id)| (id, Cursor::Closed(*number)));
        for (id, cursor) in open.chain(closed) {
            let Some(entry) = self.get(id).filter(|entry| wanted.admits(&entry.row)) else {
                continue;
            };
            if rows.len() >= wanted.limit {
                return (rows, last);
            }
            rows.push(entry.row.clone());
            last = Some(cursor);
        }
        (rows, None)
    }
}

impl Wanted {
    fn admits(&self, row: &VerdictRow) -> bool {
        self.grade.is_none_or(|grade| grade == row.grade)
            && self
                .device
                .as_ref()
                .is_none_or(|device| *device == row.device_id)
    }
}
