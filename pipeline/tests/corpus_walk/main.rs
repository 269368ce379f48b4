//! What is found in real captures, folder by folder, with the figures printed: run it with
//! `ANDON_CORPUS` set and `-- --nocapture`. Without it these tests say that they were skipped.
//!
//! Everything goes through the binary, as its user runs it: learn from clean traffic, then backtest
//! other traffic against what was learned.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and the figures are what it is for"
)]

mod hosts;
mod hours;
mod mill;
mod packets;
#[path = "../plant/mod.rs"]
mod plant;
mod plc;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Nothing in the captures is younger.
const AS_OF: &str = "2027-01-01T00:00:00Z";

/// A folder of the corpus.
fn corpus(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ANDON_CORPUS");
    if root.is_none() {
        eprintln!("skipped: ANDON_CORPUS does not name the folder of real captures");
    }
    root.map(|root| PathBuf::from(root).join(folder))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An inventory of devices by type, each with its addresses; ids are `TYPE-ADDRESS`.
fn inventory(devices: &BTreeMap<&str, BTreeSet<String>>, time_zone: &str) -> String {
    let mut yaml = format!(
        "site: corpus\ntime_zone: {time_zone}\nnetworks: [0.0.0.0/0]\n\
         segments:\n  - {{ name: all, networks: [0.0.0.0/0] }}\ndevices:\n"
    );
    for (kind, addresses) in devices {
        for address in addresses {
            writeln!(
                yaml,
                "  - {{ type: {kind}, segment: all, id: {kind}-{address}, addresses: {address}, \
                 assessment: {{ safety_impact: LOW, production_impact: SUPPORT, \
                 data_sensitivity: PUBLIC, attack_surface: LOW }} }}"
            )
            .unwrap();
        }
    }
    yaml
}

/// Folders of one run: its inventory, the profiles it begins with, what it learns and reports.
struct Run {
    folder: tempfile::TempDir,
}

impl Run {
    /// A run over these devices; of their types nothing is known yet.
    fn over(devices: &BTreeMap<&str, BTreeSet<String>>, time_zone: &str) -> Self {
        let run = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(run.path("inventory.yaml"), inventory(devices, time_zone)).unwrap();
        fs::create_dir(run.path("bare")).unwrap();
        for kind in devices.keys() {
            run.write_profile("bare", kind, "");
        }
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_profile(&self, folder: &str, kind: &str, body: &str) {
        fs::create_dir_all(self.path(folder)).unwrap();
        let text = format!("profile: {kind}\nversion: \"1\"\n{body}");
        fs::write(self.path(folder).join(format!("{kind}.yaml")), text).unwrap();
    }

    /// Learns from captures into the folder `learned`.
    fn learn(&self, captures: &[PathBuf]) {
        let captures: Vec<_> = captures.iter().map(|path| text(path)).collect();
        let (inventory, bare) = (text(&self.path("inventory.yaml")), text(&self.path("bare")));
        let learned = text(&self.path("learned"));
        let mut args = vec!["learn", "--as-of", AS_OF, "--inventory", &inventory];
        args.extend(["--profiles", &bare, "--out", &learned]);
        args.extend(captures.iter().map(String::as_str));
        plant::run(&args);
    }

    /// The findings of a backtest against a folder of profiles.
    fn backtest(&self, capture: &Path, profiles: &str) -> Vec<Finding> {
        let out = self.path("out");
        let (capture, inventory) = (text(capture), text(&self.path("inventory.yaml")));
        let (profiles, folder) = (text(&self.path(profiles)), text(&out));
        let mut args = vec!["backtest", &capture, "--as-of", AS_OF, "--out", &folder];
        args.extend(["--inventory", &inventory, "--profiles", &profiles]);
        plant::run(&args);
        findings(&out)
    }
}

/// One finding as it stood in some revision of a verdict.
#[derive(Clone, Debug)]
struct Finding {
    verdict: String,
    device: String,
    at: String,
    detector: String,
    grade: String,
    sentence: String,
    techniques: Vec<String>,
    observed: Value,
}

/// Every finding of a run, in every revision, in their order.
fn findings(out: &Path) -> Vec<Finding> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for verdict in plant::lines(&plant::read(out, "verdicts.jsonl")) {
        for finding in verdict["findings"].as_array().unwrap() {
            let techniques = finding["techniques"].as_array().unwrap();
            all.push(Finding {
                verdict: word(&verdict["verdict_id"]),
                device: word(&verdict["device_id"]),
                at: word(&verdict["event_time"]),
                detector: word(&finding["detector"]),
                grade: word(&finding["grade"]),
                sentence: word(&finding["sentence"]),
                techniques: techniques.iter().map(word).collect(),
                observed: finding["observed"].clone(),
            });
        }
    }
    all
}

/// The bounds that the share of successes lies between with a confidence of 95 % (Clopper and
/// Pearson, 1934), by bisection of the binomial distribution.
fn interval(successes: u32, trials: u32) -> (f64, f64) {
    let at_most = |k: u32, p: f64| {
        let mut term = (1.0 - p).powi(trials.cast_signed());
        let mut sum = term;
        for i in 0..k {
            term *= f64::from(trials - i) / f64::from(i + 1) * p / (1.0 - p);
            sum += term;
        }
        sum
    };
    let bisect = |low_if: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if low_if(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    };
    let low = match successes {
        0 => 0.0,
        k => bisect(&|p| 1.0 - at_most(k - 1, p) < 0.025),
    };
    let high = if successes == trials {
        1.0
    } else {
        bisect(&|p| at_most(successes, p) > 0.025)
    };
    (low, high)
}

#[test]
fn intervals_are_those_of_the_tables() {
    let near = |(a, b): (f64, f64), (c, d): (f64, f64)| {
        assert!((a - c).abs() < 5e-4 && (b - d).abs() < 5e-4, "{a} {b}");
    };
    near(interval(0, 10), (0.0, 0.3085));
    near(interval(5, 10), (0.1871, 0.8129));
    near(interval(10, 10), (0.6915, 1.0));
}
