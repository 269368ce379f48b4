//! For whoever keeps a copy of what is known somewhere else: which devices changed since it last
//! asked. A device is noted once, however often it changes meanwhile, so nobody who is slow makes
//! anything grow, and the pipeline's thread waits for nobody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use andon_schemas::grade::Band;
use andon_schemas::identity::DeviceId;
use andon_schemas::verdict::Risk;
use bytes::Bytes;

use super::Board;
use super::face::Freshness;
use super::floor::Station;
use super::wire::VerdictRow;
use crate::health::Health;

/// What has changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Devices that are known otherwise now, and since when they have waited to be told.
    pub devices: BTreeMap<DeviceId, Instant>,
    /// The devices, or what is written about them, are others now.
    pub everything: bool,
}

/// Learns what changes from when it was made on.
#[derive(Debug)]
pub struct Follower(Arc<Pending>);

/// Wakes a follower that waits.
#[derive(Clone, Debug)]
pub struct Waker(Weak<Pending>);

/// What a follower has not been told.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    noted: Mutex<Noted>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Noted {
    changes: Changes,
    woken: bool,
}

impl Noted {
    fn is_empty(&self) -> bool {
        self.changes.devices.is_empty() && !self.changes.everything && !self.woken
    }
}

impl Pending {
    pub(crate) fn note(&self, device: &DeviceId) {
        let mut noted = self.noted();
        if !noted.changes.devices.contains_key(device) {
            noted.changes.devices.insert(device.clone(), Instant::now());
            drop(noted);
            self.came.notify_one();
        }
    }

    pub(crate) fn note_everything(&self) {
        self.noted().changes.everything = true;
        self.came.notify_one();
    }

    /// Nothing that is done under the lock can leave it half done.
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// What has changed since the last time; waits for it, but not for longer than this.
    pub fn changes(&self, within: Duration) -> Changes {
        let noted = self.0.noted();
        let waited = self
            .0
            .came
            .wait_timeout_while(noted, within, |noted| noted.is_empty());
        let (mut noted, _) = waited.unwrap_or_else(PoisonError::into_inner);
        noted.woken = false;
        std::mem::take(&mut noted.changes)
    }

    /// What wakes it.
    pub fn waker(&self) -> Waker {
        Waker(Arc::downgrade(&self.0))
    }
}

impl Waker {
    /// Lets it not wait any longer, once.
    pub fn wake(&self) {
        if let Some(pending) = self.0.upgrade() {
            pending.noted().woken = true;
            pending.came.notify_one();
        }
    }
}

/// The plant as policies read it, as JSON.
#[derive(Clone, Debug)]
pub struct Document {
    /// Grows with every change.
    pub version: u64,
    /// An object.
    pub json: Bytes,
}

impl Board {
    /// Lays down the plant as policies read it, a JSON object.
    pub fn describe(&self, json: impl Into<Bytes>) {
        let before = self.document();
        let document = Document {
            version: before.map_or(1, |before| before.version + 1),
            json: json.into(),
        };
        self.0.document.store(Some(Arc::new(document)));
        self.note_everything();
    }

    /// The plant as policies read it, if anybody laid it down.
    pub(crate) fn document(&self) -> Option<Arc<Document>> {
        self.0.document.load_full()
    }

    /// What was heard so far counts as held here only once it is heard again: other processes may
    /// hold it now. What is shown of it stays, until one of them says something else of it.
    pub fn hear_anew(&self) {
        self.0.hearing.fetch_add(1, Ordering::Relaxed);
    }

    /// What counts faces.
    pub(crate) fn counted(&self) -> &AtomicU64 {
        &self.0.faces
    }

    /// Whether this process's own pipeline says what is shown of a device.
    pub(crate) fn holds(&self, station: &Station) -> bool {
        station.cell.hearing() == self.0.hearing.load(Ordering::Relaxed)
    }

    /// What is known of a device, whichever process holds it: its risk as whoever asks is told.
    pub(crate) fn known_of(station: &Station, silent: bool) -> Option<Risk> {
        if !station.watched {
            return None;
        }
        let face = station.cell.face()?;
        if face.freshness == Freshness::Never {
            return None;
        }
        let is_void = silent && face.in_silence().risk.band == Band::Unknown;
        Some(if is_void { Risk::UNKNOWN } else { face.risk })
    }

    pub(super) fn note(&self, device: &DeviceId) {
        for follower in self.0.followers.load().iter() {
            if let Some(follower) = follower.upgrade() {
                follower.note(device);
            }
        }
    }

    pub(super) fn note_everything(&self) {
        for follower in self.0.followers.load().iter() {
            if let Some(follower) = follower.upgrade() {
                follower.note_everything();
            }
        }
    }

    fn follow(&self) -> Follower {
        let pending = Arc::new(Pending::default());
        self.0.followers.rcu(|followers| {
            let there = followers.iter().filter(|weak| weak.strong_count() > 0);
            let mut followers: Vec<Weak<Pending>> = there.cloned().collect();
            followers.push(Arc::downgrade(&pending));
            followers
        });
        Follower(pending)
    }
}

/// Why an open verdict is not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotHere {
    /// It comes right after the risk that it explains.
    Follows,
    /// An earlier process told it.
    Elsewhere,
}

/// The risk that is known of every device now, for whoever keeps a copy of it or decides by it.
#[derive(Clone, Debug)]
pub struct RiskFeed {
    board: Board,
    health: Health,
}

impl RiskFeed {
    /// Of a board, and a pipeline that is doing so.
    pub fn new(board: Board, health: Health) -> Self {
        Self { board, health }
    }

    /// Learns of every change from now on.
    pub fn follow(&self) -> Follower {
        self.board.follow()
    }

    /// Whether the pipeline goes on: only then is what it said still known.
    pub fn is_live(&self) -> bool {
        self.health.liveness().live
    }

    /// Whether nothing was heard for so long that nothing is health.
    pub fn is_silent(&self) -> bool {
        self.board.is_silent() || !self.is_live()
    }

    /// The risk of a device, whichever process holds it: for whoever decides here. `None` for one
    /// that the inventory does not list, and one of which nothing was heard.
    pub fn known(&self, device: &str) -> Option<Risk> {
        let floor = self.board.floor();
        let station = floor.station(device)?;
        Board::known_of(station, self.is_silent())
    }

    /// The same, if this process holds the device: for whoever is told by every process, each of
    /// its own devices.
    pub fn held(&self, device: &str) -> Option<Risk> {
        let floor = self.board.floor();
        let station = floor.station(device)?;
        if !self.board.holds(station) {
            return None;
        }
        Board::known_of(station, self.is_silent())
    }

    /// Every device that this process holds and has heard of.
    pub fn heard(&self) -> Vec<DeviceId> {
        let floor = self.board.floor();
        let known = floor.watched().filter(|station| {
            self.board.holds(station) && Board::known_of(station, false).is_some()
        });
        known.map(|station| station.id.clone()).collect()
    }

    /// Whether the inventory lists a device that is watched.
    pub fn lists(&self, device: &str) -> bool {
        let floor = self.board.floor();
        floor.station(device).is_some_and(|station| station.watched)
    }

    /// The plant as policies read it, if anybody laid it down.
    pub fn plant(&self) -> Option<Arc<Document>> {
        self.board.document()
    }

    /// The open verdict of a device, as a list shows it.
    pub(crate) fn open_of(&self, device: &str) -> Result<Option<Arc<VerdictRow>>, NotHere> {
        let floor = self.board.floor();
        let station = floor.station(device);
        if station.is_some_and(|station| station.cell.is_awaiting()) {
            return Err(NotHere::Follows);
        }
        let face = station.and_then(|station| station.cell.face());
        let Some(open) = face.as_ref().and_then(|face| face.open.as_ref()) else {
            return Ok(None);
        };
        let entry = self.board.verdict_of(&open.verdict_id);
        Ok(Some(entry.ok_or(NotHere::Elsewhere)?.row))
    }

    /// The site.
    pub(crate) fn site(&self) -> String {
        self.board.floor().site.clone()
    }

    /// The name of this process.
    pub(crate) fn boot(&self) -> &str {
        self.board.boot()
    }

    /// Event time of the newest data.
    pub fn newest(&self) -> Option<andon_schemas::time::EventTime> {
        self.board.newest()
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::builtin;
    use andon_schemas::command::Mode;
    use andon_schemas::time::EventTime;

    use super::super::Heard;
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn feed() -> RiskFeed {
        let board = Board::new(&builtin::inventory().unwrap(), Mode::Monitor, "1", "boot");
        RiskFeed::new(board, Health::new(&[], Duration::from_secs(3_600)))
    }

    fn heard(device: &str, score: u8) -> Heard {
        Heard {
            device_id: DeviceId::new(device).unwrap(),
            risk: Risk::of_score(score),
            last_seen: EventTime::from_micros(1),
            at: EventTime::from_micros(1),
            open: None,
        }
    }

    #[test]
    fn a_follower_learns_of_each_device_once_and_of_no_repetition() {
        let feed = feed();
        feed.board.hear([heard("temp-sensor-042", 10)]);
        let follower = feed.follow();
        assert!(follower.changes(NOW).devices.is_empty());
        for score in [20, 30, 30] {
            feed.board.hear([heard("temp-sensor-042", score)]);
        }
        feed.board.hear([heard("robotic-arm-03-0001", 5)]);
        assert_eq!(follower.changes(NOW).devices.len(), 2);
        feed.board.hear([heard("robotic-arm-03-0001", 5)]);
        let changes = follower.changes(NOW);
        assert!(changes.devices.is_empty() && !changes.everything);
        let risk = feed.known("temp-sensor-042").unwrap();
        assert_eq!(risk.score, Some(30));
    }

    #[test]
    fn what_is_not_heard_again_is_not_held_by_this_process_and_stays_known() {
        let feed = feed();
        feed.board.hear([heard("temp-sensor-042", 10)]);
        feed.board.hear([heard("robotic-arm-03-0001", 10)]);
        assert_eq!(feed.heard().len(), 2);
        feed.board.hear_anew();
        assert_eq!(feed.held("temp-sensor-042"), None);
        let follower = feed.follow();
        feed.board.hear([heard("temp-sensor-042", 10)]);
        assert_eq!(feed.heard().len(), 1);
        assert_eq!(feed.held("temp-sensor-042"), Some(Risk::of_score(10)));
        assert_eq!(follower.changes(NOW).devices.len(), 1);
        let known = feed.known("robotic-arm-03-0001");
        assert_eq!(known, Some(Risk::of_score(10)));
        assert_eq!((feed.known("nobody"), feed.held("nobody")), (None, None));
    }

    #[test]
    fn another_plant_is_everything_and_a_waker_wakes() {
        let feed = feed();
        let follower = feed.follow();
        feed.board.describe("{}");
        assert!(follower.changes(NOW).everything);
        assert_eq!(feed.plant().unwrap().version, 1);
        let waker = follower.waker();
        waker.wake();
        let changes = follower.changes(Duration::from_secs(3_600));
        assert!(changes.devices.is_empty());
        drop(follower);
        waker.wake();
        feed.board.hear([heard("temp-sensor-042", 10)]);
        drop(feed.follow());
        assert!(feed.board.0.followers.load().len() == 1);
    }
}
