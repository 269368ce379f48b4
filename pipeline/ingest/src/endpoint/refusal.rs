//! What the endpoint turned away, in a form that can become a reject: nothing is dropped without
//! a record of who sent it, where to, and why.

use std::net::SocketAddr;

use andon_schemas::reject::RejectReason;

use crate::delivery::Sender;

/// Most bytes of a refused message that are kept: as many as a reject shows.
pub const HEAD_BYTES_MAX: usize = 256;

/// A message (or an unreadable packet) that was refused. It was not acknowledged as accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The topic, if the packet was read that far.
    pub topic: Option<String>,
    /// Who sent it: the authenticated name, or else the client id, unproven.
    pub sender: Sender,
    /// Where the connection came from.
    pub peer: SocketAddr,
    /// Size of the packet after its fixed header, bytes; as announced, if it was not read.
    pub bytes: usize,
    /// The beginning of the payload (of the whole packet, if it is malformed), for whoever has to
    /// look at it: at most [`HEAD_BYTES_MAX`]. Empty if it was not read.
    pub head: Vec<u8>,
    /// Why.
    pub reason: Reason,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Reason {
    /// The topic is not `andon/v1/in/{site}/{device}/{kind}`.
    #[error("topic is outside the in-branch andon/v1/in/SITE/DEVICE/KIND")]
    OutsideInBranch,
    /// The topic is empty, too long, or holds a wildcard or a control character.
    #[error("topic is empty, too long or holds a wildcard or a control character")]
    TopicName,
    /// The topic names a device that the sender may not speak for.
    #[error("topic names a device that the sender does not speak for")]
    ForeignDevice,
    /// An acknowledgement of a command from someone who is not an enforcer.
    #[error("acknowledgements are only taken from enforcers")]
    NotAnEnforcer,
    /// An enforcer that sends something else than acknowledgements.
    #[error("an enforcer sends acknowledgements only")]
    OnlyAcknowledgements,
    /// A reader that publishes.
    #[error("a reader may not publish")]
    ReadOnly,
    /// The packet or its payload is larger than the limit.
    #[error("message is larger than the limit")]
    Oversized,
    /// The bytes are not MQTT, or the packet is not allowed at that point.
    #[error("packet is malformed or out of place")]
    Malformed,
}

impl Reason {
    /// Under which reason the message is rejected.
    pub fn as_reject(self) -> RejectReason {
        match self {
            Self::OutsideInBranch | Self::TopicName => RejectReason::WrongTopic,
            Self::ForeignDevice
            | Self::NotAnEnforcer
            | Self::OnlyAcknowledgements
            | Self::ReadOnly => RejectReason::WrongSender,
            Self::Oversized => RejectReason::Oversized,
            Self::Malformed => RejectReason::Malformed,
        }
    }
}
