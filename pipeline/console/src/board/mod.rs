//! The board: what the pipeline last said of every device, kept where whoever asks finds it.
//!
//! The pipeline's thread writes; requests read. A look-up of one device takes no lock and waits for
//! nobody. Lists of verdicts and histories are behind locks that are held for as long as it takes to
//! copy pointers. Everything is bounded: devices by the inventory, verdicts and events by number.

mod book;
mod elsewhere;
pub(crate) mod face;
pub(crate) mod floor;
mod follow;
mod incidents;
mod orders;
mod past;
pub(crate) mod profiles;
mod pulse;
mod ring;
pub(crate) mod signals;
mod views;
pub mod wire;
mod write;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::{Duration, Instant};

use andon_schemas::act::Desk;
use andon_schemas::advisory::Advisor;
use andon_schemas::command::Mode;
use andon_schemas::inventory::Inventory;
use andon_schemas::time::EventTime;
use arc_swap::{ArcSwap, ArcSwapOption};

use self::book::Book;
pub(crate) use self::book::{Cursor, Wanted};
pub use self::elsewhere::Elsewhere;
pub use self::face::{Freshness, Lamp};
use self::floor::Floor;
pub(crate) use self::follow::NotHere;
use self::follow::Pending;
pub use self::follow::{Changes, Document, Follower, RiskFeed, Waker};
pub(crate) use self::incidents::{Asked as IncidentsAsked, IncidentBook};
use self::orders::OrderBook;
pub(crate) use self::orders::{OrderCursor, Sought};
use self::past::Past;
use self::profiles::InForce;
pub use self::pulse::{Pulse, Totals};
use self::ring::Ring;
pub(crate) use self::ring::{Read, Resume};
pub(crate) use self::views::Searched;
use self::wire::Status;
pub use self::write::Heard;

/// Nothing that came from the source for this long is trusted to be health.
pub const SILENT_FOR: Duration = Duration::from_secs(15 * 60);

/// What the pipeline last said of every device. Clones share it.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

struct Shared {
    version: String,
    floor: ArcSwap<Floor>,
    profiles: ArcSwap<InForce>,
    book: RwLock<Book>,
    orders: RwLock<OrderBook>,
    incidents: RwLock<IncidentBook>,
    past: RwLock<Past>,
    ring: Ring,
    /// Numbers faces.
    faces: AtomicU64,
    /// Event time of the newest data, microseconds.
    newest: AtomicI64,
    began: Instant,
    /// Milliseconds after the beginning at which the source was last known to be there.
    connected_ms: AtomicU64,
    /// Nobody tells of a source: what was told is all there is.
    recorded: AtomicBool,
    status: ArcSwap<Status>,
    totals: ArcSwap<Totals>,
    desk: ArcSwapOption<Seat>,
    advisor: ArcSwapOption<Shelf>,
    /// The plant as policies read it.
    document: ArcSwapOption<Document>,
    followers: ArcSwap<Vec<Weak<Pending>>>,
    /// What was heard counts as held here if it was heard since this was counted up.
    hearing: AtomicU64,
    /// Numbers acts.
    acts: AtomicU64,
    pub(crate) clients: AtomicU64,
    pub(crate) slow_clients: AtomicU64,
}

/// Somebody who carries out what people decide.
struct Seat(Arc<dyn Desk>);

/// Somebody who knows what advisories say.
struct Shelf(Arc<dyn Advisor>);

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board")
            .field("devices", &self.0.floor.load().stations.len())
            .finish_non_exhaustive()
    }
}

impl Board {
    /// A board on which nothing is known yet. `boot` names this process, in letters and digits,
    /// and no other one.
    pub fn new(inventory: &Inventory, mode: Mode, version: &str, boot: &str) -> Self {
        Self(Arc::new(Shared {
            version: version.to_owned(),
            floor: ArcSwap::from_pointee(Floor::of(inventory, mode, None)),
            profiles: ArcSwap::default(),
            book: RwLock::default(),
            orders: RwLock::default(),
            incidents: RwLock::default(),
            past: RwLock::default(),
            ring: Ring::new(boot.to_owned()),
            faces: AtomicU64::new(1),
            newest: AtomicI64::new(i64::MIN),
            began: Instant::now(),
            connected_ms: AtomicU64::new(0),
            recorded: AtomicBool::new(false),
            status: ArcSwap::from_pointee(Status::default()),
            totals: ArcSwap::from_pointee(Totals::default()),
            desk: ArcSwapOption::empty(),
            advisor: ArcSwapOption::empty(),
            document: ArcSwapOption::empty(),
            followers: ArcSwap::default(),
            hearing: AtomicU64::new(1),
            acts: AtomicU64::new(1),
            clients: AtomicU64::new(0),
            slow_clients: AtomicU64::new(0),
        }))
    }

    /// The devices are others from here on; those that stay keep what is known of them.
    pub fn change(&self, inventory: &Inventory, mode: Mode) {
        let before = self.0.floor.load_full();
        let floor = Floor::of(inventory, mode, Some(&before));
        self.0.floor.store(Arc::new(floor));
        self.begin_anew();
        self.note_everything();
    }

    /// Whoever follows is told to read everything again: more has changed than events tell.
    pub(crate) fn begin_anew(&self) {
        self.ring().begin_anew();
    }

    /// What people decide is handed in there from now on.
    pub fn sit(&self, desk: Arc<dyn Desk>) {
        self.0.desk.store(Some(Arc::new(Seat(desk))));
    }

    /// Where what people decide is handed in.
    pub(crate) fn desk(&self) -> Option<Arc<dyn Desk>> {
        self.0.desk.load().as_ref().map(|seat| seat.0.clone())
    }

    /// What advisories say of devices is asked there from now on.
    pub fn advise(&self, advisor: Arc<dyn Advisor>) {
        self.0.advisor.store(Some(Arc::new(Shelf(advisor))));
    }

    /// A name for an act that no other one has.
    pub(crate) fn act_id(&self) -> String {
        let number = self.0.acts.fetch_add(1, Ordering::Relaxed);
        format!("{}-act-{number}", self.0.ring.boot())
    }

    /// The name of this process.
    pub fn boot(&self) -> &str {
        self.0.ring.boot()
    }

    pub(crate) fn floor(&self) -> Arc<Floor> {
        self.0.floor.load_full()
    }

    pub(crate) fn ring(&self) -> &Ring {
        &self.0.ring
    }

    /// Event time of the newest data.
    pub fn newest(&self) -> Option<EventTime> {
        let micros = self.0.newest.load(Ordering::Relaxed);
        (micros != i64::MIN).then(|| EventTime::from_micros(micros))
    }

    /// Whether nothing could have been heard of anybody for so long that nothing is health.
    pub(crate) fn is_silent(&self) -> bool {
        let connected = Duration::from_millis(self.0.connected_ms.load(Ordering::Relaxed));
        !self.0.recorded.load(Ordering::Relaxed)
            && self.0.began.elapsed().saturating_sub(connected) > SILENT_FOR
    }

    /// One more client of the event stream.
    pub(crate) fn client_came(&self) {
        self.0.clients.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub(crate) fn client_left(&self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// One that did not read was cut off.
    pub(crate) fn client_was_slow(&self) {
        self.0.slow_clients.fetch_add(1, Ordering::Relaxed);
    }

    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.0.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn book_mut(&self) -> RwLockWriteGuard<'_, Book> {
        self.0.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn orders(&self) -> RwLockReadGuard<'_, OrderBook> {
        self.0.orders.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn orders_mut(&self) -> RwLockWriteGuard<'_, OrderBook> {
        let orders = self.0.orders.write();
        orders.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn incidents(&self) -> RwLockReadGuard<'_, IncidentBook> {
        let incidents = self.0.incidents.read();
        incidents.unwrap_or_else(PoisonError::into_inner)
    }

    fn incidents_mut(&self) -> RwLockWriteGuard<'_, IncidentBook> {
        let incidents = self.0.incidents.write();
        incidents.unwrap_or_else(PoisonError::into_inner)
    }

    fn past(&self) -> RwLockReadGuard<'_, Past> {
        self.0.past.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn past_mut(&self) -> RwLockWriteGuard<'_, Past> {
        self.0.past.write().unwrap_or_else(PoisonError::into_inner)
    }
}
