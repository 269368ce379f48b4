//! Whose a record is.

use andon_schemas::grade::RiskClass;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Function, Lookup};
use andon_schemas::observation::{ByteKind, ConnState, Party, Reading, Resolution, Transport};
use andon_schemas::time::PlantClock;

use super::*;

fn device(id: &str, address: &str) -> Device {
    Device {
        id: DeviceId::new(id).unwrap(),
        device_type: "plc".to_owned(),
        function: Function::Device,
        segment: 0,
        line: String::new(),
        addresses: vec![address.parse().unwrap()],
        names: Vec::new(),
        roles: Vec::new(),
        risk_class: RiskClass::Green,
        safety_critical: false,
        gateway: None,
        serves: Vec::new(),
        watches: Vec::new(),
        make: None,
    }
}

fn inventory() -> Inventory {
    let mut inventory = Inventory {
        site: "s".to_owned(),
        clock: PlantClock::new("UTC").unwrap(),
        zones: Vec::new(),
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        segments: Vec::new(),
        devices: vec![device("plc-1", "10.0.0.1"), device("plc-2", "10.0.0.2")],
        holidays: Vec::new(),
        maintenance: Vec::new(),
        alert_budget: None,
        enforcement: andon_schemas::inventory::Enforcement::default(),
        hash: String::new(),
        lookup: Lookup::default(),
    };
    inventory.index();
    inventory
}

fn flow(from: &str, to: &str) -> Record {
    let party = |address: &str, port| Party {
        address: address.parse().unwrap(),
        port,
    };
    record(RecordBody::Flow(FlowRecord {
        start: EventTime::default(),
        originator: party(from, 40_000),
        responder: party(to, 502),
        responder_name: Some("name".into()),
        transport: Transport::Tcp,
        service: None,
        originator_bytes: Some(7),
        responder_bytes: Some(9),
        bytes: ByteKind::Payload,
        state: ConnState::Answered,
        interim: false,
        uid: None,
        commands: None,
    }))
}

fn record(body: RecordBody) -> Record {
    Record {
        device: None,
        address: None,
        event_time: EventTime::default(),
        received_at: None,
        sender: None,
        seq: None,
        body,
    }
}

fn split(
    splitter: &mut Splitter,
    inventory: Option<&Inventory>,
    record: Record,
) -> Result<Vec<Observation>, Refused> {
    let source = Source {
        topic: "f".into(),
        partition: 0,
        offset: 1,
    };
    let mut out = Vec::new();
    let result = splitter.split(
        inventory,
        record,
        &source,
        EventTime::from_micros(5),
        &mut out,
    );
    assert_eq!(result.is_ok(), !out.is_empty());
    result.map(|()| out)
}

fn views(observations: &[Observation]) -> Vec<(String, Role, Option<u64>)> {
    observations
        .iter()
        .map(|observation| {
            let Body::Flow(flow) = &observation.body else {
                panic!("a flow");
            };
            (observation.header.device.to_string(), flow.role, flow.up)
        })
        .collect()
}

#[test]
fn each_end_of_the_plant_sees_the_flow_its_own_way() {
    let inventory = inventory();
    let mut splitter = Splitter::default();
    let both = split(
        &mut splitter,
        Some(&inventory),
        flow("10.0.0.1", "10.0.0.2"),
    )
    .unwrap();
    assert_eq!(
        views(&both),
        [
            ("plc-1".to_owned(), Role::Originator, Some(7)),
            ("plc-2".to_owned(), Role::Responder, Some(9)),
        ]
    );
    assert_eq!(both[0].header.received_at, EventTime::from_micros(5));
    let from_outside = split(
        &mut splitter,
        Some(&inventory),
        flow("198.51.100.1", "10.0.0.2"),
    )
    .unwrap();
    assert_eq!(
        views(&from_outside),
        [("plc-2".to_owned(), Role::Responder, Some(9))]
    );
    let unlisted = split(
        &mut splitter,
        Some(&inventory),
        flow("10.9.9.9", "198.51.100.1"),
    )
    .unwrap();
    assert_eq!(
        views(&unlisted),
        [("ip:10.9.9.9".to_owned(), Role::Originator, Some(7))]
    );
    let with_itself = split(
        &mut splitter,
        Some(&inventory),
        flow("10.0.0.1", "10.0.0.1"),
    )
    .unwrap();
    assert_eq!(with_itself.len(), 1);
    let foreign = split(
        &mut splitter,
        Some(&inventory),
        flow("198.51.100.1", "198.51.100.2"),
    )
    .unwrap_err();
    assert_eq!(foreign.reason, RejectReason::NoKnownEndpoint);
}

#[test]
fn a_record_that_names_its_device_yields_that_view_only() {
    let inventory = inventory();
    let mut splitter = Splitter::default();
    for (name, role) in [
        ("plc-1", Role::Originator),
        ("plc-2", Role::Responder),
        ("robot-9", Role::Originator),
    ] {
        let mut record = flow("10.0.0.1", "10.0.0.2");
        record.device = Some(DeviceId::new(name).unwrap());
        record.received_at = Some(EventTime::from_micros(3));
        let seen = split(&mut splitter, Some(&inventory), record).unwrap();
        assert_eq!((seen.len(), views(&seen)[0].1), (1, role), "{name}");
        assert_eq!(seen[0].header.received_at, EventTime::from_micros(3));
    }
}

#[test]
fn endpoints_that_are_not_listed_are_named_alike_kept_or_not() {
    let inventory = inventory();
    let mut splitter = Splitter::default();
    let address = |n: usize| format!("10.9.{}.{}", n / 256 % 256, n % 256);
    for n in 0..=2 * KEPT_MAX {
        let seen = split(
            &mut splitter,
            Some(&inventory),
            flow(&address(n), "198.51.100.1"),
        )
        .unwrap();
        assert_eq!(seen[0].header.device.as_str(), format!("ip:{}", address(n)));
    }
    assert_eq!(splitter.strangers.len(), KEPT_MAX);
}

#[test]
fn without_an_inventory_whoever_opens_a_flow_is_a_device() {
    let mut splitter = Splitter::default();
    let seen = split(&mut splitter, None, flow("198.51.100.1", "10.0.0.2")).unwrap();
    assert_eq!(
        views(&seen),
        [("ip:198.51.100.1".to_owned(), Role::Originator, Some(7))]
    );
    for nobody in ["0.0.0.0", "224.0.0.251", "255.255.255.255", "ff02::1", "::"] {
        let refused = split(&mut splitter, None, flow(nobody, "10.0.0.2")).unwrap_err();
        assert_eq!(refused.reason, RejectReason::NoKnownEndpoint, "{nobody}");
    }
}

#[test]
fn other_records_belong_to_their_device_or_to_who_asked() {
    let inventory = inventory();
    let mut splitter = Splitter::default();
    let answer = |asked: &str| Record {
        address: Some(asked.parse().unwrap()),
        ..record(RecordBody::Single(Body::Resolution(Resolution {
            server: "10.0.0.53".parse().unwrap(),
            name: "a".to_owned(),
            addresses: Vec::new(),
            ttl_s: 1,
        })))
    };
    let mut device = |record| {
        split(&mut splitter, Some(&inventory), record).map(|seen| seen[0].header.device.to_string())
    };
    assert_eq!(device(answer("10.0.0.2")).unwrap(), "plc-2");
    assert_eq!(device(answer("10.0.9.9")).unwrap(), "ip:10.0.9.9");
    let foreign = device(answer("192.0.2.1")).unwrap_err();
    assert_eq!(foreign.reason, RejectReason::NoKnownEndpoint);
    let nobody = device(record(RecordBody::Single(
        Body::Reading(Reading::default()),
    )));
    assert_eq!(nobody.unwrap_err().reason, RejectReason::MissingField);
}
