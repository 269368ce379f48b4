//! SQL over what a backtest left behind and over its capture: what a query says is what the files
//! say, it changes nothing, and what is written wrong is told with its place.
#![cfg(feature = "query")]
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use andon_schemas::time::EventTime;
use serde_json::Value;
use tempfile::TempDir;

/// A backtest of two hours with an attack, and its capture beside it.
static TESTED: LazyLock<(TempDir, PathBuf, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "9000", &["plc-night-exfil"]);
    let result = folder.path().join("result");
    let (from, to) = (capture.to_string_lossy(), result.to_string_lossy());
    plant::run(&["backtest", &from, "--out", &to]);
    (folder, capture, result)
});

fn query(args: &[&str]) -> Output {
    let (_, capture, result) = &*TESTED;
    plant::andon()
        .args(["query", "--data"])
        .arg(result)
        .arg("--capture")
        .arg(capture)
        .args(args)
        .output()
        .unwrap()
}

/// The rows of an answer.
fn rows(sql: &str) -> Vec<Value> {
    let output = query(&["-o", "json", sql]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{sql}: {complaint}");
    plant::lines(&output.stdout)
}

fn verdicts() -> Vec<Value> {
    plant::lines(&plant::read(&TESTED.2, "verdicts.jsonl"))
}

/// What a query complains of; it must be the writer's to change.
fn complaint(args: &[&str]) -> String {
    let output = query(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn verdicts_and_findings_are_those_of_the_file() {
    let expected = verdicts();
    let found = rows(
        "SELECT verdict_id, revision, device_id, grade, event_time, risk_score
         FROM verdicts ORDER BY verdict_id, revision",
    );
    assert_eq!(found.len(), expected.len());
    for verdict in &expected {
        let is_it = |row: &&Value| {
            row["verdict_id"] == verdict["verdict_id"] && row["revision"] == verdict["revision"]
        };
        let row = found.iter().find(is_it).unwrap();
        assert_eq!(row["device_id"], verdict["device_id"]);
        assert_eq!(row["grade"], verdict["grade"]);
        assert_eq!(row["risk_score"], verdict["risk"]["score"]);
        let time = |row: &Value| EventTime::parse(row["event_time"].as_str().unwrap()).unwrap();
        assert_eq!(time(row), time(verdict));
    }
    let findings: usize = expected
        .iter()
        .map(|verdict| verdict["findings"].as_array().unwrap().len())
        .sum();
    assert!(findings > expected.len());
    let found = rows("SELECT * FROM findings ORDER BY verdict_id, revision, finding");
    assert_eq!(found.len(), findings);
    assert_eq!(found[0]["finding"], 1);
    let none = rows(
        "SELECT 1 FROM findings f LEFT JOIN verdicts v
         ON f.verdict_id = v.verdict_id AND f.revision = v.revision
         WHERE v.verdict_id IS NULL",
    );
    assert!(none.is_empty());
}

#[test]
fn evidence_holds_the_values_that_findings_were_made_of() {
    let verdict = &verdicts()[0];
    let observed = verdict["findings"][0]["observed"]["bytes"]
        .as_f64()
        .unwrap();
    let id = verdict["verdict_id"].as_str().unwrap();
    let found = rows(&format!(
        "SELECT value FROM evidence WHERE verdict_id = '{id}' AND revision = 1 AND finding = 1
         AND part = 'observed' AND field = 'bytes'"
    ));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["value"].as_f64(), Some(observed));
}

#[test]
fn a_finding_leads_to_the_record_that_showed_it() {
    let found = rows(
        "SELECT c.responder, c.responder_port, f.observed
         FROM findings f JOIN captures c ON c.source_topic = f.first_topic AND c.source_offset = f.first_offset
         WHERE f.detector = 'unknown_destination' AND f.revision = 1",
    );
    assert!(!found.is_empty());
    for row in found {
        let observed: Value = serde_json::from_str(row["observed"].as_str().unwrap()).unwrap();
        assert_eq!(row["responder"], observed["peer"]);
        assert_eq!(row["responder_port"], observed["port"]);
    }
}

#[test]
fn captures_windows_and_inventory_are_tables() {
    let capture = plant::lines(&fs::read(&TESTED.1).unwrap());
    let flows = capture.iter().filter(|row| row["kind"] == "flow").count();
    let found = rows("SELECT count(*) AS n FROM captures WHERE kind = 'flow'");
    assert_eq!(found[0]["n"], flows);
    let summary: Value = serde_json::from_slice(&plant::read(&TESTED.2, "summary.json")).unwrap();
    let hours = rows("SELECT sum(least(hours, 24)) AS hours FROM windows");
    assert_eq!(hours[0]["hours"], summary["device_hours"]);
    let seen = rows(
        "SELECT DISTINCT w.device_type FROM windows w JOIN inventory i
         ON i.device_id = w.device_id AND i.device_type = w.device_type",
    );
    assert!(seen.len() > 3, "{seen:?}");
}

#[test]
fn every_question_with_a_name_is_answered() {
    let listed = query(&["--list", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    for question in listed.as_array().unwrap() {
        let name = question["name"].as_str().unwrap();
        let output = query(&["--named", name]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {told}");
    }
    let told = complaint(&["--named", "opne"]);
    assert!(told.contains("no question is named `opne`"), "{told}");
}

#[test]
fn tables_and_columns_are_described() {
    let output = query(&["--tables", "-o", "json"]);
    let tables: Value = serde_json::from_slice(&output.stdout).unwrap();
    for table in tables.as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        let columns = table["columns"].as_array().unwrap();
        assert!(
            columns.iter().all(|column| column["words"] != ""),
            "{table}"
        );
        let asked: Vec<_> = columns
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        rows(&format!("SELECT {} FROM {name} LIMIT 1", asked.join(", ")));
    }
    assert_eq!(tables.as_array().unwrap().len(), 11);
}

#[test]
fn an_answer_reads_the_same_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "SELECT verdict_id, revision, techniques FROM findings ORDER BY 1, 2, finding";
    let expected = rows(sql).len();
    let csv = query(&["--csv", sql]);
    let csv = String::from_utf8(csv.stdout).unwrap();
    assert_eq!(csv.lines().next(), Some("verdict_id,revision,techniques"));
    assert_eq!(csv.lines().count(), expected + 1);
    for name in ["a.csv", "a.ndjson", "a.parquet"] {
        let path = folder.path().join(name);
        let output = query(&["-o", "json", sql, "--out", &path.to_string_lossy()]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["rows"], expected, "{name}");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("a.csv")).unwrap(),
        csv
    );
    let parquet = fs::read(folder.path().join("a.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[test]
fn an_answer_that_fails_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let out = path.to_string_lossy();
    complaint(&["SELECT nothing FROM verdicts", "--out", &out]);
    complaint(&["SELECT 1 / 0 FROM verdicts", "--out", &out]);
    complaint(&["SELECT 1", "--out", "a.xlsx"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn queries_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.csv");
    let copy = format!("COPY (SELECT 1) TO '{}'", file.display());
    let read = format!("SELECT * FROM '{}'", TESTED.1.display());
    let outside = format!(
        "CREATE EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION '{}'",
        file.display()
    );
    for sql in [
        &copy,
        &outside,
        &format!("EXPLAIN ANALYZE {copy}"),
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW t AS SELECT 1",
        "DROP TABLE verdicts",
        "INSERT INTO inventory SELECT * FROM inventory",
        "DELETE FROM verdicts",
        "SET datafusion.execution.batch_size = 1",
        "SELECT 1; SELECT 2",
        &read,
    ] {
        complaint(&[sql]);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_was_meant() {
    let told = complaint(&["SELECT devcie_id FROM verdicts"]);
    assert!(told.contains("line 1, column 8"), "{told}");
    assert!(told.contains("`device_id`"), "{told}");
    let told = complaint(&["SELECT *\nFROM verdict"]);
    assert!(told.contains("line 2, column 6"), "{told}");
    assert!(told.contains("Perhaps `verdicts` is meant."), "{told}");
    let told = complaint(&["SELECT FROM WHERE"]);
    assert!(told.contains("line 1, column"), "{told}");
    assert!(complaint(&[" "]).contains("empty"));
}

#[test]
fn a_table_that_is_not_there_says_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_string_lossy();
    let ask = |sql: &str| {
        let output = plant::andon()
            .args(["query", "--data", &data, sql])
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(ask("SELECT * FROM verdicts").contains("holds no `verdicts.jsonl`"));
    assert!(ask("SELECT * FROM windows").contains("--capture"));
    let nowhere = folder.path().join("nowhere");
    let output = plant::andon()
        .args(["query", "SELECT 1", "--data"])
        .arg(&nowhere)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"));
}

#[test]
fn lines_that_cannot_be_read_cost_themselves_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = fs::read(TESTED.2.join("verdicts.jsonl")).unwrap();
    let whole = plant::lines(&text).len();
    text.extend(b"\xff\xfe\n{\"verdict_id\": 7, \"findings\": 3}\nnonsense\n{\"half");
    fs::write(folder.path().join("verdicts.jsonl"), text).unwrap();
    let output = plant::andon()
        .args([
            "query",
            "-o",
            "json",
            "SELECT verdict_id FROM verdicts",
            "--data",
        ])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let rows = plant::lines(&output.stdout);
    assert_eq!(rows.len(), whole + 1);
    assert_eq!(rows[whole]["verdict_id"], Value::Null);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("2 lines cannot be read"), "{told}");
}

/// Texts of 33 MB.
const LARGE: &str = "(SELECT repeat(CAST(value AS TEXT), 20) AS t FROM generate_series(1, 300000))";

#[test]
fn a_sort_larger_than_its_memory_goes_by_the_disk() {
    let sql = format!(
        "SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY t) AS n FROM {LARGE})"
    );
    let output = query(&["--memory-mib", "32", "-o", "json", &sql]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(plant::lines(&output.stdout)[0]["n"], 300_000);
}

#[test]
fn a_join_larger_than_its_memory_is_refused_with_what_would_help() {
    let sql = format!("SELECT count(*) FROM {LARGE} a JOIN {LARGE} b ON a.t = b.t");
    let told = complaint(&["--memory-mib", "16", &sql]);
    assert!(told.contains("--memory-mib"), "{told}");
}

/// Statements nested deeper than any stack are refused like any other.
#[test]
fn a_bottomless_statement_is_refused() {
    let deep = format!("SELECT {}1{}", "(".repeat(8_000), ")".repeat(8_000));
    complaint(&[&deep]);
    let long = format!("SELECT 1 WHERE {}true", "false OR ".repeat(1_500));
    let output = query(&[&long]);
    assert!(output.status.code().is_some(), "killed by a signal");
    let endless = format!("SELECT 1 WHERE {}true", "false OR ".repeat(5_000));
    assert!(complaint(&[&endless]).contains("16 KiB"));
}

#[test]
fn a_capture_of_packets_or_logs_is_a_table_too() {
    let folder = tempfile::tempdir().unwrap();
    let log = Path::new("conn.log");
    let zeek = "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\t\
                id.resp_p\tproto\tduration\torig_bytes\tresp_bytes\tconn_state\n\
                1700000000.0\tC1\t10.0.0.1\t5000\t10.0.0.2\t502\ttcp\t1.0\t10\t20\tSF\n";
    fs::write(folder.path().join(log), zeek).unwrap();
    let output = plant::andon()
        .args([
            "query",
            "-o",
            "json",
            "SELECT originator, responder_bytes, received_at FROM captures",
        ])
        .arg("--capture")
        .arg(folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let rows = plant::lines(&output.stdout);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["originator"], "10.0.0.1");
    assert_eq!(rows[0]["responder_bytes"], 20);
    // Nobody recorded when it was received.
    assert_eq!(rows[0]["received_at"], Value::Null);
}
