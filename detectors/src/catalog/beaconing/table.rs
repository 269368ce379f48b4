//! The strangers that a device called, and what evidence lies on each.

use std::sync::LazyLock;

use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

use crate::stats::evidence::Arming;
use crate::stats::gamma_beacon::{Beacon, BeaconTable};
use crate::stats::score::LEVELS;

/// Keys that are kept of a device.
pub(super) const KEYS_MAX: usize = 16;
/// A key is forgotten after so many periods of silence, and not before so long.
const PERIODS_OF_SILENCE: f64 = 8.0;
const SILENCE_MIN: Span = Span::HOUR;
/// With less evidence than this, on as many keys as there can be, nothing stands.
const EVIDENCE_LITTLE: f32 = 0.05;
/// A key without evidence may still turn out to be called every week.
const SILENCE_UNKNOWN: Span = Span::from_secs(8 * 86_400);

/// The constants of the test are the same for everybody.
static TABLE: LazyLock<BeaconTable> = LazyLock::new(BeaconTable::default);

/// 40 bytes, and 48 for each key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Table {
    /// Day of the keys counted in `staked`.
    pub(super) day: i32,
    /// Keys that were staked on that day.
    staked: u32,
    pub(super) arming: Arming,
    pub(super) keys: Vec<Key>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) fingerprint: u32,
    /// In device-days per false alarm: stake times the beacon's evidence.
    pub(super) evidence: f32,
    /// Start of the last connection.
    pub(super) last: EventTime,
    pub(super) beacon: Beacon,
    pub(super) stake: f32,
}

impl Table {
    /// The stake of the next key of a day.
    pub(super) fn draw(&mut self, stake: f32, day: i32) -> f32 {
        if day > self.day || self.staked == 0 {
            (self.day, self.staked) = (day, 0);
        }
        self.staked = self.staked.saturating_add(1);
        #[expect(clippy::cast_precision_loss, reason = "a share, not a count")]
        let n = self.staked as f32;
        stake / (n * (n + 1.0))
    }

    pub(super) fn evidence(&self) -> f32 {
        self.keys.iter().map(|key| key.evidence).sum()
    }

    /// Remembers a key that was called for the first time.
    pub(super) fn open(&mut self, fingerprint: u32, at: EventTime) {
        if self.keys.len() >= KEYS_MAX {
            let least = |a: &Key, b: &Key| {
                let (strongest, other) = (a.beacon.ln_strongest(), b.beacon.ln_strongest());
                strongest.total_cmp(&other).then(a.last.cmp(&b.last))
            };
            let keys = self.keys.iter().enumerate();
            if let Some((index, _)) = keys.min_by(|(_, a), (_, b)| least(a, b)) {
                self.keys.swap_remove(index);
            }
        }
        self.keys.reserve_exact(1);
        self.keys.push(Key {
            fingerprint,
            evidence: 0.0,
            last: at,
            beacon: Beacon::default(),
            stake: 0.0,
        });
    }

    /// Forgets the keys that have been silent for too long.
    pub(super) fn forget(&mut self, now: EventTime) {
        self.keys.retain(|key| now.since(key.last) < key.patience());
    }
}

impl Key {
    /// How long it may be silent.
    fn patience(&self) -> Span {
        match self.beacon.period() {
            Some(period) if self.evidence > EVIDENCE_LITTLE => silence_of(f64::from(period)),
            _ => SILENCE_UNKNOWN,
        }
    }
}

/// How long a key with evidence may be silent whose period is so many seconds.
pub(super) fn silence_of(period_s: f64) -> Span {
    seconds(PERIODS_OF_SILENCE * period_s).max(SILENCE_MIN)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates at the end of time"
)]
pub(super) fn seconds(seconds: f64) -> Span {
    Span::from_micros((seconds * 1e6) as i64)
}

/// A key after a call, and its evidence.
pub(super) fn called(before: &Beacon, stake: f32, after_s: f64) -> (Beacon, f32) {
    let mut beacon = *before;
    beacon.observe(&TABLE, after_s);
    if stake > 0.0 {
        beacon.hold_at(LEVELS[3] / stake);
    }
    (beacon, stake * beacon.evidence())
}

/// Evidence of all keys but one.
pub(super) fn others_than(index: usize, keys: &[Key]) -> f32 {
    let others = keys.iter().enumerate().filter(|(at, _)| *at != index);
    others.map(|(_, key)| key.evidence).sum()
}
