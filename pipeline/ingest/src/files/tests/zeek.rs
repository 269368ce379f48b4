//! Zeek's logs, TSV and JSON.

use andon_schemas::observation::{ByteKind, ConnState, Transport};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;

use super::*;
use crate::files::{Format, Order};

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n\
    #path\tconn\n#open\t2026-11-22-10-00-00\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\
    \torig_bytes\tresp_bytes\tconn_state\tmissed_bytes\torig_ip_bytes\tresp_ip_bytes\tnote\n\
    #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\
    \tcount\tcount\tstring\tcount\tcount\tcount\tset[string]\n";

const ROW: &str = "1795341540.000001\tC1\t10.20.3.7\t50311\t203.0.113.77\t4444\ttcp\tssl,http\
    \t59.900000\t45010\t120\tSF\t0\t48211\t912\t(empty)\n";

fn tsv(rows: &str) -> Read {
    read("conn.log", format!("{HEADER}{rows}"))
}

fn time(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

#[test]
fn a_connection_is_read_field_by_field() {
    let read = tsv(&format!("{ROW}#close\t2026-11-22-11-00-00\n"));
    assert_eq!(read.rejects, []);
    let (record, flow) = (&read.records[0], read.flows()[0]);
    assert_eq!(record.event_time, time("2026-11-22T09:59:59.900001Z"));
    assert_eq!(record.received_at, Some(AS_OF));
    assert_eq!(
        (record.device.as_ref(), record.sender.as_ref()),
        (None, None)
    );
    assert_eq!(flow.start, time("2026-11-22T09:59:00.000001Z"));
    assert_eq!(flow.originator.address.to_string(), "10.20.3.7");
    assert_eq!((flow.originator.port, flow.responder.port), (50_311, 4_444));
    assert_eq!(flow.service.as_deref(), Some("ssl,http"));
    assert_eq!(
        (flow.originator_bytes, flow.responder_bytes),
        (Some(45_010), Some(120))
    );
    assert_eq!(
        (flow.bytes, flow.state),
        (ByteKind::Payload, ConnState::Answered)
    );
    assert_eq!((flow.transport, flow.interim), (Transport::Tcp, false));
    assert_eq!(flow.uid.as_deref(), Some("C1"));
    assert_eq!(read.numbers, [1]);
}

#[test]
fn columns_are_bound_by_name_and_headers_may_come_again() {
    let text = format!(
        "{HEADER}{ROW}#path\tdns\n#fields\tquery\tts\tid.resp_h\tid.orig_h\tanswers\tTTLs\n\
         A.Example.\t1795341541\t10.1.0.53\t10.20.3.7\tb.example,10.0.0.9,::9\t9.0,60.000000,30\n\
         #path\thttp\n#fields\tts\thost\n1795341541\thidden\n1795341542\thidden\n{HEADER}{ROW}"
    );
    let read = read("all.log", text);
    assert_eq!(read.reasons(), [(RejectReason::Unsupported, 3)]);
    assert!(
        read.rejects[0].detail.contains("`http`"),
        "{:?}",
        read.rejects
    );
    assert_eq!(read.flows().len(), 2);
    let resolution = read.resolutions()[0];
    assert_eq!(resolution.name, "a.example");
    assert_eq!(resolution.addresses.len(), 2);
    assert_eq!(
        (resolution.ttl_s, resolution.server.to_string()),
        (30, "10.1.0.53".to_owned())
    );
    let asked = read.records.iter().find_map(|record| record.address);
    assert_eq!(asked.unwrap().to_string(), "10.20.3.7");
}

#[test]
fn unset_is_not_zero_and_icmp_has_no_ports() {
    let read =
        tsv("1795341540.5\tC2\tfe80::1\t135\tfe80::2\t136\ticmp\t-\t-\t-\t-\tOTH\t0\t72\t64\t-\n");
    let flow = read.flows()[0];
    assert_eq!((flow.originator_bytes, flow.responder_bytes), (None, None));
    assert_eq!((flow.originator.port, flow.responder.port), (0, 0));
    assert_eq!(
        (flow.service.as_deref(), flow.state),
        (None, ConnState::Unknown)
    );
    assert_eq!(flow.start, read.records[0].event_time);
}

#[test]
fn escapes_and_odd_separators_are_undone() {
    let text = "#separator \\x7c\n#set_separator|;\n#empty_field|EMPTY\n#unset_field|NONE\n#path|conn\n\
        #fields|ts|uid|id.orig_h|id.orig_p|id.resp_h|id.resp_p|proto|service|conn_state\n\
        1795341540|C\\x7c\\\\\\x2d\\xff|10.0.0.1|1|10.0.0.2|2|udp|dns;-ssl;X|S0\n\
        1795341540|NONE|10.0.0.1|1|10.0.0.2|2|udp|EMPTY|S0\n";
    let read = read("conn.log", text);
    assert_eq!(read.rejects, []);
    let flows = read.flows();
    assert_eq!(flows[0].uid.as_deref(), Some("C|\\-\u{fffd}"));
    assert_eq!(flows[0].service.as_deref(), Some("dns,x"));
    assert_eq!(
        (flows[1].uid.as_deref(), flows[1].service.as_deref()),
        (None, None)
    );
}

#[test]
fn labels_glued_with_three_spaces_do_not_shift_the_row() {
    let glued = HEADER.replace("\tnote\n", "\tnote   label   detailed-label\n");
    let row = ROW.replace("(empty)\n", "(empty)   Malicious   C&C\n");
    assert_eq!(
        read("conn.log.labeled", format!("{glued}{row}"))
            .records
            .len(),
        1
    );
    let only_rows = HEADER.replace("\tnote\n", "\tnote\tlabel\tdetailed-label\n");
    assert_eq!(
        read("conn.log.labeled", format!("{only_rows}{row}"))
            .records
            .len(),
        1
    );
}

#[test]
fn a_blank_before_the_header_and_a_byte_order_mark_are_passed_over() {
    for start in ["\t", "\u{feff}", "\n\n"] {
        let read = read("conn.log", format!("{start}{HEADER}{ROW}"));
        assert_eq!(
            (read.records.len(), read.rejects.len()),
            (1, 0),
            "{start:?}"
        );
    }
}

#[test]
fn a_plain_header_row_names_the_columns() {
    let text = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n\
        1795341540.25\tC1\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\tREJ\n";
    let read = read("conn.log", text);
    assert_eq!(read.flows()[0].state, ConnState::Rejected);
}

#[test]
fn every_connection_state_has_its_meaning() {
    let states = [
        ("S0", ConnState::Attempt),
        ("SH", ConnState::Attempt),
        ("RSTOS0", ConnState::Attempt),
        ("REJ", ConnState::Rejected),
        ("S1", ConnState::Answered),
        ("RSTR", ConnState::Answered),
        ("SHR", ConnState::Unknown),
        ("RSTRH", ConnState::Unknown),
    ];
    for (written, meant) in states {
        assert_eq!(
            tsv(&ROW.replace("SF", written)).flows()[0].state,
            meant,
            "{written}"
        );
    }
}

#[test]
fn a_payload_larger_than_the_packets_is_unknown() {
    let wild = ROW.replace("45010", "4294967295");
    assert_eq!(tsv(&wild).flows()[0].originator_bytes, None);
    let missed = wild.replace("SF\t0", "SF\t4294967295");
    assert_eq!(
        tsv(&missed).flows()[0].originator_bytes,
        Some(4_294_967_295)
    );
}

#[test]
fn running_totals_are_known_by_path_or_name() {
    assert!(tsv(ROW).flows().iter().all(|flow| !flow.interim));
    let text = format!("{HEADER}{ROW}");
    assert!(read("open_conn.10:00:00.log", &text).flows()[0].interim);
    let text = text.replace("#path\tconn", "#path\tconn_long");
    assert!(read("any.log", text).flows()[0].interim);
}

#[test]
fn bad_rows_are_rejected_with_their_number_and_the_rest_is_kept() {
    let rows = [
        ROW.to_owned(),
        ROW.replace("50311", "70000"),
        ROW.replace("45010", "-5"),
        ROW.replace("10.20.3.7", "10.20.3"),
        ROW.replace("1795341540.000001", "yesterday"),
        ROW.replace("1795341540.000001", "-"),
        ROW.replace("\tSF", ""),
        ROW.replace("45010", "18446744073709551616"),
        ROW.replace("59.900000", "nan"),
        ROW.replace("59.900000", "999999999999"),
        ROW.replace("1795341540.000001", "0.5"),
        ROW.replace("1795341540.000001", "4102444800"),
    ];
    let read = tsv(&rows.concat());
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::OutOfRange, 2),
            (RejectReason::OutOfRange, 3),
            (RejectReason::WrongType, 4),
            (RejectReason::WrongType, 5),
            (RejectReason::MissingField, 6),
            (RejectReason::Malformed, 7),
            (RejectReason::OutOfRange, 8),
            (RejectReason::WrongType, 9),
            (RejectReason::OutOfRange, 10),
        ]
    );
    assert!(read.rejects[0].detail.contains("`id.orig_p` is \"70000\""));
    assert!(read.rejects[0].excerpt.starts_with("1795341540.000001\tC1"));
    assert_eq!(read.numbers, [11, 1, 12]);
}

#[test]
fn a_log_that_is_still_written_ends_in_a_truncated_row() {
    let read = tsv(&format!("{ROW}{}", &ROW[..60]));
    assert_eq!(read.numbers, [1]);
    assert_eq!(read.reasons(), [(RejectReason::Truncated, 2)]);
}

#[test]
fn a_log_without_rows_holds_nothing_and_is_no_error() {
    assert_eq!(tsv("#close\t2026-11-22-11-00-00\n").items, []);
}

#[test]
fn json_comes_dotted_underscored_nested_and_tagged() {
    let lines = [
        r#"{"ts":1795341540.000001,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"tcp","service":["SSL","http"],"conn_state":"SF","duration":9.5e-05,"orig_bytes":null}"#,
        r#"{"ts":1795341540001,"id_orig_h":"10.0.0.1","id_orig_p":1,"id_resp_h":"10.0.0.2","id_resp_p":2,"proto":"udp","conn_state":"S0","service":""}"#,
        r#"{"ts":"2026-11-22T09:59:00.5Z","id":{"orig_h":"10.0.0.1","orig_p":"1","resp_h":"10.0.0.2","resp_p":2},"proto":"tcp","conn_state":"REJ"}"#,
        r#"{"conn":{"ts":1795341541.25,"id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"tcp","conn_state":"S1"},"sensor":"tap-3"}"#,
        r#"{"conn-2":{"ts":1795341542.25,"id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"tcp","conn_state":"S1"}}"#,
        r#"{"@timestamp":"x","message":"{\"_path\":\"dns\",\"ts\":1795341543,\"id.orig_h\":\"10.0.0.1\",\"id.resp_h\":\"10.0.0.3\",\"query\":\"a.\",\"answers\":[\"TXT x\",\"10.0.0.9\"],\"TTLs\":[5.0,60.0]}"}"#,
    ];
    let read = read("zeek.json", lines.join("\n"));
    assert_eq!(read.rejects, []);
    assert_eq!(read.flows().len(), 5);
    let times: Vec<String> = read
        .records
        .iter()
        .map(|r| r.event_time.to_string())
        .collect();
    assert_eq!(times[0], "2026-11-22T09:59:00.000096Z");
    assert_eq!(times[1], "2026-11-22T09:59:00.001000Z");
    assert_eq!(times[2], "2026-11-22T09:59:00.500000Z");
    assert_eq!(read.flows()[0].service.as_deref(), Some("ssl,http"));
    assert_eq!(read.flows()[1].service, None);
    let resolution = read.resolutions()[0];
    assert_eq!((resolution.name.as_str(), resolution.ttl_s), ("a", 60));
}

#[test]
fn a_log_that_is_not_observed_is_refused_once() {
    let folder = Folder::new();
    let line = r#"{"ts":1795341540,"_path":"http","host":"x"}"#;
    let path = folder.put("http.log", format!("{line}\n{line}\n{line}\n"));
    let mut captures = captures(&[path]);
    let read = drain(&mut captures);
    assert_eq!(read.reasons(), [(RejectReason::Unsupported, 1)]);
    assert_eq!(captures.files()[0].unread, 2);
    assert_eq!(captures.files()[0].format, Some(Format::ZeekJson));
}

#[test]
fn a_capture_of_ours_among_foreign_logs_is_sorted_with_them() {
    let folder = Folder::new();
    let log = folder.put("conn.log", format!("{HEADER}{ROW}"));
    let ours = [
        r#"{"v":1,"kind":"reading","device":"d","time":"2026-11-22T10:30:00Z","current_a":1}"#,
        r#"{"v":1,"kind":"tick","at":"2026-11-22T09:00:00Z"}"#,
        r#"{"v":1,"kind":"reading","device":"d","time":"2026-11-22T09:00:00Z","current_a":2}"#,
    ];
    let ours = folder.put("ours.ndjson", ours.join("\n"));
    let read = read_paths(&[ours, log]);
    assert_eq!(read.numbers, [3, 1, 1]);
    assert_eq!(read.reasons(), [(RejectReason::Unsupported, 2)]);
}

#[test]
fn rotated_logs_come_in_the_order_of_their_events() {
    let folder = Folder::new();
    let rows = |from: u64| {
        let row = |at: u64| ROW.replace("1795341540.000001", &at.to_string());
        format!("{HEADER}{}{}", row(from + 5), row(from))
    };
    folder.put("day/conn.09:00:00-10:00:00.log", rows(1_795_341_600));
    folder.put(
        "day/conn.10:00:00-11:00:00.log.gz",
        damage::gzip(rows(1_795_341_540).as_bytes()),
    );
    folder.put("day/.hidden", "not looked at");
    let mut captures = captures(&[folder.path().to_owned()]);
    assert_eq!(captures.order(), Order::Sorted);
    let read = drain(&mut captures);
    let times: Vec<EventTime> = read
        .records
        .iter()
        .map(|record| record.event_time)
        .collect();
    assert!(times.is_sorted());
    assert_eq!(read.numbers, [2, 1, 2, 1]);
    assert!(
        captures.files()[0]
            .path
            .ends_with("conn.10:00:00-11:00:00.log.gz")
    );
}
