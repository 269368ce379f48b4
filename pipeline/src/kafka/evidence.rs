//! Evidence of incidents on Kafka: the topic is where the observations are kept anyway, so whoever
//! holds the desk of an incident reads them there once more, around what its findings rest on, and
//! keeps those of its devices in its data folder before the topic's retention deletes them.
//!
//! It has a thread and a consumer of its own, and nobody waits for it. What was read and not written
//! when the process ends is read again. A desk remembers what was kept, so that the next process
//! that holds it goes on from there and keeps nothing once more, unless this one was lost between
//! writing its files and the desk's next transaction. What was kept stays where it was kept.
//!
//! Of a flow between two devices of an incident both ends are kept, as the topic has one record for
//! each. Of a device that comes into an incident whose records are kept already, those are kept that
//! come after them.

mod front;
mod gather;
mod listed;
mod reading;
mod seek;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use andon_engine::Plant;
use andon_schemas::evidence::Reach;
use andon_schemas::incident::Incident;
use andon_schemas::time::EventTime;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use self::gather::Gather;
use super::settings::Settings;

/// So many incidents wait to be looked at at most.
const WAITING_MAX: usize = 512;

/// Whoever waits for the last of it waits no longer once so much could not be done.
const FAILURES_MAX: usize = 5;

/// Where the records of an incident stand, and how far they are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Of each partition the first record that a finding rests on.
    pub from: BTreeMap<i32, i64>,
    /// When the broker took the first verdict that rests on no single record.
    pub told: Option<EventTime>,
    /// How far they are kept, by whomever.
    pub kept: Option<Reach>,
}

/// An incident of a desk, which reads differently now.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The desk.
    pub desk: i32,
    /// The incident.
    pub incident: Incident,
    /// Where its records stand.
    pub root: Root,
}

/// The records of an incident are kept.
#[derive(Clone, Debug)]
pub struct Done {
    /// The desk that has it.
    pub desk: i32,
    /// The incident.
    pub incident_id: String,
    /// How far.
    pub reach: Reach,
}

/// Where is read, and where kept.
#[derive(Clone, Debug)]
pub struct Place {
    /// The data folder.
    pub data: PathBuf,
    /// The topic of the observations.
    pub topic: Arc<str>,
    /// How many partitions it has.
    pub partitions: usize,
}

enum Errand {
    Want(Box<Wanted>),
    Leave(i32),
    Follow(Arc<Plant>),
}

/// What both sides look at.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Nothing comes any more.
    finish: AtomicBool,
    /// Errands and incidents that are not done.
    open: AtomicUsize,
    /// Incidents that there was no room for.
    shed: AtomicU64,
    /// Times that something could not be done since something was.
    failures: AtomicUsize,
    done: Mutex<Vec<Done>>,
}

/// Keeps the records around incidents, in a thread of its own.
#[derive(Debug)]
pub struct Keeping {
    errands: SyncSender<Errand>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Keeping {
    /// Begins; the cluster need not be there.
    ///
    /// # Errors
    /// If the settings cannot work, or the system gives no thread.
    pub fn start(settings: &Settings, place: Place, plant: Arc<Plant>) -> anyhow::Result<Self> {
        let (errands, waiting) = sync_channel(WAITING_MAX);
        let shared = Arc::new(Shared::default());
        let mut gather = Gather::new(settings, place, plant, shared.clone())?;
        // Nobody waits for its end: it may hang in the client while the cluster is away.
        let thread = std::thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || gather.serve(&waiting))
            .context("cannot start the thread that keeps evidence")?;
        Ok(Self {
            errands,
            shared,
            thread,
        })
    }

    /// Incidents read differently now, or were taken up.
    pub fn want(&self, wanted: Vec<Wanted>) {
        for wanted in wanted {
            self.send(Errand::Want(Box::new(wanted)));
        }
    }

    /// A desk is another process's now; what is not kept of its incidents is left to that one.
    pub fn leave(&self, desk: i32) {
        self.send(Errand::Leave(desk));
    }

    /// The plant is another one from now on.
    pub fn follow(&self, plant: &Arc<Plant>) {
        self.send(Errand::Follow(plant.clone()));
    }

    fn send(&self, errand: Errand) {
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        match self.errands.try_send(errand) {
            Ok(()) => return,
            // What a desk says of itself must arrive: the thread takes errands between any two
            // chunks, and asks the cluster nothing for longer than a while.
            Err(TrySendError::Full(errand @ (Errand::Leave(_) | Errand::Follow(_)))) => {
                if self.errands.send(errand).is_ok() {
                    return;
                }
            }
            Err(TrySendError::Full(Errand::Want(_))) => self.shared.shed_one(),
            Err(TrySendError::Disconnected(_)) => {}
        }
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// What was kept since this was asked last.
    pub fn take_done(&self) -> Vec<Done> {
        std::mem::take(&mut *self.shared.done())
    }

    /// Whether something was kept that was not asked for.
    pub fn has_done(&self) -> bool {
        !self.shared.done().is_empty()
    }

    /// No more records come: what is read to its end is all of it. Whether everything is kept, or
    /// cannot be: then the next process that holds the desk does it.
    pub fn finish(&self) -> bool {
        // What failed before may succeed now.
        if !self.shared.finish.swap(true, Ordering::Relaxed) {
            self.shared.failures.store(0, Ordering::Relaxed);
        }
        let open = self.shared.open.load(Ordering::Acquire);
        if open == 0 || self.thread.is_finished() {
            return true;
        }
        let is_hopeless = self.shared.failures.load(Ordering::Relaxed) >= FAILURES_MAX;
        if is_hopeless {
            tracing::warn!(
                open,
                "the records around some incidents could not be kept; whoever takes up their \
                 desks next keeps them, as long as the topic has them"
            );
        }
        is_hopeless
    }
}

impl Shared {
    fn done(&self) -> std::sync::MutexGuard<'_, Vec<Done>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, many: usize) {
        self.open.fetch_sub(many, Ordering::Release);
    }

    fn shed_one(&self) {
        if self.shed.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "more incidents at once than evidence is kept of: of some it is kept only once \
                 this process, or the next one, takes up their desk again"
            );
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let shed = self.shared.shed.load(Ordering::Relaxed);
        if shed > 0 {
            tracing::warn!(shed, "incidents of which no evidence was kept");
        }
    }
}
