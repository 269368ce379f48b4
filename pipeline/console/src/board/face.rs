//! What is shown of a device: its risk, its lamp, and how fresh that is.

use std::sync::Arc;

use andon_schemas::finding::Confidence;
use andon_schemas::grade::{Band, Grade};
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Risk;
use serde::{Deserialize, Serialize};

/// The lamp over a device: the grade of its open verdict; without one `unknown` if nothing can be
/// said of it, else `normal`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Lamp {
    /// Nothing is open, and it was heard of lately.
    Normal,
    /// Never seen, or silent for too long.
    Unknown,
    /// A LOW verdict is open.
    Low,
    /// A MEDIUM verdict is open.
    Medium,
    /// A HIGH verdict is open.
    High,
    /// A CRITICAL verdict is open.
    Critical,
}

impl Lamp {
    /// The lamp of a number that one was made into.
    pub(crate) const fn of(number: u8) -> Self {
        match number {
            0 => Self::Normal,
            2 => Self::Low,
            3 => Self::Medium,
            4 => Self::High,
            5 => Self::Critical,
            _ => Self::Unknown,
        }
    }

    /// The lamp as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl From<Grade> for Lamp {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Low => Self::Low,
            Grade::Medium => Self::Medium,
            Grade::High => Self::High,
            Grade::Critical => Self::Critical,
        }
    }
}

/// How far an answer about a device is of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// It was heard of lately enough for what it is.
    Fresh,
    /// It was not, or the pipeline itself hears nothing: take nothing for health.
    Stale,
    /// Nothing of it was ever accepted.
    Never,
}

impl Freshness {
    /// That of a risk which was said now.
    pub(crate) fn of(risk: Risk) -> Self {
        if risk.band == Band::Unknown {
            Self::Stale
        } else {
            Self::Fresh
        }
    }
}

/// An open verdict, as far as a lamp needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) verdict_id: Arc<str>,
    pub(crate) grade: Grade,
    /// Not known of one that another process told.
    pub(crate) since: Option<EventTime>,
    /// Not known of one that another process told, or an earlier one.
    pub(crate) confidence: Option<Confidence>,
}

/// What is shown of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Face {
    /// As of when, event time.
    pub(crate) at: EventTime,
    pub(crate) risk: Risk,
    pub(crate) freshness: Freshness,
    pub(crate) open: Option<Open>,
    /// Counts what was shown of all devices; no two faces have the same.
    pub(crate) version: u64,
}

impl Face {
    /// Of a device of which nothing was told yet.
    pub(crate) const NEVER: Self = Self {
        at: EventTime::MIN,
        risk: Risk::UNKNOWN,
        freshness: Freshness::Never,
        open: None,
        version: 0,
    };

    pub(crate) fn lamp(&self) -> Lamp {
        match (&self.open, self.risk.band) {
            (Some(open), _) => open.grade.into(),
            (None, Band::Unknown) => Lamp::Unknown,
            (None, _) => Lamp::Normal,
        }
    }

    /// The same if nothing has been heard for too long of anybody: health is not known any more,
    /// trouble stays.
    pub(crate) fn in_silence(&self) -> Self {
        let mut face = self.clone();
        if face.freshness == Freshness::Fresh {
            face.freshness = Freshness::Stale;
        }
        if face.risk.band == Band::Low && face.open.is_none() {
            face.risk = Risk::UNKNOWN;
        }
        face
    }
}
