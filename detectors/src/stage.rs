//! Where detectors are tried out: a small plant, honest rows to bend, and drawings of what must
//! be seen when.

use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::columns::{FlowRow, ReadingRow};
use andon_schemas::grade::RiskClass;
use andon_schemas::identity::{DeviceId, address_key};
use andon_schemas::inventory::{Device, FlowRule, Function, Inventory, Lookup, Segment};
use andon_schemas::observation::{ByteKind, ConnState, Kind, Role, Transport};
use andon_schemas::profile::{SourceFile, parse};
use andon_schemas::quantity::day_number;
use andon_schemas::time::{EventTime, PlantClock};

use crate::baseline::Baseline;
use crate::catalog::CATALOG;
use crate::detector::Signal;
use crate::facts::{DeadlineFacts, DeviceFacts, FlowFacts, ReadingFacts, RowFacts};

/// Address of the plant's historian, `cnc-historian.mfg.local`.
pub(crate) const HISTORIAN: &str = "10.1.10.5";

/// One device of a plant in Berlin, measured against a profile written for the test.
pub(crate) struct Stage {
    pub inventory: Inventory,
    pub baseline: Baseline,
}

/// Reads a time in UTC.
pub(crate) fn time(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

/// The key of an address.
pub(crate) fn key(address: &str) -> u128 {
    address_key(address.parse().unwrap())
}

impl Stage {
    /// The device `cnc-1` against these fields of a profile, written as in a file.
    pub(crate) fn of(fields: &str) -> Self {
        let text = format!("profile: cnc\nversion: '1'\n{fields}");
        let file = SourceFile {
            path: "cnc.yaml",
            text: &text,
        };
        let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
        let profiles = parse(&[file], &names).unwrap();
        let profile = profiles.get("cnc").unwrap().clone();
        let inventory = inventory();
        let clock = Arc::new(inventory.clock.clone());
        Self {
            baseline: Baseline::compile(Arc::new(profile), &inventory, clock),
            inventory,
        }
    }

    /// The device, as the inventory lists it.
    pub(crate) fn device(&self) -> DeviceFacts<'_> {
        let listed = self.inventory.device("cnc-1").unwrap();
        DeviceFacts {
            id: &listed.id,
            listed: Some(listed),
            segment: Some(&self.inventory.segments[listed.segment]),
            policy: self.baseline.policies.get(listed.segment),
            baseline: &self.baseline,
        }
    }

    /// An answered connection to the historian that moved some bytes.
    pub(crate) fn flow(&self, at: EventTime) -> FlowFacts<'_> {
        self.flow_to(at, HISTORIAN, Transport::Tcp, 502)
    }

    /// An answered connection that the device opened.
    pub(crate) fn flow_to(
        &self,
        at: EventTime,
        peer: &str,
        transport: Transport,
        port: u16,
    ) -> FlowFacts<'_> {
        let flow = FlowRow {
            start: at,
            role: Role::Originator,
            peer: key(peer),
            peer_name: None,
            port,
            transport,
            service: None,
            up: Some(400),
            down: Some(600),
            bytes: ByteKind::Payload,
            state: ConnState::Answered,
            interim: false,
            uid: None,
            commands: None,
        };
        let destination = self.baseline.destination(flow.peer);
        FlowFacts {
            device: self.device(),
            flow,
            at,
            destination,
            protocol: self.baseline.protocol(transport, port, None),
            peer_expected: destination.is_some(),
            up: 400,
            down: 600,
            first: true,
            in_hours: self.baseline.active_at(at),
            excused: false,
            late: false,
            pane: None,
        }
    }

    /// A sample of the sensors.
    pub(crate) fn reading(
        &self,
        at: EventTime,
        current_a: Option<f32>,
        spindle_rpm: Option<f32>,
    ) -> ReadingFacts<'_> {
        ReadingFacts {
            device: self.device(),
            reading: ReadingRow {
                current_a,
                spindle_rpm,
            },
            at,
            in_hours: self.baseline.active_at(at),
            excused: false,
            late: false,
        }
    }

    /// A row of some kind.
    pub(crate) fn row(&self, at: EventTime) -> RowFacts<'_> {
        RowFacts {
            device: self.device(),
            kind: Kind::Flow,
            at,
            late: false,
        }
    }

    /// A deadline that has come.
    pub(crate) fn deadline(&self, now: EventTime, last_seen: EventTime) -> DeadlineFacts<'_> {
        DeadlineFacts {
            device: self.device(),
            now,
            last_seen,
            excused: false,
        }
    }
}

/// Plays a drawing: pairs of rows, the upper of one symbol per look, the lower of what it must
/// come to: `.` nothing, `!` seen, `o` over, `e` excused. White space only groups.
pub(crate) fn check<I>(drawing: &str, mut look: impl FnMut(char) -> Signal<I>) {
    let rows: Vec<&str> = drawing
        .lines()
        .map(str::trim)
        .filter(|row| !row.is_empty())
        .collect();
    for pair in rows.chunks(2) {
        let [symbols, wanted] = pair else {
            panic!("a drawing has pairs of rows: {drawing}");
        };
        let come: String = symbols
            .chars()
            .map(|symbol| match symbol {
                ' ' => ' ',
                symbol => match look(symbol) {
                    Signal::Quiet => '.',
                    Signal::Seen(_) => '!',
                    Signal::Over => 'o',
                    Signal::Excused => 'e',
                },
            })
            .collect();
        assert_eq!(come, **wanted, "looking at\n{symbols}");
    }
}

/// What was seen, or a failed test.
pub(crate) fn seen<I>(signal: Signal<I>) -> crate::detector::Sighting<I> {
    match signal {
        Signal::Seen(sighting) => sighting,
        Signal::Quiet => panic!("nothing was seen"),
        Signal::Over => panic!("it was over"),
        Signal::Excused => panic!("it was excused"),
    }
}

fn inventory() -> Inventory {
    let network = |text: &str| text.parse().unwrap();
    let rule = |name: &str, networks: &[&str], ports: &[u16], action: &str| FlowRule {
        name: name.to_owned(),
        networks: networks.iter().map(|n| network(n)).collect(),
        transport: None,
        ports: ports.to_vec(),
        safety: false,
        latency_ms: None,
        action: action.to_owned(),
    };
    let cell = Segment {
        name: "cnc-safety".into(),
        networks: vec![network("10.1.20.0/24")],
        allowed: vec![rule("historian", &["10.1.10.5/32"], &[502], "")],
        denied: vec![
            rule("paint-shop", &["10.9.0.0/16"], &[], "block_log"),
            rule("plant-floor", &["10.1.10.0/24"], &[], "block_log"),
            rule(
                "internet",
                &["192.0.2.0/24", "203.0.113.0/24"],
                &[],
                "block_alert",
            ),
        ],
    };
    let mut inventory = Inventory {
        site: "plant".into(),
        clock: PlantClock::new("Europe/Berlin").unwrap(),
        zones: vec!["mfg.local".into()],
        networks: vec![network("10.0.0.0/8")],
        segments: vec![cell],
        devices: vec![
            device("cnc-1", "10.1.20.7", Function::Device, &[], &[]),
            device(
                "historian-1",
                HISTORIAN,
                Function::Server,
                &["cnc-historian.mfg.local"],
                &["historian"],
            ),
        ],
        holidays: vec![day_number("2025-12-25").unwrap()],
        maintenance: Vec::new(),
        alert_budget: None,
        enforcement: andon_schemas::inventory::Enforcement::default(),
        hash: String::new(),
        lookup: Lookup::default(),
    };
    inventory.index();
    inventory
}

fn device(id: &str, address: &str, function: Function, names: &[&str], roles: &[&str]) -> Device {
    let address: IpAddr = address.parse().unwrap();
    Device {
        id: DeviceId::new(id).unwrap(),
        device_type: "cnc".into(),
        function,
        segment: 0,
        line: String::new(),
        addresses: vec![address],
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        risk_class: RiskClass::Red,
        safety_critical: true,
        gateway: None,
        serves: Vec::new(),
        watches: Vec::new(),
        make: None,
    }
}
