//! Rejects: input that yields no observation, with the reason and the position.

use serde::{Deserialize, Serialize};

use crate::grade::text_scale;
use crate::identity::DeviceId;
use crate::observation::{Kind, Source};
use crate::time::EventTime;

/// Why a record was not taken.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// Not readable as the format it claims.
    Malformed,
    /// A field is missing that every record of this kind has.
    MissingField,
    /// A field holds something else than it should.
    WrongType,
    /// A number outside what it can mean: negative, not finite, too large.
    OutOfRange,
    /// More than 5 min after it was received.
    FarFuture,
    /// No endpoint of the flow is known or inside the plant.
    NoKnownEndpoint,
    /// The sender may not speak for this device.
    WrongSender,
    /// An answer of an enforcement point that is not believed: to nothing that was issued, or from
    /// one that does not answer there.
    RefusedAck,
    /// Longer than the payload limit.
    Oversized,
    /// The topic is none of ours.
    WrongTopic,
    /// A record of Kafka's without a key.
    NoKey,
    /// The key is not the device that the record is about.
    WrongKey,
    /// A record of a device that is kept in another partition.
    WrongPartition,
    /// A schema version this build does not know.
    UnknownVersion,
    /// Shed at a stated limit.
    Shed,
    /// The file ends in the middle of a record or a compressed block.
    Truncated,
    /// A kind of record this build does not observe.
    Unsupported,
}

text_scale!(RejectReason {
    Malformed => "malformed", MissingField => "missing_field", WrongType => "wrong_type",
    OutOfRange => "out_of_range", FarFuture => "far_future",
    NoKnownEndpoint => "no_known_endpoint", WrongSender => "wrong_sender",
    RefusedAck => "refused_ack",
    Oversized => "oversized", WrongTopic => "wrong_topic",
    NoKey => "no_key", WrongKey => "wrong_key", WrongPartition => "wrong_partition", UnknownVersion => "unknown_version",
    Shed => "shed", Truncated => "truncated", Unsupported => "unsupported",
});

/// One rejected record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// What exactly, in words, with the field and the value.
    pub detail: String,
    /// Where it came from.
    pub source: Source,
    /// The device it named, if it got that far.
    pub device: Option<String>,
    /// When it was received.
    pub received_at: EventTime,
    /// The beginning of the record as text, for whoever has to look at it.
    pub excerpt: String,
}

/// An observation that was not counted: it came after its window may have closed, or was told
/// before. A line of `late.jsonl` or `duplicates.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SetAside {
    /// The device.
    pub device: DeviceId,
    /// What kind of observation it is.
    pub kind: Kind,
    /// Its event time.
    pub event_time: EventTime,
    /// Where it came from.
    pub source: Source,
}
