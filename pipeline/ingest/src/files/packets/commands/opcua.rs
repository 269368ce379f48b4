//! OPC UA, binary over TCP (IEC 62541-6), as far as its messages are not encrypted.

use super::{Found, Frame, Message, found};

/// Longer messages are sent in chunks.
const CHUNK_BYTES_MAX: u32 = 1 << 24;

/// Three letters, whether more follows, a length that counts all.
pub(super) fn frame(bytes: &[u8]) -> Frame {
    let [_, _, _, b'F' | b'C' | b'A', a, b, c, d, ..] = bytes else {
        return if bytes.len() < 8 {
            Frame::Short
        } else {
            Frame::Strange
        };
    };
    match u32::from_le_bytes([*a, *b, *c, *d]) {
        length @ 8..CHUNK_BYTES_MAX => Frame::Whole(length as usize),
        _ => Frame::Strange,
    }
}

pub(super) fn command(message: &Message<'_>) -> Option<Found> {
    if !message.asks {
        return None;
    }
    match message.bytes.get(..3)? {
        b"OPN" => Some(found("opcua.open_secure_channel")),
        b"CLO" => Some(found("opcua.close_secure_channel")),
        b"MSG" => request(message),
        _ => None,
    }
}

/// Behind channel, token, number and request: the type of the body, as a node of namespace 0 with
/// a number of two bytes. Anything else is encrypted, or no request of the standard.
fn request(message: &Message<'_>) -> Option<Found> {
    if message.bytes.get(24..26)? != [1, 0] {
        return None;
    }
    Some(found(match message.little(26)? {
        422 => "opcua.find_servers",
        428 => "opcua.get_endpoints",
        461 => "opcua.create_session",
        467 => "opcua.activate_session",
        473 => "opcua.close_session",
        488 | 494 => "opcua.add_nodes",
        500 | 506 => "opcua.delete_nodes",
        527 | 533 | 554 | 560 => "opcua.browse",
        631 => "opcua.read",
        664 => "opcua.history_read",
        673 => "opcua.write",
        700 => "opcua.history_update",
        712 => "opcua.call",
        751 | 763 | 769 | 781 | 787 | 793 | 799 | 847 => "opcua.subscribe",
        826 | 832 => "opcua.publish",
        _ => "opcua.other",
    }))
}
