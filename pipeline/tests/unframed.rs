//! Invariant 8 through the binary: nobody can blind us to a device that proves itself.

mod plant;

use std::fmt::Write as _;
use std::fs;

/// A reading of a spindle, as a recorded run keeps it.
fn reading(second: u32, seq: u32, rpm: u32, proven: bool) -> String {
    format!(
        "{{\"v\":1,\"kind\":\"reading\",\"device\":\"cnc-controller-01-0003\",\
         \"time\":\"2025-12-15T09:00:{second:02}Z\",\
         \"received_at\":\"2025-12-15T09:01:00Z\",\"sender\":\"cnc-controller-01-0003\",\
         \"sender_proven\":{proven},\"seq\":{seq},\"spindle_rpm\":{rpm}}}\n"
    )
}

fn grades(name: &str, capture: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join(name);
    fs::write(&path, capture).expect("the capture can be written");
    let out = folder.path().join("out");
    let (path, folder) = (path.to_string_lossy(), out.to_string_lossy());
    plant::run(&["backtest", &path, "--out", &folder]);
    plant::lines(&plant::read(&out, "verdicts.jsonl"))
        .iter()
        .map(|verdict| verdict["grade"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn an_unproven_row_neither_uses_up_numbers_nor_pushes_the_clock_of_a_proven_device() {
    let mut honest = String::new();
    for n in 1..=4 {
        write!(honest, "{}", reading(n, n, 13_800, true)).unwrap();
    }
    assert!(grades("honest.ndjson", &honest).contains(&"HIGH".to_owned()));
    let mut before = reading(50, 5_000, 8_000, false);
    for n in 1..=4 {
        before += &reading(n, n, 8_000, false);
    }
    assert!(grades("before.ndjson", &(before + &honest)).contains(&"HIGH".to_owned()));
    let first = reading(0, 1, 8_000, true);
    let between = reading(50, 5_000, 8_000, false);
    let rest = honest.replace("\"seq\":1,", "\"seq\":9,");
    assert!(grades("between.ndjson", &(first + &between + &rest)).contains(&"HIGH".to_owned()));
}

#[test]
fn an_unproven_report_does_not_clear_what_a_proven_one_showed() {
    let profiles = andon_schemas::builtin::profiles(&andon::setting::detector_names()).unwrap();
    let good = &profiles.get("cnc_controller_fanuc").unwrap().firmware[0];
    let report = |second: u32, version: &str, digest: &str, proven: bool| {
        format!(
            "{{\"v\":1,\"kind\":\"attestation\",\"device\":\"cnc-controller-01-0003\",\
             \"time\":\"2025-12-15T09:00:{second:02}Z\",\
             \"received_at\":\"2025-12-15T09:01:00Z\",\"sender\":\"cnc-controller-01-0003\",\
             \"sender_proven\":{proven},\"firmware\":\"{version}\",\"sha256\":\"{digest}\"}}\n"
        )
    };
    let bad = report(1, &good.version, &"0".repeat(64), true);
    let forged = report(9, &good.version, &good.digests[0], false);
    let mended = report(20, &good.version, &good.digests[0], true);
    assert_eq!(grades("bad.ndjson", &bad), ["HIGH"]);
    assert_eq!(grades("forged.ndjson", &(bad.clone() + &forged)), ["HIGH"]);
    assert_eq!(
        grades("mended.ndjson", &(bad + &forged + &mended)),
        ["HIGH", "HIGH"]
    );
}
