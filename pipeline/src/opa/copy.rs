//! What a policy engine has been told, and what it is told next: changes first, then what it lacks,
//! the worst first, then what would lapse. No clock and no network: both are handed in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_console::{Changes, Document, RiskFeed};
use andon_emit::opa::Patch;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Risk;

use crate::pdp::Known;

/// Most devices in one message: a change that comes meanwhile waits for no more.
const DEVICES_MAX: usize = 1_000;
/// An engine that was told nothing for so long is asked whether it still has what it was told.
const ASKED_AFTER: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    /// Put the plant.
    Plant(Arc<Document>),
    /// Make sure that there is a place for devices.
    Place,
    /// Tell of devices.
    Devices(Batch),
    /// Ask whether it still has what it was told: of this device, or of the plant.
    Ask(Option<DeviceId>),
}

/// Devices that are told of in one message.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) patch: Patch,
    told: Vec<Told>,
}

/// One of them.
#[derive(Debug)]
struct Told {
    device: DeviceId,
    /// `None` if it goes.
    risk: Option<Risk>,
    /// Since when a change has waited.
    since: Option<Instant>,
}

/// What a device was told as.
#[derive(Debug)]
struct Sent {
    /// `None` if that may have been lost.
    risk: Option<Risk>,
    at: Instant,
}

/// What a policy engine has been told.
#[derive(Debug)]
pub(super) struct Copy {
    expires: Duration,
    /// Devices that changed, and since when they wait.
    changed: BTreeMap<DeviceId, Instant>,
    /// Devices that it lacks.
    lacking: VecDeque<DeviceId>,
    sent: BTreeMap<DeviceId, Sent>,
    /// The same in order of time.
    aging: BTreeSet<(Instant, DeviceId)>,
    /// Version of the plant that it has.
    plant: Option<u64>,
    has_place: bool,
    is_silent: bool,
    heard_at: Instant,
}

impl Copy {
    /// Of an engine that has been told nothing. What it is told counts for `expires`.
    pub(super) fn new(expires: Duration, feed: &RiskFeed, now: Instant) -> Self {
        let mut copy = Self {
            expires,
            changed: BTreeMap::new(),
            lacking: VecDeque::new(),
            sent: BTreeMap::new(),
            aging: BTreeSet::new(),
            plant: None,
            has_place: false,
            is_silent: feed.is_silent(),
            heard_at: now,
        };
        copy.begin_anew(feed);
        copy
    }

    /// It may have lost everything.
    pub(super) fn begin_anew(&mut self, feed: &RiskFeed) {
        self.plant = None;
        self.has_place = false;
        for sent in self.sent.values_mut() {
            sent.risk = None;
        }
        self.lack_everything(feed);
    }

    fn lack_everything(&mut self, feed: &RiskFeed) {
        let mut heard = feed.heard();
        // Whoever must not be let in is told first.
        let score = |device: &DeviceId| feed.held(device.as_str()).and_then(|risk| risk.score);
        heard.sort_by_cached_key(|device| Reverse(score(device)));
        self.lacking = heard.into();
        self.find_gone(feed);
    }

    fn find_gone(&mut self, feed: &RiskFeed) {
        let now = self.heard_at;
        let gone = self.sent.keys().filter(|id| !feed.lists(id.as_str()));
        for device in gone {
            self.changed.entry(device.clone()).or_insert(now);
        }
    }

    /// Takes what has changed.
    pub(super) fn take(&mut self, changes: Changes, feed: &RiskFeed) {
        for (device, since) in changes.devices {
            self.changed.entry(device).or_insert(since);
        }
        if changes.everything {
            self.find_gone(feed);
        }
        let is_silent = feed.is_silent();
        if std::mem::replace(&mut self.is_silent, is_silent) != is_silent {
            // That turns risks of which no change tells.
            self.lack_everything(feed);
        }
    }

    /// So many devices are not told as they are.
    pub(super) fn waiting(&self) -> usize {
        self.changed.len() + self.lacking.len()
    }

    /// What to do at this moment, if anything.
    pub(super) fn next(&mut self, feed: &RiskFeed, now: Instant, wall: EventTime) -> Option<Step> {
        let is_new = |plant: &Arc<Document>| self.plant != Some(plant.version);
        if let Some(plant) = feed.plant().filter(is_new) {
            return Some(Step::Plant(plant));
        }
        if !self.has_place {
            return Some(Step::Place);
        }
        let batch = self.batch(feed, now, wall);
        if !batch.told.is_empty() {
            return Some(Step::Devices(batch));
        }
        let is_quiet = now.saturating_duration_since(self.heard_at) >= ASKED_AFTER;
        let oldest = self.aging.first().map(|(_, device)| device.clone());
        (is_quiet && (oldest.is_some() || self.plant.is_some())).then_some(Step::Ask(oldest))
    }

    /// How long nothing needs to be done, if nothing changes.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        let ask = self.heard_at + ASKED_AFTER;
        let refresh = self.aging.first().map(|(at, _)| *at + self.refresh_after());
        let next = refresh.map_or(ask, |refresh| refresh.min(ask));
        next.saturating_duration_since(now)
            .max(Duration::from_millis(1))
    }

    /// Told again so early, one that does not arrive can be told once more before it lapses.
    fn refresh_after(&self) -> Duration {
        self.expires / 3
    }

    fn batch(&mut self, feed: &RiskFeed, now: Instant, wall: EventTime) -> Batch {
        let mut batch = Batch {
            patch: Patch::default(),
            told: Vec::new(),
        };
        let micros = i64::try_from(self.expires.as_micros()).unwrap_or(i64::MAX);
        let expires = wall + andon_schemas::time::Span::from_micros(micros);
        let changed: Vec<DeviceId> = self.changed.keys().take(DEVICES_MAX).cloned().collect();
        for device in changed {
            let since = self.changed.remove(&device);
            let risk = feed.held(device.as_str());
            let is_told = |sent: &Sent| sent.risk.is_some() && sent.risk == risk;
            if !self.sent.get(&device).is_some_and(is_told) {
                self.tell(&mut batch, feed, device, since, expires);
            }
        }
        while batch.told.len() < DEVICES_MAX {
            let Some(device) = self.lacking.pop_front() else {
                break;
            };
            self.tell(&mut batch, feed, device, None, expires);
        }
        // Of a pipeline that stands still nothing is known any more, and that lapses.
        while batch.told.len() < DEVICES_MAX && feed.is_live() {
            let is_due = |at: &Instant| now.saturating_duration_since(*at) >= self.refresh_after();
            match self.aging.first() {
                Some((at, device)) if is_due(at) => {
                    let (at, device) = (*at, device.clone());
                    self.aging.remove(&(at, device.clone()));
                    self.tell(&mut batch, feed, device, None, expires);
                }
                _ => break,
            }
        }
        batch
    }

    fn tell(
        &mut self,
        batch: &mut Batch,
        feed: &RiskFeed,
        device: DeviceId,
        since: Option<Instant>,
        expires: EventTime,
    ) {
        let risk = feed.held(device.as_str());
        if let Some(risk) = risk {
            let known = Known::until(risk, expires);
            let known = serde_json::to_string(&known).unwrap_or_default();
            batch.patch.set(device.as_str(), &known);
        } else if feed.lists(device.as_str()) {
            // Another process hears of it now, and tells of it.
            self.forget(&device);
            return;
        } else {
            // Only what is there can go.
            batch.patch.set(device.as_str(), "null");
            batch.patch.remove(device.as_str());
        }
        batch.told.push(Told {
            device,
            risk,
            since,
        });
    }

    fn forget(&mut self, device: &DeviceId) {
        if let Some(sent) = self.sent.remove(device) {
            self.aging.remove(&(sent.at, device.clone()));
        }
    }

    /// It has the plant.
    pub(super) fn plant_arrived(&mut self, version: u64, now: Instant) {
        self.plant = Some(version);
        self.heard_at = now;
    }

    /// It has a place for devices.
    pub(super) fn place_arrived(&mut self, now: Instant) {
        self.has_place = true;
        self.heard_at = now;
    }

    /// It still has what it was told.
    pub(super) fn is_there(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// It has these; how many, and how long each change among them took.
    pub(super) fn devices_arrived(&mut self, batch: Batch, now: Instant) -> (u64, Vec<Duration>) {
        self.heard_at = now;
        let count = batch.told.len() as u64;
        let mut took = Vec::new();
        for Told {
            device,
            risk,
            since,
        } in batch.told
        {
            took.extend(since.map(|since| now.saturating_duration_since(since)));
            self.forget(&device);
            if risk.is_some() {
                self.aging.insert((now, device.clone()));
                self.sent.insert(device, Sent { risk, at: now });
            }
        }
        (count, took)
    }

    /// These may not have arrived.
    pub(super) fn devices_lost(&mut self, batch: Batch, now: Instant) {
        for told in batch.told {
            let since = told.since.unwrap_or(now);
            let waits = self.changed.entry(told.device).or_insert(since);
            *waits = since.min(*waits);
        }
    }
}

#[cfg(test)]
mod tests;
