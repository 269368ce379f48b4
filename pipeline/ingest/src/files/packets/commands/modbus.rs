//! Modbus/TCP (Modbus Messaging on TCP/IP V1.0b, Application Protocol V1.1b3), and the function
//! 90 under which Schneider's controllers carry their engineering interface, UMAS.

use super::{Found, Frame, Message, found};

/// Seven bytes before the function: transaction, protocol 0, length of what follows, unit.
pub(super) fn frame(bytes: &[u8]) -> Frame {
    let [_, _, protocol @ 0, _, high, low, ..] = bytes else {
        return if bytes.len() < 6 {
            Frame::Short
        } else {
            Frame::Strange
        };
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if bytes[3] == *protocol && (2..=254).contains(&length) {
        Frame::Whole(6 + length)
    } else {
        Frame::Strange
    }
}

pub(super) fn command(message: &Message<'_>) -> Option<Found> {
    if !message.asks {
        return None;
    }
    Some(found(match message.byte(7)? {
        1 => "modbus.read_coils",
        2 => "modbus.read_discrete_inputs",
        3 => "modbus.read_holding_registers",
        4 => "modbus.read_input_registers",
        5 => "modbus.write_single_coil",
        6 => "modbus.write_single_register",
        7 => "modbus.read_exception_status",
        8 => match message.big(8) {
            Some(1) => "modbus.restart_communications",
            Some(4) => "modbus.force_listen_only",
            _ => "modbus.diagnostics",
        },
        11 => "modbus.get_comm_event_counter",
        12 => "modbus.get_comm_event_log",
        15 => "modbus.write_multiple_coils",
        16 => "modbus.write_multiple_registers",
        17 => "modbus.report_server_id",
        20 => "modbus.read_file_record",
        21 => "modbus.write_file_record",
        22 => "modbus.mask_write_register",
        23 => "modbus.read_write_multiple_registers",
        24 => "modbus.read_fifo_queue",
        43 if message.byte(8) == Some(14) => "modbus.read_device_identification",
        43 => "modbus.encapsulated_interface",
        90 => umas(message.byte(9)),
        _ => "modbus.other",
    }))
}

/// Behind the function a session's key, then the code. Its makers call a program's way into the
/// controller an upload (0x30 to 0x32), and its way out a download (0x33 to 0x35).
fn umas(code: Option<u8>) -> &'static str {
    match code {
        Some(0x10..=0x12) => "modbus.umas_reservation",
        Some(0x21 | 0x23 | 0x25 | 0x71) => "modbus.umas_write",
        Some(0x30..=0x32) => "modbus.umas_program_download",
        Some(0x33..=0x35) => "modbus.umas_program_upload",
        Some(0x40) => "modbus.umas_start",
        Some(0x41) => "modbus.umas_stop",
        _ => "modbus.umas",
    }
}
