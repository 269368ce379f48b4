//! Evidence of incidents on a real Kafka: the records around them are read from the topic once more
//! and kept so that no change of them goes unseen, whatever happens to processes meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andon_schemas::incident::Incident;
use andon_schemas::observation::Record;
use andon_schemas::time::Span;
use andon_schemas::wire::decode_capture;
use serde_json::Value;

use self::kafka_plant::{Site, cluster, keyed};

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a run left behind.
struct Left(PathBuf);

impl Left {
    fn told(&self, args: &[&str]) -> String {
        let data = self.0.to_string_lossy();
        let all = [&["-o", "json", "incident"], args, &["--data", &*data]].concat();
        String::from_utf8(plant::run(&all).stdout).unwrap()
    }

    fn incidents(&self) -> Vec<Incident> {
        let listed = self.told(&["list"]);
        let lines = listed.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn manifest(&self, id: &str) -> Option<Value> {
        let path = self.0.join("evidence").join(id).join("manifest.json");
        let text = fs::read_to_string(path).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// The records that are kept of an incident, each as it is written, without where it stood.
    fn rows(&self, id: &str) -> Vec<Record> {
        let manifest = self.manifest(id).unwrap();
        let mut rows = Vec::new();
        for file in manifest["files"].as_array().unwrap() {
            let from = self.0.join("evidence").join(id);
            let from = from.join(file["file"].as_str().unwrap());
            let out = tempfile::tempdir().unwrap();
            let out = out.path().join("rows.ndjson");
            let (from, to) = (from.to_string_lossy(), out.to_string_lossy());
            plant::run(&["capture", "convert", &from, "--out", &to]);
            rows.extend(records(&fs::read_to_string(&out).unwrap()));
        }
        rows
    }

    /// Whether everything that is kept is what it was.
    fn holds(&self) -> bool {
        holds(&self.0)
    }

    fn worst(&self) -> String {
        let all = self.incidents();
        let is_it = |incident: &&Incident| {
            let first = incident.verdicts.first();
            first.is_some_and(|verdict| verdict.device_id.as_str() == "plc-assembly-line-3")
        };
        all.iter().find(is_it).unwrap().incident_id.clone()
    }
}

fn holds(folder: &Path) -> bool {
    let mut command = plant::andon();
    let command = command.args(["incident", "verify"]).arg(folder);
    command.output().unwrap().status.success()
}

fn records(text: &str) -> Vec<Record> {
    let lines = text.lines().filter_map(|line| {
        let (mut record, _) = decode_capture(line.as_bytes()).ok()?;
        record.received_at = None;
        Some(record)
    });
    lines.collect()
}

/// The records of an incident by its definition: those that the topic holds of its devices, until
/// ten minutes after the last thing that was found.
fn of(incident: &Incident, keyed: &str) -> Vec<Record> {
    let until = incident.last + Span::from_secs(600);
    let devices: BTreeSet<&str> = incident.devices().iter().map(|id| id.as_str()).collect();
    let own = keyed.lines().filter_map(|line| {
        let (key, line) = line.split_once('\t')?;
        devices.contains(key).then_some(line)
    });
    let mut rows = records(&own.collect::<Vec<_>>().join("\n"));
    rows.retain(|record| record.event_time <= until);
    rows
}

/// In an order that two may be compared by.
fn sorted(rows: &[Record]) -> Vec<String> {
    let mut text: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    text.sort();
    text
}

/// Where those records begin that come too late to settle what is found at the beginning.
fn unsettled(keyed: &str) -> usize {
    let at = keyed.find("\"time\":\"2025-12-14T01:37").unwrap();
    keyed[..at].rfind('\n').unwrap() + 1
}

/// Three hours of the plant under attack.
fn attacked(folder: &Path) -> String {
    let attacks = ["plc-night-exfil", "silent-sensor"];
    keyed(&plant::simulate(folder, "3", "40000", &attacks))
}

#[test]
fn the_records_around_every_incident_are_kept_and_a_changed_byte_is_seen() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keyed = attacked(folder.path());
    let site = Site::new(broker.addresses(), "evidence");
    site.produce("observations", &keyed);
    site.drain(folder.path(), "one", "");
    let left = Left(folder.path().join("one"));
    let incidents = left.incidents();
    assert!(incidents.len() > 1, "{}", incidents.len());
    for incident in &incidents {
        let id = &incident.incident_id;
        let (found, expected) = (left.rows(id), of(incident, &keyed));
        assert!(!expected.is_empty(), "{id}");
        assert_eq!(sorted(&found), sorted(&expected), "{}", incident.sentence);
    }
    assert!(left.holds());

    let out = folder.path().join("handed-over");
    let (worst, text) = (left.worst(), out.to_string_lossy());
    let (kept, kept_rows) = (left.manifest(&worst).unwrap(), left.rows(&worst));
    left.told(&["export", &worst, "--out", &text]);
    assert!(holds(&out));
    let story: Value = serde_json::from_str(&left.told(&["show", &worst])).unwrap();
    assert!(!story["verdicts"].as_array().unwrap().is_empty());
    for record in [
        out.join("evidence").join("0001.parquet"),
        left.0.join("evidence").join(&worst).join("0001.parquet"),
    ] {
        let mut bytes = fs::read(&record).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&record, bytes).unwrap();
    }
    assert!(!holds(&out) && !left.holds());
    let again = folder.path().join("again");
    let text = again.to_string_lossy();
    let mut command = plant::andon();
    command.args(["incident", "export", &worst, "--out", &text, "--data"]);
    assert!(!command.arg(&left.0).status().unwrap().success());

    // Whoever drains it once more, from what another process knows, keeps nothing twice.
    site.drain(folder.path(), "two", "");
    let other = Left(folder.path().join("two"));
    if let Some(again) = other.manifest(&worst) {
        assert_ne!(again["reach"]["until"], kept["reach"]["until"]);
        let known = sorted(&kept_rows);
        let again = sorted(&other.rows(&worst));
        assert!(again.iter().all(|row| known.binary_search(row).is_err()));
    }
}

#[test]
fn a_process_that_is_killed_in_between_keeps_all_of_it_once_when_it_is_back() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keyed = attacked(folder.path());
    let site = Site::new(broker.addresses(), "evidence-killed");
    let (before, after) = keyed.split_at(unsettled(&keyed));
    let mut run = site.start(folder.path(), "one", "");
    site.produce("observations", before);
    until(|| (!site.read("incidents").is_empty()).then_some(()));
    run.kill().unwrap();
    run.wait().unwrap();
    site.produce("observations", after);

    // What a crash may leave: a file that was being written, and one that the chain does not know.
    let left = Left(folder.path().join("one"));
    let told: Vec<Incident> = site
        .read("incidents")
        .into_iter()
        .map(|incident| serde_json::from_value(incident).unwrap())
        .collect();
    let first = &told[0].incident_id;
    let own = left.0.join("evidence").join(first);
    assert!(left.manifest(first).is_none());
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("0001.new.parquet"), b"half of it").unwrap();
    fs::write(own.join("0001.parquet"), b"all of it, and not told").unwrap();
    site.drain(folder.path(), "one", "");
    let incidents = left.incidents();
    assert!(
        incidents
            .iter()
            .any(|incident| incident.incident_id == *first)
    );
    for incident in &incidents {
        let (found, expected) = (left.rows(&incident.incident_id), of(incident, &keyed));
        assert_eq!(sorted(&found), sorted(&expected), "{}", incident.sentence);
    }
    assert!(left.holds());
}

#[test]
fn of_two_processes_one_keeps_it_and_whoever_takes_over_does_not_keep_it_again() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keyed = attacked(folder.path());
    let site = Site::new(broker.addresses(), "evidence-shared");
    let mut runs = ["one", "two"].map(|name| (name, site.start(folder.path(), name, "")));
    site.produce("observations", &keyed);
    let worst = "plc-assembly-line-3";
    let told = until(|| {
        let told = site.read("incidents");
        let is_worst = |told: &&Value| told["verdicts"][0]["device_id"] == worst;
        let id = told.iter().find(is_worst)?["incident_id"]
            .as_str()?
            .to_owned();
        Some(id)
    });
    // Nobody ends the input: that it has settled is seen by the times of what came after.
    let of = |name: &str| Left(folder.path().join(name));
    let keeper = until(|| {
        let kept = |name: &&str| {
            of(name)
                .manifest(&told)
                .is_some_and(|kept| !kept["reach"].is_null())
        };
        ["one", "two"].into_iter().find(kept)
    });
    let other = if keeper == "one" { "two" } else { "one" };
    // The desk remembers that it is kept: by the topic of its state, which the next one reads.
    let key = format!("respond/#evidence/{told}");
    until(|| {
        let kept = site
            .keys("state")
            .iter()
            .filter(|known| **known == key)
            .count();
        (kept > 1).then_some(())
    });
    for (name, run) in &mut runs {
        if *name == keeper {
            run.kill().unwrap();
            run.wait().unwrap();
        }
    }
    let rows = of(keeper).rows(&told);
    assert!(!rows.is_empty() && of(keeper).holds());
    for (name, run) in &mut runs {
        if *name == other {
            run.kill().unwrap();
            run.wait().unwrap();
        }
    }
    site.drain(folder.path(), other, "");
    let again = of(other).manifest(&told);
    let repeated: Vec<Record> = again.map_or(Vec::new(), |_| of(other).rows(&told));
    let kept = sorted(&rows);
    assert!(
        sorted(&repeated)
            .iter()
            .all(|row| kept.binary_search(row).is_err())
    );
}

/// Waits until there is an answer.
fn until<T>(ask: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "nothing of the kind happens");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_the_retention_has_deleted_is_said_and_the_rest_is_kept() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keyed = attacked(folder.path());
    let site = Site::new(broker.addresses(), "evidence-deleted");
    let (before, after) = keyed.split_at(unsettled(&keyed));
    let mut run = site.start(folder.path(), "one", "");
    site.produce("observations", before);
    let told = until(|| {
        let told = site.read("incidents");
        Some(told.first()?["incident_id"].as_str()?.to_owned())
    });
    run.kill().unwrap();
    run.wait().unwrap();
    let left = Left(folder.path().join("one"));
    if left
        .manifest(&told)
        .is_some_and(|kept| !kept["reach"].is_null())
    {
        fs::remove_dir_all(left.0.join("evidence")).unwrap();
    }
    site.delete_all("observations");
    site.produce("observations", after);
    let config = folder.path().join("one.toml");
    let (config, gap) = (config.to_string_lossy(), "--allow-state-gap");
    plant::run(&["run", "--drain", gap, "-o", "json", "-c", &config]);
    let manifest = left.manifest(&told).unwrap();
    assert!(manifest["deleted"].as_u64().unwrap() > 0, "{manifest}");
    assert!(!manifest["reach"].is_null());
    assert!(left.holds());
}
