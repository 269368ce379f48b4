//! An automated guided vehicle calls a command-and-control server: a small request every 45 s,
//! with 10 % jitter.
//!
//! Ground truth: 53 connections of 300 bytes up and 150 down to an unknown host. CRITICAL on the
//! first of them, because a controller talks outside its profile; the rhythm is evidence besides.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::Scene;
use super::talk::Talk;
use super::{AttackKind, Script};
use crate::day::seconds;

pub(super) const KIND: AttackKind = AttackKind {
    name: "c2-beacon",
    question: "does something inside take orders from outside?",
    expected: Grade::Critical,
    when: "in working hours",
    later: false,
    script,
};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 140));
const BEATS: i64 = 53;
const PERIOD_S: i64 = 45;

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let victim = scene
        .victim("guided vehicle", 0, |v| {
            v.is(&["agv"]) && v.class.profile.controller
        })
        .or_else(|_| scene.victim("controller", 1, |v| v.class.profile.controller))?;
    let start = scene.at_work(&victim, 20, BEATS * PERIOD_S / 60 + 1)?;
    let mut dice = scene.dice(&victim, KIND.name);
    let mut rows = Vec::new();
    for beat in 0..BEATS {
        let jitter = seconds(4.5 * dice.normal().clamp(-2.0, 2.0));
        let begin = if beat == 0 {
            start
        } else {
            start + Span::from_secs(PERIOD_S * beat) + jitter
        };
        let talk = Talk::tcp(victim.unit.address, (PEER, 443), "ssl", begin, &mut dice);
        rows.push(talk.ended(begin + seconds(0.4), 300, 150));
    }
    let end = start + Span::from_secs(PERIOD_S * BEATS);
    let mut label = KIND.label(
        &victim,
        start,
        end,
        "beacons to an unknown outside host every 45 s",
    );
    label.peer = Some(PEER);
    label.detectors = vec!["beaconing".to_owned(), "unknown_destination".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows,
        changes: Vec::new(),
    })
}
