//! The handle of the second stage.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use andon_ingest::kafka::Reader;
use andon_schemas::reject::RejectReason;
use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;

use super::Stage;
use super::desk::kept::{KEYS, next};
use super::hearing::Hearing;
use super::routes::Routes;
use crate::kafka::acts::Waiting;
use crate::kafka::directory::Directory;
use crate::kafka::epochs::Epochs;
use crate::kafka::evidence::{Keeping, Wanted};
use crate::kafka::names::Names;
use crate::kafka::recall::Recall;
use crate::policy::PlantPolicy;

pub(super) const RUN: u8 = 0;
pub(super) const DRAIN: u8 = 1;
const STOP: u8 = 2;

/// Acknowledgements that were not believed, by why.
pub(super) type Refusals = Arc<Mutex<BTreeMap<RejectReason, u64>>>;

/// The stage, in a thread of its own.
#[derive(Debug)]
pub struct Responder {
    thread: Option<JoinHandle<anyhow::Result<()>>>,
    wish: Arc<AtomicU8>,
    /// What the plant allows from now on, until the stage has taken it up.
    allowed: Arc<Mutex<Option<PlantPolicy>>>,
    /// Acknowledgements that were not believed.
    refused: Refusals,
}

/// What the stage works with.
#[derive(Debug)]
pub struct Setup {
    /// Reads the verdicts.
    pub reader: Arc<Reader>,
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// The consumer group of the stage.
    pub group: String,
    /// The topics.
    pub names: Names,
    /// Where what comes of the verdicts goes.
    pub epochs: Epochs<Vec<Wanted>>,
    /// Keeps the records around incidents.
    pub keeping: Keeping,
    /// Tells this process's commits from those of others.
    pub run: u64,
    /// What the plant allows.
    pub policy: PlantPolicy,
    /// Which desk is to answer for what; the stage lets it follow the plant.
    pub routes: Arc<Mutex<Routes>>,
    /// Those who wait here for what comes of their acts.
    pub waiting: Waiting,
    /// Which desk keeps what.
    pub directory: Directory,
    /// Only those who may answer write acknowledgements.
    pub trusted: bool,
}

impl Responder {
    /// Starts it.
    ///
    /// # Errors
    /// If the settings cannot work, or the system gives no thread.
    pub fn start(setup: Setup) -> anyhow::Result<Self> {
        let wish = Arc::new(AtomicU8::new(RUN));
        let told = wish.clone();
        let allowed = Arc::new(Mutex::new(None));
        let refused = Refusals::default();
        let hearing = Hearing::new(&setup.client, &setup.group, &setup.names)?;
        let mut stage = Stage {
            reader: setup.reader,
            recall: Recall {
                client: setup.client,
                group: setup.group,
                topic: setup.names.state.clone(),
                wanted: |key| key.starts_with(KEYS),
                end: |values| next(values).ok()?,
            },
            names: setup.names,
            epochs: setup.epochs,
            keeping: setup.keeping,
            run: setup.run,
            number: 0,
            desks: BTreeMap::new(),
            restoring: Vec::new(),
            paused: false,
            draining: None,
            routes: setup.routes,
            policy: setup.policy,
            hearing,
            waiting: setup.waiting,
            directory: setup.directory,
            trusted: setup.trusted,
            refused: refused.clone(),
            last_idle: Instant::now(),
            allowed: allowed.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("respond".to_owned())
            .spawn(move || stage.serve(&told))
            .context("cannot start the thread that answers verdicts")?;
        Ok(Self {
            thread: Some(thread),
            wish,
            allowed,
            refused,
        })
    }

    /// Acknowledgements that were not believed since the last time, by why.
    pub fn take_refused(&self) -> BTreeMap<RejectReason, u64> {
        let refused = self.refused.lock().map(|mut all| std::mem::take(&mut *all));
        refused.unwrap_or_default()
    }

    /// The plant allows something else from now on.
    pub fn allow(&self, policy: PlantPolicy) {
        if let Ok(mut allowed) = self.allowed.lock() {
            *allowed = Some(policy);
        }
    }

    /// Whether it goes on.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            return self.join();
        }
        Ok(())
    }

    /// Ends it, after everything committed so far has been answered if it was drained.
    ///
    /// # Errors
    /// Why it ended before.
    pub fn stop(&mut self, drained: bool) -> anyhow::Result<()> {
        let wish = if drained { DRAIN } else { STOP };
        self.wish.store(wish, Ordering::Relaxed);
        self.join()
    }

    fn join(&mut self) -> anyhow::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended.context("verdicts are no longer answered"),
            Some(Err(_)) => Err(anyhow!("the thread that answers verdicts ended by a panic")),
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.wish.store(STOP, Ordering::Relaxed);
    }
}
