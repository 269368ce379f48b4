//! Files that are not what they should be: nothing panics, nothing is lost silently.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::files::{CaptureError, CaptureWriter};

const LINE: &str =
    r#"{"v":1,"kind":"reading","device":"d","time":"2026-01-01T00:00:00Z","current_a":1}"#;

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_empty_file_holds_nothing_and_nothing_is_wrong_with_it() {
    for empty in ["", "\n", " \n\t\n", "\u{feff}"] {
        for content in [empty.as_bytes().to_vec(), gzip(empty.as_bytes())] {
            assert_eq!(read("conn.log", content).items, [], "{empty:?}");
        }
    }
}

#[test]
fn what_stands_before_the_first_record_costs_no_other_record() {
    let zeek = r#"{"ts":1.5,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"tcp","conn_state":"SF"}"#;
    let eve = r#"{"timestamp":"2026-01-01T00:00:00.000000+0000","event_type":"flow","flow_id":1,"src_ip":"10.0.0.1","src_port":1,"dest_ip":"10.0.0.2","dest_port":2,"proto":"TCP","flow":{"bytes_toserver":1,"bytes_toclient":1,"start":"2026-01-01T00:00:00.000000+0000","end":"2026-01-01T00:00:01.000000+0000","state":"closed"}}"#;
    let tsv = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n\
               1.5\tC1\t10.0.0.1\t1\t10.0.0.2\t2\ttcp";
    let long = "x".repeat(super::super::lines::HEAD_BYTES + 1);
    for record in [LINE, zeek, eve, tsv] {
        for bad in ["garbage", "{\"kind\":\"flow\",", "\u{0}\u{1}", &long] {
            let content = format!("{bad}\n\n{record}\n");
            let read = read("capture", &content);
            let bad = &bad[..bad.len().min(9)];
            assert_eq!(
                read.reasons(),
                [(RejectReason::Malformed, 1)],
                "{bad:?} {record}"
            );
            assert_eq!(read.records.len(), 1, "{bad:?} {record}");
        }
        for nothing in ["\u{feff}", "\n \n", "\u{feff}\n\r\n"] {
            let read = read("capture", format!("{nothing}{record}\n"));
            assert_eq!(
                (read.reasons(), read.records.len()),
                (vec![], 1),
                "{nothing:?} {record}"
            );
        }
    }
}

#[test]
fn a_packed_file_that_breaks_off_before_its_first_row_is_one_reject() {
    let whole = gzip(LINE.as_bytes());
    for cut in [&whole[..2], &whole[..10]] {
        let read = read("capture.ndjson.gz", cut);
        assert_eq!(read.reasons(), [(RejectReason::Truncated, 0)]);
        assert!(read.rejects[0].detail.contains("before its first row"));
    }
}

#[test]
fn what_is_no_capture_is_one_reject_that_says_what_it_is() {
    for (content, reason, said) in [
        (
            &b"\x7fELF\x02\x01\x00\x00"[..],
            RejectReason::Malformed,
            "no known format",
        ),
        (
            b"\x34\xcd\xb2\xa1\x02\x00",
            RejectReason::Unsupported,
            "editcap",
        ),
        (
            b"Dear diary,\nno traffic today\n",
            RejectReason::Malformed,
            "Dear diary",
        ),
        (
            b"{not json\n{nor this\n",
            RejectReason::Malformed,
            "none of its first lines",
        ),
        (b"\xff\xfe{\x00\"\x00", RejectReason::Unsupported, "UTF-16"),
        (b"{\"a\":1}\n", RejectReason::Malformed, "no known kind"),
        (
            b"1.5\tC\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\n",
            RejectReason::Malformed,
            "`#fields` line is missing",
        ),
    ] {
        let read = read("conn.log", content);
        assert_eq!(read.reasons(), [(reason, 0)], "{said}");
        assert!(
            read.rejects[0].detail.contains(said),
            "{}",
            read.rejects[0].detail
        );
        assert!(!read.rejects[0].excerpt.is_empty());
    }
}

#[test]
fn a_missing_path_is_an_error_not_a_reject() {
    let missing = PathBuf::from("no/such/capture.ndjson");
    let error = open(&[missing], OpenOptions::as_of(AS_OF)).unwrap_err();
    assert!(
        error.to_string().contains("no/such/capture.ndjson"),
        "{error}"
    );
    assert!(matches!(
        open(&[], OpenOptions::as_of(AS_OF)),
        Err(CaptureError::Nothing)
    ));
}

#[test]
fn gzip_of_several_members_is_one_file() {
    let members = [gzip(format!("{LINE}\n").as_bytes()), gzip(LINE.as_bytes())].concat();
    assert_eq!(read("capture.ndjson.gz", members).numbers, [1, 2]);
}

#[test]
fn of_a_truncated_gzip_the_rows_before_the_cut_are_kept() {
    let rows: String = (0..5_000)
        .map(|n| LINE.replace("current_a\":1", &format!("current_a\":{n}")) + "\n")
        .collect();
    let mut packed = gzip(rows.as_bytes());
    packed.truncate(packed.len() / 2);
    let read = read("capture.ndjson.gz", packed);
    assert!(read.records.len() > 1_000, "{}", read.records.len());
    let last = read.records.len() as u64 + 1;
    assert_eq!(read.reasons(), [(RejectReason::Truncated, last)]);
}

#[test]
fn of_a_damaged_gzip_the_rows_before_the_damage_are_kept() {
    let mut packed = gzip(format!("{LINE}\n").as_bytes());
    packed.extend(b"trailing rubbish");
    let read = read("capture.ndjson.gz", packed);
    assert_eq!(read.numbers, [1]);
    assert_eq!(read.reasons(), [(RejectReason::Malformed, 2)]);
}

#[test]
fn a_last_row_without_its_end_is_truncated_and_a_whole_one_is_kept() {
    let read_cut = read(
        "capture.ndjson",
        format!("{LINE}\n{}", &LINE[..LINE.len() - 9]),
    );
    assert_eq!(read_cut.reasons(), [(RejectReason::Truncated, 2)]);
    assert_eq!(
        read("capture.ndjson", format!("{LINE}\r\n{LINE}")).numbers,
        [1, 2]
    );
}

#[test]
fn an_endless_line_is_oversized_and_the_next_one_is_read() {
    let long = "x".repeat(3 << 20);
    let read = read("capture.ndjson", format!("{LINE}\n{long}\n{LINE}\n"));
    assert_eq!(read.numbers, [1, 3]);
    assert_eq!(read.reasons(), [(RejectReason::Oversized, 2)]);
    assert!(read.rejects[0].excerpt.len() <= 256);
}

#[test]
fn more_records_than_may_be_sorted_is_an_error_that_says_the_limit() {
    let folder = Folder::new();
    let line =
        r#"{"ts":1,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","proto":"tcp","conn_state":"SF"}"#;
    let path = folder.put("conn.log", format!("{line}\n").repeat(4));
    let options = OpenOptions {
        sorted_records_max: 3,
        ..OpenOptions::as_of(AS_OF)
    };
    let error = open(&[path], options).unwrap().next_batch(1).unwrap_err();
    assert!(error.to_string().contains("more than 3 records"), "{error}");
}

/// One whole file of each text format.
const WHOLE: [&str; 4] = [
    "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\
     \tproto\tservice\tduration\torig_bytes\tconn_state\n\
     1795341540.000001\tC1\t10.20.3.7\t50311\t203.0.113.77\t4444\ttcp\tssl,http\t59.9\t45010\tSF\n",
    r#"{"ts":1795341541.25,"id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"tcp","conn_state":"S1","service":["dns"],"duration":1e-05}"#,
    r#"{"timestamp":"2026-11-22T11:00:05.482115+0100","event_type":"flow","src_ip":"10.20.3.7","dest_ip":"203.0.113.77","proto":"TCP","flow":{"pkts_toclient":40,"bytes_toserver":48211,"start":"2026-11-22T10:59:00+0100"}}"#,
    LINE,
];

#[test]
fn captures_can_be_read_on_another_thread() {
    fn sent<T: Send>(_: &T) {}
    let folder = Folder::new();
    sent(&captures(&[folder.put("x", LINE)]));
}

const PARQUET_ROWS: usize = 40;

/// A small Parquet capture.
fn parquet() -> &'static Vec<u8> {
    static CAPTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let rows: Vec<&str> = WHOLE[1..].to_vec();
        let folder = Folder::new();
        let path = folder.path().join("x.parquet");
        let mut writer = CaptureWriter::create(&path).unwrap();
        let records: Vec<Record> = rows.iter().flat_map(|row| read("x", row).records).collect();
        for record in records.iter().cycle().take(PARQUET_ROWS - 1) {
            writer.record(record, None).unwrap();
        }
        writer.tick(AS_OF).unwrap();
        writer.finish().unwrap();
        fs::read(&path).unwrap()
    });
    &CAPTURE
}

fn starts() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tproto\tservice\n",
        "#separator \\x09\n#path\tdns\n#fields\tts\tquery\tanswers\tTTLs\n",
        "{\"ts\":1,\"conn_state\":\"S0\"}\n{\"ts\":1,",
        "{\"event_type\":\"flow\",\"timestamp\":\"x\"}\n{\"event_type\":\"flow\",\"flow\":",
        "{\"v\":1,\"kind\":\"tick\",\"at\":\"2026-01-01T00:00:00Z\"}\n{\"v\":1,\"kind\":\"",
        "PAR1",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_panic(start in starts(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let read = read("x", [start.as_bytes(), &bytes].concat());
        prop_assert!(read.items.len() <= bytes.len() + 4);
    }

    #[test]
    fn no_text_panics(start in starts(), text in "[\\[\\]{}\":,0-9a-z\\\\#\t\n -]{0,300}", packed: bool) {
        let content = format!("{start}{text}").into_bytes();
        let content = if packed { gzip(&content) } else { content };
        let folder = Folder::new();
        let mut captures = captures(&[folder.put("x", content)]);
        let read = drain(&mut captures);
        let report = &captures.files()[0];
        prop_assert_eq!(report.records, read.records.len() as u64);
        prop_assert_eq!(report.rejects, read.rejects.len() as u64);
    }

    #[test]
    fn no_damage_panics_and_no_row_is_lost(format in 0_usize..4, at: usize, byte: u8) {
        let mut content = WHOLE[format].as_bytes().to_vec();
        let at = at % content.len();
        // A row joined to the header, or with a `#` before it, is a header.
        prop_assume!(content[at] != b'\n' && byte != b'#');
        content[at] = byte;
        let read = read("x", content);
        prop_assert!(read.records.len() + read.rejects.len() >= 1, "{:?}", read.items);
    }

    #[test]
    fn no_damage_to_a_parquet_capture_panics(at: usize, byte: u8, cut: usize) {
        let mut content = parquet().clone();
        let at = at % content.len();
        content[at] = byte;
        if cut % 4 == 0 {
            content.drain(at..(at + cut % 64).min(content.len()));
        }
        let read = read("x.parquet", &content);
        prop_assert!(read.items.len() <= 2 * PARQUET_ROWS, "{}", read.items.len());
    }
}
