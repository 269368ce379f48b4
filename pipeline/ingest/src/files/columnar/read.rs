//! Parquet captures back to records. Each different text of a dictionary is read once, for as long as
//! batches share it.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{
    Attestation, Body, ByteKind, ConnState, FlowRecord, Kind, Party, Reading, Record, RecordBody,
    Resolution, Sender, Source, Transport,
};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use andon_schemas::wire::{CURRENT_A_MAX, SPINDLE_RPM_MAX};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use super::BATCH_ROWS;
use super::block::FlowBlock;
use super::cells::{Cells, Lists, cells};
use super::fit::fit;
use super::words::{Digest, HostName, Service, Text, Texts, Told, Words};
use crate::files::native;
use crate::files::number::within;
use crate::files::rows::{Content, Numbered, Parsed};
use crate::refused::Refused;

/// The rows of one Parquet capture.
pub(in crate::files) struct ColumnRows {
    reader: ParquetRecordBatchReader,
    batch: Option<Arc<Batch>>,
    row: usize,
    number: u64,
    /// Damage that was met and is still to be told.
    broken: Option<Refused>,
    /// Set by damage: the reader would report it again and again.
    ended: bool,
}

impl std::fmt::Debug for ColumnRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColumnRows")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl ColumnRows {
    /// Opens a capture. The inner error is for a file that is not one.
    ///
    /// # Errors
    /// What the operating system says.
    pub(in crate::files) fn open(path: &Path) -> io::Result<Result<Self, Refused>> {
        Ok(Self::over(File::open(path)?))
    }

    /// The same for what is read like a file.
    pub(in crate::files) fn over(file: impl ChunkReader + 'static) -> Result<Self, Refused> {
        let reader = guarded(|| {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            check_places(builder.metadata())?;
            fit(builder.schema()).map_err(ParquetError::General)?;
            builder.with_batch_size(BATCH_ROWS).build()
        });
        let reader = reader.map_err(|e| {
            Refused::new(
                RejectReason::Malformed,
                format!("parquet file cannot be read, perhaps it was not finished: {e}"),
            )
        })?;
        Ok(Self {
            reader,
            batch: None,
            row: 0,
            number: 0,
            broken: None,
            ended: false,
        })
    }

    /// The next row; `None` at the end. Damage ends the file with one refusal.
    #[inline]
    pub(in crate::files) fn next(&mut self) -> Option<Numbered> {
        loop {
            if let Some(batch) = &self.batch
                && self.row < batch.rows
            {
                let content = batch.content(self.row);
                self.row += 1;
                return Some(self.numbered(content));
            }
            match self.turn()? {
                Ok(()) => {}
                Err(refused) => return Some(self.numbered(Err(refused))),
            }
        }
    }

    /// The next rows as a block, if they are plain flows and none of them has been taken yet. What it
    /// leaves comes row by row.
    pub(in crate::files) fn block(&mut self, path: &Arc<str>) -> Option<FlowBlock> {
        let is_taken = |batch: &Arc<Batch>| self.row >= batch.rows;
        if self.batch.as_ref().is_none_or(is_taken) {
            match self.turn()? {
                Ok(()) => {}
                Err(refused) => {
                    self.broken = Some(refused);
                    return None;
                }
            }
        }
        let batch = self.batch.as_ref().filter(|_| self.row == 0)?;
        let block = FlowBlock::of(batch, path, self.number + 1)?;
        self.row = batch.rows;
        self.number += batch.rows as u64;
        Some(block)
    }

    /// Whether it is known that nothing follows.
    pub(in crate::files) fn is_over(&self) -> bool {
        self.ended && self.batch.is_none() && self.broken.is_none()
    }

    /// Goes on to the next rows; `None` at the end.
    fn turn(&mut self) -> Option<Result<(), Refused>> {
        if let Some(refused) = self.broken.take() {
            return Some(Err(refused));
        }
        if self.ended {
            return None;
        }
        let former = self.batch.as_deref();
        let batch = guarded(|| self.reader.next().transpose())
            .and_then(|batch| batch.map(|batch| Batch::after(former, &batch)).transpose());
        self.row = 0;
        match batch {
            Ok(Some(batch)) => self.batch = Some(Arc::new(batch)),
            Ok(None) => {
                self.batch = None;
                self.ended = true;
                return None;
            }
            Err(e) => {
                self.batch = None;
                self.ended = true;
                let detail = format!("parquet capture cannot be read on: {e}");
                return Some(Err(Refused::new(RejectReason::Malformed, detail)));
            }
        }
        Some(Ok(()))
    }

    #[inline]
    fn numbered(&mut self, content: Result<Content, Refused>) -> Numbered {
        self.number += 1;
        Numbered {
            number: self.number,
            content: content.map_err(|refused| (refused, String::new())),
        }
    }
}

/// Runs a step of the library, which checks some damage with assertions: a file that is
/// not whole must cost its own rows, not the run.
pub(super) fn guarded<T, E: Display>(step: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("its structure contradicts itself".to_owned()),
    }
}

/// Refuses the most common damage before the library stumbles over it.
fn check_places(metadata: &ParquetMetaData) -> Result<(), ParquetError> {
    let chunks = metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns);
    for chunk in chunks {
        let start = chunk
            .dictionary_page_offset()
            .unwrap_or_else(|| chunk.data_page_offset());
        if start < 0 || chunk.compressed_size() < 0 {
            return Err(ParquetError::General(format!(
                "column `{}` lies at {start} and has {} bytes",
                chunk.column_path(),
                chunk.compressed_size()
            )));
        }
    }
    Ok(())
}

cells! {
    /// The columns of one batch, typed; a column that the file lacks is null throughout.
    struct Batch {
        kind: Words<String>,
        device: Words<DeviceId>,
        time: Cells<i64>,
        received_at: Cells<i64>,
        sender: Words<DeviceId>,
        sender_proven: Cells<bool>,
        seq: Cells<u64>,
        topic: Words<Arc<str>>,
        partition: Cells<u32>,
        offset: Cells<u64>,
        start: Cells<i64>,
        orig: Words<IpAddr>,
        orig_port: Cells<u16>,
        resp: Words<IpAddr>,
        resp_port: Cells<u16>,
        resp_name: Words<HostName>,
        transport: Words<Transport>,
        service: Words<Service>,
        orig_bytes: Cells<u64>,
        resp_bytes: Cells<u64>,
        bytes: Words<ByteKind>,
        state: Words<ConnState>,
        interim: Cells<bool>,
        uid: Texts,
        commands: Words<Told>,
        current_a: Cells<f32>,
        spindle_rpm: Cells<f32>,
        firmware: Words<Text>,
        sha256: Words<Digest>,
        tpm_ok: Cells<bool>,
        server: Words<IpAddr>,
        name: Words<HostName>,
        addresses: Lists,
        ttl_s: Cells<u32>,
        client: Words<IpAddr>,
        line: Words<String>,
    }
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, Refused> {
    value.ok_or_else(|| Refused::new(RejectReason::MissingField, format!("`{name}` is missing")))
}

impl Batch {
    #[inline]
    pub(in crate::files) fn content(&self, row: usize) -> Result<Content, Refused> {
        if let Some(line) = self.line.get(row)? {
            return match native::line(line.as_bytes()) {
                Parsed::Content(content) => content,
                Parsed::Nothing | Parsed::Unread => {
                    Err(Refused::new(RejectReason::Malformed, "`line` says nothing"))
                }
            };
        }
        let kind = required("kind", self.kind.get(row)?)?;
        let kind: Kind = kind
            .parse()
            .map_err(|e| Refused::new(RejectReason::Unsupported, format!("`kind`: {e}")))?;
        let event_time = required("time", time("time", self.time.get(row))?)?;
        let device = self.device.get(row)?.cloned();
        let address = self.client.get(row)?.copied();
        if kind != Kind::Flow && device.is_none() && address.is_none() {
            return required("device", None);
        }
        let record = Record {
            device,
            address,
            event_time,
            received_at: time("received_at", self.received_at.get(row))?,
            sender: self.sender.get(row)?.map(|name| Sender {
                name: name.clone(),
                proven: self.sender_proven.get(row).unwrap_or(false),
            }),
            seq: self.seq.get(row),
            body: match kind {
                Kind::Flow => RecordBody::Flow(self.flow(row, event_time)?),
                Kind::Reading => RecordBody::Single(Body::Reading(self.reading(row)?)),
                Kind::Attestation => RecordBody::Single(Body::Attestation(self.attestation(row)?)),
                Kind::Resolution => RecordBody::Single(Body::Resolution(self.resolution(row)?)),
            },
        };
        Ok(Content::Record(record, self.source(row)?))
    }

    fn source(&self, row: usize) -> Result<Option<Source>, Refused> {
        let Some(topic) = self.topic.get(row)? else {
            return Ok(None);
        };
        Ok(Some(Source {
            topic: topic.clone(),
            partition: self.partition.get(row).unwrap_or(0),
            offset: required("offset", self.offset.get(row))?,
        }))
    }

    fn flow(&self, row: usize, end: EventTime) -> Result<FlowRecord, Refused> {
        let start = time("start", self.start.get(row))?.unwrap_or(end);
        if start > end {
            return Err(Refused::new(
                RejectReason::OutOfRange,
                format!("`start` {start} is after `time` {end}"),
            ));
        }
        Ok(FlowRecord {
            start,
            originator: Party {
                address: *required("orig", self.orig.get(row)?)?,
                port: self.orig_port.get(row).unwrap_or(0),
            },
            responder: Party {
                address: *required("resp", self.resp.get(row)?)?,
                port: self.resp_port.get(row).unwrap_or(0),
            },
            responder_name: self.resp_name.get(row)?.map(|name| name.0.as_str().into()),
            transport: *required("transport", self.transport.get(row)?)?,
            service: self
                .service
                .get(row)?
                .map(|service| service.0.as_str())
                .filter(|service| !service.is_empty())
                .map(Into::into),
            originator_bytes: self.orig_bytes.get(row),
            responder_bytes: self.resp_bytes.get(row),
            bytes: self.bytes.get(row)?.copied().unwrap_or_default(),
            state: self.state.get(row)?.copied().unwrap_or_default(),
            interim: self.interim.get(row).unwrap_or(false),
            uid: self.uid.get(row)?.map(Into::into),
            commands: self.commands.get(row)?.and_then(|told| told.0.clone()),
        })
    }

    fn reading(&self, row: usize) -> Result<Reading, Refused> {
        let amount = |name: &str, value: Option<f32>, max: f32| match value {
            Some(value) if !(0.0..=max).contains(&value) => Err(Refused::new(
                RejectReason::OutOfRange,
                format!("`{name}` is {value}, expected a number from 0 to {max}"),
            )),
            value => Ok(value),
        };
        let reading = Reading {
            current_a: amount("current_a", self.current_a.get(row), CURRENT_A_MAX)?,
            spindle_rpm: amount("spindle_rpm", self.spindle_rpm.get(row), SPINDLE_RPM_MAX)?,
        };
        if reading == Reading::default() {
            return required("current_a` or `spindle_rpm", None);
        }
        Ok(reading)
    }

    fn attestation(&self, row: usize) -> Result<Attestation, Refused> {
        Ok(Attestation {
            version: required("firmware", self.firmware.get(row)?)?.0.clone(),
            digest: self.sha256.get(row)?.map(|digest| digest.0.clone()),
            tpm_ok: self.tpm_ok.get(row),
        })
    }

    fn resolution(&self, row: usize) -> Result<Resolution, Refused> {
        Ok(Resolution {
            server: *required("server", self.server.get(row)?)?,
            name: required("name", self.name.get(row)?)?.0.clone(),
            addresses: self.addresses.get(row)?,
            ttl_s: required("ttl_s", self.ttl_s.get(row))?,
        })
    }
}

fn time(name: &str, micros: Option<i64>) -> Result<Option<EventTime>, Refused> {
    let outside = |micros: i64| {
        Refused::new(
            RejectReason::OutOfRange,
            format!("`{name}` lies {micros} microseconds from 1970, outside the years 1 to 9999"),
        )
    };
    micros
        .map(|micros| within(micros).ok_or_else(|| outside(micros)))
        .transpose()
}
