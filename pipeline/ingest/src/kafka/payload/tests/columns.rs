//! Arrow IPC streams.

use std::sync::Arc;

use andon_schemas::observation::Kind;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Int32Array, RecordBatch, StringArray,
};
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::files::CaptureWriter;

/// The records of [`LINES`] as columns, `times` over.
fn batch(times: usize) -> RecordBatch {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.parquet");
    let mut writer = CaptureWriter::create(&path).unwrap();
    for record in (0..times).flat_map(|_| trusted_records()) {
        writer.record(&record, None).unwrap();
    }
    writer.finish().unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut batches = builder.with_batch_size(1 << 20).build().unwrap();
    batches.next().unwrap().unwrap()
}

/// A batch with another column under this name.
fn with(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let at = batch.schema().index_of(name).unwrap();
    let mut columns = batch.columns().to_vec();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields[at] = Arc::new(Field::new(name, column.data_type().clone(), true));
    columns[at] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn lone(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("kind", column.clone()), (name, column)]).unwrap()
}

fn written(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let schema = batches[0].schema();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

pub(super) fn stream(batches: &[RecordBatch]) -> Vec<u8> {
    written(batches, IpcWriteOptions::default())
}

pub(super) fn whole() -> Vec<u8> {
    let batch = batch(2);
    stream(&[batch.slice(0, 5), batch.slice(5, 9)])
}

#[test]
fn a_stream_is_the_records_that_its_rows_are() {
    let twice: Vec<_> = records().into_iter().chain(records()).map(Ok).collect();
    assert_eq!(read(whole()), twice);
    let mut trusted = payloads(&trusting());
    let twice: Vec<_> = trusted_records()
        .into_iter()
        .chain(trusted_records())
        .map(Ok)
        .collect();
    assert_eq!(read_by(&mut trusted, &whole()), twice);
}

#[test]
fn a_bad_row_is_refused_alone_with_its_number() {
    let batch = batch(2);
    let mut amounts = vec![None; 14];
    amounts[2] = Some(1.0);
    amounts[9] = Some(-1.0);
    let poisoned = with(&batch, "current_a", Arc::new(Float32Array::from(amounts)));
    let read = read(stream(&[poisoned.slice(0, 6), poisoned.slice(6, 8)]));
    assert_eq!(read.len(), 14);
    let bad: Vec<_> = read.iter().filter_map(|row| row.as_ref().err()).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0].reason, RejectReason::OutOfRange);
    assert!(
        bad[0].detail.starts_with("row 10: `current_a` is -1"),
        "{}",
        bad[0]
    );
}

#[test]
fn texts_of_rows_are_bounded_like_texts_of_lines() {
    let batch = batch(1);
    let long = StringArray::from(vec![Some("x".repeat(513)); 7]);
    let read = read(stream(&[with(&batch, "service", Arc::new(long))]));
    let bad = read.iter().filter(|row| row.is_err()).count();
    assert_eq!(bad, 2, "the two flows");
}

#[test]
fn a_stream_that_was_cut_is_one_refusal() {
    let whole = whole();
    // Without its mark of the end it is whole still, and so it is between two frames.
    for cut in [4, 7, 8, 100, whole.len() / 2, whole.len() - 9] {
        let refused = refusal(&whole[..cut]);
        assert_eq!(refused.reason, RejectReason::Truncated, "{cut}: {refused}");
    }
    assert_eq!(read(&whole[..whole.len() - 8]).len(), 14);
    let mut longer = whole.clone();
    longer.push(0);
    assert!(refusal(&longer).detail.contains("1 bytes follow its end"));
}

#[test]
fn a_stream_without_rows_is_not_passed_over() {
    let refused = refusal(stream(&[batch(1).slice(0, 0)]));
    assert_eq!(refused.reason, RejectReason::Malformed);
    assert!(refused.detail.contains("no record"), "{refused}");
}

#[test]
fn an_arrow_file_is_refused_with_what_to_send() {
    let batch = batch(1);
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    let refused = refusal(writer.into_inner().unwrap());
    assert!(refused.detail.contains("stream format"), "{refused}");
}

#[test]
fn other_columns_than_those_of_records_are_refused() {
    let observations = RecordBatch::new_empty(andon_schemas::columns::schema(Kind::Flow).clone());
    let refused = refusal(stream(&[observations]));
    assert!(
        refused.detail.contains("columns of observations"),
        "{refused}"
    );
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let refused = refusal(stream(&[lone("time", numbers)]));
    assert_eq!(refused.reason, RejectReason::WrongType, "{refused}");
    assert!(refused.detail.contains("`kind` is Int32"), "{refused}");
}

#[test]
fn columns_that_are_not_known_are_passed_over_unless_they_may_be_a_trap() {
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true; 7]));
    let batch = batch(1);
    let widened = |column: ArrayRef| {
        let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(
            "new",
            column.data_type().clone(),
            true,
        )));
        let mut columns = batch.columns().to_vec();
        columns.push(column);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    assert_eq!(read(stream(&[widened(flags)])).len(), 7);
    let nulls = arrow_array::new_null_array(&DataType::Null, 7);
    let refused = refusal(stream(&[widened(nulls)]));
    assert_eq!(refused.reason, RejectReason::Unsupported, "{refused}");
}

#[test]
fn a_stream_that_is_compressed_inside_is_refused() {
    // Written by Arrow's own C++ library.
    let refused = refusal(include_bytes!("zstd.arrows"));
    assert_eq!(refused.reason, RejectReason::Unsupported, "{refused}");
    assert!(refused.detail.contains("`compression.type`"), "{refused}");
}

#[test]
fn a_stream_that_adds_to_its_dictionaries_is_refused() {
    let words = |words: &[&str]| -> ArrayRef {
        Arc::new(
            words
                .iter()
                .copied()
                .collect::<DictionaryArray<Int32Type>>(),
        )
    };
    let batches = [
        lone("device", words(&["reading"])),
        lone("device", words(&["reading", "flow"])),
    ];
    let options = IpcWriteOptions::default();
    let options = options.with_dictionary_handling(DictionaryHandling::Delta);
    let refused = refusal(written(&batches, options));
    assert_eq!(refused.reason, RejectReason::Unsupported, "{refused}");
    assert!(refused.detail.contains("(delta)"), "{refused}");
}

#[test]
fn a_small_payload_cannot_become_a_large_one() {
    // One bit a row.
    let rows = RECORDS_MAX + 1;
    let kinds = DictionaryArray::<Int8Type>::new(
        arrow_array::Int8Array::from(vec![0; rows]),
        Arc::new(StringArray::from(vec!["reading"])),
    );
    let bits: ArrayRef = Arc::new(BooleanArray::from(vec![true; rows]));
    let many =
        RecordBatch::try_from_iter([("kind", Arc::new(kinds) as ArrayRef), ("tpm_ok", bits)]);
    let refused = refusal(stream(&[many.unwrap()]));
    assert_eq!(refused.reason, RejectReason::Oversized, "{refused}");
    // A large dictionary, read again for every batch.
    let words = StringArray::from(vec![""; 100_000]);
    let keys = Int32Array::from(vec![0]);
    let column: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::new(words)));
    let refused = refusal(stream(&vec![lone("device", column); 8]));
    assert_eq!(refused.reason, RejectReason::Oversized, "{refused}");
    assert!(refused.detail.contains("cells"), "{refused}");
    // Frames without end.
    let refused = refusal(stream(&vec![batch(1).slice(0, 0); 1_100]));
    assert_eq!(refused.reason, RejectReason::Oversized, "{refused}");
}
