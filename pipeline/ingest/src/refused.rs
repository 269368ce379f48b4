//! Why a record was not taken, before it is known where the record came from.

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Source;
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use andon_schemas::wire::WireError;

/// Most bytes of a refused record that are kept for whoever has to look at it.
pub const EXCERPT_BYTES_MAX: usize = 256;

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
            detail: self.detail,
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

/// The beginning of a record as text; bytes that are not UTF-8 become replacement characters.
pub fn excerpt(raw: &[u8]) -> String {
    let head = &raw[..raw.len().min(EXCERPT_BYTES_MAX)];
    String::from_utf8_lossy(head).trim_end().to_owned()
}
