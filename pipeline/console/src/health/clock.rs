//! The clock that health is told by: monotonic, and another one in tests.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Says how long ago some fixed moment was. It never goes back, whatever happens to the wall clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// The machine's monotonic clock.
    pub fn monotonic() -> Self {
        let origin = Instant::now();
        Self::from_fn(move || origin.elapsed())
    }

    /// A clock of the caller's making, which must not go back.
    pub fn from_fn(elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(elapsed))
    }

    pub(super) fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
