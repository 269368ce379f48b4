//! Columns of a batch by type: numbers as they are, texts read into what they stand for.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{ByteKind, ConnState, Transport};
use andon_schemas::ot_command::Commands;
use andon_schemas::reject::RejectReason;
use andon_schemas::wire::{ADDRESSES_MAX, TEXT_BYTES_MAX};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Int32Type, TimestampMicrosecondType, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, ListArray, PrimitiveArray, RecordBatch, StringArray,
};

use crate::refused::Refused;

/// Declares a struct of columns and how it is made from a batch.
macro_rules! cells {
    ($(#[$doc:meta])* struct $Name:ident { $($column:ident: $Cells:ty,)+ }) => {
        $(#[$doc])*
        pub(in crate::files) struct $Name {
            rows: usize,
            $($column: $Cells,)+
        }

        impl $Name {
            pub(in crate::files) fn of(batch: &arrow_array::RecordBatch) -> Result<Self, String> {
                Ok(Self {
                    rows: batch.num_rows(),
                    $($column: <$Cells>::of(batch, stringify!($column))?,)+
                })
            }
        }
    };
}
pub(super) use cells;

fn mismatch(name: &str, column: &ArrayRef, expected: &str) -> String {
    format!(
        "column `{name}` is {}, expected {expected}",
        column.data_type()
    )
}

/// A type that is a cell's value as it stands.
pub(super) trait Plain: Sized {
    fn cells(column: &ArrayRef) -> Option<Vec<Option<Self>>>;
    const EXPECTED: &'static str;
}

fn primitives<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<Vec<Option<T::Native>>> {
    let column: &PrimitiveArray<T> = column.as_primitive_opt()?;
    Some(column.iter().collect())
}

macro_rules! plain {
    ($($Native:ty = $Arrow:ty, $expected:literal;)+) => {$(
        impl Plain for $Native {
            fn cells(column: &ArrayRef) -> Option<Vec<Option<Self>>> {
                primitives::<$Arrow>(column)
            }
            const EXPECTED: &'static str = $expected;
        }
    )+};
}

plain! {
    i64 = TimestampMicrosecondType, "a timestamp in microseconds";
    u16 = UInt16Type, "UInt16";
    u32 = UInt32Type, "UInt32";
    u64 = UInt64Type, "UInt64";
    f32 = Float32Type, "Float32";
}

impl Plain for bool {
    fn cells(column: &ArrayRef) -> Option<Vec<Option<Self>>> {
        Some(column.as_boolean_opt()?.iter().collect())
    }
    const EXPECTED: &'static str = "Boolean";
}

/// A column of plain values.
pub(super) struct Cells<T>(Vec<Option<T>>);

impl<T: Plain + Copy> Cells<T> {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self, String> {
        let Some(column) = batch.column_by_name(name) else {
            return Ok(Self(Vec::new()));
        };
        T::cells(column)
            .map(Self)
            .ok_or_else(|| mismatch(name, column, T::EXPECTED))
    }

    pub(super) fn get(&self, row: usize) -> Option<T> {
        self.0.get(row).copied().flatten()
    }
}

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

/// A text as short as the wire form has it.
pub(super) struct Text(pub(super) String);

impl Word for Text {
    fn read(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "has {} bytes, at most {TEXT_BYTES_MAX}",
                text.len()
            ));
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
    values: Vec<Result<T, String>>,
    keys: Vec<Option<usize>>,
}

impl<T: Word> Words<T> {
    pub(super) fn of(batch: &RecordBatch, name: &'static str) -> Result<Self, String> {
        let (mut values, mut keys) = (Vec::new(), Vec::new());
        if let Some(column) = batch.column_by_name(name) {
            if let Some(dictionary) = column.as_dictionary_opt::<Int32Type>() {
                let texts = dictionary.values().as_string_opt::<i32>();
                let texts = texts.ok_or_else(|| mismatch(name, column, "text"))?;
                values = texts
                    .iter()
                    .map(|text| T::read(text.unwrap_or("")))
                    .collect();
                let key = |key: Option<i32>| key.and_then(|key| usize::try_from(key).ok());
                keys = dictionary.keys().iter().map(key).collect();
            } else {
                let texts: &StringArray = column
                    .as_string_opt()
                    .ok_or_else(|| mismatch(name, column, "text"))?;
                for text in texts {
                    keys.push(text.map(|_| values.len()));
                    values.extend(text.map(T::read));
                }
            }
        }
        Ok(Self { name, values, keys })
    }

    pub(super) fn get(&self, row: usize) -> Result<Option<&T>, Refused> {
        let Some(key) = self.keys.get(row).copied().flatten() else {
            return Ok(None);
        };
        match self.values.get(key) {
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(e)) => Err(wrong(self.name, e)),
            None => Err(wrong(self.name, "its dictionary has no such entry")),
        }
    }
}

fn wrong(name: &str, said: &str) -> Refused {
    Refused::new(RejectReason::WrongType, format!("`{name}`: {said}"))
}

/// A column of lists of addresses.
pub(super) struct Lists {
    name: &'static str,
    lists: Option<ListArray>,
}

impl Lists {
    pub(super) fn of(batch: &RecordBatch, name: &'static str) -> Result<Self, String> {
        let Some(column) = batch.column_by_name(name) else {
            return Ok(Self { name, lists: None });
        };
        let lists = column
            .as_list_opt::<i32>()
            .filter(|lists| lists.values().as_string_opt::<i32>().is_some())
            .ok_or_else(|| mismatch(name, column, "a list of texts"))?;
        Ok(Self {
            name,
            lists: Some(lists.clone()),
        })
    }

    pub(super) fn get(&self, row: usize) -> Result<Vec<IpAddr>, Refused> {
        let Some(lists) = self.lists.as_ref().filter(|lists| lists.is_valid(row)) else {
            return Ok(Vec::new());
        };
        let items = lists.value(row);
        if items.len() > ADDRESSES_MAX {
            return Err(Refused::new(
                RejectReason::OutOfRange,
                format!(
                    "`{}` holds {}, at most {ADDRESSES_MAX}",
                    self.name,
                    items.len()
                ),
            ));
        }
        let texts: &StringArray = items.as_string();
        texts
            .iter()
            .flatten()
            .map(|text| IpAddr::read(text).map_err(|e| wrong(self.name, &e)))
            .collect()
    }
}
