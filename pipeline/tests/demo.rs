//! The demo, as a newcomer starts it, and what can be asked of what it leaves behind.

mod plant;

#[test]
fn the_demo_finds_every_attack_and_explains_every_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let out = out.to_string_lossy();
    // Five hours of plant time in six seconds.
    plant::run(&[
        "demo",
        "--duration",
        "6s",
        "--speed",
        "3000",
        "--headless",
        "--out",
        &out,
    ]);
    let verdicts = plant::lines(&plant::read(out.as_ref().as_ref(), "verdicts.jsonl"));
    for grade in ["CRITICAL", "HIGH", "MEDIUM", "LOW"] {
        assert!(
            verdicts.iter().any(|v| v["grade"] == grade),
            "no {grade} verdict"
        );
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&plant::read(out.as_ref().as_ref(), "summary.json")).unwrap();
    let attacks = summary["detection"]["attacks"].as_array().unwrap();
    assert!(attacks.len() >= 11, "{} attacks were due", attacks.len());
    for attack in attacks {
        assert_eq!(attack["as_expected"], true, "{attack}");
    }
    assert!(summary["latency_us"]["p99"].is_u64() && summary["peak_rss_bytes"].is_u64());
    let explained = plant::run(&["explain", "all", "--data", &out, "-o", "json"]);
    let explained = plant::lines(&explained.stdout);
    assert_eq!(explained.len(), verdicts.len());
    for line in explained {
        assert_eq!(line["equal"], true, "{line}");
    }
    let devices = plant::run(&["devices", "--data", &out, "-o", "json"]);
    let devices: serde_json::Value = serde_json::from_slice(&devices.stdout).unwrap();
    assert!(devices.as_array().unwrap().len() >= 500);
    let risk = plant::run(&["risk", "PLC-Assembly-Line-3", "--data", &out, "-o", "json"]);
    let risk: serde_json::Value = serde_json::from_slice(&risk.stdout).unwrap();
    assert_eq!(risk["device"]["band"], "critical");
}
