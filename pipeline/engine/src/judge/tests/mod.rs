//! Tests of the judge: a stage on which one device's sightings are played.

mod episodes;
mod ladder;
mod laws;
mod planes;
mod told;

use andon_schemas::command::{FlowMatch, Mode};
use andon_schemas::finding::{Basis, Confidence, Finding};
use andon_schemas::grade::{Grade, Plane, RiskClass};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Function};
use andon_schemas::observation::{Role, Source, Transport};
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::{ProfileRef, Verdict};
use serde_json::json;

use super::{Case, Sighting, Subject};

/// Detectors in catalogue order: number, name, plane.
const DETECTORS: [(&str, Plane); 5] = [
    ("current_draw", Plane::Physical),
    ("firmware_mismatch", Plane::Firmware),
    ("off_hours", Plane::Network),
    ("traffic_volume", Plane::Network),
    ("unknown_destination", Plane::Network),
];
const CURRENT: u8 = 0;
const FIRMWARE: u8 = 1;
const HOURS: u8 = 2;
const VOLUME: u8 = 3;
const DESTINATION: u8 = 4;

fn minute(minutes: i64) -> EventTime {
    EventTime::default() + Span::MINUTE.times(minutes)
}

fn flow(peer: &str) -> FlowMatch {
    FlowMatch {
        peer: peer.to_owned(),
        transport: Some(Transport::Tcp),
        port: Some(22),
    }
}

/// One sighting to play.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one sighting"
)]
struct Shown {
    detector: u8,
    rule: bool,
    holds: bool,
    grade: Grade,
    score: u8,
    magnitude: f64,
    role: Option<Role>,
    proven: bool,
    flow: Option<FlowMatch>,
    safety_flow: bool,
}

fn rule(detector: u8, grade: Grade) -> Shown {
    Shown {
        detector,
        rule: true,
        holds: false,
        grade,
        score: grade.risk_floor(),
        magnitude: 1.0,
        role: None,
        proven: true,
        flow: None,
        safety_flow: false,
    }
}

fn state(detector: u8, grade: Grade) -> Shown {
    Shown {
        holds: true,
        ..rule(detector, grade)
    }
}

/// A statistic with the grade of its score.
fn statistic(detector: u8, score: u8) -> Shown {
    let grade = match score {
        100 => Grade::Critical,
        75.. => Grade::High,
        50.. => Grade::Medium,
        _ => Grade::Low,
    };
    Shown {
        rule: false,
        score,
        ..state(detector, grade)
    }
}

/// A peer did it to the device.
fn by_peer(peer: &str, shown: &Shown) -> Shown {
    Shown {
        role: Some(Role::Responder),
        flow: Some(flow(peer)),
        ..shown.clone()
    }
}

struct Stage {
    case: Case,
    device: Device,
    profile: ProfileRef,
    protected: Vec<FlowMatch>,
    essential: Vec<FlowMatch>,
    in_maintenance: bool,
    mode: Mode,
    /// Ordinal of the next input.
    ordinal: u64,
    site: String,
}

impl Stage {
    fn new() -> Self {
        Self {
            case: Case::default(),
            device: Device {
                id: DeviceId::new("cnc-controller-01-0007").unwrap(),
                device_type: "cnc_controller".to_owned(),
                function: Function::Device,
                segment: 0,
                line: String::new(),
                addresses: Vec::new(),
                names: Vec::new(),
                roles: Vec::new(),
                risk_class: RiskClass::Red,
                safety_critical: true,
                gateway: None,
                serves: Vec::new(),
                watches: Vec::new(),
                make: None,
            },
            profile: ProfileRef {
                name: "cnc_controller".to_owned(),
                version: "1".to_owned(),
                hash: "00".to_owned(),
            },
            protected: vec![flow("safety-plc.mfg.local")],
            essential: vec![flow("cnc-historian.mfg.local")],
            in_maintenance: false,
            mode: Mode::Monitor,
            ordinal: 1,
            site: "precision-parts".to_owned(),
        }
    }

    /// One row or deadline shows all of these, in catalogue order.
    fn show(&mut self, at: EventTime, shown: &[Shown]) -> Vec<Verdict> {
        let ordinal = self.ordinal;
        self.ordinal += 1;
        for shown in shown {
            let source = || {
                Some(Source {
                    topic: "capture.ndjson".into(),
                    partition: 0,
                    offset: ordinal,
                })
            };
            let make = || finding(shown, at);
            self.case.sighting(&Sighting {
                detector: shown.detector,
                plane: DETECTORS[usize::from(shown.detector)].1,
                rule: shown.rule,
                holds: shown.holds,
                grade: shown.grade,
                score: shown.score,
                magnitude: shown.magnitude,
                at,
                role: shown.role,
                proven: shown.proven,
                flow: shown.flow.clone(),
                safety_flow: shown.safety_flow,
                cause: ordinal,
                source: &source,
                make: &make,
            });
        }
        self.conclude(at, None)
    }

    fn over(&mut self, detector: u8, at: EventTime) -> Vec<Verdict> {
        self.case.over(detector, at);
        self.conclude(at, None)
    }

    fn close(&mut self, end: EventTime) -> Vec<Verdict> {
        self.conclude(
            end,
            Some(Interval {
                start: end - Span::HOUR,
                end,
            }),
        )
    }

    /// Time passes: everything due fires at its own deadline.
    fn pass(&mut self, now: EventTime) -> Vec<Verdict> {
        let mut out = Vec::new();
        while self.case.deadline() <= now {
            let deadline = self.case.deadline();
            self.case.fire(deadline);
            out.extend(self.conclude(deadline, None));
            assert!(
                self.case.deadline() > deadline,
                "the same deadline came twice"
            );
        }
        out
    }

    fn conclude(&mut self, at: EventTime, closed: Option<Interval>) -> Vec<Verdict> {
        let mut out = Vec::new();
        if self.case.is_due(closed.is_some()) {
            let subject = Subject {
                device: &self.device.id,
                inventory: Some(&self.device),
                device_type: &self.device.device_type,
                profile: &self.profile,
                site: &self.site,
                segment: None,
                in_maintenance: self.in_maintenance,
                mode: self.mode,
                protected: &self.protected,
                essential: &self.essential,
            };
            self.case.conclude(&subject, at, closed, &mut out);
        }
        out
    }

    fn risk(&mut self, at: EventTime) -> u8 {
        self.case.risk(at, false).score.unwrap()
    }
}

fn finding(shown: &Shown, at: EventTime) -> Finding {
    let (name, plane) = DETECTORS[usize::from(shown.detector)];
    Finding {
        detector: name.to_owned(),
        grade: shown.grade,
        counts_as: None,
        proven: shown.proven,
        rule: shown.rule,
        plane,
        score: shown.score,
        p_value: None,
        observed: json!({ "amount": shown.magnitude }),
        expected: json!({ "at_most": 0.1 + 0.2 }),
        sentence: format!("It showed {}.", shown.magnitude),
        clears: "It stops.".to_owned(),
        techniques: vec!["T0885".to_owned()],
        confidence: Confidence {
            basis: Basis::Policy,
            n: 0,
        },
        window: Interval { start: at, end: at },
        role: shown.role,
        count: 1,
        active: true,
        inputs: json!({ "amount": shown.magnitude }),
        profile: None,
        source: Vec::new(),
    }
}
