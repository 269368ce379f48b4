//! An outlet: a spool, a way to a receiver, and the thread that carries from one to the other.
//!
//! Whoever puts a verdict in waits for nobody but the disk. What is in the spool goes out in order,
//! each at least once, however long the receiver is away. What falls off a full spool is lost, which is
//! counted and told; what a receiver cannot use is put aside.

mod carrier;
mod counts;
mod filter;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use andon_schemas::grade::Grade;
use andon_schemas::verdict::Verdict;

use self::carrier::Carrier;
pub use self::counts::{Counts, Status};
use self::filter::Filter;
use super::spool::Spool;
use super::way::Way;

#[cfg(test)]
mod tests;

/// What a spool holds unless it is told.
pub const SPOOL_BYTES: u64 = 256 * 1_024 * 1_024;

/// What an outlet is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletOptions {
    /// Of its folder and its counts.
    pub name: String,
    /// Episodes that never were as bad are not told.
    pub min_grade: Grade,
    /// Episodes that never were an alert are not told.
    pub only_alerts: bool,
    /// Most bytes that wait.
    pub spool_bytes_max: u64,
}

/// An outlet at work.
#[derive(Debug)]
pub struct Outlet {
    name: String,
    folder: PathBuf,
    filter: Filter,
    spool: Arc<Spool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

impl Outlet {
    /// Goes on where the outlet of this name stopped, in a folder of its own below `folder`.
    ///
    /// # Errors
    /// If the disk fails, or the system gives no thread.
    pub fn start(folder: &Path, options: &OutletOptions, way: Box<dyn Way>) -> io::Result<Self> {
        let folder = folder.join(&options.name);
        fs::create_dir_all(&folder)?;
        let spool = Arc::new(Spool::open(&folder, options.spool_bytes_max)?);
        let counts = Arc::new(Counts::default());
        let carrier = Carrier::new(options.name.clone(), &folder, &spool, &counts, way);
        let thread = std::thread::Builder::new()
            .name(format!("siem {}", options.name))
            .spawn(move || carrier.run())?;
        Ok(Self {
            name: options.name.clone(),
            filter: Filter::open(&folder, options.min_grade, options.only_alerts)?,
            folder,
            spool,
            counts,
            thread: Some(thread),
        })
    }

    /// Takes a verdict, if it is one of those that it tells. `is_alert`: this revision is worth a
    /// person's time now.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn take(&mut self, verdict: &Verdict, is_alert: bool) -> io::Result<()> {
        if !self.filter.passes(verdict, is_alert) {
            return Ok(());
        }
        let line = serde_json::to_vec(verdict)?;
        let lost = self.spool.put(&line)?;
        self.counts.taken(1);
        if lost > 0 {
            self.counts.lost(lost);
            tracing::error!(
                "siem {}: the spool is full, and the {lost} oldest verdicts in it are lost to the \
                 receiver; they are in the files of the run",
                self.name
            );
        }
        Ok(())
    }

    /// Makes sure that what was taken is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&mut self) -> io::Result<()> {
        self.spool.sync()?;
        self.filter.keep(&self.folder)
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.counts.status(&self.name, self.spool.waiting())
    }

    /// Carries on for as long as it takes, or `patience`, or until the receiver is in trouble; what
    /// is left waits for the next start.
    pub fn close(&mut self, patience: Duration) {
        self.counts.close_within(patience);
        self.spool.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("siem {}: its thread ended by a panic", self.name);
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}
