//! A false alarm comes back as an edit of a profile, with what else that would change.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A backtest of the plant under attack, with every incident judged.
struct Judged {
    folder: tempfile::TempDir,
    capture: PathBuf,
}

impl Judged {
    fn of(attacks: &[&str], judgement: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let capture = plant::simulate(folder.path(), "3", "6000", attacks);
        Self::told(folder, capture, judgement)
    }

    fn told(folder: tempfile::TempDir, capture: PathBuf, judgement: Option<&str>) -> Self {
        let judged = Self { folder, capture };
        judged.backtest(None, "data");
        if let Some(judgement) = judgement {
            let path = judged.data().join("incidents.jsonl");
            let mut text = String::new();
            for mut incident in plant::lines(&fs::read(&path).unwrap()) {
                // As a run keeps it when somebody judges.
                incident["judged"] = json!({
                    "judgement": judgement, "by": "operator", "at": incident["last"],
                    "note": "seen in the hall",
                });
                text.push_str(&incident.to_string());
                text.push('\n');
            }
            fs::write(path, text).unwrap();
        }
        judged
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Every verdict's last revision of a backtest against profiles.
    fn backtest(&self, profiles: Option<&Path>, out: &str) -> Vec<Value> {
        let inventory = self.path("capture.ndjson.inventory.yaml");
        let mut command = plant::andon();
        command.arg("backtest").arg(&self.capture);
        command.arg("--inventory").arg(inventory);
        command.arg("--out").arg(self.path(out));
        if let Some(profiles) = profiles {
            command.arg("--profiles").arg(profiles);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        plant::lines(&plant::read(&self.path(out), "verdicts.jsonl"))
    }

    fn incident(&self, device: &str) -> String {
        let all = plant::lines(&plant::read(&self.data(), "incidents.jsonl"));
        let own = all
            .iter()
            .find(|one| one["verdicts"][0]["device_id"] == device);
        own.unwrap_or_else(|| panic!("{device}: {all:?}"))["incident_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Status, what was printed, what was complained of.
    fn propose(&self, id: &str, more: &[&str]) -> (i32, String, String) {
        let mut command = plant::andon();
        command
            .args(["incident", "propose", id, "--data"])
            .arg(self.data())
            .args(more);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}

/// The detectors that found something on a device.
fn found(verdicts: &[Value], device: &str) -> Vec<String> {
    let own = verdicts
        .iter()
        .filter(|verdict| verdict["device_id"] == device);
    let findings = own.flat_map(|verdict| verdict["findings"].as_array().unwrap());
    let mut names: Vec<String> = findings
        .map(|finding| finding["detector"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Ids of the verdicts about everybody else.
fn of_others(verdicts: &[Value], device: &str) -> Vec<String> {
    let others = verdicts
        .iter()
        .filter(|verdict| verdict["device_id"] != device);
    let mut ids: Vec<String> = others
        .map(|verdict| verdict["verdict_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

const PLC: &str = "plc-assembly-line-3";

/// Only the file of the type is another, and of it only the lines that are said to be.
fn only_some_lines_differ(profiles: &Path) {
    let mut changed = Vec::new();
    for entry in fs::read_dir(profiles).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let before = fs::read_to_string(Path::new(plant::PROFILES).join(&name)).unwrap();
        let after = fs::read_to_string(&path).unwrap();
        if before != after {
            changed.push(name);
            let gone: Vec<&str> = before
                .lines()
                .filter(|line| !after.lines().any(|l| l == *line))
                .collect();
            assert_eq!(gone.len(), 2, "protocols and hours: {gone:?}");
            assert!(after.contains("# tcp/502 and tcp/443; the plant gives no shares"));
        }
    }
    assert_eq!(changed, ["plc_assembly.yaml"]);
}

#[test]
fn the_proposed_profiles_no_longer_find_what_was_judged_and_find_the_rest() {
    let judged = Judged::of(&["plc-night-exfil"], Some("false_positive"));
    let id = judged.incident(PLC);
    let (capture, out) = (judged.capture.to_string_lossy(), judged.path("out"));
    let labels = format!("{capture}.labels.ndjson");
    let out_text = out.to_string_lossy();
    let args = [
        "--capture",
        &*capture,
        "--labels",
        &labels,
        "--out",
        &*out_text,
        "-o",
        "json",
    ];
    let (status, said, wrong) = judged.propose(&id, &args);
    assert_eq!(status, 0, "{wrong}");
    let proposal: Value = serde_json::from_str(&said).unwrap();
    let edits = proposal["edits"].as_array().unwrap();
    let keys: Vec<&str> = edits
        .iter()
        .map(|edit| edit["change"]["kind"].as_str().unwrap())
        .collect();
    for kind in ["peer", "protocol", "hours", "volume_limit"] {
        assert!(keys.contains(&kind), "{keys:?}");
    }
    let left = proposal["left"].to_string();
    assert!(
        left.contains("forbidden_flow") && left.contains("inventory"),
        "{left}"
    );
    let warnings = proposal["warnings"].to_string();
    assert!(
        warnings.contains("outside the networks") && warnings.contains("no longer be found"),
        "{warnings}"
    );
    assert_eq!(
        proposal["forecast"][0]["attacks_lost"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "{proposal}"
    );

    only_some_lines_differ(&out.join("profiles"));
    let diff = fs::read_to_string(out.join("proposal.diff")).unwrap();
    assert!(
        diff.contains("+  - { address: 203.0.113.77 } # incident"),
        "{diff}"
    );

    let before = judged.backtest(None, "before");
    let after = judged.backtest(Some(&out.join("profiles")), "after");
    assert!(found(&before, PLC).contains(&"unknown_destination".to_owned()));
    let still = found(&after, PLC);
    for gone in ["unknown_destination", "unknown_protocol", "traffic_volume"] {
        assert!(!still.contains(&gone.to_owned()), "{still:?}");
    }
    assert!(still.contains(&"forbidden_flow".to_owned()), "{still:?}");
    assert_eq!(of_others(&before, PLC), of_others(&after, PLC));
}

#[test]
fn it_is_told_to_people_and_writes_over_nothing() {
    let judged = Judged::of(&["plc-night-exfil"], Some("false_positive"));
    let id = judged.incident(PLC);
    // For people, without anything to forecast from.
    let (status, said, _) = judged.propose(&id, &[]);
    assert_eq!(status, 0);
    assert!(
        said.contains(
            "newly allowed every device of type plc_assembly may connect to 203.0.113.77"
        ),
        "{said}"
    );
    assert!(said.contains("no forecast: no records"), "{said}");
    assert!(
        said.contains("no edit proposed for forbidden_flow"),
        "{said}"
    );
    // What was written is not written over.
    let out_text = judged.data().to_string_lossy().into_owned();
    let (status, _, wrong) = judged.propose(&id, &["--out", &out_text]);
    assert_eq!(status, 2);
    assert!(wrong.contains("is not empty"), "{wrong}");
}

#[test]
fn what_nobody_judged_or_what_was_true_is_refused_and_nonsense_is_no_incident() {
    let judged = Judged::of(&["plc-night-exfil"], None);
    let id = judged.incident(PLC);
    let (status, _, wrong) = judged.propose(&id, &[]);
    assert_eq!(status, 2);
    assert!(
        wrong.contains("nobody has judged") && wrong.contains("andon incident judge"),
        "{wrong}"
    );
    for nonsense in [
        "zzz",
        "../..",
        "\u{1b}[31m",
        "0000000000000000000000000000000000000000",
    ] {
        let (status, _, wrong) = judged.propose(nonsense, &[]);
        assert_eq!(status, 2, "{wrong}");
        assert!(wrong.contains("no incident"), "{wrong}");
        assert!(!wrong.contains('\u{1b}'));
    }
    let path = judged.data().join("incidents.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let said =
        r#""judged":{"judgement":"true_positive","by":"x","at":"2025-12-14T02:00:00Z","note":"n"}"#;
    fs::write(&path, text.replace(r#""judged":null"#, said)).unwrap();
    let (status, _, wrong) = judged.propose(&id, &[]);
    assert_eq!(status, 2);
    assert!(wrong.contains("true positive"), "{wrong}");
}

/// What is proposed for a device: the kinds of edits, what is left, and all of it.
fn proposed(judged: &Judged, device: &str, more: &[&str]) -> (Vec<String>, String, Value) {
    let mut args = vec!["-o", "json"];
    args.extend(more);
    let (status, said, wrong) = judged.propose(&judged.incident(device), &args);
    assert_eq!(status, 0, "{wrong}");
    let proposal: Value = serde_json::from_str(&said).unwrap();
    let edits = proposal["edits"].as_array().unwrap();
    let kind = |edit: &Value| edit["change"]["kind"].as_str().unwrap().to_owned();
    let kinds = edits.iter().map(kind).collect();
    (kinds, proposal["left"].to_string(), proposal)
}

/// A working day on which much was meant.
fn working_day() -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture.ndjson");
    let text = capture.to_string_lossy().into_owned();
    let mut args = vec![
        "simulate",
        "--start",
        "2025-12-15T05:00:00Z",
        "--hours",
        "5",
        "--seed",
        "5",
    ];
    args.extend(["--limit", "60000", "--out", &text]);
    for attack in [
        "cnc-program-download",
        "firmware-swap",
        "volume-3x",
        "spindle-overspeed",
        "spoofed-device",
    ] {
        args.extend(["--attack", attack]);
    }
    plant::run(&args);
    Judged::told(folder, capture, Some("benign"))
}

/// The device of the first verdict that a detector opened.
fn on(verdicts: &[Value], detector: &str) -> String {
    let own = verdicts
        .iter()
        .find(|v| v["findings"][0]["detector"] == detector);
    own.unwrap_or_else(|| panic!("{detector}"))["device_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn what_no_profile_may_excuse_is_left_with_the_reason() {
    let judged = working_day();
    let verdicts = judged.backtest(None, "before");
    for (detector, why) in [
        ("firmware_mismatch", "foreign image"),
        ("spindle_speed", "safety limit"),
        ("identity_mismatch", "no profile may excuse"),
    ] {
        let (kinds, left, proposal) = proposed(&judged, &on(&verdicts, detector), &[]);
        assert!(kinds.is_empty() && left.contains(why), "{left}");
        assert_eq!(proposal["diff"], "");
    }
}

#[test]
fn each_detector_asks_for_its_own_edit() {
    let judged = working_day();
    let verdicts = judged.backtest(None, "before");
    for (detector, kind) in [
        ("traffic_volume", "volume_limit"),
        ("unknown_command", "command"),
    ] {
        let device = on(&verdicts, detector);
        let out = judged.path(kind);
        let capture = judged.capture.to_string_lossy();
        let (kinds, _, proposal) = proposed(
            &judged,
            &device,
            &["--capture", &*capture, "--out", &out.to_string_lossy()],
        );
        assert!(
            !kinds.is_empty() && kinds.iter().all(|one| one == kind),
            "{kinds:?}"
        );
        assert_eq!(
            proposal["forecast"][0]["comparison"]["counts"]["disappears"], 1,
            "{proposal}"
        );
        assert_eq!(
            proposal["forecast"][0]["comparison"]["counts"]["appears"],
            0
        );
        let after = judged.backtest(Some(&out.join("profiles")), "after");
        assert!(
            !found(&after, &device).contains(&detector.to_owned()),
            "{device}"
        );
        assert_eq!(of_others(&verdicts, &device), of_others(&after, &device));
        if kind == "command" {
            let warnings = proposal["warnings"].to_string();
            assert!(warnings.contains("cip.stop stops a machine"), "{warnings}");
        }
    }
}
