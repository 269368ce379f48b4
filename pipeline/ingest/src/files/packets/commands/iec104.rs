//! IEC 60870-5-104: what is sent in control direction, by type identification and cause.

use super::{Found, Frame, Message, found};

/// `68`, then the length of what follows.
pub(super) fn frame(bytes: &[u8]) -> Frame {
    match bytes {
        [0x68, length @ 4..=253, ..] => Frame::Whole(2 + usize::from(*length)),
        [] | [0x68] => Frame::Short,
        _ => Frame::Strange,
    }
}

pub(super) fn command(message: &Message<'_>) -> Option<Found> {
    let control = message.byte(2)?;
    if control & 3 == 3 {
        // A frame without a number: the half that asks. Tests of the link are no commands.
        return Some(found(match control {
            0x07 => "iec104.start_data_transfer",
            0x13 => "iec104.stop_data_transfer",
            _ => return None,
        }));
    }
    if control & 1 == 1 {
        return None;
    }
    let kind = message.byte(6)?;
    // Requested, activated, deactivated; confirmations and terminations come back.
    let asked = matches!(message.byte(8)? & 0x3f, 5 | 6 | 8);
    Some(found(match kind {
        // A file's parts go either way; who sends them is the client's doing only if it does.
        122 if message.asks => "iec104.file_call",
        120 | 121 | 123 | 125 if message.asks => "iec104.file_transfer",
        _ if !asked => return None,
        45 | 58 => "iec104.single_command",
        46 | 59 => "iec104.double_command",
        47 | 60 => "iec104.regulating_step_command",
        48..=50 | 61..=63 => "iec104.set_point_command",
        51 | 64 => "iec104.bitstring_command",
        100 => "iec104.interrogation",
        101 => "iec104.counter_interrogation",
        102 => "iec104.read",
        103 => "iec104.clock_synchronisation",
        104 | 107 => "iec104.test_command",
        105 => "iec104.reset_process",
        106 => "iec104.delay_acquisition",
        110..=112 => "iec104.parameter",
        113 => "iec104.parameter_activation",
        // Values that were requested, in monitor direction.
        0..=44 | 70 => return None,
        _ => "iec104.other",
    }))
}
