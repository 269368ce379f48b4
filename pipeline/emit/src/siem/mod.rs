//! Verdicts in the forms that a SIEM reads, and the ways there.
//!
//! A form is a pure function of a verdict and of who writes it; a verdict comes out the same each
//! time, so that what is sent again can be told from what is new by its id and revision.

mod attack;
mod cef;
mod ecs;
mod facts;
mod ocsf;
mod outlet;
mod scale;
mod syslog;
pub mod way;

use std::str::FromStr;

use andon_schemas::verdict::Verdict;

pub use attack::{ATTACK_VERSION, Tactic, Technique, technique};
pub use cef::cef;
pub use ecs::ecs;
pub use ocsf::ocsf;
pub use outlet::{Outlet, OutletOptions};
pub use syslog::{carried, syslog};

/// Name of the product, as every form says it.
pub const PRODUCT: &str = "andon";
/// Name of whoever makes it, where a form asks for one.
pub const VENDOR: &str = "Andon";

/// How a verdict is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// OCSF Detection Finding, class 2004, as JSON.
    Ocsf,
    /// Elastic Common Schema, as JSON.
    Ecs,
    /// `ArcSight` Common Event Format, one line.
    Cef,
    /// RFC 5424 with structured data, one line.
    Syslog,
    /// The verdict as it is, as JSON.
    Ndjson,
}

impl Form {
    /// Every form.
    pub const ALL: &'static [Self] =
        &[Self::Ocsf, Self::Ecs, Self::Cef, Self::Syslog, Self::Ndjson];

    /// The form as configurations name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Cef => "cef",
            Self::Syslog => "syslog",
            Self::Ndjson => "ndjson",
        }
    }

    /// Whether it is one JSON document.
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Ocsf | Self::Ecs | Self::Ndjson)
    }

    /// The verdict in this form: one line, without an end.
    pub fn line(self, verdict: &Verdict, writer: &Writer) -> String {
        match self {
            Self::Ocsf => ocsf(verdict, writer).to_string(),
            Self::Ecs => ecs(verdict, writer).to_string(),
            Self::Cef => cef(verdict, writer),
            Self::Syslog => syslog(verdict, writer),
            // The texts and finite numbers of a verdict always become JSON.
            Self::Ndjson => serde_json::to_string(verdict).unwrap_or_default(),
        }
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|form| form.as_str() == text);
        named.copied().ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|form| form.as_str()).collect();
            format!("`{text}` is none of {}", all.join(", "))
        })
    }
}

/// Who writes: what a form says of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Version of the product.
    pub version: String,
    /// Name of this host.
    pub host: String,
    /// Private enterprise number of whoever runs it; 32473 is the one of documentation.
    pub enterprise: u32,
    /// Facility of syslog, 0–23; 16 is `local0`.
    pub facility: u8,
    /// Most bytes of a message of syslog; its text is cut to that.
    pub message_bytes_max: usize,
}

impl Writer {
    /// The enterprise number that RFC 5612 reserves for examples.
    pub const ENTERPRISE: u32 = 32_473;
    /// Facility `local0`.
    pub const LOCAL0: u8 = 16;
    /// What every receiver should take (RFC 5424 §6.1).
    pub const DATAGRAM_BYTES_MAX: usize = 2_048;
    /// What receivers of streams take unless they are told otherwise.
    pub const STREAM_BYTES_MAX: usize = 8_192;

    /// A writer of this version on this host, with everything else as it is by default.
    pub fn new(version: &str, host: &str) -> Self {
        Self {
            version: version.to_owned(),
            host: host.to_owned(),
            enterprise: Self::ENTERPRISE,
            facility: Self::LOCAL0,
            message_bytes_max: Self::STREAM_BYTES_MAX,
        }
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
pub(crate) mod tests;
