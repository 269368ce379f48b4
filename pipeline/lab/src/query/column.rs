//! Columns of a table: what they are called, what they hold, and the builders that fill them.

use std::sync::Arc;

use andon_schemas::time::EventTime;
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde_json::Value;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// A text.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// A moment of event time, UTC, to the microsecond.
    Time,
    /// A JSON document, as text.
    Json,
    /// Several texts.
    Texts,
}

impl Holds {
    fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Json => DataType::Utf8,
            Self::Whole => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Texts => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        }
    }
}

/// A column: its name, what it holds, where that stands in a row's JSON, and what it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    /// Path in the line, `/window/start`; with a `.` in front, in the element of the line that the
    /// row is about.
    pub(super) at: &'static str,
    pub(super) words: &'static str,
}

/// A column that stands at a path of a line or of an element of it.
pub(super) const fn column(
    name: &'static str,
    holds: Holds,
    at: &'static str,
    words: &'static str,
) -> Column {
    Column {
        name,
        holds,
        at,
        words,
    }
}

/// A column that is computed.
pub(super) const fn computed(name: &'static str, holds: Holds, words: &'static str) -> Column {
    column(name, holds, "", words)
}

/// The schema of columns.
pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(column.name, column.holds.data_type(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Fills one column, cell by cell.
#[derive(Debug)]
pub(super) enum Filler {
    Text(StringBuilder),
    Json(StringBuilder),
    Whole(Int64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Texts(ListBuilder<StringBuilder>),
}

impl Filler {
    pub(super) fn of(holds: Holds) -> Self {
        match holds {
            Holds::Text => Self::Text(StringBuilder::new()),
            Holds::Json => Self::Json(StringBuilder::new()),
            Holds::Whole => Self::Whole(Int64Builder::new()),
            Holds::Number => Self::Number(Float64Builder::new()),
            Holds::Flag => Self::Flag(BooleanBuilder::new()),
            Holds::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Holds::Texts => Self::Texts(ListBuilder::new(StringBuilder::new())),
        }
    }

    /// Adds a cell; what is missing, or is something else than the column holds, is null.
    pub(super) fn push(&mut self, value: Option<&Value>) {
        match self {
            Self::Text(cells) => cells.append_option(value.and_then(Value::as_str)),
            Self::Json(cells) => {
                let value = value.filter(|value| !value.is_null());
                cells.append_option(value.map(ToString::to_string));
            }
            Self::Whole(cells) => cells.append_option(value.and_then(Value::as_i64)),
            Self::Number(cells) => cells.append_option(value.and_then(Value::as_f64)),
            Self::Flag(cells) => cells.append_option(value.and_then(Value::as_bool)),
            Self::Time(cells) => {
                let time = value.and_then(Value::as_str).map(EventTime::parse);
                cells.append_option(time.and_then(Result::ok).map(EventTime::micros));
            }
            Self::Texts(cells) => {
                let texts = value.and_then(Value::as_array);
                for text in texts.into_iter().flatten() {
                    cells.values().append_option(text.as_str());
                }
                cells.append(texts.is_some());
            }
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(cells) | Self::Json(cells) => Arc::new(cells.finish()),
            Self::Whole(cells) => Arc::new(cells.finish()),
            Self::Number(cells) => Arc::new(cells.finish()),
            Self::Flag(cells) => Arc::new(cells.finish()),
            Self::Time(cells) => Arc::new(cells.finish()),
            Self::Texts(cells) => Arc::new(cells.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_that_is_something_else_is_null() {
        let all = [
            Holds::Text,
            Holds::Whole,
            Holds::Number,
            Holds::Flag,
            Holds::Time,
            Holds::Texts,
        ];
        for holds in all {
            let mut filler = Filler::of(holds);
            filler.push(Some(&json!({"other": 1})));
            filler.push(None);
            filler.push(Some(&Value::Null));
            let cells = filler.finish();
            assert_eq!((cells.len(), cells.null_count()), (3, 3), "{holds:?}");
            assert_eq!(*cells.data_type(), holds.data_type());
        }
    }
}
