//! Incidents of real runs: told, judged, handed over, and the records around them kept so that no
//! change of them goes unseen.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod watched;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use watched::Watched;

const FAR_FUTURE: &str = r#"{"kind":"flow","time":"2099-01-01T00:00:00Z","orig":"10.1.10.1:40000","resp":"10.1.10.250:44818","transport":"udp","state":"answered","orig_bytes":120,"resp_bytes":40}"#;

/// A run that has seen an attack and has ended. `judged` is told what its first incident was.
struct Ended {
    folder: tempfile::TempDir,
}

impl Ended {
    fn run(judged: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let capture = plant::simulate(folder.path(), "3", "6000", &["plc-night-exfil"]);
        // What lies far in the future is refused, and hides nothing of what follows.
        let rows = fs::read_to_string(&capture).unwrap();
        fs::write(&capture, format!("{FAR_FUTURE}\n{rows}")).unwrap();
        let ended = Self { folder };
        let mut command = plant::andon();
        command.args([
            "run",
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--data",
        ]);
        let mut run = Watched::start("run", command.arg(ended.data()));
        let said = run.wait_for("mqtt://");
        let mqtt = said.rsplit(' ').next().unwrap().to_owned();
        run.said("serving on");
        plant::run(&["publish", &capture.to_string_lossy(), "--mqtt", &mqtt]);
        run.wait_for("plc-assembly-line-3");
        if let Some(judgement) = judged {
            let id = ended.worst()["incident_id"].as_str().unwrap().to_owned();
            let args = [
                "judge",
                &id,
                "--as",
                judgement,
                "--reason",
                "seen in the hall",
            ];
            for _ in 0..2 {
                ended.told(&args);
            }
        }
        assert!(run.terminate().success());
        ended
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What `andon incident` says of the data folder.
    fn told(&self, args: &[&str]) -> String {
        let data = self.data();
        let mut all = vec!["-o", "json", "incident"];
        all.extend(args);
        let data = data.to_string_lossy();
        all.extend(["--data", &*data]);
        String::from_utf8(plant::run(&all).stdout).unwrap()
    }

    fn worst(&self) -> Value {
        let listed = self.told(&["list"]);
        let all = listed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        all.into_iter()
            .find(|incident: &Value| incident["verdicts"][0]["device_id"] == "plc-assembly-line-3")
            .unwrap()
    }

    fn exported(&self) -> PathBuf {
        let out = self.folder.path().join("handed-over");
        let id = self.worst()["incident_id"].as_str().unwrap().to_owned();
        self.told(&["export", &id, "--out", &out.to_string_lossy()]);
        out
    }
}

/// Whether a folder is what it was, and what is said of it.
fn verified(folder: &Path) -> (bool, String) {
    let mut command = plant::andon();
    let Output { status, stdout, .. } = command
        .args(["incident", "verify"])
        .arg(folder)
        .output()
        .unwrap();
    (status.success(), String::from_utf8(stdout).unwrap())
}

fn changed(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_incident_is_told_and_handed_over_with_the_records_that_prove_it() {
    let ended = Ended::run(Some("true_positive"));
    let incident = ended.worst();
    let id = incident["incident_id"].as_str().unwrap();
    assert_eq!(
        incident["destinations"],
        serde_json::json!(["203.0.113.77"])
    );
    assert_eq!(incident["judged"]["by"], "operator");
    let story: Value = serde_json::from_str(&ended.told(&["show", id])).unwrap();
    let moments = story["timeline"].as_array().unwrap();
    let kinds: Vec<&str> = moments
        .iter()
        .map(|m| m["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..2], ["verdict", "order"], "{moments:?}");
    let acts = kinds.iter().filter(|kind| **kind == "act").count();
    assert_eq!(acts, 1, "said twice, it is done once: {moments:?}");

    let rejects = plant::lines(&plant::read(&ended.data(), "rejects.jsonl"));
    assert!(
        rejects
            .iter()
            .any(|reject| reject["reason"] == "far_future")
    );

    // As a run keeps it that was given advisories.
    let device = incident["verdicts"][0]["device_id"].as_str().unwrap();
    let worst = r#"{"cve":"CVE-2025-0001","cvss":9.8}"#;
    let counted = format!(
        r#"{{"{device}":{{"firmware":"2.9","affected":3,"cannot_tell":1,"worst":{worst}}},
        "elsewhere":{{"firmware":null,"affected":1,"cannot_tell":0,"worst":null}}}}"#
    );
    fs::write(ended.data().join("advisories.json"), counted).unwrap();
    let out = ended.exported();
    let (holds, said) = verified(&out);
    assert!(holds, "{said}");
    for (file, known) in [
        ("report.html", "<dt>Known vulnerabilities</dt>"),
        ("report.md", "known vulnerabilities of"),
    ] {
        let report = fs::read_to_string(out.join(file)).unwrap();
        let words =
            "affected by 3, the worst CVE-2025-0001 (CVSS 9.8 of 10); of 1 it cannot be told";
        assert!(report.contains(known) && report.contains(words), "{report}");
        assert!(!report.contains("elsewhere"), "{report}");
    }
    let stix: Value = serde_json::from_slice(&fs::read(out.join("stix.json")).unwrap()).unwrap();
    let kinds = stix["objects"].as_array().unwrap().iter();
    assert!(kinds.clone().any(|object| object["type"] == "sighting"));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("203.0.113.77") && page.contains("T0885"));
    assert!(!page.contains("http://") && !page.contains("src="));
    let text = fs::read_to_string(out.join("report.md")).unwrap();
    assert!(text.contains("judged true positive by operator: seen in the hall"));

    // The records are a capture like any other, and prove the same again.
    let again = ended.folder.path().join("again");
    let records = out.join("evidence").join("0001.parquet");
    plant::run(&[
        "backtest",
        &records.to_string_lossy(),
        "--out",
        &again.to_string_lossy(),
        "--inventory",
        &ended
            .folder
            .path()
            .join("capture.ndjson.inventory.yaml")
            .to_string_lossy(),
    ]);
    let verdicts = plant::lines(&plant::read(&again, "verdicts.jsonl"));
    let proved = verdicts
        .iter()
        .any(|v| v["verdict_id"] == incident["verdicts"][0]["verdict_id"]);
    assert!(proved, "{verdicts:?}");
}

#[test]
fn one_byte_that_was_changed_is_noticed() {
    let ended = Ended::run(None);
    let kept = ended.data().join("evidence");
    let id = ended.worst()["incident_id"].as_str().unwrap().to_owned();
    let out = ended.exported();
    assert!(verified(&ended.data()).0);
    for (file, says) in [
        (ended.data().join("audit.jsonl"), "audit.jsonl, line"),
        (
            kept.join(&id).join("0001.parquet"),
            "was changed after it was kept",
        ),
        (kept.join("chain.jsonl"), "chain.jsonl"),
        (kept.join(&id).join("manifest.json"), "manifest.json"),
    ] {
        let before = fs::read(&file).unwrap();
        changed(&file);
        let mut command = plant::andon();
        let told = command
            .args(["incident", "verify"])
            .arg(ended.data())
            .output();
        let told = told.unwrap();
        assert!(!told.status.success(), "{}", file.display());
        let said = [told.stdout, told.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(says), "{}: {said}", file.display());
        fs::write(&file, before).unwrap();
        assert!(verified(&ended.data()).0);
    }
    let names = ["report.html", "incident.json", "evidence/0001.parquet"];
    for name in names {
        let before = fs::read(out.join(name)).unwrap();
        changed(&out.join(name));
        let (holds, said) = verified(&out);
        assert!(!holds && said.contains(name), "{said}");
        fs::write(out.join(name), before).unwrap();
    }
    for name in ["report.html", "evidence/0001.parquet", "SHA256SUMS"] {
        let before = fs::read(out.join(name)).unwrap();
        fs::remove_file(out.join(name)).unwrap();
        assert!(!verified(&out).0, "{name} is missing");
        // Neither a link that leads elsewhere nor an empty list is what was there.
        std::os::unix::fs::symlink("/dev/zero", out.join(name)).unwrap();
        assert!(!verified(&out).0, "{name} is a link");
        fs::remove_file(out.join(name)).unwrap();
        fs::write(out.join(name), "").unwrap();
        assert!(!verified(&out).0, "{name} is empty");
        fs::write(out.join(name), before).unwrap();
    }
    assert!(verified(&out).0);
    for place in [out.join("more.html"), kept.join(&id).join("9999.parquet")] {
        fs::write(&place, "forged").unwrap();
        let folder = if place.starts_with(&out) {
            out.clone()
        } else {
            ended.data()
        };
        assert!(!verified(&folder).0, "{} was added", place.display());
        fs::remove_file(&place).unwrap();
    }
    // What was changed is not handed over.
    changed(&kept.join(&id).join("0001.parquet"));
    let again = ended.folder.path().join("again");
    let mut command = plant::andon();
    command
        .args(["incident", "export", &id, "--out"])
        .arg(&again);
    let told = command.arg("--data").arg(ended.data()).output().unwrap();
    assert!(!told.status.success() && !again.exists());
}

#[test]
fn a_false_alarm_is_forecast_from_the_records_that_were_kept_of_it() {
    let ended = Ended::run(Some("false_positive"));
    let id = ended.worst()["incident_id"].as_str().unwrap().to_owned();
    let proposal: Value = serde_json::from_str(&ended.told(&["propose", &id])).unwrap();
    let forecast = &proposal["forecast"][0];
    assert_eq!(forecast["traffic"], "the records kept of the incident");
    assert!(forecast["records"].as_u64().unwrap() > 0);
    let edits = proposal["edits"].to_string();
    assert!(edits.contains("203.0.113.77"), "{proposal}");
    let changes = forecast["comparison"]["changes"].as_array().unwrap();
    let own = changes
        .iter()
        .find(|change| change["device_id"] == "plc-assembly-line-3")
        .unwrap_or_else(|| panic!("{proposal}"));
    // The policy of its segment still denies the flow, and no profile changes that.
    let after = own["after"]["detectors"].to_string();
    assert!(!after.contains("unknown_destination"), "{own}");
    assert!(after.contains("forbidden_flow"), "{own}");
    assert!(
        own["before"]["detectors"]
            .to_string()
            .contains("unknown_destination"),
        "{own}"
    );

    // Records that were changed are no ground for anything.
    changed(&ended.data().join("evidence").join(&id).join("0001.parquet"));
    let mut command = plant::andon();
    command.args(["incident", "propose", &id, "--data"]);
    let told = command.arg(ended.data()).output().unwrap();
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stderr).contains("cannot be trusted"));
}
