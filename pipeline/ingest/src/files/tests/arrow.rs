//! Arrow IPC captures: files and streams, of ours and of other tools, cut off, damaged, hostile.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::damage::gzip;
use super::native::every_kind;
use super::*;
use crate::files::{CaptureWriter, Format, Order};

const ROUNDS: usize = 300;

/// [`every_kind`], many times over, with dictionaries as columns.
fn batch() -> &'static RecordBatch {
    static BATCH: LazyLock<RecordBatch> = LazyLock::new(|| {
        let folder = Folder::new();
        let path = folder.path().join("all.parquet");
        let mut writer = CaptureWriter::create(&path).unwrap();
        for record in (0..ROUNDS).flat_map(|_| every_kind()) {
            writer.record(&record, None).unwrap();
        }
        writer.finish().unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&path).unwrap());
        let mut batches = builder.unwrap().with_batch_size(1 << 20).build().unwrap();
        batches.next().unwrap().unwrap()
    });
    &BATCH
}

fn options(compression: Option<CompressionType>) -> IpcWriteOptions {
    IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap()
}

fn stream(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let (schema, options) = (batches[0].schema(), options(compression));
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

fn file(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let (schema, options) = (batch.schema(), options(compression));
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn files_and_streams_packed_or_not_hold_the_same_records() {
    let records: Vec<Record> = (0..ROUNDS).flat_map(|_| every_kind()).collect();
    let halves = [
        batch().slice(0, 1_000),
        batch().slice(1_000, batch().num_rows() - 1_000),
    ];
    for compression in [
        None,
        Some(CompressionType::LZ4_FRAME),
        Some(CompressionType::ZSTD),
    ] {
        for bytes in [
            file(batch(), compression),
            stream(&halves, compression),
            gzip(&stream(&halves, compression)),
        ] {
            let folder = Folder::new();
            let mut captures = captures(&[folder.put("a.feather", bytes)]);
            let read = drain(&mut captures);
            assert!(read.records == records, "{compression:?}");
            assert_eq!(captures.order(), Order::Recorded);
            assert_eq!(captures.files()[0].format, Some(Format::Arrow));
            assert_eq!(captures.files()[0].rejects, 0);
        }
    }
}

#[test]
fn a_stream_that_just_ends_is_whole_and_a_file_without_its_end_is_not() {
    let whole = stream(&[batch().clone()], None);
    // Eight bytes mark the end of a stream, and may be left out.
    let read_stream = read("a", &whole[..whole.len() - 8]);
    assert_eq!(
        (read_stream.records.len(), read_stream.rejects.len()),
        (7 * ROUNDS, 0)
    );

    let whole = file(batch(), None);
    let mark = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let end = whole.windows(8).rposition(|bytes| bytes == mark).unwrap();
    let read_file = read("a", &whole[..end]);
    assert_eq!(read_file.records.len(), 7 * ROUNDS);
    let last = 7 * ROUNDS as u64 + 1;
    assert_eq!(read_file.reasons(), [(RejectReason::Truncated, last)]);
    assert!(read_file.rejects[0].detail.contains("was not finished"));
}

#[test]
fn of_a_file_that_is_cut_the_batches_before_are_kept() {
    let halves = [batch().slice(0, 1_000), batch().slice(1_000, 1_000)];
    let whole = stream(&halves, None);
    let read = read("a", &whole[..whole.len() * 3 / 4]);
    assert_eq!(read.records.len(), 1_000);
    assert_eq!(read.reasons(), [(RejectReason::Truncated, 1_001)]);
    let detail = &read.rejects[0].detail;
    assert!(detail.contains("in the middle of a frame"), "{detail}");
    assert!(detail.contains("(frame at byte "), "{detail}");
}

#[test]
fn columns_of_another_tool_are_told_with_what_they_should_be() {
    let columns: [(&str, ArrayRef); 4] = [
        (
            "timestamp",
            Arc::new(TimestampNanosecondArray::from(vec![1])),
        ),
        ("kind", Arc::new(StringArray::from(vec!["reading"]))),
        ("device", Arc::new(StringArray::from(vec!["d"]))),
        ("current_a", Arc::new(Float64Array::from(vec![1.0]))),
    ];
    let foreign = RecordBatch::try_from_iter(columns).unwrap();
    let read = read("a.arrow", stream(&[foreign], None));
    assert_eq!(read.reasons(), [(RejectReason::WrongType, 1)]);
    assert_eq!(
        read.rejects[0].detail,
        "arrow file is no capture: column `time` is missing (is it `timestamp`?); column \
         `current_a` is Float64, expected Float32: cast it; a flow needs kind, time, orig, resp \
         and transport; a reading kind, time, device and current_a or spindle_rpm"
    );
}

#[test]
fn further_columns_of_any_type_are_passed_over() {
    let mut columns: Vec<(String, ArrayRef)> = batch()
        .schema()
        .fields()
        .iter()
        .zip(batch().columns())
        .map(|(field, column)| (field.name().clone(), Arc::clone(column)))
        .collect();
    let remarks = Float64Array::from(vec![0.5; batch().num_rows()]);
    columns.insert(3, ("remark".to_owned(), Arc::new(remarks)));
    let wider = RecordBatch::try_from_iter(columns).unwrap();
    let read = read("a.arrow", stream(&[wider], None));
    assert_eq!((read.records.len(), read.rejects.len()), (7 * ROUNDS, 0));
}

/// A frame of this head whose body is said to be this long.
fn with_length(whole: &[u8], frame: usize, length: i32) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[frame + 4..frame + 8].copy_from_slice(&length.to_le_bytes());
    bytes
}

#[test]
fn lengths_that_nobody_should_believe_cost_no_memory() {
    let whole = stream(&[batch().clone()], None);
    let head = i32::from_le_bytes(whole[4..8].try_into().unwrap());
    let second = 8 + usize::try_from(head).unwrap();
    for length in [-1, 3, i32::MAX] {
        let read = read("a", with_length(&whole, second, length));
        assert_eq!(read.records.len(), 0, "{length}");
        assert_eq!(read.rejects.len(), 1, "{length}");
    }
    // A packed column says first how long it is.
    let packed = stream(&[batch().clone()], Some(CompressionType::LZ4_FRAME));
    let mut hostile = packed.clone();
    let mark = [0x04, 0x22, 0x4d, 0x18];
    for at in 8..hostile.len() - 4 {
        if hostile[at..at + 4] == mark {
            hostile[at - 8..at].copy_from_slice(&(1_i64 << 60).to_le_bytes());
        }
    }
    assert_ne!(hostile, packed);
    let read = read("a", hostile);
    assert_eq!(read.reasons(), [(RejectReason::Oversized, 1)]);
}

#[test]
fn the_first_version_of_feather_is_told() {
    let read = read("a.feather", b"FEA1\x00\x00\x00\x00");
    assert!(read.rejects[0].detail.contains("version 1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_panics(at: usize, byte: u8, cut: usize, packed: bool, is_file: bool) {
        static WHOLE: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
            let few = batch().slice(0, 40);
            let lz4 = Some(CompressionType::LZ4_FRAME);
            [
                stream(std::slice::from_ref(&few), None),
                stream(std::slice::from_ref(&few), lz4),
                file(&few, None),
                file(&few, lz4),
            ]
        });
        let mut content = WHOLE[usize::from(packed) + 2 * usize::from(is_file)].clone();
        let at = at % content.len();
        content[at] = byte;
        if cut % 4 == 0 {
            content.drain(at..(at + cut % 64).min(content.len()));
        }
        let read = read("x.arrow", &content);
        prop_assert!(read.items.len() <= 41, "{}", read.items.len());
    }
}
