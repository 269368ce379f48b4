//! An outlet: a spool, a way to a receiver, and the thread that carries from one to the other.
//!
//! Whoever puts something in waits for nobody but the disk. What is in the spool goes out in order,
//! each at least once, however long the receiver is away. What falls off a full spool is lost, which is
//! counted and told; what a receiver cannot use is put aside.

mod carrier;
mod counts;
mod dead;
mod ending;
mod way;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::carrier::Carrier;
pub use self::counts::{Counts, Status};
pub use self::ending::Ending;
pub use self::way::{Event, Trouble, Way};
use crate::spool::Spool;

/// What a spool holds unless it is told.
pub const SPOOL_BYTES: u64 = 256 * 1_024 * 1_024;

/// How long an outlet whose time is over is given to see it, before it is left behind.
const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;

/// What outlets carry; a line of JSON in the spool.
pub trait Told: Serialize + DeserializeOwned + 'static {
    /// The section of the configuration that its outlets are of.
    const SECTION: &'static str;
    /// What one is called.
    const ONE: &'static str;
    /// What several are called.
    const MANY: &'static str;

    /// Names it among all: the same however often it is sent.
    fn id(&self) -> String;
}

/// An outlet at work.
#[derive(Debug)]
pub struct Outlet<T> {
    name: String,
    folder: PathBuf,
    spool: Arc<Spool>,
    counts: Arc<Counts>,
    ending: Ending,
    thread: Option<Thread>,
    carries: PhantomData<fn(T)>,
}

#[derive(Debug)]
struct Thread {
    handle: JoinHandle<()>,
    /// Breaks off when the thread ends, however that is.
    ended: Receiver<Infallible>,
}

impl<T: Told> Outlet<T> {
    /// Goes on where the outlet of this name stopped, in a folder of its own below `folder`. At most
    /// `bytes_max` wait.
    ///
    /// # Errors
    /// If the disk fails, or the system gives no thread.
    pub fn start(
        folder: &Path,
        name: &str,
        bytes_max: u64,
        way: Box<dyn Way<T>>,
    ) -> io::Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let spool = Arc::new(Spool::open(&folder, bytes_max)?);
        let counts = Arc::new(Counts::default());
        let ending = Ending::default();
        let carrier = Carrier::new(name.to_owned(), &folder, &spool, &counts, &ending, way);
        let (runs, ended) = mpsc::channel();
        let handle = std::thread::Builder::new()
            .name(format!("{} {name}", T::SECTION))
            .spawn(move || {
                let _runs = runs;
                carrier.run();
            })?;
        Ok(Self {
            name: name.to_owned(),
            folder,
            spool,
            counts,
            ending,
            thread: Some(Thread { handle, ended }),
            carries: PhantomData,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes something.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn take(&mut self, item: &T) -> io::Result<()> {
        let line = serde_json::to_vec(item)?;
        let lost = self.spool.put(&line)?;
        self.counts.taken(1);
        if lost > 0 {
            self.counts.lost(lost);
            tracing::error!(
                "{} {}: the spool is full, and the {lost} oldest {} in it are lost to the receiver; \
                 they are in the files of the run",
                T::SECTION,
                self.name,
                T::MANY
            );
        }
        Ok(())
    }

    /// Makes sure that what was taken is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&mut self) -> io::Result<()> {
        self.spool.sync()
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.counts.status(&self.name, self.spool.waiting())
    }
}

impl<T> Outlet<T> {
    /// It is to end as [`Outlet::close`] says, which need not be waited for yet.
    pub fn end_within(&self, patience: Duration) {
        self.end(patience);
    }

    fn end(&self, patience: Duration) -> Instant {
        let end = self.ending.close_within(patience);
        self.spool.close();
        end
    }

    /// Carries on for as long as it takes, or `patience`, or until the receiver is in trouble; what
    /// is left waits for the next start. A thread that is still held up then, by a receiver that
    /// neither answers nor goes away, is left to itself: it stops once it is free.
    pub fn close(&mut self, patience: Duration) {
        let end = self.end(patience);
        let Some(thread) = self.thread.take() else {
            return;
        };
        let left = end.saturating_duration_since(Instant::now()) + GRACE;
        if let Err(RecvTimeoutError::Timeout) = thread.ended.recv_timeout(left) {
            tracing::warn!(
                "outlet {}: its receiver holds it up, and is not waited for; what is left goes out \
                 after the next start",
                self.name
            );
        } else if thread.handle.join().is_err() {
            tracing::error!("outlet {}: its thread ended by a panic", self.name);
        }
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}
