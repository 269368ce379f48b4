//! Suricata's EVE: flow events, bare or in a log shipper's envelope. Other events of the same
//! file are no errors; each is counted as a record this build does not observe.

use std::borrow::Cow;
use std::net::IpAddr;

use andon_schemas::observation::{
    ByteKind, ConnState, FlowRecord, Party, Record, RecordBody, Transport,
};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;

use super::json::{Members, scalar, text};
use super::number::iso_time;
use super::rows::{Content, Parsed};
use crate::refused::Refused;

/// Bits of the TCP flags that Suricata writes as a hexadecimal text.
const SYN: u8 = 0x02;
const RST: u8 = 0x04;

/// Reads one line.
pub(super) fn line(line: &[u8]) -> Parsed {
    match Members::of_line(line) {
        Ok(members) => object(&members),
        Err(refused) => Parsed::Content(Err(refused)),
    }
}

/// Reads one object, bare or in an envelope.
pub(super) fn object(members: &Members<'_>) -> Parsed {
    let record = if members.get("event_type").is_none()
        && let Some(inner) = members.enveloped()
    {
        Members::of(&inner).and_then(|inner| event(&inner))
    } else {
        event(members)
    };
    Parsed::Content(record.map(|record| Content::Record(record, None)))
}

fn event(event: &Members<'_>) -> Result<Record, Refused> {
    let kind = need(event, "event_type")?;
    if kind != "flow" {
        return Err(Refused::new(
            RejectReason::Unsupported,
            format!("eve event `{kind}` is not observed"),
        ));
    }
    let flow = event.object("flow").ok_or_else(|| missing("flow"))?;
    let transport = transport(&need(event, "proto")?);
    let start = time(&flow, "start")?.ok_or_else(|| missing("flow.start"))?;
    // A flow that Suricata has not seen the end of is logged when it stops.
    let end = match time(&flow, "end")? {
        Some(end) => end,
        None => time(event, "timestamp")?.ok_or_else(|| missing("flow.end"))?,
    };
    if start > end {
        return Err(Refused::new(
            RejectReason::OutOfRange,
            format!("`flow.start` {start} is after its end {end}"),
        ));
    }
    let party = |address: &str, port: &str| -> Result<Party, Refused> {
        let text = need(event, address)?;
        let number = count(event, port)?.unwrap_or(0);
        Ok(Party {
            address: text
                .parse::<IpAddr>()
                .map_err(|_| wrong(address, &text, "an IP address"))?,
            port: u16::try_from(number).map_err(|_| {
                Refused::new(
                    RejectReason::OutOfRange,
                    format!("`{port}` is {number}, expected a port from 0 to 65535"),
                )
            })?,
        })
    };
    Ok(Record {
        device: None,
        address: None,
        event_time: end,
        received_at: None,
        sender: None,
        seq: None,
        body: RecordBody::Flow(FlowRecord {
            start,
            originator: party("src_ip", "src_port")?,
            responder: party("dest_ip", "dest_port")?,
            responder_name: None,
            transport,
            service: service(event).map(Into::into),
            originator_bytes: count(&flow, "bytes_toserver")?,
            responder_bytes: count(&flow, "bytes_toclient")?,
            bytes: ByteKind::Frame,
            state: state(event, &flow, transport)?,
            interim: false,
            uid: count(event, "flow_id")?.map(|id| id.to_string().into()),
            commands: None,
        }),
    })
}

/// `failed` means that Suricata looked and did not know it.
fn service(event: &Members<'_>) -> Option<String> {
    let name = text(event.get("app_proto")?)?;
    (!matches!(&*name, "failed" | "unknown" | "")).then(|| name.to_ascii_lowercase())
}

/// How far it got, from what came back: nothing, only a reset, or an answer.
fn state(
    event: &Members<'_>,
    flow: &Members<'_>,
    transport: Transport,
) -> Result<ConnState, Refused> {
    let named = flow.get("state").and_then(text);
    Ok(match count(flow, "pkts_toclient")? {
        Some(0) => ConnState::Attempt,
        Some(_) if transport == Transport::Tcp && only_reset(event) => ConnState::Rejected,
        Some(_) => ConnState::Answered,
        None => match named.as_deref() {
            Some("new") => ConnState::Attempt,
            Some("established" | "closed" | "bypassed") => ConnState::Answered,
            _ => ConnState::Unknown,
        },
    })
}

fn only_reset(event: &Members<'_>) -> bool {
    event
        .object("tcp")
        .and_then(|tcp| text(tcp.get("tcp_flags_tc")?))
        .and_then(|flags| u8::from_str_radix(&flags, 16).ok())
        .is_some_and(|flags| flags & RST != 0 && flags & SYN == 0)
}

fn transport(proto: &str) -> Transport {
    match proto {
        "TCP" | "006" => Transport::Tcp,
        "UDP" | "017" => Transport::Udp,
        "ICMP" | "IPv6-ICMP" | "001" | "058" => Transport::Icmp,
        _ => Transport::Other,
    }
}

fn missing(name: &str) -> Refused {
    Refused::new(RejectReason::MissingField, format!("`{name}` is missing"))
}

fn wrong(name: &str, value: &str, expected: &str) -> Refused {
    Refused::new(
        RejectReason::WrongType,
        format!(
            "`{name}` is {:?}, expected {expected}",
            value.get(..64).unwrap_or(value)
        ),
    )
}

fn need<'a>(object: &Members<'a>, name: &str) -> Result<Cow<'a, str>, Refused> {
    let value = object.get(name).ok_or_else(|| missing(name))?;
    text(value).ok_or_else(|| wrong(name, value, "a text"))
}

fn time(object: &Members<'_>, name: &str) -> Result<Option<EventTime>, Refused> {
    let Some(value) = object.get(name) else {
        return Ok(None);
    };
    match text(value).and_then(|text| iso_time(&text)) {
        Some(time) => Ok(Some(time)),
        None => Err(wrong(name, value, "an ISO 8601 time with an offset")),
    }
}

fn count(object: &Members<'_>, name: &str) -> Result<Option<u64>, Refused> {
    let Some(value) = object.get(name) else {
        return Ok(None);
    };
    match scalar(value).and_then(|text| text.parse().ok()) {
        Some(count) => Ok(Some(count)),
        None if value.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) => {
            Err(Refused::new(
                RejectReason::OutOfRange,
                format!("`{name}` is {value}, expected a count"),
            ))
        }
        None => Err(wrong(name, value, "a count")),
    }
}
