//! `andon capture convert`: the copy of a capture is the capture, rejects and positions included.
#![expect(clippy::unwrap_used, reason = "what cannot be done fails the test")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn andon(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_andon"))
        .current_dir(folder)
        .args(line.split_whitespace())
        .output()
        .unwrap()
}

fn does(folder: &Path, line: &str) -> String {
    let output = andon(folder, line);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {text}{errors}");
    text
}

/// Zeek's log of a controller of the demo plant that talks to its historian every minute and to a
/// stranger once; one line of it is broken.
fn log(folder: &Path) {
    let line = |at: u32, uid: &str, to: &str, port: u16| {
        format!(
            r#"{{"ts":{at}.5,"uid":"{uid}","id.orig_h":"10.1.10.1","id.orig_p":40000,"id.resp_h":"{to}","id.resp_p":{port},"proto":"tcp","duration":1.0,"orig_bytes":1200,"resp_bytes":300,"conn_state":"SF"}}"#
        )
    };
    let mut lines: Vec<String> = (0..120)
        .map(|minute| {
            line(
                1_765_540_000 + minute * 60,
                &format!("C{minute}"),
                "10.1.50.10",
                502,
            )
        })
        .collect();
    lines.push(line(1_765_543_333, "X", "203.0.113.9", 443));
    lines.push("{ broken".to_owned());
    std::fs::write(folder.join("conn.log"), lines.join("\n") + "\n").unwrap();
}

#[test]
fn the_copy_gives_the_same_verdicts_from_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    log(folder);
    let plant = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../profiles/inventory/precision-parts.yaml"
    );
    let as_of = "--as-of 2026-01-01T00:00:00Z";
    let play = |capture: &str, out: &str| {
        does(
            folder,
            &format!("backtest {capture} --inventory {plant} {as_of} --out {out}"),
        );
        let verdicts = std::fs::read_to_string(folder.join(out).join("verdicts.jsonl")).unwrap();
        let summary = std::fs::read(folder.join(out).join("summary.json")).unwrap();
        let summary: Value = serde_json::from_slice(&summary).unwrap();
        (
            verdicts,
            summary["rejects"].clone(),
            summary["records"].clone(),
        )
    };
    let original = play("conn.log", "original");
    assert!(original.0.contains("unknown_destination"), "{}", original.0);
    for copy in ["copy.parquet", "copy.arrow", "copy.ndjson"] {
        let said = does(
            folder,
            &format!("capture convert conn.log {as_of} --out {copy}"),
        );
        assert!(said.starts_with("121 records and 1 rejects"), "{said}");
        assert_eq!(play(copy, "copied"), original, "{copy}");
    }
    // The two halves are the whole.
    let middle = "2025-12-12T12:46:40Z";
    let json = does(
        folder,
        &format!("capture convert conn.log --from {middle} --out second.parquet -o json"),
    );
    let second: Value = serde_json::from_str(&json).unwrap();
    let json = does(
        folder,
        &format!("capture convert conn.log --until {middle} --out first.parquet -o json"),
    );
    let first: Value = serde_json::from_str(&json).unwrap();
    let of = |part: &Value, key: &str| part[key].as_u64().unwrap();
    assert_eq!(of(&first, "records"), of(&second, "left_out"));
    assert_eq!(of(&second, "records"), of(&first, "left_out"));
    assert_eq!(of(&first, "records") + of(&second, "records"), 121);
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    log(folder);
    for (line, said) in [
        (
            "capture convert conn.log --out copy.txt",
            "neither in .ndjson, .parquet nor .arrow",
        ),
        ("capture convert none.log --out copy.parquet", "none.log"),
        ("capture convert conn.log --out none/copy.parquet", "none/"),
        (
            "capture convert conn.log --out copy.parquet --from monday",
            "monday",
        ),
    ] {
        let output = andon(folder, line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(said), "{line}: {errors}");
    }
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
