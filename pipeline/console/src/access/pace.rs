//! How often somebody may ask, without a lock and in fixed room.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// So many clients are told apart; two that fall together share what they may.
const PLACES: usize = 1_024;
const SECOND: u64 = 1_000_000_000;

/// A rate for each client, with a burst: the generic cell rate algorithm. A place holds when its
/// client will have used up what it asked for so far.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Nanoseconds that one request costs.
    cost: u64,
    /// Nanoseconds that may be owed.
    burst: u64,
    places: OnceLock<Places>,
}

#[derive(Debug)]
struct Places {
    began: Instant,
    hasher: RandomState,
    owed: Box<[AtomicU64]>,
}

impl Pace {
    /// So many requests in a second, and so many at once.
    pub(crate) const fn of(per_second: u32, burst: u32) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second };
        let burst = if burst == 0 { 1 } else { burst };
        let cost = SECOND / per_second as u64;
        Self {
            cost,
            burst: cost * burst as u64,
            places: OnceLock::new(),
        }
    }

    /// Counts one of a client; says after how many seconds it may come again if that is too many.
    pub(crate) fn step(&self, client: &impl Hash) -> Result<(), u64> {
        let places = self.places();
        let now = places.now();
        let place = places.of(client);
        let counted = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| {
            let owed = owed.max(now) + self.cost;
            (owed - now <= self.burst).then_some(owed)
        });
        counted.map(drop).map_err(|owed| self.wait(owed, now))
    }

    fn wait(&self, owed: u64, now: u64) -> u64 {
        let over = (owed + self.cost).saturating_sub(now + self.burst);
        over.div_ceil(SECOND).max(1)
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places {
            began: Instant::now(),
            hasher: RandomState::new(),
            owed: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        })
    }
}

impl Places {
    fn of(&self, client: &impl Hash) -> &AtomicU64 {
        let hash = self.hasher.hash_one(client);
        let place = usize::try_from(hash % PLACES as u64).unwrap_or(0);
        &self.owed[place]
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}
