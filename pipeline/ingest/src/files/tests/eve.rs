//! Suricata's EVE.

use andon_schemas::observation::{ByteKind, ConnState, Transport};

use super::*;

const FLOW: &str = r#"{"timestamp":"2026-11-22T11:00:05.482115+0100","flow_id":18446744073709551615,"event_type":"flow","src_ip":"10.20.3.7","src_port":50311,"dest_ip":"203.0.113.77","dest_port":4444,"proto":"TCP","app_proto":"failed","flow":{"pkts_toserver":61,"pkts_toclient":40,"bytes_toserver":48211,"bytes_toclient":912,"start":"2026-11-22T10:59:00.000001+0100","end":"2026-11-22T09:59:59.900000+0000","state":"closed"},"tcp":{"tcp_flags_tc":"1b"}}"#;

#[test]
fn a_flow_event_is_read_with_its_own_times() {
    let read = read("eve.json", FLOW);
    assert_eq!(read.rejects, []);
    let flow = read.flows()[0];
    assert_eq!(flow.start.to_string(), "2026-11-22T09:59:00.000001Z");
    assert_eq!(
        read.records[0].event_time.to_string(),
        "2026-11-22T09:59:59.900000Z"
    );
    assert_eq!(flow.uid.as_deref(), Some("18446744073709551615"));
    assert_eq!(
        (flow.originator_bytes, flow.bytes),
        (Some(48_211), ByteKind::Frame)
    );
    assert_eq!(
        (flow.service.as_deref(), flow.state),
        (None, ConnState::Answered)
    );
    assert_eq!(flow.transport, Transport::Tcp);
}

#[test]
fn other_events_are_counted_as_unsupported() {
    let dns = r#"{"timestamp":"2026-11-22T11:00:05.482115+0100","event_type":"dns","dns":{}}"#;
    let read = read("eve.json", format!("{dns}\n{FLOW}\n{dns}\n"));
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::Unsupported, 1),
            (RejectReason::Unsupported, 3)
        ]
    );
    assert_eq!(read.numbers, [2]);
}

#[test]
fn envelopes_of_log_shippers_are_opened() {
    let quoted = serde_json::to_string(FLOW).unwrap();
    for line in [
        format!("@cee: {FLOW}"),
        format!(r#"{{"@timestamp":"x","message":{quoted}}}"#),
        format!(r#"{{"@timestamp":1,"log":{quoted}}}"#),
        format!(r#"{{"@timestamp":"x","event":{{"original":{quoted}}}}}"#),
        format!(r#"{{"@timestamp":"x","json":{FLOW}}}"#),
        format!(r#"{{"@timestamp":"x","suricata":{{"eve":{FLOW}}}}}"#),
    ] {
        let read = read("eve.json", &line);
        assert_eq!((read.records.len(), read.rejects.len()), (1, 0), "{line}");
    }
}

#[test]
fn how_far_a_flow_got_follows_from_what_came_back() {
    for (from, to, state) in [
        (
            r#""pkts_toclient":40"#,
            r#""pkts_toclient":0"#,
            ConnState::Attempt,
        ),
        (r#""1b""#, r#""14""#, ConnState::Rejected),
        (r#""pkts_toclient":40,"#, "", ConnState::Answered),
    ] {
        assert_eq!(
            read("eve.json", FLOW.replace(from, to)).flows()[0].state,
            state,
            "{to}"
        );
    }
}

#[test]
fn bad_flows_are_rejected_with_the_field_and_the_value() {
    for (from, to, reason, said) in [
        (
            r#""proto":"TCP","#,
            "",
            RejectReason::MissingField,
            "`proto`",
        ),
        (
            r#""10.20.3.7""#,
            r#""here""#,
            RejectReason::WrongType,
            "`src_ip` is \"here\"",
        ),
        (
            "50311",
            "70000",
            RejectReason::OutOfRange,
            "`src_port` is 70000",
        ),
        (
            "48211",
            "-1",
            RejectReason::OutOfRange,
            "`bytes_toserver` is -1",
        ),
        ("48211", "true", RejectReason::WrongType, "`bytes_toserver`"),
        (
            "10:59:00.000001+0100",
            "12:59:00.000001+0100",
            RejectReason::OutOfRange,
            "after its end",
        ),
        (
            "+0100\",\"end",
            "\",\"end",
            RejectReason::WrongType,
            "`start`",
        ),
    ] {
        let read = read("eve.json", format!("{FLOW}\n{}\n", FLOW.replace(from, to)));
        assert_eq!(read.reasons(), [(reason, 2)], "{to}");
        assert!(
            read.rejects[0].detail.contains(said),
            "{}",
            read.rejects[0].detail
        );
    }
}

#[test]
fn events_out_of_order_are_sorted_by_their_end() {
    let later = FLOW.replace("09:59:59.9", "10:59:59.9");
    let read = read("eve.json", format!("{later}\n{FLOW}\n"));
    assert_eq!(read.numbers, [2, 1]);
}
