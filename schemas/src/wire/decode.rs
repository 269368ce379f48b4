//! The wire form to records, every field checked.

use std::net::IpAddr;

use compact_str::CompactString;

use super::field::{
    address, amount, count, flag, host_name, lower_case, narrow, party, required, text, time, word,
    wrong,
};
use super::members::{Members, Object};
use super::scan::scan;
use super::value::{Value, shortened};
use super::{ADDRESSES_MAX, CURRENT_A_MAX, SPINDLE_RPM_MAX, WIRE_VERSION};
use crate::identity::DeviceId;
use crate::observation::{
    Attestation, Body, FlowRecord, Kind, Reading, Record, RecordBody, Resolution, Sender, Source,
};
use crate::ot_command::Commands;
use crate::reject::RejectReason;
use crate::time::EventTime;

/// Why a record was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct WireError {
    /// The reason it is counted under.
    pub reason: RejectReason,
    /// What exactly, with the field and the value.
    pub detail: String,
    /// Offset of the offending byte, where the text is not JSON.
    pub at: Option<usize>,
}

impl WireError {
    pub(super) fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            at: None,
        }
    }
}

/// What is known about a record before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecodeOptions<'a> {
    /// The kind its topic says. A record that says another is refused.
    pub kind_hint: Option<Kind>,
    /// The device its topic says, for a record that names none. One that names another keeps it:
    /// whether its sender may speak for that device is for the engine to say.
    pub device_hint: Option<&'a DeviceId>,
    /// The device that it is likely about, and was likely sent by: what saves making an identity
    /// anew, and nothing else.
    pub likely: Option<&'a DeviceId>,
    /// Whether it comes from a capture of ours: only then do `received_at`, `sender`,
    /// `sender_proven` and `source` count, and only then must it name its device (a flow need
    /// not, nor a resolution that names its client): there is no topic to fall back on.
    pub capture: bool,
}

/// Reads one record.
///
/// # Errors
/// Says which field is wrong and what it holds, or where the text stops being JSON.
pub fn decode(bytes: &[u8], options: DecodeOptions<'_>) -> Result<Record, WireError> {
    members(bytes, |raw| record(raw, options))
}

/// Reads one record of a capture together with the position it was recorded at, if it has one.
///
/// # Errors
/// Like [`decode`].
pub fn decode_capture(bytes: &[u8]) -> Result<(Record, Option<Source>), WireError> {
    let options = DecodeOptions {
        capture: true,
        ..DecodeOptions::default()
    };
    members(bytes, |raw| {
        Ok((record(raw, options)?, source(raw.source())?))
    })
}

/// Does something with the members of an object.
fn members<T>(
    bytes: &[u8],
    with: impl FnOnce(&Members<'_>) -> Result<T, WireError>,
) -> Result<T, WireError> {
    let text = std::str::from_utf8(bytes).map_err(|e| WireError {
        reason: RejectReason::Malformed,
        detail: format!("record is not UTF-8 at byte {}", e.valid_up_to()),
        at: Some(e.valid_up_to()),
    })?;
    let mut members = Members::default();
    if scan(text, &mut members).is_some() {
        return with(&members);
    }
    if !text.trim_start().starts_with('{') {
        return Err(WireError {
            reason: RejectReason::Malformed,
            detail: "record is not a JSON object".to_owned(),
            at: Some(0),
        });
    }
    let object: Object<'_> = serde_json::from_str(text).map_err(|e| WireError {
        reason: RejectReason::Malformed,
        detail: format!("record is not valid JSON: {e}"),
        at: Some(offset(text, &e)),
    })?;
    with(&object.members())
}

/// The byte a JSON error points at.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    (before + error.column().saturating_sub(1)).min(text.len())
}

fn record(raw: &Members<'_>, options: DecodeOptions<'_>) -> Result<Record, WireError> {
    match raw.v() {
        Value::Absent | Value::Unsigned(WIRE_VERSION) => {}
        Value::Unsigned(other) => {
            return Err(WireError::new(
                RejectReason::UnknownVersion,
                format!("`v` is {other}, this build reads {WIRE_VERSION}"),
            ));
        }
        other => return Err(wrong("v", other, "a version number")),
    }
    let kind = kind(raw, options.kind_hint)?;
    let device = device(raw, options)?;
    let event_time = required("time", time("time", raw.time())?)?;
    let address = match kind {
        Kind::Resolution => address("client", raw.client())?,
        _ => None,
    };
    let attributed = kind == Kind::Flow || device.is_some() || address.is_some();
    if options.capture && !attributed {
        let field = if kind == Kind::Resolution {
            "`device` or `client` is missing"
        } else {
            "`device` is missing"
        };
        return Err(WireError::new(RejectReason::MissingField, field));
    }
    let (received_at, sender) = if options.capture {
        (
            time("received_at", raw.received_at())?,
            sender(raw, options.likely)?,
        )
    } else {
        (None, None)
    };
    Ok(Record {
        device,
        address,
        event_time,
        received_at,
        sender,
        seq: count("seq", raw.seq())?,
        body: body(kind, raw, event_time)?,
    })
}

fn body(kind: Kind, raw: &Members<'_>, event_time: EventTime) -> Result<RecordBody, WireError> {
    Ok(match kind {
        Kind::Flow => RecordBody::Flow(flow(raw, event_time)?),
        Kind::Reading => RecordBody::Single(Body::Reading(reading(raw)?)),
        Kind::Attestation => RecordBody::Single(Body::Attestation(attestation(raw)?)),
        Kind::Resolution => RecordBody::Single(Body::Resolution(resolution(raw)?)),
    })
}

fn kind(raw: &Members<'_>, hint: Option<Kind>) -> Result<Kind, WireError> {
    let named = match raw.kind() {
        Value::Absent => None,
        Value::Text(text) => Some(
            text.parse::<Kind>()
                .map_err(|e| WireError::new(RejectReason::Unsupported, format!("`kind`: {e}")))?,
        ),
        other => return Err(wrong("kind", other, "the name of a kind")),
    };
    match (named, hint) {
        (Some(named), Some(hint)) if named != hint => Err(WireError::new(
            RejectReason::WrongType,
            format!("`kind` is `{named}` where the topic says `{hint}`"),
        )),
        (named, hint) => required("kind", named.or(hint)),
    }
}

fn device(raw: &Members<'_>, options: DecodeOptions<'_>) -> Result<Option<DeviceId>, WireError> {
    match raw.device() {
        Value::Absent => Ok(options.device_hint.cloned()),
        Value::Text(text) => identity("device", text, options.likely).map(Some),
        other => Err(wrong("device", other, "a device id")),
    }
}

fn identity(name: &str, text: &str, likely: Option<&DeviceId>) -> Result<DeviceId, WireError> {
    if let Some(likely) = likely.filter(|likely| likely.as_str() == text) {
        return Ok(likely.clone());
    }
    DeviceId::new(text)
        .map_err(|e| WireError::new(RejectReason::WrongType, format!("`{name}`: {e}")))
}

fn sender(raw: &Members<'_>, likely: Option<&DeviceId>) -> Result<Option<Sender>, WireError> {
    let proven = flag("sender_proven", raw.sender_proven())?.unwrap_or(false);
    let Some(name) = text("sender", raw.sender())? else {
        return Ok(None);
    };
    let name = identity("sender", name, likely)?;
    Ok(Some(Sender { name, proven }))
}

fn source(value: Value<'_>) -> Result<Option<Source>, WireError> {
    match value {
        Value::Absent => return Ok(None),
        Value::Object(_) => {}
        other => return Err(wrong("source", other, "an object")),
    }
    let member = |name| value.member(name);
    let topic = required("source.topic", text("source.topic", member("topic"))?)?;
    let partition = count("source.partition", member("partition"))?;
    let offset = count("source.offset", member("offset"))?;
    Ok(Some(Source {
        topic: topic.into(),
        partition: narrow("source.partition", required("source.partition", partition)?)?,
        offset: required("source.offset", offset)?,
    }))
}

fn flow(raw: &Members<'_>, end: EventTime) -> Result<FlowRecord, WireError> {
    let start = time("start", raw.start())?.unwrap_or(end);
    if start > end {
        return Err(WireError::new(
            RejectReason::OutOfRange,
            format!("`start` {start} is after `time` {end}"),
        ));
    }
    Ok(FlowRecord {
        start,
        originator: required("orig", party("orig", raw.orig())?)?,
        responder: required("resp", party("resp", raw.resp())?)?,
        responder_name: text("resp_name", raw.resp_name())?.map(host_name),
        transport: required("transport", word("transport", raw.transport())?)?,
        service: text("service", raw.service())?
            .filter(|service| !service.is_empty())
            .map(lower_case),
        originator_bytes: count("orig_bytes", raw.orig_bytes())?,
        responder_bytes: count("resp_bytes", raw.resp_bytes())?,
        bytes: word("bytes", raw.bytes())?.unwrap_or_default(),
        state: word("state", raw.state())?.unwrap_or_default(),
        interim: flag("interim", raw.interim())?.unwrap_or(false),
        uid: text("uid", raw.uid())?.map(CompactString::new),
        commands: commands(raw.commands())?,
    })
}

fn commands(value: Value<'_>) -> Result<Option<Commands>, WireError> {
    match value {
        Value::Absent => Ok(None),
        Value::Text(text) => Commands::parse(text)
            .map_err(|e| WireError::new(RejectReason::WrongType, format!("`commands`: {e}"))),
        other => Err(wrong("commands", other, "a text, `modbus.read_coils=120`")),
    }
}

fn reading(raw: &Members<'_>) -> Result<Reading, WireError> {
    let reading = Reading {
        current_a: amount("current_a", raw.current_a(), CURRENT_A_MAX)?,
        spindle_rpm: amount("spindle_rpm", raw.spindle_rpm(), SPINDLE_RPM_MAX)?,
    };
    if reading == Reading::default() {
        return Err(WireError::new(
            RejectReason::MissingField,
            "`current_a` and `spindle_rpm` are both missing",
        ));
    }
    Ok(reading)
}

fn attestation(raw: &Members<'_>) -> Result<Attestation, WireError> {
    let digest = match text("sha256", raw.sha256())? {
        Some(hex) if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            return Err(WireError::new(
                RejectReason::WrongType,
                format!(
                    "`sha256` is not 64 hexadecimal digits: {:?}",
                    shortened(hex)
                ),
            ));
        }
        digest => digest.map(str::to_ascii_lowercase),
    };
    Ok(Attestation {
        version: required("firmware", text("firmware", raw.firmware())?)?.to_owned(),
        digest,
        tpm_ok: flag("tpm_ok", raw.tpm_ok())?,
    })
}

fn resolution(raw: &Members<'_>) -> Result<Resolution, WireError> {
    let addresses = addresses(raw.addresses())?;
    Ok(Resolution {
        server: required("server", address("server", raw.server())?)?,
        name: host_name(required("name", text("name", raw.name())?)?).into(),
        addresses,
        ttl_s: narrow("ttl_s", required("ttl_s", count("ttl_s", raw.ttl_s())?)?)?,
    })
}

fn addresses(value: Value<'_>) -> Result<Vec<IpAddr>, WireError> {
    let Some(items) = value.items() else {
        return match value {
            Value::Absent => required("addresses", None),
            other => Err(wrong("addresses", other, "an array of addresses")),
        };
    };
    let mut addresses = Vec::new();
    let mut beyond = 0;
    for item in items {
        if addresses.len() == ADDRESSES_MAX {
            beyond += 1;
        } else {
            addresses.push(required("addresses[]", address("addresses[]", item)?)?);
        }
    }
    if beyond > 0 {
        return Err(WireError::new(
            RejectReason::OutOfRange,
            format!(
                "`addresses` holds {}, at most {ADDRESSES_MAX}",
                ADDRESSES_MAX + beyond
            ),
        ));
    }
    Ok(addresses)
}
