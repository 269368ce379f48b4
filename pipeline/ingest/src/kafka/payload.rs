//! What the payload of a Kafka message holds, decoded to records.
//!
//! Formats are told by what they hold, never by the name of the topic: a JSON object of ours, of
//! Zeek or of Suricata, an array of such objects, an Arrow IPC stream with a row per record, or
//! Avro in Confluent's framing. Whatever it is, every record passes the checks of the wire form.

mod columns;
mod datum;
mod framed;
mod guess;
mod kept;
mod registry;
mod shape;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Record;
use andon_schemas::reject::RejectReason;
use andon_schemas::wire::{DecodeOptions, decode};
use serde_json::value::RawValue;

use crate::files::message::foreign;
use crate::refused::Refused;
use framed::Framed;
use registry::Registry;

pub use registry::RegistryError;

/// Most bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Most records in one payload: as many as fit in it written out, and no poisoned one becomes a
/// flood of rejects.
pub const RECORDS_MAX: usize = 16_384;

/// How payloads are read.
#[derive(Clone)]
pub struct Options {
    /// Whether the producer tells truly who sent a record: only then do `sender` and
    /// `sender_proven` count. Such a producer names the device of every record but a flow.
    pub trusted: bool,
    /// Address of the schema registry, `http` or `https`, perhaps with `user:password@`.
    pub registry: Option<String>,
    /// Certificates, as PEM, that the registry's must be signed by, in place of the public ones.
    pub registry_ca: Option<PathBuf>,
    /// Folder in which its schemas are kept, so that a restart does not depend on it.
    pub schemas: Option<PathBuf>,
    /// How long the registry may take for an answer.
    pub patience: Duration,
    /// After how long it is asked again for what it did not tell.
    pub retry: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trusted: false,
            registry: None,
            registry_ca: None,
            schemas: None,
            patience: Duration::from_secs(2),
            retry: Duration::from_secs(30),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The registry's address may hold a password.
        f.debug_struct("Options")
            .field("trusted", &self.trusted)
            .field("has_registry", &self.registry.is_some())
            .field("registry_ca", &self.registry_ca)
            .field("schemas", &self.schemas)
            .field("patience", &self.patience)
            .field("retry", &self.retry)
            .finish()
    }
}

/// Reads payloads; keeps what it learned between messages.
pub struct Payloads {
    trusted: bool,
    /// Whether the last object was of another tool. A topic seldom changes its mind, and what is
    /// tried first is read once.
    foreign: bool,
    framed: Framed,
    /// What was in a frame, as JSON; kept for its memory.
    text: Vec<u8>,
}

impl std::fmt::Debug for Payloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not what payloads held.
        f.debug_struct("Payloads")
            .field("trusted", &self.trusted)
            .field("framed", &self.framed)
            .finish_non_exhaustive()
    }
}

impl Payloads {
    /// A reader of payloads.
    ///
    /// # Errors
    /// A registry's address that is none, or certificates that cannot be read.
    pub fn new(options: &Options) -> Result<Self, RegistryError> {
        let registry = match &options.registry {
            Some(address) => Some(Registry::new(address, options)?),
            None => None,
        };
        Ok(Self {
            trusted: options.trusted,
            foreign: false,
            framed: Framed::new(registry),
            text: Vec::new(),
        })
    }

    /// Calls `each` once for every record of the payload, or once with what is wrong with it as a
    /// whole. Where a payload holds several, a bad one is refused alone, with its number from 1.
    /// `likely` is the device it is probably about, to save making its identity anew.
    pub fn read(
        &mut self,
        payload: &[u8],
        likely: Option<&DeviceId>,
        each: &mut dyn FnMut(Result<Record, Refused>),
    ) {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return each(Err(Refused::new(
                RejectReason::Oversized,
                format!(
                    "payload has {} bytes, at most {PAYLOAD_BYTES_MAX}",
                    payload.len()
                ),
            )));
        }
        match payload {
            [b'{', ..] => each(self.object(payload, likely)),
            [0x00, ..] => self.in_frame(payload, each),
            [0xff, 0xff, 0xff, 0xff, ..] => self.columns(payload, each),
            _ => self.unmarked(payload, each),
        }
    }

    /// A payload that does not begin like any format, or begins with blanks or a mark.
    fn unmarked(&mut self, payload: &[u8], each: &mut dyn FnMut(Result<Record, Refused>)) {
        let text = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
        let text = text.trim_ascii();
        match text.first() {
            Some(b'{') => each(self.object(text, None)),
            // Suricata's syslog output puts a cookie before the object.
            Some(b'@') if text.starts_with(b"@cee:") => each(self.object(text, None)),
            Some(b'[') => self.array(text, each),
            _ => each(Err(guess::refusal(payload))),
        }
    }

    /// One JSON object. Whose it is does not depend on which reader is tried first: an object with
    /// `kind` is ours, and no other.
    fn object(&mut self, text: &[u8], likely: Option<&DeviceId>) -> Result<Record, Refused> {
        if self.foreign {
            if let Some(record) = foreign(text) {
                return record;
            }
            self.foreign = false;
        }
        let options = DecodeOptions {
            capture: self.trusted,
            likely,
            ..DecodeOptions::default()
        };
        match decode(text, options) {
            Ok(mut record) => {
                record.received_at = None;
                Ok(record)
            }
            Err(error) => {
                let foreign = foreign(text);
                self.foreign = foreign.is_some();
                foreign.unwrap_or_else(|| Err(error.into()))
            }
        }
    }

    /// A JSON array of objects, as producers write that batch on their own.
    fn array(&mut self, text: &[u8], each: &mut dyn FnMut(Result<Record, Refused>)) {
        let items: Vec<&RawValue> = match serde_json::from_slice(text) {
            Ok(items) => items,
            Err(e) => {
                return each(Err(Refused::new(
                    RejectReason::Malformed,
                    format!("array is not valid JSON: {e}"),
                )));
            }
        };
        if let Err(refused) = countable(items.len()) {
            return each(Err(refused));
        }
        for (at, item) in items.iter().enumerate() {
            let record = self.object(item.get().as_bytes(), None);
            each(record.map_err(|refused| numbered("item", at, refused)));
        }
    }

    /// An Arrow IPC stream.
    fn columns(&self, payload: &[u8], each: &mut dyn FnMut(Result<Record, Refused>)) {
        let batches = match columns::read(payload) {
            Ok(batches) => batches,
            Err(refused) => return each(Err(refused)),
        };
        let mut before = 0;
        for (columns, rows) in batches {
            for row in 0..rows {
                let record = columns.record(row).map(|record| self.as_live(record));
                each(record.map_err(|refused| numbered("row", before + row, refused)));
            }
            before += rows;
        }
    }

    /// A payload in Confluent's framing.
    fn in_frame(&mut self, payload: &[u8], each: &mut dyn FnMut(Result<Record, Refused>)) {
        let mut text = std::mem::take(&mut self.text);
        match self.framed.read(payload, &mut text) {
            Ok(()) if text.starts_with(b"[") => self.array(&text, each),
            Ok(()) => each(self.object(&text, None)),
            Err(refused) => each(Err(refused)),
        }
        self.text = text;
    }

    /// A record without what only a recording may say.
    fn as_live(&self, mut record: Record) -> Record {
        record.received_at = None;
        if !self.trusted {
            record.sender = None;
        }
        record
    }
}

/// Refuses no records, which nobody sends on purpose, and more than one payload may hold.
fn countable(records: usize) -> Result<(), Refused> {
    if records == 0 {
        return Err(Refused::new(
            RejectReason::Malformed,
            "payload holds no record",
        ));
    }
    if records <= RECORDS_MAX {
        return Ok(());
    }
    Err(Refused::new(
        RejectReason::Oversized,
        format!("payload holds {records} records, at most {RECORDS_MAX}; send smaller batches"),
    ))
}

/// A refusal that says which of several records it is about.
fn numbered(what: &str, at: usize, refused: Refused) -> Refused {
    Refused {
        detail: format!("{what} {}: {}", at + 1, refused.detail),
        ..refused
    }
}
