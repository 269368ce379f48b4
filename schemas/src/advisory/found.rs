//! What is known of a device's firmware, as it is shown to people. It is context: no verdict and no
//! risk rests on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grade::text_scale;
use crate::inventory::Make;
use crate::time::EventTime;

/// How bad a vulnerability is by its CVSS score.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No advisory says.
    #[default]
    Unknown,
    /// 0.
    None,
    /// From 0.1.
    Low,
    /// From 4.
    Medium,
    /// From 7.
    High,
    /// From 9.
    Critical,
}

text_scale!(Severity {
    Unknown => "unknown", None => "none", Low => "low", Medium => "medium", High => "high",
    Critical => "critical",
});

impl Severity {
    /// Of a base score of CVSS v3, 0–10.
    pub fn of_score(score: f64) -> Self {
        match score {
            score if score >= 9.0 => Self::Critical,
            score if score >= 7.0 => Self::High,
            score if score >= 4.0 => Self::Medium,
            score if score > 0.0 => Self::Low,
            0.0 => Self::None,
            _ => Self::Unknown,
        }
    }
}

/// Whether a vulnerability is one of this device.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Affected {
    /// What is known does not say: the version or the product cannot be compared.
    CannotTell,
    /// The advisory names its product and its version.
    Affected,
}

text_scale!(Affected { CannotTell => "cannot_tell", Affected => "affected" });

/// A known vulnerability of a device's firmware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KnownVulnerability {
    /// Its CVE id; where it has none, what its advisory calls it.
    pub cve: String,
    /// Whether the device is affected.
    pub verdict: Affected,
    /// Why, in one plain sentence.
    pub reason: String,
    /// How bad it is.
    pub severity: Severity,
    /// Base score of CVSS, 0–10; null if no advisory says.
    pub cvss: Option<f64>,
    /// What it is.
    pub title: String,
    /// The versions that have it, as the advisory writes them.
    pub versions: String,
    /// The product as the advisory writes it.
    pub product: String,
    /// The first version without it; null if no advisory says.
    pub fixed_in: Option<String>,
    /// What the vendor says to do; null if it does not.
    pub remedy: Option<String>,
    /// Where to read on.
    pub url: Option<String>,
    /// The advisories that speak of it.
    pub advisories: Vec<String>,
}

/// Where a version is known from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum VersionSource {
    /// The device attested it.
    Attested,
    /// The inventory says so.
    Inventory,
}

/// The version of a device's firmware that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirmwareVersion {
    /// As the device, or the inventory, writes it.
    pub version: String,
    /// Where it is known from.
    pub source: VersionSource,
    /// Event time of the attestation; null of what the inventory says.
    pub at: Option<EventTime>,
}

impl FirmwareVersion {
    /// What the inventory says.
    pub fn of_inventory(make: Option<&Make>) -> Option<Self> {
        Some(Self {
            version: make?.firmware.clone()?,
            source: VersionSource::Inventory,
            at: None,
        })
    }
}

/// What advisories say of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceAdvisories {
    /// Its vendor, by the inventory; null if that does not say.
    pub vendor: Option<String>,
    /// Its model, by the inventory; null if that does not say.
    pub model: Option<String>,
    /// Its firmware; null if nobody said.
    pub firmware: Option<FirmwareVersion>,
    /// Vulnerabilities that affect it.
    pub affected: u64,
    /// Vulnerabilities of which it cannot be told.
    pub cannot_tell: u64,
    /// The worst of them, the worst first; at most 100.
    pub advisories: Vec<KnownVulnerability>,
}

impl DeviceAdvisories {
    /// What the inventory says of a device, where there are no advisories to ask.
    pub fn unasked(make: Option<&Make>) -> Self {
        Self::about(make, FirmwareVersion::of_inventory(make))
    }

    /// Who made it and what it runs; nothing is known of that yet.
    pub(super) fn about(make: Option<&Make>, firmware: Option<FirmwareVersion>) -> Self {
        Self {
            vendor: make.and_then(|make| make.vendor.clone()),
            model: make.and_then(|make| make.models.first().cloned()),
            firmware,
            ..Self::default()
        }
    }
}
