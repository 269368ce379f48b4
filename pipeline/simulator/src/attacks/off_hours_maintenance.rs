//! Somebody works on a test station at night: usual destination, usual protocol, usual size.
//!
//! Ground truth: three connections outside working hours and nothing else out of order. LOW: it
//! may be maintenance that nobody declared.

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::{Scene, Victim};
use super::talk::Talk;
use super::{AttackKind, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "off-hours-maintenance",
    question: "who is working on a machine when nobody should be there?",
    expected: Grade::Low,
    when: "outside working hours",
    later: false,
    script,
};

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let suits = |v: &Victim<'_>| {
        let profile = &v.class.profile;
        profile.hours.is_some() && !profile.controller && profile.cadence.is_none()
    };
    let station = scene
        .victim("test station", 0, |v| suits(v) && v.is(&["test"]))
        .or_else(|_| scene.victim("device with hours", 0, suits))?;
    let start = scene.off_work(&station, 35, 20)?;
    let mut dice = scene.dice(&station, KIND.name);
    let habit = station.habit()?;
    let peer = habit.peers[0];
    let rows = (0..3).map(|turn| {
        let begin = start + Span::MINUTE.times(6 * turn);
        Talk::like(
            habit,
            station.class.bytes,
            station.unit.address,
            peer,
            begin,
            &mut dice,
        )
        .ended(begin + Span::from_secs(5), 9_000, 3_000)
    });
    let rows = rows.collect();
    let end = start + Span::MINUTE.times(13);
    let mut label = KIND.label(
        &station,
        start,
        end,
        "three usual connections at an unusual hour",
    );
    label.peer = Some(peer);
    label.detectors = vec!["off_hours".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows,
        changes: Vec::new(),
    })
}
