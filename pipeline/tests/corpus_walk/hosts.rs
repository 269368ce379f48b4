//! Folders 01 and 02: hosts that scan, call home and break in, as far as flows show it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::{AS_OF, Finding, Run, corpus, findings, plant, text};

/// What a device of a plant may do that browses, and no more. The fan-out is the default.
const OFFICE: &str = "protocols:\n  - http\n  - https\n  - dns\n  - ntp\n  - icmp\n  - mdns\n  \
    - { name: dns-over-tls, ports: [tcp/853] }\n  - { name: quic, ports: [udp/443] }\n  \
    - { name: push, ports: [tcp/5228] }\n";

/// A run in which one host is an office device, and everybody else nobody.
fn office(host: &str) -> Run {
    let devices = BTreeMap::from([("office", BTreeSet::from([host.to_owned()]))]);
    let run = Run::over(&devices, "UTC");
    run.write_profile("written", "office", OFFICE);
    run
}

/// The first finding of a detector about a host.
fn first<'a>(found: &'a [Finding], host: &str, detector: &str) -> Option<&'a Finding> {
    let id = format!("office-{host}");
    found
        .iter()
        .find(|one| one.device == id && one.detector == detector)
}

/// What was said of a host.
fn sentences(found: &[Finding], host: &str) -> Vec<String> {
    let id = format!("office-{host}");
    let own = found.iter().filter(|one| one.device == id);
    own.map(|one| format!("{}: {}", one.detector, one.sentence))
        .collect()
}

/// An input, the host it is about, what is in it, and the detectors that have to find it.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const VISIBLE: &[Case] = &[
    (
        "port-scans/horizontal",
        "10.0.2.112",
        "horizontal scan of 80/tcp",
        &["scan"],
    ),
    (
        "port-scans/vertical",
        "192.168.1.9",
        "vertical scan of 45.33.32.156",
        &["scan"],
    ),
    (
        "test12-icmp-portscan.pcap",
        "192.168.1.109",
        "sweep by ping",
        &["scan"],
    ),
    (
        "test6-malicious.suricata.json",
        "192.168.1.129",
        "unknown ports",
        &["unknown_protocol", "beaconing"],
    ),
    (
        "test18-malicious-ctu-sme-11-win",
        "192.168.1.107",
        "exfiltration in 719 flows to 5888/tcp",
        &["unknown_protocol", "scan", "beaconing"],
    ),
    (
        "test19-malicious-ssh",
        "147.32.80.37",
        "SSH brute force, on the host it tries",
        &["unknown_protocol"],
    ),
    (
        "test-cc/test-cc-capture-1.pcap",
        "147.32.80.37",
        "beacon every 2.2 s",
        &["beaconing"],
    ),
    (
        "test-cc/test-cc-capture-2.pcap",
        "147.32.80.37",
        "beacon every 3.1 s",
        &["beaconing"],
    ),
];

/// What cannot be found, and why.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    (
        "test1 (nfdump); test2, test3, test4, test5, test11 (Argus)",
        "these formats are not read",
    ),
    (
        "test8 and test16: ARP",
        "ARP is no flow; of test8 a reject says who asked for 255 addresses",
    ),
    (
        "test9: non-HTTP on 80; test10: non-SSL on 443",
        "Zeek gave these flows no name, and no name is not held against a port",
    ),
    (
        "test9: Tor; test15: Trickbot, a wrong certificate",
        "fingerprints and certificates of TLS are not read",
    ),
    (
        "test10: DNS TXT of high entropy",
        "what names contain is not judged",
    ),
    ("test13: DHCP scan", "two flows show none of it"),
    (
        "test14: SMTP brute force, GRE, a download",
        "logs of applications are not read, and five flows show none of it",
    ),
];

#[test]
fn what_flows_show_of_the_slips_inputs_is_found_and_the_rest_is_named() {
    let Some(folder) = corpus("01-slips-test-dataset/dataset") else {
        return;
    };
    eprintln!("folder 01:");
    let mut missed = String::new();
    for (input, host, what, detectors) in VISIBLE {
        let run = office(host);
        let found = run.backtest(&folder.join(input), "written");
        for detector in *detectors {
            match first(&found, host, detector) {
                Some(one) => eprintln!("  {input} ({what}): {detector}: {}", one.sentence),
                None => writeln!(
                    missed,
                    "{input} ({what}): no {detector} on {host}: {:?}",
                    sentences(&found, host)
                )
                .unwrap(),
            }
        }
    }
    for (input, why) in OUT_OF_SCOPE {
        eprintln!("  out of scope: {input}: {why}");
    }
    assert!(missed.is_empty(), "{missed}");
}

/// A backtest without inventory: every address is a device, of which nothing is known.
fn unknown_plant(capture: &Path) -> Vec<Finding> {
    let out = tempfile::tempdir().unwrap();
    let (capture, folder) = (text(capture), text(out.path()));
    plant::run(&["backtest", &capture, "--as-of", AS_OF, "--out", &folder]);
    findings(out.path())
}

#[test]
fn thousands_of_hostile_flows_become_a_few_episodes_for_each_host_and_day() {
    let Some(folder) = corpus("02-ctu-labeled-zeek") else {
        return;
    };
    for (scenario, host) in [
        ("008-zeek-mixed", "147.32.81.167"),
        ("010-zeek-mixed", "147.32.83.234"),
    ] {
        let found = unknown_plant(&folder.join(scenario));
        let mut episodes: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for one in &found {
            let day = one.at.chars().take(10).collect();
            let key = (one.device.clone(), day);
            episodes.entry(key).or_default().insert(one.verdict.clone());
        }
        eprintln!("folder 02, {scenario}: episodes by host and day");
        for ((device, day), ids) in &episodes {
            eprintln!("  {device} {day}: {}", ids.len());
        }
        let most = episodes.values().map(BTreeSet::len).max().unwrap_or(0);
        assert!(most <= 10, "{scenario}: {episodes:?}");
        // The exposed host itself, over its day and not once for each of its attackers.
        let exposed = format!("ip:{host}");
        let own: usize = episodes
            .iter()
            .filter(|((device, _), _)| *device == exposed)
            .map(|(_, ids)| ids.len())
            .sum();
        assert!((1..=10).contains(&own), "{scenario}: {own}");
    }
}

#[test]
fn command_and_control_is_found_where_its_flows_show_it() {
    let Some(folder) = corpus("02-ctu-labeled-zeek") else {
        return;
    };
    eprintln!("folder 02, command and control:");
    let rat = folder.join("001-zeek-scenario-malicious/conn.log");
    let found = unknown_plant(&rat);
    let beacon = found
        .iter()
        .find(|one| one.detector == "beaconing")
        .unwrap();
    eprintln!(
        "  NjRAT, port 1177, nothing known of the host: {}",
        beacon.sentence
    );
    assert_eq!(beacon.observed["port"], 1177);

    // Twelve connections, half of them long: no beacon, and nothing else if nobody says what the
    // phone may do. Against a profile its port is foreign.
    let phone = folder.join("003-zeek-scenario-malicious");
    let blind = unknown_plant(&phone);
    let rhythm = blind
        .iter()
        .filter(|one| one.detector == "beaconing")
        .count();
    eprintln!(
        "  Android RAT, port 1337, nothing known of the host: {rhythm} beacons; its 12 connections \
         last from 1 s to 39 min, a session held open and no rhythm"
    );
    assert_eq!(rhythm, 0, "{blind:#?}");
    let host = "10.8.0.61";
    let run = office(host);
    let found = run.backtest(&phone, "written");
    let foreign = found
        .iter()
        .find(|one| one.detector == "unknown_protocol" && one.observed["port"] == 1337);
    eprintln!(
        "  Android RAT, port 1337, against a profile of protocols: {}",
        foreign.unwrap().sentence
    );
}
