//! Folder 03: controllers that are polled stay quiet, controllers that are stopped, loaded or read
//! out do not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::packets::{halves, run_over};
use crate::{Finding, Run, corpus};

const FOLDER: &str = "03-ot-pcaps-iti";

/// Captures of polling, long enough to be cut in two.
const POLLS: &[&str] = &[
    "s7/wincc_s400_production.pcapng",
    "s7/S7Comm/s7comm_clean.pcap",
    "s7/wincc_s300_setup-alarm-read.pcapng",
    "s7/wincc_s300_setup-alarm-read_2.pcapng",
    "ModbusTCP/ModbusTCP.pcap",
    "ModbusTCP/Modbus/modbus_test.pcap",
    "ModbusTCP/Modbus/modbus_test_2.pcap",
    "EthernetIP/EthernetIP-CIP.pcap",
    "CIP/cip_only.pcap",
];

fn worst(found: &[Finding]) -> &str {
    let grades = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
    let stands = |grade: &&str| found.iter().any(|one| one.grade == *grade);
    grades.into_iter().find(stands).unwrap_or("none")
}

#[test]
fn polling_is_quiet_after_learning_from_its_first_half() {
    let Some(folder) = corpus(FOLDER) else {
        return;
    };
    eprintln!("folder 03, polling: second half of the packets against the first");
    for poll in POLLS {
        let cut = tempfile::tempdir().unwrap();
        let [first, second] = halves(&folder.join(poll), cut.path());
        let run = run_over(&[first.clone(), second.clone()]);
        run.learn(&[first]);
        let found = run.backtest(&second, "learned");
        eprintln!(
            "  {poll}: {} findings, worst {}",
            found.len(),
            worst(&found)
        );
        assert!(found.is_empty(), "{poll}: {found:#?}");
    }
}

/// Traffic that tells what is normal for controllers of a protocol.
fn teacher(protocol: &str) -> Option<&'static [&'static str]> {
    Some(match protocol {
        "S7comm" => &["s7/S7Comm/s7comm_clean.pcap"],
        "EtherNet/IP" | "CIP" => &["EthernetIP/EthernetIP-CIP.pcap"],
        "Modbus/TCP" => &["ModbusTCP/Modbus/modbus_test_2.pcap"],
        "DNP3" => &["bro/dnp3/dnp3_read.pcap"],
        // Not over IP.
        _ => return None,
    })
}

/// A run that has learned from one capture and is shown another.
fn taught(folder: &Path, lessons: &[&str], capture: &Path) -> Run {
    let lessons: Vec<PathBuf> = lessons.iter().map(|name| folder.join(name)).collect();
    let mut all = lessons.clone();
    all.push(capture.to_owned());
    let run = run_over(&all);
    run.learn(&lessons);
    run
}

/// The commands of these findings, the gravest first.
fn commands(found: &[Finding]) -> Vec<String> {
    let mut names = Vec::new();
    for one in found {
        for command in one.observed["commands"].as_array().into_iter().flatten() {
            let name = command["command"].as_str().unwrap().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The label of an action needs a command of such a grade on the controller.
fn least_grade(label: &str) -> &'static [&'static str] {
    let grave = [
        "stop", "download", "start", "unlock", "operate", "attack", "delete", "file",
    ];
    if grave.iter().any(|word| label.contains(word)) {
        &["HIGH"]
    } else if label.contains("upload") || label.contains("write") || label.contains("set_time") {
        &["HIGH", "MEDIUM"]
    } else {
        &["HIGH", "MEDIUM", "LOW"]
    }
}

#[test]
fn labelled_actions_are_found_on_the_controller_with_their_techniques() {
    let Some(folder) = corpus(FOLDER) else {
        return;
    };
    let labels = fs::read_to_string(folder.join("LABELS.csv")).unwrap();
    let (mut actions, mut outside) = (0, Vec::new());
    eprintln!("folder 03, labelled actions against polling of the same protocol:");
    for line in labels.lines().skip(1) {
        let fields: Vec<&str> = line.splitn(5, ',').collect();
        let [file, protocol, label, techniques, _] = fields[..] else {
            continue;
        };
        let wanted: BTreeSet<&str> = techniques.split(';').filter(|id| !id.is_empty()).collect();
        if wanted.is_empty() && !matches!(label, "set_time" | "benign-write" | "engineering-write")
        {
            continue;
        }
        let Some(lessons) = teacher(protocol) else {
            outside.push(file);
            continue;
        };
        let capture = folder.join(file);
        let run = taught(&folder, lessons, &capture);
        let mut found = run.backtest(&capture, "learned");
        found.retain(|one| {
            one.detector == "unknown_command" && one.device.starts_with("controller")
        });
        let seen: BTreeSet<&str> = found
            .iter()
            .flat_map(|one| one.techniques.iter().map(String::as_str))
            .collect();
        let shown: Vec<_> = wanted.intersection(&seen).copied().collect();
        let told = commands(&found);
        eprintln!(
            "  {file} ({label}): {} {}, techniques {} of {}",
            worst(&found),
            told.iter().take(4).cloned().collect::<Vec<_>>().join(" "),
            shown.len(),
            wanted.len()
        );
        assert!(
            least_grade(label).contains(&worst(&found)),
            "{file}: {found:#?}"
        );
        actions += 1;
    }
    eprintln!(
        "  {actions} actions found; not over IP, so out of scope: {}",
        outside.join(" ")
    );
    assert_eq!(outside, ["profinet/PROFINET-RT-DCP/ChangeIPUsingDCP.pcap"]);
    assert!(actions >= 20, "{actions}");
}
