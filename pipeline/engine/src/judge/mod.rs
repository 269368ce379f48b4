//! Stage 4: findings are settled into one verdict per episode, with corroboration, hysteresis and
//! a life cycle.
//!
//! A device has at most one open episode, and an episode is one verdict: raised, escalated,
//! updated, cleared. Whatever one row, window or deadline changes is written as one revision.

mod episode;
mod held;
mod response;
mod revision;
mod risk;
mod value;

#[cfg(test)]
mod tests;

use andon_schemas::command::{FlowMatch, Mode};
use andon_schemas::finding::Finding;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Segment};
use andon_schemas::observation::{Role, Source};
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::{ProfileRef, RISK_SCHEMA, Risk, RiskUpdate, Verdict};
use serde::{Deserialize, Serialize};

use self::episode::{Episode, Past};
pub use self::held::keeps_grade;
pub use self::revision::{settled_confidence, settled_grade, settled_sentence};
use self::risk::Level;

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
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one sighting"
)]
pub(crate) struct Sighting<'a> {
    /// Number in the catalogue.
    pub(crate) detector: u8,
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
    /// The row that showed it, if one did; cheap.
    pub(crate) source: &'a dyn Fn() -> Option<Source>,
    /// Puts it into words; expensive.
    pub(crate) make: &'a dyn Fn() -> Finding,
}

/// What the judge knows about one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    episode: Option<Box<Episode>>,
    /// An episode that ended before the sighting that opened the present one, until its clear is
    /// written: never between two steps.
    lapsed: Option<Box<Episode>>,
    /// The episode before.
    past: Option<Box<Past>>,
    level: Level,
}

impl Case {
    /// Score of the open episode, if there is one.
    fn standing(&self) -> Option<u8> {
        self.episode.as_ref().map(|episode| episode.score())
    }

    /// The open episode as its latest revision said it: its id, its grade, and since when.
    pub(crate) fn told(&self) -> Option<(&str, Grade, EventTime)> {
        let episode = self.episode.as_ref()?;
        Some((&episode.id, episode.told_grade()?, episode.opened))
    }

    /// Whether [`Case::conclude`] may have something to write.
    pub(crate) fn is_due(&self, window_closed: bool) -> bool {
        self.lapsed.is_some()
            || self
                .episode
                .as_ref()
                .is_some_and(|episode| episode.is_due(window_closed))
    }

    /// Whether nothing stands, nothing fades, and all of it has been published: as long as a device
    /// is heard of there is no news of it at any moment.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.episode.is_none() && self.level.is_at_rest()
    }

    /// Takes a sighting; [`Case::conclude`] writes what it changed. What ended before the
    /// sighting ends first, so that it does not matter whether a tick came in between.
    pub(crate) fn sighting(&mut self, sighting: &Sighting) {
        let before = self.standing();
        if let Some(mut episode) = self.episode.take() {
            episode.fire(sighting.at - Span::from_micros(1));
            if episode.is_over() && episode.newest < sighting.at {
                self.past = Some(Box::new(episode.past()));
                self.lapsed = Some(episode);
            } else {
                self.episode = Some(episode);
            }
        }
        let past = self.past.as_deref().filter(|past| past.covers(sighting.at));
        self.episode
            .get_or_insert_with(|| Box::new(Episode::open(sighting, past)))
            .take(sighting);
        self.moved(sighting.at, before);
    }

    /// What a detector reported holds no longer.
    pub(crate) fn over(&mut self, detector: u8, at: EventTime) {
        let before = self.standing();
        if let Some(episode) = &mut self.episode {
            episode.over(detector, at);
            self.moved(at, before);
        }
    }

    /// The device's profile is another from here on. [`Case::conclude`] writes what that ended
    /// at the next row, window or deadline.
    pub(crate) fn change_profile(&mut self, former: &ProfileRef, at: EventTime) {
        let before = self.standing();
        if let Some(episode) = &mut self.episode {
            episode.change_profile(former);
            self.moved(at, before);
        }
    }

    /// Evidence that is no finding yet: it only moves the risk.
    pub(crate) fn statistical_score(&mut self, score: u8, at: EventTime) {
        self.level.lift(score, at, self.standing());
    }

    /// The next moment a finding ends by time, or fading risk is worth publishing. It may be too
    /// early: asked again after [`Case::fire`] it is later.
    pub(crate) fn deadline(&self) -> EventTime {
        let ends = self
            .episode
            .as_ref()
            .map_or(EventTime::MAX, |episode| episode.deadline());
        ends.min(self.level.alarm())
    }

    /// Ends what ends at or before `now`.
    pub(crate) fn fire(&mut self, now: EventTime) {
        let before = self.standing();
        if let Some(episode) = &mut self.episode {
            episode.fire(now);
        }
        self.moved(now, before);
    }

    fn moved(&mut self, at: EventTime, before: Option<u8>) {
        let standing = self.standing();
        if before != standing || self.level.alarm() <= at {
            self.level.moved(at, before, standing);
        }
    }

    /// Writes what the row, window or deadline at `at` changed: one revision of the open episode
    /// at most, and the clear of an episode that is over. `closed` is the window that closed, if
    /// one did.
    pub(crate) fn conclude(
        &mut self,
        subject: &Subject,
        at: EventTime,
        closed: Option<Interval>,
        out: &mut Vec<Verdict>,
    ) {
        let written = out.len();
        if let Some(mut lapsed) = self.lapsed.take() {
            let ended = lapsed.newest;
            lapsed.conclude(subject, ended, None, out);
            self.past = Some(Box::new(lapsed.past()));
        }
        if let Some(episode) = &mut self.episode {
            episode.conclude(subject, at, closed.map(|window| window.end), out);
            if episode.is_over() {
                self.past = Some(Box::new(episode.past()));
                let before = self.standing();
                self.episode = None;
                self.moved(at, before);
            }
        }
        for verdict in out.iter_mut().skip(written) {
            verdict.risk = self.level.risk(verdict.window.end, self.standing(), false);
        }
    }

    /// The risk at a moment: that of the open episode, or what was shown before and is fading.
    /// `stale` says that nothing was heard of the device for too long.
    pub(crate) fn risk(&self, at: EventTime, stale: bool) -> Risk {
        self.level.risk(at, self.standing(), stale)
    }

    /// The risk, if it moved enough since it was published last, into another band or by five
    /// points, or if another verdict is open, or none any more: whoever follows only the risk of a
    /// device knows from it what to ask about.
    pub(crate) fn risk_update(
        &mut self,
        device: &DeviceId,
        listed: Option<&Device>,
        site: &str,
        at: EventTime,
        stale: bool,
    ) -> Option<RiskUpdate> {
        let standing = self.standing();
        let risk = self.level.risk(at, standing, stale);
        let open = self.episode.as_ref();
        let opened = open.map_or(EventTime::MIN, |episode| episode.opened);
        if !self.level.is_news(risk, opened) {
            return None;
        }
        self.level.tell(risk, opened, at, standing);
        Some(self.update(risk, device, listed, site, at))
    }

    /// What was published last of the risk of a listed device, as of a later moment without news.
    pub(crate) fn told_risk(
        &self,
        device: &Device,
        site: &str,
        at: EventTime,
    ) -> Option<RiskUpdate> {
        let told = self.level.told()?;
        Some(self.update(told, &device.id, Some(device), site, at))
    }

    fn update(
        &self,
        risk: Risk,
        device: &DeviceId,
        listed: Option<&Device>,
        site: &str,
        at: EventTime,
    ) -> RiskUpdate {
        RiskUpdate {
            schema: RISK_SCHEMA.to_owned(),
            device_id: device.clone(),
            site: site.to_owned(),
            event_time: at,
            risk,
            risk_class: listed.map(|device| device.risk_class),
            verdict_id: self.episode.as_ref().map(|episode| episode.id.clone()),
        }
    }
}
