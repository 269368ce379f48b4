//! Answers of DNS (RFC 1035): the name asked for and the addresses it has.

use std::net::IpAddr;

use andon_schemas::observation::Resolution;
use andon_schemas::reject::RejectReason;
use andon_schemas::wire::ADDRESSES_MAX;

use crate::refused::Refused;

/// Most labels and references that are followed for one name.
const STEPS_MAX: usize = 128;

/// Types of records that hold an address.
const A: u16 = 1;
const AAAA: u16 = 28;

/// What a message answers; `None` if it is a question, asks nothing, or is damaged: then it is
/// traffic like any other.
///
/// # Errors
/// More addresses than a record may carry.
pub(super) fn answer(message: &[u8], server: IpAddr) -> Result<Option<Resolution>, Refused> {
    let Some(resolution) = read(message, server) else {
        return Ok(None);
    };
    if resolution.addresses.len() > ADDRESSES_MAX {
        return Err(Refused::new(
            RejectReason::OutOfRange,
            format!(
                "dns answer holds {} addresses, at most {ADDRESSES_MAX}",
                resolution.addresses.len()
            ),
        ));
    }
    Ok(Some(resolution))
}

fn read(message: &[u8], server: IpAddr) -> Option<Resolution> {
    let is_answer = message.get(2)? & 0x80 != 0;
    let [questions, answers] = [word(message, 4)?, word(message, 6)?];
    if !is_answer || questions == 0 {
        return None;
    }
    let mut at = 12;
    let name = name(message, &mut at)?;
    at += 4;
    for _ in 1..questions {
        skip_name(message, &mut at)?;
        at += 4;
    }
    let mut addresses = Vec::new();
    let mut ttl_s: Option<u32> = None;
    for _ in 0..answers {
        skip_name(message, &mut at)?;
        let kind = word(message, at)?;
        let ttl = u32::from(word(message, at + 4)?) << 16 | u32::from(word(message, at + 6)?);
        let length = usize::from(word(message, at + 8)?);
        at += 10;
        let data = message.get(at..at + length)?;
        at += length;
        let address = match kind {
            A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            AAAA => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        };
        if let Some(address) = address {
            addresses.push(address);
            ttl_s = Some(ttl_s.map_or(ttl, |least| least.min(ttl)));
        }
    }
    Some(Resolution {
        server,
        name,
        addresses,
        ttl_s: ttl_s.unwrap_or(0),
    })
}

/// The name at a place, lower case; the place moves behind it.
fn name(message: &[u8], at: &mut usize) -> Option<String> {
    let mut name = String::new();
    let mut from = *at;
    skip_name(message, at)?;
    for _ in 0..STEPS_MAX {
        match *message.get(from)? {
            0 => return Some(name),
            length @ 1..=63 => {
                let label = message.get(from + 1..=from + usize::from(length))?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label).to_lowercase());
                from += 1 + usize::from(length);
            }
            0xc0.. => from = usize::from(word(message, from)? & 0x3fff),
            _ => return None,
        }
    }
    None
}

fn skip_name(message: &[u8], at: &mut usize) -> Option<()> {
    loop {
        match *message.get(*at)? {
            0 => {
                *at += 1;
                return Some(());
            }
            length @ 1..=63 => *at += 1 + usize::from(length),
            0xc0.. => {
                *at += 2;
                return Some(());
            }
            _ => return None,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 53));

    /// An answer for `PLC.example` by way of another name, with addresses of both kinds.
    pub(super) fn message() -> Vec<u8> {
        let mut message = vec![0, 7, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0];
        message.extend(b"\x03PLC\x07example\x00\x00\x01\x00\x01");
        message.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x09\x00\x04\x01x\xc0\x10");
        message.extend(b"\xc0\x2b\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\x0a\x00\x00\x09");
        message.extend(b"\xc0\x2b\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10");
        message.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        message
    }

    #[test]
    fn addresses_are_those_of_the_name_asked_for() {
        let resolution = answer(&message(), SERVER).unwrap().unwrap();
        let addresses: Vec<IpAddr> = ["10.0.0.9", "fd00::9"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        assert_eq!(
            resolution,
            Resolution {
                server: SERVER,
                name: "plc.example".into(),
                addresses,
                ttl_s: 60,
            }
        );
    }

    #[test]
    fn a_question_or_a_name_that_never_ends_answers_nothing() {
        let mut question = message();
        question[2] = 1;
        assert_eq!(answer(&question, SERVER), Ok(None));
        let mut turning = message();
        turning[12] = 0xc0;
        turning[13] = 12;
        assert_eq!(answer(&turning, SERVER), Ok(None));
    }

    #[test]
    fn more_addresses_than_a_record_carries_are_refused() {
        let mut many = vec![0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
        let count = u16::try_from(ADDRESSES_MAX + 1).unwrap();
        many[6..8].copy_from_slice(&count.to_be_bytes());
        many.extend(b"\x01a\x00\x00\x01\x00\x01");
        for _ in 0..count {
            many.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\x0a\x00\x00\x09");
        }
        let refused = answer(&many, SERVER).unwrap_err();
        assert_eq!(refused.reason, RejectReason::OutOfRange);
    }

    proptest! {
        #[test]
        fn no_message_panics(
            at in 0_usize..90,
            byte in any::<u8>(),
            cut in 0_usize..100,
            noise in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut changed = message();
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            changed.truncate(cut);
            let _answers = (answer(&changed, SERVER), answer(&noise, SERVER));
        }
    }
}
