//! Where the records stand in the topic that the findings of each incident rest on, and how far those
//! are kept as evidence: whoever takes up the desk knows what is left to be done.

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;

use super::Desk;
use crate::evidence::AFTER;
use crate::kafka::evidence::{Done, Root, Wanted};

/// Of each incident that is kept.
#[derive(Debug, Default)]
pub(super) struct Roots {
    of: BTreeMap<String, Root>,
    changed: BTreeSet<String>,
}

impl Roots {
    /// A verdict of an incident, which the broker took at a time.
    pub(super) fn take(&mut self, id: &str, verdict: &Verdict, topic: &str, at: EventTime) {
        if !self.of.contains_key(id) {
            self.of.insert(id.to_owned(), Root::default());
        }
        let Some(root) = self.of.get_mut(id) else {
            return;
        };
        let sources = verdict.findings.iter().flat_map(|found| &found.source);
        let mut is_new = false;
        let mut is_placed = false;
        for source in sources.filter(|source| &*source.topic == topic) {
            let place = i32::try_from(source.partition).ok();
            let offset = i64::try_from(source.offset).ok();
            let (Some(partition), Some(offset)) = (place, offset) else {
                continue;
            };
            is_placed = true;
            let known = root.from.entry(partition).or_insert(i64::MAX);
            is_new |= offset < *known;
            *known = offset.min(*known);
        }
        if !is_placed && root.told.is_none_or(|told| at < told) {
            root.told = Some(at);
            is_new = true;
        }
        if is_new {
            self.changed.insert(id.to_owned());
        }
    }

    /// Goes on with what was kept of one.
    pub(super) fn resume(&mut self, id: &str, root: Root) {
        self.of.insert(id.to_owned(), root);
    }

    /// An incident is kept no longer.
    pub(super) fn forget(&mut self, id: &str) {
        if self.of.remove(id).is_some() {
            self.changed.insert(id.to_owned());
        }
    }

    /// Those of which something else is to be kept than before, or nothing any more.
    pub(super) fn take_changed(&mut self) -> Vec<(String, Option<Root>)> {
        let changed = std::mem::take(&mut self.changed);
        let root = |id: String| {
            let root = self.of.get(&id).cloned();
            (id, root)
        };
        changed.into_iter().map(root).collect()
    }
}

impl Desk {
    /// What was told since this was asked last, for whoever keeps evidence.
    pub(super) fn wanted(&mut self) -> Vec<Wanted> {
        let told = std::mem::take(&mut self.told_of);
        let wanted = told.into_iter().map(|incident| Wanted {
            desk: self.partition,
            root: self.root(&incident.incident_id),
            incident,
        });
        wanted.collect()
    }

    /// The incidents whose records are not kept yet, as far as this desk knows.
    pub(in crate::kafka::respond) fn unkept(&self) -> Vec<Wanted> {
        let all = self.incidents.all().map(|incident| Wanted {
            desk: self.partition,
            root: self.root(&incident.incident_id),
            incident: incident.clone(),
        });
        all.filter(Wanted::is_open).collect()
    }

    /// The records of an incident are kept.
    pub(in crate::kafka::respond) fn preserved(&mut self, done: &Done) {
        if let Some(root) = self.roots.of.get_mut(&done.incident_id)
            && root
                .kept
                .as_ref()
                .is_none_or(|kept| kept.until < done.reach.until)
        {
            root.kept = Some(done.reach.clone());
            self.roots.changed.insert(done.incident_id.clone());
            self.touched = true;
        }
    }

    fn root(&self, id: &str) -> Root {
        self.roots.of.get(id).cloned().unwrap_or_default()
    }
}

impl Wanted {
    /// Until when records are wanted, event time.
    pub fn until(&self) -> EventTime {
        self.incident.last + AFTER
    }

    /// Whether its records are not kept yet, and it is known where they stand.
    pub fn is_open(&self) -> bool {
        let root = &self.root;
        let is_known = !root.from.is_empty() || root.told.is_some();
        let kept = root.kept.as_ref();
        is_known && kept.is_none_or(|kept| kept.until < self.until())
    }
}
