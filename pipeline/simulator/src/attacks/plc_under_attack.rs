//! An unknown host connects to a PLC and writes to it.
//!
//! Ground truth: six answered connections from outside to the PLC's Modbus port. CRITICAL on the
//! PLC, which did nothing itself: the response restricts the flows of the peer and leaves the PLC
//! alone.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::scene::Scene;
use super::talk::Talk;
use super::{AttackKind, Script, plc_night_exfil};

pub(super) const KIND: AttackKind = AttackKind {
    name: "plc-under-attack",
    question: "does somebody we do not know write to a controller?",
    expected: Grade::Critical,
    when: "an hour and ten minutes after the start",
    later: false,
    script,
};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 66));
const AFTER_MIN: i64 = 70;

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let plc = plc_night_exfil::plc(scene)?;
    let start = scene.start + Span::MINUTE.times(AFTER_MIN);
    let mut dice = scene.dice(&plc, KIND.name);
    let rows = (0..6).map(|turn| {
        let begin = start + Span::from_secs(15 * turn);
        Talk::tcp(PEER, (plc.unit.address, 502), "modbus", begin, &mut dice).ended(
            begin + Span::from_secs(6),
            2_400,
            1_100,
        )
    });
    let rows = rows.collect();
    let end = start + Span::from_secs(81) + Span::SECOND;
    let mut label = KIND.label(
        &plc,
        start,
        end,
        "an outside host opens Modbus connections to the PLC",
    );
    label.peer = Some(PEER);
    label.detectors = vec!["unknown_destination".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows,
        changes: Vec::new(),
    })
}
