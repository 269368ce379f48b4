//! Commands, from messages that are built here after the standards' tables.

use andon_schemas::ot_command::{Effect, by_name, counted};

use super::*;

/// A job of S7 in its transports.
fn s7_job(parameters: &[u8]) -> Vec<u8> {
    s7(&[
        &[
            0x32,
            1,
            0,
            0,
            0,
            1,
            0,
            u8::try_from(parameters.len()).unwrap(),
            0,
            0,
        ],
        parameters,
    ]
    .concat())
}

fn s7(inside: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inside.len() + 7).unwrap().to_be_bytes();
    [&[3, 0, length[0], length[1], 2, 0xf0, 0x80], inside].concat()
}

/// A service of the program with its argument and name.
fn invocation(argument: &[u8], name: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let head = [0x28, 0, 0, 0, 0, 0, 0, 0xfd, 0, length(argument)];
    s7_job(&[&head, argument, &[length(name)], name].concat())
}

fn modbus_of(function: &[u8]) -> Vec<u8> {
    let length = u8::try_from(function.len() + 1).unwrap();
    [&[0, 1, 0, 0, 0, length, 1], function].concat()
}

/// A service of CIP within EtherNet/IP, without a connection.
fn cip(service: &[u8]) -> Vec<u8> {
    let length = |more: usize| u16::try_from(service.len() + more).unwrap().to_le_bytes();
    let mut bytes = vec![0x6f, 0];
    bytes.extend(length(16));
    bytes.extend([0; 20]);
    bytes.extend([0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0]);
    bytes.extend(length(0));
    bytes.extend(service);
    bytes
}

/// The commands that the flows of these packets are told with.
fn told(packets: Vec<Vec<u8>>) -> Vec<String> {
    let frames: Vec<_> = packets
        .into_iter()
        .zip(0..)
        .map(|(bytes, at)| frame(at * 1_000, bytes))
        .collect();
    let (read, _) = report(pcap(&frames));
    let flows = read.records.iter().filter_map(|record| match &record.body {
        RecordBody::Flow(flow) => Some(flow),
        RecordBody::Single(_) => None,
    });
    let text = |flow: &FlowRecord| {
        let commands = flow.commands.as_ref();
        commands.map_or(String::new(), |commands| commands.as_str().to_owned())
    };
    flows.map(text).collect()
}

/// The commands of messages that a client sends to this port of a server, one segment for each.
fn asked(port: u16, messages: &[Vec<u8>]) -> String {
    let mut sequence = 1;
    let packets = messages.iter().map(|message| {
        let packet = tcp_to(port, Asks, "A", sequence, message);
        sequence += u32::try_from(message.len()).unwrap();
        packet
    });
    told(packets.collect()).join(" ")
}

/// A port, a message to it, and the command that it is.
type Case = (u16, Vec<u8>, &'static str);

fn of_modbus_and_s7() -> Vec<Case> {
    let szl = [
        0x32, 7, 0, 0, 0, 1, 0, 8, 0, 4, 0, 1, 0x12, 4, 0x11, 0x44, 1, 0,
    ];
    let explore = [0x72, 1, 0, 9, 0x31, 0, 0, 0x04, 0xbb, 0, 0, 0, 1];
    let modbus = |function: &[u8], name| (502, modbus_of(function), name);
    let job = |parameters: &[u8], name| (102, s7_job(parameters), name);
    let service = |argument: &[u8], called: &[u8], name| (102, invocation(argument, called), name);
    vec![
        modbus(&[3, 0, 0, 0, 1], "modbus.read_holding_registers"),
        modbus(&[5, 0, 0, 0xff, 0], "modbus.write_single_coil"),
        modbus(&[8, 0, 4, 0, 0], "modbus.force_listen_only"),
        modbus(&[43, 14, 1, 0], "modbus.read_device_identification"),
        modbus(&[90, 0, 0x41], "modbus.umas_stop"),
        modbus(&[99], "modbus.other"),
        job(&[4, 1], "s7comm.read_var"),
        job(&[0x29, 0, 0, 0, 0, 0, 9], "s7comm.plc_stop"),
        job(&[0x1a], "s7comm.request_download"),
        service(b"", b"P_PROGRAM", "s7comm.plc_start"),
        service(b"C ", b"P_PROGRAM", "s7comm.plc_restart"),
        service(b"\x01\x000800001P", b"_INSE", "s7comm.insert_block"),
        service(b"", b"\xff\xfe", "s7comm.pi_service"),
        (102, s7(&szl), "s7comm.read_szl"),
        (102, s7(&explore), "s7comm_plus.explore"),
    ]
}

fn of_the_others() -> Vec<Case> {
    let restart = [5, 0x64, 8, 0xc4, 1, 0, 2, 0, 0, 0, 0xc0, 0xc0, 13, 0, 0];
    let switch = [0x68, 14, 0, 0, 0, 0, 45, 1, 6, 0, 1, 0, 1, 0, 0, 1];
    let service = |service: &[u8], name| (44_818, cip(service), name);
    vec![
        service(&[0x07, 2, 0x20, 0x8e, 0x24, 1], "cip.stop"),
        service(&[0x4c, 2, 0x91, 1, b'a', 0, 1, 0], "cip.read_tag"),
        service(&[0x4e, 2, 0x20, 6, 0x24, 1], "cip.forward_close"),
        (20_000, restart.to_vec(), "dnp3.cold_restart"),
        (2_404, switch.to_vec(), "iec104.single_command"),
        (
            2_404,
            vec![0x68, 4, 0x13, 0, 0, 0],
            "iec104.stop_data_transfer",
        ),
        (4_840, ua(673), "opcua.write"),
    ]
}

/// A request of OPC UA whose type has this number.
fn ua(number: u16) -> Vec<u8> {
    let id = number.to_le_bytes();
    [
        b"MSGF\x20\0\0\0".as_slice(),
        &[0; 16],
        &[1, 0],
        &id,
        &[0; 4],
    ]
    .concat()
}

#[test]
fn function_codes_have_the_names_of_their_standards() {
    for (port, message, name) in of_modbus_and_s7().into_iter().chain(of_the_others()) {
        assert_eq!(asked(port, &[message]), format!("{name}=1"));
        assert!(by_name(name).is_some(), "{name}");
    }
    let write = b"\x81\x0a\0\x0c\x01\x04\0\x05\x01\x0f\x0c\0".to_vec();
    let packets = vec![
        udp(Asks, 47_808, 47_808, &write),
        udp(Answers, 47_808, 47_808, &write),
    ];
    assert_eq!(
        told(packets),
        ["bacnet.write_property=1 resp:bacnet.write_property=1"],
        "either peer may ask"
    );
}

/// Messages with this code wherever one stands, by the port they are sent to.
fn with_code(code: u8) -> Vec<(u16, Vec<u8>)> {
    let mut messages = vec![
        (502, modbus_of(&[code, 0, code, 0])),
        (502, modbus_of(&[90, 0, code])),
        (102, s7_job(&[code])),
        (
            44_818,
            cip(&[0x4b, 2, 0x20, 0x67, 0x24, 1, 1, 0x0f, 0, 0, 0, code]),
        ),
        (
            20_000,
            vec![5, 0x64, 8, 0xc4, 1, 0, 2, 0, 0, 0, 0xc0, 0xc0, code, 70, 5],
        ),
        (
            2_404,
            vec![0x68, 14, 0, 0, 0, 0, code, 1, 6, 0, 1, 0, 1, 0, 0, 1],
        ),
    ];
    for sub in 0..9 {
        let kind = 0x40 | code & 15;
        let data = [
            0x32, 7, 0, 0, 0, 1, 0, 8, 0, 4, 0, 1, 0x12, 4, 0x11, kind, sub, 0,
        ];
        messages.push((102, s7(&data)));
    }
    for class in [0x01, 0x06, 0x37, 0x67, 0x6b, 0x8e] {
        messages.push((44_818, cip(&[code, 2, 0x20, class, 0x24, 1, 7, 0])));
    }
    messages
}

#[test]
fn every_code_has_a_name_that_is_known() {
    let mut names = Vec::new();
    let mut hear = |text: String| {
        names.extend(counted(&text).map(|one| one.name.to_owned()));
    };
    for code in 0..=255_u8 {
        for (port, message) in with_code(code) {
            hear(asked(port, &[message]));
        }
        for head in [0, 0x10] {
            let bytes = [0x81, 0x0a, 0, 0x0a, 1, 0, head, code, 1, code];
            hear(told(vec![udp(Asks, 47_808, 47_808, &bytes)]).join(" "));
        }
    }
    for number in 400..900 {
        hear(asked(4_840, &[ua(number)]));
    }
    for number in 0x480..0x5c0_u16 {
        let id = number.to_be_bytes();
        let request = [0x72, 2, 0, 9, 0x31, 0, 0, id[0], id[1], 0, 0, 0, 1];
        hear(asked(102, &[s7(&request)]));
    }
    names.sort();
    names.dedup();
    assert!(names.len() > 150, "{}", names.len());
    let unknown: Vec<_> = names
        .iter()
        .filter(|name| by_name(name).is_none())
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn answers_are_no_commands_and_a_controller_that_fetches_its_program_was_told_to() {
    let packets = vec![
        tcp_to(102, Asks, "A", 1, &s7_job(&[0x1a])),
        tcp_to(
            102,
            Answers,
            "A",
            1,
            &s7(&[0x32, 3, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0x1a]),
        ),
        tcp_to(102, Answers, "A", 21, &s7_job(&[0x1b])),
        tcp_to(102, Answers, "A", 39, &s7_job(&[0x1c])),
    ];
    assert_eq!(
        told(packets),
        ["s7comm.download_block=1 s7comm.download_ended=1 s7comm.request_download=1"]
    );
    let packets = vec![
        tcp(Asks, "A", 1, &modbus_of(&[3, 0, 0, 0, 1])),
        tcp(Answers, "A", 1, &modbus_of(&[3, 2, 0, 1])),
    ];
    assert_eq!(told(packets), ["modbus.read_holding_registers=1"]);
}

#[test]
fn services_are_found_in_those_that_carry_them() {
    // Stop and a read of a tag packed together, the whole routed through the connection manager.
    let packed = [
        &[0x0a, 2, 0x20, 2, 0x24, 1, 2, 0, 6, 0, 12, 0][..],
        &[0x07, 2, 0x20, 0x8e, 0x24, 1],
        &[0x4c, 2, 0x91, 1, b'a', 0, 1, 0],
    ]
    .concat();
    let length = u8::try_from(packed.len()).unwrap();
    let routed = [&[0x52, 2, 0x20, 6, 0x24, 1, 5, 5, length, 0], &packed[..]].concat();
    for service in [packed, routed] {
        assert_eq!(asked(44_818, &[cip(&service)]), "cip.read_tag=1 cip.stop=1");
    }
    // A table that points at itself names nothing.
    let circle = [0x0a, 2, 0x20, 2, 0x24, 1, 1, 0, 0, 0];
    assert_eq!(asked(44_818, &[cip(&circle)]), "");
    // Packets in packets that all point at the same end at a bound.
    let mut nest = vec![0x07, 0];
    for _ in 0..3 {
        let table = std::iter::repeat_n([130, 0], 64).flatten();
        nest = [0x0a, 0, 64, 0]
            .into_iter()
            .chain(table)
            .chain(nest)
            .collect();
    }
    let told = asked(44_818, &[cip(&nest)]);
    assert!(told.starts_with("cip.stop="), "{told}");
    assert!(
        told["cip.stop=".len()..].parse::<u8>().unwrap() < 64,
        "{told}"
    );
}

#[test]
fn a_command_hides_neither_in_pieces_nor_behind_others_nor_in_a_segment_that_comes_late() {
    let (read, stop) = (s7_job(&[4, 1]), s7_job(&[0x29]));
    let all = [&read[..], &stop, &read].concat();
    let expected = "s7comm.plc_stop=1 s7comm.read_var=2";
    for size in 1..all.len() {
        // The first piece has to show what is spoken; Zeek would not name it sooner either.
        let pieces: Vec<_> = std::iter::once(all[..19].to_vec())
            .chain(all[19..].chunks(size).map(<[u8]>::to_vec))
            .collect();
        assert_eq!(asked(102, &pieces), expected, "in pieces of {size}");
    }
    let at =
        |from: usize, bytes: &[u8]| tcp_to(102, Asks, "A", u32::try_from(from + 1).unwrap(), bytes);
    let late = vec![at(0, &read), at(37, &read), at(19, &stop)];
    assert_eq!(told(late), [expected]);
}

#[test]
fn commands_are_told_once_though_a_flow_is_told_often() {
    let minute = 60_000_000;
    let frames: Vec<_> = (0..40_u32)
        .map(|n| {
            let bytes = modbus_of(&[3, 0, 0, 0, 1]);
            let sequence = 1 + n * u32::try_from(bytes.len()).unwrap();
            frame(i64::from(n) * minute, tcp(Asks, "A", sequence, &bytes))
        })
        .collect();
    let (read, _) = report(pcap(&frames));
    let counts: Vec<u64> = read
        .records
        .iter()
        .filter_map(|record| match &record.body {
            RecordBody::Flow(flow) => flow.commands.as_ref(),
            RecordBody::Single(_) => None,
        })
        .flat_map(|commands| {
            counted(commands.as_str())
                .map(|one| one.count)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 40);
    assert_eq!(counts.len(), 2, "while it lasted, and at its end");
}

#[test]
fn what_stops_a_device_is_graver_than_what_reads() {
    let effect = |name: &str| by_name(name).unwrap().effect;
    assert_eq!(effect("s7comm.plc_stop"), Effect::Control);
    assert!(effect("s7comm.plc_stop") > effect("s7comm.start_upload"));
    assert!(effect("modbus.write_single_coil") > effect("modbus.read_coils"));
}

/// The parts of a packet of IPv4 whose payload is cut at this place, a multiple of eight.
fn in_parts(packet: &[u8], at: usize) -> Vec<Vec<u8>> {
    let (head, payload) = packet.split_at(34);
    let part = |from: usize, to: usize, more: u8| {
        let mut bytes = [head, &payload[from..to]].concat();
        let total = u16::try_from(20 + to - from).unwrap().to_be_bytes();
        bytes[16..18].copy_from_slice(&total);
        bytes[18..22].copy_from_slice(&[0, 7, more, u8::try_from(from / 8).unwrap()]);
        bytes
    };
    vec![part(0, at, 0x20), part(at, payload.len(), 0)]
}

#[test]
fn a_command_in_a_later_fragment_is_found() {
    let stop = s7_job(&[0x29, 0, 0, 0, 0, 0, 9]);
    let setup = s7_job(&[0xf0]);
    for at in [24, 32, 40] {
        let first = tcp_to(102, Asks, "A", 1, &setup);
        let second = tcp_to(
            102,
            Asks,
            "A",
            1 + u32::try_from(setup.len()).unwrap(),
            &stop,
        );
        let packets = [vec![first], in_parts(&second, at)].concat();
        assert_eq!(
            told(packets),
            ["s7comm.plc_stop=1 s7comm.setup_communication=1"],
            "cut at {at}"
        );
    }
}
