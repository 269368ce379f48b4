//! One entry of the log and its bytes.
//!
//! The layout is written by hand, little-endian, so that it is as stable as the format version of
//! the segment says: `received_at i64`, `kind u8`, then by kind
//! - message: `flags u8` (1 sender, 2 proven), `length u32` and topic, if flagged `length u32` and
//!   sender, payload;
//! - tick: `at i64`;
//! - control: `length u32` and kind, payload.

use super::error::Damage;
use crate::delivery::Delivery;

const MESSAGE: u8 = 1;
const TICK: u8 = 2;
const CONTROL: u8 = 3;

const HAS_SENDER: u8 = 1;
const PROVEN: u8 = 2;

/// One entry, as the log gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; the first entry of a log is number 1, and there are no gaps.
    pub sequence: u64,
    /// When it came in, microseconds since 1970-01-01T00:00:00Z, as the caller gave it.
    pub received_at: i64,
    /// What came in.
    pub body: Body,
}

/// What an entry holds: everything that is input to the engine on the MQTT path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A message, undecoded.
    Message {
        /// Full topic, as published.
        topic: String,
        /// The payload.
        payload: Vec<u8>,
        /// Identity of the sender, if there is one.
        sender: Option<String>,
        /// Whether the transport proved that identity.
        proven: bool,
    },
    /// Time is at least this, in microseconds since 1970-01-01T00:00:00Z.
    Tick {
        /// Event time.
        at: i64,
    },
    /// A change of profiles, inventory, indicators or calendar, or an operator's decision.
    Control {
        /// Which sort of change; the log does not interpret it.
        kind: String,
        /// The change itself.
        payload: Vec<u8>,
    },
}

impl From<Delivery> for Body {
    /// The receipt is not kept: it goes to [`Log::append`](super::Log::append) beside the body.
    fn from(delivery: Delivery) -> Self {
        let sender = delivery.sender;
        Self::Message {
            topic: delivery.topic,
            payload: delivery.payload,
            proven: sender.proven,
            sender: Some(sender.name).filter(|name| !name.is_empty()),
        }
    }
}

impl Body {
    /// Length of an entry with this body, bytes.
    pub(super) fn encoded_len(&self) -> usize {
        // `received_at`, kind.
        let head = 8 + 1;
        head + match self {
            Self::Message {
                topic,
                payload,
                sender,
                ..
            } => {
                let sender = sender.as_ref().map_or(0, |sender| 4 + sender.len());
                1 + 4 + topic.len() + sender + payload.len()
            }
            Self::Tick { .. } => 8,
            Self::Control { kind, payload } => 4 + kind.len() + payload.len(),
        }
    }

    /// Appends the bytes of an entry with this body. The caller has checked that
    /// [`encoded_len`](Self::encoded_len) fits a `u32`.
    pub(super) fn encode(&self, received_at: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&received_at.to_le_bytes());
        match self {
            Self::Message {
                topic,
                payload,
                sender,
                proven,
            } => {
                let sender_flag = if sender.is_some() { HAS_SENDER } else { 0 };
                let proven_flag = if *proven { PROVEN } else { 0 };
                out.extend_from_slice(&[MESSAGE, sender_flag | proven_flag]);
                put_text(topic, out);
                if let Some(sender) = sender {
                    put_text(sender, out);
                }
                out.extend_from_slice(payload);
            }
            Self::Tick { at } => {
                out.push(TICK);
                out.extend_from_slice(&at.to_le_bytes());
            }
            Self::Control { kind, payload } => {
                out.push(CONTROL);
                put_text(kind, out);
                out.extend_from_slice(payload);
            }
        }
    }
}

impl Entry {
    /// Reads an entry back.
    ///
    /// # Errors
    /// [`Damage::Unknown`] if the bytes are not an entry.
    pub(super) fn decode(sequence: u64, bytes: &[u8]) -> Result<Self, Damage> {
        let mut rest = Rest(bytes);
        let entry = rest.entry(sequence).ok_or(Damage::Unknown)?;
        Ok(entry)
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    // Checked by the caller; saturating keeps a mistake there from passing for another length.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn entry(&mut self, sequence: u64) -> Option<Entry> {
        let received_at = self.number()?;
        let [kind] = self.array()?;
        let body = match kind {
            MESSAGE => {
                let [flags] = self.array()?;
                if flags & !(HAS_SENDER | PROVEN) != 0 {
                    return None;
                }
                let topic = self.text()?;
                let sender = match flags & HAS_SENDER {
                    0 => None,
                    _ => Some(self.text()?),
                };
                Body::Message {
                    topic,
                    payload: self.all(),
                    sender,
                    proven: flags & PROVEN != 0,
                }
            }
            TICK => Body::Tick { at: self.number()? },
            CONTROL => Body::Control {
                kind: self.text()?,
                payload: self.all(),
            },
            _ => return None,
        };
        self.0.is_empty().then_some(Entry {
            sequence,
            received_at,
            body,
        })
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = u32::from_le_bytes(self.array()?);
        let bytes = self.bytes(usize::try_from(length).ok()?)?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    fn all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}
