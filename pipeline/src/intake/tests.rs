//! Every record is counted once, wherever it went.

use andon_ingest::files;
use andon_schemas::command::Mode;
use andon_schemas::observation::Kind;
use andon_schemas::time::Span;
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
        intake.record(&flow(), &source(offset), EventTime::MAX);
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

/// A flow with whatever is given instead of what it usually says.
fn flow_with(number: u64, changes: &[(&str, serde_json::Value)]) -> Record {
    let began = EventTime::parse("2025-12-12T09:00:00Z").unwrap();
    let at = began + Span::from_secs(3 * i64::try_from(number).unwrap());
    let mut flow = serde_json::json!({
        "kind": "flow", "orig": "10.1.10.1:40000", "resp": "10.1.10.250:44818",
        "transport": "udp", "state": "answered", "seq": number,
        "start": at.to_string(), "time": at.to_string(),
        "orig_bytes": number, "service": "enip", "uid": format!("C{number}"),
    });
    for (key, value) in changes {
        flow[key] = value.clone();
    }
    decode(flow.to_string().as_bytes(), DecodeOptions::default()).unwrap()
}

/// What a recorded capture may hold: plain flows in long runs, and now and then something else.
fn records() -> Vec<Record> {
    let odd = [
        ("orig", "198.51.100.7:1"),
        ("orig", "10.1.10.201:5"),
        ("resp", "10.1.10.1:40000"),
        ("resp", "10.1.99.99:80"),
        ("resp", "[2001:db8::5]:443"),
        ("resp_name", "Updates.Example."),
        ("time", "2031-01-01T00:00:00Z"),
        ("transport", "tcp"),
        ("state", "rejected"),
    ];
    let plain = (0..20_000).map(|number| {
        let (key, value) = odd[usize::try_from(number).unwrap() % odd.len()];
        let both = [
            (key, value.into()),
            ("orig", "198.51.100.9:9".into()),
            ("resp", "203.0.113.1:53".into()),
        ];
        match number % 100 {
            0..8 => flow_with(number, &both[..1]),
            8 => flow_with(number, &both[1..]),
            _ => flow_with(number, &[]),
        }
    });
    let mut records: Vec<Record> = plain.collect();
    // Of another kind, named, and of a sender: no block takes them.
    records[9_000] = flow_with(9_000, &[("device", "cnc-controller-01-0001".into())]);
    records[9_001] = flow_with(9_001, &[("sender", "zeek-1".into())]);
    let reading = serde_json::json!({
        "kind": "reading", "time": "2025-12-12T09:00:00Z", "device": "cnc-controller-01-0001",
        "current_a": 4.5,
    });
    let reading = decode(reading.to_string().as_bytes(), DecodeOptions::default());
    records[19_999] = reading.unwrap();
    records
}

/// Everything that an intake came to.
fn came_to(intake: &mut Intake) -> (Vec<String>, Tally, Vec<Reject>) {
    intake.end();
    let inputs = intake.take();
    let rows = inputs.iter().flat_map(|input| match input {
        Input::Bundle(bundle) => {
            let row = |at: &andon_schemas::bundle::RowRef| {
                let (columns, row) = (bundle.header(at.kind), at.row as usize);
                let source = columns.source(row);
                let flow = (at.kind == Kind::Flow).then(|| bundle.flows.row(row));
                format!("{} {:?} {source:?} {flow:?}", at.ordinal, columns.row(row))
            };
            bundle.order.iter().map(row).collect()
        }
        other => vec![format!("{other:?}")],
    });
    (
        rows.collect(),
        intake.tally().clone(),
        intake.take_rejects(),
    )
}

#[test]
fn flows_in_blocks_come_to_the_same_as_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.parquet", "b.parquet"].map(|name| folder.path().join(name));
    for path in &paths {
        let mut writer = files::CaptureWriter::create(path).unwrap();
        for record in records() {
            writer.record(&record, None).unwrap();
        }
        writer.finish().unwrap();
    }
    let blueprint = Blueprint::read(&PlantArgs::default(), Mode::Monitor).unwrap();
    let plant = blueprint.compile().unwrap();
    let as_of = EventTime::parse("2026-01-01T00:00:00Z").unwrap();
    let open = || files::open(&paths, files::OpenOptions::as_of(as_of)).unwrap();
    for by_address in [false, true] {
        let (mut one_by_one, mut in_blocks) = (open(), open());
        let mut intakes = [0, 1].map(|_| Intake::new(&plant, 4_096, by_address));
        for item in one_by_one.next_batch(100_000).unwrap() {
            intakes[0].item(item, as_of).unwrap();
        }
        let mut blocks = 0;
        loop {
            let pieces = in_blocks.next_pieces(10_000).unwrap();
            if pieces.is_empty() {
                break;
            }
            for piece in pieces {
                let Piece::Flows(block) = piece else {
                    intakes[1].piece(piece, as_of).unwrap();
                    continue;
                };
                blocks += 1;
                let (mut told, before) = (0, intakes[1].tally().observed);
                intakes[1].flows(&block, as_of, |at| told += u64::from(at < as_of));
                assert_eq!(told, intakes[1].tally().observed - before);
            }
        }
        // The second batch of each file and the last hold something else.
        assert_eq!(blocks, 2);
        assert!(one_by_one.next_batch(1).unwrap().is_empty());
        assert_eq!(one_by_one.files(), in_blocks.files());
        let [left, right] = intakes.each_mut().map(came_to);
        assert_eq!(left.0.len(), right.0.len());
        for (left, right) in left.0.iter().zip(&right.0) {
            assert_eq!(left, right);
        }
        assert_eq!((&left.1, &left.2), (&right.1, &right.2));
        assert!(
            left.1.observed > 38_000 && !left.2.is_empty(),
            "{:?}",
            left.1
        );
    }
}
