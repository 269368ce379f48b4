//! BACnet/IP (ASHRAE 135): services that are asked for or announced, clause 21.

use super::{Found, Frame, Message, found};

/// Type, function, length; over UDP each datagram is one.
pub(super) fn frame(bytes: &[u8]) -> Frame {
    match bytes {
        [0x81, _, high, low, ..] => match usize::from(u16::from_be_bytes([*high, *low])) {
            length if length >= 4 => Frame::Whole(length),
            _ => Frame::Strange,
        },
        [] | [0x81] | [0x81, _] | [0x81, _, _] => Frame::Short,
        _ => Frame::Strange,
    }
}

pub(super) fn command(message: &Message<'_>) -> Option<Found> {
    // A forwarded message names its sender first.
    let network = match message.byte(1)? {
        0x04 => 10,
        0x09..=0x0b => 4,
        _ => return None,
    };
    let at = application(message, network)?;
    let head = message.byte(at)?;
    Some(found(match head >> 4 {
        0 => confirmed(message.byte(at + if head & 0x08 == 0 { 3 } else { 5 })?),
        1 => unconfirmed(message.byte(at + 1)?),
        _ => return None,
    }))
}

/// Where the application's part begins, behind the network's; `None` if it has none.
fn application(message: &Message<'_>, network: usize) -> Option<usize> {
    let control = message.byte(network + 1)?;
    if control & 0x80 != 0 {
        return None;
    }
    let mut at = network + 2;
    if control & 0x20 != 0 {
        at += 3 + usize::from(message.byte(at + 2)?);
    }
    if control & 0x08 != 0 {
        at += 3 + usize::from(message.byte(at + 2)?);
    }
    // How many networks it may still pass.
    Some(at + usize::from(control & 0x20 != 0))
}

fn confirmed(service: u8) -> &'static str {
    match service {
        0 => "bacnet.acknowledge_alarm",
        1 | 2 | 31 => "bacnet.confirmed_notification",
        3 | 4 => "bacnet.get_alarm_summary",
        5 | 28 | 30 => "bacnet.subscribe_cov",
        6 => "bacnet.atomic_read_file",
        7 => "bacnet.atomic_write_file",
        8 => "bacnet.add_list_element",
        9 => "bacnet.remove_list_element",
        10 => "bacnet.create_object",
        11 => "bacnet.delete_object",
        12 => "bacnet.read_property",
        14 => "bacnet.read_property_multiple",
        15 => "bacnet.write_property",
        16 => "bacnet.write_property_multiple",
        17 => "bacnet.device_communication_control",
        18 => "bacnet.private_transfer",
        19 => "bacnet.text_message",
        20 => "bacnet.reinitialize_device",
        21..=23 => "bacnet.virtual_terminal",
        26 => "bacnet.read_range",
        27 => "bacnet.life_safety_operation",
        29 => "bacnet.get_event_information",
        _ => "bacnet.other",
    }
}

fn unconfirmed(service: u8) -> &'static str {
    match service {
        0 => "bacnet.i_am",
        1 => "bacnet.i_have",
        2 | 3 | 11 => "bacnet.unconfirmed_notification",
        4 => "bacnet.private_transfer",
        5 => "bacnet.text_message",
        6 | 9 => "bacnet.time_synchronization",
        7 => "bacnet.who_has",
        8 => "bacnet.who_is",
        10 => "bacnet.write_property",
        _ => "bacnet.other",
    }
}
