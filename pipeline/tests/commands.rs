//! The commands that ask a recorded run and that work on profiles, for people and for machines.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

const PLC: &str = "plc-assembly-line-3";

/// A folder in which a backtest found the exfiltration of a PLC.
fn recorded() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "2000", &["plc-night-exfil"]);
    let (capture, out) = (capture.to_string_lossy(), folder.path().to_string_lossy());
    plant::run(&[
        "backtest",
        &capture,
        "--out",
        &out,
        "--as-of",
        "2026-01-01T00:00:00Z",
    ]);
    folder
}

fn text(args: &[&str]) -> String {
    String::from_utf8(plant::run(args).stdout).unwrap()
}

fn json(args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
    serde_json::from_slice(&plant::run(&args).stdout).unwrap()
}

fn last_verdict(folder: &Path) -> Value {
    plant::lines(&plant::read(folder, "verdicts.jsonl"))
        .pop()
        .unwrap()
}

/// Text that a person reads holds all of this.
fn assert_says(said: &str, what: &[&str]) {
    for text in what {
        assert!(said.contains(text), "no `{text}` in:\n{said}");
    }
}

#[test]
fn explain_shows_a_verdict_and_computes_it_again() {
    let folder = recorded();
    let data = folder.path().to_string_lossy();
    let verdict = last_verdict(folder.path());
    let id = verdict["verdict_id"].as_str().unwrap();
    let said = text(&["explain", &id[..8], "--data", &data]);
    assert_says(
        &said,
        &[
            id,
            PLC,
            "CRITICAL",
            "unknown_destination",
            "equal",
            "ATT&CK",
            "clears",
        ],
    );
    assert!(!said.contains("DIFFERENT"), "{said}");
    let args = ["explain", &id[..8], "--data", &data, "-o", "json"];
    let revisions = plant::lines(&plant::run(&args).stdout);
    let last = revisions.last().unwrap();
    assert_eq!(last["revision"], verdict["revision"]);
    assert!(
        revisions
            .iter()
            .all(|line| line["equal"] == true && line["verdict_id"] == *id)
    );
}

/// What `explain` says of a recorded verdict after one field of it was changed.
fn explained_after(change: impl Fn(&mut Value)) -> Value {
    let folder = recorded();
    let data = folder.path().to_string_lossy();
    let mut verdict = last_verdict(folder.path());
    change(&mut verdict);
    std::fs::write(folder.path().join("verdicts.jsonl"), format!("{verdict}\n")).unwrap();
    let output = plant::andon()
        .args(["explain", "all", "--data", &data, "-o", "json"])
        .output()
        .unwrap();
    let line = plant::lines(&output.stdout).remove(0);
    assert_eq!(output.status.success(), line["equal"] == true, "{line}");
    line
}

#[test]
fn explain_notices_every_change_to_a_finding() {
    let unchanged = explained_after(|_| {});
    assert_eq!(unchanged["equal"], true, "{unchanged}");
    for (field, other) in [
        ("grade", Value::from("LOW")),
        ("score", Value::from(94)),
        ("techniques", serde_json::json!(["T0869"])),
        ("clears", Value::from("Nothing.")),
        (
            "confidence",
            serde_json::json!({ "basis": "calibrated", "n": 2_995 }),
        ),
        ("sentence", Value::from("Nothing happened.")),
        ("observed", serde_json::json!({})),
        ("expected", serde_json::json!({})),
        ("p_value", Value::from(0.5)),
        ("rule", Value::from(false)),
        ("plane", Value::from("physical")),
        ("counts_as", Value::from("HIGH")),
    ] {
        let line = explained_after(|verdict| {
            assert_ne!(verdict["findings"][0][field], other);
            verdict["findings"][0][field] = other.clone();
        });
        assert_eq!(line["equal"], false, "{field}: {line}");
        let said = line["findings"][0]["recomputed"].as_str().unwrap();
        assert!(
            said.starts_with("DIFFERENT in ") && said.contains(field),
            "{said}"
        );
    }
}

#[test]
fn explain_notices_a_proven_row_that_is_said_to_prove_nothing() {
    let line = explained_after(|verdict| verdict["findings"][0]["proven"] = Value::from(false));
    assert_eq!(
        line["findings"][0]["recomputed"],
        "DIFFERENT in grade, score"
    );
}

#[test]
fn explain_notices_every_change_to_what_a_verdict_makes_of_its_findings() {
    for (field, other) in [
        ("grade", Value::from("LOW")),
        (
            "confidence",
            serde_json::json!({ "basis": "calibrated", "n": 2_995 }),
        ),
        ("sentence", Value::from("Nothing happened.")),
    ] {
        let line = explained_after(|verdict| verdict[field] = other.clone());
        assert_eq!(line["equal"], false, "{field}: {line}");
        let said = line["settled"].as_str().unwrap();
        assert!(
            said.starts_with("DIFFERENT in ") && said.contains(field),
            "{said}"
        );
    }
}

#[test]
fn devices_lists_the_worst_first_and_leaves_nobody_out() {
    let folder = recorded();
    let data = folder.path().to_string_lossy();
    let said = text(&["devices", "--data", &data]);
    let mut lines = said.lines();
    assert_says(
        lines.next().unwrap(),
        &["device", "segment", "risk", "trust", "band"],
    );
    assert_says(
        lines.next().unwrap(),
        &[PLC, "assembly", "RED", "95", "critical"],
    );
    let rows = json(&["devices", "--data", &data]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), lines.count() + 1);
    let of = |id: &str| rows.iter().find(|row| row["device_id"] == id).unwrap();
    assert_eq!(of(PLC)["band"], "critical");
    // Nothing was heard from it, and that is not health.
    let unseen = rows.iter().find(|row| row["seen"] == false).unwrap();
    assert_eq!(
        (&unseen["band"], &unseen["score"]),
        (&Value::from("unknown"), &Value::Null)
    );
}

#[test]
fn risk_says_what_to_do_and_what_it_rests_on() {
    let folder = recorded();
    let data = folder.path().to_string_lossy();
    let verdict = last_verdict(folder.path());
    let id = verdict["verdict_id"].as_str().unwrap();
    let said = text(&["risk", "PLC-Assembly-Line-3", "--data", &data]);
    assert_says(
        &said,
        &[PLC, "risk 95/100", "trust 5/100", "critical", "deny", id],
    );
    let told = json(&["risk", PLC, "--data", &data]);
    assert_eq!(told["device"]["score"], 95);
    assert_eq!(told["open_verdict"], verdict);
    let output = plant::andon()
        .args(["risk", "plc-assembly-lin-3", "--data", &data])
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_says(
        &String::from_utf8(output.stderr).unwrap(),
        &["did you mean", PLC],
    );
}

#[test]
fn profile_check_accepts_what_ships() {
    let said = text(&["profile", "check"]);
    assert_says(
        &said,
        &["cnc_controller", "are in order", "inventory is in order"],
    );
    let told = json(&["profile", "check"]);
    assert!(
        told["profiles"]
            .as_array()
            .unwrap()
            .iter()
            .any(|name| name == "plc_assembly")
    );
    assert!(told["devices"].as_u64().unwrap() >= 500);
    assert_eq!(told["hash"].as_str().unwrap().len(), 64);
}

#[test]
fn profile_show_prints_a_profile_that_can_be_used_again() {
    let told = json(&["profile", "show", "cnc_controller_fanuc"]);
    assert_eq!(told["name"], "cnc_controller_fanuc");
    let said = text(&["profile", "show", "cnc_controller_fanuc"]);
    assert_says(
        &said,
        &[
            "profile: cnc_controller_fanuc",
            "destinations:",
            "volume_per_hour:",
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("again.yaml"), said).unwrap();
    let profiles = folder.path().to_string_lossy();
    let again = json(&[
        "profile",
        "show",
        "cnc_controller_fanuc",
        "--profiles",
        &profiles,
    ]);
    assert_eq!(again["destinations"], told["destinations"]);
    assert_eq!(again["volume_per_hour"], told["volume_per_hour"]);
}

#[test]
fn profile_diff_names_what_differs_and_nothing_else() {
    let pair = ["profile", "diff", "cnc_controller", "cnc_controller_fanuc"];
    assert_says(&text(&pair), &["firmware", "31i-B5-Plus"]);
    let told = json(&pair);
    let fields = told
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["field"].as_str().unwrap());
    let fields: Vec<&str> = fields.collect();
    assert!(
        fields.iter().any(|field| field.starts_with("firmware")),
        "{fields:?}"
    );
    assert!(!fields.contains(&"destinations"), "{fields:?}");
    let same = ["profile", "diff", "agv", "agv"];
    assert_says(&text(&same), &["say the same"]);
    assert_eq!(json(&same), Value::Array(Vec::new()));
}

#[test]
fn profile_schema_and_detectors_serve_editors_and_people() {
    let schema = json(&["profile", "schema"]);
    assert!(schema["properties"]["volume_per_hour"].is_object());
    let inventory = json(&["profile", "schema", "--inventory"]);
    assert!(inventory["properties"]["segments"].is_object());
    let said = text(&["profile", "detectors"]);
    let listed = plant::run(&["profile", "detectors", "-o", "json"]);
    for line in plant::lines(&listed.stdout) {
        let strings = ["name", "question", "grade", "cries_wolf"].map(|key| line[key].as_str());
        assert!(strings.iter().all(Option::is_some), "{line}");
        assert_says(&said, &[strings[0].unwrap(), strings[1].unwrap()]);
    }
}

#[test]
fn a_verdict_is_a_result_and_a_failure_only_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "2000", &["plc-night-exfil"]);
    let capture = capture.to_string_lossy();
    let status = |extra: &[&str]| {
        let mut command = plant::andon();
        command
            .args(["backtest", &*capture, "--as-of", "2026-01-01T00:00:00Z"])
            .args(extra);
        command.output().unwrap().status.code()
    };
    assert_eq!(status(&[]), Some(0));
    assert_eq!(status(&["--fail-on", "CRITICAL"]), Some(1));
    let calm = plant::simulate(folder.path(), "1", "500", &[]);
    assert_eq!(calm.to_string_lossy(), capture);
    assert_eq!(status(&["--fail-on", "CRITICAL"]), Some(0));
}

#[test]
fn backtest_reads_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "2000", &["plc-night-exfil"]);
    let from_file = json(&["backtest", &capture.to_string_lossy()]);
    let mut command = plant::andon();
    command.args(["backtest", "-", "-o", "json"]);
    let output = command
        .stdin(std::fs::File::open(&capture).unwrap())
        .output()
        .unwrap();
    let piped: Value = serde_json::from_slice(&output.stdout).unwrap();
    for field in [
        "records",
        "observations",
        "rejects",
        "verdicts",
        "revisions",
    ] {
        assert_eq!(piped[field], from_file[field], "{field}");
    }
    assert_eq!(piped["records"], 2_000);
}
