//! Snapshots on the local disk: what a process that comes back goes on from without reading them
//! out of the cluster. The newest two of every partition are kept, so that one which got damaged
//! does not cost more than reading a little further back.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;

use super::snapshot::Snapshot;

/// How many snapshots of a partition are kept.
const KEPT: usize = 2;
const ENDING: &str = ".snapshot";

/// A folder of snapshots.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

/// A snapshot on the disk, or why it cannot be used.
#[derive(Debug)]
pub struct Found {
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub snapshot: anyhow::Result<Snapshot>,
}

impl Shelf {
    /// The one in a data folder; made when the first snapshot is saved.
    pub fn within(data: &Path) -> Self {
        Self {
            folder: data.join("kafka"),
        }
    }

    /// Saves a snapshot: written beside the others, synced, then put in its place. Those that are
    /// older than the one before it are deleted.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn save(&self, snapshot: &Snapshot) -> anyhow::Result<()> {
        let manifest = &snapshot.manifest;
        let write = || -> anyhow::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let beside = self.folder.join(format!("{}new", stem(manifest.partition)));
            let mut file = File::create(&beside)?;
            file.write_all(&snapshot.to_bytes()?)?;
            file.sync_all()?;
            let name = format!("{}{:020}{ENDING}", stem(manifest.partition), manifest.epoch);
            fs::rename(&beside, self.folder.join(name))?;
            File::open(&self.folder)?.sync_all()?;
            for path in self.paths(manifest.partition)?.iter().skip(KEPT) {
                fs::remove_file(path)?;
            }
            Ok(())
        };
        write().with_context(|| {
            format!(
                "cannot save the state of partition {} in `{}`",
                manifest.partition,
                self.folder.display()
            )
        })
    }

    /// The snapshots of a partition, newest first.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn find(&self, partition: i32) -> io::Result<Vec<Found>> {
        let found = self.paths(partition)?.into_iter().map(|path| Found {
            snapshot: fs::read(&path)
                .map_err(Into::into)
                .and_then(|bytes| Snapshot::from_bytes(&bytes)),
            path,
        });
        Ok(found.collect())
    }

    /// Newest first: the epoch is in the name.
    fn paths(&self, partition: i32) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let is_ours = |name: &str| name.starts_with(&stem(partition)) && name.ends_with(ENDING);
            if name.is_some_and(is_ours) {
                paths.push(path);
            }
        }
        paths.sort();
        paths.reverse();
        Ok(paths)
    }
}

fn stem(partition: i32) -> String {
    format!("partition-{partition:05}-")
}

/// Saves snapshots while the run goes on.
#[derive(Debug)]
pub struct Saving {
    snapshots: Option<SyncSender<Snapshot>>,
    thread: Option<JoinHandle<()>>,
}

impl Saving {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(shelf: Shelf) -> io::Result<Self> {
        let (snapshots, inbox) = sync_channel(4);
        let thread = thread::Builder::new()
            .name("snapshots".to_owned())
            .spawn(move || serve(&shelf, &inbox))?;
        Ok(Self {
            snapshots: Some(snapshots),
            thread: Some(thread),
        })
    }

    /// Saves a snapshot soon. One that the disk has no time for is left out: the cluster holds it
    /// too.
    pub fn save(&self, snapshot: Snapshot) {
        let Some(snapshots) = &self.snapshots else {
            return;
        };
        if let Err(TrySendError::Full(left_out)) = snapshots.try_send(snapshot) {
            tracing::warn!(
                partition = left_out.manifest.partition,
                "the disk is too slow: a snapshot was left out"
            );
        }
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        self.snapshots = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that saves snapshots ended by a panic");
        }
    }
}

fn serve(shelf: &Shelf, inbox: &Receiver<Snapshot>) {
    while let Ok(snapshot) = inbox.recv() {
        if let Err(error) = shelf.save(&snapshot) {
            tracing::error!("{error:#}; the cluster still holds it");
        }
    }
}
