//! Odd verdicts before the judges of `docker/siem/validate`: schemas and readers that others wrote.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

/// `1` where a test must not pass without the judges, as in `.ci/run`.
const DEMANDED: &str = "ANDON_SIEM";
/// Verdicts that are judged.
const COUNT: usize = 400;

/// The same odd verdicts each time.
fn verdicts() -> Vec<Verdict> {
    let mut runner = TestRunner::deterministic();
    let strategy = any_verdict();
    let made = (0..COUNT).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    made.collect()
}

/// What a judge prints about some lines. `None`, after saying so, if there is no judge and nobody
/// demands one.
pub(crate) fn judged(form: &str, lines: &[String]) -> Option<Vec<Value>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker/siem/validate");
    if std::env::var_os(DEMANDED).is_none_or(|value| value != "1") {
        let check = Command::new(&script).arg("check").output().unwrap();
        if !check.status.success() {
            eprintln!(
                "skipped: {}",
                String::from_utf8_lossy(&check.stderr).trim_end()
            );
            return None;
        }
    }
    let mut judge = Command::new(&script)
        .arg(form)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = judge.stdin.take().unwrap();
    let text = lines.join("\n") + "\n";
    let writing = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let said = judge.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let wrong = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success(),
        "{form}: {}",
        wrong.lines().take(5).collect::<Vec<_>>().join("\n")
    );
    let told = std::str::from_utf8(&said.stdout).unwrap().lines();
    Some(
        told.map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn lines(form: Form, verdicts: &[Verdict]) -> Vec<String> {
    verdicts
        .iter()
        .map(|verdict| form.line(verdict, &writer()))
        .collect()
}

#[test]
fn every_detection_finding_is_one_by_the_published_schemas() {
    judged("ocsf", &lines(Form::Ocsf, &verdicts()));
}

#[test]
fn every_document_has_fields_of_ecs_only() {
    judged("ecs", &lines(Form::Ecs, &verdicts()));
}

#[test]
fn cef_is_read_by_others_as_it_was_meant() {
    let verdicts = verdicts();
    let Some(read) = judged("cef", &lines(Form::Cef, &verdicts)) else {
        return;
    };
    assert_eq!(read.len(), COUNT);
    for (verdict, read) in verdicts.iter().zip(read) {
        // That reader leaves the extension escaped.
        let told = |key: &str| {
            let text = read[key].as_str().unwrap_or_default();
            text.replace("\\=", "=").replace("\\\\", "\\")
        };
        let shown = printable(&verdict.sentence);
        let expected = facts::at_most(&shown, 1_023);
        assert_eq!(told("msg"), expected.trim());
        assert_eq!(told("externalId"), verdict.verdict_id);
        assert_eq!(told("grade"), verdict.grade.as_str());
        assert_eq!(read["Severity"], scale::severity(verdict).cef.to_string());
    }
}

#[test]
fn syslog_is_read_by_others_as_it_was_meant() {
    let mut verdicts = verdicts();
    // That reader takes the quote after an escaped backslash for an escaped one; RFC 5424 §6.3.3
    // does not.
    verdicts.retain(|verdict| !Form::Syslog.line(verdict, &writer()).contains("\\\\\""));
    assert!(verdicts.len() > COUNT / 4, "{}", verdicts.len());
    let Some(read) = judged("syslog", &lines(Form::Syslog, &verdicts)) else {
        return;
    };
    assert_eq!(read.len(), verdicts.len());
    for (verdict, read) in verdicts.iter().zip(read) {
        let data = &read["sd"]["verdict@32473"];
        assert_eq!(data["id"], verdict.verdict_id);
        assert_eq!(data["deviceId"], verdict.device_id.as_str());
        let shown = printable(&verdict.segment);
        // It leaves values escaped.
        let told = data["segment"].as_str().unwrap_or_default();
        let told = told
            .replace("\\\"", "\"")
            .replace("\\]", "]")
            .replace("\\\\", "\\");
        assert_eq!(told, facts::at_most(&shown, 256));
        assert_eq!(read["facility"], "local0");
    }
}
