//! A machine that should be off draws the current of work: somebody computes on its controller,
//! or runs it at night.
//!
//! Ground truth: an hour and a half of samples at the middle of the active range, outside working hours,
//! with the spindle at rest and no traffic. MEDIUM.

use andon_schemas::grade::Grade;
use andon_schemas::observation::{Body, Reading, Record, RecordBody};
use andon_schemas::time::Span;

use super::scene::Scene;
use super::{AttackKind, Script};
use crate::machine::sample_times;
use crate::spread::Place;

pub(super) const KIND: AttackKind = AttackKind {
    name: "idle-current-mining",
    question: "does a machine draw the current of work when it should rest?",
    expected: Grade::Medium,
    when: "outside working hours",
    later: false,
    script,
};

const MINUTES: i64 = 90;

#[expect(
    clippy::cast_possible_truncation,
    reason = "sensors report single precision"
)]
fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let machine = scene.victim("machine with a current sensor and hours", 4, |v| {
        v.class.profile.current.is_some() && v.class.profile.hours.is_some()
    })?;
    let current = machine.class.profile.current.ok_or("no current sensor")?;
    let start = scene.off_work(&machine, 20, MINUTES)?;
    let end = start + Span::MINUTE.times(MINUTES);
    let level = (current.active.lo * current.active.hi).sqrt();
    let place = Place {
        seed: scene.seed,
        device: machine.unit.number,
        index: 0,
    };
    let rows = sample_times(place, start, end).map(|(number, time, mut stream)| Record {
        device: Some(machine.unit.id.clone()),
        address: None,
        event_time: time,
        received_at: None,
        sender: Some(machine.unit.sender.clone()),
        seq: Some(number),
        body: RecordBody::Single(Body::Reading(Reading {
            current_a: Some((level * (1.0 + 0.02 * stream.normal())) as f32),
            spindle_rpm: machine.class.profile.spindle.map(|_| 0.0),
        })),
    });
    let mut label = KIND.label(
        &machine,
        start,
        end,
        "working current while the plant is off",
    );
    label.detectors = vec!["current_draw".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows: rows.collect(),
        changes: Vec::new(),
    })
}
