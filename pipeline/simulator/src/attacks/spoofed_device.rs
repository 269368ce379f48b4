//! A device that was taken over sends calm readings in the name of a machine.
//!
//! Ground truth: six readings about a machine whose proven sender is a device that does not serve
//! it. They must never reach the machine's state; the finding, HIGH, is about the sender.

use andon_schemas::grade::Grade;
use andon_schemas::observation::{Body, Reading, Record, RecordBody, Sender};
use andon_schemas::time::Span;

use super::scene::Scene;
use super::{AttackKind, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "spoofed-device",
    question: "does somebody speak in the name of another device?",
    expected: Grade::High,
    when: "in working hours",
    later: false,
    script,
};

#[expect(
    clippy::cast_possible_truncation,
    reason = "sensors report single precision"
)]
fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let machine = scene.victim("machine with a current sensor", 3, |v| {
        v.class.profile.current.is_some()
    })?;
    let current = machine.class.profile.current.ok_or("no current sensor")?;
    let sender = scene.victim("second device with its own key", 5, |v| {
        v.unit.id != machine.unit.id
            && v.unit.sender.name == v.unit.id
            && !v.class.profile.controller
    })?;
    let start = scene.at_work(&machine, 25, 5)?;
    let end = start + Span::MINUTE.times(5);
    let calm = Reading {
        current_a: Some(f64::midpoint(current.idle.lo, current.idle.hi) as f32),
        spindle_rpm: machine.class.profile.spindle.map(|_| 0.0),
    };
    let rows = (0..6).map(|turn| Record {
        device: Some(machine.unit.id.clone()),
        address: None,
        event_time: start + Span::from_secs(50 * turn),
        received_at: None,
        sender: Some(Sender {
            name: sender.unit.id.clone(),
            proven: true,
        }),
        seq: None,
        body: RecordBody::Single(Body::Reading(calm)),
    });
    let note = format!("it sends readings in the name of {}", machine.unit.id);
    let mut label = KIND.label(&sender, start, end, &note);
    label.detectors = vec!["identity_mismatch".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows: rows.collect(),
        changes: Vec::new(),
    })
}
