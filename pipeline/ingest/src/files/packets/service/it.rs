//! Applications of the office and the infrastructure.

use super::{Payload, host_name};

const HTTP_METHODS: [&[u8]; 9] = [
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
];

/// The application over TCP.
pub(super) fn over_tcp(payload: &Payload<'_>) -> Option<&'static str> {
    by_form(payload).or_else(|| on_port(payload))
}

/// Forms that give an application away on any port.
fn by_form(payload: &Payload<'_>) -> Option<&'static str> {
    if is_tls(payload) {
        Some("ssl")
    } else if is_http(payload) {
        Some("http")
    } else if payload.starts(b"SSH-") {
        Some("ssh")
    } else if is_mqtt_greeting(payload) {
        Some("mqtt")
    } else if payload.starts(b"AMQP") {
        Some("amqp")
    } else if matches!(
        payload.bytes.get(4..8),
        Some([0xff | 0xfe, b'S', b'M', b'B'])
    ) && payload.byte(0) == Some(0)
    {
        Some("smb")
    } else if first_line(payload.bytes).is_some_and(|line| contains(line, b"RTSP/1.0")) {
        Some("rtsp")
    } else {
        None
    }
}

/// Forms that many things could have: the port has to agree.
fn on_port(payload: &Payload<'_>) -> Option<&'static str> {
    let from_server = |text: &[u8]| !payload.asks && payload.starts(text);
    match payload.port {
        21 if from_server(b"220") || payload.starts(b"USER ") => Some("ftp"),
        23 if payload.byte(0) == Some(0xff) => Some("telnet"),
        25 | 587 if from_server(b"220") || payload.starts(b"EHLO") => Some("smtp"),
        53 if payload.big(0) == Some(payload.len().saturating_sub(2)) && is_dns(payload, 2) => {
            Some("dns")
        }
        88 if payload.byte(4).is_some_and(|tag| tag & 0xe0 == 0x60) => Some("krb_tcp"),
        135 if is_remote_call(payload) => Some("dce_rpc"),
        139 if matches!(payload.byte(0), Some(0x81..=0x85)) => Some("smb"),
        389 if payload.byte(0) == Some(0x30) => Some("ldap_tcp"),
        514 | 6_514 if is_syslog(payload) => Some("syslog"),
        5_672 if is_amqp_frame(payload) => Some("amqp"),
        1_883 if is_mqtt_packet(payload) => Some("mqtt"),
        _ if is_remote_call(payload) && payload.little(8) == Some(payload.len()) => Some("dce_rpc"),
        _ => None,
    }
}

/// The application over UDP.
pub(super) fn over_udp(payload: &Payload<'_>) -> Option<&'static str> {
    match payload.port {
        53 | 137 | 5_353 | 5_355 if is_dns(payload, 0) => Some("dns"),
        67 | 68 if payload.bytes.get(236..240) == Some(&[0x63, 0x82, 0x53, 0x63]) => Some("dhcp"),
        69 if matches!(payload.bytes, [0, 1..=5, ..]) => Some("tftp"),
        88 if payload.byte(0).is_some_and(|tag| tag & 0xe0 == 0x60) => Some("krb"),
        123 if is_ntp(payload) => Some("ntp"),
        161 | 162 if is_snmp(payload) => Some("snmp"),
        443 if payload.byte(0).is_some_and(|first| first >= 0xc0)
            && payload.bytes.get(1..5) == Some(&[0, 0, 0, 1]) =>
        {
            Some("quic")
        }
        514 if is_syslog(payload) => Some("syslog"),
        1_812 | 1_813 if payload.big(2) == Some(payload.len()) => Some("radius"),
        _ => None,
    }
}

/// A record of a handshake with a greeting of either side in it.
fn is_tls(payload: &Payload<'_>) -> bool {
    matches!(payload.bytes, [0x16, 3, 0..=4, _, _, 1 | 2, ..])
        || matches!(payload.port, 443 | 636 | 5_671 | 8_883)
            && matches!(payload.bytes, [0x14..=0x17, 3, 0..=4, ..])
}

fn is_http(payload: &Payload<'_>) -> bool {
    payload.starts(b"HTTP/1.")
        || HTTP_METHODS.iter().any(|method| payload.starts(method))
            && first_line(payload.bytes).is_some_and(|line| contains(line, b" HTTP/1."))
}

/// The name of the host that a request asks for.
pub(super) fn http_host(request: &[u8]) -> Option<String> {
    request
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (name, value) = line.split_at_checked(5)?;
            name.eq_ignore_ascii_case(b"host:").then_some(value)
        })
        .and_then(host_name)
}

/// What opens a session of MQTT, of any version.
fn is_mqtt_greeting(payload: &Payload<'_>) -> bool {
    payload.byte(0) == Some(0x10)
        && (2..=5).any(|at| {
            let rest = payload.bytes.get(at..).unwrap_or_default();
            rest.starts_with(b"\x00\x04MQTT") || rest.starts_with(b"\x00\x06MQIsdp")
        })
}

/// A packet of MQTT: a kind with the flags it may have, and a length that is borne out.
fn is_mqtt_packet(payload: &Payload<'_>) -> bool {
    let Some(first) = payload.byte(0) else {
        return false;
    };
    let flags = first & 0x0f;
    let fits = match first >> 4 {
        3 => flags & 6 != 6,
        6 | 8 | 10 => flags == 2,
        1..=15 => flags == 0,
        _ => false,
    };
    let mut length = 0_usize;
    for at in 0..4 {
        let Some(byte) = payload.byte(1 + at) else {
            return false;
        };
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return fits && (length + at + 2 <= payload.len() || first >> 4 == 3);
        }
    }
    false
}

/// A frame of AMQP: a kind that exists, a length that is borne out.
fn is_amqp_frame(payload: &Payload<'_>) -> bool {
    matches!(payload.bytes, [1..=3 | 8, _, _, 0, ..])
        && payload
            .big(5)
            .is_some_and(|length| payload.len() >= (length + 8).min(1_400))
}

/// A header of DNS: a kind of question that exists, few enough records for its size.
fn is_dns(payload: &Payload<'_>, at: usize) -> bool {
    let count = |field: usize| payload.big(at + field).unwrap_or(usize::MAX);
    let records = [4, 6, 8, 10].map(count);
    let room = payload.len() / 4;
    payload
        .byte(at + 2)
        .is_some_and(|flags| flags >> 3 & 0x0f <= 6)
        && records.iter().all(|count| *count <= room)
        && records.iter().any(|count| *count > 0)
}

/// NTP: a version and a mode that exist, and as many bytes as that mode has.
fn is_ntp(payload: &Payload<'_>) -> bool {
    payload.byte(0).is_some_and(|first| {
        let needed = match first & 7 {
            1..=5 => 48,
            6 => 12,
            7 => 8,
            _ => usize::MAX,
        };
        (1..=4).contains(&(first >> 3 & 7)) && payload.len() >= needed
    })
}

/// SNMP: a sequence that begins with a version.
fn is_snmp(payload: &Payload<'_>) -> bool {
    let at = match payload.byte(1) {
        Some(0x81) => 3,
        Some(0x82) => 4,
        Some(0x83) => 5,
        _ => 2,
    };
    payload.byte(0) == Some(0x30)
        && matches!(payload.bytes.get(at..at + 3), Some([2, 1, 0 | 1 | 3]))
}

/// A priority in angle brackets.
fn is_syslog(payload: &Payload<'_>) -> bool {
    let digits = payload
        .bytes
        .iter()
        .skip(1)
        .take_while(|b| b.is_ascii_digit());
    payload.byte(0) == Some(b'<')
        && matches!(digits.count(), digits @ 1..=3 if payload.byte(digits + 1) == Some(b'>'))
}

/// A remote call over a connection (DCE/RPC version 5).
fn is_remote_call(payload: &Payload<'_>) -> bool {
    matches!(payload.bytes, [5, 0 | 1, 0..=19, _, 0x10 | 0, 0, 0, 0, ..])
}

fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.split(|byte| *byte == b'\n').next()
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}
