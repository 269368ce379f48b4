//! A spindle is driven 15 % beyond its limit for eight minutes, the current within its range.
//!
//! Ground truth: every sample of the eight minutes shows the overspeed. HIGH: it can hurt people.

use andon_schemas::grade::Grade;
use andon_schemas::observation::Reading;
use andon_schemas::time::Span;

use super::change::What;
use super::scene::Scene;
use super::{AttackKind, Change, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "spindle-overspeed",
    question: "is a spindle driven past what it can bear?",
    expected: Grade::High,
    when: "in working hours",
    later: false,
    script,
};

const MINUTES: i64 = 8;
const OVERSPEED: f64 = 1.15;

#[expect(
    clippy::cast_possible_truncation,
    reason = "sensors report single precision"
)]
fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let machine = scene.victim("machine with a spindle", 2, |v| {
        v.class.profile.spindle.is_some()
    })?;
    let spindle = machine.class.profile.spindle.ok_or("no spindle")?;
    let start = scene.at_work(&machine, 22, MINUTES)?;
    let end = start + Span::MINUTE.times(MINUTES);
    let shown = Reading {
        current_a: machine
            .class
            .profile
            .current
            .map(|c| (c.active.hi * 0.9) as f32),
        spindle_rpm: Some((spindle.limit * OVERSPEED) as f32),
    };
    let mut label = KIND.label(&machine, start, end, "spindle at 115 % of its limit");
    label.detectors = vec!["spindle_speed".to_owned()];
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
