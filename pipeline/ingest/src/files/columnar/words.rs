//! Columns of texts: what each different text stands for, read once for as long as batches share their
//! dictionary.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{ByteKind, ConnState, Transport};
use andon_schemas::ot_command::Commands;
use andon_schemas::reject::RejectReason;
use andon_schemas::wire::TEXT_BYTES_MAX;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch, StringArray};

use super::cells::{has_values, mismatch};
use crate::refused::Refused;

/// A type that a text is read into.
pub(super) trait Word: Sized {
    fn read(text: &str) -> Result<Self, String>;
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: T::Err| e.to_string())
}

impl Word for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Word for Arc<str> {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Word for DeviceId {
    fn read(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

impl Word for IpAddr {
    fn read(text: &str) -> Result<Self, String> {
        let start = || text.chars().take(64).collect::<String>();
        parsed(text).map_err(|e| format!("{:?}: {e}", start()))
    }
}

impl Word for Transport {
    fn read(text: &str) -> Result<Self, String> {
        parsed(text)
    }
}

impl Word for ByteKind {
    fn read(text: &str) -> Result<Self, String> {
        parsed(text)
    }
}

impl Word for ConnState {
    fn read(text: &str) -> Result<Self, String> {
        parsed(text)
    }
}

/// A column of texts of which hardly two are the same, as they stand.
pub(super) struct Texts {
    name: &'static str,
    /// The texts, and which of them stands in each row if it is not the one at its own place.
    column: Option<(StringArray, Option<Int32Array>)>,
}

impl Texts {
    pub(super) fn of(
        batch: &RecordBatch,
        name: &'static str,
        _former: Option<&Self>,
    ) -> Result<Self, String> {
        let column = batch.column_by_name(name);
        let Some(column) = column.filter(has_values) else {
            return Ok(Self { name, column: None });
        };
        let (texts, keys) = match column.as_dictionary_opt::<Int32Type>() {
            Some(dictionary) => (dictionary.values(), Some(dictionary.keys().clone())),
            None => (column, None),
        };
        let texts: &StringArray = texts
            .as_string_opt()
            .ok_or_else(|| mismatch(name, column, "text"))?;
        let column = Some((texts.clone(), keys));
        Ok(Self { name, column })
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<&str>, Refused> {
        let Some((texts, keys)) = &self.column else {
            return Ok(None);
        };
        let at = match keys {
            Some(keys) if keys.is_valid(row) => {
                usize::try_from(keys.value(row)).unwrap_or(usize::MAX)
            }
            None if texts.is_valid(row) => row,
            _ => return Ok(None),
        };
        if at >= texts.len() {
            return Err(wrong(self.name, "its dictionary has no such entry"));
        }
        if texts.is_null(at) {
            return Ok(None);
        }
        let text = texts.value(at);
        match too_long(text) {
            Some(refusal) => Err(wrong(self.name, &refusal)),
            None => Ok(Some(text)),
        }
    }

    /// Whether all of its first rows can be read.
    pub(super) fn is_sound(&self, rows: usize) -> bool {
        self.column.is_none() || (0..rows).all(|row| self.get(row).is_ok())
    }
}

fn too_long(text: &str) -> Option<String> {
    let length = text.len();
    (length > TEXT_BYTES_MAX).then(|| format!("has {length} bytes, at most {TEXT_BYTES_MAX}"))
}

/// A text as short as the wire form has it.
pub(super) struct Text(pub(super) String);

impl Word for Text {
    fn read(text: &str) -> Result<Self, String> {
        if let Some(refusal) = too_long(text) {
            return Err(refusal);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of a host, as names are compared: lower case, without a final dot.
pub(super) struct HostName(pub(super) String);

impl Word for HostName {
    fn read(text: &str) -> Result<Self, String> {
        let Text(name) = Text::read(text)?;
        let name = name.strip_suffix('.').unwrap_or(&name);
        Ok(Self(name.to_lowercase()))
    }
}

/// The name of a service, lower case.
pub(super) struct Service(pub(super) String);

impl Word for Service {
    fn read(text: &str) -> Result<Self, String> {
        Text::read(text).map(|Text(name)| Self(name.to_ascii_lowercase()))
    }
}

/// The commands of a flow.
pub(super) struct Told(pub(super) Option<Commands>);

impl Word for Told {
    fn read(text: &str) -> Result<Self, String> {
        Commands::parse(text).map(Self)
    }
}

/// A SHA-256 in lower-case hex.
pub(super) struct Digest(pub(super) String);

impl Word for Digest {
    fn read(text: &str) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            let start: String = text.chars().take(64).collect();
            Err(format!("{start:?} is not 64 hexadecimal digits"))
        }
    }
}

/// A column of texts: the different ones, read, and which of them stands in each row.
pub(super) struct Words<T> {
    name: &'static str,
    keys: Option<Int32Array>,
    values: Arc<Values<T>>,
}

/// The different texts of a column.
pub(super) struct Values<T> {
    /// The dictionary they were read from. Batches share it, and it is kept so that no other can come
    /// to lie where it lay.
    texts: Option<ArrayRef>,
    read: Vec<Result<T, String>>,
    is_sound: bool,
}

impl<T> Values<T> {
    fn of(texts: Option<ArrayRef>, read: Vec<Result<T, String>>) -> Arc<Self> {
        Arc::new(Self {
            texts,
            is_sound: read.iter().all(Result::is_ok),
            read,
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.read.len()
    }

    /// What a text stands for, if it can be read.
    pub(super) fn get(&self, key: usize) -> Option<&T> {
        self.read.get(key)?.as_ref().ok()
    }

    fn is_of(&self, texts: &ArrayRef) -> bool {
        let own = self.texts.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, texts))
    }
}

impl<T: Word> Words<T> {
    pub(super) fn of(
        batch: &RecordBatch,
        name: &'static str,
        former: Option<&Self>,
    ) -> Result<Self, String> {
        let column = batch.column_by_name(name);
        let Some(column) = column.filter(has_values) else {
            let (keys, values) = (None, Values::of(None, Vec::new()));
            return Ok(Self { name, keys, values });
        };
        let (keys, values) = if let Some(column) = column.as_dictionary_opt::<Int32Type>() {
            (
                column.keys().clone(),
                Self::read(name, column.values(), former)?,
            )
        } else {
            let texts: &StringArray = column
                .as_string_opt()
                .ok_or_else(|| mismatch(name, column, "text"))?;
            let mut read = Vec::with_capacity(texts.len());
            let mut key = |text: &str| {
                read.push(T::read(text));
                i32::try_from(read.len() - 1).ok()
            };
            let keys = texts.iter().map(|text| key(text?)).collect();
            (keys, Values::of(None, read))
        };
        let keys = Some(keys);
        Ok(Self { name, keys, values })
    }

    /// What the texts of a dictionary stand for.
    fn read(name: &str, texts: &ArrayRef, former: Option<&Self>) -> Result<Arc<Values<T>>, String> {
        if let Some(former) = former.filter(|former| former.values.is_of(texts)) {
            return Ok(former.values.clone());
        }
        let column: &StringArray = texts
            .as_string_opt()
            .ok_or_else(|| mismatch(name, texts, "text"))?;
        let read = column.iter().map(|text| T::read(text.unwrap_or("")));
        Ok(Values::of(Some(texts.clone()), read.collect()))
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Result<Option<&T>, Refused> {
        let Some(key) = self.key(row) else {
            return Ok(None);
        };
        match self.values.read.get(key) {
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(e)) => Err(wrong(self.name, e)),
            None => Err(wrong(self.name, "its dictionary has no such entry")),
        }
    }

    /// Which of the different texts stands in a row.
    #[inline]
    pub(super) fn key(&self, row: usize) -> Option<usize> {
        let keys = self.keys.as_ref()?;
        let key = keys.is_valid(row).then(|| keys.value(row))?;
        // A key below zero has no entry either.
        Some(usize::try_from(key).unwrap_or(usize::MAX))
    }

    /// What stands in a row of a column that [is sound](Self::is_sound).
    #[inline]
    pub(super) fn sound(&self, row: usize) -> Option<&T> {
        self.values.get(self.key(row)?)
    }

    /// The different texts.
    pub(super) fn values(&self) -> &Arc<Values<T>> {
        &self.values
    }

    /// Whether no row has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_none()
    }

    /// Whether every row has a value.
    pub(super) fn is_full(&self) -> bool {
        self.keys
            .as_ref()
            .is_some_and(|keys| keys.null_count() == 0)
    }

    /// Whether every value can be read, also those that stand in no row.
    pub(super) fn is_sound(&self) -> bool {
        let Some(keys) = &self.keys else {
            return true;
        };
        let entries = 0..self.values.read.len();
        self.values.is_sound
            && keys
                .iter()
                .flatten()
                .all(|key| usize::try_from(key).is_ok_and(|key| entries.contains(&key)))
    }
}

pub(super) fn wrong(name: &str, said: &str) -> Refused {
    Refused::new(RejectReason::WrongType, format!("`{name}`: {said}"))
}
