//! The one place where the product asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use andon_schemas::time::EventTime;

/// The system clock, as an event time.
pub fn now() -> EventTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    EventTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
