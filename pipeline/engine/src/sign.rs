//! Stage 3 to 4: evidence is signed into findings and handed to the judge. Caps apply here: what
//! rests on an unproven sender or an uncalibrated range.

use andon_detectors::catalog::{Brief, CATALOG, Sink};
use andon_detectors::facts::DeviceFacts;
use andon_schemas::columns::FlowRow;
use andon_schemas::command::FlowMatch;
use andon_schemas::finding::{Evidence, Finding};
use andon_schemas::grade::Grade;
use andon_schemas::identity::{DeviceId, address_of_key};
use andon_schemas::inventory::Maintenance;
use andon_schemas::observation::{Role, Source, Transport};
use andon_schemas::profile::ProtocolMatch;
use andon_schemas::time::{EventTime, Interval};
use serde_json::Value;

use crate::judge::{Case, Sighting, Subject};
use crate::plant::{DeviceType, Place, Plant};

/// Score of a statistic on an uncalibrated range, at most: it stays LOW (design §5).
const UNCALIBRATED_SCORE_MAX: u8 = 49;
/// Score of what rests on an unproven sender, at most: it stays MEDIUM.
const UNPROVEN_SCORE_MAX: u8 = 74;

/// The device in question and the plant around it.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) plant: &'a Plant,
    pub(crate) id: &'a DeviceId,
    pub(crate) place: Place,
}

impl<'a> Scene<'a> {
    pub(crate) fn device_type(&self) -> &'a DeviceType {
        self.plant.device_type(self.place)
    }

    pub(crate) fn facts(&self) -> DeviceFacts<'a> {
        self.plant.facts(self.id, self.place)
    }

    /// The declared maintenance that covers the device at a moment.
    pub(crate) fn maintenance(&self, at: EventTime) -> Option<&'a Maintenance> {
        self.plant.maintenance(self.id.as_str(), self.place, at)
    }

    /// Shows the judge who it is about. Not for every row: it gathers the flows to protect.
    pub(crate) fn with_subject<T>(&self, at: EventTime, act: impl FnOnce(&Subject) -> T) -> T {
        let protection = self.plant.protection(self.place);
        let facts = self.facts();
        act(&Subject {
            device: self.id,
            inventory: facts.listed,
            device_type: facts.listed.map_or("", |device| &device.device_type),
            profile: &self.device_type().profile,
            site: &self.plant.inventory.site,
            segment: facts.segment,
            in_maintenance: self.maintenance(at).is_some(),
            mode: self.plant.mode,
            protected: &protection.protected,
            essential: &protection.essential,
        })
    }

    /// Whether a flow is declared as a safety flow, by the profile or by the segment.
    fn is_safety_flow(&self, flow: &FlowKey) -> bool {
        let baseline = &self.device_type().baseline;
        let cell = baseline.destination(flow.peer);
        let by_profile = cell
            .and_then(|cell| baseline.profile.destinations.get(usize::from(cell)))
            .is_some_and(|destination| {
                let exact = |over: &ProtocolMatch| {
                    over.transport == flow.transport && over.port.is_none_or(|p| p == flow.port)
                };
                destination.safety
                    && (destination.over.is_empty() || destination.over.iter().any(exact))
            });
        let segment = self.facts().segment;
        by_profile
            || segment.is_some_and(|segment| {
                let peer = address_of_key(flow.peer);
                segment
                    .allowed
                    .iter()
                    .any(|r| r.safety && r.matches(peer, flow.transport, flow.port))
            })
    }
}

/// The flow a row showed.
#[derive(Clone, Copy)]
pub(crate) struct FlowKey {
    pub(crate) peer: u128,
    pub(crate) transport: Transport,
    pub(crate) port: u16,
}

impl FlowKey {
    pub(crate) fn of(flow: &FlowRow) -> Self {
        Self {
            peer: flow.peer,
            transport: flow.transport,
            port: flow.port,
        }
    }
}

/// The circumstances of what the detectors are being asked about.
pub(crate) struct Signer<'a> {
    pub(crate) scene: Scene<'a>,
    pub(crate) case: &'a mut Case,
    /// Event time of the row, end of the window, or the deadline.
    pub(crate) at: EventTime,
    /// The stretch of time it speaks about.
    pub(crate) window: Interval,
    pub(crate) role: Option<Role>,
    pub(crate) proven: bool,
    /// What it ends is not believed: the row must leave no mark.
    pub(crate) deaf: bool,
    pub(crate) flow: Option<FlowKey>,
    pub(crate) cause: u64,
    /// Where the row came from; not asked unless a finding is written.
    pub(crate) source: &'a dyn Fn() -> Option<Source>,
    pub(crate) in_maintenance: &'a mut u64,
}

impl<'a> Signer<'a> {
    /// For what no row shows: a window that closes, a deadline. It speaks as of the window's end.
    pub(crate) fn without_row(
        scene: Scene<'a>,
        case: &'a mut Case,
        window: Interval,
        ordinal: u64,
        in_maintenance: &'a mut u64,
    ) -> Self {
        Self {
            scene,
            case,
            at: window.end,
            window,
            role: None,
            proven: true,
            deaf: false,
            flow: None,
            cause: ordinal,
            source: &|| None,
            in_maintenance,
        }
    }
}

/// Grade and score of a finding from what its detector returned: the floor of a rule, the score,
/// and the caps on what rests on a written range that nobody `calibrated` or on a sender that
/// proved nothing. No grade: too little for a finding.
pub fn graded(
    floor: Option<Grade>,
    score: u8,
    calibrated: bool,
    proven: bool,
) -> (Option<Grade>, u8) {
    let (mut grade, mut score) = (floor, score);
    if grade.is_none() {
        if !calibrated {
            score = score.min(UNCALIBRATED_SCORE_MAX);
        }
        let reached = |grade: &&Grade| score >= grade.evidence_score();
        grade = Grade::ALL.iter().rev().find(reached).copied();
    }
    if !proven {
        grade = grade.map(|g| g.min(Grade::Medium));
        score = score.min(UNPROVEN_SCORE_MAX);
    }
    (grade, score)
}

impl Sink for Signer<'_> {
    fn seen(&mut self, index: usize, brief: Brief, make: &dyn Fn() -> (Evidence, Value)) {
        let Some(entry) = CATALOG.get(index) else {
            return;
        };
        let baseline = &self.scene.device_type().baseline;
        let calibrated = baseline.is_calibrated(entry.name);
        let (grade, score) = graded(brief.floor, brief.score, calibrated, self.proven);
        let Some(grade) = grade else {
            if !self.deaf {
                self.case.statistical_score(score, self.at);
            }
            return;
        };
        let (window, role, source, proven) = (self.window, self.role, self.source, self.proven);
        let by_rule = brief.floor.is_some();
        let words = || {
            let (evidence, inputs) = make();
            Finding {
                detector: entry.name.to_owned(),
                grade,
                counts_as: None,
                proven,
                rule: by_rule,
                plane: entry.plane,
                score,
                p_value: evidence.p_value,
                observed: evidence.observed,
                expected: evidence.expected,
                sentence: evidence.sentence,
                clears: evidence.clears,
                techniques: evidence.techniques,
                confidence: evidence.confidence,
                window,
                role,
                count: 1,
                active: true,
                inputs,
                profile: None,
                source: source().into_iter().collect(),
            }
        };
        let sighting = Sighting {
            detector: u8::try_from(index).unwrap_or(u8::MAX),
            plane: entry.plane,
            rule: by_rule,
            holds: brief.holds || !by_rule,
            grade,
            score,
            magnitude: brief.magnitude,
            at: self.at,
            role,
            proven: self.proven,
            safety_flow: self
                .flow
                .as_ref()
                .is_some_and(|flow| self.scene.is_safety_flow(flow)),
            flow: self.flow.map(|flow| FlowMatch {
                peer: address_of_key(flow.peer).to_string(),
                transport: Some(flow.transport),
                port: Some(flow.port),
            }),
            cause: self.cause,
            source,
            make: &words,
        };
        self.case.sighting(&sighting);
    }

    fn over(&mut self, index: usize) {
        if !self.deaf {
            self.case
                .over(u8::try_from(index).unwrap_or(u8::MAX), self.at);
        }
    }

    fn excused(&mut self, _: usize) {
        *self.in_maintenance += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_capped_at_low_until_it_is_calibrated() {
        for (score, grade) in [
            (24, None),
            (25, Some(Grade::Low)),
            (50, Some(Grade::Medium)),
            (99, Some(Grade::High)),
            (100, Some(Grade::Critical)),
        ] {
            assert_eq!(graded(None, score, true, true), (grade, score));
            let capped = grade.map(|_| Grade::Low);
            assert_eq!(graded(None, score, false, true), (capped, score.min(49)));
        }
        assert_eq!(
            graded(None, 100, true, false),
            (Some(Grade::Medium), UNPROVEN_SCORE_MAX)
        );
        assert_eq!(
            graded(Some(Grade::High), 75, false, true),
            (Some(Grade::High), 75)
        );
    }
}
