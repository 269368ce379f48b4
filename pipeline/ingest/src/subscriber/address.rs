//! Where a broker is: `mqtt://host:port`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The port of MQTT without TLS.
const DEFAULT_PORT: u16 = 1883;

/// The address of a broker, written `mqtt://host`, `mqtt://host:port` or, meaning the same,
/// `tcp://…`. An IPv6 address stands in brackets. The port is 1883 unless given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerAddress {
    host: String,
    port: u16,
}

/// Text that is no address of a broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broker address {address:?} {problem}")]
pub struct AddressError {
    /// The text.
    pub address: String,
    /// What is wrong with it.
    pub problem: AddressProblem,
}

/// What is wrong with the text of an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// It does not begin with `mqtt://` or `tcp://`.
    #[error("does not begin with \"mqtt://\" or \"tcp://\"")]
    NoScheme,
    /// It asks for something other than MQTT over TCP.
    #[error("asks for {0:?}, which is not supported: use \"mqtt://\" within a trusted network")]
    Unsupported(String),
    /// It names a user; a password in an address ends in logs and process lists.
    #[error("names a user: give user and password as options of their own")]
    User,
    /// It goes on after the port.
    #[error("has a path or a query, which a broker does not have")]
    Path,
    /// The host is missing or cannot be one.
    #[error("has no valid host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("has no valid port: a number from 1 to 65535 is expected, not {0:?}")]
    Port(String),
}

impl BrokerAddress {
    /// Name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as it stands before a colon and a port.
    pub(super) fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

impl FromStr for BrokerAddress {
    type Err = AddressError;

    fn from_str(address: &str) -> Result<Self, AddressError> {
        parse(address).map_err(|problem| AddressError {
            address: without_password(address),
            problem,
        })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://{}:{}", self.bracketed_host(), self.port)
    }
}

/// The text for an error, with what may be a password left out.
fn without_password(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((head, host)) => {
            let scheme = head.find("://").map_or(0, |at| at + 3);
            format!("{}…@{host}", &head[..scheme])
        }
        None => address.to_owned(),
    }
}

fn parse(address: &str) -> Result<BrokerAddress, AddressProblem> {
    let (scheme, rest) = address.split_once("://").ok_or(AddressProblem::NoScheme)?;
    match scheme.to_ascii_lowercase().as_str() {
        "mqtt" | "tcp" => {}
        "mqtts" | "ssl" | "tls" | "ws" | "wss" => {
            return Err(AddressProblem::Unsupported(format!("{scheme}://")));
        }
        _ => return Err(AddressProblem::NoScheme),
    }
    if rest.contains('@') {
        return Err(AddressProblem::User);
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(AddressProblem::Path);
    }
    let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(AddressProblem::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| AddressProblem::Host)?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or(AddressProblem::Host)?),
        };
        (host, port)
    } else {
        match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        }
    };
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(AddressProblem::Host);
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| AddressProblem::Port(port.to_owned()))?,
    };
    Ok(BrokerAddress {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, host, port) in [
            ("mqtt://broker", "broker", 1883),
            ("tcp://10.0.0.7:2883", "10.0.0.7", 2883),
            ("MQTT://plant.example:1884/", "plant.example", 1884),
            ("mqtt://[::1]:1885", "::1", 1885),
            ("mqtt://[fe80::1]", "fe80::1", 1883),
        ] {
            let address: BrokerAddress = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn a_wrong_address_is_named_with_what_is_wrong() {
        for (text, problem) in [
            ("localhost:1883", AddressProblem::NoScheme),
            ("http://localhost", AddressProblem::NoScheme),
            (
                "mqtts://b",
                AddressProblem::Unsupported("mqtts://".to_owned()),
            ),
            ("mqtt://b/topic", AddressProblem::Path),
            ("mqtt://", AddressProblem::Host),
            ("mqtt://:1883", AddressProblem::Host),
            ("mqtt://a b", AddressProblem::Host),
            ("mqtt://[::1", AddressProblem::Host),
            ("mqtt://[::1]1883", AddressProblem::Host),
            ("mqtt://b:", AddressProblem::Port(String::new())),
            ("mqtt://b:0", AddressProblem::Port("0".to_owned())),
            ("mqtt://b:65536", AddressProblem::Port("65536".to_owned())),
            ("mqtt://fe80::1", AddressProblem::Port(":1".to_owned())),
        ] {
            let error = text.parse::<BrokerAddress>().unwrap_err();
            assert_eq!((error.address.as_str(), error.problem), (text, problem));
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let error = "mqtt://u:secret@b".parse::<BrokerAddress>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "broker address \"mqtt://…@b\" names a user: give user and password as options of \
             their own"
        );
    }
}
