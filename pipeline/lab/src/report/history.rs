//! What each revision of an episode said, kept while a capture is played: the last revision alone
//! does not tell how it came to that.

use std::collections::BTreeMap;

use andon_schemas::command::{Action, Response};
use andon_schemas::grade::Grade;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{State, Verdict};

use super::gauge;

/// Most revisions of one episode that are kept; of longer ones the first half and the latest.
const STEPS_MAX: usize = 64;

/// One revision, as far as a timeline needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Counts from 1.
    pub revision: u32,
    /// Where the episode stood.
    pub state: State,
    /// Up to which event time it spoke.
    pub at: EventTime,
    /// Its grade then.
    pub grade: Grade,
    /// The device's risk score then.
    pub score: Option<u8>,
    /// What followed from it.
    pub action: Action,
    /// What was measured, by detector: the value of its first gauge.
    pub measured: Vec<(String, f64)>,
}

impl Step {
    fn of(verdict: &Verdict) -> Self {
        let measured = verdict.findings.iter().filter_map(|finding| {
            let gauge = gauge::of(finding).into_iter().next()?;
            Some((finding.detector.clone(), gauge.value.number))
        });
        Self {
            revision: verdict.revision,
            state: verdict.state,
            at: verdict.window.end.max(verdict.event_time),
            grade: verdict.grade,
            score: verdict.risk.score,
            action: verdict.response.action,
            measured: measured.collect(),
        }
    }
}

/// The revisions of every episode.
#[derive(Clone, Debug, Default)]
pub struct History {
    episodes: BTreeMap<String, Course>,
}

#[derive(Clone, Debug)]
struct Course {
    steps: Vec<Step>,
    strongest: Response,
}

impl History {
    /// Takes a revision.
    pub fn take(&mut self, verdict: &Verdict) {
        let id = verdict.verdict_id.clone();
        let course = self.episodes.entry(id).or_insert_with(|| Course {
            steps: Vec::new(),
            strongest: verdict.response.clone(),
        });
        if verdict.response.action > course.strongest.action {
            course.strongest = verdict.response.clone();
        }
        if course.steps.len() >= STEPS_MAX {
            course.steps.remove(STEPS_MAX / 2);
        }
        course.steps.push(Step::of(verdict));
    }

    /// The revisions of an episode, the first of them first.
    pub fn of(&self, verdict_id: &str) -> &[Step] {
        self.episodes
            .get(verdict_id)
            .map_or(&[], |course| &course.steps)
    }

    /// The strongest response of any revision: that of the last one is no more than a note in the
    /// log once the episode is over.
    pub fn response(&self, verdict_id: &str) -> Option<&Response> {
        self.episodes
            .get(verdict_id)
            .map(|course| &course.strongest)
    }
}
