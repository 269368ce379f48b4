//! While a person holds back what is about a device, nobody is alerted about it, and everything else
//! goes on: the same verdicts, the same audit trail.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod watched;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use watched::Watched;

/// What a run made of a capture, while somebody held back these devices.
struct Ran {
    verdicts: Vec<Value>,
    /// Devices of which a SIEM heard that asked for alerts only.
    told: BTreeSet<String>,
    audit: Vec<Value>,
}

fn run(folder: &Path, capture: &Path, suppressed: &BTreeSet<String>) -> Ran {
    fs::create_dir(folder).unwrap();
    let (data, events) = (folder.join("data"), folder.join("alerts.ndjson"));
    let config = format!(
        "[[siem]]\nto = \"file:{}\"\nform = \"ndjson\"\nonly_alerts = true\n",
        events.display()
    );
    fs::write(folder.join("andon.toml"), config).unwrap();
    let mut command = plant::andon();
    command.args(["run", "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.arg("--config").arg(folder.join("andon.toml"));
    let mut run = Watched::start("run", command.arg("--data").arg(&data));
    let said = run.wait_for("mqtt://");
    let mqtt = said.rsplit(' ').next().unwrap().to_owned();
    run.said("serving on");
    let at = data.to_string_lossy().into_owned();
    for device in suppressed {
        let args = [
            "act", "suppress", device, "--reason", "a test", "--data", &at,
        ];
        plant::run(&args);
    }
    plant::run(&["publish", &capture.to_string_lossy(), "--mqtt", &mqtt]);
    assert!(run.terminate().success());
    let lines = |path: &Path| -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let read = text.lines().map(serde_json::from_str);
        read.collect::<Result<_, _>>().unwrap()
    };
    let told = lines(&events);
    let devices = told
        .iter()
        .map(|event| event["device_id"].as_str().unwrap());
    Ran {
        told: devices.map(str::to_owned).collect(),
        verdicts: lines(&data.join("verdicts.jsonl")),
        audit: lines(&data.join("audit.jsonl")),
    }
}

fn is_undeniable(verdict: &Value) -> bool {
    let findings = verdict["findings"].as_array().unwrap().iter();
    findings
        .into_iter()
        .any(|finding| finding["counts_as"] == "CRITICAL")
}

#[test]
fn a_suppressed_device_alerts_nobody_and_its_verdicts_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let attacks = ["plc-night-exfil", "silent-sensor", "off-hours-maintenance"];
    let capture = plant::simulate(folder.path(), "2", "60000", &attacks);
    let loud = run(&folder.path().join("loud"), &capture, &BTreeSet::new());
    let undeniable: BTreeSet<&str> = loud
        .verdicts
        .iter()
        .filter(|verdict| is_undeniable(verdict))
        .map(|verdict| verdict["device_id"].as_str().unwrap())
        .collect();
    let (critical, others): (BTreeSet<String>, BTreeSet<String>) = loud
        .told
        .iter()
        .cloned()
        .partition(|device| undeniable.contains(&**device));
    assert!(!others.is_empty(), "{:?}", loud.told);

    let quiet = run(&folder.path().join("quiet"), &capture, &loud.told);
    assert_eq!(quiet.told, critical, "only what nobody can hold back");
    assert_eq!(quiet.verdicts.len(), loud.verdicts.len());
    let acts = quiet.audit.iter().filter(|entry| entry["event"] == "act");
    assert_eq!(acts.count(), loud.told.len());
}
