//! The incidents that are kept: the newest revision of each.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use andon_schemas::incident::{Incident, IncidentState};
use andon_schemas::time::EventTime;

/// So many are kept; the one that has been quiet for longest goes first.
const KEPT_MAX: usize = 10_000;

/// When the last thing happened in an incident, and its id.
type Rank = (EventTime, Arc<str>);

/// Which incidents are wanted, and where the page begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Those that are over as well.
    pub(crate) all: bool,
    pub(crate) after: Option<Rank>,
    pub(crate) limit: usize,
}

/// Incidents, by id.
#[derive(Debug, Default)]
pub(crate) struct IncidentBook {
    kept: HashMap<Arc<str>, Arc<Incident>>,
    ranks: BTreeSet<Rank>,
}

fn rank(incident: &Incident) -> Rank {
    (incident.last, incident.incident_id.as_str().into())
}

impl IncidentBook {
    /// Takes a revision. One older than what is known changes nothing: it is told again.
    pub(crate) fn take(&mut self, incident: &Incident) {
        if let Some(known) = self.kept.get(incident.incident_id.as_str()) {
            if known.revision > incident.revision {
                return;
            }
            self.ranks.remove(&rank(known));
        }
        let (at, id) = rank(incident);
        self.ranks.insert((at, id.clone()));
        self.kept.insert(id, Arc::new(incident.clone()));
        while self.kept.len() > KEPT_MAX
            && let Some((_, id)) = self.ranks.pop_first()
        {
            self.kept.remove(&id);
        }
    }

    /// One of them.
    pub(crate) fn one(&self, id: &str) -> Option<Arc<Incident>> {
        self.kept.get(id).cloned()
    }

    /// Those that are wanted, the one in which something happened last first.
    pub(crate) fn list(&self, asked: &Asked) -> Vec<Arc<Incident>> {
        let below = match &asked.after {
            Some(last) => self.ranks.range(..last),
            None => self.ranks.range::<Rank, _>(..),
        };
        let found = below.rev().filter_map(|(_, id)| self.kept.get(id));
        let fits = found.filter(|found| asked.all || found.state == IncidentState::Open);
        fits.take(asked.limit).cloned().collect()
    }

    /// Where a page that ends with this one ends, as it is handed out.
    pub(crate) fn cursor(incident: &Incident) -> String {
        let (at, id) = rank(incident);
        format!("{}.{id}", at.micros())
    }

    /// What was handed out.
    pub(crate) fn read_cursor(text: &str) -> Option<Rank> {
        let (at, id) = text.split_once('.')?;
        Some((EventTime::from_micros(at.parse().ok()?), id.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(id: &str, revision: u32, last: i64, state: &str) -> Incident {
        let at = EventTime::from_micros(last);
        serde_json::from_value(serde_json::json!({
            "schema": "andon.incident.v1", "incident_id": id, "revision": revision,
            "state": state, "site": "s", "grade": "HIGH", "began": at, "last": at, "over": null,
            "sentence": "", "segments": [], "destinations": [], "techniques": [],
            "verdicts": [], "more": 0, "judged": null,
        }))
        .unwrap()
    }

    #[test]
    fn the_newest_revision_counts_and_the_latest_comes_first() {
        let mut book = IncidentBook::default();
        book.take(&incident("a", 1, 5, "open"));
        book.take(&incident("b", 1, 7, "open"));
        book.take(&incident("a", 2, 9, "over"));
        book.take(&incident("a", 1, 5, "open"));
        let mut asked = Asked {
            limit: 1,
            ..Asked::default()
        };
        let ids = |asked: &Asked| -> Vec<String> {
            let found = book.list(asked);
            found.iter().map(|i| i.incident_id.clone()).collect()
        };
        assert_eq!(ids(&asked), ["b"]);
        asked.all = true;
        assert_eq!(ids(&asked), ["a"]);
        let cursor = IncidentBook::cursor(&book.one("a").unwrap());
        asked.after = IncidentBook::read_cursor(&cursor);
        assert_eq!(ids(&asked), ["b"]);
        assert_eq!(IncidentBook::read_cursor("x"), None);
    }
}
