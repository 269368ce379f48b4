//! Messages of Zeek and Suricata.

use super::*;

const CONN: &str = r#"{"ts":1795341541.25,"uid":"Ck2","id.orig_h":"10.20.3.7","id.orig_p":48122,"id.resp_h":"10.20.3.20","id.resp_p":502,"proto":"tcp","service":"modbus","orig_bytes":12,"resp_bytes":34,"conn_state":"S1"}"#;
const DNS: &str = r#"{"ts":1795341541.25,"uid":"Cd1","id.orig_h":"10.20.3.7","id.orig_p":40000,"id.resp_h":"10.20.0.53","id.resp_p":53,"proto":"udp","trans_id":7,"query":"historian.plant.example","qtype_name":"A","rcode_name":"NOERROR","answers":["10.20.9.1"],"TTLs":[300.0],"rejected":false}"#;
const EVE: &str = r#"{"timestamp":"2026-11-22T09:59:01.000000+0000","flow_id":7,"event_type":"flow","src_ip":"10.20.3.7","src_port":48122,"dest_ip":"10.20.3.20","dest_port":502,"proto":"TCP","app_proto":"modbus","flow":{"pkts_toserver":3,"pkts_toclient":2,"bytes_toserver":200,"bytes_toclient":120,"start":"2026-11-22T09:58:00.000000+0000","end":"2026-11-22T09:59:00.000000+0000","state":"closed"}}"#;

fn uid(record: &Result<Record, Refused>) -> &str {
    match record {
        Ok(Record {
            body: RecordBody::Flow(flow),
            ..
        }) => flow.uid.as_deref().unwrap_or(""),
        other => panic!("no flow: {other:?}"),
    }
}

#[test]
fn connections_of_zeek_come_plain_and_tagged() {
    let plain = read(CONN);
    assert_eq!(uid(&plain[0]), "Ck2");
    for tagged in [
        format!(r#"{{"conn":{CONN}}}"#),
        format!(r#"{{"conn-2":{CONN},"sensor":"tap-3"}}"#),
        format!(r#" {{"sensor":"tap-3","conn":{CONN}}}"#),
    ] {
        assert_eq!(read(&tagged), plain, "{tagged}");
    }
}

#[test]
fn answers_of_zeek_come_plain_and_tagged() {
    let plain = read(DNS);
    let RecordBody::Single(Body::Resolution(resolution)) = &plain[0].as_ref().unwrap().body else {
        panic!("no resolution: {plain:?}");
    };
    assert_eq!(resolution.name, "historian.plant.example");
    assert_eq!(read(format!(r#"{{"dns":{DNS}}}"#)), plain);
}

#[test]
fn flows_of_suricata_come_bare_and_with_a_cookie() {
    assert_eq!(uid(&read(EVE)[0]), "7");
    assert_eq!(read(format!("@cee: {EVE}")), read(EVE));
}

#[test]
fn logs_and_events_that_are_not_observed_are_refused_one_by_one() {
    let mut payloads = payloads(&Options::default());
    for _ in 0..2 {
        for payload in [
            r#"{"http":{"ts":1795341541.25,"uid":"C","id.orig_h":"10.0.0.1"}}"#,
            r#"{"timestamp":"2026-11-22T09:59:01Z","event_type":"alert"}"#,
        ] {
            let refused = the_refusal(read_by(&mut payloads, payload.as_bytes()));
            assert_eq!(refused.reason, RejectReason::Unsupported, "{refused}");
        }
    }
}

#[test]
fn nobody_vouches_for_who_sent_a_foreign_record() {
    let mut payloads = payloads(&trusting());
    for payload in [CONN, DNS, EVE] {
        let record = read_by(&mut payloads, payload.as_bytes())
            .remove(0)
            .unwrap();
        assert_eq!((record.sender, record.received_at), (None, None));
    }
}

#[test]
fn what_came_before_changes_nothing() {
    let both = LINES[2].replacen('{', r#"{"ts":1,"event_type":"flow","timestamp":"t","#, 1);
    let bad = r#"{"kind":"reading","ts":1795341541.25,"conn_state":"SF"}"#;
    let all = [LINES[0], CONN, LINES[1], EVE, &both, DNS, bad, r#"{"x":1}"#];
    for first in all {
        for second in all {
            let mut payloads = payloads(&Options::default());
            assert_eq!(read_by(&mut payloads, first.as_bytes()), read(first));
            assert_eq!(read_by(&mut payloads, second.as_bytes()), read(second));
        }
    }
    assert_eq!(read(&both), [Ok(records().swap_remove(2))]);
    assert_eq!(refusal(bad).reason, RejectReason::MissingField);
}

#[test]
fn an_array_may_hold_what_other_tools_write() {
    let read = read(format!("[{CONN},{EVE},{}]", LINES[0]));
    assert_eq!(
        (uid(&read[0]), uid(&read[1]), uid(&read[2])),
        ("Ck2", "7", "C1")
    );
}
