//! The patient attacker: a CNC controller hands out a little more than usual, to a server it
//! knows, in its protocol, in its hours, day after day.
//!
//! Ground truth: for a day and a night, one extra upload of 1 MB about every twelve minutes of
//! work: 5 MB an hour, 5 % of its volume. No rule can see it. `upload_ratio` needs hours of the
//! device's own before it, or it cannot tell a leak from a device that has always sent more; a
//! capture that begins with the attack has none.

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::Scene;
use super::talk::Talk;
use super::{AttackKind, Script};
use crate::day::seconds;
use crate::shifts::working;

pub(super) const KIND: AttackKind = AttackKind {
    name: "low-and-slow-exfil",
    question: "does a device leak a little all the time?",
    expected: Grade::Medium,
    when: "from the first working hour, for a day",
    later: true,
    script,
};

const LENGTH: Span = Span::DAY;

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let cnc = scene.victim("CNC controller", 6, |v| {
        v.is(&["cnc"]) && v.class.profile.controller
    })?;
    let start = scene.at_work(&cnc, 40, 30)?;
    let end = start + LENGTH;
    let mut dice = scene.dice(&cnc, KIND.name);
    let habit = cnc.habit()?;
    let peer = habit.peers[0];
    let hours = cnc.class.profile.hours.as_ref();
    let mut rows = Vec::new();
    let mut begin = start;
    while begin < end {
        let over = begin + Span::from_secs(8);
        if working(scene.inventory, hours, begin) && working(scene.inventory, hours, over) {
            let talk = Talk::like(
                habit,
                cnc.class.bytes,
                cnc.unit.address,
                peer,
                begin,
                &mut dice,
            );
            rows.push(talk.ended(over, 1_000_000, 4_000));
        }
        begin = begin + seconds(dice.between(480.0, 960.0));
    }
    let mut label = KIND.label(
        &cnc,
        start,
        end,
        "1 MB more every twelve minutes, to a known server",
    );
    label.peer = Some(peer);
    label.detectors = vec!["upload_ratio".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows,
        changes: Vec::new(),
    })
}
