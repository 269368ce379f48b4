//! A sensor falls silent: cut off, jammed, or broken.
//!
//! Ground truth: not one record of the device for its silence limit many times over. MEDIUM.

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::change::What;
use super::scene::Scene;
use super::{AttackKind, Change, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "silent-sensor",
    question: "which device has stopped reporting?",
    expected: Grade::Medium,
    when: "in working hours",
    later: false,
    script,
};

/// How long a device without a rhythm is silent: long enough to leave an hour empty.
const WITHOUT_RHYTHM_MIN: i64 = 130;
const WITH_RHYTHM_MIN: i64 = 45;

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let sensor = scene
        .victim("sensor", 0, |v| {
            v.is(&["sensor"]) && v.class.profile.cadence.is_some()
        })
        .or_else(|_| scene.victim("device", 0, |v| !v.class.profile.controller))?;
    let profile = &sensor.class.profile;
    let minutes = match (profile.cadence, profile.silence) {
        (None, None) => WITHOUT_RHYTHM_MIN,
        (_, Some(span)) => WITH_RHYTHM_MIN.max(4 * span.micros() / Span::MINUTE.micros()),
        (Some(cadence), None) => {
            let periods = crate::day::seconds(12.0 * cadence.period_s);
            WITH_RHYTHM_MIN.max(periods.micros() / Span::MINUTE.micros())
        }
    };
    let start = scene.at_work(&sensor, 30, minutes)?;
    let end = start + Span::MINUTE.times(minutes);
    let mut label = KIND.label(&sensor, start, end, "not one record in all that time");
    label.detectors = vec!["silence".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows: Vec::new(),
        changes: vec![(
            sensor.number,
            Change {
                from: start,
                to: end,
                what: What::Silence,
            },
        )],
    })
}
