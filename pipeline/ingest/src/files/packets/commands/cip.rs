//! EtherNet/IP and CIP (ODVA, volumes 1 and 2; Rockwell 1756-PM020): what the encapsulation asks
//! for, and the services inside, those packed into another included.

use super::{Found, Frame, Message, found};

/// Most services of one message that are read, those that carry others included.
const SERVICES_MAX: u8 = 64;

/// Classes of objects whose services have meanings of their own.
const CONNECTION_MANAGER: u16 = 0x06;
const FILE: u16 = 0x37;
const PCCC: u16 = 0x67;
const SYMBOL: u16 = 0x6b;
/// Of Rockwell's controllers, for engineering tools: not published, known from captures.
const CONTROLLER: u16 = 0x8e;

/// A header of 24 bytes that begins with a command that exists and the length of what follows it.
pub(super) fn frame(bytes: &[u8]) -> Frame {
    let [a, b, c, d, ..] = bytes else {
        return Frame::Short;
    };
    match u16::from_le_bytes([*a, *b]) {
        0x00 | 0x01 | 0x04 | 0x63..=0x66 | 0x6f..=0x73 => {
            Frame::Whole(24 + usize::from(u16::from_le_bytes([*c, *d])))
        }
        _ => Frame::Strange,
    }
}

pub(super) fn commands(message: &Message<'_>, tell: &mut dyn FnMut(Found)) {
    let Some(command) = message.little(0) else {
        return;
    };
    match command {
        0x6f | 0x70 => items(message, tell),
        _ if !message.asks => {}
        0x04 => tell(found("cip.list_services")),
        0x63 => tell(found("cip.list_identity")),
        0x64 => tell(found("cip.list_interfaces")),
        0x65 => tell(found("cip.register_session")),
        0x66 => tell(found("cip.unregister_session")),
        _ => {}
    }
}

/// Items of a common packet: of data without a connection, or behind a number within one.
fn items(message: &Message<'_>, tell: &mut dyn FnMut(Found)) {
    let count = message.little(30).unwrap_or(0).min(4);
    let mut left = SERVICES_MAX;
    let mut at = 32;
    for _ in 0..count {
        let (Some(kind), Some(length)) = (message.little(at), message.little(at + 2)) else {
            return;
        };
        let skip = match kind {
            0xb2 => Some(0),
            0xb1 => Some(2),
            _ => None,
        };
        let end = (at + 4 + usize::from(length)).min(message.bytes.len());
        let inside = skip.and_then(|skip| message.bytes.get(at + 4 + skip..end));
        if let Some(bytes) = inside {
            service(bytes, &mut left, tell);
        }
        at += 4 + usize::from(length);
    }
}

/// A service: its code, the path in words of two bytes, its data.
fn service(bytes: &[u8], left: &mut u8, tell: &mut dyn FnMut(Found)) {
    let ([code, words, rest @ ..], Some(fewer)) = (bytes, left.checked_sub(1)) else {
        return;
    };
    *left = fewer;
    let (path, data) = rest.split_at((2 * usize::from(*words)).min(rest.len()));
    let class = class(path);
    match (code, class) {
        // An answer.
        (0x80.., _) => {}
        (0x0a, _) => packed(data, left, tell),
        (0x52, Some(CONNECTION_MANAGER)) => routed(data, left, tell),
        _ => tell(found(name(*code, class, data))),
    }
}

fn class(path: &[u8]) -> Option<u16> {
    match path {
        [0x20, class, ..] => Some(u16::from(*class)),
        [0x21, _, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

/// Several services: how many, where each begins.
fn packed(data: &[u8], left: &mut u8, tell: &mut dyn FnMut(Found)) {
    let word = |at: usize| Some(u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let count = usize::from(word(0).unwrap_or(0)).min(usize::from(SERVICES_MAX));
    for item in 0..count {
        // None begins within the table.
        let from = word(2 + 2 * item).map(usize::from);
        let from = from.filter(|from| *from >= 2 + 2 * count);
        if let Some(bytes) = from.and_then(|from| data.get(from..)) {
            service(bytes, left, tell);
        }
    }
}

/// A service for another module: two bytes of time, its length, the service.
fn routed(data: &[u8], left: &mut u8, tell: &mut dyn FnMut(Found)) {
    let [_, _, low, high, rest @ ..] = data else {
        return;
    };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    service(&rest[..length.min(rest.len())], left, tell);
}

fn name(code: u8, class: Option<u16>, data: &[u8]) -> &'static str {
    match (code, class) {
        (0x01, _) => "cip.get_attributes_all",
        (0x02, _) => "cip.set_attributes_all",
        (0x03, _) => "cip.get_attribute_list",
        (0x04, _) => "cip.set_attribute_list",
        (0x05, _) => "cip.reset",
        (0x06, _) => "cip.start",
        (0x07, _) => "cip.stop",
        (0x08, _) => "cip.create",
        (0x09, _) => "cip.delete",
        (0x0d, _) => "cip.apply_attributes",
        (0x0e, _) => "cip.get_attribute_single",
        (0x10, _) => "cip.set_attribute_single",
        (0x11, _) => "cip.find_next_object_instance",
        (0x15, _) => "cip.restore",
        (0x16, _) => "cip.save",
        (0x17, _) => "cip.nop",
        (0x18, _) => "cip.get_member",
        (0x19, _) => "cip.set_member",
        (0x1a, _) => "cip.insert_member",
        (0x1b, _) => "cip.remove_member",
        (0x1c, _) => "cip.group_sync",
        (0x4e, Some(CONNECTION_MANAGER)) => "cip.forward_close",
        (0x54 | 0x5b, Some(CONNECTION_MANAGER)) => "cip.forward_open",
        (0x4b, Some(PCCC)) => pccc(data),
        (0x4b | 0x4d, Some(FILE)) => "cip.initiate_upload",
        (0x4c, Some(FILE)) => "cip.initiate_download",
        (0x4f, Some(FILE)) => "cip.upload_transfer",
        (0x50, Some(FILE)) => "cip.download_transfer",
        (0x51, Some(FILE)) => "cip.file_delete",
        (0x55, Some(SYMBOL)) => "cip.get_instance_attribute_list",
        (0x4c, Some(CONTROLLER)) => "cip.unlock_controller",
        (0x20.., Some(CONTROLLER)) => "cip.change_mode",
        (0x4c, _) => "cip.read_tag",
        (0x4d, _) => "cip.write_tag",
        (0x4e, _) => "cip.read_modify_write_tag",
        (0x52, _) => "cip.read_tag_fragmented",
        (0x53, _) => "cip.write_tag_fragmented",
        _ => "cip.other",
    }
}

/// A command of older controllers (DF1): who asks, with its length, then command, status, number
/// and function.
fn pccc(data: &[u8]) -> &'static str {
    let at = usize::from(data.first().copied().unwrap_or(0));
    match (data.get(at), data.get(at + 4)) {
        // Unprotected reads, typed or logical ones, and what it is.
        (Some(0x01), _)
        | (Some(0x06), Some(0x03))
        | (Some(0x0f), Some(0x01 | 0x04 | 0x29 | 0x68 | 0xa1 | 0xa2)) => "cip.pccc_read",
        (Some(0x0f), Some(0x3a | 0x80 | 0x0d)) => "cip.change_mode",
        (Some(0x0f), Some(0x53)) => "cip.pccc_upload",
        (Some(0x0f), Some(0x50 | 0x52)) => "cip.pccc_download",
        _ => "cip.pccc_write",
    }
}
