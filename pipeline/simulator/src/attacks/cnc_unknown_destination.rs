//! A CNC controller opens one connection to an address outside its profile, in the middle of a
//! shift, in its usual protocol and of its usual size.
//!
//! Ground truth: only the destination is wrong. CRITICAL, because a controller did it.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::Scene;
use super::talk::Talk;
use super::{AttackKind, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "cnc-unknown-destination",
    question: "is a machine talking to somebody it should not know?",
    expected: Grade::Critical,
    when: "in working hours",
    later: false,
    script,
};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 23));

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let cnc = scene.victim("CNC controller", 0, |v| {
        v.is(&["cnc"]) && v.class.profile.controller
    })?;
    let start = scene.at_work(&cnc, 12, 1)?;
    let over = start + Span::from_secs(4);
    let end = over + Span::SECOND;
    let mut dice = scene.dice(&cnc, KIND.name);
    let habit = cnc.habit()?;
    let talk = Talk::like(
        habit,
        cnc.class.bytes,
        cnc.unit.address,
        PEER,
        start,
        &mut dice,
    );
    let mut label = KIND.label(
        &cnc,
        start,
        end,
        "one connection to an unknown outside address",
    );
    label.peer = Some(PEER);
    label.detectors = vec!["unknown_destination".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows: vec![talk.ended(over, 1_800_000, 600_000)],
        changes: Vec::new(),
    })
}
