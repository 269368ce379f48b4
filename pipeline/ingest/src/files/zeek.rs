//! What Zeek's connection and DNS logs say, whichever way they are written: named fields in,
//! records out. `zeek_tsv` and `zeek_json` find the fields.

use std::borrow::Cow;
use std::net::IpAddr;

use andon_schemas::observation::{
    Body, ByteKind, ConnState, FlowRecord, Party, Record, RecordBody, Resolution, Transport,
};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use andon_schemas::wire::{ADDRESSES_MAX, TEXT_BYTES_MAX};

use super::number::{later, seconds, zeek_time};
use crate::refused::Refused;

/// Which log a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// `conn`, `open_conn`, `conn_long`; the latter two hold running totals.
    Conn {
        /// Whether its flows have not ended.
        interim: bool,
    },
    /// `dns`.
    Dns,
    /// A log that holds nothing the engine counts, by its name.
    Other(String),
}

impl Log {
    /// The log of this name: a `#path`, a `_path`, a tag or a topic. A filter's second output
    /// carries a number (`conn-2`).
    pub(super) fn named(path: &str) -> Self {
        let base = path.trim_end_matches(|c: char| c.is_ascii_digit());
        let base = base.strip_suffix('-').unwrap_or(path);
        match base {
            "conn" => Self::Conn { interim: false },
            "open_conn" | "conn_long" => Self::Conn { interim: true },
            "dns" => Self::Dns,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The log seen in the light of its file's name: RITA and others write running totals under
    /// the path of the log they belong to.
    pub(super) fn in_file(self, open: bool) -> Self {
        match self {
            Self::Conn { interim } => Self::Conn {
                interim: interim || open,
            },
            other => other,
        }
    }

    /// Why its rows are not read.
    pub(super) fn not_observed(name: &str) -> Refused {
        Refused::new(
            RejectReason::Unsupported,
            format!("zeek log `{name}` is not observed; its rows are not read"),
        )
    }
}

/// The fields that matter, of all logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Ts,
    Uid,
    OrigH,
    OrigP,
    RespH,
    RespP,
    Proto,
    Service,
    Duration,
    OrigBytes,
    RespBytes,
    ConnState,
    MissedBytes,
    OrigIpBytes,
    RespIpBytes,
    Query,
    Rtt,
    Answers,
    Ttls,
}

/// How many there are.
const FIELDS: usize = Field::Ttls as usize + 1;

impl Field {
    /// The field of this name. Log shippers turn the dots of `id.orig_h` into underscores or
    /// nested objects; a nested member is looked up with its prefix.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ts" => Self::Ts,
            "uid" => Self::Uid,
            "id.orig_h" | "id_orig_h" => Self::OrigH,
            "id.orig_p" | "id_orig_p" => Self::OrigP,
            "id.resp_h" | "id_resp_h" => Self::RespH,
            "id.resp_p" | "id_resp_p" => Self::RespP,
            "proto" => Self::Proto,
            "service" => Self::Service,
            "duration" => Self::Duration,
            "orig_bytes" => Self::OrigBytes,
            "resp_bytes" => Self::RespBytes,
            "conn_state" => Self::ConnState,
            "missed_bytes" => Self::MissedBytes,
            "orig_ip_bytes" => Self::OrigIpBytes,
            "resp_ip_bytes" => Self::RespIpBytes,
            "query" => Self::Query,
            "rtt" => Self::Rtt,
            "answers" => Self::Answers,
            "TTLs" => Self::Ttls,
            _ => return None,
        })
    }

    /// Whether its value is a set or a vector.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::Service | Self::Answers | Self::Ttls)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ts => "ts",
            Self::Uid => "uid",
            Self::OrigH => "id.orig_h",
            Self::OrigP => "id.orig_p",
            Self::RespH => "id.resp_h",
            Self::RespP => "id.resp_p",
            Self::Proto => "proto",
            Self::Service => "service",
            Self::Duration => "duration",
            Self::OrigBytes => "orig_bytes",
            Self::RespBytes => "resp_bytes",
            Self::ConnState => "conn_state",
            Self::MissedBytes => "missed_bytes",
            Self::OrigIpBytes => "orig_ip_bytes",
            Self::RespIpBytes => "resp_ip_bytes",
            Self::Query => "query",
            Self::Rtt => "rtt",
            Self::Answers => "answers",
            Self::Ttls => "TTLs",
        }
    }
}

/// One row, by field. Unset fields are absent.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    scalars: [Option<Cow<'a, str>>; FIELDS],
    services: Vec<Cow<'a, str>>,
    answers: Vec<Cow<'a, str>>,
    ttls: Vec<Cow<'a, str>>,
}

impl<'a> Row<'a> {
    /// Sets a field, or appends to it if it is a list.
    pub(super) fn push(&mut self, field: Field, element: Cow<'a, str>) {
        match field {
            Field::Service => self.services.push(element),
            Field::Answers => self.answers.push(element),
            Field::Ttls => self.ttls.push(element),
            scalar => self.scalars[scalar as usize] = Some(element),
        }
    }

    fn get(&self, field: Field) -> Option<&str> {
        self.scalars[field as usize].as_deref()
    }

    fn need(&self, field: Field) -> Result<&str, Refused> {
        self.get(field).ok_or_else(|| {
            Refused::new(
                RejectReason::MissingField,
                format!("`{}` is missing", field.name()),
            )
        })
    }

    fn read<T>(
        &self,
        field: Field,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let Some(text) = self.get(field) else {
            return Ok(None);
        };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(field, text, expected)),
        }
    }

    /// What the row says.
    ///
    /// # Errors
    /// Names the field that is missing or wrong.
    pub(super) fn record(&self, log: &Log) -> Result<Record, Refused> {
        match log {
            Log::Conn { interim } => self.flow(*interim),
            Log::Dns => self.resolution(),
            Log::Other(name) => Err(Log::not_observed(name)),
        }
    }

    fn time(&self) -> Result<EventTime, Refused> {
        let text = self.need(Field::Ts)?;
        zeek_time(text).ok_or_else(|| wrong(Field::Ts, text, "a time between the years 1 and 9999"))
    }

    fn address(&self, field: Field) -> Result<IpAddr, Refused> {
        let text = self.need(field)?;
        text.parse()
            .map_err(|_| wrong(field, text, "an IP address"))
    }

    fn port(&self, field: Field) -> Result<u16, Refused> {
        let port = self.read(field, "a port from 0 to 65535", |text| text.parse().ok())?;
        Ok(port.unwrap_or(0))
    }

    fn count(&self, field: Field) -> Result<Option<u64>, Refused> {
        self.read(field, "a count", |text| text.parse().ok())
    }

    /// The end of what began at `start` and took as long as the field says.
    fn end(&self, start: EventTime, field: Field) -> Result<EventTime, Refused> {
        let end = self.read(field, "a number of seconds", |text| {
            later(start, seconds(text)?)
        })?;
        Ok(end.unwrap_or(start))
    }

    fn flow(&self, interim: bool) -> Result<Record, Refused> {
        let start = self.time()?;
        let transport = transport(self.need(Field::Proto)?);
        let party = |address, port| -> Result<Party, Refused> {
            let number = self.port(port)?;
            Ok(Party {
                address: self.address(address)?,
                // Of ICMP, Zeek writes type and code where other protocols have ports.
                port: if transport == Transport::Icmp {
                    0
                } else {
                    number
                },
            })
        };
        let missed = self.count(Field::MissedBytes)?.unwrap_or(0);
        let bytes = |payload, ip| -> Result<Option<u64>, Refused> {
            Ok(plausible(self.count(payload)?, self.count(ip)?, missed))
        };
        Ok(Record {
            device: None,
            address: None,
            event_time: self.end(start, Field::Duration)?,
            received_at: None,
            sender: None,
            seq: None,
            body: RecordBody::Flow(FlowRecord {
                start,
                originator: party(Field::OrigH, Field::OrigP)?,
                responder: party(Field::RespH, Field::RespP)?,
                responder_name: None,
                transport,
                service: services(&self.services).map(Into::into),
                originator_bytes: bytes(Field::OrigBytes, Field::OrigIpBytes)?,
                responder_bytes: bytes(Field::RespBytes, Field::RespIpBytes)?,
                bytes: ByteKind::Payload,
                state: self.get(Field::ConnState).map_or(ConnState::Unknown, state),
                interim,
                uid: self.get(Field::Uid).map(|uid| cut(uid).into()),
                commands: None,
            }),
        })
    }

    fn resolution(&self) -> Result<Record, Refused> {
        let name = self.need(Field::Query)?;
        let mut addresses = Vec::new();
        let mut ttl_s: Option<u32> = None;
        for (at, answer) in self.answers.iter().enumerate() {
            // Answers mix addresses with names (CNAME) and texts.
            let Ok(address) = answer.parse() else {
                continue;
            };
            addresses.push(address);
            let ttl = self
                .ttls
                .get(at)
                .and_then(|ttl| seconds(ttl))
                .unwrap_or_default();
            let ttl = u32::try_from(ttl.micros() / 1_000_000).unwrap_or(u32::MAX);
            ttl_s = Some(ttl_s.map_or(ttl, |least| least.min(ttl)));
        }
        if addresses.len() > ADDRESSES_MAX {
            return Err(Refused::new(
                RejectReason::OutOfRange,
                format!(
                    "`answers` holds {}, at most {ADDRESSES_MAX}",
                    addresses.len()
                ),
            ));
        }
        Ok(Record {
            device: None,
            address: Some(self.address(Field::OrigH)?),
            event_time: self.end(self.time()?, Field::Rtt)?,
            received_at: None,
            sender: None,
            seq: None,
            body: RecordBody::Single(Body::Resolution(Resolution {
                server: self.address(Field::RespH)?,
                name: cut(name.strip_suffix('.').unwrap_or(name)).to_lowercase(),
                addresses,
                ttl_s: ttl_s.unwrap_or(0),
            })),
        })
    }
}

fn wrong(field: Field, text: &str, expected: &str) -> Refused {
    let numeric = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    let reason = if numeric && !text.is_empty() && !matches!(field, Field::OrigH | Field::RespH) {
        RejectReason::OutOfRange
    } else {
        RejectReason::WrongType
    };
    Refused::new(
        reason,
        format!("`{}` is {:?}, expected {expected}", field.name(), cut(text)),
    )
}

/// The part of a text that a record may carry.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn transport(proto: &str) -> Transport {
    match proto {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        "icmp" => Transport::Icmp,
        _ => Transport::Other,
    }
}

/// Zeek counts TCP payload by sequence numbers, which a lost or forged packet can throw off by
/// gigabytes. A payload larger than the packets seen plus the bytes known to be missed is such an
/// artefact, and unknown.
fn plausible(payload: Option<u64>, ip: Option<u64>, missed: u64) -> Option<u64> {
    let seen = ip.filter(|bytes| *bytes > 0);
    payload.filter(|payload| seen.is_none_or(|seen| *payload <= seen.saturating_add(missed)))
}

/// The protocols found, separated by commas, without those whose analyzer was taken off again
/// (`-ssl`).
fn services(list: &[Cow<'_, str>]) -> Option<String> {
    let mut services = String::new();
    let named = list
        .iter()
        .flat_map(|element| element.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with('-'));
    for name in named {
        if services.len() + name.len() >= TEXT_BYTES_MAX {
            break;
        }
        if !services.is_empty() {
            services.push(',');
        }
        services.push_str(&name.to_ascii_lowercase());
    }
    (!services.is_empty()).then_some(services)
}

fn state(conn_state: &str) -> ConnState {
    match conn_state {
        // Nothing came back, or only the originator went on: SYN then RST, SYN then FIN.
        "S0" | "RSTOS0" | "SH" => ConnState::Attempt,
        "REJ" => ConnState::Rejected,
        "S1" | "S2" | "S3" | "SF" | "RSTO" | "RSTR" => ConnState::Answered,
        _ => ConnState::Unknown,
    }
}
