//! One destination as lists write it: an address, a network, a name, or a URL of one of them.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

use super::Skip;
use crate::identity::address_key;
use crate::problems::{Refusal, quoted};
use crate::profile::host_name;

/// The widest network that an indicator may be, by its prefix. What is wider is no indicator but
/// a mistake: at `/0` every flow would be a hit.
const V4_WIDEST: u8 = 8;
const V6_WIDEST: u8 = 19;

/// Networks that plants use for themselves, or that reach nobody; read once, as a list has a million
/// entries to be held against them.
static OWN: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let written = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 \
                   192.168.0.0/16 224.0.0.0/4 240.0.0.0/4 ::/127 fc00::/7 fe80::/10 ff00::/8";
    let networks = written.split(' ').filter_map(|own| own.parse().ok());
    networks.collect()
});

/// What an indicator is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// One address, by its key.
    Address(u128),
    /// A network: the keys of its first and last address.
    Network(u128, u128),
    /// A name and all below it.
    Name(String),
}

/// What came of reading one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Value(Value),
    Skip(Skip),
}

/// Reads what stands in a list. Reports often break addresses so that nobody follows them,
/// `hxxp://1.2.3[.]4`; that is mended.
pub(super) fn read(written: &str) -> Result<Read, Refusal> {
    let text = written.trim().trim_matches(['"', '\'']);
    let mended;
    let text = if text.contains('[') && text.contains("[.]") {
        mended = text.replace("[.]", ".");
        &mended
    } else {
        text
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return address_value(address, text).map(Read::Value);
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return network_value(network, text).map(Read::Value);
    }
    if is_elsewhere(text) {
        return Ok(Read::Skip(Skip::NotInFlows));
    }
    let host = host_of(text);
    if let Ok(address) = host.parse::<IpAddr>() {
        return address_value(address, text).map(Read::Value);
    }
    name_value(host, text).map(|name| Read::Value(Value::Name(name)))
}

/// Digests, autonomous systems and mail addresses.
fn is_elsewhere(text: &str) -> bool {
    let is_digest = matches!(text.len(), 32 | 40 | 64 | 128)
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = text.strip_prefix("AS").or_else(|| text.strip_prefix("as"));
    let is_system = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    is_digest || is_system || text.contains('@') && !text.contains("://")
}

/// The host of a URL, or the text itself.
fn host_of(text: &str) -> &str {
    let Some((_, rest)) = text.split_once("://") else {
        return text;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some(v6) = host.strip_prefix('[') {
        return v6.split(']').next().unwrap_or(v6);
    }
    host.split(':').next().unwrap_or(host)
}

fn name_value(host: &str, written: &str) -> Result<String, Refusal> {
    let name = host.strip_prefix("*.").or_else(|| host.strip_prefix('.'));
    let name = name.unwrap_or(host);
    let read = host_name(name).map_err(|_| {
        let cause = format!("{} is no address, network or name", quoted(written));
        let hint = "Write `203.0.113.77`, `203.0.113.0/24` or `c2.example.net`; names in other \
                    scripts in their `xn--` form; remarks after `#`.";
        Refusal::new(cause).hint(hint)
    })?;
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    match read.rsplit_once('.') {
        None => {
            let cause = format!("{} is a name without a dot", quoted(written));
            let hint = "With everything below it, it would hit a whole top-level domain.";
            Err(Refusal::new(cause).hint(hint))
        }
        // `300.1.2.3` is a mistyped address: no top-level domain is a number.
        Some((_, last)) if numeric(last) => {
            let cause = format!("{} is neither an address nor a name", quoted(written));
            Err(Refusal::new(cause).hint("Each of the four numbers is at most 255."))
        }
        Some(_) => Ok(read),
    }
}

fn address_value(address: IpAddr, written: &str) -> Result<Value, Refusal> {
    let address = address.to_canonical();
    if !crate::identity::is_public(address) || overlaps(IpNet::from(address)).is_some() {
        return Err(own(written, overlaps(IpNet::from(address))));
    }
    Ok(Value::Address(address_key(address)))
}

fn network_value(network: IpNet, written: &str) -> Result<Value, Refusal> {
    let network = network.trunc();
    let widest = match network {
        IpNet::V4(_) => V4_WIDEST,
        IpNet::V6(_) => V6_WIDEST,
    };
    if network.prefix_len() < widest {
        let cause = format!(
            "{} is so wide that it would hit nearly everything",
            quoted(written)
        );
        let hint = format!("The widest network that is taken is /{widest}.");
        return Err(Refusal::new(cause).hint(hint));
    }
    if let Some(other) = overlaps(network) {
        return Err(own(written, Some(other)));
    }
    let (first, last) = (
        address_key(network.network()),
        address_key(network.broadcast()),
    );
    Ok(if first == last {
        Value::Address(first)
    } else {
        Value::Network(first, last)
    })
}

/// The network of a plant's own that shares addresses with this one.
fn overlaps(network: IpNet) -> Option<IpNet> {
    let mut own = OWN.iter();
    own.find(|own| own.contains(&network) || network.contains(*own))
        .copied()
}

fn own(written: &str, own: Option<IpNet>) -> Refusal {
    let place = own.map_or_else(String::new, |own| format!(" in {own}"));
    let cause = format!(
        "{} lies{place}, which plants use themselves",
        quoted(written)
    );
    Refusal::new(cause).hint("Forbid it in its segment, under `denied:`, or take it out.")
}
