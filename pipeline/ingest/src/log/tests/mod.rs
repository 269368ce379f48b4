//! The log from outside, on real files: what goes in comes back, and what comes back is whole.
//!
//! This file holds what the others share.

mod damage;
mod life;
mod stored;

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Small segments, so that a few records make several; a few commits fit into each.
fn small() -> Options {
    Options {
        segment_bytes: 1_000,
        directory_bytes: 100_000,
        ..Options::default()
    }
}

fn open(directory: &Path) -> Result<(Log, Recovery), LogError> {
    Log::open(directory, small(), |_| {})
}

fn message(number: usize) -> Body {
    Body::Message {
        topic: format!("andon/v1/in/plant/device-{number}/reading"),
        payload: vec![b'x'; number % 50],
        sender: (!number.is_multiple_of(3)).then(|| format!("device-{number}")),
        proven: number % 3 == 2,
    }
}

/// Appends so many messages, with a commit after every `commit` of them, and closes the log.
fn fill(directory: &Path, messages: usize, commit: usize) {
    let options = Options {
        // Not before it is told to.
        commit_every: Duration::from_secs(3_600),
        ..small()
    };
    let (log, _) = Log::open(directory, options, |_| {}).unwrap();
    for number in 1..=messages {
        log.append(1_000, &message(number), None).unwrap();
        if number % commit == 0 {
            log.sync().unwrap();
        }
    }
    log.close().unwrap();
}

fn read(log: &Log, from: u64) -> Vec<Entry> {
    log.replay(from).unwrap().map(Result::unwrap).collect()
}

/// The segments of a directory, oldest first.
fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| segment::first_of(path).is_some())
        .collect();
    paths.sort();
    paths
}
