//! IP: addresses, the protocol inside, and how long its payload was on the wire.

use std::net::IpAddr;

use andon_schemas::reject::RejectReason;
use etherparse::{Ipv6ExtensionSlice, LaxIpSlice};

use crate::refused::Refused;

/// Most bytes of a packet that does not say how long it is: the frame says it, and may be forged.
const UNSAID_BYTES_MAX: usize = 1 << 20;

/// A part of a datagram that was too long for the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// What its parts have in common.
    pub(super) id: u32,
    /// Where in the datagram's payload it begins, bytes.
    pub(super) at: usize,
}

/// An IP packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Number of the protocol inside.
    pub(super) protocol: u8,
    /// As much of its payload as was captured.
    pub(super) payload: &'a [u8],
    /// Bytes of its payload on the wire.
    pub(super) length: usize,
    /// Which part of a datagram it is, if it is not the whole.
    pub(super) fragment: Option<Fragment>,
}

/// Reads an IP packet; `wire` is its length on the wire as far as the frame tells.
///
/// # Errors
/// Says which header is damaged.
pub(super) fn datagram(packet: &[u8], wire: usize) -> Result<Datagram<'_>, Refused> {
    let (ip, stopped) = LaxIpSlice::from_slice(packet)
        .map_err(|error| malformed(format!("IP header cannot be read: {error}")))?;
    if let Some((error, _)) = stopped {
        return Err(malformed(format!(
            "IP extension header cannot be read: {error}"
        )));
    }
    let (headers, claimed) = match &ip {
        LaxIpSlice::Ipv4(v4) => {
            let header = v4.header();
            let headers = header.slice().len();
            let total = usize::from(header.total_len());
            let auth = v4.extensions().auth.map_or(0, |auth| auth.slice().len());
            if total != 0 && total < headers + auth {
                return Err(malformed(format!(
                    "IP header says the packet is {total} bytes long, its headers alone are {}",
                    headers + auth
                )));
            }
            (headers + auth, total)
        }
        LaxIpSlice::Ipv6(v6) => {
            let length = usize::from(v6.header().payload_length());
            let headers = 40 + v6.extensions().slice().len();
            // A jumbogram says 0.
            (headers, if length == 0 { 0 } else { 40 + length })
        }
    };
    // A packet that the network card was to cut up later says 0, as a jumbogram does.
    let most = if claimed == 0 {
        UNSAID_BYTES_MAX
    } else {
        claimed
    };
    let total = wire.min(most);
    let payload = ip.payload();
    Ok(Datagram {
        source: ip.source_addr(),
        destination: ip.destination_addr(),
        protocol: payload.ip_number.0,
        payload: payload.payload,
        length: total.saturating_sub(headers),
        fragment: fragment(&ip),
    })
}

fn fragment(ip: &LaxIpSlice<'_>) -> Option<Fragment> {
    if !ip.is_fragmenting_payload() {
        return None;
    }
    match ip {
        LaxIpSlice::Ipv4(v4) => {
            let header = v4.header();
            Some(Fragment {
                id: u32::from(header.identification()),
                at: usize::from(header.fragments_offset().value()) * 8,
            })
        }
        LaxIpSlice::Ipv6(v6) => v6.extensions().clone().into_iter().find_map(|header| {
            let Ipv6ExtensionSlice::Fragment(header) = header else {
                return None;
            };
            Some(Fragment {
                id: header.identification(),
                at: usize::from(header.fragment_offset().value()) * 8,
            })
        }),
    }
}

fn malformed(detail: String) -> Refused {
    Refused::new(RejectReason::Malformed, detail)
}
