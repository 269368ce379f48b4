//! What goes through a tunnel: IP in IP, GRE (RFC 2784, 2890), mirrored ports (ERSPAN), VXLAN
//! (RFC 7348). Switches carry the traffic of a plant's cells to a sensor this way.

use super::container::Captured;
use super::network::Datagram;
use andon_schemas::time::EventTime;

/// Protocol numbers.
const IPV4_INSIDE: u8 = 4;
const UDP: u8 = 17;
const IPV6_INSIDE: u8 = 41;
const GRE: u8 = 47;

/// What GRE carries, by the types of Ethernet.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ETHERNET: u16 = 0x6558;
const MIRRORED: u16 = 0x88be;
const MIRRORED_III: u16 = 0x22eb;

const VXLAN_PORT: [u8; 2] = 4_789_u16.to_be_bytes();

/// Link types of what is inside.
const LINK_ETHERNET: u16 = 1;
const LINK_IP: u16 = 101;

/// The packet inside a whole datagram, as if it had been captured itself; `None` if there is none.
pub(super) fn inside<'a>(time: EventTime, datagram: &Datagram<'a>) -> Option<Captured<'a>> {
    if datagram.fragment.is_some() {
        return None;
    }
    let (link, at) = match datagram.protocol {
        IPV4_INSIDE | IPV6_INSIDE => (LINK_IP, 0),
        GRE => gre(datagram.payload)?,
        UDP => (LINK_ETHERNET, vxlan(datagram.payload)?),
        _ => return None,
    };
    let data = datagram.payload.get(at..)?;
    Some(Captured {
        time,
        link,
        length: datagram.length.saturating_sub(at).max(data.len()),
        data,
    })
}

/// The link type of what GRE carries, and where it begins.
fn gre(bytes: &[u8]) -> Option<(u16, usize)> {
    let flags = *bytes.first()?;
    // Another version is that of point-to-point tunnels.
    if bytes.get(1)? & 7 != 0 {
        return None;
    }
    let options = [0x80, 0x20, 0x10].map(|option| flags & option != 0);
    let at = 4 + 4 * options.into_iter().filter(|option| *option).count();
    let is_numbered = options[2];
    Some(match u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]) {
        IPV4 | IPV6 => (LINK_IP, at),
        ETHERNET => (LINK_ETHERNET, at),
        // Without a sequence number it is of the first kind, which has no header.
        MIRRORED if !is_numbered => (LINK_ETHERNET, at),
        MIRRORED => (LINK_ETHERNET, at + 8),
        MIRRORED_III => {
            let has_more = bytes.get(at + 11)? & 1 != 0;
            (LINK_ETHERNET, at + if has_more { 20 } else { 12 })
        }
        _ => return None,
    })
}

/// Where the frame in a datagram of VXLAN begins.
fn vxlan(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(8..16)?;
    (bytes.get(2..4)? == VXLAN_PORT && header[..4] == [8, 0, 0, 0] && header[7] == 0).then_some(16)
}
