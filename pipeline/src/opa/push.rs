//! The thread that keeps a policy engine up to date.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use andon_console::{DecisionMetrics, Follower, RiskFeed, Waker};
use andon_emit::opa::{DataApi, DataApiError};
use anyhow::Context as _;

use super::copy::{Copy, Step};
use super::settings::PushSettings;
use crate::exit::usage;
use crate::wall;

const PLANT: [&str; 2] = ["andon", "plant"];
const DEVICES: [&str; 3] = ["andon", "risk", "devices"];
/// Where the rules stand. With every write the engine looks, for each rule, whether data stand in its
/// way: in the package of the rule if there are any data, else in all of `andon`, which it copies for
/// that, the whole plant with it. Nothing, put there, makes a write three hundred times as fast.
const RULES: [&str; 2] = ["andon", "authz"];
/// The first pause after a failure, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// What is refused is refused again, until somebody changes something.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// Keeps a policy engine up to date for as long as it is kept.
#[derive(Debug)]
pub struct Push {
    waker: Waker,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Push {
    /// Begins. That the engine is not there yet is no error.
    ///
    /// # Errors
    /// If the address or a file of it cannot be used, or no thread can be started.
    pub fn start(
        settings: &PushSettings,
        feed: RiskFeed,
        metrics: DecisionMetrics,
    ) -> anyhow::Result<Self> {
        let name = concat!("andon/", env!("CARGO_PKG_VERSION"));
        let api = DataApi::new(settings.api.clone(), name)
            .context("opa: push")
            .map_err(usage)?;
        let follower = feed.follow();
        let waker = follower.waker();
        let closing = Arc::new(AtomicBool::new(false));
        let pusher = Pusher {
            copy: Copy::new(settings.expires, &feed, Instant::now()),
            url: settings.api.url.clone(),
            api,
            feed,
            follower,
            metrics,
            closing: Arc::clone(&closing),
            failures: 0,
            is_told: false,
        };
        let thread = thread::Builder::new()
            .name("opa-push".to_owned())
            .spawn(move || pusher.run())
            .context("cannot start the thread that tells the policy engine")?;
        Ok(Self {
            waker,
            closing,
            thread: Some(thread),
        })
    }
}

impl Drop for Push {
    /// What it was told lapses by itself.
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("opa: the thread that tells it ended abnormally");
        }
    }
}

struct Pusher {
    api: DataApi,
    url: String,
    feed: RiskFeed,
    follower: Follower,
    copy: Copy,
    metrics: DecisionMetrics,
    closing: Arc<AtomicBool>,
    failures: u32,
    /// It has everything, and that has been said.
    is_told: bool,
}

impl Pusher {
    fn run(mut self) {
        self.metrics.resynced();
        while !self.is_closing() {
            let changes = self.follower.changes(Duration::ZERO);
            self.copy.take(changes, &self.feed);
            self.metrics.waiting(self.copy.waiting() as u64);
            let now = Instant::now();
            if let Some(step) = self.copy.next(&self.feed, now, wall::now()) {
                match self.make(step) {
                    Ok(()) => self.failures = 0,
                    Err(error) => self.fail(&error),
                }
                continue;
            }
            self.tell_once();
            let changes = self.follower.changes(self.copy.rest(now));
            self.copy.take(changes, &self.feed);
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn make(&mut self, step: Step) -> Result<(), DataApiError> {
        match step {
            Step::Plant(plant) => {
                // It was made as JSON text.
                let text = String::from_utf8_lossy(&plant.json);
                self.api.put(&PLANT, &text)?;
                self.copy.plant_arrived(plant.version, Instant::now());
            }
            Step::Place => {
                match self.api.put_if_missing(&RULES, "{}") {
                    // They come in a bundle, and are the bundle's.
                    Ok(()) | Err(DataApiError::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
                self.api.put_if_missing(&DEVICES, "{}")?;
                self.copy.place_arrived(Instant::now());
            }
            Step::Devices(batch) => {
                let sent = self.api.patch(&DEVICES, &batch.patch);
                let now = Instant::now();
                if let Err(error) = sent {
                    self.copy.devices_lost(batch, now);
                    return Err(error);
                }
                let (count, took) = self.copy.devices_arrived(batch, now);
                self.metrics.pushed(count);
                for took in took {
                    self.metrics.push_took(took);
                }
            }
            Step::Ask(device) => {
                let found = match &device {
                    None => self.api.get(&[PLANT[0], PLANT[1], "site"])?,
                    Some(device) => {
                        let [first, second, third] = DEVICES;
                        self.api.get(&[first, second, third, device.as_str()])?
                    }
                };
                if found.is_none() {
                    let why = "it has lost what it was told".to_owned();
                    return Err(DataApiError::Missing(why));
                }
                self.copy.is_there(Instant::now());
            }
        }
        Ok(())
    }

    /// Says once that everything is told.
    fn tell_once(&mut self) {
        if self.copy.waiting() == 0 && !std::mem::replace(&mut self.is_told, true) {
            tracing::info!("opa: `{}` has been told everything", self.url);
        }
    }

    /// Whatever went wrong, the engine may have lost everything: it is told anew, after a pause.
    fn fail(&mut self, error: &DataApiError) {
        self.failures = self.failures.saturating_add(1);
        self.metrics.push_failed();
        self.metrics.resynced();
        if self.failures == 1 {
            tracing::warn!("opa: `{}`: {error}; it is told everything anew", self.url);
        }
        self.is_told = false;
        self.copy.begin_anew(&self.feed);
        let pause = match error {
            // It is there, and empty.
            DataApiError::Missing(_) if self.failures == 1 => return,
            DataApiError::Refused(_) => REFUSED_FOR,
            _ => {
                let factor = 2_u32.saturating_pow(self.failures.min(16) - 1);
                PAUSES[0].saturating_mul(factor).min(PAUSES[1])
            }
        };
        let until = Instant::now() + pause;
        while !self.is_closing() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let changes = self.follower.changes(left);
            self.copy.take(changes, &self.feed);
            self.metrics.waiting(self.copy.waiting() as u64);
        }
    }
}
