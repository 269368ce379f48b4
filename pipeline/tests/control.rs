//! Profiles and lists of hostile destinations change while a run goes on: the change is input like
//! any row, in the log, in the recorded run, and beside the verdicts.
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

use serde_json::Value;

use crate::watched::Watched;

/// Where the profiles of the product lie.
const PROFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles");

/// A plant whose profiles can be written to, and a run on it.
struct Live {
    folder: tempfile::TempDir,
    /// The first half of what is published, and the second.
    halves: [PathBuf; 2],
}

impl Live {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profiles = folder.path().join("profiles");
        fs::create_dir(&profiles).unwrap();
        for entry in fs::read_dir(PROFILES).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, profiles.join(path.file_name().unwrap())).unwrap();
            }
        }
        let capture = plant::simulate(folder.path(), "2", "4000", &["plc-night-exfil"]);
        let text = fs::read_to_string(&capture).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let half = lines.len() / 2;
        let halves = [&lines[..half], &lines[half..]].map(|lines| lines.join("\n") + "\n");
        let paths = ["first", "second"].map(|name| folder.path().join(format!("{name}.ndjson")));
        for (path, text) in paths.iter().zip(halves) {
            fs::write(path, text).unwrap();
        }
        Self {
            folder,
            halves: paths,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run, and where it listens.
    fn start(&self, data: &str, extra: &[&str]) -> (Watched, String) {
        let mut command = plant::andon();
        command
            .args(["run", "--mqtt", "127.0.0.1:0", "--data"])
            .arg(self.path(data))
            .arg("--profiles")
            .arg(self.path("profiles"))
            .args(extra);
        let mut run = Watched::start("andon", command.env("RUST_LOG", "info"));
        let said = run.wait_for("listening on mqtt://");
        let address = said.rsplit(' ').next().unwrap().to_owned();
        (run, address)
    }

    /// A run whose profiles were changed between the two halves of what is published: the address
    /// that the attack reaches is a destination in the second.
    fn changed(&self, data: &str, extra: &[&str]) -> Watched {
        let (mut run, address) = self.start(data, extra);
        self.publish(0, &address);
        self.rewrite(
            &run,
            "destinations:\n",
            "destinations:\n  - { address: 203.0.113.77 }\n",
        );
        run.wait_for("were read again and are in force");
        self.publish(1, &address);
        run
    }

    fn publish(&self, half: usize, address: &str) {
        let capture = self.halves[half].to_string_lossy();
        plant::run(&["publish", &*capture, "--mqtt", address]);
    }

    /// Rewrites a profile and asks the run to read its files again.
    fn rewrite(&self, run: &Watched, from: &str, to: &str) {
        let path = self.path("profiles/plc_assembly.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
        run.hang_up();
    }
}

/// Lines of verdicts; a run that was killed may have written some twice.
fn distinct(data: &Path) -> BTreeSet<String> {
    let bytes = plant::read(data, "verdicts.jsonl");
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_change_of_profiles_is_recorded_replayed_and_explained() {
    let live = Live::new();
    let recorded = live.path("recorded.ndjson");
    let mut run = live.changed("data", &["--capture", &recorded.to_string_lossy()]);
    assert!(run.terminate().success());

    let data = live.path("data");
    let verdicts = plant::lines(&plant::read(&data, "verdicts.jsonl"));
    let of_the_plc = |v: &&Value| v["device_type"] == "plc_assembly";
    let hashes: BTreeSet<_> = verdicts
        .iter()
        .filter(of_the_plc)
        .map(|v| v["profile"]["hash"].to_string())
        .collect();
    assert_eq!(
        hashes.len(),
        2,
        "verdicts before and after the change are expected"
    );

    // The recording brings the plant along, in its beginning and where it changed.
    let again = live.path("again");
    plant::run(&[
        "backtest",
        &recorded.to_string_lossy(),
        "--out",
        &again.to_string_lossy(),
    ]);
    assert!(plant::read(&again, "verdicts.jsonl") == plant::read(&data, "verdicts.jsonl"));
    compared_with_what_was_recorded(&live, &recorded, &data);
    for folder in [&data, &again] {
        let told = plant::run(&[
            "explain",
            "all",
            "--data",
            &folder.to_string_lossy(),
            "-o",
            "json",
        ]);
        let told = plant::lines(&told.stdout);
        assert_eq!(told.len(), verdicts.len());
        assert!(told.iter().all(|line| line["equal"] == true), "{told:?}");
    }
}

/// What a recording is compared with is what was in force, at every moment; the profiles compared
/// with take the place of all of them.
fn compared_with_what_was_recorded(live: &Live, recorded: &Path, data: &Path) {
    let [both, other] = ["both", "other"].map(|name| live.path(name));
    for (out, profiles) in [(&both, "--compare"), (&other, "--profiles")] {
        plant::run(&[
            "backtest",
            &recorded.to_string_lossy(),
            "--out",
            &out.to_string_lossy(),
            profiles,
            PROFILES,
        ]);
    }
    let verdicts = |folder: &Path| plant::read(folder, "verdicts.jsonl");
    assert!(verdicts(&both) == verdicts(data));
    assert!(verdicts(&both.join("compare")) == verdicts(&other));
    let comparison: Value = serde_json::from_slice(&plant::read(&both, "compare.json")).unwrap();
    assert_eq!(comparison["before"]["profiles"], "as recorded");
    let field = &comparison["profiles"][0]["differences"][0]["field"];
    assert_eq!(field, "destinations: 203.0.113.77");
}

#[test]
fn a_run_that_is_killed_measures_every_row_against_what_was_in_force() {
    let live = Live::new();
    let run = live.changed("killed", &[]);
    drop(run);

    // The log tells all of it again, each row measured against what was in force.
    let before = distinct(&live.path("killed"));
    let (mut run, _) = live.start("killed", &[]);
    assert!(run.terminate().success());
    let after = distinct(&live.path("killed"));
    assert!(before.is_subset(&after));
    let lines = plant::lines(
        after
            .iter()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
            .as_bytes(),
    );
    let revisions: BTreeSet<_> = lines
        .iter()
        .map(|line| (line["verdict_id"].to_string(), line["revision"].to_string()))
        .collect();
    assert_eq!(
        revisions.len(),
        lines.len(),
        "a revision was told in two ways"
    );
    // Files that changed while nothing ran are a change too.
    let text = fs::read_to_string(live.path("profiles/plc_assembly.yaml")).unwrap();
    fs::write(
        live.path("profiles/plc_assembly.yaml"),
        text.replace("203.0.113.77", "203.0.113.78"),
    )
    .unwrap();
    let (mut run, _) = live.start("killed", &[]);
    assert!(run.terminate().success());
    assert_eq!(fs::read_dir(live.path("killed/plants")).unwrap().count(), 3);
}

#[test]
fn files_that_cannot_be_used_leave_the_former_ones_in_force() {
    let live = Live::new();
    let (mut run, address) = live.start("data", &[]);
    live.publish(0, &address);
    live.rewrite(&run, "destinations:", "destinatoins:");
    run.wait_for("the former ones stay in force");
    run.wait_for("Did you mean `destinations`");
    live.publish(1, &address);
    assert!(run.terminate().success());
    let summary: Value =
        serde_json::from_slice(&plant::read(&live.path("data"), "summary.json")).unwrap();
    let lines = live
        .halves
        .iter()
        .map(|path| fs::read_to_string(path).unwrap().lines().count());
    assert_eq!(summary["records"], lines.sum::<usize>());
}

/// Whom the attack reaches is on no list at first, and on one from the second half on.
#[test]
fn a_list_of_hostile_destinations_is_read_again_recorded_and_explained() {
    let live = Live::new();
    let feed = live.path("feed.txt");
    fs::write(&feed, "192.0.2.9\n").unwrap();
    let recorded = live.path("recorded.ndjson").to_string_lossy().into_owned();
    let list = feed.to_string_lossy().into_owned();
    let (mut run, address) = live.start("data", &["--indicators", &list, "--capture", &recorded]);
    live.publish(0, &address);
    fs::write(&feed, "192.0.2.9\n10.0.0.0/8\n").unwrap();
    run.hang_up();
    run.wait_for("feed.txt cannot be used: 1 problem");
    fs::write(&feed, "203.0.113.77 # a stranger's server\n").unwrap();
    run.hang_up();
    run.wait_for("were read again and are in force");
    live.publish(1, &address);
    assert!(run.terminate().success());

    let data = live.path("data");
    let verdicts = plant::lines(&plant::read(&data, "verdicts.jsonl"));
    let found = verdicts.iter().any(|verdict| {
        let mut findings = verdict["findings"].as_array().unwrap().iter();
        findings.any(|finding| {
            finding["detector"] == "known_bad_destination"
                && finding["observed"]["note"] == "a stranger's server"
        })
    });
    assert!(found, "the second half reaches it");
    let again = live.path("again");
    let folder = again.to_string_lossy().into_owned();
    plant::run(&["backtest", &recorded, "--out", &folder]);
    assert!(plant::read(&again, "verdicts.jsonl") == plant::read(&data, "verdicts.jsonl"));
    plant::run(&["explain", "all", "--data", &data.to_string_lossy()]);
    plant::run(&["explain", "all", "--data", &folder]);
}
