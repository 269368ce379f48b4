//! The budget of alerts: it says which verdicts people are told of, and alters none of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod broker;
mod plant;
mod watched;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::broker::Broker;

/// What a profile says that was tuned: without it statistics stay LOW, and LOW is no alert.
const CALIBRATION: &str = "calibration: { discount: 1.0, device_hours: 9000, \
                           false_positives: 0.001, confidence: 0.95 }\n";

/// The product's profiles, as if they had been tuned.
fn calibrated(folder: &Path) -> PathBuf {
    let profiles = folder.join("calibrated");
    fs::create_dir(&profiles).unwrap();
    for entry in fs::read_dir(plant::PROFILES).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap();
            fs::write(profiles.join(name), text + CALIBRATION).unwrap();
        }
    }
    profiles
}

/// A copy of an inventory with a budget.
fn budgeted(inventory: &Path, folder: &Path, per_day: &str) -> PathBuf {
    let text = fs::read_to_string(inventory).unwrap();
    let path = folder.join(format!("{per_day}.yaml"));
    fs::write(&path, format!("alert_budget: {per_day}\n{text}")).unwrap();
    path
}

/// Forty devices, some of which move somewhat more than they use to from the second day on.
fn simulated(folder: &Path) -> PathBuf {
    let capture = folder.join("capture.parquet");
    let name = capture.to_string_lossy();
    let ladder = ["--attack", "volume-ladder", "--attack", "volume-3x"];
    let plant = [
        "simulate",
        "--devices",
        "40",
        "--hours",
        "72",
        "--seed",
        "1",
    ];
    plant::run(&[&plant[..], &ladder, &["--out", &*name]].concat());
    capture
}

/// The verdict of each alert by a cause.
fn told<'a>(alerts: &'a [Value], cause: &str) -> BTreeSet<&'a str> {
    let of = alerts.iter().filter(|alert| alert["cause"] == cause);
    of.map(|alert| alert["verdict_id"].as_str().unwrap())
        .collect()
}

#[test]
fn a_smaller_budget_holds_more_back_and_alters_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let capture = simulated(folder.path());
    let profiles = calibrated(folder.path()).to_string_lossy().into_owned();
    let inventory = PathBuf::from(format!("{}.inventory.yaml", capture.display()));
    let backtest = |name: &str, inventory: &Path| {
        let out = folder.path().join(name);
        let [from, plant, to] = [&capture, inventory, &out].map(|path| path.to_string_lossy());
        let against = ["--inventory", &*plant, "--profiles", &*profiles];
        let ended = plant::run(&[&["backtest", &*from, "--out", &*to], &against[..]].concat());
        (out, String::from_utf8(ended.stdout).unwrap())
    };
    let (without, said) = backtest("without", &inventory);
    assert!(!said.contains("\nalerts "), "{said}");
    assert!(plant::read(&without, "alerts.jsonl").is_empty());

    let mut alerts = Vec::new();
    for per_day in ["0.01", "1"] {
        let (out, said) = backtest(per_day, &budgeted(&inventory, folder.path(), per_day));
        assert!(plant::read(&out, "verdicts.jsonl") == plant::read(&without, "verdicts.jsonl"));
        let written = plant::lines(&plant::read(&out, "alerts.jsonl"));
        let summary: Value = serde_json::from_slice(&plant::read(&out, "summary.json")).unwrap();
        let summary = &summary["alerts"];
        // 10/9 of the devices over the budget.
        let level = summary["devices"].as_f64().unwrap() / per_day.parse::<f64>().unwrap() / 0.9;
        assert!((summary["level"].as_f64().unwrap() / level - 1.0).abs() < 1e-6);
        for cause in ["rule", "evidence"] {
            assert_eq!(summary[cause], told(&written, cause).len(), "{said}");
        }
        let reached = |alert: &&Value| alert["evidence"].as_f64().is_none_or(|m| m >= level);
        assert_eq!(written.iter().filter(reached).count(), written.len());
        assert!(
            said.contains(&format!("{} held back", summary["held"])),
            "{said}"
        );
        let page = String::from_utf8(plant::read(&out, "report.html")).unwrap();
        let says = format!("{} alerts by evidence", summary["evidence"]);
        assert!(page.contains(&says), "the report does not say `{says}`");
        alerts.push((written, summary.clone()));
    }
    let [(few, strict), (many, lax)] = &alerts[..] else {
        panic!("two budgets");
    };
    let everybody: BTreeSet<&str> = told(many, "evidence")
        .union(&told(many, "rule"))
        .copied()
        .collect();
    assert!(told(few, "evidence").is_subset(&everybody));
    assert!(strict["held"].as_u64() > lax["held"].as_u64());
    let listed = strict["triage"].as_array().unwrap();
    let most = |at: usize| listed[at]["evidence"].as_f64().unwrap();
    assert!(!listed.is_empty() && (1..listed.len()).all(|at| most(at - 1) >= most(at)));
    assert!(most(0) < strict["level"].as_f64().unwrap());
}

#[test]
fn a_budget_that_is_none_or_that_no_statistic_can_keep_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = Path::new(plant::PROFILES).join("inventory/precision-parts.yaml");
    for (per_day, said) in [
        ("none", "`none` is no number above 0"),
        ("-1", "`-1` is no number above 0"),
        ("0.05", "Write 0.06 or more."),
    ] {
        let path = budgeted(&inventory, folder.path(), per_day);
        let path = path.to_string_lossy();
        let ended = plant::andon()
            .args(["profile", "check", "--inventory", &*path])
            .output()
            .unwrap();
        let words = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{words}");
        assert!(words.contains(said), "{words}");
    }
}

#[test]
fn a_broker_hears_of_an_alert() {
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let inventory = Path::new(plant::PROFILES).join("inventory/precision-parts.yaml");
    let inventory = budgeted(&inventory, folder.path(), "0.5");
    let inventory = inventory.to_string_lossy();
    let device = "cnc-controller-01-0001";
    let mut reader = broker.reader();
    let data = folder.path().join("data");
    let mut run = broker.andon_with(&data, true, &["--inventory", &inventory]);
    broker.wait_for_andon();
    let flow = json!({
        "kind": "flow", "time": "2025-12-12T09:00:01Z", "orig": "10.1.10.1:40000", "seq": 1,
        "resp": "203.0.113.7:4444", "transport": "udp", "state": "answered",
        "orig_bytes": 120, "resp_bytes": 40,
    });
    broker.publish(device, &flow.to_string());
    let line = reader.wait_for("/alert {");
    let (topic, payload) = line.split_once(' ').unwrap();
    assert_eq!(
        topic,
        format!("andon/v1/out/precision-parts/{device}/alert")
    );
    let alert: Value = serde_json::from_str(payload).unwrap();
    assert_eq!(alert["schema"], "andon.alert.v1");
    assert_eq!(
        (&alert["cause"], &alert["grade"]),
        (&json!("rule"), &json!("CRITICAL"))
    );
    assert!(run.terminate().success());
    assert_eq!(plant::lines(&plant::read(&data, "alerts.jsonl")), [alert]);
}
