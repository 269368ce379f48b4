//! JSON objects of other tools: members are listed without being interpreted, so that keys may be
//! dotted, underscored or nested and numbers keep every digit.

use std::borrow::Cow;
use std::fmt;

use andon_schemas::reject::RejectReason;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::refused::Refused;

/// The members of one object in the order written.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Lists the members of an object.
    ///
    /// # Errors
    /// Says where the text stops being a JSON object.
    pub(super) fn of(text: &'a str) -> Result<Self, Refused> {
        serde_json::from_str(text).map_err(|e| {
            Refused::new(
                RejectReason::Malformed,
                format!("row is not valid JSON: {e}"),
            )
        })
    }

    /// The members of a line, which must be UTF-8.
    ///
    /// # Errors
    /// Says where it is not, or where the text stops being a JSON object.
    pub(super) fn of_line(line: &'a [u8]) -> Result<Self, Refused> {
        let text = std::str::from_utf8(line).map_err(|e| {
            Refused::new(
                RejectReason::Malformed,
                format!("row is not UTF-8 at byte {}", e.valid_up_to()),
            )
        })?;
        // Suricata's syslog output puts a cookie before the object.
        Self::of(text.trim_start().strip_prefix("@cee:").unwrap_or(text))
    }

    /// A member's value as written; absent and null are the same.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.get())
            .filter(|value| *value != "null")
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(|text| Members::of(text).ok())
    }

    /// All members.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(key, value)| (&**key, value.get()))
    }

    /// The only member, if there is just one object among the members: a tag.
    pub(super) fn only_object(&self) -> Option<(&str, Self)> {
        let mut objects = self.iter().filter(|(_, value)| value.starts_with('{'));
        let (name, text) = objects.next()?;
        if objects.next().is_some() {
            return None;
        }
        Some((name, Members::of(text).ok()?))
    }

    /// The text of the record inside a log shipper's envelope: a member that holds the original
    /// line, or the object it was decoded to.
    pub(super) fn enveloped(&self) -> Option<Cow<'a, str>> {
        let line = ["message", "log"]
            .into_iter()
            .find_map(|name| self.get(name))
            .or_else(|| self.object("event")?.get("original"))
            .or_else(|| self.get("event.original"))
            .and_then(text)
            .filter(|line| line.trim_start().starts_with('{'));
        line.or_else(|| {
            self.get("json")
                .or_else(|| self.object("suricata")?.get("eve"))
                .or_else(|| self.get("suricata.eve"))
                .filter(|value| value.starts_with('{'))
                .map(Cow::Borrowed)
        })
    }
}

/// A JSON string's content; `None` if the value is something else.
pub(super) fn text(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// A JSON string's content or a number as written; `None` for all else.
pub(super) fn scalar(value: &str) -> Option<Cow<'_, str>> {
    match value.as_bytes().first()? {
        b'"' => text(value),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(value)),
        _ => None,
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(24);
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
