//! Configurations from strict to loose, and what each makes of a profile.
//!
//! Two numbers make a configuration: how often per device-hour the volume rule may fire by the
//! law of the written range, and how often evidence may reach MEDIUM by the promise of the
//! e-detectors. Both are *nominal*: what they come to on real traffic is what tuning measures.

use andon_detectors::stats::evidence::HYSTERESIS;
use andon_detectors::stats::score::LEVELS;
use andon_detectors::written::hourly_volume;
use andon_schemas::profile::{Calibration, Profile, ProfileSet, Volume};
use serde::Serialize;

/// Number of configurations that are tried together.
pub const STEPS: usize = 13;
/// Of the path that is certified, the step at which both parts used up the target when they were
/// calibrated; the rest is looser.
const MIDDLE: f64 = 8.0;
/// Nominal rate of step 0, per device-hour; every third step is ten times as loose.
const STRICTEST: f64 = 1e-6;
const STEPS_PER_DECADE: f64 = 3.0;
/// Below this multiple a rule would do what evidence does better; above the other it does nothing.
const MULTIPLES: (f64, f64) = (1.5, 20.0);
/// No profile's evidence is discounted further.
const DISCOUNT_MAX: f64 = 1e6;

/// A configuration: nominal rates per device-hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Of the volume rule.
    pub rule: f64,
    /// Of evidence that reaches MEDIUM.
    pub evidence: f64,
}

/// The nominal rate at a position of the path, which may lie between two steps.
fn nominal(position: f64) -> f64 {
    STRICTEST * 10_f64.powf(position / STEPS_PER_DECADE)
}

/// The path that is looked at first: both parts loosen together.
pub fn first() -> Vec<Setting> {
    steps(0.0, 0.0)
}

/// The path on which both parts are due at the same step: where each of them alone, when it was
/// calibrated, used up its half of the target. Where evidence used up less than that even as it is,
/// it is due where it counts in full: looser than that it does not get.
pub fn balanced(rule_at: usize, evidence_at: usize) -> Vec<Setting> {
    #[expect(clippy::cast_precision_loss, reason = "a handful of steps")]
    let shift = |at: usize| at as f64 - MIDDLE;
    let is_less = |setting: &Setting| setting.discount() > 1.0;
    let in_full = first()
        .iter()
        .take_while(|setting| is_less(setting))
        .count();
    steps(shift(rule_at), shift(evidence_at.min(in_full)))
}

fn steps(rule: f64, evidence: f64) -> Vec<Setting> {
    #[expect(clippy::cast_precision_loss, reason = "a handful of steps")]
    let at = |step: usize| step as f64;
    let setting = |step| Setting {
        rule: nominal(rule + at(step)),
        evidence: nominal(evidence + at(step)),
    };
    (0..STEPS).map(setting).collect()
}

impl Setting {
    /// By how much evidence is divided. Never less than 1: evidence is not made of nothing.
    pub fn discount(&self) -> f64 {
        let promised = f64::from(HYSTERESIS) / f64::from(HYSTERESIS - 1.0);
        let per_hour = promised / (f64::from(LEVELS[1]) * 24.0);
        // Three digits are enough, and a person can read them.
        three_digits((per_hour / self.evidence).clamp(1.0, DISCOUNT_MAX))
    }

    /// The multiple of the upper end at which the volume rule fires; none where a profile writes an
    /// absolute limit, which is policy, or where its range is no law.
    pub fn multiple(&self, volume: &Volume) -> Option<f64> {
        if volume.absolute {
            return None;
        }
        let null = hourly_volume(volume)?;
        let multiple = null.threshold(self.rule) / volume.range.hi;
        Some(three_digits(multiple.clamp(MULTIPLES.0, MULTIPLES.1)))
    }

    /// The profile under this configuration.
    #[must_use]
    pub fn apply(&self, profile: &Profile, claim: Certified) -> Profile {
        let mut tuned = profile.clone();
        if let Some(volume) = &mut tuned.volume
            && let Some(multiple) = self.multiple(volume)
        {
            volume.rule_bytes = multiple * volume.range.hi;
        }
        tuned.calibration = Some(Calibration {
            discount: self.discount(),
            device_hours: claim.device_hours,
            false_positives: claim.target,
            confidence: claim.confidence,
        });
        tuned.hash = tuned.content_hash();
        tuned
    }

    /// All profiles under this configuration.
    pub fn apply_to_all(&self, profiles: &ProfileSet, claim: Certified) -> ProfileSet {
        ProfileSet::new(profiles.iter().map(|profile| self.apply(profile, claim)))
    }
}

/// What a profile says of its calibration besides the discount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certified {
    /// Clean device-hours.
    pub device_hours: u64,
    /// False positives per device-hour, at most.
    pub target: f64,
    /// How sure that is.
    pub confidence: f64,
}

fn three_digits(x: f64) -> f64 {
    if x <= 0.0 || !x.is_finite() {
        return x;
    }
    let scale = 10_f64.powf(2.0 - x.log10().floor());
    (x * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use andon_schemas::builtin;

    use super::*;

    const CLAIM: Certified = Certified {
        device_hours: 3_000,
        target: 1e-3,
        confidence: 0.95,
    };

    #[test]
    fn every_step_is_looser_than_the_one_before() {
        let profiles = builtin::profiles(&[]).unwrap();
        for profile in profiles.iter() {
            let Some(volume) = &profile.volume else {
                continue;
            };
            let multiples: Vec<_> = first().iter().filter_map(|s| s.multiple(volume)).collect();
            assert!(multiples.is_sorted_by(|a, b| a >= b), "{}", profile.name);
        }
        let discounts: Vec<_> = first().iter().map(Setting::discount).collect();
        assert!(discounts.is_sorted_by(|a, b| a >= b));
        assert!((discounts[12] - 1.0).abs() < 1e-12, "{discounts:?}");
    }

    #[test]
    fn the_nominal_rates_are_those_of_the_laws() {
        let profiles = builtin::profiles(&[]).unwrap();
        let volume = profiles.get("cnc_controller").unwrap().volume.unwrap();
        let setting = |rule, evidence| Setting { rule, evidence };
        // 253 MB is exceeded once in a thousand hours (stats.md, table of written ranges).
        let multiple = setting(1e-3, 1e-3).multiple(&volume).unwrap();
        assert!((multiple * 150.0 - 253.0).abs() < 1.0, "{multiple}");
        // MEDIUM promises 1.11 in 100 device-days.
        assert!((setting(1.0, 1.11 / 2_400.0 / 7.0).discount() - 7.01).abs() < 0.02);
        let absolute = Volume {
            absolute: true,
            ..volume
        };
        assert_eq!(setting(1e-3, 1e-3).multiple(&absolute), None);
    }

    #[test]
    fn a_balanced_path_is_due_where_both_parts_were() {
        let path = balanced(10, 4);
        assert!((path[8].rule - first()[10].rule).abs() < 1e-12);
        assert!((path[8].evidence - first()[4].evidence).abs() < 1e-12);
        let calm = balanced(12, 12);
        assert!(calm[7].discount() > 1.0 && (calm[8].discount() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_tuned_profile_is_written_and_read_as_it_is() {
        let profiles = builtin::profiles(&[]).unwrap();
        for profile in first()[7].apply_to_all(&profiles, CLAIM).iter() {
            let text = profile.to_yaml();
            let file = andon_schemas::profile::SourceFile {
                path: "p.yaml",
                text: &text,
            };
            let again = andon_schemas::profile::parse(&[file], &[]).unwrap();
            assert_eq!(again.get(&profile.name).unwrap().hash, profile.hash);
        }
    }
}
