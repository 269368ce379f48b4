//! One table of how bad a verdict is, in the scales of all receivers.

use andon_schemas::grade::{Band, Grade};
use andon_schemas::verdict::{State, Verdict};

/// How bad, as each receiver counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Severity {
    /// OCSF `severity_id` and its caption.
    pub(super) ocsf: (u8, &'static str),
    /// ECS `event.severity`, on the scale of Elastic's own rules.
    pub(super) ecs: u8,
    /// CEF, 0–10.
    pub(super) cef: u8,
    /// Severity of syslog, 0–7 where 0 is worst.
    pub(super) syslog: u8,
}

/// What is over is told as information, however bad it was.
pub(super) const fn severity(verdict: &Verdict) -> Severity {
    if matches!(verdict.state, State::Cleared) {
        return row((1, "Informational"), 1, 1, 6);
    }
    match verdict.grade {
        Grade::Critical => row((5, "Critical"), 99, 10, 2),
        Grade::High => row((4, "High"), 73, 8, 3),
        Grade::Medium => row((3, "Medium"), 47, 6, 4),
        Grade::Low => row((2, "Low"), 21, 3, 5),
    }
}

const fn row(ocsf: (u8, &'static str), ecs: u8, cef: u8, syslog: u8) -> Severity {
    Severity {
        ocsf,
        ecs,
        cef,
        syslog,
    }
}

/// OCSF `risk_level_id` and its caption; nothing is said where nothing is known.
pub(super) const fn risk_level(band: Band) -> Option<(u8, &'static str)> {
    match band {
        Band::Unknown => None,
        Band::Low => Some((1, "Low")),
        Band::Medium => Some((2, "Medium")),
        Band::High => Some((3, "High")),
        Band::Critical => Some((4, "Critical")),
    }
}

/// ECS `host.risk.calculated_level`.
pub(super) const fn ecs_risk_level(band: Band) -> &'static str {
    match band {
        Band::Unknown => "Unknown",
        Band::Low => "Low",
        Band::Medium => "Moderate",
        Band::High => "High",
        Band::Critical => "Critical",
    }
}
