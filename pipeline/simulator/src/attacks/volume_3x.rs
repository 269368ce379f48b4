//! Staging: a vision system moves far more than it ever does, to a server it knows, in its usual
//! protocol, within one clock hour.
//!
//! Ground truth: five connections that together carry 3.5 times the upper end of the written
//! range, on top of the honest traffic. MEDIUM, as soon as the running total is past the rule.

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::Scene;
use super::talk::Talk;
use super::{AttackKind, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "volume-3x",
    question: "does a device move far more than it ever does?",
    expected: Grade::Medium,
    when: "in the first whole working hour",
    later: false,
    script,
};

const MULTIPLE: f64 = 3.5;
const PARTS: i64 = 5;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes of an hour, positive"
)]
fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let has_volume = |v: &super::scene::Victim<'_>| {
        v.class.volume.is_some() && v.class.profile.cadence.is_none() && !v.class.profile.controller
    };
    let victim = scene
        .victim("vision system", 0, |v| has_volume(v) && v.is(&["vision"]))
        .or_else(|_| scene.victim("device with a written volume", 0, has_volume))?;
    let volume = victim.class.profile.volume.ok_or("no volume is written")?;
    let each = (MULTIPLE * volume.range.hi / 5.0).ceil();
    let hour = scene.hour_at_work(&victim)?;
    let mut dice = scene.dice(&victim, KIND.name);
    let habit = victim.habit()?;
    let peer = habit.peers[0];
    let rows = (0..PARTS).map(|part| {
        let begin = hour + Span::MINUTE.times(12 + 7 * part);
        Talk::like(
            habit,
            victim.class.bytes,
            victim.unit.address,
            peer,
            begin,
            &mut dice,
        )
        .ended(
            begin + Span::MINUTE.times(6),
            (each * 0.75).ceil() as u64,
            (each * 0.25).ceil() as u64,
        )
    });
    let rows = rows.collect();
    let (start, end) = (hour + Span::MINUTE.times(12), hour + Span::MINUTE.times(47));
    let mut label = KIND.label(
        &victim,
        start,
        end,
        "3.5 times the upper end of its hourly volume",
    );
    label.peer = Some(peer);
    label.detectors = vec!["traffic_volume".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows,
        changes: Vec::new(),
    })
}
