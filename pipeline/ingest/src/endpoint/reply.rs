//! Packets to bytes: everything the endpoint says.
//!
//! Acknowledgements are the hot path and four or five bytes long, so they are written in place;
//! everything else goes through the codec crate.

use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, MaximumPacketSize, Property, ReceiveMaximum, ServerKeepAlive,
    SessionExpiryInterval, SharedSubscriptionAvailable, SubscriptionIdentifierAvailable, v3_1_1,
    v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, MqttError, SubackReasonCode, SubackReturnCode,
    UnsubackReasonCode,
};

use super::wire::{Fault, Version};

/// Which answer to a PUBLISH or PUBREL; the value is the first byte of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    /// QoS 1: we have it.
    Puback = 0x40,
    /// QoS 2: we have it.
    Pubrec = 0x50,
    /// QoS 2: and have forgotten its number.
    Pubcomp = 0x70,
}

/// Success, as a reason code.
pub(super) const SUCCESS: u8 = 0;
/// The sender may not publish there.
pub(super) const NOT_AUTHORISED: u8 = 0x87;
/// The topic name is not acceptable.
pub(super) const TOPIC_NAME_INVALID: u8 = 0x90;
/// PUBREL for a message that we do not know.
pub(super) const PACKET_IDENTIFIER_NOT_FOUND: u8 = 0x92;

/// Appends an acknowledgement. v3.1.1 has no reasons, so only success can be said there.
pub(super) fn ack(out: &mut Vec<u8>, version: Version, ack: Ack, packet_id: u16, reason: u8) {
    let [high, low] = packet_id.to_be_bytes();
    if version == Version::V5 && reason != SUCCESS {
        out.extend_from_slice(&[ack as u8, 3, high, low, reason]);
    } else {
        out.extend_from_slice(&[ack as u8, 2, high, low]);
    }
}

/// PINGRESP.
pub(super) const PINGRESP: [u8; 2] = [0xd0, 0];

/// What CONNACK tells a v5 client about us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) receive_maximum: u16,
    pub(super) maximum_packet: u32,
    /// Seconds, if other than what the client asked for.
    pub(super) keep_alive: Option<u16>,
    /// The id given to a client that came without one.
    pub(super) assigned: Option<&'a str>,
    /// The client wanted its session kept; we keep none.
    pub(super) decline_expiry: bool,
}

/// CONNACK, granted. The session is never present: we keep none.
pub(super) fn welcome(version: Version, terms: &Terms<'_>) -> Result<Vec<u8>, MqttError> {
    if version == Version::V3 {
        return refusal_v3(ConnectReturnCode::Accepted);
    }
    let mut properties: Vec<Property> = vec![
        ReceiveMaximum::new(terms.receive_maximum)?.into(),
        MaximumPacketSize::new(terms.maximum_packet)?.into(),
        SubscriptionIdentifierAvailable::new(0)?.into(),
        SharedSubscriptionAvailable::new(0)?.into(),
    ];
    if let Some(seconds) = terms.keep_alive {
        properties.push(ServerKeepAlive::new(seconds)?.into());
    }
    if let Some(id) = terms.assigned {
        properties.push(AssignedClientIdentifier::new(id)?.into());
    }
    if terms.decline_expiry {
        properties.push(SessionExpiryInterval::new(0)?.into());
    }
    let connack = v5_0::Connack::builder()
        .session_present(false)
        .reason_code(ConnectReasonCode::Success)
        .props(properties)
        .build()?;
    Ok(connack.to_continuous_buffer())
}

/// CONNACK, refused.
pub(super) fn refusal(version: Version, reason: ConnectReasonCode) -> Result<Vec<u8>, MqttError> {
    if version == Version::V5 {
        let connack = v5_0::Connack::builder()
            .session_present(false)
            .reason_code(reason)
            .build()?;
        return Ok(connack.to_continuous_buffer());
    }
    refusal_v3(match reason {
        ConnectReasonCode::UnsupportedProtocolVersion => {
            ConnectReturnCode::UnacceptableProtocolVersion
        }
        ConnectReasonCode::ClientIdentifierNotValid => ConnectReturnCode::IdentifierRejected,
        ConnectReasonCode::BadUserNameOrPassword => ConnectReturnCode::BadUserNameOrPassword,
        ConnectReasonCode::ServerUnavailable => ConnectReturnCode::ServerUnavailable,
        _ => ConnectReturnCode::NotAuthorized,
    })
}

fn refusal_v3(code: ConnectReturnCode) -> Result<Vec<u8>, MqttError> {
    let connack = v3_1_1::Connack::builder()
        .session_present(false)
        .return_code(code)
        .build()?;
    Ok(connack.to_continuous_buffer())
}

/// SUBACK, one code per filter.
pub(super) fn suback(
    version: Version,
    packet_id: u16,
    codes: Vec<SubackReasonCode>,
) -> Result<Vec<u8>, MqttError> {
    if version == Version::V5 {
        let suback = v5_0::Suback::builder()
            .packet_id(packet_id)
            .reason_codes(codes)
            .build()?;
        return Ok(suback.to_continuous_buffer());
    }
    let plain = |code: &SubackReasonCode| match code {
        SubackReasonCode::GrantedQos0 => SubackReturnCode::SuccessMaximumQos0,
        _ => SubackReturnCode::Failure,
    };
    let codes = codes.iter().map(plain).collect();
    let suback = v3_1_1::Suback::builder()
        .packet_id(packet_id)
        .return_codes(codes)
        .build()?;
    Ok(suback.to_continuous_buffer())
}

/// UNSUBACK, in v5 with one code per filter.
pub(super) fn unsuback(
    version: Version,
    packet_id: u16,
    codes: Vec<UnsubackReasonCode>,
) -> Result<Vec<u8>, MqttError> {
    if version == Version::V5 {
        let unsuback = v5_0::Unsuback::builder()
            .packet_id(packet_id)
            .reason_codes(codes)
            .build()?;
        return Ok(unsuback.to_continuous_buffer());
    }
    Ok(v3_1_1::Unsuback::builder()
        .packet_id(packet_id)
        .build()?
        .to_continuous_buffer())
}

/// PUBLISH with QoS 0, to a reader.
pub(super) fn publish(
    version: Version,
    topic: &str,
    payload: &[u8],
    retain: bool,
) -> Result<Vec<u8>, MqttError> {
    if version == Version::V5 {
        let publish = v5_0::Publish::builder()
            .topic_name(topic)?
            .retain(retain)
            .payload(payload)
            .build()?;
        return Ok(publish.to_continuous_buffer());
    }
    let publish = v3_1_1::Publish::builder()
        .topic_name(topic)?
        .retain(retain)
        .payload(payload)
        .build()?;
    Ok(publish.to_continuous_buffer())
}

/// DISCONNECT with a reason; v3.1.1 servers can only close.
pub(super) fn farewell(version: Version, reason: Fault) -> Vec<u8> {
    if version == Version::V3 {
        return Vec::new();
    }
    let disconnect = v5_0::Disconnect::builder().reason_code(reason).build();
    disconnect
        .map(|packet| packet.to_continuous_buffer())
        .unwrap_or_default()
}
