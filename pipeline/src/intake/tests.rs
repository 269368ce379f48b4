//! Every record is counted once, wherever it went.

use andon_schemas::command::Mode;
use andon_schemas::wire::{DecodeOptions, decode};

use super::*;
use crate::args::PlantArgs;

fn source(offset: u64) -> Source {
    Source {
        topic: "here".into(),
        partition: 0,
        offset,
    }
}

/// A record of a flow between two devices of the plant: two rows.
fn flow() -> Record {
    let flow = serde_json::json!({
        "kind": "flow", "time": "2025-12-12T09:00:00Z", "orig": "10.1.10.1:40000",
        "resp": "10.1.10.250:44818", "transport": "udp", "state": "answered",
    });
    decode(flow.to_string().as_bytes(), DecodeOptions::default()).unwrap()
}

fn refused(ordinal: u64) -> (u64, Reject) {
    let reject = Reject {
        reason: RejectReason::Shed,
        detail: "full".to_owned(),
        source: source(ordinal),
        device: None,
        received_at: EventTime::MAX,
        excerpt: String::new(),
    };
    (ordinal, reject)
}

#[test]
fn a_record_is_a_reject_once_and_only_if_nothing_of_it_is_left() {
    let blueprint = Blueprint::read(&PlantArgs::default(), Mode::Monitor).unwrap();
    let plant = blueprint.compile().unwrap();
    // Rows 0 and 1, a tick, rows 3 to 6; three rows a bundle, so the third record is cut.
    let mut intake = Intake::new(&plant, 3, false);
    for offset in 0..3 {
        intake.record(flow(), &source(offset), EventTime::MAX);
    }
    intake.take();
    intake.settle(vec![refused(0), refused(3), refused(5)]);
    assert_eq!(
        (intake.tally().observed, intake.tally().rejects.len()),
        (3, 0)
    );
    intake.feed().flush();
    intake.take();
    intake.settle(vec![refused(6)]);
    assert_eq!(intake.tally().observed, 2);
    assert_eq!(intake.tally().rejects[&RejectReason::Shed], 1);
    assert!(intake.tally().adds_up());
    assert_eq!(intake.take_rejects().len(), 4);
}
