//! Applications of the plant.

use super::Payload;

/// The application over TCP, if it is one of the plant.
pub(super) fn over_tcp(payload: &Payload<'_>) -> Option<&'static str> {
    on_port(payload)
        .or_else(|| iso_transport(payload))
        .or_else(|| by_form(payload))
}

/// Forms that many things could have: the port has to agree.
fn on_port(payload: &Payload<'_>) -> Option<&'static str> {
    match payload.port {
        502 => is_modbus(payload).then_some("modbus"),
        2_404 => is_iec104(payload).then_some("iec104"),
        5_094 => is_hart_ip(payload).then_some("hart_ip"),
        34_980 => is_ethercat(payload).then_some("ethercat"),
        44_818 => is_enip(payload).then_some("enip"),
        48_898 => is_ads(payload).then_some("ads"),
        _ => None,
    }
}

/// Forms that give an application away on any port.
fn by_form(payload: &Payload<'_>) -> Option<&'static str> {
    if is_dnp3(payload) {
        Some("dnp3_tcp")
    } else if is_opc_ua(payload) {
        Some("opcua-binary")
    } else if payload.starts(b"FINS") {
        Some("omron_fins")
    } else if is_enip(payload) && payload.byte(0) == Some(0x65) {
        // A session is asked for with a fixed text of 28 bytes.
        Some("enip")
    } else if payload.starts(&[0x68, 4]) && payload.len() == 6 && is_iec104_start(payload) {
        Some("iec104")
    } else {
        None
    }
}

/// The application over UDP, if it is one of the plant.
pub(super) fn over_udp(payload: &Payload<'_>) -> Option<&'static str> {
    match payload.port {
        2_222 if is_cip_io(payload) => Some("cip"),
        5_094 if is_hart_ip(payload) => Some("hart_ip"),
        5_683 if is_coap(payload) => Some("coap"),
        9_600 if is_fins(payload) => Some("omron_fins"),
        34_962..=34_964 if is_remote_call(payload) => Some("profinet_io_cm"),
        34_980 if is_ethercat(payload) => Some("ethercat"),
        44_818 if is_enip(payload) => Some("enip"),
        48_899 if payload.starts(&[0x71, 0x14, 0x66, 0x03]) => Some("ads"),
        _ if is_dnp3(payload) => Some("dnp3_udp"),
        _ if is_bacnet(payload) => Some("bacnet"),
        // Its server answers from a port of its own choice.
        _ if is_hart_ip(payload) && payload.big(6) == Some(payload.len()) => Some("hart_ip"),
        _ => None,
    }
}

/// Modbus/TCP: protocol 0, a length that the payload bears out, a function.
fn is_modbus(payload: &Payload<'_>) -> bool {
    let length = payload.big(4).unwrap_or(0);
    payload.big(2) == Some(0)
        && (2..=254).contains(&length)
        && payload
            .byte(7)
            .is_some_and(|function| function & 0x7f != 0 || length > 2)
}

/// EtherNet/IP: a command that exists, status 0 in a question, a length that is borne out.
fn is_enip(payload: &Payload<'_>) -> bool {
    let known = matches!(
        payload.little(0),
        Some(0x01 | 0x04 | 0x63..=0x66 | 0x6f..=0x72)
    );
    known
        && payload
            .little(2)
            .is_some_and(|length| payload.len() >= 24 && length + 24 >= payload.len().min(1_400))
        && (!payload.asks || payload.bytes.get(8..12) == Some(&[0; 4]))
}

/// Data of a CIP connection: two items, an address of a sequence and data.
fn is_cip_io(payload: &Payload<'_>) -> bool {
    payload.starts(&[2, 0, 2, 0x80, 8, 0])
}

/// S7 and what else stands on ISO transport over TCP (RFC 1006): TPKT, then COTP.
fn iso_transport(payload: &Payload<'_>) -> Option<&'static str> {
    if !payload.starts(&[3, 0]) || payload.big(2)? < 7 {
        return None;
    }
    let header = usize::from(payload.byte(4)?);
    match payload.byte(5)? & 0xf0 {
        // Remote desktops open with it too, and are told apart by their port.
        0xe0 | 0xd0 if payload.port == 3_389 => Some("rdp"),
        0xe0 | 0xd0 | 0xc0 | 0x80 | 0x70 => Some("cotp"),
        0xf0 => match payload.byte(5 + header) {
            Some(0x32) => Some("s7comm"),
            Some(0x72) => Some("s7comm_plus"),
            _ => Some("cotp"),
        },
        _ => None,
    }
}

/// DNP3's link layer: its start, and a length that counts control and addresses.
fn is_dnp3(payload: &Payload<'_>) -> bool {
    payload.starts(&[0x05, 0x64]) && payload.byte(2).is_some_and(|length| length >= 5)
}

/// IEC 60870-5-104: its start, and a length that is borne out.
fn is_iec104(payload: &Payload<'_>) -> bool {
    payload.byte(0) == Some(0x68)
        && payload
            .byte(1)
            .is_some_and(|length| (4..=253).contains(&length))
}

/// The frames without data that open and keep such a connection.
fn is_iec104_start(payload: &Payload<'_>) -> bool {
    matches!(
        payload.bytes.get(2..6),
        Some([0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83, 0, 0, 0])
    )
}

/// HART-IP: version 1, a kind of message, a length that is borne out.
fn is_hart_ip(payload: &Payload<'_>) -> bool {
    payload.byte(0) == Some(1)
        && payload.byte(1).is_some_and(|kind| kind <= 3 || kind == 15)
        && payload
            .big(6)
            .is_some_and(|length| length >= 8 && length <= payload.len())
}

/// BACnet/IP: its type, a function, a length that is borne out.
fn is_bacnet(payload: &Payload<'_>) -> bool {
    payload.byte(0) == Some(0x81)
        && payload.byte(1).is_some_and(|function| function <= 0x0c)
        && payload.big(2) == Some(payload.len())
}

/// OPC UA: a kind of message, whether more of it follows, a length.
fn is_opc_ua(payload: &Payload<'_>) -> bool {
    let kinds: [&[u8]; 7] = [b"HEL", b"ACK", b"ERR", b"RHE", b"OPN", b"MSG", b"CLO"];
    kinds.iter().any(|kind| payload.starts(kind))
        && matches!(payload.byte(3), Some(b'F' | b'C' | b'A'))
        && payload.little(6).is_some_and(|high| high < 0x100)
}

/// CoAP: version 1, a token that is short enough, a code of a class that exists.
fn is_coap(payload: &Payload<'_>) -> bool {
    payload
        .byte(0)
        .is_some_and(|first| first >> 6 == 1 && first & 0x0f <= 8)
        && payload
            .byte(1)
            .is_some_and(|code| matches!(code >> 5, 0 | 2 | 4 | 5 | 7))
        && payload.len() >= 4
}

/// FINS over UDP: its control byte, a reserved one, a count of gateways.
fn is_fins(payload: &Payload<'_>) -> bool {
    matches!(
        payload.bytes,
        [
            0x80 | 0x81 | 0xc0 | 0xc1,
            0,
            0..=7,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            ..
        ]
    )
}

/// ADS over TCP: nothing, then the length of the rest.
fn is_ads(payload: &Payload<'_>) -> bool {
    payload.starts(&[0, 0]) && payload.len() >= 38 && payload.little(4) == Some(0)
}

/// A remote call without a connection (DCE/RPC version 4), as PROFINET sets up its relations.
fn is_remote_call(payload: &Payload<'_>) -> bool {
    payload.byte(0) == Some(4)
        && payload.byte(1).is_some_and(|kind| kind <= 10)
        && payload.len() >= 80
}

/// `EtherCAT` in a datagram: a length, and type 1 in the upper four bits.
fn is_ethercat(payload: &Payload<'_>) -> bool {
    payload.little(0).is_some_and(|head| head >> 12 == 1)
}
