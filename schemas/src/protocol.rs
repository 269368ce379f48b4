//! The protocols of the field by name, so that a profile says `modbus` and not `tcp/502`.
//!
//! Ports are the registered or customary ones of the responder; services are the names under
//! which Zeek (its own analysers and the ICSNPP packages) reports the protocol.

use crate::observation::Transport;
use crate::problems::{Refusal, quoted, suggestion};
use crate::profile::ProtocolMatch;

/// A protocol that is known by name.
#[derive(Debug)]
pub struct Known {
    /// As written in a profile.
    pub name: &'static str,
    /// Transport and port of the responder; any one matches. No port means any (ICMP).
    pub ports: &'static [(Transport, Option<u16>)],
    /// Names under which sensors report it.
    pub services: &'static [&'static str],
}

const fn tcp(port: u16) -> (Transport, Option<u16>) {
    (Transport::Tcp, Some(port))
}

const fn udp(port: u16) -> (Transport, Option<u16>) {
    (Transport::Udp, Some(port))
}

const fn known(
    name: &'static str,
    ports: &'static [(Transport, Option<u16>)],
    services: &'static [&'static str],
) -> Known {
    Known {
        name,
        ports,
        services,
    }
}

/// Every protocol that is known by name, in alphabetical order.
pub const REGISTRY: &[Known] = &[
    known("ads", &[tcp(48898), udp(48899)], &[]),
    known("amqp", &[tcp(5672)], &["amqp"]),
    known("amqps", &[tcp(5671)], &["ssl"]),
    known("bacnet", &[udp(47808)], &["bacnet"]),
    known("coap", &[udp(5683)], &[]),
    known("dhcp", &[udp(67), udp(68)], &["dhcp"]),
    known(
        "dnp3",
        &[tcp(20000), udp(20000)],
        &["dnp3", "dnp3_tcp", "dnp3_udp"],
    ),
    known("dns", &[udp(53), tcp(53)], &["dns"]),
    known("ethercat", &[udp(34980), tcp(34980)], &["ethercat"]),
    known(
        "ethernet-ip",
        &[tcp(44818), udp(44818), udp(2222)],
        &["enip", "cip"],
    ),
    known("fins", &[udp(9600), tcp(9600)], &["omron_fins"]),
    known("focas", &[tcp(8193)], &[]),
    known("ftp", &[tcp(21)], &["ftp"]),
    known("ge-srtp", &[tcp(18245)], &["ge_srtp"]),
    known("gige-vision", &[udp(3956)], &[]),
    known("hart-ip", &[tcp(5094), udp(5094)], &["hart_ip"]),
    known("http", &[tcp(80)], &["http"]),
    known("https", &[tcp(443)], &["ssl"]),
    known("icmp", &[(Transport::Icmp, None)], &["icmp"]),
    known("iec-104", &[tcp(2404)], &["iec104"]),
    known("kerberos", &[tcp(88), udp(88)], &["krb", "krb_tcp"]),
    known("ldap", &[tcp(389)], &["ldap_tcp", "ldap"]),
    known("ldaps", &[tcp(636)], &["ssl"]),
    known("llrp", &[tcp(5084)], &[]),
    known("mdns", &[udp(5353)], &["dns"]),
    known("melsec", &[tcp(5007), udp(5006)], &[]),
    known("modbus", &[tcp(502)], &["modbus"]),
    known("mqtt", &[tcp(1883)], &["mqtt"]),
    known("mqtts", &[tcp(8883)], &["ssl"]),
    known("ntp", &[udp(123)], &["ntp"]),
    known("opc-ua", &[tcp(4840)], &["opcua_binary", "opcua-binary"]),
    known(
        "profinet",
        &[udp(34964), udp(34962), udp(34963)],
        &["profinet", "profinet_io_cm"],
    ),
    known("radius", &[udp(1812), udp(1813)], &["radius"]),
    known("rdp", &[tcp(3389)], &["rdp"]),
    known("rtsp", &[tcp(554)], &["rtsp"]),
    known("s7", &[tcp(102)], &["s7comm", "s7comm_plus", "cotp"]),
    known("smb", &[tcp(445)], &["smb", "gssapi"]),
    known("snmp", &[udp(161), udp(162)], &["snmp"]),
    known("ssh", &[tcp(22)], &["ssh"]),
    known("syslog", &[udp(514), tcp(6514)], &["syslog"]),
    known("telnet", &[tcp(23)], &["telnet"]),
    known("tftp", &[udp(69)], &["tftp"]),
];

/// Names by which some people know a protocol of the registry.
const ALIASES: &[(&str, &str)] = &[
    ("modbus-tcp", "modbus"),
    ("modbus/tcp", "modbus"),
    ("ethernet/ip", "ethernet-ip"),
    ("enip", "ethernet-ip"),
    ("opcua", "opc-ua"),
    ("s7comm", "s7"),
    ("tls", "https"),
];

/// The protocol of this name or of a name it is also known by; case does not matter.
pub fn by_name(name: &str) -> Option<&'static Known> {
    let folded = name.trim().to_lowercase();
    let name = ALIASES
        .iter()
        .find(|(alias, _)| *alias == folded)
        .map_or(folded.as_str(), |(_, name)| name);
    REGISTRY
        .binary_search_by(|known| known.name.cmp(name))
        .ok()
        .map(|at| &REGISTRY[at])
}

impl Known {
    /// What a flow looks like that speaks it.
    pub fn matches(&self) -> Vec<ProtocolMatch> {
        let form = |(transport, port): &(Transport, Option<u16>)| ProtocolMatch {
            transport: *transport,
            port: *port,
        };
        self.ports.iter().map(form).collect()
    }
}

/// Reads `tcp/502`, `udp/44818` or `icmp`.
///
/// # Errors
/// Says that the text is no transport and port.
pub fn read_port(text: &str) -> Result<ProtocolMatch, Refusal> {
    let refusal = || {
        let cause = format!("{} is not a transport and port", quoted(text));
        Refusal::new(cause).hint("Write it as `tcp/502`, `udp/44818` or `icmp`.")
    };
    let folded = text.trim().to_lowercase();
    if folded == "icmp" {
        return Ok(ProtocolMatch {
            transport: Transport::Icmp,
            port: None,
        });
    }
    let (transport, port) = folded.split_once('/').ok_or_else(refusal)?;
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return Err(refusal()),
    };
    let port: u16 = port.parse().map_err(|_| refusal())?;
    if port == 0 {
        return Err(refusal());
    }
    Ok(ProtocolMatch {
        transport,
        port: Some(port),
    })
}

/// Reads a protocol by name, or a transport and port, as the flows it stands for.
///
/// # Errors
/// Says that the text is neither, and which protocol may have been meant.
pub fn read_forms(text: &str) -> Result<Vec<ProtocolMatch>, Refusal> {
    if let Some(known) = by_name(text) {
        return Ok(known.matches());
    }
    if text.contains('/') {
        return read_port(text).map(|form| vec![form]);
    }
    Err(unknown(text))
}

/// The refusal of a name that the registry does not hold.
pub(crate) fn unknown(name: &str) -> Refusal {
    let refusal = Refusal::new(format!("no protocol is known as {}", quoted(name)));
    match suggestion(name, REGISTRY.iter().map(|known| known.name)) {
        Some(near) => refusal.hint(near),
        None => refusal.hint("Write its transport and port, such as `tcp/9100`."),
    }
}

/// The text of a transport and port, as [`read_port`] reads it.
pub fn write_port(form: &ProtocolMatch) -> String {
    match form.port {
        Some(port) => format!("{}/{port}", form.transport),
        None => form.transport.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_lower_case() {
        assert!(REGISTRY.is_sorted_by(|a, b| a.name < b.name));
        assert!(
            REGISTRY
                .iter()
                .all(|k| k.name == k.name.to_lowercase() && !k.ports.is_empty())
        );
        assert!(
            ALIASES
                .iter()
                .all(|(alias, name)| { by_name(alias).is_some_and(|known| known.name == *name) })
        );
    }

    #[test]
    fn names_and_ports_are_those_of_the_field() {
        assert_eq!(
            by_name("Modbus").unwrap().ports,
            [(Transport::Tcp, Some(502))]
        );
        assert_eq!(by_name("ethernet-ip").unwrap().matches().len(), 3);
        assert!(by_name("gopher").is_none());
    }

    #[test]
    fn ports_read_and_write() {
        for text in ["tcp/502", "udp/44818", "icmp"] {
            assert_eq!(write_port(&read_port(text).unwrap()), text);
        }
        for bad in ["502", "tcp/0", "tcp/70000", "sctp/1", "tcp/", ""] {
            assert!(read_port(bad).is_err(), "{bad}");
        }
    }
}
