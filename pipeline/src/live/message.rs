//! From an MQTT message to a record: the topic says who speaks and what kind it is, the payload
//! says the rest.

use std::sync::Arc;

use andon_ingest::endpoint::Refusal;
use andon_ingest::refused::Refused;
use andon_schemas::act::Ack;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Function, Inventory};
use andon_schemas::observation::{Kind, Record, RecordBody, Sender, Source};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use andon_schemas::wire::{DecodeOptions, decode};

use crate::aside::Answer;

/// Longest payload that is read, bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// What a message holds.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all messages hold records, and none of them needs an allocation more"
)]
pub enum Read {
    /// A record about devices.
    Record(Record),
    /// What an enforcement point answers.
    Ack(Box<Answer>),
}

/// A message as it came in.
#[derive(Clone, Debug)]
pub struct Message {
    /// Full topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Who sent it, as far as the transport knows.
    pub sender: Option<String>,
    /// Whether the transport proved that.
    pub proven: bool,
    /// When it came in.
    pub received_at: EventTime,
    /// Its number in the log.
    pub sequence: u64,
}

impl Message {
    /// Where it came from: topic, 0, log sequence.
    pub fn source(&self) -> Source {
        Source {
            topic: Arc::from(self.topic.as_str()),
            partition: 0,
            offset: self.sequence,
        }
    }

    /// Reads it.
    ///
    /// A device's message is about the device of the topic unless it names another, which the
    /// engine will hold against the sender. A sensor's flows and answers are about whoever they
    /// name or address.
    ///
    /// # Errors
    /// Says what is wrong with the topic or the payload.
    pub fn read(&self, inventory: &Inventory) -> Result<Read, Refused> {
        let (device, kind) = self.address(&inventory.site)?;
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            let bytes = self.payload.len();
            return Err(Refused::new(
                RejectReason::Oversized,
                format!("payload of {bytes} bytes is longer than {PAYLOAD_BYTES_MAX}"),
            ));
        }
        match kind {
            Some(kind) => self.record(device, kind, inventory).map(Read::Record),
            None => self.ack(&device).map(Read::Ack),
        }
    }

    fn record(
        &self,
        device: DeviceId,
        kind: Kind,
        inventory: &Inventory,
    ) -> Result<Record, Refused> {
        let options = DecodeOptions {
            kind_hint: Some(kind),
            ..DecodeOptions::default()
        };
        let mut record = decode(&self.payload, options)?;
        record.received_at = None;
        let name = match &self.sender {
            Some(sender) => DeviceId::new(sender)
                .map_err(|e| Refused::new(RejectReason::WrongSender, format!("sender: {e}")))?,
            None => device.clone(),
        };
        let is_sensor = inventory
            .device(name.as_str())
            .is_some_and(|d| d.function == Function::Sensor);
        let about_others = matches!(record.body, RecordBody::Flow(_)) || record.address.is_some();
        if record.device.is_none() && !(is_sensor && about_others) {
            record.device = Some(device);
        }
        record.sender = Some(Sender {
            name,
            proven: self.proven,
        });
        Ok(record)
    }

    /// Reads what an enforcement point answers. It answers for itself, and only what it has proved
    /// to have said counts: a made-up answer would hide that nothing was done.
    fn ack(&self, enforcer: &DeviceId) -> Result<Box<Answer>, Refused> {
        let wrong = |detail: String| Refused::new(RejectReason::WrongSender, detail);
        let sender = self.sender.as_deref().unwrap_or_default();
        if !self.proven {
            return Err(wrong(format!(
                "`{sender}` has not proved who it is, and so answers for no enforcement point"
            )));
        }
        if !sender.eq_ignore_ascii_case(enforcer.as_str()) {
            return Err(wrong(format!("`{sender}` answers as `{enforcer}`")));
        }
        let mut ack: Ack = serde_json::from_slice(&self.payload)
            .map_err(|e| Refused::new(RejectReason::Malformed, format!("acknowledgement: {e}")))?;
        if !ack.enforcer.eq_ignore_ascii_case(enforcer.as_str()) {
            let named = &ack.enforcer;
            return Err(wrong(format!("`{enforcer}` answers as `{named}`")));
        }
        enforcer.as_str().clone_into(&mut ack.enforcer);
        Ok(Box::new(Answer {
            ack,
            source: self.source(),
            received_at: self.received_at,
        }))
    }

    /// The device and kind of `andon/v1/in/{site}/{device}/{kind}`; no kind is an acknowledgement.
    fn address(&self, site: &str) -> Result<(DeviceId, Option<Kind>), Refused> {
        let wrong = |detail: String| Refused::new(RejectReason::WrongTopic, detail);
        let levels: Vec<&str> = self.topic.split('/').collect();
        let ["andon", "v1", "in", theirs, device, kind] = levels[..] else {
            return Err(wrong(format!(
                "topic `{}` is not andon/v1/in/SITE/DEVICE/KIND",
                self.topic
            )));
        };
        if theirs != site {
            return Err(wrong(format!("site `{theirs}` is not this one, `{site}`")));
        }
        let device = DeviceId::new(device).map_err(wrong)?;
        if kind == "ack" {
            return Ok((device, None));
        }
        let kind = kind.parse().map_err(|e| wrong(format!("kind: {e}")))?;
        Ok((device, Some(kind)))
    }
}

/// What the endpoint turned away, as a reject says it.
pub fn turned_away(refusal: &Refusal) -> (Refused, Source) {
    let source = Source {
        topic: refusal.topic.as_deref().unwrap_or("mqtt").into(),
        partition: 0,
        offset: 0,
    };
    let detail = format!(
        "{} from {} at {}: {}",
        if refusal.sender.proven {
            "client"
        } else {
            "unproven client"
        },
        refusal.sender.name,
        refusal.peer,
        refusal.reason
    );
    (Refused::new(refusal.reason.as_reject(), detail), source)
}
