//! S7 on ISO transport over TCP (RFC 1006): the jobs of controllers 300 and 400, their user data,
//! and the functions of their successor as far as it is not encrypted. Siemens publishes neither;
//! codes are those that open implementations agree on.

use super::{Found, Frame, Message, found};

/// TPKT: version 3, a reserved byte, a length that counts all.
pub(super) fn frame(bytes: &[u8]) -> Frame {
    match bytes {
        [3, 0, high, low, ..] => match usize::from(u16::from_be_bytes([*high, *low])) {
            length if length >= 7 => Frame::Whole(length),
            _ => Frame::Strange,
        },
        [] | [3] | [3, 0] | [3, 0, _] => Frame::Short,
        _ => Frame::Strange,
    }
}

pub(super) fn command(message: &Message<'_>) -> Option<Found> {
    // COTP: how long its header is, and that it carries data.
    if message.byte(5)? & 0xf0 != 0xf0 {
        return None;
    }
    let at = 5 + usize::from(message.byte(4)?);
    match (message.byte(at)?, message.byte(at + 1)?) {
        (0x32, 1) => job(message, at + 10),
        (0x32, 7) => user_data(message, at + 10),
        (0x72, version) => plus(message, at + 4, version),
        _ => None,
    }
}

/// A job: its parameters begin with the function.
fn job(message: &Message<'_>, at: usize) -> Option<Found> {
    Some(found(match message.byte(at)? {
        0x00 => "s7comm.cpu_services",
        0x04 => "s7comm.read_var",
        0x05 => "s7comm.write_var",
        0x1a => "s7comm.request_download",
        // The controller asks for these, once it was told to take a block.
        0x1b => return Some(for_peer("s7comm.download_block")),
        0x1c => return Some(for_peer("s7comm.download_ended")),
        0x1d => "s7comm.start_upload",
        0x1e => "s7comm.upload",
        0x1f => "s7comm.end_upload",
        0x28 => program_invocation(message, at),
        0x29 => "s7comm.plc_stop",
        0xf0 => "s7comm.setup_communication",
        _ => "s7comm.other",
    }))
}

const fn for_peer(name: &'static str) -> Found {
    Found {
        name,
        for_peer: true,
    }
}

/// A service of the program: seven bytes, an argument, the service's name.
fn program_invocation(message: &Message<'_>, at: usize) -> &'static str {
    let argument = usize::from(message.big(at + 8).unwrap_or(0));
    let name_at = at + 10 + argument;
    let length = usize::from(message.byte(name_at).unwrap_or(0));
    let name = message.bytes.get(name_at + 1..name_at + 1 + length);
    let cold = message.bytes.get(at + 10..at + 12) == Some(b"C ") && argument >= 2;
    match name.unwrap_or_default() {
        b"P_PROGRAM" if cold => "s7comm.plc_restart",
        b"P_PROGRAM" => "s7comm.plc_start",
        b"_INSE" => "s7comm.insert_block",
        b"_DELE" => "s7comm.delete_block",
        b"_GARB" => "s7comm.compress_memory",
        b"_MODU" => "s7comm.copy_ram_to_rom",
        _ => "s7comm.pi_service",
    }
}

/// User data: `00 01 12`, a length, the method, then type and group in one byte, the subfunction.
fn user_data(message: &Message<'_>, at: usize) -> Option<Found> {
    let kind = message.byte(at + 5)?;
    if kind >> 4 != 4 {
        // Not a request: an answer, or what was asked for before.
        return None;
    }
    Some(found(match (kind & 0x0f, message.byte(at + 6)?) {
        (1, _) => "s7comm.programmer_commands",
        (2, _) => "s7comm.cyclic_data",
        (3, _) => "s7comm.list_blocks",
        (4, 1) => "s7comm.read_szl",
        (4, _) => "s7comm.cpu_services",
        (5, _) => "s7comm.security",
        (7, 1 | 3) => "s7comm.read_clock",
        (7, _) => "s7comm.set_clock",
        _ => "s7comm.other",
    }))
}

/// The successor: from version 3 on a digest goes before the data; `31` is a request.
fn plus(message: &Message<'_>, at: usize, version: u8) -> Option<Found> {
    let at = match version {
        1 | 2 => at,
        3 => at + 1 + usize::from(message.byte(at)?),
        _ => return None,
    };
    if message.byte(at)? != 0x31 {
        return None;
    }
    Some(found(match message.big(at + 3)? {
        0x04bb => "s7comm_plus.explore",
        0x04ca => "s7comm_plus.create_object",
        0x04d4 => "s7comm_plus.delete_object",
        0x04f2 => "s7comm_plus.set_variable",
        0x04fc => "s7comm_plus.get_variable",
        0x0524 => "s7comm_plus.get_link",
        0x0542 => "s7comm_plus.set_multi_variables",
        0x054c => "s7comm_plus.get_multi_variables",
        0x0556 => "s7comm_plus.begin_sequence",
        0x0560 => "s7comm_plus.end_sequence",
        0x056b => "s7comm_plus.invoke",
        0x0586 => "s7comm_plus.get_substream",
        _ => "s7comm_plus.other",
    }))
}
