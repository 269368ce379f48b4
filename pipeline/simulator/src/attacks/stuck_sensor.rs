//! What the sensors of a machine show is one moment of work, played again and again: whatever it
//! really does is hidden.
//!
//! Ground truth: 45 minutes of work in which every sample shows the same current and the same
//! speed, both honest ones. MEDIUM.

use andon_schemas::grade::Grade;
use andon_schemas::observation::Reading;
use andon_schemas::time::Span;

use super::change::What;
use super::scene::Scene;
use super::{AttackKind, Change, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "stuck-sensor",
    question: "does a sensor show a moment of work that has long passed?",
    expected: Grade::Medium,
    when: "in working hours",
    later: false,
    script,
};

const MINUTES: i64 = 45;

#[expect(
    clippy::cast_possible_truncation,
    reason = "sensors report single precision"
)]
fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let machine = scene.victim("machine whose sensors must move", 8, |v| {
        let frozen = v.class.profile.frozen.unwrap_or_default();
        frozen.active.is_some() && v.class.profile.current.is_some()
    })?;
    let profile = &machine.class.profile;
    let start = scene.at_work(&machine, 25, MINUTES)?;
    let end = start + Span::MINUTE.times(MINUTES);
    let shown = Reading {
        current_a: profile
            .current
            .map(|c| (c.active.lo * c.active.hi).sqrt() as f32),
        spindle_rpm: profile
            .spindle
            .map(|spindle| spindle.range.lo.midpoint(spindle.range.hi) as f32),
    };
    let mut label = KIND.label(&machine, start, end, "its sensors show one moment of work");
    label.detectors = vec!["frozen_sensor".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows: Vec::new(),
        changes: vec![(
            machine.number,
            Change {
                from: start,
                to: end,
                what: What::Reading(shown),
            },
        )],
    })
}
