//! The write-ahead log when its process is killed: what had been reported as durable is there.
#![expect(
    clippy::unwrap_used,
    reason = "a test, whose child process reports by printing"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use andon_ingest::log::{Body, Commit, Log, Options};

/// Tells the child process which directory to write to.
const DIRECTORY: &str = "ANDON_TEST_LOG_DIRECTORY";

/// How often the process is killed, and after how many reports each time.
const KILLS: u64 = 5;
const REPORTS: usize = 20;

fn body(sequence: u64) -> Body {
    let length = usize::try_from(sequence % 300).unwrap();
    Body::Control {
        kind: sequence.to_string(),
        payload: vec![b'x'; length],
    }
}

fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        ..Options::default()
    }
}

/// The child process: appends until it is killed, and prints every number that is durable.
#[test]
fn appends_until_it_is_killed_if_it_is_the_child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let report = |commit: Commit| println!("durable {}", commit.through);
    let (log, _) = Log::open(Path::new(&directory), options(), report).unwrap();
    loop {
        let sequence = log.append(0, &body(log.last_sequence() + 1), None);
        if sequence.unwrap().is_multiple_of(50) {
            log.sync().unwrap();
        }
    }
}

#[test]
fn what_was_reported_as_durable_survives_being_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut durable = 0;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("appends_until_it_is_killed_if_it_is_the_child")
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut reported = lines.map_while(Result::ok).filter_map(|line| {
            let (_, number) = line.split_once("durable ")?;
            number.parse::<u64>().ok()
        });
        let last = reported.by_ref().take(REPORTS).last().unwrap();
        child.kill().unwrap();
        // What it said before it died counts as well; a number cut short is not a larger one.
        let last = reported.last().unwrap_or(last);
        child.wait().unwrap();
        assert!(last > durable);
        durable = last;

        let (log, recovery) = Log::open(directory.path(), options(), |_| {}).unwrap();
        assert!(recovery.last >= durable);
        let mut expected = 0;
        for entry in log.replay(1).unwrap() {
            let entry = entry.unwrap();
            expected += 1;
            assert_eq!((entry.sequence, entry.body), (expected, body(expected)));
        }
        assert_eq!(expected, recovery.last);
    }
}
