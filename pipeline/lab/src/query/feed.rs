//! Rows that are read by a thread of their own, batch by batch, as a table of DataFusion's.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;

/// Batches that wait for whoever takes them.
const WAITING_MAX: usize = 2;

/// Where rows come from, as often as they are asked for.
pub(super) trait Rows: Debug + Send + Sync + 'static {
    /// Names and types of the columns.
    fn schema(&self) -> &SchemaRef;

    /// Gives all rows in batches, until that says that no more are wanted.
    ///
    /// # Errors
    /// If they cannot be read on.
    fn read(&self, give: &mut dyn FnMut(RecordBatch) -> bool) -> io::Result<()>;
}

/// One part of a table.
#[derive(Debug)]
struct Part(Arc<dyn Rows>);

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        self.0.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder =
            RecordBatchReceiverStreamBuilder::new(self.0.schema().clone(), WAITING_MAX);
        let (rows, to) = (self.0.clone(), builder.tx());
        builder.spawn_blocking(move || {
            rows.read(&mut |batch| to.blocking_send(Ok(batch)).is_ok())
                .map_err(DataFusionError::IoError)
        });
        builder.build()
    }
}

/// The table of these parts, which are read side by side.
pub(super) fn table(schema: SchemaRef, parts: Vec<Arc<dyn Rows>>) -> Result<StreamingTable> {
    let part = |rows| Arc::new(Part(rows)) as Arc<dyn PartitionStream>;
    StreamingTable::try_new(schema, parts.into_iter().map(part).collect())
}
