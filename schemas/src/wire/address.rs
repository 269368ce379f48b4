//! Addresses and ports, quickly: `a.b.c.d` and `a.b.c.d:port` are read by hand, everything else by
//! the standard library, which decides what is an address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::observation::Party;

/// Reads an IP address.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    match dotted(text.as_bytes()) {
        Some((address, [])) => Some(address.into()),
        _ => text.parse().ok(),
    }
}

/// Reads `address:port`, or an address alone, which has port 0.
pub(super) fn parse_party(text: &str) -> Option<Party> {
    match dotted(text.as_bytes()) {
        Some((address, [])) => {
            let address = address.into();
            return Some(Party { address, port: 0 });
        }
        Some((address, [b':', digits @ ..])) => {
            if let Some(port) = port(digits) {
                let address = address.into();
                return Some(Party { address, port });
            }
        }
        _ => {}
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        let (address, port) = (socket.ip(), socket.port());
        return Some(Party { address, port });
    }
    let address = text.parse().ok()?;
    Some(Party { address, port: 0 })
}

/// An IPv4 address at the front, and what follows it.
fn dotted(mut text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let mut octets = [0; 4];
    for (at, octet) in octets.iter_mut().enumerate() {
        if at > 0 {
            text = text.strip_prefix(b".")?;
        }
        let (number, digits) = digits(text, 3)?;
        *octet = u8::try_from(number).ok()?;
        text = &text[digits..];
    }
    Some((octets.into(), text))
}

fn port(text: &[u8]) -> Option<u16> {
    let (number, digits) = digits(text, 5)?;
    if digits < text.len() {
        return None;
    }
    u16::try_from(number).ok()
}

/// At most so many digits at the front, as a number, and how many; none that begin with a zero that
/// says nothing.
fn digits(text: &[u8], most: usize) -> Option<(u32, usize)> {
    let mut number = 0;
    let mut count = 0;
    while let Some(digit) = text.get(count).filter(|byte| byte.is_ascii_digit()) {
        if count == most || count > 0 && number == 0 {
            return None;
        }
        number = number * 10 + u32::from(digit - b'0');
        count += 1;
    }
    (count > 0).then_some((number, count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_library(text: &str) -> Option<Party> {
        let alone = |address| Party { address, port: 0 };
        let both = |socket: SocketAddr| Party {
            address: socket.ip(),
            port: socket.port(),
        };
        let socket = text.parse::<SocketAddr>().map(both);
        socket.or_else(|_| text.parse().map(alone)).ok()
    }

    #[test]
    fn every_spelling_is_read_as_the_library_reads_it() {
        for text in [
            "10.1.2.3",
            "10.1.2.3:40123",
            "0.0.0.0:0",
            "255.255.255.255:65535",
            "fd00::1",
            "[fd00::1]:502",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:x",
            "1.2.3.4:65536",
            "1.2.3.4:080",
            "1.2.3.4:00000080",
            "1.2.3.4 ",
            "",
            ".",
            "1.2.3.0004",
            "1.2.3.4:000000",
            "00.0.0.0",
            "::ffff:1.2.3.4",
        ] {
            assert_eq!(parse_party(text), by_library(text), "{text}");
            assert_eq!(parse_address(text), text.parse().ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_the_library_reads_it(text in "[0-9]{0,4}(\\.[0-9]{0,4}){2,4}(:[0-9]{0,6})?x?") {
            prop_assert_eq!(parse_party(&text), by_library(&text));
            prop_assert_eq!(parse_address(&text), text.parse().ok());
        }
    }
}
