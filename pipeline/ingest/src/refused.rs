//! Why a record was not taken, before it is known where the record came from.

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Source;
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use andon_schemas::wire::WireError;

/// Most bytes of a refused record that are kept for whoever has to look at it.
pub const EXCERPT_BYTES_MAX: usize = 256;

/// Most bytes of the words about it; a value that is quoted there may be as long as a record.
const DETAIL_BYTES_MAX: usize = 1_024;

/// A record that yields no observation, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// The reason it is counted under.
    pub reason: RejectReason,
    /// What exactly, with the field and the value.
    pub detail: String,
    /// The device it named, if it got that far.
    pub device: Option<DeviceId>,
}

impl Refused {
    /// A refusal that names no device.
    pub fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            device: None,
        }
    }

    /// The reject that is counted and written out. `raw` is the record as it came.
    pub fn at(self, source: Source, received_at: EventTime, raw: &[u8]) -> Reject {
        Reject {
            reason: self.reason,
            detail: bounded(self.detail),
            source,
            device: self.device.map(|device| device.to_string()),
            received_at,
            excerpt: excerpt(raw),
        }
    }
}

impl From<WireError> for Refused {
    fn from(error: WireError) -> Self {
        let detail = match error.at {
            Some(at) => format!("{} (byte {at})", error.detail),
            None => error.detail,
        };
        Self::new(error.reason, detail)
    }
}

fn bounded(mut detail: String) -> String {
    let length = detail.len();
    if length > DETAIL_BYTES_MAX {
        let end = (0..=DETAIL_BYTES_MAX)
            .rev()
            .find(|at| detail.is_char_boundary(*at));
        detail.truncate(end.unwrap_or(0));
        detail.push_str("… (");
        detail.push_str(&length.to_string());
        detail.push_str(" bytes)");
    }
    detail
}

/// The beginning of a record as text; bytes that are not UTF-8 become replacement characters.
pub fn excerpt(raw: &[u8]) -> String {
    let head = &raw[..raw.len().min(EXCERPT_BYTES_MAX)];
    String::from_utf8_lossy(head).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reject_is_short_however_long_the_value_it_quotes() {
        let refused = Refused::new(RejectReason::Malformed, "ä".repeat(1_000_000));
        let source = Source {
            topic: "t".into(),
            partition: 0,
            offset: 7,
        };
        let reject = refused.at(source, EventTime::MIN, &b"x".repeat(1_000_000));
        assert_eq!(reject.excerpt.len(), EXCERPT_BYTES_MAX);
        assert!(reject.detail.len() < DETAIL_BYTES_MAX + 32);
        assert!(reject.detail.ends_with("ä… (2000000 bytes)"));
    }
}
