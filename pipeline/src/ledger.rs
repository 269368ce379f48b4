//! What came out, counted: every episode once, whatever number of revisions it has.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use andon_respond::Alerts;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{State, Verdict};
use serde::{Deserialize, Serialize};

/// One verdict id, followed through its revisions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Episode {
    /// The worst grade of any revision.
    pub worst: Grade,
    /// The last revision; without its findings in a ledger of a list.
    pub last: Verdict,
    /// When it first reached MEDIUM, by opening or escalation.
    pub medium_at: Option<EventTime>,
}

/// Keeps count of everything that comes out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Every episode, by verdict id.
    pub episodes: BTreeMap<String, Episode>,
    /// Lines of verdicts.
    pub revisions: u64,
    /// Risk updates.
    pub risk_updates: u64,
    /// Which verdicts are worth a person's time. States of before there were any have none.
    #[serde(default)]
    pub alerts: Alerts,
    /// Episodes that are over are only counted: a live run goes on for ever.
    forgets: bool,
    /// Of an open episode only what is listed of it is kept, not its findings: who keeps those is
    /// somebody else.
    #[serde(default)]
    lists_only: bool,
    /// Of forgotten episodes, how many were of which worst grade.
    forgotten: BTreeMap<Grade, u64>,
    /// The one that was forgotten last of each device, which a late row may open again.
    last_forgotten: BTreeMap<DeviceId, (String, Grade)>,
}

impl Ledger {
    /// A ledger that remembers open episodes only.
    pub fn of_a_live_run() -> Self {
        Self {
            forgets: true,
            ..Self::default()
        }
    }

    /// A ledger of a live run that counts and lists, and needs no findings for it.
    pub fn of_a_list() -> Self {
        Self {
            lists_only: true,
            ..Self::of_a_live_run()
        }
    }

    /// Number of verdict ids.
    pub fn episode_count(&self) -> u64 {
        self.episodes.len() as u64 + self.forgotten.values().sum::<u64>()
    }

    /// Takes a revision.
    pub fn verdict(&mut self, verdict: &Verdict) {
        self.revisions += 1;
        self.recall(verdict);
        let medium = (verdict.grade >= Grade::Medium && verdict.state != State::Cleared)
            .then(|| verdict.window.end.max(verdict.event_time));
        let mut last = verdict.clone();
        if self.lists_only {
            last.findings = Vec::new();
        }
        match self.episodes.entry(verdict.verdict_id.clone()) {
            Entry::Occupied(mut known) => {
                let episode = known.get_mut();
                episode.worst = episode.worst.max(verdict.grade);
                episode.medium_at = episode.medium_at.or(medium);
                episode.last = last;
            }
            Entry::Vacant(free) => {
                free.insert(Episode {
                    worst: verdict.grade,
                    last,
                    medium_at: medium,
                });
            }
        }
        if self.forgets
            && verdict.state == State::Cleared
            && let Some(episode) = self.episodes.remove(&verdict.verdict_id)
        {
            *self.forgotten.entry(episode.worst).or_default() += 1;
            let (id, device) = (verdict.verdict_id.clone(), verdict.device_id.clone());
            self.last_forgotten.insert(device, (id, episode.worst));
        }
    }

    /// An episode that was forgotten goes on: it is still one.
    fn recall(&mut self, verdict: &Verdict) {
        let Some((id, worst)) = self.last_forgotten.get(&verdict.device_id) else {
            return;
        };
        if *id != verdict.verdict_id {
            return;
        }
        if let Some(count) = self.forgotten.get_mut(worst) {
            *count = count.saturating_sub(1);
        }
        let episode = Episode {
            worst: *worst,
            last: verdict.clone(),
            medium_at: None,
        };
        self.episodes.insert(id.clone(), episode);
        self.last_forgotten.remove(&verdict.device_id);
    }

    /// Verdict ids by worst grade, all grades named.
    pub fn by_grade(&self) -> BTreeMap<Grade, u64> {
        let mut grades: BTreeMap<Grade, u64> = Grade::ALL.iter().map(|g| (*g, 0)).collect();
        for (grade, n) in &self.forgotten {
            *grades.entry(*grade).or_default() += n;
        }
        for episode in self.episodes.values() {
            *grades.entry(episode.worst).or_default() += 1;
        }
        grades
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A revision as `verdicts.jsonl` holds it.
    fn revision(number: u32, state: &str, grade: &str) -> Verdict {
        let at = "2025-12-12T09:00:00Z";
        serde_json::from_value(serde_json::json!({
            "schema": "andon.verdict.v1", "verdict_id": "aa", "revision": number, "state": state,
            "device_id": "plc-1", "device_type": "", "segment": "", "risk_class": null,
            "site": "s", "event_time": at, "window": { "start": at, "end": at },
            "grade": grade, "confidence": { "basis": "policy", "n": 0 },
            "risk": { "score": 0, "trust": 100, "band": "low" }, "sentence": "", "findings": [],
            "response": {
                "action": "watch", "mode": "monitor", "scope": [], "exceptions": [],
                "expires": null, "approval": "automatic", "note": "", "notify": [],
            },
            "profile": { "name": "", "version": "", "hash": "" },
        }))
        .unwrap()
    }

    #[test]
    fn an_episode_that_a_late_row_opens_again_is_still_one() {
        let mut ledger = Ledger::of_a_live_run();
        ledger.verdict(&revision(1, "raised", "MEDIUM"));
        ledger.verdict(&revision(2, "cleared", "MEDIUM"));
        ledger.verdict(&revision(3, "escalated", "HIGH"));
        ledger.verdict(&revision(4, "cleared", "HIGH"));
        assert_eq!(ledger.episode_count(), 1);
        assert_eq!(ledger.by_grade()[&Grade::High], 1);
        assert_eq!(ledger.by_grade()[&Grade::Medium], 0);
        assert_eq!(ledger.revisions, 4);
    }
}
