//! A controller's image is replaced: the version it reports is the old one, the digest is not.
//!
//! Ground truth: a report out of turn, and every later one, with a digest that no vendor shipped;
//! the device stays that way to the end of the capture. HIGH.

use andon_schemas::grade::Grade;
use andon_schemas::observation::{Attestation, Body, Record, RecordBody};
use andon_schemas::time::{EventTime, Span};

use super::change::What;
use super::scene::Scene;
use super::{AttackKind, Change, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "firmware-swap",
    question: "does a device run an image that is not ours?",
    expected: Grade::High,
    when: "in working hours",
    later: false,
    script,
};

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let cnc = scene.victim("CNC controller with known firmware", 1, |v| {
        v.is(&["cnc"]) && !v.class.profile.firmware.is_empty()
    })?;
    let known = cnc
        .class
        .profile
        .firmware
        .last()
        .ok_or("no firmware is known")?;
    let start = scene.at_work(&cnc, 18, 1)?;
    let mut dice = scene.dice(&cnc, KIND.name);
    let (high, low) = (dice.wide(), dice.wide());
    let image = Attestation {
        version: known.version.clone(),
        digest: Some(format!("{high:032x}{low:032x}")),
        // The quote is of the boot chain, which was left alone.
        tpm_ok: Some(true),
    };
    let report = Record {
        device: Some(cnc.unit.id.clone()),
        address: None,
        event_time: start,
        received_at: None,
        sender: Some(cnc.unit.sender.clone()),
        seq: None,
        body: RecordBody::Single(Body::Attestation(image.clone())),
    };
    let mut label = KIND.label(
        &cnc,
        start,
        scene.end,
        "the known version with a digest nobody shipped",
    );
    label.detectors = vec!["firmware_mismatch".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: start + Span::MINUTE,
        rows: vec![report],
        changes: vec![(
            cnc.number,
            Change {
                from: start,
                to: EventTime::MAX,
                what: What::Firmware(image),
            },
        )],
    })
}
