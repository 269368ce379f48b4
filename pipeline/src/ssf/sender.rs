//! The thread that tells a transmitter what has changed, pushes its tokens, and keeps what receivers
//! have acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use andon_console::{DecisionMetrics, Due, Follower, Pushed, RiskFeed, Transmitter, Waker};
use andon_emit::http;
use anyhow::Context as _;
use serde_json::Value;
use ureq::Agent;

use super::settings::Settings;
use crate::exit::usage;
use crate::wall;

/// A receiver that takes longer is asked again; the others wait for it meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// Streams that are new are looked for this often.
const LOOKED_EVERY: Duration = Duration::from_millis(100);
/// What was acknowledged is kept this often.
const KEPT_EVERY: Duration = Duration::from_secs(1);
/// The first pause after a failure, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(30)];
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// Tells receivers for as long as it is kept.
#[derive(Debug)]
pub struct Sender {
    waker: Waker,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    /// Begins. That a receiver is not there yet is no error.
    ///
    /// # Errors
    /// If the certificates cannot be used, or no thread can be started.
    pub fn start(
        settings: &Settings,
        transmitter: Arc<Transmitter>,
        feed: &RiskFeed,
        metrics: DecisionMetrics,
    ) -> anyhow::Result<Self> {
        let name = concat!("andon/", env!("CARGO_PKG_VERSION"));
        let agent = http::agent(settings.ca.as_ref(), name, PATIENCE)
            .context("ssf: ca")
            .map_err(usage)?;
        let follower = feed.follow();
        let waker = follower.waker();
        let closing = Arc::new(AtomicBool::new(false));
        let thread = Thread {
            agent,
            transmitter,
            follower,
            metrics,
            closing: Arc::clone(&closing),
            pauses: BTreeMap::new(),
            kept: Instant::now(),
        };
        let thread = thread::Builder::new()
            .name("ssf".to_owned())
            .spawn(move || thread.run())
            .context("cannot start the thread that tells of signals")?;
        Ok(Self {
            waker,
            closing,
            thread: Some(thread),
        })
    }
}

impl Drop for Sender {
    /// What has not arrived is told after the next start.
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("ssf: the thread that tells of signals ended abnormally");
        }
    }
}

/// A receiver that is left alone for a while.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    failures: u32,
}

struct Thread {
    agent: Agent,
    transmitter: Arc<Transmitter>,
    follower: Follower,
    metrics: DecisionMetrics,
    closing: Arc<AtomicBool>,
    pauses: BTreeMap<String, Pause>,
    kept: Instant,
}

impl Thread {
    fn run(mut self) {
        self.transmitter.update_all(wall::now());
        let mut wait = Duration::ZERO;
        while !self.closing.load(Ordering::Acquire) {
            let changes = self.follower.changes(wait);
            let now = wall::now();
            for device in changes.devices.keys() {
                self.transmitter.update(device, now);
            }
            let is_busy = self.push();
            wait = if is_busy {
                Duration::ZERO
            } else {
                LOOKED_EVERY
            };
            if self.kept.elapsed() >= KEPT_EVERY {
                self.keep();
            }
        }
        self.keep();
    }

    fn keep(&mut self) {
        self.kept = Instant::now();
        self.metrics.signals_waiting(self.transmitter.counts().0);
        if let Err(error) = self.transmitter.save() {
            tracing::error!("ssf: {error}");
        }
    }

    /// Pushes the next token of each receiver that is there; whether any arrived.
    fn push(&mut self) -> bool {
        let mut has_arrived = false;
        for due in self.transmitter.due(wall::now()) {
            let pause = self.pauses.get(&due.stream).copied();
            if pause.is_some_and(|pause| Instant::now() < pause.until) {
                continue;
            }
            match self.post(&due) {
                Ok(pushed) => {
                    self.transmitter.pushed(&due, pushed);
                    self.metrics.signal_pushed();
                    has_arrived = true;
                    if self.pauses.remove(&due.stream).is_some() {
                        tracing::info!("ssf: the receiver of stream {} is there again", due.stream);
                    }
                }
                Err(why) => self.pause(&due, pause, &why),
            }
        }
        has_arrived
    }

    fn pause(&mut self, due: &Due, pause: Option<Pause>, why: &str) {
        self.metrics.signal_failed();
        if pause.is_none() {
            let stream = &due.stream;
            tracing::warn!("ssf: nothing arrives at the receiver of stream {stream}: {why}");
        }
        let failures = pause.map_or(0, |pause| pause.failures).saturating_add(1);
        let factor = 2_u32.saturating_pow(failures.min(16) - 1);
        let time = PAUSES[0].saturating_mul(factor).min(PAUSES[1]);
        let pause = Pause {
            until: Instant::now() + time,
            failures,
        };
        self.pauses.insert(due.stream.clone(), pause);
    }

    fn post(&self, due: &Due) -> Result<Pushed, String> {
        let mut request = self
            .agent
            .post(&due.url)
            .header("Content-Type", "application/secevent+jwt")
            .header("Accept", "application/json");
        if let Some(authorization) = &due.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.send(&due.token).map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        judge(status, &answer.read_to_vec().unwrap_or_default()).inspect(|pushed| {
            if *pushed == Pushed::Refused {
                let stream = &due.stream;
                tracing::warn!("ssf: the receiver of stream {stream} refuses a token for good");
            }
        })
    }
}

/// What an answer means: a token that a receiver cannot use is not sent again; everything else is.
fn judge(status: u16, answer: &[u8]) -> Result<Pushed, String> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let error = answer["err"].as_str().unwrap_or_default();
    match (status, error) {
        (200..300, _) => Ok(Pushed::Arrived),
        // It is not the token that is wrong.
        (400, "authentication_failed" | "access_denied") | (401 | 403, _) => {
            Err(format!("it answers {status}: is the authorization right?"))
        }
        (400 | 413 | 415 | 422, _) => Ok(Pushed::Refused),
        _ => Err(format!("it answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_no_good_is_told_from_a_receiver_that_is_not_there() {
        assert_eq!(judge(202, b""), Ok(Pushed::Arrived));
        assert_eq!(
            judge(400, b"{\"err\":\"invalid_key\"}"),
            Ok(Pushed::Refused)
        );
        assert_eq!(judge(400, b"?"), Ok(Pushed::Refused));
        assert!(judge(400, b"{\"err\":\"access_denied\"}").is_err());
        for status in [301, 401, 404, 429, 500, 503] {
            assert!(judge(status, b"").is_err(), "{status}");
        }
    }
}
