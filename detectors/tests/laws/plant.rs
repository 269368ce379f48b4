//! One device of the shipped plant, watched by the whole catalogue.

use std::sync::{Arc, LazyLock};

use crate::wild::HOSTILE;
use andon_detectors::baseline::Baseline;
use andon_detectors::catalog::{Brief, CATALOG, Plans, Sink, States};
use andon_detectors::facts::{
    AttestationFacts, CELLS, ClaimFacts, CloseFacts, DeadlineFacts, DeviceFacts, FlowFacts, Pane,
    ReadingFacts, RowFacts, ShedFacts,
};
use andon_schemas::builtin;
use andon_schemas::columns::{AttestationRow, FlowRow, ReadingRow};
use andon_schemas::finding::Evidence;
use andon_schemas::inventory::{Device, Inventory};
use andon_schemas::observation::{ByteKind, ConnState, Kind, Role, Transport};
use andon_schemas::profile::{Profile, ProfileSet};
use andon_schemas::time::{EventTime, Interval, Span};
use serde_json::Value;

/// What a row says; a flow with the bytes since its last record.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Flow {
        lasted: Span,
        role: Role,
        peer: u128,
        port: u16,
        transport: Transport,
        service: Option<&'static str>,
        up: u64,
        down: u64,
        state: ConnState,
        first: bool,
        commands: Option<&'static str>,
    },
    Reading {
        current_a: Option<f32>,
        spindle_rpm: Option<f32>,
    },
    Attestation {
        version: String,
        digest: Option<String>,
        tpm_ok: Option<bool>,
    },
    Claim,
    Shed,
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) at: EventTime,
    pub(crate) late: bool,
    pub(crate) what: What,
}

/// Something was seen, or was over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) name: &'static str,
    pub(crate) at: EventTime,
    pub(crate) seen: Option<(Brief, Evidence, Value)>,
}

/// Reports in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    pub(crate) all: Vec<Report>,
    at: EventTime,
}

impl Sink for Reports {
    fn seen(&mut self, index: usize, brief: Brief, make: &dyn Fn() -> (Evidence, Value)) {
        let (evidence, inputs) = make();
        self.push(index, Some((brief, evidence, inputs)));
    }
    fn over(&mut self, index: usize) {
        self.push(index, None);
    }
}

impl Reports {
    fn push(&mut self, index: usize, seen: Option<(Brief, Evidence, Value)>) {
        let name = CATALOG[index].name;
        self.all.push(Report {
            name,
            at: self.at,
            seen,
        });
    }
}

/// The shipped inventory.
pub(crate) static INVENTORY: LazyLock<Inventory> = LazyLock::new(|| builtin::inventory().unwrap());

/// The shipped profiles.
pub(crate) static PROFILES: LazyLock<ProfileSet> = LazyLock::new(|| {
    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    builtin::profiles(&names).unwrap()
});

/// A profile against the shipped inventory.
pub(crate) fn baseline(profile: Profile) -> Baseline {
    let clock = Arc::new(INVENTORY.clock.clone());
    Baseline::compile(Arc::new(profile), &INVENTORY, clock).with_indicators(HOSTILE.clone())
}

/// The first device of the type that a baseline is for, or of any type.
pub(crate) fn a_device(baseline: &Baseline) -> DeviceFacts<'_> {
    let of_type = |d: &&Device| d.device_type == baseline.profile.name;
    let devices = &INVENTORY.devices;
    let device = devices.iter().find(of_type).unwrap_or(&devices[0]);
    DeviceFacts {
        id: &device.id,
        listed: Some(device),
        segment: INVENTORY.segments.get(device.segment),
        policy: baseline.policies.get(device.segment),
        baseline,
    }
}

/// Watches one device: closes its hours, keeps its deadlines, shows its rows to the catalogue.
pub(crate) struct Watch<'a> {
    device: DeviceFacts<'a>,
    plans: &'a Plans,
    states: States,
    pane: Pane,
    first_seen: Option<EventTime>,
    last_seen: EventTime,
    deadline: EventTime,
}

impl<'a> Watch<'a> {
    pub(crate) fn of(device: DeviceFacts<'a>, plans: &'a Plans) -> Self {
        Self {
            device,
            plans,
            states: States::default(),
            pane: Pane::default(),
            first_seen: None,
            last_seen: EventTime::MIN,
            deadline: EventTime::MAX,
        }
    }

    /// Everything that is reported about these rows, which are in order of time.
    pub(crate) fn all(mut self, rows: &[Row]) -> Vec<Report> {
        let mut reports = Reports::default();
        for row in rows {
            self.row(row, &mut reports);
        }
        reports.all
    }

    /// Shows one row, and before it whatever falls due.
    pub(crate) fn row(&mut self, row: &Row, reports: &mut Reports) {
        if self.first_seen.is_none() {
            self.first_seen = Some(row.at);
            self.pane = empty(hour_of(row.at));
        }
        self.advance(row.at, reports);
        reports.at = row.at;
        if matches!(row.what, What::Claim | What::Shed) {
            // It is about what the device sent, and says nothing of the device it names.
            return self.show(row, reports);
        }
        let facts = RowFacts {
            device: self.device,
            kind: kind(&row.what),
            at: row.at,
            late: row.late,
        };
        self.plans.on_row(&mut self.states, &facts, reports);
        self.show(row, reports);
        if !row.late {
            let first = self.last_seen == EventTime::MIN;
            self.last_seen = self.last_seen.max(row.at);
            if first {
                self.ask();
            }
        }
    }

    fn ask(&mut self) {
        self.deadline = self
            .plans
            .deadline(&self.states, &self.device, self.last_seen);
    }

    fn advance(&mut self, to: EventTime, reports: &mut Reports) {
        loop {
            let hour_end =
                EventTime::from_micros(0) + Span::HOUR.times(i64::from(self.pane.hour) + 1);
            if self.deadline <= hour_end && self.deadline <= to {
                reports.at = self.deadline;
                let facts = DeadlineFacts {
                    device: self.device,
                    now: self.deadline,
                    last_seen: self.last_seen,
                    excused: false,
                };
                self.plans.on_deadline(&mut self.states, &facts, reports);
                let before = self.deadline;
                self.ask();
                assert!(self.deadline > before, "a deadline does not move: {before}");
            } else if hour_end <= to {
                self.close(hour_end, reports);
            } else {
                return;
            }
        }
    }

    fn close(&mut self, end: EventTime, reports: &mut Reports) {
        let start = end - Span::HOUR;
        let baseline = self.device.baseline;
        let active = (0..60_u8)
            .filter(|minute| baseline.active_at(start + Span::MINUTE.times(i64::from(*minute))));
        reports.at = end;
        let facts = CloseFacts {
            device: self.device,
            pane: &self.pane,
            window: Interval { start, end },
            active_share: f32::from(u8::try_from(active.count()).unwrap()) / 60.0,
            partial: self.first_seen.is_some_and(|seen| seen > start),
        };
        self.plans.on_close(&mut self.states, &facts, reports);
        self.pane = empty(self.pane.hour + 1);
    }

    fn show(&mut self, row: &Row, reports: &mut Reports) {
        let (device, at, late) = (self.device, row.at, row.late);
        match &row.what {
            What::Flow { .. } => self.flow(row, reports),
            What::Reading {
                current_a,
                spindle_rpm,
            } => {
                let facts = ReadingFacts {
                    device,
                    reading: ReadingRow {
                        current_a: *current_a,
                        spindle_rpm: *spindle_rpm,
                    },
                    at,
                    in_hours: device.baseline.active_at(at),
                    excused: false,
                    late,
                };
                self.plans.on_reading(&mut self.states, &facts, reports);
            }
            What::Attestation {
                version,
                digest,
                tpm_ok,
            } => {
                let facts = AttestationFacts {
                    device,
                    attestation: AttestationRow {
                        version,
                        digest: digest.as_deref(),
                        tpm_ok: *tpm_ok,
                    },
                    at,
                    maintenance_version: None,
                };
                self.plans.on_attestation(&mut self.states, &facts, reports);
            }
            What::Claim => {
                let facts = ClaimFacts {
                    device,
                    claimed: "plc-assembly-line-3",
                    kind: Kind::Flow,
                    at,
                };
                self.plans.on_claim(&mut self.states, &facts, reports);
            }
            What::Shed => {
                let facts = ShedFacts {
                    device,
                    shed: "ip:10.1.20.99",
                    kind: Kind::Flow,
                    watched: 64,
                    at,
                };
                self.plans.on_shed(&mut self.states, &facts, reports);
            }
        }
    }

    fn flow(&mut self, row: &Row, reports: &mut Reports) {
        let What::Flow {
            lasted,
            role,
            peer,
            port,
            transport,
            service,
            up,
            down,
            state,
            first,
            commands,
        } = row.what
        else {
            return;
        };
        let baseline = self.device.baseline;
        let originated = role == Role::Originator;
        let destination = baseline.destination(peer).filter(|_| originated);
        let protocol = baseline.protocol(transport, port, service);
        let start = row.at - lasted;
        if !row.late {
            count(&mut self.pane, &row.what, destination, protocol);
        }
        let facts = FlowFacts {
            device: self.device,
            flow: FlowRow {
                start,
                role,
                peer,
                peer_name: None,
                port,
                transport,
                service,
                up: Some(up),
                down: Some(down),
                bytes: ByteKind::Payload,
                state,
                interim: false,
                uid: None,
                commands,
            },
            at: row.at,
            destination,
            protocol,
            peer_expected: match role {
                Role::Originator => destination.is_some(),
                Role::Responder => baseline.may_connect(peer),
            },
            up,
            down,
            first,
            in_hours: baseline.active_at(start),
            excused: false,
            late: row.late,
            pane: (!row.late).then_some(&self.pane),
        };
        self.plans.on_flow(&mut self.states, &facts, reports);
    }
}

/// Counts a flow into the hour it ends in.
fn count(pane: &mut Pane, what: &What, destination: Option<u8>, protocol: Option<u8>) {
    let What::Flow {
        role,
        up,
        down,
        state,
        first,
        ..
    } = what
    else {
        return;
    };
    pane.up = pane.up.saturating_add(*up);
    pane.down = pane.down.saturating_add(*down);
    if !first {
        return;
    }
    if *role == Role::Responder {
        pane.accepted += 1;
        return;
    }
    pane.opened += 1;
    pane.failed += u32::from(matches!(state, ConnState::Attempt | ConnState::Rejected));
    let cell = |cell: Option<u8>| cell.map_or(CELLS - 1, |c| usize::from(c).min(CELLS - 1));
    pane.destinations[cell(destination)] += 1;
    pane.protocols[cell(protocol)] += 1;
}

fn empty(hour: i32) -> Pane {
    Pane {
        hour,
        ..Pane::default()
    }
}

fn hour_of(at: EventTime) -> i32 {
    i32::try_from(at.micros().div_euclid(Span::HOUR.micros())).unwrap()
}

fn kind(what: &What) -> Kind {
    match what {
        What::Flow { .. } => Kind::Flow,
        What::Reading { .. } => Kind::Reading,
        What::Attestation { .. } | What::Claim | What::Shed => Kind::Attestation,
    }
}
