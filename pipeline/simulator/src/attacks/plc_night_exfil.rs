//! The worked anomaly: on Sunday at 02:30 plant time the assembly line's PLC sends 500 MB to an
//! address outside, over SSH, a protocol it has never spoken.
//!
//! Ground truth: one connection, 02:30:00 to 02:36:40 (10 Mbit/s), running totals every 10 s,
//! 500,000,000 bytes in both directions at its end; that is 250,000 messages of 2 KB, or 347 of its hours. One
//! CRITICAL episode with four findings: the destination and the protocol are outside the profile,
//! the hour is outside production, the volume is past its multiple. All stand on the first row.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::{Scene, Victim};
use super::talk::Talk;
use super::{AttackKind, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "plc-night-exfil",
    question: "is a controller sending our data to somebody outside?",
    expected: Grade::Critical,
    when: "Sunday 02:30",
    later: false,
    script,
};

/// Out of a range kept for documentation (RFC 5737).
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 77));
/// Both directions together are the 500 MB of the requirements: a volume means both.
const TOTAL_UP: u64 = 499_980_000;
const TOTAL_DOWN: u64 = 20_000;
const STEP_S: i64 = 10;
const STEPS: u16 = 40;

/// The PLC of the worked anomaly.
pub(super) fn plc<'a>(scene: &Scene<'a>) -> Result<Victim<'a>, String> {
    scene.victim("PLC", 0, |v| v.class.profile.controller && v.is(&["plc"]))
}

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let plc = plc(scene)?;
    let start = scene.weekday_at(6, 150);
    let end = start + Span::from_secs(STEP_S * i64::from(STEPS)) + Span::SECOND;
    let mut dice = scene.dice(&plc, KIND.name);
    let talk = Talk::tcp(plc.unit.address, (PEER, 22), "ssh", start, &mut dice);
    let rows = (1..=STEPS).map(|step| {
        let time = start + Span::from_secs(STEP_S * i64::from(step));
        let part = |total: u64| total * u64::from(step) / u64::from(STEPS);
        if step == STEPS {
            talk.ended(time, TOTAL_UP, TOTAL_DOWN)
        } else {
            talk.running(time, part(TOTAL_UP), part(TOTAL_DOWN))
        }
    });
    let mut label = KIND.label(
        &plc,
        start,
        end,
        "500 MB to an outside address over SSH, Sunday 02:30",
    );
    label.peer = Some(PEER);
    label.detectors = [
        "unknown_destination",
        "unknown_protocol",
        "off_hours",
        "traffic_volume",
    ]
    .map(str::to_owned)
    .to_vec();
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows: rows.collect(),
        changes: Vec::new(),
    })
}
