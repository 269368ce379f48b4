//! Who is spoken of: device identities and how they are written.

use std::borrow::Borrow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest accepted device id, in bytes.
pub const DEVICE_ID_BYTES_MAX: usize = 128;

/// The identity of a device, folded to lower case: an inventory name such as
/// `cnc-controller-01-0007`, or `ip:ADDRESS` for an endpoint inside the plant's networks that
/// the inventory does not list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// Reads a device id and folds it to lower case.
    ///
    /// # Errors
    /// Refuses an empty or over-long id, and characters that cannot be a topic level: control
    /// characters, white space, `/`, `+` and `#`.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("device id is empty".to_owned());
        }
        if text.len() > DEVICE_ID_BYTES_MAX {
            return Err(format!(
                "device id of {} bytes is longer than {DEVICE_ID_BYTES_MAX}",
                text.len()
            ));
        }
        if let Some(bad) = text
            .chars()
            .find(|c| c.is_control() || c.is_whitespace() || matches!(c, '/' | '+' | '#'))
        {
            return Err(format!("device id {text:?} holds {bad:?}"));
        }
        Ok(Self(text.to_lowercase().into()))
    }

    /// The stand-in identity of an endpoint that the inventory does not list.
    pub fn of_address(address: IpAddr) -> Self {
        Self(format!("ip:{address}").into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for DeviceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for DeviceId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DeviceId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 1, "maxLength": DEVICE_ID_BYTES_MAX,
            "pattern": "^[^\\s/+#]+$",
            "description": "device identity, folded to lower case",
        })
    }
}

/// An address as the engine keys it: IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2), as a number.
pub fn address_key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of a key made by [`address_key`]; a mapped IPv4 address comes back as IPv4.
pub fn address_of_key(key: u128) -> IpAddr {
    std::net::Ipv6Addr::from_bits(key).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fold_and_refuse_what_cannot_be_a_topic_level() {
        assert_eq!(DeviceId::new("PLC-Line-3").unwrap().as_str(), "plc-line-3");
        for bad in ["", "a/b", "a+b", "a#", "a b", "a\u{0}", &"x".repeat(129)] {
            assert!(DeviceId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn address_keys_come_back() {
        for text in ["10.2.50.15", "fe80::1", "::", "255.255.255.255"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(address_of_key(address_key(address)), address);
        }
    }
}
