//! A message on its way in: what an MQTT source hands to the write-ahead log, and how it learns
//! that the message is safe.
//!
//! Stands between the sources (`endpoint`, `subscriber`) and the log. A source may acknowledge a
//! message to its sender only once the log has it on disk, so every [`Delivery`] carries a
//! [`Receipt`] that comes back through [`Settle`] after the commit.

/// Who is speaking, as far as the transport knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Identity, folded to lower case: the authenticated name, or else the device in the topic.
    pub name: String,
    /// Whether the transport proved the identity. What rests on an unproven one is capped.
    pub proven: bool,
}

/// Which message of which connection; opaque to everyone but the source that issued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Connection (endpoint) or connection epoch (subscriber): a receipt of an older one is void.
    pub connection: u64,
    /// Number of the message within that connection, in order of arrival.
    pub number: u64,
}

/// One message as it came in, not yet durable.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Full topic, as published.
    pub topic: String,
    /// The payload, undecoded.
    pub payload: Vec<u8>,
    /// Who sent it.
    pub sender: Sender,
    /// To be settled once the message is durable; `None` for QoS 0.
    pub receipt: Option<Receipt>,
}

/// The way back: a source that can acknowledge what has become durable.
pub trait Settle: Send + Sync {
    /// Acknowledges messages to their senders. Called in the order of arrival, after the commit.
    /// Receipts of connections that are gone are ignored: their sender will send again.
    fn settle(&self, receipts: &[Receipt]);
}
