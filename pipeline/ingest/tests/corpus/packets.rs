//! Real packets: every one is counted, flows are those that Zeek found in the same traffic, and
//! applications have the names that the captures' authors and other tools give them.

use std::collections::BTreeSet;

use andon_schemas::observation::{ConnState, Party, Transport};

use super::*;

/// Packets of a capture, counted without knowing more than where they begin.
fn packets_in(bytes: &[u8]) -> u64 {
    let is_ng = bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
    let little = if is_ng {
        bytes[8] == 0x4d
    } else {
        bytes[0] & 0xf0 == 0xd0 || bytes[0] == 0x4d
    };
    let word = |at: usize| {
        let word: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        if little {
            u32::from_le_bytes(word)
        } else {
            u32::from_be_bytes(word)
        }
    };
    let (mut at, mut packets) = (if is_ng { 0 } else { 24 }, 0);
    while at + 12 <= bytes.len() {
        if is_ng {
            packets += u64::from(matches!(word(at), 3 | 6));
            at += word(at + 4) as usize;
        } else {
            packets += 1;
            at += 16 + word(at + 8) as usize;
        }
    }
    packets
}

/// Checks that every packet of a file is accounted for.
pub(super) fn check(path: &Path, report: &FileReport) {
    let counts = report.packets.as_ref().unwrap();
    let expected = packets_in(&fs::read(path).unwrap());
    assert_eq!(counts.packets, expected, "{}", path.display());
    assert_eq!(counts.evicted, 0, "{}", path.display());
    let aside: u64 = counts.aside.values().sum();
    let kinds = counts.aside.len() as u64;
    assert_eq!(report.unread, aside - kinds, "{}", path.display());
}

fn is_capture(path: &Path) -> bool {
    let mut magic = Vec::new();
    File::open(path)
        .unwrap()
        .take(4)
        .read_to_end(&mut magic)
        .unwrap();
    let magics = [[0x0a, 0x0d, 0x0d, 0x0a], [0xd4, 0xc3, 0xb2, 0xa1]];
    magics.iter().any(|known| magic == known)
}

/// Captures below a folder, each read and counted.
fn read_captures(folder: &str) -> Option<Vec<(PathBuf, Outcome)>> {
    let folder = corpus(folder)?;
    let captures = files_below(&folder)
        .into_iter()
        .filter(|path| is_capture(path));
    let outcomes: Vec<_> = captures.map(|path| (path.clone(), read(&path))).collect();
    for (path, outcome) in &outcomes {
        check(path, &outcome.files[0]);
    }
    assert!(!outcomes.is_empty());
    Some(outcomes)
}

fn has_payload(flow: &FlowRecord) -> bool {
    flow.originator_bytes.unwrap() + flow.responder_bytes.unwrap() > 0
}

#[test]
fn nothing_in_the_captures_of_the_field_is_unreadable() {
    for folder in [
        "03-ot-pcaps-iti",
        "04-protocol-fixtures",
        "05-mud-and-iot-pcaps",
    ] {
        let Some(outcomes) = read_captures(folder) else {
            return;
        };
        for (path, outcome) in &outcomes {
            // What is not IP is set aside; nothing else is refused but what a fuzzer broke.
            let fuzzed = path.to_string_lossy().contains("fuzz");
            let reasons: BTreeSet<_> = outcome.reasons().into_keys().collect();
            assert!(
                fuzzed || reasons.is_subset(&BTreeSet::from(["unsupported"])),
                "{}: {:?}",
                path.display(),
                outcome.rejects
            );
        }
    }
}

/// What two readers have to agree on: beginning, ends, payload bytes, and where it got to.
fn essence(flow: &FlowRecord) -> String {
    format!(
        "{} {:?} {:?} {:?} {:?} {}",
        flow.start,
        flow.originator,
        flow.responder,
        flow.originator_bytes,
        flow.responder_bytes,
        flow.state
    )
}

#[test]
fn flows_are_those_that_zeek_found_in_the_same_traffic() {
    let Some(zeek) = corpus("03-ot-pcaps-iti/zeek-twin-of-ModbusTCP.pcap/conn.log") else {
        return;
    };
    let zeek = read(&zeek);
    let mut seen = 0;
    for (capture, port, count) in [
        ("ModbusTCP/ModbusTCP.pcap", 502, 14),
        ("EthernetIP/EthernetIP-CIP.pcap", 44_818, 4),
    ] {
        let Some(capture) = corpus(&format!("03-ot-pcaps-iti/{capture}")) else {
            return;
        };
        let ours = read(&capture);
        let of_port =
            |flow: &&FlowRecord| flow.responder.port == port || flow.originator.port == port;
        let theirs: Vec<_> = zeek.flows().filter(of_port).collect();
        assert_eq!((ours.flows().count(), theirs.len()), (count, count));
        for flow in ours.flows() {
            let twin = theirs.iter().find(|twin| twin.start == flow.start).unwrap();
            let mut twin = (*twin).clone();
            if twin.originator.port == port {
                // That Zeek did not know the port of EtherNet/IP, and took the server for the
                // client where it was heard first.
                std::mem::swap(&mut twin.originator, &mut twin.responder);
                std::mem::swap(&mut twin.originator_bytes, &mut twin.responder_bytes);
            }
            assert_eq!(essence(flow), essence(&twin));
            seen += 1;
        }
    }
    assert_eq!(seen, 18);
}

/// Names for what the authors of captures call a protocol.
fn names_of(protocol: &str) -> &'static [&'static str] {
    match protocol {
        "S7comm" | "S7Comm" | "S7CommPlus" => &["s7comm", "s7comm_plus"],
        "EtherNet/IP" | "EthernetIP" => &["enip"],
        "CIP" => &["cip", "enip"],
        "Modbus" | "Modbus/TCP" | "Modbus.UMAS" => &["modbus"],
        "DNP3" => &["dnp3_tcp", "dnp3_udp"],
        "PROFINET" | "DCERPC.PROFINET_IO" => &["profinet_io_cm"],
        "IEC60870" => &["iec104"],
        "BACnet" => &["bacnet"],
        "BeckhoffADS" => &["ads"],
        "AMQP" => &["amqp"],
        "MQTT" => &["mqtt"],
        "COAP" => &["coap"],
        "FINS" => &["omron_fins"],
        "HART-IP" => &["hart_ip"],
        "OPC-UA" => &["opcua-binary"],
        "ISO9506-1-MMS" => &["cotp"],
        "NTP" => &["ntp"],
        "SNMP" => &["snmp"],
        "Syslog" => &["syslog"],
        "DNS" => &["dns"],
        _ => &[],
    }
}

#[test]
fn labelled_plant_captures_are_named_as_labelled() {
    let Some(folder) = corpus("03-ot-pcaps-iti") else {
        return;
    };
    let labels = fs::read_to_string(folder.join("LABELS.csv")).unwrap();
    let mut right = 0;
    for line in labels.lines().skip(1) {
        let mut cells = line.split(',');
        let (file, protocol) = (cells.next().unwrap(), cells.next().unwrap());
        let outcome = read(&folder.join(file));
        if protocol == "PROFINET-DCP" {
            // It runs on Ethernet itself.
            let aside = &outcome.files[0].packets.as_ref().unwrap().aside;
            assert_eq!(aside.get("PROFINET (0x8892)"), Some(&4), "{file}");
            right += 1;
            continue;
        }
        let names = names_of(protocol);
        assert!(!names.is_empty(), "{protocol}");
        let fits = |flow: &FlowRecord| {
            let service = flow.service.as_deref();
            service.is_some_and(|service| names.contains(&service))
        };
        let carrying: Vec<_> = outcome.flows().filter(|flow| has_payload(flow)).collect();
        let others: BTreeSet<_> = carrying
            .iter()
            .filter(|flow| !fits(flow))
            .map(|flow| (flow.service.as_deref(), flow.responder.port))
            .collect();
        // Name service of the hosts themselves; a session too damaged for anybody (half of its
        // packets are forged).
        let known = BTreeSet::from([(Some("dns"), 137), (Some("dns"), 53), (None, 502)]);
        assert!(others.is_subset(&known), "{file}: {others:?}");
        right += usize::from(carrying.iter().any(|flow| fits(flow)));
    }
    eprintln!("{right} of 44 labelled captures are named as labelled");
    assert_eq!(right, 44);
}

/// The ends and protocols of flows as nDPI lists them (`TCP a:1 <-> b:2 [proto: 44/Modbus]`).
fn listed(text: &str) -> Vec<([String; 2], String)> {
    let flow = |line: &str| {
        let (ends, rest) = line.split_once(" [proto: ")?;
        let protocol = rest.split_once('/')?.1.split_once(']')?.0;
        let mut words = ends.split_whitespace().skip(2);
        let (from, to) = (words.next()?, words.nth(1)?);
        let plain = |end: &str| end.replace(['[', ']'], "");
        Some(([plain(from), plain(to)], protocol.to_owned()))
    };
    text.lines().filter_map(flow).collect()
}

#[test]
fn applications_are_named_as_another_tool_names_them() {
    let Some(folder) = corpus("04-protocol-fixtures/ndpi-ot-pcaps") else {
        return;
    };
    let (mut right, mut all, mut wrong) = (0, 0, Vec::new());
    for path in files_below(&folder) {
        let listing = PathBuf::from(format!("{}.out", path.display()));
        if !is_capture(&path) || !listing.exists() {
            continue;
        }
        let outcome = read(&path);
        let listing = String::from_utf8_lossy(&fs::read(&listing).unwrap()).into_owned();
        for (ends, protocol) in listed(&listing) {
            let names = names_of(&protocol);
            if names.is_empty() {
                continue;
            }
            let end = |at: Party| format!("{}:{}", at.address, at.port);
            let services: Vec<_> = outcome
                .flows()
                .filter(|flow| {
                    let ours = [end(flow.originator), end(flow.responder)];
                    ours == ends || [&ours[1], &ours[0]] == [&ends[0], &ends[1]]
                })
                .map(|flow| flow.service.as_deref())
                .collect();
            all += 1;
            if services.iter().flatten().any(|name| names.contains(name)) {
                right += 1;
            } else {
                wrong.push((protocol, ends, format!("{services:?}")));
            }
        }
    }
    eprintln!("{right} of {all} flows are named as nDPI names them; not so: {wrong:?}");
    assert!(right * 100 >= all * 96, "{right} of {all}: {wrong:?}");
}

#[test]
fn fixtures_of_one_protocol_hold_flows_of_it_and_of_no_other() {
    let Some(outcomes) = read_captures("04-protocol-fixtures/suricata-verify-ot") else {
        return;
    };
    let mut right = 0;
    for (path, outcome) in &outcomes {
        let path = path.to_string_lossy();
        let (_, inside) = path.split_once("suricata-verify-ot/").unwrap();
        let (name, also): (&str, &[&str]) = match inside.split(['-', '/']).next().unwrap() {
            "dnp3" => ("dnp3_tcp", &[]),
            "enip" => ("enip", &["cip"]),
            "modbus" => ("modbus", &[]),
            "ntp" => ("ntp", &[]),
            "snmp" => ("snmp", &[]),
            "dhcp" => ("dhcp", &[]),
            // One of them ran beside a browser.
            mqtt if mqtt.starts_with("mqtt") => ("mqtt", &["http"]),
            _ => continue,
        };
        let services: BTreeSet<_> = outcome
            .flows()
            .filter_map(|flow| flow.service.as_deref())
            .collect();
        assert!(services.contains(name), "{inside}: {services:?}");
        let others = services.iter().find(|s| **s != name && !also.contains(s));
        assert_eq!(others, None, "{inside}");
        right += 1;
    }
    assert_eq!(right, 61);
}

#[test]
fn a_sweep_by_arp_is_told_with_who_asked_for_how_many() {
    let Some(path) = corpus("01-slips-test-dataset/dataset/test8-malicious.pcap") else {
        return;
    };
    let outcome = read(&path);
    let counts = outcome.files[0].packets.as_ref().unwrap();
    assert_eq!(counts.packets, 534);
    let [reject] = &outcome.rejects[..] else {
        panic!("{:?}", outcome.rejects);
    };
    assert!(
        reject
            .detail
            .ends_with("192.168.1.247 asked for 255 addresses"),
        "{}",
        reject.detail
    );
}

#[test]
fn a_sweep_by_ping_shows_who_did_not_answer() {
    let Some(path) = corpus("01-slips-test-dataset/dataset/test12-icmp-portscan.pcap") else {
        return;
    };
    let outcome = read(&path);
    let states = |state| {
        let icmp = outcome.flows().filter(|f| f.transport == Transport::Icmp);
        icmp.filter(|flow| flow.state == state).count()
    };
    let counts = [ConnState::Answered, ConnState::Attempt].map(states);
    assert_eq!(counts, [11, 7]);
}

#[test]
fn a_beacon_is_as_many_connections_as_it_asks_for() {
    let folder = "01-slips-test-dataset/dataset";
    let Some(path) = corpus(&format!("{folder}/test-cc/test-cc-capture-1.pcap")) else {
        return;
    };
    let beacon = read(&path);
    // 299 SYN, two of them on ports used before.
    let asked: Vec<_> = beacon.flows().collect();
    assert_eq!(asked.len(), 299);
    assert!(
        asked
            .iter()
            .all(|flow| flow.service.as_deref() == Some("ssl")
                && flow.state == ConnState::Answered
                && flow.responder.port == 443)
    );
    let named = asked
        .iter()
        .filter(|flow| flow.responder_name.as_deref() == Some("testing.com"));
    assert!(named.count() >= 296);

    let Some(path) = corpus(&format!(
        "{folder}/test19-malicious-ssh/malicious-ssh-bruteforce.pcap"
    )) else {
        return;
    };
    let brute = read(&path);
    assert_eq!(brute.flows().count(), 67);
    let ssh = brute
        .flows()
        .filter(|f| f.service.as_deref() == Some("ssh"));
    assert_eq!(ssh.count(), 66);
}
