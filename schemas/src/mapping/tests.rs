//! Mappings as people write them, and as they get them wrong.

use super::*;
use crate::profile::SourceFile;

fn read(text: &str) -> Result<Mapping, crate::problems::Problems> {
    parse(SourceFile {
        path: "a.map.yaml",
        text,
    })
}

/// The problems, one a line: place, path and cause.
fn told(text: &str) -> Vec<String> {
    let problems = read(text).expect_err("it is wrong");
    let lines = problems
        .as_slice()
        .iter()
        .map(|p| format!("{}: {}: {}", p.line, p.path, p.cause));
    lines.collect()
}

const ARGUS: &str = r#"
kind: flow
zone: Europe/Prague
unset: ["-"]
fields:
  start: { column: StartTime, format: "%Y/%m/%d %H:%M:%S%.f" }
  duration: Dur
  transport: Proto
  orig: SrcAddr
  orig_port: Sport
  resp: DstAddr
  resp_port: Dport
  total_bytes: TotBytes
  orig_bytes: { column: SrcBytes, unit: B }
  bytes: { value: frame }
  state: { column: State, values: { CON: answered, INT: attempt }, otherwise: unknown }
"#;

#[test]
fn a_mapping_of_flows_says_where_each_field_stands() {
    let mapping = read(ARGUS).unwrap();
    assert_eq!(mapping.kind, Kind::Flow);
    assert_eq!(mapping.header, Header::FirstRow);
    assert_eq!((mapping.delimiter, mapping.decimal_comma), (b',', false));
    let start = mapping.field(Field::Start).unwrap();
    assert_eq!(
        start.format,
        TimeFormat::Pattern {
            text: "%Y/%m/%d %H:%M:%S%.f".to_owned(),
            dated: true
        }
    );
    let factor = |field| mapping.field(field).unwrap().factor;
    assert!((factor(Field::Duration) - 1e6).abs() < f64::EPSILON);
    assert!((factor(Field::OrigBytes) - 1.0).abs() < f64::EPSILON);
    let state = mapping.field(Field::State).unwrap();
    assert_eq!(state.values[1], ("INT".to_owned(), "attempt".to_owned()));
    assert_eq!(state.otherwise.as_deref(), Some("unknown"));
    let bytes = mapping.field(Field::Bytes).unwrap();
    assert_eq!(bytes.origin, Origin::Value("frame".to_owned()));
}

#[test]
fn a_mapping_of_readings_may_count_rows_and_turn_watts_into_amperes() {
    let mapping = read(
        "kind: reading\nheader: false\ndelimiter: tab\ndecimal: comma\nfields:\n  \
         time: { first: 2018-01-01T00:00:00Z, every: 100 ms }\n  device: { value: cnc-1 }\n  \
         current_a: { column: 3, unit: kW, volts: 400 }\n  spindle_rpm: { column: 4, unit: Hz }\n",
    )
    .unwrap();
    assert_eq!((mapping.delimiter, mapping.decimal_comma), (b'\t', true));
    let current = mapping.field(Field::CurrentA).unwrap();
    assert_eq!(current.origin, Origin::Columns(vec![Column::At(2)]));
    assert!((current.factor - 2.5).abs() < 1e-12);
    assert!((mapping.field(Field::SpindleRpm).unwrap().factor - 60.0).abs() < 1e-12);
    let time = &mapping.field(Field::Time).unwrap().origin;
    let Origin::Rows { first, every } = time else {
        panic!("{time:?}");
    };
    assert_eq!(first.to_string(), "2018-01-01T00:00:00.000000Z");
    assert_eq!(*every, Span::from_micros(100_000));
}

#[test]
fn names_of_columns_may_be_given_and_are_checked() {
    let text = "kind: reading\nheader: [at, dev, amps]\nfields:\n  time: at\n  device: devv\n  \
                current_a: amps\n";
    assert_eq!(told(text), ["5: fields.device: no column is called `devv`"]);
    let mapping = read(&text.replace("devv", "dev")).unwrap();
    let current = mapping.field(Field::CurrentA).unwrap();
    assert_eq!(current.origin, Origin::Columns(vec![Column::At(2)]));
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = r#"kind: flows
delimiter: "::"
zone: Europe/Pragu
fields:
  start: { column: StartTime, format: "%d/%m %H:%M" }
  duration: { column: Dur, unit: sec }
  orig: { column: SrcAddr, value: 10.0.0.1 }
  transport: { value: tpc }
  stat: State
  bytes: { column: B, format: iso }
"#;
    assert_eq!(
        told(text),
        [
            "1: kind: `flows` is no kind that a CSV is read as",
            "2: delimiter: delimiter `::` is not one ASCII sign",
            "3: zone: time zone `Europe/Pragu` is not in the IANA database",
            "5: fields.start.format: pattern `%d/%m %H:%M` cannot be used: it has a part of a \
             date, not a whole one",
            "6: fields.duration.unit: unit `sec` of `duration` is unknown",
            "7: fields.orig: `orig` must come from one place",
            "8: fields.transport.value: `transport` cannot be `tpc`",
            "9: fields.stat: unknown key `stat`",
            "10: fields.bytes.format: `bytes` has no `format:`",
        ]
    );
}

#[test]
fn times_that_nobody_could_place_are_told_before_any_row() {
    let time = |time: &str| {
        format!("kind: reading\nfields:\n  device: d\n  current_a: a\n  time: {time}\n")
    };
    assert_eq!(
        told(&time("{ column: t, format: '%H:%M:%S' }")),
        [
            "5: fields.time.format: its times bear no date, and `date:` is not written",
            "5: fields.time.format: its times bear no offset, and `zone:` is not written",
        ]
    );
    assert!(read(&time("{ column: t, format: '%Y-%m-%d %H:%M:%S%z' }")).is_ok());
    assert!(read(&time("{ column: t, format: unix_ms }")).is_ok());
    assert!(read(&time("t")).is_ok());
    for wrong in [
        "{ column: t, format: '%m %H:%M' }",
        "{ column: t, format: '%Q' }",
        "{ column: t, format: '%% 100' }",
        "{ column: t, format: Unix }",
        "{ column: [], format: unix }",
        "{ first: 2018-01-01T00:00:00Z }",
        "{ first: noon, every: 1 s }",
        "{ first: 2018-01-01T00:00:00Z, every: 0 s }",
        "{ value: 2018-01-01T00:00:00Z }",
    ] {
        assert!(read(&time(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn fields_that_make_no_record_are_told() {
    let causes = |text: &str| told(text).join("\n");
    let flow = causes("kind: flow\nfields:\n  current_a: I\n  total_bytes: B\n");
    for cause in [
        "`current_a` is a field of a reading, not of a flow",
        "no moment",
        "a flow lacks what it cannot be without",
        "`total_bytes` is told beside exactly one direction",
    ] {
        assert!(flow.contains(cause), "{cause}\n{flow}");
    }
    let reading = causes("kind: reading\nfields:\n  device: d\n  time: t\n");
    assert!(reading.contains("nothing is measured"), "{reading}");
    let watts = causes(
        "kind: reading\nfields: { device: d, time: t, current_a: { column: W, unit: W } }\n",
    );
    assert!(
        watts.contains("watts are no amperes without a voltage"),
        "{watts}"
    );
}

#[test]
fn a_star_in_a_text_stands_for_any() {
    let mapping = read(
        "kind: flow\nfields:\n  start: t\n  orig: a\n  resp: b\n  transport: p\n  state:\n    \
         column: s\n    values: { '*_': attempt, '*_R': rejected, '*_*': answered, C*N*: unknown }\n",
    )
    .unwrap();
    let state = mapping.field(Field::State).unwrap();
    for (text, meant) in [
        ("S_", Some("attempt")),
        ("S_R", Some("rejected")),
        ("FSPA_FSRPA", Some("answered")),
        ("CON", Some("unknown")),
        ("CoNo", Some("unknown")),
        ("CO", None),
        ("", None),
    ] {
        assert_eq!(state.meaning(text), meant, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(kind|fields|time|column|format|: |\n  |%[a-zA-Z.]|[{}\\[\\],\"]|[a-z]){0,40}") {
        let _read = read(&text);
    }
}
