//! Answers, written as they come: an aligned table, CSV, JSON lines, or Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use andon_emit::terminal::printable;
use datafusion::arrow::array::{Array as _, RecordBatch, StringArray};
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::json::writer::{LineDelimited, WriterBuilder};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt as _;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::QueryError;

/// Most rows of an aligned table: its widths are known only when all of it is there.
const TABLE_ROWS_MAX: usize = 10_000;

/// How an answer is written to whoever reads along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people: an aligned table.
    Table,
    /// Comma-separated values with a line of names.
    Csv,
    /// One JSON object per row and line.
    Json,
}

/// Where an answer goes, and how it is written.
pub struct Answer<'a>(To<'a>);

enum To<'a> {
    Stream(Form, &'a mut dyn Write),
    Parquet(&'a mut (dyn Write + Send)),
}

impl std::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let form = match &self.0 {
            To::Stream(form, _) => Some(form),
            To::Parquet(_) => None,
        };
        f.debug_tuple("Answer").field(&form).finish()
    }
}

impl<'a> Answer<'a> {
    /// An answer that is written there.
    pub fn new(form: Form, out: &'a mut dyn Write) -> Self {
        Self(To::Stream(form, out))
    }

    /// An answer that becomes a Parquet file.
    pub fn parquet(out: &'a mut (dyn Write + Send)) -> Self {
        Self(To::Parquet(out))
    }

    /// Writes all rows; returns how many there are.
    pub(super) async fn take(
        self,
        schema: &SchemaRef,
        mut rows: SendableRecordBatchStream,
        refuse: &dyn Fn(&DataFusionError) -> QueryError,
    ) -> Result<u64, QueryError> {
        let mut sheet = Sheet::new(self.0, schema)?;
        let mut count = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| refuse(&error))?;
            count += batch.num_rows() as u64;
            sheet.write(&batch)?;
        }
        sheet.finish()?;
        Ok(count)
    }
}

/// An answer being written.
enum Sheet<'a> {
    Table(Table<'a>),
    Csv(Box<csv::Writer<&'a mut dyn Write>>),
    Json(LineDelimitedWriter<&'a mut dyn Write>),
    Parquet(Box<ArrowWriter<&'a mut (dyn Write + Send)>>),
}

impl<'a> Sheet<'a> {
    fn new(to: To<'a>, schema: &SchemaRef) -> Result<Self, QueryError> {
        Ok(match to {
            To::Stream(Form::Table, out) => Self::Table(Table::new(out, schema)),
            To::Stream(Form::Csv, out) => {
                let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
                // A reader finds the names even if there is no row.
                let none = flat(&RecordBatch::new_empty(schema.clone())).map_err(io_error)?;
                writer.write(&none).map_err(io_error)?;
                Self::Csv(Box::new(writer))
            }
            To::Stream(Form::Json, out) => Self::Json(
                WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .build::<_, LineDelimited>(out),
            ),
            To::Parquet(out) => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
                Self::Parquet(Box::new(writer.map_err(io::Error::other)?))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        match self {
            Self::Table(table) => table.add(batch).map_err(io_error)?,
            Self::Csv(writer) => {
                let batch = flat(batch).map_err(io_error)?;
                writer.write(&batch).map_err(io_error)?;
            }
            Self::Json(writer) => writer.write(batch).map_err(io_error)?,
            Self::Parquet(writer) => writer.write(batch).map_err(io::Error::other)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), QueryError> {
        match self {
            Self::Table(table) => table.finish()?,
            Self::Csv(_) => {}
            Self::Json(mut writer) => writer.finish().map_err(io_error)?,
            Self::Parquet(writer) => drop(writer.close().map_err(io::Error::other)?),
        }
        Ok(())
    }
}

/// The same rows with a text in place of whatever is nested: CSV knows only cells.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = FormatOptions::new();
    let mut columns = Vec::with_capacity(batch.num_columns());
    let mut fields = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(batch.schema_ref().fields()) {
        if !field.data_type().is_nested() {
            columns.push(column.clone());
            fields.push(field.clone());
            continue;
        }
        let cells = ArrayFormatter::try_new(column, &options)?;
        let texts: StringArray = (0..column.len())
            .map(|row| {
                (!column.is_null(row))
                    .then(|| cells.value(row).try_to_string())
                    .transpose()
            })
            .collect::<Result<_, _>>()?;
        columns.push(Arc::new(texts));
        fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// What the system said, if it was the system: whoever reads may be gone.
fn io_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, cause) => cause,
        other => io::Error::other(other),
    }
}

/// Rows for people.
struct Table<'a> {
    out: &'a mut dyn Write,
    names: Vec<String>,
    numeric: Vec<bool>,
    rows: Vec<Vec<String>>,
    left_out: u64,
}

impl<'a> Table<'a> {
    fn new(out: &'a mut dyn Write, schema: &SchemaRef) -> Self {
        let fields = schema.fields();
        Self {
            out,
            names: fields
                .iter()
                .map(|f| printable(f.name()).into_owned())
                .collect(),
            numeric: fields.iter().map(|f| f.data_type().is_numeric()).collect(),
            rows: Vec::new(),
            left_out: 0,
        }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let options = FormatOptions::new().with_null("-");
        let columns: Vec<ArrayFormatter> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            if self.rows.len() == TABLE_ROWS_MAX {
                self.left_out += (batch.num_rows() - row) as u64;
                break;
            }
            let cells = columns
                .iter()
                .map(|column| column.value(row).try_to_string())
                .map(|cell| cell.map(|cell| printable(&cell).into_owned()))
                .collect::<Result<_, _>>()?;
            self.rows.push(cells);
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        let width = |at: usize| {
            let cells = self.rows.iter().map(|row| row[at].chars().count());
            cells
                .chain([self.names[at].chars().count()])
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.names.len()).map(width).collect();
        for row in [&self.names].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                let (before, after) = if self.numeric[at] {
                    (gap, String::new())
                } else {
                    (String::new(), gap)
                };
                line.push_str(&before);
                line.push_str(cell);
                line.push_str(&after);
                line.push_str("  ");
            }
            writeln!(self.out, "{}", line.trim_end())?;
        }
        if self.left_out > 0 {
            writeln!(
                self.out,
                "… and {} more rows; -o json, --csv or --out FILE writes all of them",
                self.left_out
            )?;
        }
        Ok(())
    }
}

/// A type as people know it.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::List(item) => format!("list of {}", type_name(item.data_type())),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Float32 | DataType::Float64 => "number".to_owned(),
        whole if whole.is_integer() => "integer".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}
