//! The members of a record as they stand, unchecked.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::value::{Tree, Value};

macro_rules! members {
    ($($name:ident)+) => {
        /// The names that this build knows, in the order in which it writes them.
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),+];

        /// Places of the names in [`NAMES`].
        #[expect(non_camel_case_types, reason = "spelled as on the wire")]
        #[derive(Clone, Copy)]
        enum Place { $($name),+ }

        impl<'v> Members<'v> {
            $(pub(super) fn $name(&self) -> Value<'v> { self.0[Place::$name as usize] })+
        }
    };
}

members! {
    v kind device time received_at sender sender_proven seq source start orig resp
    resp_name transport service orig_bytes resp_bytes bytes state interim uid commands
    current_a spindle_rpm firmware sha256 tpm_ok server name addresses ttl_s client
}

/// One value for every name that this build knows.
#[derive(Debug, Default)]
pub(super) struct Members<'v>([Value<'v>; NAMES.len()]);

impl<'v> Members<'v> {
    /// Sets the member of the name at this place; `None` if it was set before.
    pub(super) fn set(&mut self, place: usize, value: Value<'v>) -> Option<()> {
        let member = self.0.get_mut(place)?;
        matches!(member, Value::Absent).then(|| *member = value)
    }
}

/// The place of a name, if this build knows it.
pub(super) fn place(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// An object as the JSON library reads it: the members that this build knows.
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(usize, Tree<'a>)>);

impl Object<'_> {
    pub(super) fn members(&self) -> Members<'_> {
        let mut members = Members::default();
        for (place, tree) in &self.0 {
            members.0[*place] = tree.value();
        }
        members
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Object(Vec::new());
        while let Some(Name(name)) = members.next_key()? {
            let Some(place) = place(&name) else {
                members.next_value::<serde::de::IgnoredAny>()?;
                continue;
            };
            if object.0.iter().any(|(before, _)| *before == place) {
                return Err(A::Error::duplicate_field(NAMES[place]));
            }
            object.0.push((place, members.next_value()?));
        }
        Ok(object)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// A name, borrowed where it can be.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
