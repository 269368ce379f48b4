//! Inventories as people write them; damaged ones are refused, quickly and without a panic.

use andon_schemas::builtin;
use andon_schemas::grade::RiskClass;
use andon_schemas::inventory::{Inventory, parse};
use andon_schemas::observation::Transport;
use andon_schemas::profile::{self, SourceFile};
use andon_schemas::time::EventTime;
use proptest::prelude::*;

const SMALL: &str = "site: Works\ntime_zone: Europe/Berlin\nzones: [mfg.local.]\nsegments:\n  \
    - name: cells\n    networks: [10.1.0.0/24, fd00:1::/64]\n    allowed:\n      \
    - { name: io, to: [plc.mfg.local, ntp], over: [ethernet-ip, icmp], latency: 2 ms, safety: true }\n    \
    denied:\n      - { name: rest, to: any, action: block_log }\nservers:\n  \
    - { id: PLC, names: plc.mfg.local, addresses: [10.1.0.250, \"fd00:1::250\"], segment: cells, roles: safety }\n  \
    - { id: ntp, addresses: 10.1.0.251, segment: cells, roles: [ntp, dns] }\ngateways:\n  \
    - { id: gw, addresses: 10.1.0.1, segment: cells }\ndevices:\n  \
    - type: agv\n    line: yard\n    segment: cells\n    ids: AGV-{8..11}\n    addresses: 10.1.0.10+\n    \
    names: agv-{8..11}.mfg.local\n    gateway: gw\n    safety_critical: true\n    \
    assessment: { safety_impact: high, production_impact: CRITICAL, data_sensitivity: PUBLIC, attack_surface: MEDIUM }\n\
    holidays: [2026-01-01, 2025-12-25]\nmaintenance:\n  \
    - { from: 2025-12-20 06:00, to: 2025-12-20T14:00:00+01:00, devices: agv-9, firmware: v2, reason: update }\n";

fn read(text: &str) -> Result<Inventory, String> {
    parse(SourceFile {
        path: "x.yaml",
        text,
    })
    .map_err(|problems| problems.to_string())
}

#[test]
fn a_budget_of_alerts_is_written_back_and_is_no_part_of_the_hash() {
    let without = read(SMALL).unwrap();
    assert_eq!(without.alert_budget, None);
    let with = read(&format!("{SMALL}alert_budget: 0.5\n")).unwrap();
    assert_eq!(with.alert_budget, Some(0.5));
    assert_eq!(with.hash, without.hash);
    assert_eq!(read(&with.to_yaml()).unwrap().alert_budget, Some(0.5));
    for wrong in ["0", "-2", "inf", "NaN", "some"] {
        let told = read(&format!("{SMALL}alert_budget: {wrong}\n")).unwrap_err();
        assert!(told.contains("is no number above 0"), "{told}");
    }
}

#[test]
fn a_small_plant_reads_as_written() {
    let inventory = read(SMALL).unwrap();
    assert_eq!(inventory.site, "works");
    let agv = inventory.device("agv-11").unwrap();
    assert_eq!(
        agv.addresses,
        ["10.1.0.13".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(agv.names, ["agv-11.mfg.local"]);
    assert_eq!(
        (agv.risk_class, agv.safety_critical),
        (RiskClass::Red, true)
    );
    let gateway = inventory.device("gw").unwrap();
    assert_eq!(gateway.serves.len(), 4);
    assert!(
        gateway.safety_critical,
        "it carries safety-critical devices"
    );
    assert!(inventory.owns_name("plc.mfg.local"));
    assert_eq!(inventory.with_role("dns").count(), 1);
    assert_eq!(inventory.holidays, [20_447, 20_454]);
    let window = &inventory.maintenance[0];
    assert_eq!(
        window.start,
        EventTime::parse("2025-12-20T05:00:00Z").unwrap()
    );
    assert_eq!(
        window.end,
        EventTime::parse("2025-12-20T13:00:00Z").unwrap()
    );
}

#[test]
fn a_rule_covers_every_transport_of_its_protocols() {
    let inventory = read(SMALL).unwrap();
    let segment = &inventory.segments[0];
    let allowed = |address: &str, transport, port| {
        let peer = address.parse().unwrap();
        segment
            .allowed
            .iter()
            .any(|rule| rule.matches(peer, transport, port))
    };
    assert!(allowed("10.1.0.250", Transport::Tcp, 44818));
    assert!(allowed("fd00:1::250", Transport::Udp, 2222));
    assert!(allowed("10.1.0.251", Transport::Icmp, 0));
    assert!(!allowed("10.1.0.250", Transport::Tcp, 502));
    assert!(!allowed("10.1.0.9", Transport::Tcp, 44818));
    assert!(segment.denied[0].matches("192.0.2.1".parse().unwrap(), Transport::Tcp, 1));
    assert_eq!(segment.allowed[0].latency_ms, Some(2.0));
}

#[test]
fn the_hash_follows_the_content() {
    let one = read(SMALL).unwrap();
    assert_eq!(one.hash, read(&format!("# remark\n{SMALL}")).unwrap().hash);
    assert_ne!(
        one.hash,
        read(&SMALL.replace("agv-9", "agv-10")).unwrap().hash
    );
}

#[test]
fn what_is_written_reads_back_with_the_same_hash() {
    let shipped = builtin::inventory().unwrap();
    for inventory in [shipped, read(SMALL).unwrap()] {
        let yaml = inventory.to_yaml();
        let again = read(&yaml)
            .map_err(|told| format!("{told}\n{yaml}"))
            .unwrap();
        assert_eq!(again.hash, inventory.hash, "{yaml}");
        assert_eq!(again.devices.len(), inventory.devices.len());
    }
}

#[test]
fn what_profiles_name_in_vain_is_found() {
    let inventory = read(SMALL).unwrap();
    let text = "profile: agv\nversion: \"1\"\ndestinations:\n  - plc.mfg.local\n  \
                - pcl.mfg.local\n  - vendor.example\n  - { role: historian }\n  - { type: cmm }\n";
    let source = SourceFile {
        path: "agv.yaml",
        text,
    };
    let profiles = profile::parse(&[source], &[]).unwrap();
    let unanswered = inventory.unanswered(&profiles);
    let named: Vec<_> = unanswered
        .iter()
        .map(|(_, target)| target.to_string())
        .collect();
    assert_eq!(named, ["pcl.mfg.local", "role historian", "type cmm"]);
    assert!(inventory.types_without_profile(&profiles).is_empty());
}

#[test]
fn a_group_larger_than_any_plant_is_refused() {
    let text = SMALL.replace("{8..11}", "{1..999999999}");
    assert!(
        read(&text)
            .unwrap_err()
            .contains("makes more than 100000 devices")
    );
}

proptest! {
    #[test]
    fn a_damaged_inventory_is_read_or_refused(line in 0usize..40, noise in "\\PC{0,60}") {
        let mut lines: Vec<&str> = SMALL.lines().collect();
        let at = line % lines.len();
        lines[at] = &noise;
        if let Err(told) = read(&lines.join("\n")) {
            prop_assert!(told.contains("cannot be used"));
        }
    }

    #[test]
    fn the_shipped_inventory_survives_a_cut_anywhere(cut in 0usize..20_000) {
        let text = builtin::INVENTORY.text;
        let at = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        if let Err(told) = read(&text[..at.unwrap_or(0)]) {
            prop_assert!(told.contains("cannot be used"));
        }
    }
}

#[test]
fn what_is_enforced_where_is_read_and_written_and_changes_no_hash() {
    let without = read(SMALL).unwrap();
    let segment = &without.segments[0].name;
    let written = format!(
        "{SMALL}enforcement:\n  enforce: [HIGH, CRITICAL]\n  cuts_per_minute: 3\n  segments:\n    \
         - segment: {segment}\n      enforce: none\n      probation: 2 h\n  enforcers:\n    - id: \
         fw-north\n      segments: all\n"
    );
    let with = read(&written).unwrap();
    assert_eq!(with.hash, without.hash);
    let (usual, here) = (with.enforcement.of(None), with.enforcement.of(Some(0)));
    assert_eq!((usual.grades.len(), usual.cuts_per_minute), (2, 3));
    assert_eq!((here.grades.len(), here.cuts_per_minute), (0, 3));
    assert!(with.enforcement.may_answer("fw-north", 0));
    assert!(!with.enforcement.may_answer("fw-south", 0));
    assert_eq!(read(&with.to_yaml()).unwrap().enforcement, with.enforcement);
    for (wrong, hint) in [
        ("enforce: [BAD]", "not a grade"),
        ("cuts_per_minute: 0", "1 or more"),
        ("acknowledge_within: 9 d", "out of bounds"),
        ("segments: [{segment: nowhere}]", "nowhere"),
        (
            "enforcers: [{id: a, segments: all}, {id: a, segments: all}]",
            "twice",
        ),
        ("enforced: all", "enforce"),
    ] {
        let told = read(&format!("{SMALL}enforcement:\n  {wrong}\n")).unwrap_err();
        assert!(told.contains(hint), "{wrong}: {told}");
    }
}

#[test]
fn who_made_a_device_is_said_for_it_or_for_its_type_and_is_no_part_of_the_hash() {
    let without = read(SMALL).unwrap();
    let text = format!(
        "{SMALL}types:\n  - {{ type: agv, vendor: Acme GmbH, model: [Mover 7, AC-7], firmware: V1.2 }}\n"
    )
    .replace(
        "names: agv-{8..11}.mfg.local\n",
        "names: agv-{8..11}.mfg.local\n    firmware: 1.3-hf1\n",
    )
    .replace("id: gw, ", "id: gw, vendor: Other, model: Box 2, ");
    let with = read(&text).unwrap();
    assert_eq!(with.hash, without.hash);
    let make = |inventory: &Inventory, id: &str| {
        let make = inventory.device(id).unwrap().make.clone()?;
        Some((
            make.vendor.clone()?,
            make.models.clone(),
            make.firmware.clone(),
        ))
    };
    let mover = ["Mover 7", "AC-7"].map(str::to_owned).to_vec();
    let agv = ("Acme GmbH".to_owned(), mover, Some("1.3-hf1".to_owned()));
    assert_eq!(make(&with, "agv-9"), Some(agv));
    let gateway = ("Other".to_owned(), vec!["Box 2".to_owned()], None);
    assert_eq!(make(&with, "gw"), Some(gateway));
    assert_eq!(make(&with, "ntp"), None);
    let back = read(&with.to_yaml()).unwrap();
    for device in &with.devices {
        let id = device.id.as_str();
        assert_eq!(make(&back, id), make(&with, id), "{id}");
    }
    for (wrong, says) in [
        ("{ type: agv, firmware: gold }", "`gold` is no version"),
        ("{ type: agv, vendor: \"--\" }", "`--` is no vendor"),
        ("{ type: agv, model: [\"*\"] }", "`*` is no model"),
        ("{ type: agv, modl: x }", "Did you mean `model`?"),
        ("{ vendor: x }", "type"),
    ] {
        let told = read(&format!("{SMALL}types:\n  - {wrong}\n")).unwrap_err();
        assert!(told.contains(says), "{wrong}: {told}");
    }
    let twice = format!("{SMALL}types:\n  - {{ type: agv }}\n  - {{ type: agv }}\n");
    assert!(
        read(&twice)
            .unwrap_err()
            .contains("type `agv` is written twice")
    );
}
