//! Names: of applications, by what they say; of servers; and the answers of DNS.

use super::*;

/// The application of a flow with one payload of the originator.
fn service(bytes: Vec<u8>) -> Option<String> {
    let read = read("x", pcap(&[frame(0, bytes)]));
    assert_eq!(read.rejects, []);
    read.flows()[0].service.as_ref().map(ToString::to_string)
}

fn over_tcp(port: u16, payload: &[u8]) -> Option<String> {
    service(tcp_to(port, Asks, "A", 1, payload))
}

fn over_udp(port: u16, payload: &[u8]) -> Option<String> {
    service(udp(Asks, 40_000, port, payload))
}

const MODBUS: &[u8] = b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01";
const COTP: &[u8] = b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a";
const S7: &[u8] = b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0";
const SESSION: &[u8] = b"\x65\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0";

#[test]
fn an_application_over_tcp_is_named_by_what_it_says() {
    for (port, payload, name) in [
        (502, MODBUS, Some("modbus")),
        (44_818, SESSION, Some("enip")),
        (50_000, SESSION, Some("enip")),
        (102, COTP, Some("cotp")),
        (102, S7, Some("s7comm")),
        (
            20_000,
            b"\x05\x64\x05\xc0\x01\0\0\x04\xe9\x21",
            Some("dnp3_tcp"),
        ),
        (
            20_001,
            b"\x05\x64\x05\xc0\x01\0\0\x04\xe9\x21",
            Some("dnp3_tcp"),
        ),
        (2_404, b"\x68\x04\x01\0\x02\0", Some("iec104")),
        (50_000, b"\x68\x04\x07\0\0\0", Some("iec104")),
        (4_840, b"HELF\x20\0\0\0\0\0\0\0", Some("opcua-binary")),
        (
            50_000,
            b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
            Some("mqtt"),
        ),
        (1_883, b"\xc0\0", Some("mqtt")),
        (8_080, b"GET / HTTP/1.1\r\n\r\n", Some("http")),
        (902, b"SSH-2.0-x\r\n", Some("ssh")),
        (4_444, b"\x16\x03\x01\0\x05\x01\0\0\x01\0", Some("ssl")),
        (80, b"\0\x01\x02\x03 something else", None),
        (502, b"SSH-2.0-x\r\n", Some("ssh")),
        (502, b"no modbus at all", None),
    ] {
        assert_eq!(
            over_tcp(port, payload).as_deref(),
            name,
            "tcp/{port} {payload:?}"
        );
    }
}

#[test]
fn an_application_over_udp_is_named_by_what_it_says() {
    let mut call = vec![0; 80];
    call[0] = 4;
    let mut ntp = vec![0; 48];
    ntp[0] = 0x23;
    for (port, payload, name) in [
        (
            47_808,
            &b"\x81\x0b\0\x08\x01\x20\xff\xff"[..],
            Some("bacnet"),
        ),
        (47_809, b"\x81\x0b\0\x08\x01\x20\xff\xff", Some("bacnet")),
        (47_808, b"\x81\x0b\0\x09\x01\x20\xff\xff", None),
        (
            44_818,
            &b"\x63\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..],
            Some("enip"),
        ),
        (
            2_222,
            b"\x02\0\x02\x80\x08\0\x01\0\0\0\x01\0\0\0\xb1\0\0\0",
            Some("cip"),
        ),
        (
            20_000,
            b"\x05\x64\x05\xc0\x01\0\0\x04\xe9\x21",
            Some("dnp3_udp"),
        ),
        (5_683, b"\x40\x01\0\0", Some("coap")),
        (34_964, &call, Some("profinet_io_cm")),
        (123, &ntp, Some("ntp")),
        (161, b"\x30\x26\x02\x01\x01\x04\x06public", Some("snmp")),
        (514, b"<34>hello", Some("syslog")),
        (9_998, b"<34>hello", None),
    ] {
        assert_eq!(
            over_udp(port, payload).as_deref(),
            name,
            "udp/{port} {payload:?}"
        );
    }
}

#[test]
fn what_the_iso_transport_carries_says_more_than_its_opening() {
    let flow = |payloads: &[&[u8]]| {
        let mut sequence = 1;
        let mut frames = Vec::new();
        for payload in payloads {
            frames.push(frame(0, tcp_to(102, Asks, "A", sequence, payload)));
            sequence += u32::try_from(payload.len()).unwrap();
        }
        let read = read("x", pcap(&frames));
        read.flows()[0].service.as_ref().map(ToString::to_string)
    };
    assert_eq!(flow(&[COTP]).as_deref(), Some("cotp"));
    assert_eq!(flow(&[COTP, S7]).as_deref(), Some("s7comm"));
    assert_eq!(
        flow(&[COTP, b"\x03\0\0\x08\x02\xf0\x80\x72"]).as_deref(),
        Some("s7comm_plus")
    );
}

/// A greeting of TLS that asks for a server.
fn greeting(name: &[u8]) -> Vec<u8> {
    let long = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap();
        [&length.to_be_bytes(), bytes].concat()
    };
    let names = long(&[&[0], &long(name)[..]].concat());
    let padding = [&[0, 21], &long(&[0; 600])[..]].concat();
    let extensions = [padding, vec![0, 0], long(&names)].concat();
    let body = [
        &[3, 3],
        &[7; 32][..],
        &[0],
        &long(&[0x13, 1])[..],
        &[1, 0],
        &long(&extensions),
    ]
    .concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let hello = [&[1, 0], &length[..], &body].concat();
    // In two records: the first 100 bytes and the rest.
    let record = |part: &[u8]| [&[0x16, 3, 1], &long(part)[..]].concat();
    [record(&hello[..100]), record(&hello[100..])].concat()
}

#[test]
fn a_server_is_named_as_it_was_asked_for() {
    let named = |parts: &[&[u8]]| {
        let mut sequence = 1;
        let mut frames = Vec::new();
        for part in parts {
            frames.push(frame(0, tcp_to(443, Asks, "A", sequence, part)));
            sequence += u32::try_from(part.len()).unwrap();
        }
        let read = read("x", pcap(&frames));
        read.flows()[0]
            .responder_name
            .as_ref()
            .map(ToString::to_string)
    };
    let hello = greeting(b"Update.Example.COM");
    let name = Some("update.example.com");
    assert_eq!(named(&[&hello]).as_deref(), name);
    assert_eq!(named(&[&hello[..300], &hello[300..]]).as_deref(), name);
    assert_eq!(named(&[&hello[..650]]), None);
    assert_eq!(named(&[&greeting(b"no host name\x07")]), None);
    let request = b"GET /x HTTP/1.1\r\nAccept: */*\r\nhOst:  Plant.example:8080\r\n\r\nHost: body";
    assert_eq!(named(&[request]).as_deref(), Some("plant.example"));
}

#[test]
fn dns_answers_are_resolutions_as_from_zeek() {
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    question.extend(b"\x03Hmi\x07example\0\0\x01\0\x01");
    let mut answer = question.clone();
    answer[2] = 0x81;
    answer[7] = 1;
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\x0a\0\0\x63");
    let frames = [
        frame(0, udp(Asks, 40_000, 53, &question)),
        frame(2_000, udp(Answers, 40_000, 53, &answer)),
    ];
    let read = read("x", pcap(&frames));
    let resolution = read.resolutions()[0];
    assert_eq!(resolution.name, "hmi.example");
    assert_eq!(resolution.server.to_string(), "10.0.0.9");
    assert_eq!(
        resolution.addresses,
        ["10.0.0.99".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(resolution.ttl_s, 300);
    let record = read
        .records
        .iter()
        .position(|record| flow(record).is_none())
        .unwrap();
    assert_eq!(read.records[record].address, Some(CLIENT.into()));
    assert_eq!(read.numbers[record], 2);
    assert_eq!(read.flows()[0].service.as_deref(), Some("dns"));
    // An answer of which a part is missing, or to nobody in particular, is none.
    let mut cut = frames.clone();
    cut[1].bytes.truncate(70);
    assert_eq!(super::read("x", pcap(&cut)).resolutions().len(), 0);
}
