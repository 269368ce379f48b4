//! How bad, on which plane, for whom: the scales that verdicts are written in.

use serde::{Deserialize, Serialize};

macro_rules! text_scale {
    ($name:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, mildest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The value as it is written on the wire and in profiles.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                // As machines write it.
                match text {
                    $($text => return Ok(Self::$variant),)+
                    _ => {}
                }
                Self::ALL.iter().copied().find(|v| v.as_str().eq_ignore_ascii_case(text))
                    .ok_or_else(|| format!(
                        "`{text}` is none of {}",
                        Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                    ))
            }
        }
    };
}
pub(crate) use text_scale;

/// How bad a finding or a verdict is.
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
#[serde(rename_all = "UPPERCASE")]
pub enum Grade {
    /// Log it for review.
    Low,
    /// Watch more closely, tell the operator.
    Medium,
    /// Isolate or restrict, keep out of production.
    High,
    /// Quarantine at once, alert the SOC.
    Critical,
}

text_scale!(Grade { Low => "LOW", Medium => "MEDIUM", High => "HIGH", Critical => "CRITICAL" });

impl Grade {
    /// One step worse; CRITICAL stays CRITICAL.
    #[must_use]
    pub const fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }

    /// The lowest risk a *rule* of this grade leaves a device with (0–100, 100 is worst).
    pub const fn risk_floor(self) -> u8 {
        match self {
            Self::Low => 25,
            Self::Medium => 50,
            Self::High => 75,
            Self::Critical => 95,
        }
    }

    /// The score from which evidence alone carries this grade: 25 points for every power of ten.
    pub const fn evidence_score(self) -> u8 {
        match self {
            Self::Low => 25,
            Self::Medium => 50,
            Self::High => 75,
            Self::Critical => 100,
        }
    }
}

/// Where a finding was seen. Two planes that agree corroborate each other.
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
pub enum Plane {
    /// Flows: destinations, protocols, volume, timing.
    Network,
    /// Sensors: current, speed.
    Physical,
    /// Attestation: firmware and identity of the software.
    Firmware,
}

text_scale!(Plane { Network => "network", Physical => "physical", Firmware => "firmware" });

/// The risk band a policy decision point reads.
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
pub enum Band {
    /// Never seen, or silent for so long that nothing can be said. Not health.
    Unknown,
    /// Risk below 50.
    Low,
    /// Risk 50 to below 75.
    Medium,
    /// Risk 75 to below 95.
    High,
    /// Risk 95 and above.
    Critical,
}

text_scale!(Band {
    Unknown => "unknown", Low => "low", Medium => "medium", High => "high",
    Critical => "critical",
});

impl Band {
    /// The band of a risk score, 0–100.
    pub const fn of_score(score: u8) -> Self {
        match score {
            0..50 => Self::Low,
            50..75 => Self::Medium,
            75..95 => Self::High,
            _ => Self::Critical,
        }
    }
}

/// The plant's own weighting of a device, computed from its assessment.
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
#[serde(rename_all = "UPPERCASE")]
pub enum RiskClass {
    /// Support.
    Green,
    /// Operational.
    Yellow,
    /// Production-critical.
    Orange,
    /// Safety-critical.
    Red,
}

text_scale!(RiskClass { Green => "GREEN", Yellow => "YELLOW", Orange => "ORANGE", Red => "RED" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_fall_into_the_band_of_their_grade() {
        assert_eq!(Band::of_score(Grade::Low.risk_floor()), Band::Low);
        assert_eq!(Band::of_score(Grade::Medium.risk_floor()), Band::Medium);
        assert_eq!(Band::of_score(Grade::High.risk_floor()), Band::High);
        assert_eq!(Band::of_score(Grade::Critical.risk_floor()), Band::Critical);
    }

    #[test]
    fn scales_read_what_they_write() {
        for grade in Grade::ALL {
            assert_eq!(grade.as_str().parse::<Grade>().as_ref(), Ok(grade));
        }
        assert!("SEVERE".parse::<Grade>().is_err());
    }
}
