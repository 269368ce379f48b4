//! Confluent's framing: a zero, the number of a schema, and a body written by it.
//!
//! The schema comes from the registry. Without one, or while it does not answer, a body is read
//! by the schema of our own record, if it fits that from end to end.

use andon_schemas::reject::RejectReason;

use super::datum;
use super::registry::{Answer, Language, Registry};
use super::shape::Shape;
use crate::refused::Refused;

/// The schema of our own record.
pub(super) const OURS: &str = include_str!("record.avsc");

/// Reads what is framed.
#[derive(Debug)]
pub(super) struct Framed {
    registry: Option<Registry>,
    /// Our own record; `None` until it is needed.
    ours: Option<Shape>,
}

impl Framed {
    pub(super) fn new(registry: Option<Registry>) -> Self {
        Self {
            registry,
            ours: None,
        }
    }

    /// Writes what a payload says as JSON into `json`, in place of what was there.
    ///
    /// # Errors
    /// Says which schema is wanted, and why the payload cannot be read by it.
    pub(super) fn read(&mut self, payload: &[u8], json: &mut Vec<u8>) -> Result<(), Refused> {
        json.clear();
        let Some((id, body)) = unframed(payload) else {
            return Err(Refused::new(
                RejectReason::Truncated,
                format!(
                    "payload begins like Confluent's framing, but breaks off after {} bytes",
                    payload.len()
                ),
            ));
        };
        let Some(registry) = &mut self.registry else {
            let why = "no schema registry is configured";
            return self.by_our_own(id, body, json, why);
        };
        let of_schema = |refused: Refused| Refused {
            detail: format!("schema {id}: {}", refused.detail),
            ..refused
        };
        match registry.schema(id) {
            Answer::Known(Language::Avro(shape)) => {
                datum::read(body, shape, json).map_err(of_schema)
            }
            Answer::Known(Language::Json) => {
                json.extend_from_slice(body.trim_ascii());
                Ok(())
            }
            Answer::Known(Language::Unreadable(why)) => Err(Refused::new(
                RejectReason::Unsupported,
                format!("schema {id} {why}"),
            )),
            Answer::Unknown => Err(Refused::new(
                RejectReason::Unsupported,
                format!(
                    "schema registry knows no schema {id}: the producer may register with another"
                ),
            )),
            Answer::Silent(why) => {
                self.by_our_own(id, body, json, &format!("the schema registry {why}"))
            }
        }
    }

    /// Reads a body without its schema: as JSON if it begins like it, which no record of ours does
    /// in Avro, else by the schema of our own record.
    fn by_our_own(
        &mut self,
        id: u32,
        body: &[u8],
        json: &mut Vec<u8>,
        why: &str,
    ) -> Result<(), Refused> {
        if matches!(body.trim_ascii_start(), [b'{' | b'[', ..]) {
            json.extend_from_slice(body.trim_ascii());
            return Ok(());
        }
        let ours = match &self.ours {
            Some(ours) => ours,
            None => self.ours.insert(Shape::parse(OURS).map_err(|e| {
                Refused::new(RejectReason::Unsupported, format!("schema of our own {e}"))
            })?),
        };
        datum::read(body, ours, json).map_err(|refused| {
            Refused::new(
                RejectReason::Unsupported,
                format!(
                    "schema {id} is needed: {why}, and the payload does not fit our own record \
                     ({}); name the registry that holds schema {id}",
                    refused.detail
                ),
            )
        })
    }
}

/// The number of the schema, and the body.
fn unframed(payload: &[u8]) -> Option<(u32, &[u8])> {
    let rest = payload.strip_prefix(&[0])?;
    let (id, body) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*id), body))
}
