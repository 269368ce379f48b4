//! One JSON value as it stands in a record, borrowed from the input where it can be.
//!
//! Fields are read as values first and checked afterwards, so that a refusal can name the field
//! and quote what it holds; serde's own messages can do neither.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value, borrowed from the text or from its [`Tree`]; absent and `null` are the same.
#[derive(Clone, Copy, Default)]
pub(super) enum Value<'v> {
    #[default]
    Absent,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(&'v str),
    List(&'v [Tree<'v>]),
    /// A list of texts without escapes, as it stands: what is between the brackets.
    Texts(&'v str),
    Object(&'v [(Cow<'v, str>, Tree<'v>)]),
}

impl fmt::Debug for Value<'_> {
    /// As JSON means it, however it is held.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Object(members) => {
                let members = members.iter().map(|(name, tree)| (name, tree.value()));
                f.debug_map().entries(members).finish()
            }
            other => match other.items() {
                Some(items) => f.debug_list().entries(items).finish(),
                None => f.write_str(&other.quoted()),
            },
        }
    }
}

impl<'v> Value<'v> {
    /// What it is, for a message: type and, where it is short, the value.
    pub(super) fn quoted(self) -> String {
        match self {
            Self::Absent => "null".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Unsigned(value) => format!("`{value}`"),
            Self::Negative(value) => format!("`{value}`"),
            Self::Float(value) => format!("`{value}`"),
            Self::Text(text) => format!("the text {:?}", shortened(text)),
            Self::List(_) | Self::Texts(_) => "an array".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }

    /// The items, if it is a list.
    pub(super) fn items(self) -> Option<impl Iterator<Item = Value<'v>>> {
        let (trees, texts) = match self {
            Self::List(trees) => (trees, ""),
            Self::Texts(texts) => (&[][..], texts),
            _ => return None,
        };
        // Between two quotes is a text, and between two texts is not.
        let texts = texts.split('"').skip(1).step_by(2).map(Value::Text);
        Some(trees.iter().map(Tree::value).chain(texts))
    }

    /// The member of an object; absent if it has none of this name.
    pub(super) fn member(self, name: &str) -> Value<'v> {
        let members = match self {
            Self::Object(members) => members,
            _ => &[],
        };
        let found = members.iter().find(|(key, _)| key == name);
        found.map_or(Value::Absent, |(_, tree)| tree.value())
    }
}

/// A JSON value as the library reads it.
#[derive(Debug)]
pub(super) enum Tree<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

impl Tree<'_> {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Absent,
            Self::Bool(value) => Value::Bool(*value),
            Self::Unsigned(value) => Value::Unsigned(*value),
            Self::Negative(value) => Value::Negative(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(text) => Value::Text(text),
            Self::List(items) => Value::List(items),
            Self::Object(members) => Value::Object(members),
        }
    }
}

/// The first 64 characters of a text, for messages.
pub(super) fn shortened(text: &str) -> &str {
    if text.len() <= 64 {
        return text;
    }
    text.char_indices()
        .nth(64)
        .map_or(text, |(end, _)| &text[..end])
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Tree::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Tree::Negative(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Tree::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::new();
        while let Some(key) = members.next_key::<Tree<'de>>()? {
            let value = members.next_value()?;
            if let Tree::Text(key) = key {
                object.push((key, value));
            }
        }
        Ok(Tree::Object(object))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tree<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}
