//! An incident whose records are looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use andon_schemas::evidence::Reach;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;

use super::{Root, Wanted};
use crate::evidence::{Part, ROWS_MAX, Row};

/// So many records of all incidents together are held before they are written.
pub(super) const ALL_ROWS_MAX: usize = 50_000;

/// An incident whose records are looked for.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) desk: i32,
    site: String,
    pub(super) until: EventTime,
    pub(super) devices: BTreeSet<DeviceId>,
    pub(super) root: Root,
    /// How far its records were kept before.
    pub(super) before: Option<Reach>,
    /// The partitions that are read for it, once it is known from where on.
    pub(super) places: BTreeMap<i32, Span>,
    /// It is not known yet where to begin in all of them.
    pub(super) is_new: bool,
    /// It is not tried again before.
    pub(super) not_before: Option<Instant>,
    /// By partition, offset, and number in the message.
    rows: BTreeMap<(i32, i64, u32), Row>,
    beyond: u64,
    pub(super) deleted: u64,
    /// Until when was looked, where that was given up before its end.
    pub(super) cut: Option<EventTime>,
}

/// A part of a partition that is read for an incident.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Where it begins.
    pub(super) first: i64,
    /// What comes next of it.
    pub(super) next: i64,
    /// The first record that is of later than is looked for.
    pub(super) left: Option<i64>,
    /// What comes next is read.
    pub(super) is_read: bool,
    /// It was read far enough.
    pub(super) is_done: bool,
}

impl Span {
    /// Everything before an offset has been read, unless that was not for this.
    pub(super) fn follow(&mut self, next: i64) {
        if self.is_read && !self.is_done {
            self.next = self.next.max(next);
        }
    }
}

impl Watch {
    pub(super) fn new(wanted: &Wanted) -> Self {
        let mut watch = Self {
            desk: wanted.desk,
            site: wanted.incident.site.clone(),
            until: wanted.until(),
            devices: BTreeSet::new(),
            root: Root::default(),
            before: None,
            places: BTreeMap::new(),
            is_new: true,
            not_before: None,
            rows: BTreeMap::new(),
            beyond: 0,
            deleted: 0,
            cut: None,
        };
        watch.extend(wanted);
        watch
    }

    /// More of it is known. What stands before what was read is gone back for.
    pub(super) fn extend(&mut self, wanted: &Wanted) {
        self.desk = wanted.desk;
        if self.until < wanted.until() {
            self.until = wanted.until();
            for span in self.places.values_mut() {
                // Others may have read on meanwhile, and what was of later is looked for now.
                span.is_read &= !std::mem::take(&mut span.is_done);
                if let Some(left) = span.left.take() {
                    span.next = span.next.min(left);
                    span.is_read = false;
                }
            }
        }
        let devices = wanted.incident.devices();
        let known = self.devices.len();
        self.devices.extend(devices.into_iter().cloned());
        if self.devices.len() > known || self.root != wanted.root {
            self.root.clone_from(&wanted.root);
            self.is_new = true;
        }
    }

    /// Takes a record; whether there was room.
    pub(super) fn take(&mut self, at: (i32, i64, u32), row: &Row, all: &mut usize) {
        let time = row.record.event_time;
        let span = self.places.get_mut(&at.0);
        let Some(span) = span.filter(|span| !span.is_done && span.next <= at.1) else {
            return;
        };
        if time > self.until {
            span.left = Some(span.left.map_or(at.1, |left| left.min(at.1)));
            return;
        }
        let is_kept = self.before.as_ref().is_some_and(|before| {
            let next = before.next.get(&at.0);
            time <= before.until && next.is_some_and(|next| at.1 < *next)
        });
        if is_kept || self.rows.contains_key(&at) {
            return;
        }
        if self.rows.len() >= ROWS_MAX || *all >= ALL_ROWS_MAX {
            self.beyond += 1;
            return;
        }
        *all += 1;
        self.rows.insert(at, row.clone());
    }

    /// Whether it is to be found out now where to begin.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.is_new && self.not_before.is_none_or(|before| before <= now)
    }

    /// Records that it holds.
    pub(super) fn held(&self) -> usize {
        self.rows.len()
    }

    /// Whether everything has been read.
    pub(super) fn is_done(&self) -> bool {
        !self.is_new && self.places.values().all(|span| span.is_done)
    }

    /// What is to be kept.
    pub(super) fn part(&mut self, incident_id: &str) -> Part {
        Part {
            incident_id: incident_id.to_owned(),
            site: self.site.clone(),
            rows: (0..)
                .zip(std::mem::take(&mut self.rows).into_values())
                .collect(),
            beyond: std::mem::take(&mut self.beyond),
            deleted: std::mem::take(&mut self.deleted),
            reach: Some(self.reach()),
        }
    }

    /// How far was read.
    pub(super) fn reach(&self) -> Reach {
        let mut reach = self.before.clone().unwrap_or_default();
        reach.until = self.cut.map_or(self.until, |cut| cut.min(self.until));
        for (place, span) in &self.places {
            reach.next.insert(*place, span.next);
            match span.left {
                Some(left) => reach.left.insert(*place, left),
                None => reach.left.remove(place),
            };
        }
        reach
    }

    /// What was read is read again, not before a time.
    pub(super) fn again(&mut self, not_before: Instant) {
        self.rows.clear();
        self.places.clear();
        (self.beyond, self.deleted, self.cut) = (0, 0, None);
        self.is_new = true;
        self.not_before = Some(not_before);
    }
}
