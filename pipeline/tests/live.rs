//! Live runs through the embedded endpoint: the recorded run replays byte for byte, a restart goes
//! on where the last run stood, and a file and MQTT agree.

mod plant;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

/// A running `andon run`, stopped when dropped.
struct Run {
    child: Child,
    address: String,
    lines: BufReader<std::process::ChildStdout>,
}

impl Run {
    fn start(data: &Path, extra: &[&str]) -> Self {
        let mut child = plant::andon()
            .args(["run", "--mqtt", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(extra)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut first = String::new();
        lines
            .read_line(&mut first)
            .expect("it says where it listens");
        let address = first
            .trim()
            .rsplit(' ')
            .next()
            .expect("an address")
            .to_owned();
        assert!(address.starts_with("mqtt://"), "{first}");
        Self {
            child,
            address,
            lines,
        }
    }

    fn publish(&self, capture: &Path, extra: &[&str]) {
        let capture = capture.to_string_lossy();
        let mut args = vec!["publish", &*capture, "--mqtt", &self.address];
        args.extend(extra);
        plant::run(&args);
    }

    /// Waits until it has ended, and returns what it printed after the first line.
    fn end(mut self, ask: bool) -> String {
        if ask {
            let id = self.child.id().to_string();
            let killed = std::process::Command::new("kill")
                .args(["-TERM", &id])
                .status();
            assert!(killed.is_ok_and(|status| status.success()));
        }
        let mut printed = String::new();
        self.lines
            .read_to_string(&mut printed)
            .expect("it prints text");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "the run ended with {status}");
        printed
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It has ended already, unless the test failed before.
        if self.child.kill().is_ok() {
            let _gone = self.child.wait().is_ok();
        }
    }
}

fn backtest(capture: &Path, out: &Path) -> Vec<u8> {
    let (capture, folder) = (capture.to_string_lossy(), out.to_string_lossy());
    plant::run(&[
        "backtest",
        &capture,
        "--out",
        &folder,
        "--as-of",
        "2026-01-01T00:00:00Z",
    ]);
    plant::read(out, "verdicts.jsonl")
}

#[test]
fn a_recorded_run_replays_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "4000", &["plc-night-exfil"]);
    let recorded = folder.path().join("recorded.ndjson");
    let data = folder.path().join("data");
    let run = Run::start(&data, &["--capture", &recorded.to_string_lossy()]);
    run.publish(&capture, &[]);
    run.end(true);
    let live = plant::read(&data, "verdicts.jsonl");
    assert!(!live.is_empty(), "the run found nothing");
    assert!(backtest(&recorded, &folder.path().join("again")) == live);
}

#[test]
fn a_restart_goes_on_where_the_last_run_stood() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "4000", &["plc-night-exfil"]);
    let text = fs::read_to_string(&capture).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let half = lines.len() / 2;
    let parts: Vec<_> = [&lines[..half], &lines[half..]]
        .iter()
        .enumerate()
        .map(|(at, part)| {
            let path = folder.path().join(format!("part-{at}.ndjson"));
            fs::write(&path, part.join("\n") + "\n").unwrap();
            path
        })
        .collect();
    let whole = folder.path().join("whole");
    let run = Run::start(&whole, &[]);
    run.publish(&capture, &[]);
    run.end(true);
    let halves = folder.path().join("halves");
    for part in &parts {
        let run = Run::start(&halves, &[]);
        run.publish(part, &[]);
        run.end(true);
    }
    let at_once = canonical(&plant::read(&whole, "verdicts.jsonl"));
    assert!(!at_once.is_empty(), "the run found nothing");
    assert_eq!(canonical(&plant::read(&halves, "verdicts.jsonl")), at_once);
    // What a run tells of itself in the end is everything since ever, whatever was in between.
    let told = |folder: &Path| -> Vec<Value> {
        let summary: Value = serde_json::from_slice(&plant::read(folder, "summary.json")).unwrap();
        let names = [
            "records",
            "observations",
            "verdicts",
            "episodes",
            "revisions",
        ];
        names.map(|name| summary[name].clone()).to_vec()
    };
    assert_eq!(told(&halves), told(&whole));
}

#[test]
fn a_file_and_a_drained_run_agree() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "4000", &["plc-night-exfil"]);
    let config = folder.path().join("andon.toml");
    // The SHA-256 of `secret`.
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let sensor = sensor();
    fs::write(
        &config,
        format!(
            "[[mqtt.principals]]\nname = \"{sensor}\"\nrole = \"sensor\"\n\
             password_sha256 = \"{digest}\"\n"
        ),
    )
    .unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "secret\n").unwrap();
    let data = folder.path().join("data");
    let run = Run::start(&data, &["--drain", "--config", &config.to_string_lossy()]);
    let extra = [
        "--user",
        &sensor,
        "--password-file",
        &password.to_string_lossy(),
    ];
    run.publish(&capture, &extra);
    let printed = run.end(false);
    let live = canonical(&plant::read(&data, "verdicts.jsonl"));
    let file = canonical(&backtest(&capture, &folder.path().join("file")));
    assert!(!file.is_empty(), "the capture holds an attack");
    assert_eq!(live, file);
    // Those of the end are told like all others, between greeting and summary; their sentences
    // stand below them, indented.
    let told = printed
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with("records "))
        .filter(|line| !line.starts_with(' '));
    assert_eq!(told.count(), live.len(), "{printed}");
}

/// The sensor of the built-in inventory.
fn sensor() -> String {
    let inventory = andon_schemas::builtin::inventory().expect("it ships in order");
    let is_sensor = |device: &&andon_schemas::inventory::Device| {
        device.function == andon_schemas::inventory::Function::Sensor
    };
    inventory
        .devices
        .iter()
        .find(is_sensor)
        .expect("it has one")
        .id
        .to_string()
}

/// Every field except where findings came from, sorted by device, id, revision.
fn canonical(bytes: &[u8]) -> Vec<Value> {
    let mut verdicts = plant::lines(bytes);
    for verdict in &mut verdicts {
        if let Some(findings) = verdict["findings"].as_array_mut() {
            for finding in findings {
                if let Some(finding) = finding.as_object_mut() {
                    finding.remove("source");
                }
            }
        }
    }
    verdicts.sort_by_key(|v| {
        (
            v["device_id"].to_string(),
            v["verdict_id"].to_string(),
            v["revision"].as_u64(),
        )
    });
    verdicts
}
