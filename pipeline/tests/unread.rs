//! Captures that give no record: one that cannot be read is an error that says why and leaves its
//! reject behind; one that is empty is none.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

const RECORD: &str =
    r#"{"kind":"reading","device":"d","time":"2025-12-12T09:00:00Z","current_a":3.0}"#;

/// What a backtest ended with, said and left behind.
struct Ended {
    status: Option<i32>,
    printed: String,
    complaint: String,
    summary: Value,
    rejects: Vec<Value>,
}

/// Backtests a file or folder; results go into `folder`.
fn backtest(folder: &Path, capture: &Path) -> Ended {
    let ended = plant::andon()
        .arg("backtest")
        .arg(capture)
        .arg("--out")
        .arg(folder)
        .output()
        .unwrap();
    Ended {
        status: ended.status.code(),
        printed: String::from_utf8(ended.stdout).unwrap(),
        complaint: String::from_utf8(ended.stderr).unwrap(),
        summary: serde_json::from_slice(&plant::read(folder, "summary.json")).unwrap(),
        rejects: plant::lines(&plant::read(folder, "rejects.jsonl")),
    }
}

#[test]
fn a_file_of_which_nothing_can_be_read_is_one_reject_and_an_error_that_says_why() {
    let program = fs::read(env!("CARGO_BIN_EXE_andon")).unwrap();
    for (name, content, why) in [
        ("conn.log", &program[..4_096], "no known format"),
        (
            "conn.log",
            &b"Dear diary, today nothing happened.\n"[..],
            "it begins with \"Dear diary",
        ),
        ("capture.ndjson", &b"{\"a\":1}\n"[..], "no known kind"),
        (
            "capture.ndjson.gz",
            &[0x1f, 0x8b][..],
            "before its first row",
        ),
        ("capture.parquet", &b"PAR1 and no more"[..], "parquet"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join(name);
        fs::write(&capture, content).unwrap();
        let ended = backtest(folder.path(), &capture);
        assert_eq!(ended.status, Some(2), "{}", ended.complaint);
        assert_eq!(ended.summary["records"], 1, "{name}: {:?}", ended.rejects);
        assert_eq!(ended.rejects.len(), 1, "{name}");
        for told in [&ended.printed, &ended.complaint] {
            assert!(told.contains(name) && told.contains(why), "{told}");
        }
    }
}

#[test]
fn an_empty_file_holds_no_record_and_is_no_error() {
    for content in ["", "\n\n\n"] {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("conn.log");
        fs::write(&capture, content).unwrap();
        let ended = backtest(folder.path(), &capture);
        assert_eq!(ended.status, Some(0), "{}", ended.complaint);
        assert_eq!(
            (&ended.summary["records"], ended.rejects.len()),
            (&Value::from(0), 0)
        );
        assert!(ended.printed.contains("it is empty"), "{}", ended.printed);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_beside_those_that_can() {
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("captures");
    fs::create_dir(&captures).unwrap();
    fs::write(captures.join("good.ndjson"), RECORD).unwrap();
    fs::write(captures.join("bad.log"), "Dear diary\n").unwrap();
    let ended = backtest(folder.path(), &captures);
    assert_eq!(ended.status, Some(0), "{}", ended.complaint);
    assert!(
        ended
            .printed
            .contains("bad.log`: file is of no known format"),
        "{}",
        ended.printed
    );
    assert!(!ended.printed.contains("good.ndjson"), "{}", ended.printed);
}

#[test]
fn nothing_from_a_capture_reaches_a_terminal_raw() {
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("captures");
    fs::create_dir(&captures).unwrap();
    // The name of a server, the name of a file and the content of a file are all chosen by others.
    let hostile = "evil\u{1b}[2J\u{202e}\u{200b}.example";
    let flow = json!({
        "kind": "flow", "device": "cnc-controller-01-0001", "time": "2025-12-12T09:00:00Z",
        "orig": "10.1.10.1:40000", "resp": "203.0.113.7:4444", "transport": "tcp",
        "resp_name": hostile, "service": hostile, "state": "answered",
    });
    fs::write(captures.join("flow.ndjson"), flow.to_string()).unwrap();
    fs::write(captures.join("\u{1b}[2J\u{202e}.log"), hostile).unwrap();
    let ended = backtest(folder.path(), &captures);
    assert_eq!(ended.status, Some(0), "{}", ended.complaint);
    let data = folder.path().to_string_lossy();
    let explained = plant::run(&["explain", "all", "--data", &data]).stdout;
    let explained = String::from_utf8(explained).unwrap();
    assert!(explained.contains("evil"), "{explained}");
    let printed = ended.printed + &explained;
    assert!(printed.contains(r"\u{202e}"), "{printed}");
    for raw in ['\u{1b}', '\u{202e}', '\u{200b}'] {
        assert!(!printed.contains(raw), "{printed:?}");
    }
}
