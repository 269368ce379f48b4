//! One row: what its cells mean, field by field, and the record they make.

use std::borrow::Cow;
use std::net::IpAddr;

use andon_schemas::identity::DeviceId;
use andon_schemas::mapping::{Field, Mapping, Origin};
use andon_schemas::observation::{
    Body, FlowRecord, Kind, Party, Reading, Record, RecordBody, Transport,
};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use andon_schemas::wire::{CURRENT_A_MAX, SPINDLE_RPM_MAX, TEXT_BYTES_MAX};

use super::Bound;
use super::cells::Cells;
use super::times::{Days, NoTime, moment};
use crate::files::number::{later, within};
use crate::refused::Refused;

/// A row about to be read.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) bound: &'a [Bound],
    pub(super) cells: &'a Cells,
    /// From 0.
    pub(super) number: u64,
}

impl Row<'_> {
    /// The record it says.
    ///
    /// # Errors
    /// The field that is missing or wrong, and what stands there.
    pub(super) fn record(&self, days: &mut Days) -> Result<Record, Refused> {
        if self.mapping.kind == Kind::Reading {
            return self.reading(days);
        }
        let (start, end) = self.stretch(days)?;
        let transport = transport(&self.need(Field::Transport)?);
        let (originator_bytes, responder_bytes) = self.bytes()?;
        let record = FlowRecord {
            start,
            originator: self.party(Field::Orig, Field::OrigPort, transport)?,
            responder: self.party(Field::Resp, Field::RespPort, transport)?,
            responder_name: self.short(Field::RespName)?.map(|name| {
                let name = name.strip_suffix('.').unwrap_or(&name);
                name.to_lowercase().into()
            }),
            transport,
            service: self
                .short(Field::Service)?
                .map(|name| name.to_ascii_lowercase().into()),
            originator_bytes,
            responder_bytes,
            bytes: self.word(Field::Bytes)?.unwrap_or_default(),
            state: self.word(Field::State)?.unwrap_or_default(),
            interim: false,
            uid: self.short(Field::Uid)?.map(Into::into),
            commands: None,
        };
        Ok(whole(None, end, RecordBody::Flow(record)))
    }

    fn reading(&self, days: &mut Days) -> Result<Record, Refused> {
        let time = self.time(Field::Time, days)?;
        let time = time.ok_or_else(|| missing(Field::Time))?;
        let device = self.need(Field::Device)?;
        let device = DeviceId::new(&device).map_err(|cause| {
            let detail = format!("`device`: {cause}");
            Refused::new(RejectReason::WrongType, detail)
        })?;
        let reading = Reading {
            current_a: self.sensor(Field::CurrentA, CURRENT_A_MAX)?,
            spindle_rpm: self.sensor(Field::SpindleRpm, SPINDLE_RPM_MAX)?,
        };
        if reading == Reading::default() {
            return Err(Refused::new(
                RejectReason::MissingField,
                "neither `current_a` nor `spindle_rpm` has a value",
            ));
        }
        let body = RecordBody::Single(Body::Reading(reading));
        Ok(whole(Some(device), time, body))
    }

    /// When a flow began and ended, from whichever two are told.
    fn stretch(&self, days: &mut Days) -> Result<(EventTime, EventTime), Refused> {
        let start = self.time(Field::Start, days)?;
        let end = self.time(Field::Time, days)?;
        let duration = self.duration()?;
        let by = duration.unwrap_or_default();
        let outside = || {
            Refused::new(
                RejectReason::OutOfRange,
                "the flow lies outside the years 1 to 9999",
            )
        };
        let (start, end) = match (start, end) {
            (Some(start), Some(end)) => (start, end),
            (Some(start), None) => (start, later(start, by).ok_or_else(outside)?),
            (None, Some(end)) => {
                let start = end.micros().checked_sub(by.micros()).and_then(within);
                (start.ok_or_else(outside)?, end)
            }
            (None, None) => {
                let has_time = self.filled(Field::Time).is_some();
                return Err(missing(if has_time { Field::Time } else { Field::Start }));
            }
        };
        if start > end {
            return Err(Refused::new(
                RejectReason::OutOfRange,
                format!("`start` {start} is after `time` {end}"),
            ));
        }
        Ok((start, end))
    }

    /// Bytes of either side; one of them may follow from the sum.
    fn bytes(&self) -> Result<(Option<u64>, Option<u64>), Refused> {
        let orig = self.count(Field::OrigBytes)?;
        let resp = self.count(Field::RespBytes)?;
        let Some(total) = self.count(Field::TotalBytes)? else {
            return Ok((orig, resp));
        };
        let other_side = |side: u64, field: Field| {
            total.checked_sub(side).ok_or_else(|| {
                let name = field.name();
                Refused::new(
                    RejectReason::OutOfRange,
                    format!("`{name}` is {side}, more than `total_bytes`, {total}"),
                )
            })
        };
        Ok(match (orig, resp) {
            (Some(orig), None) => (Some(orig), Some(other_side(orig, Field::OrigBytes)?)),
            (None, Some(resp)) => (Some(other_side(resp, Field::RespBytes)?), Some(resp)),
            told => told,
        })
    }

    fn party(&self, address: Field, port: Field, transport: Transport) -> Result<Party, Refused> {
        let text = self.need(address)?;
        let number = match self.text(port)? {
            // Where ports are none, recorders write type and code.
            Some(_) if transport == Transport::Icmp => 0,
            Some(text) => {
                port_number(&text).ok_or_else(|| wrong(port, &text, "a port from 0 to 65535"))?
            }
            None => 0,
        };
        let address = text
            .parse::<IpAddr>()
            .map_err(|_| wrong(address, &text, "an IP address"))?;
        Ok(Party {
            address,
            port: number,
        })
    }

    pub(super) fn filled(&self, field: Field) -> Option<&Bound> {
        self.bound.iter().find(|bound| bound.filled.field == field)
    }

    /// What stands in the columns of a field; `None` if that is nothing.
    fn raw(&self, bound: &Bound) -> Result<Option<Cow<'_, str>>, Refused> {
        let mut joined: Option<Cow<'_, str>> = None;
        for at in &bound.at {
            let Some(cell) = self.cells.get(*at) else {
                return Err(Refused::new(
                    RejectReason::Malformed,
                    format!(
                        "row has {} cells, and `{}` is the one at {}",
                        self.cells.len(),
                        bound.filled.field.name(),
                        at + 1
                    ),
                ));
            };
            let cell = std::str::from_utf8(cell).map_err(|_| {
                let text = String::from_utf8_lossy(cell);
                wrong(bound.filled.field, &text, "UTF-8")
            })?;
            let cell = cell.trim();
            if cell.is_empty() || self.mapping.unset.iter().any(|unset| unset == cell) {
                return Ok(None);
            }
            joined = Some(match joined {
                None => Cow::Borrowed(cell),
                Some(before) => Cow::Owned(format!("{before} {cell}")),
            });
        }
        Ok(joined)
    }

    /// The value of a field as text, translated.
    pub(super) fn text(&self, field: Field) -> Result<Option<Cow<'_, str>>, Refused> {
        let Some(bound) = self.filled(field) else {
            return Ok(None);
        };
        let filled = &bound.filled;
        if let Origin::Value(value) = &filled.origin {
            return Ok(Some(value.as_str().into()));
        }
        let Some(raw) = self.raw(bound)? else {
            return Ok(filled.default.as_deref().map(Cow::Borrowed));
        };
        Ok(Some(match filled.meaning(&raw) {
            Some(meant) => Cow::Borrowed(meant),
            None => raw,
        }))
    }

    fn need(&self, field: Field) -> Result<Cow<'_, str>, Refused> {
        self.text(field)?.ok_or_else(|| missing(field))
    }

    /// A text as short as the wire form has it.
    fn short(&self, field: Field) -> Result<Option<Cow<'_, str>>, Refused> {
        match self.text(field)? {
            Some(text) if text.len() > TEXT_BYTES_MAX => Err(Refused::new(
                RejectReason::OutOfRange,
                format!(
                    "`{}` has {} bytes, at most {TEXT_BYTES_MAX}",
                    field.name(),
                    text.len()
                ),
            )),
            text => Ok(text),
        }
    }

    fn word<T: std::str::FromStr>(&self, field: Field) -> Result<Option<T>, Refused> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        let read = text.to_ascii_lowercase().parse();
        let read = read.map_err(|_| wrong(field, &text, "a word that the mapping knows"))?;
        Ok(Some(read))
    }

    fn time(&self, field: Field, days: &mut Days) -> Result<Option<EventTime>, Refused> {
        let Some(bound) = self.filled(field) else {
            return Ok(None);
        };
        if let Origin::Rows { first, every } = &bound.filled.origin {
            let steps = i64::try_from(self.number).unwrap_or(i64::MAX);
            let micros = every
                .micros()
                .checked_mul(steps)
                .and_then(|by| by.checked_add(first.micros()));
            let time = micros.and_then(within);
            let outside = || {
                wrong(
                    field,
                    &self.number.to_string(),
                    "a row before the year 10000",
                )
            };
            return time.map(Some).ok_or_else(outside);
        }
        let Some(raw) = self.raw(bound)? else {
            return Ok(None);
        };
        let zone = self.mapping.zone.as_ref();
        match moment(&raw, &bound.filled.format, field, zone, days) {
            Ok(time) => Ok(Some(time)),
            Err(NoTime::Unlike) => Err(wrong(field, &raw, "a time as the mapping says")),
            Err(NoTime::Nowhere) => Err(wrong(
                field,
                &raw,
                "an offset in it, or a `zone:` in the mapping",
            )),
        }
    }
}

fn whole(device: Option<DeviceId>, event_time: EventTime, body: RecordBody) -> Record {
    Record {
        device,
        address: None,
        event_time,
        received_at: None,
        sender: None,
        seq: None,
        body,
    }
}

/// A transport by name or by its number.
fn transport(text: &str) -> Transport {
    match text.to_ascii_lowercase().as_str() {
        "tcp" | "6" => Transport::Tcp,
        "udp" | "17" => Transport::Udp,
        "icmp" | "icmp6" | "icmpv6" | "ipv6-icmp" | "1" | "58" => Transport::Icmp,
        _ => Transport::Other,
    }
}

fn port_number(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn missing(field: Field) -> Refused {
    Refused::new(
        RejectReason::MissingField,
        format!("`{}` has no value", field.name()),
    )
}

pub(super) fn wrong(field: Field, text: &str, expected: &str) -> Refused {
    let start: String = text.chars().take(64).collect();
    Refused::new(
        RejectReason::WrongType,
        format!("`{}` is {start:?}, expected {expected}", field.name()),
    )
}
