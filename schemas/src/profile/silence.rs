//! How long a device may be silent.

use schemars::JsonSchema;
use serde::Serialize;

use super::Profile;
use crate::time::Span;

/// How many periods of a cadence may pass without a message.
const PERIODS: f64 = 3.0;

/// What a patience is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PatienceSource {
    /// The profile writes it under `silence:`.
    Written,
    /// Three periods of the cadence.
    Cadence,
    /// Neither is written: an hour, counted from the full hour after the last row.
    Hour,
}

/// Active time that may pass without a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long; more than nothing.
    pub span: Span,
    /// Where that is from.
    pub source: PatienceSource,
}

impl Profile {
    /// How long a device of this type may be silent inside its active hours.
    pub fn patience(&self) -> Patience {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float beyond i64 saturates"
        )]
        let three_periods = self
            .cadence
            .map(|c| Span::from_micros((c.period_s * PERIODS * 1e6).round() as i64));
        let (span, source) = match (self.silence, three_periods) {
            (Some(span), _) => (span, PatienceSource::Written),
            (None, Some(span)) => (span, PatienceSource::Cadence),
            (None, None) => (Span::HOUR, PatienceSource::Hour),
        };
        Patience {
            span: span.max(Span::from_micros(1)),
            source,
        }
    }
}
