//! A robotic arm connects to a host of the paint shop, where one spark is enough.
//!
//! Ground truth: three short connections to a segment that its own denies. CRITICAL for the
//! destination, HIGH for the forbidden flow.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::{Scene, Victim};
use super::talk::Talk;
use super::{AttackKind, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "robot-to-paint-shop",
    question: "does a robot reach where it must never reach?",
    expected: Grade::Critical,
    when: "in working hours",
    later: false,
    script,
};

/// Host number of the spray cell's controller in the paint shop's network.
const HOST: usize = 20;

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let robot = scene.victim("robotic arm", 0, |v| v.is(&["robot"]))?;
    let peer = paint_shop(scene, &robot)
        .ok_or("neither a segment nor a denied flow is called after the paint shop")?;
    let start = scene.at_work(&robot, 15, 3)?;
    let mut dice = scene.dice(&robot, KIND.name);
    let habit = robot.habit()?;
    let rows = (0..3).map(|turn| {
        let begin = start + Span::from_secs(40 * turn);
        Talk::like(
            habit,
            robot.class.bytes,
            robot.unit.address,
            peer,
            begin,
            &mut dice,
        )
        .ended(begin + Span::from_secs(2), 1_200, 800)
    });
    let rows = rows.collect();
    let end = start + Span::from_secs(82) + Span::SECOND;
    let mut label = KIND.label(&robot, start, end, "connections into the paint shop");
    label.peer = Some(peer);
    label.detectors = vec!["unknown_destination".to_owned()];
    if scene.forbids(&robot, peer, habit.transport, habit.port) {
        label.detectors.push("forbidden_flow".to_owned());
    }
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows,
        changes: Vec::new(),
    })
}

/// A host of the paint shop: by the segment's name, else by the rule that forbids it.
fn paint_shop(scene: &Scene<'_>, robot: &Victim<'_>) -> Option<IpAddr> {
    let segments = &scene.inventory.segments;
    let named = segments
        .iter()
        .find(|s| s.name.contains("paint"))
        .map(|s| &s.networks);
    let denied = || {
        let own = scene
            .device(robot)
            .and_then(|device| segments.get(device.segment))?;
        own.denied
            .iter()
            .find(|rule| rule.name.contains("paint"))
            .map(|rule| &rule.networks)
    };
    named.or_else(denied)?.first()?.hosts().take(HOST).last()
}
