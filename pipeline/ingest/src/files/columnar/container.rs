//! The files that columns are put into, batch by batch.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{BATCH_ROWS, SCHEMA};

/// Rows after which a row group is closed. Each different text is read once in every group, and in a
/// large plant there are tens of thousands.
const GROUP_ROWS: usize = 128 * BATCH_ROWS;

/// Most bytes of the different texts of a column in one group; of more, each is written out in every
/// row.
const DICTIONARY_BYTES_MAX: usize = 8 << 20;

/// The kind of file that columns are put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) enum Container {
    /// Parquet: small.
    Parquet,
    /// Arrow IPC, the file format: quick.
    Arrow,
}

/// A file that batches are written to.
pub(super) enum Out {
    Parquet(Box<ArrowWriter<File>>),
    Arrow(Box<FileWriter<BufWriter<File>>>),
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Parquet(_) => "Parquet",
            Self::Arrow(_) => "Arrow",
        })
    }
}

impl Out {
    pub(super) fn new(file: File, container: Container) -> io::Result<Self> {
        match container {
            Container::Parquet => Self::parquet(file),
            Container::Arrow => Self::arrow(file),
        }
    }

    fn parquet(file: File) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
            // Hardly two of them are the same.
            .set_column_dictionary_enabled("uid".into(), false)
            .set_column_dictionary_enabled("line".into(), false)
            .build();
        let out = ArrowWriter::try_new(file, SCHEMA.clone(), Some(properties)).map_err(failed)?;
        Ok(Self::Parquet(Box::new(out)))
    }

    fn arrow(file: File) -> io::Result<Self> {
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .map_err(arrow_failed)?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let out = FileWriter::try_new_with_options(file, &PLAIN, options).map_err(arrow_failed)?;
        Ok(Self::Arrow(Box::new(out)))
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match self {
            Self::Parquet(out) => out.write(batch).map_err(failed),
            Self::Arrow(out) => out.write(&plain(batch)?).map_err(arrow_failed),
        }
    }

    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Parquet(out) => out.close().map(drop).map_err(failed),
            Self::Arrow(mut out) => {
                out.finish().map_err(arrow_failed)?;
                out.get_mut().flush()
            }
        }
    }
}

/// The columns of an Arrow file: a dictionary holds for all batches of a file, and would have to
/// be known before the first.
static PLAIN: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = SCHEMA.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(..) => Field::new(field.name(), DataType::Utf8, field.is_nullable()),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

fn plain(batch: &RecordBatch) -> io::Result<RecordBatch> {
    let plain = |column: &ArrayRef| -> ArrayRef {
        let dictionary = column.as_dictionary_opt::<Int32Type>();
        match dictionary.and_then(DictionaryArray::downcast_dict::<StringArray>) {
            Some(words) => Arc::new(words.into_iter().collect::<StringArray>()),
            None => Arc::clone(column),
        }
    };
    let columns = batch.columns().iter().map(plain).collect();
    RecordBatch::try_new(PLAIN.clone(), columns).map_err(io::Error::other)
}

fn arrow_failed(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}
