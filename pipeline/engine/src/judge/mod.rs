//! Stage 4: findings are settled into one verdict per episode, with corroboration, hysteresis and
//! a life cycle.
//!
//! A device has at most one open episode, and an episode is one verdict: raised, escalated,
//! updated, cleared. Whatever one row, window or deadline changes is written as one revision.

mod episode;
mod response;
#[cfg(test)]
mod tests;

use andon_schemas::command::{FlowMatch, Mode};
use andon_schemas::finding::Finding;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Segment};
use andon_schemas::observation::Role;
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::{ProfileRef, RISK_SCHEMA, Risk, RiskUpdate, Verdict};
use serde::{Deserialize, Serialize};

use self::episode::Episode;

/// After an episode the risk falls by half in this time.
const HALF_LIFE: Span = Span::HOUR;
/// A risk that moved by this much is published even if its band stays.
const PUBLISH_STEP: u8 = 5;

/// Whom a verdict is about.
pub(crate) struct Subject<'a> {
    pub(crate) device: &'a DeviceId,
    pub(crate) inventory: Option<&'a Device>,
    pub(crate) device_type: &'a str,
    pub(crate) profile: &'a ProfileRef,
    pub(crate) site: &'a str,
    pub(crate) segment: Option<&'a Segment>,
    pub(crate) in_maintenance: bool,
    pub(crate) mode: Mode,
    /// Safety flows at the device, or carried by it: they stay open whatever happens.
    pub(crate) protected: &'a [FlowMatch],
    /// What stays open when it is isolated.
    pub(crate) essential: &'a [FlowMatch],
}

/// A finding on its way in, before it is put into words.
pub(crate) struct Sighting<'a> {
    /// Number in the catalogue.
    pub(crate) detector: u8,
    pub(crate) name: &'static str,
    pub(crate) plane: Plane,
    /// Whether a rule set the grade.
    pub(crate) rule: bool,
    /// It ends by being over, not by time.
    pub(crate) holds: bool,
    /// Caps applied.
    pub(crate) grade: Grade,
    pub(crate) score: u8,
    pub(crate) magnitude: f64,
    pub(crate) at: EventTime,
    pub(crate) role: Option<Role>,
    pub(crate) proven: bool,
    /// The offending flow, and whether it is declared as a safety flow.
    pub(crate) flow: Option<FlowMatch>,
    pub(crate) safety_flow: bool,
    /// Ordinal of the input that showed it.
    pub(crate) cause: u64,
    /// Puts it into words; expensive.
    pub(crate) make: &'a dyn Fn() -> Finding,
}

/// What the judge knows about one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    episode: Option<Box<Episode>>,
    /// Score of statistics that are no finding yet.
    statistic: u8,
    /// Risk when the last episode ended, and when that was.
    after: u8,
    ended: EventTime,
    /// The score published last; `None` before the first row.
    published: Option<u8>,
}

impl Case {
    /// Whether [`Case::conclude`] may have something to write.
    pub(crate) fn is_due(&self, window_closed: bool) -> bool {
        self.episode
            .as_ref()
            .is_some_and(|episode| episode.is_due(window_closed))
    }

    /// Takes a sighting; [`Case::conclude`] writes what it changed.
    pub(crate) fn sighting(&mut self, site: &str, device: &DeviceId, sighting: &Sighting) {
        self.episode
            .get_or_insert_with(|| Box::new(Episode::open(site, device, sighting)))
            .take(sighting);
    }

    /// What a detector reported holds no longer.
    pub(crate) fn over(&mut self, detector: u8, at: EventTime) {
        self.statistic = 0;
        if let Some(episode) = &mut self.episode {
            episode.over(detector, at);
        }
    }

    /// Evidence that is no finding yet: it only moves the risk.
    pub(crate) fn statistical_score(&mut self, score: u8) {
        self.statistic = score;
    }

    /// The next moment a finding ends by time.
    pub(crate) fn deadline(&self) -> EventTime {
        self.episode
            .as_ref()
            .map_or(EventTime::MAX, |episode| episode.deadline())
    }

    /// Ends what ends at or before `now`.
    pub(crate) fn fire(&mut self, now: EventTime) {
        if let Some(episode) = &mut self.episode {
            episode.fire(now);
        }
    }

    /// Writes what the row, window or deadline at `at` changed, as one revision at most. `closed`
    /// is the window that closed, if one did.
    pub(crate) fn conclude(
        &mut self,
        subject: &Subject,
        at: EventTime,
        closed: Option<Interval>,
        out: &mut Vec<Verdict>,
    ) {
        let Some(episode) = &mut self.episode else {
            return;
        };
        let verdict = episode.conclude(subject, at, closed.is_some());
        if episode.is_over() {
            self.after = episode.score();
            self.ended = at;
            self.episode = None;
        }
        if let Some(mut verdict) = verdict {
            verdict.risk = self.risk(at);
            out.push(verdict);
        }
    }

    /// The risk at a moment. An open episode sets it; after one it falls by half every hour, and
    /// never below what the statistics say.
    pub(crate) fn risk(&self, at: EventTime) -> Risk {
        Risk::of_score(self.score(at))
    }

    fn score(&self, at: EventTime) -> u8 {
        if let Some(episode) = &self.episode {
            return episode.score().max(self.statistic);
        }
        if self.after == 0 {
            return self.statistic;
        }
        let half_lives = at.since(self.ended).as_secs_f64().max(0.0) / HALF_LIFE.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number from 0 to 100"
        )]
        let decayed = (f64::from(self.after) * (-half_lives).exp2()) as u8;
        decayed.max(self.statistic)
    }

    /// The risk, if it moved enough since it was published last.
    pub(crate) fn risk_update(
        &mut self,
        device: &DeviceId,
        listed: Option<&Device>,
        site: &str,
        at: EventTime,
    ) -> Option<RiskUpdate> {
        let score = self.score(at);
        let moved = self.published.is_none_or(|published| {
            score.abs_diff(published) >= PUBLISH_STEP
                || Risk::of_score(score).band != Risk::of_score(published).band
        });
        if !moved {
            return None;
        }
        self.published = Some(score);
        Some(RiskUpdate {
            schema: RISK_SCHEMA.to_owned(),
            device_id: device.clone(),
            site: site.to_owned(),
            event_time: at,
            risk: Risk::of_score(score),
            risk_class: listed.map(|device| device.risk_class),
            verdict_id: self.episode.as_ref().map(|episode| episode.id().to_owned()),
        })
    }
}
