//! Other profiles in the shadow of a live run: they say what a backtest of them would say, the run
//! is what it is without them, and nothing of them leaves the data folder.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod watched;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::watched::Watched;

/// Whom the attack of the capture reaches.
const REACHED: &str = "203.0.113.77";

/// A plant with two attacks, and a candidate: the PLC may reach the address that one of them
/// reaches.
struct Scene {
    folder: TempDir,
    /// All of it, and its two parts.
    captures: [PathBuf; 3],
    candidate: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let attacks = ["plc-night-exfil", "silent-sensor"];
        let whole = plant::simulate(folder.path(), "2", "9000", &attacks);
        let text = fs::read_to_string(&whole).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // In between, the first attack begins.
        let (first, second) = lines.split_at(lines.len() / 4);
        let parts = [first, second].map(|part| part.join("\n") + "\n");
        let paths = ["first", "second"].map(|name| folder.path().join(format!("{name}.ndjson")));
        for (path, text) in paths.iter().zip(parts) {
            fs::write(path, text).unwrap();
        }
        let [first, second] = paths;
        Self {
            candidate: plant::permitting(folder.path(), "candidate", "plc_assembly", REACHED),
            captures: [whole, first, second],
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, data: &str, extra: &[&str]) -> Live {
        let mut command = plant::andon();
        command
            .args(["run", "--mqtt", "127.0.0.1:0", "--data"])
            .arg(self.path(data))
            .args(extra);
        let mut run = Watched::start("andon", command.env("RUST_LOG", "info"));
        let said = run.wait_for("listening on mqtt://");
        let address = said.rsplit(' ').next().unwrap().to_owned();
        Live { run, address }
    }

    /// A run with the candidate in its shadow.
    fn shadowed(&self, data: &str, extra: &[&str]) -> Live {
        let candidate = self.candidate.to_string_lossy();
        self.start(data, &[&["--shadow", &*candidate], extra].concat())
    }
}

struct Live {
    run: Watched,
    address: String,
}

impl Live {
    fn publish(&self, capture: &Path) {
        plant::run(&[
            "publish",
            &capture.to_string_lossy(),
            "--mqtt",
            &self.address,
        ]);
    }

    fn end(&mut self) {
        assert!(self.run.terminate().success());
    }
}

fn verdicts(folder: &Path) -> Vec<u8> {
    plant::read(folder, "verdicts.jsonl")
}

fn document(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&plant::read(folder, file)).unwrap()
}

/// What `andon shadow` says.
fn asked(data: &Path) -> Value {
    let told = plant::run(&["shadow", "--data", &data.to_string_lossy(), "-o", "json"]);
    serde_json::from_slice(&told.stdout).unwrap()
}

#[test]
fn a_shadow_says_what_a_backtest_says_and_the_run_is_what_it_is_without_one() {
    let scene = Scene::new();
    let (data, both) = (scene.path("data"), scene.path("both"));
    let recorded = scene.path("recorded.ndjson").to_string_lossy().into_owned();
    let mut live = scene.shadowed("data", &["--capture", &recorded, "--shards", "2"]);
    live.run.said("begins now, from what the run remembers");
    live.publish(&scene.captures[0]);
    live.end();

    let out = both.to_string_lossy();
    let candidate = scene.candidate.to_string_lossy();
    plant::run(&[
        "backtest",
        &recorded,
        "--compare",
        &candidate,
        "--out",
        &out,
    ]);
    assert!(verdicts(&data) == verdicts(&both));
    let shadow = data.join("shadow");
    assert!(verdicts(&shadow) == verdicts(&both.join("compare")));
    assert!(verdicts(&shadow) != verdicts(&data));

    let told = document(&shadow, "compare.json");
    let expected = document(&both, "compare.json");
    for part in ["changes", "counts", "unchanged"] {
        assert_eq!(told[part], expected[part], "{part}");
    }
    assert_eq!(told["changes"].as_array().unwrap().len(), 1);
    assert_eq!(told["before"]["profiles"], "built in");
    assert_eq!(told["after"]["profiles"], &*candidate);
    assert_eq!(asked(&data), told);
    let summary = document(&data, "summary.json");
    assert_eq!(summary["comparison"]["counts"], expected["counts"]);
    live.run
        .said("`unknown_destination` no longer finds anything, it was at MEDIUM");
    // What the shadow says can be asked for as what the run says.
    let folder = shadow.to_string_lossy();
    plant::run(&["explain", "all", "--data", &folder]);
    plant::run(&["risk", "plc-assembly-line-3", "--data", &folder]);
}

#[test]
fn a_shadow_goes_on_where_it_stood_when_its_run_is_killed() {
    let scene = Scene::new();
    let mut whole = scene.shadowed("whole", &[]);
    whole.publish(&scene.captures[0]);
    whole.end();
    let mut live = scene.shadowed("data", &[]);
    live.publish(&scene.captures[1]);
    live.run.kill();
    let mut live = scene.shadowed("data", &["--shards", "2"]);
    live.run.said("goes on where it stood");
    live.publish(&scene.captures[2]);
    live.end();
    let data = scene.path("data");
    assert!(!data.join("shadow.1").exists());
    for folder in ["", "shadow"] {
        let expected = canonical(&verdicts(&scene.path("whole").join(folder)));
        assert!(!expected.is_empty());
        assert_eq!(canonical(&verdicts(&data.join(folder))), expected);
    }
    let expected = asked(&scene.path("whole"));
    assert_eq!(asked(&data)["counts"], expected["counts"]);

    // While a run goes on without it, it ends; the next one that wants it begins another.
    let mut without = scene.start("data", &[]);
    without.publish(&scene.captures[2]);
    without.end();
    let ended = &asked(&data)["shadow"]["ended"];
    assert_eq!(ended["cause"], "the run went on without it");
    let mut live = scene.shadowed("data", &[]);
    live.run
        .said("cannot go on with the shadow: it stood at log entry");
    live.run.said("begins now");
    live.end();
    assert!(data.join("shadow.1/verdicts.jsonl").exists());
    assert_eq!(asked(&data)["changes"], json!([]));
}

/// Verdicts without their positions, each once: a run that was killed may write some twice.
fn canonical(bytes: &[u8]) -> BTreeSet<String> {
    let mut verdicts = plant::lines(bytes);
    for verdict in &mut verdicts {
        for finding in verdict["findings"].as_array_mut().unwrap() {
            finding.as_object_mut().unwrap().remove("source");
        }
    }
    verdicts.iter().map(Value::to_string).collect()
}

#[test]
fn a_shadow_that_comes_late_begins_from_what_the_run_remembers() {
    let scene = Scene::new();
    let mut live = scene.start("data", &[]);
    live.publish(&scene.captures[1]);
    live.end();
    let mut live = scene.shadowed("data", &[]);
    live.run.said("begins now");
    live.publish(&scene.captures[2]);
    live.end();
    let data = scene.path("data");
    let from = document(&data.join("shadow"), "shadow.json")["verdicts_from"].as_u64();
    let from = usize::try_from(from.unwrap()).unwrap();
    assert!(from > 0, "the first part raised something");
    // Types of which the profile is the same cannot tell that they are in the shadow.
    let others = |bytes: &[u8]| {
        let mut lines = plant::lines(bytes);
        lines.retain(|line| line["device_type"] != "plc_assembly");
        lines
    };
    let of_the_run = others(&verdicts(&data)[from..]);
    assert!(!of_the_run.is_empty());
    assert_eq!(others(&verdicts(&data.join("shadow"))), of_the_run);
    let told = asked(&data);
    let changes = told["changes"].as_array().unwrap();
    let only_the_plc = changes
        .iter()
        .all(|change| change["device_type"] == "plc_assembly");
    assert!(only_the_plc, "{changes:?}");
}

#[test]
fn a_hangup_reads_the_profiles_of_both_again() {
    let scene = Scene::new();
    let list = scene.path("feed.txt");
    fs::write(&list, "192.0.2.9\n").unwrap();
    let mut live = scene.shadowed("data", &["--indicators", &list.to_string_lossy()]);
    live.publish(&scene.captures[1]);
    // What is wrong with the candidate changes nothing; what is new in the plant is for both.
    let plc = scene.candidate.join("plc_assembly.yaml");
    let text = fs::read_to_string(&plc).unwrap();
    fs::write(&plc, text.replace("destinations:", "destinatoins:")).unwrap();
    fs::write(&list, format!("{REACHED}\n")).unwrap();
    live.run.hang_up();
    live.run.wait_for("were read again and are in force");
    live.run.wait_for("it goes on with the former ones");
    live.publish(&scene.captures[2]);
    let data = scene.path("data");
    assert!(!data.join("shadow.1").exists());

    // Another candidate is another question, asked from here on.
    fs::write(&plc, text.replace(REACHED, "203.0.113.78")).unwrap();
    live.run.hang_up();
    live.run.wait_for("the shadow has begun anew");
    let former = document(&data.join("shadow.1"), "shadow.json");
    assert_eq!(former["ended"]["cause"], "another took its place");
    for folder in [&data, &data.join("shadow.1")] {
        let text = String::from_utf8(verdicts(folder)).unwrap();
        assert!(
            text.contains("known_bad_destination"),
            "{}",
            folder.display()
        );
    }
    live.end();
    assert_eq!(asked(&data)["changes"], json!([]));
}

#[test]
fn a_shadow_that_fails_is_told_and_the_run_goes_on() {
    let scene = Scene::new();
    let mut live = scene.shadowed("data", &[]);
    let data = scene.path("data");
    // Where the shadow would write its state stands something else.
    fs::create_dir(data.join("shadow/state.new")).unwrap();
    live.publish(&scene.captures[0]);
    live.end();
    live.run
        .said("the shadow has ended, the run goes on without it: cannot write");
    live.run.said("Is a directory");
    let ended = &asked(&data)["shadow"]["ended"];
    assert!(
        ended["cause"].as_str().unwrap().contains("Is a directory"),
        "{ended}"
    );
    let mut alone = scene.start("alone", &[]);
    alone.publish(&scene.captures[0]);
    alone.end();
    assert_eq!(
        canonical(&verdicts(&data)),
        canonical(&verdicts(&scene.path("alone")))
    );
}

#[test]
fn a_shadow_that_cannot_be_is_told_before_anything_is_made() {
    let scene = Scene::new();
    let data = scene.path("data");
    let refused = |args: &[&str], words: &str| {
        let ended = plant::andon().args(args).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!data.exists());
    };
    let (folder, candidate) = (data.to_string_lossy(), scene.candidate.to_string_lossy());
    let run = ["run", "--data", &*folder, "--shadow"];
    let on_kafka = [&run[..], &[&*candidate, "--kafka", "127.0.0.1:1"]].concat();
    refused(&on_kafka, "a shadow runs beside a run on MQTT only");
    let nowhere = scene.path("nowhere").to_string_lossy().into_owned();
    refused(&[&run[..], &[&*nowhere]].concat(), "nowhere");
    refused(
        &["shadow", "--data", &*folder],
        "`andon run --shadow DIR` starts one",
    );
}
