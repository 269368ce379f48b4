//! DNP3 (IEEE 1815-2012, clause 4.2): the function code of requests.

use super::{Found, Frame, Message, found};

/// `05 64`, then a length that counts control, addresses and data, without check sums: two bytes
/// for the header and for each sixteen of data.
pub(super) fn frame(bytes: &[u8]) -> Frame {
    match bytes {
        [0x05, 0x64, length, ..] if *length >= 5 => {
            let data = usize::from(*length) - 5;
            Frame::Whole(10 + data + 2 * data.div_ceil(16))
        }
        [] | [0x05] | [0x05, 0x64] => Frame::Short,
        _ => Frame::Strange,
    }
}

pub(super) fn command(message: &Message<'_>) -> Option<Found> {
    // Only the first part of a message that is sent in several names its function.
    if message.byte(10)? & 0x40 == 0 {
        return None;
    }
    Some(found(match message.byte(12)? {
        1 => "dnp3.read",
        // Group 70 is a file.
        2 if message.byte(13) == Some(70) => "dnp3.write_file",
        2 => "dnp3.write",
        3 => "dnp3.select",
        4 => "dnp3.operate",
        5 => "dnp3.direct_operate",
        6 => "dnp3.direct_operate_no_ack",
        7 => "dnp3.immediate_freeze",
        8 => "dnp3.immediate_freeze_no_ack",
        9 => "dnp3.freeze_clear",
        10 => "dnp3.freeze_clear_no_ack",
        11 => "dnp3.freeze_at_time",
        12 => "dnp3.freeze_at_time_no_ack",
        13 => "dnp3.cold_restart",
        14 => "dnp3.warm_restart",
        15 => "dnp3.initialize_data",
        16 => "dnp3.initialize_application",
        17 => "dnp3.start_application",
        18 => "dnp3.stop_application",
        19 => "dnp3.save_configuration",
        20 => "dnp3.enable_unsolicited",
        21 => "dnp3.disable_unsolicited",
        22 => "dnp3.assign_class",
        23 => "dnp3.delay_measurement",
        24 => "dnp3.record_current_time",
        25 => "dnp3.open_file",
        26 => "dnp3.close_file",
        27 => "dnp3.delete_file",
        28 => "dnp3.get_file_information",
        29 => "dnp3.authenticate_file",
        30 => "dnp3.abort_file",
        31 => "dnp3.activate_configuration",
        32 | 33 => "dnp3.authentication",
        // Taking note of a response, and responses: solicited, unsolicited, of authentication.
        0 | 129..=131 => return None,
        _ => "dnp3.other",
    }))
}
