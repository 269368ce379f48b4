//! What is in a bundle, and when there is another one. That Open Policy Agent takes it, and believes
//! its signature, is shown with a real one, in `tests/opa.rs` of the binary.

use std::collections::BTreeMap;
use std::io::Read as _;

use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::verdict::Risk;
use flate2::read::MultiGzDecoder;

use super::*;
use crate::board::Heard;

fn board() -> Board {
    let board = Board::new(&builtin::inventory().unwrap(), Mode::Monitor, "1", "boot");
    board.describe(r#"{"zone":"Europe/Berlin","devices":{}}"#);
    board
}

fn hear(board: &Board, device: &str, score: u8) {
    board.hear([Heard {
        device_id: DeviceId::new(device).unwrap(),
        risk: Risk::of_score(score),
        last_seen: EventTime::from_micros(1),
        at: EventTime::from_micros(1),
        open: None,
    }]);
}

fn bundles(policy: &[(&str, &str)]) -> Bundles {
    let policy = policy
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let options = BundleOptions {
        expires: Duration::from_secs(60),
        policy,
        signer: None,
    };
    Bundles::new(options, DecisionMetrics::default())
}

fn after(began: Instant, seconds: u64) -> Moment {
    Moment {
        now: began + Duration::from_secs(seconds),
        wall: EventTime::parse("2026-11-27T10:00:00Z").unwrap(),
        silent: false,
        live: true,
    }
}

/// The files of an archive, by name.
fn files(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = Vec::new();
    MultiGzDecoder::new(bytes)
        .read_to_end(&mut archive)
        .unwrap();
    let mut found = BTreeMap::new();
    let mut rest = archive.as_slice();
    while rest[0] != 0 {
        let text = |range: std::ops::Range<usize>| {
            let field = &rest[range];
            let end = field.iter().position(|byte| *byte == 0);
            String::from_utf8(field[..end.unwrap_or(field.len())].to_vec()).unwrap()
        };
        let length = usize::from_str_radix(&text(124..136), 8).unwrap();
        let body = String::from_utf8(rest[512..512 + length].to_vec()).unwrap();
        found.insert(text(0..100), body);
        rest = &rest[512 + length.next_multiple_of(512)..];
    }
    assert_eq!(rest, [0; 1_024]);
    found
}

#[test]
fn a_bundle_holds_the_plant_the_risks_and_whose_they_are() {
    let board = board();
    hear(&board, "temp-sensor-042", 96);
    let bundles = bundles(&[
        ("andon/authz.rego", "# Decides.\npackage andon.authz\n"),
        ("andon/limits/data.json", "{ \"deny\": 1, \"b\": 2 }"),
        ("more/data.json", "{}"),
    ]);
    let began = Instant::now();
    let bundle = bundles.current(&board, after(began, 0)).unwrap();
    assert_eq!(bundle.tag, "\"boot-1\"");
    let files = files(&bundle.bytes);
    let json = |name: &str| serde_json::from_str::<Value>(&files[name]).unwrap();
    assert_eq!(json(PLANT)["zone"], "Europe/Berlin");
    assert_eq!(
        json(RISK)["devices"],
        json!({ "temp-sensor-042": {
            "band": "critical", "expires": "2026-11-27T10:01:00.000000Z", "score": 96, "trust": 4,
        } })
    );
    assert_eq!(
        json(MANIFEST)["roots"],
        json!([
            "andon/authz",
            "andon/limits",
            "andon/plant",
            "andon/risk",
            "more"
        ])
    );
    assert_eq!(files["andon/limits/data.json"], "{\"b\":2,\"deny\":1}");
    assert!(!files.contains_key(SIGNATURES));
}

#[test]
fn another_is_built_once_a_second_at_most_and_only_if_it_would_be_another() {
    let board = board();
    hear(&board, "temp-sensor-042", 10);
    let bundles = bundles(&[]);
    let began = Instant::now();
    let tag = |moment: Moment| bundles.current(&board, moment).unwrap().tag;
    assert_eq!(tag(after(began, 0)), "\"boot-1\"");
    assert_eq!(tag(after(began, 10)), "\"boot-1\"");
    hear(&board, "temp-sensor-042", 96);
    assert_eq!(tag(after(began, 10)), "\"boot-2\"");
    hear(&board, "temp-sensor-042", 97);
    assert_eq!(tag(after(began, 10)), "\"boot-2\"", "within a second");
    assert_eq!(tag(after(began, 11)), "\"boot-3\"");
    assert_eq!(tag(after(began, 31)), "\"boot-4\"", "it would lapse");
    let stalled = Moment {
        live: false,
        ..after(began, 3_600)
    };
    assert_eq!(tag(stalled), "\"boot-4\"", "nothing is known any more");
    // What another process holds now is known as well.
    board.hear_anew();
    let bundle = bundles.current(&board, after(began, 40)).unwrap();
    assert!(files(&bundle.bytes)[RISK].contains("\"score\":97"));
    board.forgotten_elsewhere("temp-sensor-042");
    let bundle = bundles.current(&board, after(began, 41)).unwrap();
    assert_eq!(files(&bundle.bytes)[RISK], "{\"devices\":{}}");
    board.describe("{}");
    let bundle = bundles.current(&board, after(began, 42)).unwrap();
    assert_eq!(files(&bundle.bytes)[PLANT], "{}");
}

#[test]
fn without_a_plant_there_is_no_bundle() {
    let board = Board::new(&builtin::inventory().unwrap(), Mode::Monitor, "1", "boot");
    let refused = bundles(&[]).current(&board, after(Instant::now(), 0));
    assert!(matches!(refused, Err(BundleError::NoPlant)));
}

#[test]
fn roots_do_not_lie_within_each_other() {
    let roots = ["a/b/c", "a", "ab", "b/c", "b/c"].map(ToOwned::to_owned);
    assert_eq!(apart(roots.to_vec()), ["a", "ab", "b/c"]);
    assert_eq!(root_of("x.rego", "package a.b # c\n"), ["a/b"]);
    assert_eq!(root_of("data.json", "{\"a\":1,\"b\":2}"), ["a", "b"]);
}
