//! What the records of a message say of one direction of a flow.

use std::collections::BTreeMap;
use std::net::IpAddr;

use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use netflow_parser::variable_versions::field_value::DurationValue;
use netflow_parser::variable_versions::ipfix::lookup::{
    IANAIPFixField as Iana, IPFixField, ReverseInformationElement as Reverse,
};
use netflow_parser::variable_versions::{ipfix, v9};
use netflow_parser::{FieldValue, NetflowPacket, NetflowParser, V9Field};

use super::super::number::within;
use super::pair::Half;
use crate::refused::Refused;

/// Most observation domains of one file whose templates are kept apart.
const DOMAINS_MAX: usize = 256;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH_S: i64 = 2_208_988_800;

/// What a field is about, whichever standard names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Element {
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    Protocol,
    Bytes,
    BytesBack,
    Flags,
    FlagsBack,
    Start,
    End,
    /// Milliseconds since the exporter started.
    StartUp,
    EndUp,
    /// When the exporter started.
    Init,
    Sampling,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Value {
    Number(u64),
    Address(IpAddr),
    /// Microseconds since 1970.
    Time(i64),
}

type Fields = BTreeMap<Element, Value>;

/// When a message was sent: seconds since 1970, and milliseconds since its exporter started.
#[derive(Clone, Copy, Debug)]
struct Sent {
    millis: i64,
    up_ms: u32,
}

/// One observation domain.
#[derive(Debug, Default)]
struct Domain {
    parser: NetflowParser,
    /// When its exporter started, milliseconds since 1970.
    init_ms: Option<i64>,
}

/// Decodes messages; templates are remembered for each domain.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    domains: BTreeMap<u32, Domain>,
}

impl Decoder {
    /// The directions that a message tells, and what of it cannot be read.
    pub(super) fn message(&mut self, message: &[u8]) -> Vec<Result<Half, Refused>> {
        let number = domain_of(message);
        if self.domains.len() == DOMAINS_MAX && !self.domains.contains_key(&number) {
            return vec![Err(Refused::new(
                RejectReason::Shed,
                format!("file holds messages of more than {DOMAINS_MAX} observation domains"),
            ))];
        }
        let domain = self.domains.entry(number).or_default();
        let parsed = domain.parser.parse_bytes(message);
        let mut told = Vec::new();
        for packet in parsed.packets {
            match packet {
                NetflowPacket::V5(v5) => {
                    let sent = Sent {
                        millis: i64::from(v5.header.unix_secs) * 1_000
                            + i64::from(v5.header.unix_nsecs / 1_000_000),
                        up_ms: v5.header.sys_up_time,
                    };
                    let one_in = u64::from(v5.header.sampling_interval & 0x3fff).max(1);
                    told.extend(v5.flowsets.iter().map(|record| of_v5(record, sent, one_in)));
                }
                NetflowPacket::V9(message) => of_v9(&message, &mut told),
                NetflowPacket::IPFix(message) => {
                    of_ipfix(&message, &mut domain.init_ms, &mut told);
                }
                _ => {}
            }
        }
        if let Some(error) = parsed.error {
            told.push(Err(Refused::new(
                RejectReason::Malformed,
                format!("message cannot be read: {error}"),
            )));
        }
        told
    }
}

/// The domain of a message: where v9 and IPFIX say it; of v5, the engine.
fn domain_of(message: &[u8]) -> u32 {
    let word = |at: usize| {
        let bytes = message.get(at..at + 4);
        bytes.map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    };
    match message {
        [0, 9, ..] => word(16),
        [0, 10, ..] => word(12),
        _ => 0,
    }
}

fn of_v5(
    record: &netflow_parser::static_versions::v5::FlowSet,
    sent: Sent,
    one_in: u64,
) -> Result<Half, Refused> {
    Ok(Half {
        start: moment(since_up(sent, record.first))?,
        end: moment(since_up(sent, record.last))?,
        ends: [
            (record.src_addr.into(), record.src_port),
            (record.dst_addr.into(), record.dst_port),
        ],
        protocol: record.protocol_number,
        bytes: u64::from(record.d_octets).saturating_mul(one_in),
        flags: u16::from(record.tcp_flags),
        back: None,
    }
    .in_order())
}

fn of_v9(message: &v9::V9, told: &mut Vec<Result<Half, Refused>>) {
    let sent = Sent {
        millis: i64::from(message.header.unix_secs) * 1_000,
        up_ms: message.header.sys_up_time,
    };
    for set in &message.flowsets {
        match &set.body {
            v9::FlowSetBody::Data(data) => {
                told.extend(data.fields.iter().map(|record| {
                    let fields = record.iter().filter_map(|(field, value)| {
                        let element = v9_element(*field)?;
                        Some((element, value_of(element, value)?))
                    });
                    half(&fields.collect(), |up| Some(since_up(sent, up)))
                }));
            }
            v9::FlowSetBody::NoTemplate(missing) => {
                told.push(Err(no_template(missing.template_id)));
            }
            _ => {}
        }
    }
}

fn of_ipfix(
    message: &ipfix::IPFix,
    init_ms: &mut Option<i64>,
    told: &mut Vec<Result<Half, Refused>>,
) {
    let fields = |record: &[ipfix::IPFixFieldPair]| -> Fields {
        let known = record.iter().filter_map(|(field, value)| {
            let element = ipfix_element(*field)?;
            Some((element, value_of(element, value)?))
        });
        known.collect()
    };
    for set in &message.flowsets {
        match &set.body {
            ipfix::FlowSetBody::Data(data) => {
                told.extend(data.fields.iter().map(|record| {
                    let fields = fields(record);
                    let init = match fields.get(&Element::Init) {
                        Some(Value::Time(micros)) => Some(micros / 1_000),
                        _ => *init_ms,
                    };
                    // The difference is signed: a meter that replays counts from before its start.
                    half(&fields, |up| Some(init? + i64::from(up.cast_signed())))
                }));
            }
            ipfix::FlowSetBody::OptionsData(options) => {
                for record in &options.fields {
                    if let Some(Value::Time(micros)) = fields(record).get(&Element::Init) {
                        *init_ms = Some(micros / 1_000);
                    }
                }
            }
            ipfix::FlowSetBody::NoTemplate(missing) => {
                told.push(Err(no_template(missing.template_id)));
            }
            _ => {}
        }
    }
}

fn no_template(id: u16) -> Refused {
    Refused::new(
        RejectReason::MissingField,
        format!("records of template {id} came before the template, which says what they hold"),
    )
}

/// A time that counts from the exporter's start, milliseconds since 1970. The difference is signed
/// and may have wrapped.
fn since_up(sent: Sent, up_ms: u32) -> i64 {
    sent.millis - i64::from(sent.up_ms.wrapping_sub(up_ms).cast_signed())
}

fn moment(millis: i64) -> Result<EventTime, Refused> {
    millis.checked_mul(1_000).and_then(within).ok_or_else(|| {
        Refused::new(
            RejectReason::OutOfRange,
            "time of the record is not between the years 1 and 9999",
        )
    })
}

/// What a record says.
///
/// # Errors
/// A record that is about something else than a flow between two addresses, or lacks its time or
/// its bytes.
fn half(fields: &Fields, since_start: impl Fn(u32) -> Option<i64>) -> Result<Half, Refused> {
    let number = |element| match fields.get(&element) {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    };
    let (Some(Value::Address(source)), Some(Value::Address(destination))) = (
        fields.get(&Element::Source),
        fields.get(&Element::Destination),
    ) else {
        return Err(Refused::new(
            RejectReason::Unsupported,
            "record is about something else than a flow between two addresses",
        ));
    };
    let missing =
        |what: &str| Refused::new(RejectReason::MissingField, format!("record says no {what}"));
    let time = |element, up| {
        if let Some(Value::Time(micros)) = fields.get(&element) {
            return within(*micros);
        }
        let up = u32::try_from(number(up)?).ok()?;
        moment(since_start(up)?).ok()
    };
    let port = |element| {
        number(element)
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(0)
    };
    let one_in = number(Element::Sampling).unwrap_or(1).max(1);
    let end = time(Element::End, Element::EndUp)
        .ok_or_else(|| missing("time, or none that is between the years 1 and 9999"))?;
    let bytes = number(Element::Bytes).ok_or_else(|| missing("number of bytes"))?;
    let flags = |element| {
        let bits = number(element).unwrap_or(0) & 0x1ff;
        u16::try_from(bits).unwrap_or(0)
    };
    Ok(Half {
        start: time(Element::Start, Element::StartUp).unwrap_or(end),
        end,
        ends: [
            (*source, port(Element::SourcePort)),
            (*destination, port(Element::DestinationPort)),
        ],
        protocol: number(Element::Protocol)
            .and_then(|number| u8::try_from(number).ok())
            .unwrap_or(0),
        bytes: bytes.saturating_mul(one_in),
        flags: flags(Element::Flags),
        back: number(Element::BytesBack)
            .map(|bytes| (bytes.saturating_mul(one_in), flags(Element::FlagsBack))),
    }
    .in_order())
}

fn v9_element(field: V9Field) -> Option<Element> {
    Some(match field {
        V9Field::InBytes => Element::Bytes,
        V9Field::Protocol => Element::Protocol,
        V9Field::TcpFlags => Element::Flags,
        V9Field::L4SrcPort => Element::SourcePort,
        V9Field::L4DstPort => Element::DestinationPort,
        V9Field::Ipv4SrcAddr | V9Field::Ipv6SrcAddr => Element::Source,
        V9Field::Ipv4DstAddr | V9Field::Ipv6DstAddr => Element::Destination,
        V9Field::FirstSwitched => Element::StartUp,
        V9Field::LastSwitched => Element::EndUp,
        V9Field::FlowStartMilliseconds => Element::Start,
        V9Field::FlowEndMilliseconds => Element::End,
        V9Field::SamplingInterval => Element::Sampling,
        _ => return None,
    })
}

fn ipfix_element(field: IPFixField) -> Option<Element> {
    Some(match field {
        IPFixField::IANA(field) => match field {
            Iana::OctetDeltaCount | Iana::OctetTotalCount => Element::Bytes,
            Iana::ProtocolIdentifier => Element::Protocol,
            Iana::TcpControlBits => Element::Flags,
            Iana::SourceTransportPort => Element::SourcePort,
            Iana::DestinationTransportPort => Element::DestinationPort,
            Iana::SourceIpv4address | Iana::SourceIpv6address => Element::Source,
            Iana::DestinationIpv4address | Iana::DestinationIpv6address => Element::Destination,
            Iana::FlowStartSysUpTime => Element::StartUp,
            Iana::FlowEndSysUpTime => Element::EndUp,
            Iana::FlowStartSeconds
            | Iana::FlowStartMilliseconds
            | Iana::FlowStartMicroseconds
            | Iana::FlowStartNanoseconds => Element::Start,
            Iana::FlowEndSeconds
            | Iana::FlowEndMilliseconds
            | Iana::FlowEndMicroseconds
            | Iana::FlowEndNanoseconds => Element::End,
            Iana::SystemInitTimeMilliseconds => Element::Init,
            Iana::SamplingInterval => Element::Sampling,
            _ => return None,
        },
        IPFixField::ReverseInformationElement(field) => match field {
            Reverse::ReverseOctetDeltaCount | Reverse::ReverseOctetTotalCount => Element::BytesBack,
            Reverse::ReverseTcpControlBits => Element::FlagsBack,
            _ => return None,
        },
        _ => return None,
    })
}

fn value_of(element: Element, value: &FieldValue) -> Option<Value> {
    Some(match value {
        FieldValue::Ip4Addr(address) => Value::Address((*address).into()),
        FieldValue::Ip6Addr(address) => Value::Address((*address).into()),
        FieldValue::TcpControlBits(bits, _) => Value::Number(u64::from(u16::from(*bits))),
        FieldValue::ProtocolType(_) => Value::Number(u64::from(value.as_u8()?)),
        FieldValue::Duration(_) if matches!(element, Element::StartUp | Element::EndUp) => {
            Value::Number(value.as_u64()?)
        }
        FieldValue::Duration(duration) => Value::Time(micros(duration)?),
        _ => Value::Number(value.as_u64()?),
    })
}

/// A time of day and year, microseconds since 1970. Finer ones count from 1900.
fn micros(time: &DurationValue) -> Option<i64> {
    let since_epoch = i64::try_from(time.as_duration().as_micros()).ok()?;
    match time {
        DurationValue::MicrosNtp { .. } | DurationValue::NanosNtp { .. } => {
            since_epoch.checked_sub(NTP_EPOCH_S * 1_000_000)
        }
        _ => Some(since_epoch),
    }
}
