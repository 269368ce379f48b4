//! Columns of a batch by type: numbers as they are, lists of addresses read one by one.

use std::net::IpAddr;

use andon_schemas::reject::RejectReason;
use andon_schemas::wire::ADDRESSES_MAX;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, TimestampMicrosecondType, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};

use super::words::{Word as _, wrong};
use crate::refused::Refused;

/// Declares a struct of columns and how it is made from a batch.
macro_rules! cells {
    ($(#[$doc:meta])* struct $Name:ident { $($column:ident: $Cells:ty,)+ }) => {
        $(#[$doc])*
        pub(in crate::files) struct $Name {
            pub(super) rows: usize,
            $(pub(super) $column: $Cells,)+
        }

        impl $Name {
            pub(in crate::files) fn of(batch: &arrow_array::RecordBatch) -> Result<Self, String> {
                Self::after(None, batch)
            }

            /// The batch after another of the same file: what both share is not read again.
            pub(in crate::files) fn after(
                former: Option<&Self>,
                batch: &arrow_array::RecordBatch,
            ) -> Result<Self, String> {
                Ok(Self {
                    rows: batch.num_rows(),
                    $($column: <$Cells>::of(
                        batch,
                        stringify!($column),
                        former.map(|former| &former.$column),
                    )?,)+
                })
            }
        }
    };
}
pub(super) use cells;

pub(super) fn mismatch(name: &str, column: &ArrayRef, expected: &str) -> String {
    format!(
        "column `{name}` is {}, expected {expected}",
        column.data_type()
    )
}

/// A type that is a cell's value as it stands.
pub(super) trait Plain: Copy {
    type Column: Array;
    const EXPECTED: &'static str;
    fn column(column: &ArrayRef) -> Option<Self::Column>;
    fn value(column: &Self::Column, row: usize) -> Self;
}

macro_rules! plain {
    ($($Native:ty = $Arrow:ty, $expected:literal;)+) => {$(
        impl Plain for $Native {
            type Column = PrimitiveArray<$Arrow>;
            const EXPECTED: &'static str = $expected;
            fn column(column: &ArrayRef) -> Option<Self::Column> {
                column.as_primitive_opt().cloned()
            }
            #[inline]
            fn value(column: &Self::Column, row: usize) -> Self {
                column.value(row)
            }
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
    type Column = BooleanArray;
    const EXPECTED: &'static str = "Boolean";
    fn column(column: &ArrayRef) -> Option<Self::Column> {
        column.as_boolean_opt().cloned()
    }
    #[inline]
    fn value(column: &Self::Column, row: usize) -> Self {
        column.value(row)
    }
}

/// A column of plain values.
pub(super) struct Cells<T: Plain>(Option<T::Column>);

impl<T: Plain> Cells<T> {
    pub(super) fn of(
        batch: &RecordBatch,
        name: &str,
        _former: Option<&Self>,
    ) -> Result<Self, String> {
        let Some(column) = batch.column_by_name(name) else {
            return Ok(Self(None));
        };
        T::column(column)
            .map(|column| Self(Some(column).filter(has_values)))
            .ok_or_else(|| mismatch(name, column, T::EXPECTED))
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<T> {
        let column = self.0.as_ref()?;
        column.is_valid(row).then(|| T::value(column, row))
    }

    /// Whether every row has a value.
    pub(super) fn is_full(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|column| column.null_count() == 0)
    }
}

/// Whether any row has a value: most columns of most captures have none.
pub(super) fn has_values(column: &impl Array) -> bool {
    column.null_count() < column.len()
}

/// A column of lists of addresses.
pub(super) struct Lists {
    name: &'static str,
    lists: Option<ListArray>,
}

impl Lists {
    pub(super) fn of(
        batch: &RecordBatch,
        name: &'static str,
        _former: Option<&Self>,
    ) -> Result<Self, String> {
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
