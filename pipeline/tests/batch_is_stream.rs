//! Invariant 2 through the binary: a capture gives byte-identical verdicts for any batch size, any
//! number of shards, and across restarts from saved state.

mod plant;

use std::path::Path;

fn verdicts(capture: &Path, out: &Path, extra: &[&str]) -> Vec<u8> {
    let (capture, folder) = (capture.to_string_lossy(), out.to_string_lossy());
    let mut args = vec![
        "backtest",
        &capture,
        "--out",
        &folder,
        "--as-of",
        "2026-01-01T00:00:00Z",
    ];
    args.extend(extra);
    plant::run(&args);
    plant::read(out, "verdicts.jsonl")
}

#[test]
fn batches_shards_and_restarts_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let attacks = ["plc-night-exfil", "silent-sensor", "idle-current-mining"];
    let capture = plant::simulate(folder.path(), "3", "16000", &attacks);
    let reference = verdicts(&capture, &folder.path().join("reference"), &[]);
    let found = plant::lines(&reference);
    assert!(
        found.iter().any(|v| v["grade"] == "CRITICAL"),
        "the exfiltration is found"
    );
    assert!(
        found.iter().any(|v| v["grade"] == "MEDIUM"),
        "so is the silent sensor"
    );
    for shards in ["1", "2", "8"] {
        for batch in ["1", "7", "4096"] {
            // Every restart goes through the whole state: once per batch size is enough.
            let restarts: &[Option<&str>] = if shards == "2" {
                &[None, Some("1")]
            } else {
                &[None]
            };
            for restart in restarts {
                let out = folder
                    .path()
                    .join(format!("{shards}-{batch}-{}", restart.is_some()));
                let mut extra = vec!["--shards", shards, "--batch-size", batch];
                extra.extend(restart.iter().flat_map(|every| ["--restart-every", *every]));
                let again = verdicts(&capture, &out, &extra);
                assert!(
                    again == reference,
                    "{shards} shards, batches of {batch}, {restart:?}"
                );
            }
        }
    }
}
