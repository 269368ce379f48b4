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
    /// Refuses an empty or over-long id, characters that cannot be in a topic level (control
    /// characters, white space, `/`, `+` and `#`), and those by which one id could pass for
    /// another, see [`is_hidden`].
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("device id is empty".to_owned());
        }
        let is_too_long = |text: &str| {
            let length = text.len();
            (length > DEVICE_ID_BYTES_MAX).then(|| {
                format!("device id of {length} bytes is longer than {DEVICE_ID_BYTES_MAX}")
            })
        };
        if let Some(refusal) = is_too_long(text) {
            return Err(refusal);
        }
        // As machines write them: what follows would change nothing.
        let is_plain =
            |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':');
        if text.bytes().all(is_plain) {
            return Ok(Self(text.into()));
        }
        if let Some(bad) = text
            .chars()
            .find(|c| is_hidden(*c) || c.is_whitespace() || matches!(c, '/' | '+' | '#'))
        {
            return Err(format!("device id {text:?} holds {bad:?}"));
        }
        let folded = text.to_lowercase();
        // A few letters are longer in lower case, and an id is read back as it was written.
        match is_too_long(&folded) {
            Some(refusal) => Err(refusal),
            None => Ok(Self(folded.into())),
        }
    }

    /// The stand-in identity of an endpoint that the inventory does not list; an IPv4 address is the
    /// same mapped into IPv6.
    pub fn of_address(address: IpAddr) -> Self {
        Self(format!("ip:{}", address.to_canonical()).into())
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

/// An id of up to 31 bytes, kept in place: to compare one costs a single access to memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(32))]
pub struct ShortId {
    bytes: [u8; 31],
    /// 0 if the id is longer.
    length: u8,
}

impl ShortId {
    /// The short form of an id; that of nothing if it is too long.
    #[inline]
    pub fn of(id: &str) -> Self {
        let mut bytes = [0; 31];
        let Some(front) = bytes.get_mut(..id.len()) else {
            return Self::default();
        };
        front.copy_from_slice(id.as_bytes());
        let length = u8::try_from(id.len()).unwrap_or(0);
        Self { bytes, length }
    }

    /// Whether this is that id; `None` if it is too long to tell.
    #[inline]
    pub fn is(&self, id: &str) -> Option<bool> {
        let given = Self::of(id);
        (given.length > 0).then_some(given == *self)
    }
}

/// Whether a character is not seen as itself: control characters, line and paragraph separators,
/// characters of no width, and those that turn the direction of writing (Unicode categories Cc,
/// Zl, Zp and Cf, and the fillers and variation selectors that are ignored by default). On a
/// screen such a character can hide text, reorder it, or move the cursor.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || !c.is_ascii()
            && matches!(
                u32::from(c),
                0xad | 0x34f
                    | 0x600..=0x605
                    | 0x61c
                    | 0x6dd
                    | 0x70f
                    | 0x890..=0x891
                    | 0x8e2
                    | 0x115f..=0x1160
                    | 0x17b4..=0x17b5
                    | 0x180b..=0x180f
                    | 0x200b..=0x200f
                    | 0x2028..=0x202e
                    | 0x2060..=0x206f
                    | 0x3164
                    | 0xfe00..=0xfe0f
                    | 0xfeff
                    | 0xffa0
                    | 0xfff0..=0xfffb
                    | 0x1_10bd
                    | 0x1_10cd
                    | 0x1_3430..=0x1_343f
                    | 0x1_bca0..=0x1_bca3
                    | 0x1_d173..=0x1_d17a
                    | 0xe_0000..=0xe_0fff
            )
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

/// Whether an address may belong to somebody on the internet: it is none of those that every plant
/// may use for itself, nor one that reaches nobody.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let own = v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared;
            !(own || a == 0 || v4.is_multicast() || v4.is_broadcast())
        }
        IpAddr::V6(v6) => {
            let own = v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback();
            !(own || v6.is_unspecified() || v6.is_multicast())
        }
    }
}

/// Whether an address stands for a group: multicast, or the broadcast of everybody.
pub fn is_group(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_internet_are_told_from_those_of_any_plant() {
        for public in [
            "8.8.8.8",
            "203.0.113.77",
            "100.128.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for own in [
            "10.0.0.1",
            "172.16.5.5",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.251",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::fb",
            "::",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
        assert!(is_group("239.255.255.250".parse().unwrap()));
        assert!(is_group("ff02::fb".parse().unwrap()) && !is_group("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn ids_fold_and_refuse_what_cannot_be_a_topic_level() {
        assert_eq!(DeviceId::new("PLC-Line-3").unwrap().as_str(), "plc-line-3");
        for bad in ["", "a/b", "a+b", "a#", "a b", "a\u{0}", &"x".repeat(129)] {
            assert!(DeviceId::new(bad).is_err(), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_id_is_read_back_as_it_was_written(text in "[a-zA-ZȺİßΣẞ0-9:.-]{1,128}") {
            if let Ok(id) = DeviceId::new(&text) {
                proptest::prop_assert_eq!(DeviceId::new(id.as_str()), Ok(id));
            }
        }
    }

    #[test]
    fn an_id_is_no_longer_than_it_may_be_after_folding() {
        assert!(DeviceId::new(&"Ⱥ".repeat(64)).is_err());
        assert_eq!(DeviceId::new(&"Ⱥ".repeat(42)).unwrap().as_str().len(), 126);
    }

    #[test]
    fn a_short_id_is_itself_and_tells_nothing_of_what_is_too_long() {
        let (short, long) = ("cnc-1", "x".repeat(32));
        assert_eq!(ShortId::of(short).is(short), Some(true));
        assert_eq!(ShortId::of(short).is("cnc-2"), Some(false));
        assert_eq!(ShortId::of(&long).is(&long), None);
        assert_eq!(ShortId::of(&long).is(""), None);
        assert_eq!(ShortId::of(&long).is(short), Some(false));
    }

    #[test]
    fn a_mapped_address_is_the_same_endpoint() {
        let [plain, mapped] = ["10.1.2.3", "::ffff:10.1.2.3"].map(|a| a.parse().unwrap());
        assert_eq!(DeviceId::of_address(plain), DeviceId::of_address(mapped));
    }

    #[test]
    fn an_id_holds_nothing_that_is_not_seen() {
        for hidden in [
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{feff}',
            '\u{fe0f}',
            '\u{e0041}',
        ] {
            let refused = DeviceId::new(&format!("plc{hidden}-1")).unwrap_err();
            assert!(!refused.contains(hidden), "{refused:?}");
            assert!(
                refused.contains(&format!("{:x}", u32::from(hidden))),
                "{refused:?}"
            );
        }
        for seen in ["fräse-1", "станок-2", "工具-3", "प्रेस-4", "ロボット-5"]
        {
            assert_eq!(DeviceId::new(seen).unwrap().as_str(), seen);
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
