//! A backtest on a scheduler and two executors writes what a backtest in one process writes, byte
//! for byte, also when an executor is lost in the middle.
#![cfg(feature = "cluster")]
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use andon_lab::cluster::submit;
use serde_json::Value;
use tempfile::TempDir;

/// What a backtest writes, but for `summary.json`, which holds how long it took.
const FILES: [&str; 8] = [
    "verdicts.jsonl",
    "commands.jsonl",
    "incidents.jsonl",
    "risk.jsonl",
    "rejects.jsonl",
    "late.jsonl",
    "duplicates.jsonl",
    "devices.json",
];

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process of a cluster; it ends with its test.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Process {
    fn start(folder: &Path, name: &str, args: &[&str]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let mut command = plant::andon();
        command
            .arg("cluster")
            .args(args)
            .env("RUST_LOG", "andon=info")
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap());
        Self {
            child: command.spawn().unwrap(),
            log,
        }
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to end, and sees that it does so in order.
    fn end(mut self) {
        plant::terminate(&self.child);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.told());
    }
}

/// A scheduler and its folder.
struct Cluster {
    folder: TempDir,
    at: String,
    scheduler: Process,
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Cluster {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = free();
        let listen = at.to_string();
        let args = ["scheduler", "--listen", &listen];
        let scheduler = Process::start(folder.path(), "scheduler", &args);
        wait_for("the scheduler", || TcpStream::connect(at).is_ok());
        Self {
            folder,
            at: listen,
            scheduler,
        }
    }

    fn executor(&self, name: &str) -> Process {
        let listen = free().to_string();
        let made = self.folder.path().join(name);
        let made = made.to_string_lossy();
        let mut args = vec!["executor", "--scheduler", &self.at, "--listen", &listen];
        args.extend(["--folder", &made]);
        Process::start(self.folder.path(), name, &args)
    }

    /// The arguments of a backtest that it does.
    fn backtest<'a>(&'a self, capture: &'a str, out: &'a str, tasks: &'a str) -> Vec<&'a str> {
        let mut args = backtest(capture, out, tasks);
        args.extend(["--cluster", &self.at]);
        args
    }
}

fn backtest<'a>(capture: &'a str, out: &'a str, shards: &'a str) -> Vec<&'a str> {
    let as_of = "2026-01-01T00:00:00Z";
    vec![
        "backtest", capture, "--out", out, "--as-of", as_of, "--shards", shards,
    ]
}

/// A capture with attacks and with lines that are none.
fn capture(folder: &Path, limit: &str) -> String {
    let attacks = ["plc-night-exfil", "silent-sensor", "idle-current-mining"];
    let capture = plant::simulate(folder, "3", limit, &attacks);
    let mut text = fs::read_to_string(&capture).unwrap();
    text.push_str("{\"kind\":\"flow\"}\nnonsense\n");
    fs::write(&capture, text).unwrap();
    capture.to_string_lossy().into_owned()
}

fn summary(folder: &Path) -> Value {
    let mut summary: Value = serde_json::from_slice(&plant::read(folder, "summary.json")).unwrap();
    let fields = summary.as_object_mut().unwrap();
    fields.retain(|name, _| {
        !["elapsed_s", "observations_per_s", "peak_rss_bytes"].contains(&name.as_str())
    });
    summary
}

fn assert_same(one: &Path, other: &Path, what: &str) {
    for file in FILES {
        let (one, other) = (plant::read(one, file), plant::read(other, file));
        assert!(one == other, "{what}: {file}");
    }
    assert_eq!(summary(one), summary(other), "{what}");
}

#[test]
fn two_executors_and_any_number_of_shards_give_the_same() {
    let cluster = Cluster::start();
    let executors = ["one", "two"].map(|name| cluster.executor(name));
    let folder = cluster.folder.path();
    let capture = capture(folder, "16000");
    let reference = folder.join("reference");
    plant::run(&backtest(&capture, &reference.to_string_lossy(), "1"));
    let verdicts = plant::lines(&plant::read(&reference, "verdicts.jsonl"));
    assert!(
        verdicts
            .iter()
            .any(|verdict| verdict["grade"] == "CRITICAL")
    );
    assert_eq!(
        plant::lines(&plant::read(&reference, "rejects.jsonl")).len(),
        2
    );
    for shards in ["2", "8"] {
        let out = folder.join(format!("here-{shards}"));
        plant::run(&backtest(&capture, &out.to_string_lossy(), shards));
        assert_same(&reference, &out, &format!("{shards} shards"));
    }
    for tasks in ["1", "2", "5"] {
        let out = folder.join(format!("there-{tasks}"));
        plant::run(&cluster.backtest(&capture, &out.to_string_lossy(), tasks));
        assert_same(&reference, &out, &format!("{tasks} tasks"));
    }
    for executor in executors {
        assert!(executor.told().contains("is done"), "{}", executor.told());
        executor.end();
    }
    cluster.scheduler.end();
}

#[test]
fn the_tasks_of_an_executor_that_is_lost_are_done_by_another() {
    let cluster = Cluster::start();
    let folder = cluster.folder.path();
    let capture = capture(folder, "60000");
    let reference = folder.join("reference");
    plant::run(&backtest(&capture, &reference.to_string_lossy(), "2"));
    let lost = cluster.executor("lost");
    let out = folder.join("there");
    let text = out.to_string_lossy();
    let asked = plant::andon()
        .args(cluster.backtest(&capture, &text, "2"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut asked = Process {
        child: asked,
        log: folder.join("none"),
    };
    wait_for("the first task", || lost.told().contains("began"));
    // Killed in the middle, without a word to anybody.
    drop(lost);
    let other = cluster.executor("other");
    let mut status = None;
    wait_for("the end of the backtest", || {
        status = asked.child.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success());
    assert!(
        other.told().contains("task 0 of 2 is done"),
        "{}",
        other.told()
    );
    assert_same(&reference, &out, "after a loss");
}

/// What a backtest complains of; it must be the user's to change, or the cluster's.
fn complaint(args: &[&str], status: i32) -> String {
    let output = plant::andon().args(args).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{told}");
    told
}

#[test]
fn what_a_cluster_cannot_do_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path(), "100");
    let out = folder.path().join("out").to_string_lossy().into_owned();
    let nobody = free().to_string();
    let asked = |extra: &[&'static str]| {
        let mut args = backtest(&capture, &out, "2");
        args.extend(["--cluster", &nobody]);
        args.extend(extra);
        args.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let told = |extra: &[&'static str], status| {
        let args = asked(extra);
        complaint(&args.iter().map(String::as_str).collect::<Vec<_>>(), status)
    };
    // What an earlier backtest found stays, as long as nothing takes its place.
    plant::run(&backtest(&capture, &out, "1"));
    let unheard = told(&[], 1);
    assert!(Path::new(&out).join("report.html").exists());
    assert!(!plant::read(Path::new(&out), "risk.jsonl").is_empty());
    assert!(unheard.contains(&nobody), "{unheard}");
    assert!(told(&["--compare", "profiles"], 2).contains("--compare does not go"));
    assert!(told(&["--restart-every", "1"], 2).contains("--restart-every does not go"));
    let relative = complaint(&["backtest", "here.ndjson", "--cluster", &nobody], 2);
    assert!(relative.contains("here.ndjson"), "{relative}");
    let unwritten = complaint(&["backtest", &capture, "--cluster", "http://a/"], 2);
    assert!(unwritten.contains("host and port"), "{unwritten}");
    let alone = [
        "cluster",
        "executor",
        "--scheduler",
        &nobody,
        "--listen",
        &nobody,
    ];
    assert!(complaint(&alone, 1).contains("no scheduler answers"));
    let elsewhere = ["cluster", "executor", "--scheduler", "10.0.0.1:50050"];
    assert!(complaint(&elsewhere, 2).contains("from this machine only"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    assert!(complaint(&["cluster", "scheduler", "--listen", &taken], 2).contains("cannot listen"));
    let everywhere = ["cluster", "executor", "--listen", "0.0.0.0:0"];
    assert!(complaint(&everywhere, 2).contains("every address"));
    // A scheduler without executors does nothing, and does not make anybody wait for ever.
    let cluster = Cluster::start();
    let waited = complaint(&cluster.backtest(&capture, &out, "2"), 1);
    assert!(waited.contains("has no executor"), "{waited}");
}

#[test]
fn what_an_executor_refuses_is_told_where_it_was_asked_for() {
    let cluster = Cluster::start();
    let executor = cluster.executor("one");
    let told = |order: &str| {
        let mut answers = submit(&cluster.at, order.to_owned(), 2).unwrap();
        answers.next().unwrap().unwrap_err()
    };
    let other = told(r#"{"build":"9.9.9","what":"nobody knows"}"#);
    assert!(other.starts_with("the cluster at"), "{other}");
    assert!(other.contains("asked for by andon 9.9.9: copy"), "{other}");
    assert!(told("nonsense").contains("it is no order"));
    assert!(executor.told().contains("failed"));
}
