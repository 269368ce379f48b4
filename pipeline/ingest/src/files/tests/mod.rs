//! Files end to end, from hand-written logs that hold one trap each.

mod arrow;
mod csv;
mod damage;
mod eve;
mod exports;
mod native;
mod packed;
mod packets;
mod zeek;

use std::fs;
use std::path::{Path, PathBuf};

use andon_schemas::observation::{Body, FlowRecord, Record, RecordBody, Resolution};
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use tempfile::TempDir;

use super::{Captures, Item, OpenOptions, open};

const AS_OF: EventTime = EventTime::from_micros(1_800_000_000_000_000);

/// Files in a folder of their own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What came out of captures.
#[derive(Debug, Default)]
struct Read {
    items: Vec<Item>,
    records: Vec<Record>,
    rejects: Vec<Reject>,
    numbers: Vec<u64>,
}

impl Read {
    fn reasons(&self) -> Vec<(RejectReason, u64)> {
        self.rejects
            .iter()
            .map(|reject| (reject.reason, reject.source.offset))
            .collect()
    }

    fn flows(&self) -> Vec<&FlowRecord> {
        self.records.iter().filter_map(flow).collect()
    }

    fn resolutions(&self) -> Vec<&Resolution> {
        self.records
            .iter()
            .filter_map(|record| match &record.body {
                RecordBody::Single(Body::Resolution(resolution)) => Some(resolution),
                _ => None,
            })
            .collect()
    }
}

fn flow(record: &Record) -> Option<&FlowRecord> {
    match &record.body {
        RecordBody::Flow(flow) => Some(flow),
        RecordBody::Single(_) => None,
    }
}

fn captures(paths: &[PathBuf]) -> Captures {
    open(paths, OpenOptions::as_of(AS_OF)).unwrap()
}

fn drain(captures: &mut Captures) -> Read {
    let mut read = Read::default();
    loop {
        let batch = captures.next_batch(7).unwrap();
        if batch.is_empty() {
            return read;
        }
        for item in batch {
            match &item {
                Item::Record { record, source } => {
                    read.records.push(record.clone());
                    read.numbers.push(source.offset);
                }
                Item::Reject(reject) => read.rejects.push(reject.clone()),
                Item::Tick(_) | Item::Control { .. } => {}
            }
            read.items.push(item);
        }
    }
}

fn read_paths(paths: &[PathBuf]) -> Read {
    drain(&mut captures(paths))
}

/// Reads one file of this content.
fn read(name: &str, content: impl AsRef<[u8]>) -> Read {
    let folder = Folder::new();
    let path = folder.put(name, content);
    read_paths(&[path])
}
