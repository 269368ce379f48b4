//! CSV with a mapping: rows of flows and readings, and rows that cannot be read.

use std::sync::Arc;

use andon_schemas::mapping::{Mapping, parse};
use andon_schemas::observation::{ByteKind, ConnState, Reading, Transport};
use andon_schemas::profile::SourceFile;

use super::super::{CaptureError, Format, read_mapping};
use super::*;

fn mapping(text: &str) -> Arc<Mapping> {
    let path = "test.map.yaml";
    Arc::new(parse(SourceFile { path, text }).unwrap_or_else(|e| panic!("{e}")))
}

fn read_with(mapping: &Arc<Mapping>, name: &str, content: impl AsRef<[u8]>) -> Read {
    let folder = Folder::new();
    let path = folder.put(name, content);
    let options = OpenOptions::as_of(AS_OF).with_mapping(Some(Arc::clone(mapping)));
    drain(&mut open(&[path], options).unwrap())
}

fn shipped(name: &str) -> Arc<Mapping> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/mappings");
    read_mapping(&folder.join(name)).unwrap_or_else(|e| panic!("{e}"))
}

fn readings(read: &Read) -> Vec<(String, String, Reading)> {
    let reading = |record: &Record| match &record.body {
        RecordBody::Single(Body::Reading(reading)) => Some((
            record.event_time.to_string(),
            record.device.as_ref()?.to_string(),
            *reading,
        )),
        _ => None,
    };
    read.records.iter().filter_map(reading).collect()
}

/// The details of the rejects.
fn told(read: &Read) -> Vec<&str> {
    read.rejects.iter().map(|r| r.detail.as_str()).collect()
}

const ARGUS: &str = "\
StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label
2018/09/27 22:40:52.362768,193.831726,tcp,192.168.2.1,52893,   ->,192.168.2.12,22,SPA_SPA,16,16,35,3766,1224,
2018/12/27 22:40:52.403669,0.000000,icmp,192.168.2.12,0x0008,  <->,192.168.2.1,0x0303,ECO,0,0,2,208,72,
2018/12/27 22:40:52.403669,0.000000,tcp,192.168.2.12,1000,   ->,192.168.2.1,80,S_,0,,1,60,60,
2018/12/27 22:40:52.403669,0.000000,tcp,192.168.2.12,1001,   ->,192.168.2.1,80,S_RA,0,,1,60,60,
2018/12/27 22:40:52.403669,0.000000,arp,00:00:00:00:00:00,0,  who,192.168.2.1,0,CON,,,2,120,60,
2018/12/27 22:40:52.403669,0.000000,tcp,192.168.2.12,1002,   ->,192.168.2.1,80,S_,0,,1,60,61,
2018/12/27 22:40:52.403669,0.00";

#[test]
fn flows_of_argus_are_read_with_the_mapping_that_is_shipped() {
    let read = read_with(&shipped("argus.map.yaml"), "day.binetflow", ARGUS);
    let flows = read.flows();
    // In summer Prague is two hours ahead of UTC, in winter one.
    assert_eq!(flows[0].start.to_string(), "2018-09-27T20:40:52.362768Z");
    assert_eq!(flows[1].start.to_string(), "2018-12-27T21:40:52.403669Z");
    let end = read.records[0].event_time;
    assert_eq!(end.to_string(), "2018-09-27T20:44:06.194494Z");
    assert_eq!(
        (flows[0].originator.port, flows[0].responder.port),
        (52893, 22)
    );
    assert_eq!(flows[0].originator_bytes, Some(1224));
    assert_eq!(flows[0].responder_bytes, Some(2542));
    assert_eq!(flows[0].bytes, ByteKind::Frame);
    assert_eq!(
        (flows[1].transport, flows[1].responder.port),
        (Transport::Icmp, 0)
    );
    let states: Vec<_> = flows.iter().map(|flow| flow.state).collect();
    assert_eq!(
        states,
        [
            ConnState::Answered,
            ConnState::Unknown,
            ConnState::Attempt,
            ConnState::Rejected
        ]
    );
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::WrongType, 5),
            (RejectReason::OutOfRange, 6),
            (RejectReason::Truncated, 7)
        ]
    );
    assert_eq!(
        told(&read)[..2],
        [
            "line 6: `orig` is \"00:00:00:00:00:00\", expected an IP address",
            "line 7: `orig_bytes` is 61, more than `total_bytes`, 60",
        ]
    );
    let cut = told(&read)[2];
    assert!(
        cut.contains("line 8: row has 2 cells where the header names 15"),
        "{cut}"
    );
}

#[test]
fn readings_may_be_watts_with_commas_in_a_zone() {
    let mapping = mapping(
        "kind: reading\ndelimiter: ';'\ndecimal: comma\nzone: Europe/Berlin\nskip_lines: 1\n\
         comment: '#'\nunset: [n/a]\nfields:\n  time: { column: [Tag, Zeit], format: '%d.%m.%Y %H:%M' }\n  \
         device: Maschine\n  current_a: { column: Leistung, unit: kW, volts: 400 }\n  \
         spindle_rpm: { column: n, default: 0 }\n",
    );
    let content = "Export vom 1.1.\n\nMaschine;Tag;Zeit;Leistung;n\n# Probe\n\
                   CNC-1;30.03.2025;01:30;1,6;100\nCNC-1;30.03.2025;03:30;n/a;\n\
                   CNC-1;30.03.2025;03:31;-1;7\n\"CNC;1\";30.03.2025;03:32;1;7\n\
                   CNC-1;30.03.2025;;1;7\nCNC-1;30.03.2025;3 Uhr;1;7\n";
    let read = read_with(&mapping, "export.csv", content);
    let reading = |current_a, spindle_rpm| Reading {
        current_a,
        spindle_rpm: Some(spindle_rpm),
    };
    assert_eq!(
        readings(&read),
        [
            (
                "2025-03-30T00:30:00.000000Z".to_owned(),
                "cnc-1".to_owned(),
                reading(Some(4.0), 100.0)
            ),
            (
                "2025-03-30T01:30:00.000000Z".to_owned(),
                "cnc-1".to_owned(),
                reading(None, 0.0)
            ),
            (
                "2025-03-30T01:32:00.000000Z".to_owned(),
                "cnc;1".to_owned(),
                reading(Some(2.5), 7.0)
            ),
        ]
    );
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::OutOfRange, 3),
            (RejectReason::MissingField, 5),
            (RejectReason::WrongType, 6)
        ]
    );
    assert_eq!(told(&read)[1], "line 9: `time` has no value");
    assert_eq!(
        told(&read)[2],
        "line 10: `time` is \"30.03.2025 3 Uhr\", expected a time as the mapping says"
    );
}

#[test]
fn a_point_is_no_decimal_point_where_commas_are() {
    let mapping = mapping(
        "kind: reading\ndelimiter: ';'\ndecimal: comma\nfields:\n  time: { column: t, format: unix }\n  \
         device: { value: m }\n  current_a: a\n",
    );
    let read = read_with(
        &mapping,
        "export.csv",
        "t;a\n1700000000;1,5\n1700000001;1.234\n",
    );
    assert_eq!(readings(&read).len(), 1);
    let told = told(&read);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("decimal comma"), "{told:?}");
}

#[test]
fn unix_times_are_read_in_every_unit() {
    for (format, time) in [
        ("unix", "1700000000.123456"),
        ("unix_ms", "1700000000123.456"),
        ("unix_us", "1700000000123456"),
        ("unix_us", "1700000000123456.7"),
    ] {
        let mapping = mapping(&format!(
            "kind: reading\nfields:\n  time: {{ column: t, format: {format} }}\n  \
             device: {{ value: m }}\n  current_a: a\n"
        ));
        let read = read_with(&mapping, "export.csv", format!("t,a\n{time},1\n"));
        let readings = readings(&read);
        assert_eq!(readings.len(), 1, "{format}: {:?}", told(&read));
        assert_eq!(readings[0].0, "2023-11-14T22:13:20.123456Z", "{format}");
    }
}

#[test]
fn a_carriage_return_inside_of_a_line_hides_nothing() {
    let mapping = mapping(
        "kind: reading\nfields:\n  time: { column: t, format: unix }\n  \
         device: { value: m }\n  current_a: a\n",
    );
    let read = read_with(&mapping, "export.csv", "t,a\r\n1,1\r2,2\r\n3,3\r\n");
    assert_eq!((readings(&read).len(), read.rejects.len()), (1, 1));
    // Lines that end like this alone are one line, and its header is refused.
    let read = read_with(&mapping, "export.csv", "t,a\r1,1\r2,2\r");
    assert_eq!((readings(&read).len(), read.rejects.len()), (0, 1));
}

#[test]
fn the_mill_is_read_from_its_true_column_and_without_times() {
    let content = "S1_ActualVelocity,S1_CurrentFeedback,S1_OutputCurrent\n53.3,-2.5,320\n\
                   -0.5,x,320\n0,1.5,318\n";
    let read = read_with(&shipped("cnc-mill.map.yaml"), "mill.csv", content);
    let values: Vec<_> = readings(&read)
        .into_iter()
        .map(|(time, _, reading)| (time, reading.current_a, reading.spindle_rpm))
        .collect();
    assert_eq!(
        values,
        [
            (
                "2025-12-12T07:00:00.000000Z".to_owned(),
                Some(2.5),
                Some(3198.0)
            ),
            // The row that could not be read took its tenth of a second all the same.
            (
                "2025-12-12T07:00:00.200000Z".to_owned(),
                Some(1.5),
                Some(0.0)
            ),
        ]
    );
    assert_eq!(
        told(&read),
        ["line 3: `current_a` is \"x\", expected a number"]
    );
}

#[test]
fn times_of_day_go_on_after_midnight() {
    let mapping = mapping(
        "kind: reading\nheader: false\nzone: UTC\ndate: 2025-12-31\nfields:\n  \
         time: { column: 1, format: '%H:%M:%S' }\n  device: { value: d }\n  current_a: 2\n",
    );
    let content = "23:59:58,1\n23:59:57,1\n00:00:01,1\n23:59:59,1\n00:00:02,1\n09:00:00,1\n\
                   08:00:00,1\n06:00:00,1\n";
    let read = read_with(&mapping, "a.csv", content);
    let mut in_file: Vec<_> = read
        .numbers
        .iter()
        .zip(readings(&read))
        .map(|(number, (time, ..))| (*number, time))
        .collect();
    in_file.sort();
    let times: Vec<_> = in_file.iter().map(|(_, time)| &time[8..19]).collect();
    assert_eq!(
        times,
        [
            "31T23:59:58",
            "31T23:59:57",
            "01T00:00:01",
            "31T23:59:59",
            "01T00:00:02",
            "01T09:00:00",
            "01T08:00:00",
            "02T06:00:00"
        ]
    );
}

#[test]
fn a_header_that_does_not_fit_is_refused_once_with_everything_that_is_missing() {
    let content = "StartTime,Dur,Proto,SrcAdr,Sport,Dir,DstAddr,Dport,State,TotBytes,Dport\n1\n2\n";
    let folder = Folder::new();
    let path = folder.put("a.csv", content);
    let options = OpenOptions::as_of(AS_OF).with_mapping(Some(shipped("argus.map.yaml")));
    let mut captures = open(&[path], options).unwrap();
    let read = drain(&mut captures);
    assert_eq!(read.reasons(), [(RejectReason::Malformed, 1)]);
    let detail = told(&read)[0];
    for part in [
        "`orig`: it has no column `SrcAddr` (Did you mean `SrcAdr`?)",
        "`resp_port`: it has column `Dport` twice",
        "`orig_bytes`: it has no column `SrcBytes`",
        "it names StartTime, Dur",
    ] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    assert_eq!(captures.files()[0].unread, 2);
    assert_eq!(captures.files()[0].format, Some(Format::Csv));
}

#[test]
fn a_stray_quotation_mark_costs_one_row() {
    let mapping = mapping("kind: reading\nfields: { time: t, device: d, current_a: a }\n");
    let content = "t,d,a\n2025-01-01T00:00:00Z,\"d,1\n2025-01-01T00:00:01Z,d,2\n";
    let read = read_with(&mapping, "a.csv", content);
    assert_eq!(read.records.len(), 1);
    assert_eq!(
        told(&read),
        [
            "line 2: row has 2 cells where the header names 3; a quotation mark opens a cell and \
          does not close it"
        ]
    );
}

#[test]
fn a_mapping_beside_its_file_needs_no_flag() {
    let folder = Folder::new();
    let mapping = "kind: reading\nfields: { time: t, device: d, current_a: a }\n";
    let rows = "t,d,a\n2025-01-01T00:00:00Z,d,1\n";
    folder.put("a/one.csv", rows);
    folder.put("a/one.csv.map.yaml", mapping);
    folder.put("b/two.csv", rows);
    folder.put("b/two.map.yaml", mapping);
    folder.put("c/three.csv", rows);
    folder.put("c/four.txt", rows);
    folder.put("c/capture.map.yaml", mapping);
    let read = read_paths(&[folder.path().to_owned()]);
    assert_eq!((read.records.len(), read.rejects.len()), (4, 0));

    folder.put("c/capture.map.yaml", "kind: readings\n");
    let error = open(&[folder.path().to_owned()], OpenOptions::as_of(AS_OF)).unwrap_err();
    assert!(matches!(error, CaptureError::Mapping(_)));
    let text = error.to_string();
    assert!(
        text.contains("c/capture.map.yaml cannot be used: 2 problems"),
        "{text}"
    );
}

#[test]
fn without_a_mapping_it_is_said_what_is_wanted() {
    let read = read("a.csv", "time;device;amps\n1;2;3\n");
    let detail = told(&read)[0];
    assert!(
        detail.ends_with("say with a mapping what its columns mean (--map)"),
        "{detail}"
    );
}

#[test]
fn a_mapping_does_not_touch_files_of_a_known_format() {
    let line = "{\"v\":1,\"kind\":\"reading\",\"device\":\"d\",\"time\":\"2026-01-01T00:00:00Z\",\"current_a\":1}\n";
    let read = read_with(&shipped("power-meter.map.yaml"), "a.ndjson", line);
    assert_eq!(read.records.len(), 1);
}

proptest::proptest! {
    #[test]
    fn no_row_panics(rows in proptest::collection::vec("[0-9,./: \"\tx\r-]{0,60}", 0..8)) {
        let header = ARGUS.lines().next().unwrap();
        let content = format!("{header}\n{}\n", rows.join("\n"));
        let read = read_with(&shipped("argus.map.yaml"), "a.csv", content);
        let blank = |row: &&String| !row.trim().is_empty();
        proptest::prop_assert_eq!(read.items.len(), rows.iter().filter(blank).count());
    }
}
