//! The shipped files load, and the plant is the one the requirements describe.

use std::collections::BTreeMap;

use andon_schemas::builtin;
use andon_schemas::grade::RiskClass;
use andon_schemas::inventory::{Device, Function, Inventory};
use andon_schemas::observation::Transport;
use andon_schemas::profile::{ProfileSet, Target};

fn profiles() -> ProfileSet {
    let profiles = builtin::profiles(&[]);
    profiles
        .map_err(|problems| problems.to_string())
        .expect("the shipped profiles load")
}

fn inventory() -> Inventory {
    let inventory = builtin::inventory();
    inventory
        .map_err(|problems| problems.to_string())
        .expect("the shipped inventory loads")
}

/// The 500 devices of the two tables: everything but the annex.
fn plant(inventory: &Inventory) -> impl Iterator<Item = &Device> {
    let devices = inventory.devices.iter();
    devices.filter(|device| device.function == Function::Device && device.line != "assembly")
}

#[test]
fn the_plant_has_its_500_devices_by_type() {
    let (inventory, profiles) = (inventory(), profiles());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for device in plant(&inventory) {
        let profile = profiles.get(&device.device_type).unwrap();
        let root = profile.extends.last().unwrap_or(&profile.name);
        *counts.entry(root.as_str()).or_default() += 1;
    }
    let expected = [
        ("agv", 20),
        ("barcode_scanner", 50),
        ("cmm", 20),
        ("cnc_controller", 50),
        ("conveyor", 60),
        ("coolant_system", 30),
        ("rfid_reader", 40),
        ("robotic_arm", 30),
        ("safety_interlock", 70),
        ("test_station", 40),
        ("tool_monitor", 50),
        ("vision_system", 40),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    let lines = |line: &str| {
        plant(&inventory)
            .filter(|device| device.line == line)
            .count()
    };
    assert_eq!(
        (lines("cnc"), lines("quality"), lines("handling")),
        (200, 150, 150)
    );
}

#[test]
fn the_plant_has_its_risk_classes() {
    let inventory = inventory();
    let count = |class| {
        plant(&inventory)
            .filter(|device| device.risk_class == class)
            .count()
    };
    let counts = [
        RiskClass::Red,
        RiskClass::Orange,
        RiskClass::Yellow,
        RiskClass::Green,
    ]
    .map(count);
    assert_eq!(counts, [120, 180, 150, 50]);
}

#[test]
fn keys_gateways_and_safety_are_as_counted() {
    let inventory = inventory();
    let legacy = plant(&inventory)
        .filter(|device| device.gateway.is_some())
        .count();
    assert_eq!((legacy, plant(&inventory).count() - legacy), (127, 373));
    let critical: Vec<_> = plant(&inventory)
        .filter(|device| device.safety_critical)
        .collect();
    assert_eq!(critical.len(), 170);
    let types = [
        "cnc_controller_fanuc",
        "cnc_controller_siemens",
        "safety_interlock",
        "agv",
        "robotic_arm",
    ];
    for device in plant(&inventory) {
        assert_eq!(
            device.safety_critical,
            types.contains(&device.device_type.as_str())
        );
    }
    let served: usize = inventory
        .devices
        .iter()
        .map(|device| device.serves.len())
        .sum();
    assert_eq!(served, 127);
    let light_curtain = inventory.device("safety-interlock-01-0051").unwrap();
    let gateway = inventory
        .device(light_curtain.gateway.as_ref().unwrap().as_str())
        .unwrap();
    assert!(gateway.safety_critical && gateway.risk_class == RiskClass::Red);
    assert!(inventory.may_speak_for("gw-cnc-safety", "safety-interlock-01-0051"));
    assert!(!inventory.may_speak_for("gw-cnc-safety", "safety-interlock-01-0001"));
    assert!(inventory.may_speak_for("zeek-01", "agv-03-0001"));
}

#[test]
fn the_plant_stands_in_six_segments() {
    let inventory = inventory();
    let mut names: Vec<_> = plant(&inventory)
        .map(|d| inventory.segments[d.segment].name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 6, "{names:?}");
    for device in &inventory.devices {
        for address in &device.addresses {
            assert_eq!(inventory.segment_of(*address), Some(device.segment));
            assert!(inventory.is_inside(*address));
        }
    }
}

#[test]
fn the_annex_is_there() {
    let inventory = inventory();
    let hmi = inventory.at_address("10.2.50.15".parse().unwrap()).unwrap();
    assert_eq!(hmi.device_type, "hmi_station");
    assert_eq!(
        inventory.device("plc-assembly-line-3").unwrap().device_type,
        "plc_assembly"
    );
    assert_eq!(
        inventory.device("temp-sensor-042").unwrap().device_type,
        "temperature_sensor"
    );
    assert_eq!(inventory.clock.name(), "Europe/Berlin");
    assert_eq!(inventory.site, "precision-parts");
}

#[test]
fn every_device_has_a_profile_and_every_destination_a_server() {
    let (inventory, profiles) = (inventory(), profiles());
    assert!(inventory.types_without_profile(&profiles).is_empty());
    assert_eq!(
        inventory
            .types_without_profile(&ProfileSet::default())
            .len(),
        16
    );
    assert_eq!(inventory.unanswered(&profiles), []);
    // The PLC's only destination is an address, which the check leaves alone.
    assert!(
        inventory
            .at_address("10.2.50.15".parse().unwrap())
            .is_some()
    );
}

/// What a profile says is normal must not be forbidden by the segment its devices stand in.
#[test]
fn segments_allow_what_profiles_expect() {
    let (inventory, profiles) = (inventory(), profiles());
    for device in plant(&inventory) {
        let profile = profiles.get(&device.device_type).unwrap();
        let segment = &inventory.segments[device.segment];
        for destination in &profile.destinations {
            let servers: Vec<_> = match &destination.target {
                Target::Name(name) => inventory.named(name).collect(),
                Target::Role(role) => inventory.with_role(role).collect(),
                _ => Vec::new(),
            };
            for address in servers.iter().flat_map(|server| &server.addresses) {
                let matches: Vec<_> = profile.protocols.iter().flat_map(|p| &p.matches).collect();
                let allowed = matches.iter().any(|form| {
                    let port = form.port.unwrap_or(0);
                    segment
                        .allowed
                        .iter()
                        .any(|rule| rule.matches(*address, form.transport, port))
                });
                assert!(
                    allowed,
                    "{} to {} in {}",
                    profile.name, destination.target, segment.name
                );
                let denied = segment
                    .denied
                    .iter()
                    .any(|r| r.matches(*address, Transport::Tcp, 443));
                assert!(!denied, "{} to {}", profile.name, destination.target);
            }
        }
    }
}

#[test]
fn the_internet_the_offices_and_the_paint_shop_are_denied() {
    let inventory = inventory();
    let denied = |device: &str, address: &str| {
        let segment = &inventory.segments[inventory.device(device).unwrap().segment];
        let peer = address.parse().unwrap();
        let mut rules = segment.denied.iter();
        rules
            .find(|rule| rule.matches(peer, Transport::Tcp, 443))
            .map(|rule| (rule.name.as_str(), rule.action.as_str()))
    };
    assert_eq!(
        denied("plc-assembly-line-3", "203.0.113.9"),
        Some(("internet", "block_alert"))
    );
    assert_eq!(
        denied("cmm-02-0001", "10.200.3.4"),
        Some(("corporate", "block_log"))
    );
    assert_eq!(
        denied("robotic-arm-03-0001", "10.5.10.7"),
        Some(("paint-shop", "block_alert"))
    );
    assert_eq!(denied("plc-assembly-line-3", "10.2.50.15"), None);
}

#[test]
fn the_fanuc_baseline_is_the_one_of_the_requirements() {
    let profiles = profiles();
    let fanuc = profiles.get("cnc_controller_fanuc").unwrap();
    let shares: Vec<_> = fanuc
        .destinations
        .iter()
        .map(|d| (d.target.to_string(), d.share, d.safety))
        .collect();
    assert_eq!(
        shares,
        [
            ("cnc-historian.mfg.local".to_owned(), Some(0.95), false),
            ("safety-plc.mfg.local".to_owned(), Some(0.04), true),
            ("ntp.mfg.local".to_owned(), Some(0.01), false),
        ]
    );
    let protocols: Vec<_> = fanuc
        .protocols
        .iter()
        .map(|p| (p.name.as_str(), p.share))
        .collect();
    assert_eq!(
        protocols,
        [
            ("modbus", Some(0.8)),
            ("ethernet-ip", Some(0.15)),
            ("ntp", Some(0.05))
        ]
    );
    let volume = fanuc.volume.unwrap();
    assert_eq!(
        (volume.range.lo, volume.range.hi, volume.rule_bytes),
        (50e6, 150e6, 450e6)
    );
    assert!((volume.baseline / 86.6e6 - 1.0).abs() < 1e-3);
    let connections = fanuc.connections.unwrap();
    assert_eq!((connections.lo, connections.hi), (10.0, 50.0));
    let hours = fanuc.hours.as_ref().unwrap();
    assert!(
        (0..7).all(|day| hours.hold(day, 360) && !hours.hold(day, 359) && !hours.hold(day, 1320))
    );
    let current = fanuc.current.unwrap();
    assert_eq!((current.idle.lo, current.idle.hi), (0.5, 1.0));
    assert_eq!((current.active.lo, current.active.hi), (2.0, 8.0));
    let spindle = fanuc.spindle.unwrap();
    assert_eq!(
        (spindle.range.lo, spindle.range.hi, spindle.limit),
        (0.0, 12_000.0, 12_000.0)
    );
    assert_eq!(fanuc.firmware[0].version, "31i-B5-Plus");
    assert_eq!(fanuc.firmware[0].released, "2025-09-15");
    assert!(fanuc.controller);
}

#[test]
fn the_plc_and_the_sensor_are_those_of_the_examples() {
    let profiles = profiles();
    let plc = profiles.get("plc_assembly").unwrap();
    assert_eq!(plc.destinations.len(), 1);
    assert_eq!(plc.destinations[0].target.to_string(), "10.2.50.15");
    let ports: Vec<_> = plc
        .protocols
        .iter()
        .flat_map(|p| &p.matches)
        .map(|m| m.port)
        .collect();
    assert_eq!(ports, [Some(502), Some(443)]);
    let volume = plc.volume.unwrap();
    assert_eq!((volume.baseline, volume.rule_bytes), (1.44e6, 4.32e6));
    let hours = plc.hours.as_ref().unwrap();
    assert!(hours.hold(4, 720) && !hours.hold(5, 720) && !hours.hold(6, 150));

    let sensor = profiles.get("temperature_sensor").unwrap();
    let cadence = sensor.cadence.unwrap();
    assert!(cadence.size.lo <= 48.0 && cadence.size.hi >= 52.0);
    assert!((cadence.period_s - 60.0).abs() < 1e-9);
    assert!((sensor.connections.unwrap().hi - 600.0).abs() < 1e-9);
}
