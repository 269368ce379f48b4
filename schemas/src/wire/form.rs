//! The fields of the wire form with their types and units: what is written, and what the
//! published JSON Schema describes.

use std::net::IpAddr;

use serde::Serialize;

use super::WIRE_VERSION;
use crate::identity::DeviceId;
use crate::observation::{ByteKind, ConnState, Kind, Source, Transport};
use crate::time::EventTime;

/// One end of a flow: `"10.1.2.3:40123"`, `"[fd00::1]:502"`, a bare address where there are no
/// ports, or its parts.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum EndpointForm {
    /// Address and port as one text; the port may be left out.
    Text(String),
    /// Address and port apart.
    Parts {
        /// IPv4 or IPv6 address.
        address: IpAddr,
        /// Port; 0 or left out where there are none.
        #[serde(default)]
        port: u16,
    },
}

/// One record in its wire form. Which fields are needed depends on `kind`: a flow needs `orig`,
/// `resp` and `transport`; a reading at least one value; an attestation `firmware`; a resolution
/// `server`, `name`, `addresses` and `ttl_s`. Fields that are not listed are ignored.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(extend("required" = ["time"]))]
pub struct WireRecord<'a> {
    /// Version of this form: 1, also if left out.
    #[schemars(extend("const" = WIRE_VERSION))]
    pub v: u64,
    /// Which kind of record. May be left out where the topic says it.
    pub kind: Kind,
    /// The device it is about. May be left out where the topic says it, and in flows and
    /// resolutions, which are then attributed by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<&'a DeviceId>,
    /// When it happened; of a flow, when it ended.
    pub time: EventTime,
    /// When a reader first held it. Captures only: ignored in live payloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<EventTime>,
    /// Who sent it. Captures only: ignored in live payloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<&'a DeviceId>,
    /// Whether the transport proved the sender. Captures only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_proven: Option<bool>,
    /// Number given by the sender, counting up per device and kind; lets repeats be recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Where it came from when it was recorded. Captures only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a Source>,
    /// Flow: when it began; its end if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<EventTime>,
    /// Flow: the end that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig: Option<EndpointForm>,
    /// Flow: the end that was connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resp: Option<EndpointForm>,
    /// Flow: name of the responder, if one was seen (TLS SNI, HTTP host).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resp_name: Option<&'a str>,
    /// Flow: transport protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Flow: application protocol; several are separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'a str>,
    /// Flow: bytes from originator to responder so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig_bytes: Option<u64>,
    /// Flow: bytes from responder to originator so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resp_bytes: Option<u64>,
    /// Flow: what the byte counts count; payload if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteKind>,
    /// Flow: how far the connection got; unknown if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ConnState>,
    /// Flow: a running total of a flow that has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interim: Option<bool>,
    /// Flow: the sensor's own id of the flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<&'a str>,
    /// Flow: commands given since the record before of the same flow, each with how often:
    /// `modbus.read_coils=120 modbus.write_single_coil=3`. They went from originator to responder;
    /// `resp:` before a name says that the responder gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<&'a str>,
    /// Reading: current draw, amperes, not negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_a: Option<f32>,
    /// Reading: spindle speed, revolutions per minute, not negative whichever way it turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spindle_rpm: Option<f32>,
    /// Attestation: firmware version as the vendor writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<&'a str>,
    /// Attestation: SHA-256 of the image, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<&'a str>,
    /// Attestation: result of the TPM quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm_ok: Option<bool>,
    /// Resolution: the server that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<IpAddr>,
    /// Resolution: the name asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Resolution: the addresses in the answer; empty if it held none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<&'a [IpAddr]>,
    /// Resolution: how long the answer may be kept, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    /// Resolution: the address that asked, where no device is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
}
