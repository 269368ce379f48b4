//! What lies below IP: the header of the link is taken off, with its VLAN tags.

use andon_schemas::reject::RejectReason;

use crate::refused::Refused;

/// Most tags that are taken off one frame; two are in use.
const TAGS_MAX: usize = 8;

/// Values of the type field.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;
const VLAN_TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
const PPPOE_SESSION: u16 = 0x8864;

/// Below this the type field of a frame is its length, and an LLC header follows.
const TYPES_FROM: u16 = 0x0600;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Carried<'a> {
    /// Its type; below [`TYPES_FROM`] it is LLC.
    pub(super) kind: u16,
    /// What it is.
    pub(super) payload: &'a [u8],
    /// Where in the frame that begins.
    pub(super) at: usize,
}

/// Takes the header of a link off; `None` if the link type is not known.
///
/// # Errors
/// A frame that is shorter than its header.
pub(super) fn strip(link: u16, frame: &[u8]) -> Option<Result<Carried<'_>, Refused>> {
    let stripped = match link {
        0 | 108 => by_version(frame, 4),
        1 => word(frame, 12).and_then(|kind| tagged(frame, kind, 14)),
        12 | 14 | 101 | 228 | 229 => by_version(frame, 0),
        113 => word(frame, 14).and_then(|kind| tagged(frame, kind, 16)),
        276 => word(frame, 0).and_then(|kind| tagged(frame, kind, 20)),
        _ => return None,
    };
    Some(stripped.ok_or_else(|| {
        Refused::new(
            RejectReason::Malformed,
            format!(
                "frame of {} bytes is shorter than its {} header",
                frame.len(),
                link_name(link)
            ),
        )
    }))
}

/// IP without a type field, or with one whose values differ from system to system.
fn by_version(frame: &[u8], at: usize) -> Option<Carried<'_>> {
    let payload = frame.get(at..)?;
    let kind = if payload.first()? >> 4 == 6 {
        IPV6
    } else {
        IPV4
    };
    Some(Carried { kind, payload, at })
}

fn tagged(frame: &[u8], mut kind: u16, mut at: usize) -> Option<Carried<'_>> {
    let mut tags = 0;
    while VLAN_TAGS.contains(&kind) && tags < TAGS_MAX {
        kind = word(frame, at + 2)?;
        at += 4;
        tags += 1;
    }
    if kind == PPPOE_SESSION {
        match word(frame, at + 6)? {
            0x0021 => (kind, at) = (IPV4, at + 8),
            0x0057 => (kind, at) = (IPV6, at + 8),
            _ => {}
        }
    } else if kind < TYPES_FROM && frame.get(at..at + 6) == Some(&[0xaa, 0xaa, 3, 0, 0, 0]) {
        (kind, at) = (word(frame, at + 6)?, at + 8);
    }
    let payload = frame.get(at..)?;
    Some(Carried { kind, payload, at })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// A link type by the name of its registry.
pub(super) fn link_name(link: u16) -> String {
    let name = match link {
        0 => "NULL",
        1 => "Ethernet",
        9 | 50 => "PPP",
        12 | 14 | 101 => "raw IP",
        104 => "Cisco HDLC",
        105 => "IEEE 802.11",
        108 => "LOOP",
        113 => "Linux cooked",
        119 | 127 | 163 => "IEEE 802.11 with radio header",
        187 | 201 => "Bluetooth HCI",
        189 | 220 | 249 => "USB",
        190 | 227 => "CAN",
        195 | 215 | 230 | 283 => "IEEE 802.15.4",
        228 => "raw IPv4",
        229 => "raw IPv6",
        276 => "Linux cooked v2",
        _ => return format!("link type {link}"),
    };
    format!("{name} (link type {link})")
}

/// The name of what a frame carries, as people know it.
pub(super) fn kind_name(kind: u16) -> String {
    let name = match kind {
        ARP => "ARP",
        0x8035 => "RARP",
        0x8847 | 0x8848 => "MPLS",
        0x8863 | PPPOE_SESSION => "PPPoE",
        0x8892 => "PROFINET",
        0x888e => "EAPOL",
        0x88a4 => "EtherCAT",
        0x88ab => "POWERLINK",
        0x88b8 => "GOOSE",
        0x88ba => "sampled values",
        0x88cc => "LLDP",
        0x88cd => "SERCOS III",
        0x88e5 => "MACsec",
        0x88f7 => "PTP",
        0x9000 => "loopback test",
        kind if kind < TYPES_FROM => return "LLC (802.3)".to_owned(),
        _ => return format!("type {kind:#06x}"),
    };
    format!("{name} ({kind:#06x})")
}
