//! Real captures through the binary: whatever is in them, `backtest` ends well, and every row is
//! either observed or rejected with a reason and a position. The captures are no part of the
//! project; `ANDON_CORPUS` names the folder that holds them, and without it these tests say that
//! they were skipped.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod plant;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Nothing in the captures is younger.
const AS_OF: &str = "2027-01-01T00:00:00Z";

/// One part of the corpus, and what an inventory of it could say: the plant's own networks, and
/// the addresses of a few devices.
struct Part {
    folder: &'static str,
    networks: &'static str,
    devices: &'static [&'static str],
}

const SLIPS: Part = Part {
    folder: "01-slips-test-dataset",
    networks: "10.0.0.0/8, 192.168.0.0/16",
    devices: &["10.0.2.112", "192.168.1.9", "192.168.1.129"],
};
const LABELLED: Part = Part {
    folder: "02-ctu-labeled-zeek",
    networks: "10.0.0.0/8, 147.32.0.0/16, 192.168.0.0/16",
    devices: &[
        "10.8.0.61",
        "147.32.81.167",
        "147.32.83.234",
        "192.168.1.115",
    ],
};
const MODBUS: Part = Part {
    folder: "03-ot-pcaps-iti/zeek-twin-of-ModbusTCP.pcap",
    networks: "141.81.0.0/16, 142.81.0.0/16",
    devices: &["141.81.0.10", "141.81.0.44", "142.81.0.180"],
};
const ROTATED: Part = Part {
    folder: "10-rita-zeek-rotated",
    networks: "64.225.56.0/24",
    devices: &["64.225.56.201"],
};

fn corpus(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ANDON_CORPUS");
    if root.is_none() {
        eprintln!("skipped: ANDON_CORPUS does not name the folder of real captures");
    }
    root.map(|root| PathBuf::from(root).join(folder))
}

impl Part {
    fn write_inventory(&self, path: &Path) {
        let head = format!(
            "site: corpus\ntime_zone: UTC\nnetworks: [{0}]\n\
             segments:\n  - {{ name: all, networks: [{0}] }}\ndevices:\n",
            self.networks
        );
        let device = |address: &&str| {
            format!(
                "  - type: hmi_station\n    segment: all\n    id: host-{address}\n    \
                 addresses: {address}\n    assessment: {{ safety_impact: LOW, \
                 production_impact: SUPPORT, data_sensitivity: PUBLIC, attack_surface: LOW }}\n"
            )
        };
        let text: String = [head]
            .into_iter()
            .chain(self.devices.iter().map(device))
            .collect();
        fs::write(path, text).unwrap();
    }
}

/// A run's summary, after checking that every record is accounted for.
fn backtest(capture: &Path, out: &Path, extra: &[&str]) -> Value {
    let (capture, folder) = (capture.to_string_lossy(), out.to_string_lossy());
    let mut args = vec!["backtest", &*capture, "--out", &*folder, "--as-of", AS_OF];
    args.extend(extra);
    let output = plant::run(&args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    let summary: Value = serde_json::from_slice(&plant::read(out, "summary.json")).unwrap();
    let rejects = plant::lines(&plant::read(out, "rejects.jsonl"));
    let counted = summary["rejects"].as_object().unwrap();
    let counted: u64 = counted.values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(counted, rejects.len() as u64, "{capture}");
    let of = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(of("records"), of("records_observed") + counted, "{summary}");
    for reject in &rejects {
        check_reject(reject, &capture);
    }
    summary
}

/// It says why, and where: in which file, at which record; 0 is the file as a whole.
fn check_reject(reject: &Value, capture: &str) {
    assert!(reject["reason"].is_string(), "{reject}");
    assert!(!reject["detail"].as_str().unwrap().is_empty(), "{reject}");
    let file = reject["source"]["topic"].as_str().unwrap();
    assert!(
        file.starts_with(capture) && Path::new(file).is_file(),
        "{reject}"
    );
    assert!(reject["source"]["offset"].is_u64(), "{reject}");
}

/// Ids of the devices that a run saw.
fn seen(out: &Path) -> Vec<String> {
    let rows: Vec<Value> = serde_json::from_slice(&plant::read(out, "devices.json")).unwrap();
    let seen = rows.iter().filter(|row| row["seen"] == true);
    seen.map(|row| row["device_id"].as_str().unwrap().to_owned())
        .collect()
}

fn check_with_and_without_inventory(part: &Part) {
    let Some(capture) = corpus(part.folder) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("inventory.yaml");
    part.write_inventory(&inventory);
    let out = folder.path().join("with");
    let with = backtest(
        &capture,
        &out,
        &["--inventory", &inventory.to_string_lossy()],
    );
    let known = seen(&out);
    for address in part.devices {
        assert!(
            known.contains(&format!("host-{address}")),
            "{address} is not in {known:?}"
        );
    }
    let out = folder.path().join("without");
    let without = backtest(&capture, &out, &[]);
    let by_address = seen(&out);
    assert!(
        by_address.iter().all(|id| id.starts_with("ip:")),
        "{by_address:?}"
    );
    for address in part.devices {
        assert!(by_address.contains(&format!("ip:{address}")), "{address}");
    }
    // What is read does not depend on whom it is attributed to; how much has an owner does.
    assert_eq!(with["records"], without["records"]);
    assert!(with["records_observed"].as_u64() <= without["records_observed"].as_u64());
}

#[test]
fn every_row_of_the_slips_inputs_is_accounted_for() {
    check_with_and_without_inventory(&SLIPS);
}

#[test]
fn every_row_of_the_labelled_logs_is_accounted_for() {
    check_with_and_without_inventory(&LABELLED);
}

#[test]
fn every_row_of_the_modbus_twin_is_accounted_for() {
    check_with_and_without_inventory(&MODBUS);
}

#[test]
fn every_row_of_the_rotated_logs_is_accounted_for() {
    check_with_and_without_inventory(&ROTATED);
}

/// Files whose rows are the records: connection and DNS logs, and EVE.
fn is_read_by_row(name: &str) -> bool {
    ["conn.log", "conn.log.labeled", "dns.log", "dns.log.labeled"].contains(&name)
        || name.ends_with(".suricata.json")
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            files_below(&path, found);
        } else if is_read_by_row(&name) {
            found.push(path);
        }
    }
}

/// Lines that are neither empty nor a header, counted without knowing the format.
fn rows_of(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let rows = bytes.split(|byte| *byte == b'\n').filter(|line| {
        let line = line.trim_ascii();
        !line.is_empty() && !line.starts_with(b"#")
    });
    rows.count() as u64
}

#[test]
fn a_log_has_as_many_records_as_rows() {
    let mut files = Vec::new();
    for part in [SLIPS, LABELLED, MODBUS, ROTATED] {
        let Some(folder) = corpus(part.folder) else {
            return;
        };
        files_below(&folder, &mut files);
    }
    assert!(files.len() > 20, "only {} files", files.len());
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let summary = backtest(&file, folder.path(), &[]);
        assert_eq!(summary["records"], rows_of(&file), "{}", file.display());
    }
}

/// The beacons that a run reports, as (peer, connections when it was first told).
fn beacons(out: &Path) -> Vec<(String, u64)> {
    let mut told: Vec<(String, u64)> = Vec::new();
    for verdict in plant::lines(&plant::read(out, "verdicts.jsonl")) {
        for finding in verdict["findings"].as_array().unwrap() {
            let seen = &finding["observed"];
            if finding["detector"] != "beaconing" {
                continue;
            }
            let peer = seen["peer"].as_str().unwrap().to_owned();
            let connections = seen["connections"].as_u64().unwrap();
            if !told.iter().any(|(known, _)| *known == peer) {
                told.push((peer, connections));
            }
        }
    }
    told
}

/// What a connection log says of the connections opened in a capture of packets on Ethernet.
fn connections_in(pcap: &Path) -> String {
    let bytes = fs::read(pcap).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut log) = (24, String::new());
    while at + 16 <= bytes.len() {
        let (length, whole) = (word(at + 8) as usize, f64::from(word(at)));
        let seconds = whole + f64::from(word(at + 4)) / 1e6;
        let packet = &bytes[at + 16..at + 16 + length];
        at += 16 + length;
        let is_tcp = packet.len() >= 54 && packet[12..14] == [8, 0] && packet[23] == 6;
        let opens = is_tcp && packet[14] == 0x45 && packet[47] & 0x12 == 0x02;
        if opens {
            let octets = |from: usize| -> [u8; 4] { packet[from..from + 4].try_into().unwrap() };
            let address = |from: usize| std::net::Ipv4Addr::from(octets(from));
            let port = |from: usize| u16::from_be_bytes([packet[from], packet[from + 1]]);
            let row = serde_json::json!({
                "ts": seconds, "uid": format!("C{at}"), "id.orig_h": address(26),
                "id.orig_p": port(34), "id.resp_h": address(30), "id.resp_p": port(36),
                "proto": "tcp", "conn_state": "S1", "duration": 0.5, "orig_bytes": 200,
                "resp_bytes": 100,
            });
            writeln!(log, "{row}").unwrap();
        }
    }
    log
}

#[test]
fn real_beacons_are_found_within_a_few_dozen_calls() {
    let Some(slips) = corpus(SLIPS.folder) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("conn.log");
    for (capture, master) in [(1, "141.193.213.21"), (2, "141.193.213.20")] {
        let pcap = slips.join(format!("dataset/test-cc/test-cc-capture-{capture}.pcap"));
        fs::write(&log, connections_in(&pcap)).unwrap();
        let out = folder.path().join(format!("cc-{capture}"));
        backtest(&log, &out, &[]);
        let found = beacons(&out);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == master && found[0].1 <= 15, "{found:?}");
    }
    let rat = corpus(LABELLED.folder).unwrap();
    let out = folder.path().join("njrat");
    backtest(&rat.join("001-zeek-scenario-malicious/conn.log"), &out, &[]);
    let found = beacons(&out);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == "41.108.179.197" && found[0].1 <= 25,
        "{found:?}"
    );
}

#[test]
fn a_real_list_finds_the_server_that_it_names() {
    let Some(lists) = corpus("09-threat-intel/slips-ti") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let labelled = corpus(LABELLED.folder).unwrap();
    let capture = labelled.join("005-zeek-scenario-malicious/conn.log");
    let list = lists.join("config/local_ti_files/own_malicious_iocs.csv");
    backtest(
        &capture,
        folder.path(),
        &["--indicators", &list.to_string_lossy()],
    );
    let verdicts = plant::lines(&plant::read(folder.path(), "verdicts.jsonl"));
    let found = |finding: &Value| {
        finding["detector"] == "known_bad_destination"
            && finding["grade"] == "CRITICAL"
            && finding["observed"]["peer"] == "23.253.126.58"
            && finding["observed"]["note"] == "Simda CC"
    };
    let mut findings = verdicts
        .iter()
        .flat_map(|v| v["findings"].as_array().unwrap());
    assert!(findings.any(found), "{verdicts:?}");

    // Every range of the big services is read, and every mistake of a list told by its line.
    let ranges = lists.join("slips_files/organizations_info");
    for name in ["apple", "facebook", "google", "microsoft", "twitter"] {
        let list = ranges.join(format!("{name}_ip_ranges"));
        backtest(
            &capture,
            folder.path(),
            &["--indicators", &list.to_string_lossy()],
        );
    }
    let list = ranges.join("facebook_domains");
    let output = plant::andon()
        .args(["backtest", &*capture.to_string_lossy(), "--indicators"])
        .arg(&list)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("2 problems") && said.contains(" 224:1  ") && said.contains("3002:1  "),
        "{said}"
    );
}
