//! The operator that runs the work, in a plan that has one partition for each task.

use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::cast::AsArray as _;
use datafusion::arrow::array::types::UInt32Type;
use datafusion::arrow::array::{
    ArrayRef, Int64Array, Int64Builder, RecordBatch, StringArray, StringBuilder, UInt32Array,
    UInt64Array, UInt64Builder,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, PlanProperties,
};
use futures::StreamExt as _;
use tokio::sync::mpsc::Sender;

use super::{Row, Work};

/// Batches that wait for whoever takes them.
const WAITING_MAX: usize = 2;

/// Rows of one batch.
const BATCH_ROWS: usize = 1_024;

/// The columns by which rows are in order, first to last.
const KEYS: [&str; 3] = ["ordinal", "deadline", "device"];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |name: &str, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        field(KEYS[0], DataType::UInt64),
        field(KEYS[1], DataType::Int64),
        field(KEYS[2], DataType::Utf8),
        field("text", DataType::Utf8),
    ]))
});

/// Numbers of tasks, one in each partition. Ballista hands every executor the partitions that are
/// its own; of a leaf that it does not know it would hand all of them to everybody.
static NUMBERS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![Field::new(
        "task",
        DataType::UInt32,
        false,
    )]))
});

/// Runs [`Work`] for every task whose number comes in.
#[derive(Debug)]
pub(super) struct WorkExec {
    pub(super) order: Arc<str>,
    pub(super) tasks: u32,
    numbers: Arc<dyn ExecutionPlan>,
    work: Arc<dyn Work>,
    properties: Arc<PlanProperties>,
}

impl WorkExec {
    pub(super) fn new(
        order: Arc<str>,
        tasks: u32,
        numbers: Arc<dyn ExecutionPlan>,
        work: Arc<dyn Work>,
    ) -> Result<Self> {
        let partitions = numbers.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(SCHEMA.clone(), [ordering()?]),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            order,
            tasks,
            numbers,
            work,
            properties: Arc::new(properties),
        })
    }
}

/// The plan of an order: all its tasks, and what they make in one order.
pub(super) fn plan(order: &str, tasks: u32, work: Arc<dyn Work>) -> Result<Arc<dyn ExecutionPlan>> {
    let operator = Arc::new(WorkExec::new(order.into(), tasks, numbers(tasks)?, work)?);
    let by = LexOrdering::new(ordering()?)
        .ok_or_else(|| DataFusionError::Internal("no order of rows".to_owned()))?;
    Ok(Arc::new(SortPreservingMergeExec::new(by, operator)))
}

/// The numbers of all tasks.
pub(super) fn numbers(tasks: u32) -> Result<Arc<dyn ExecutionPlan>> {
    let partition = |task| {
        let column: ArrayRef = Arc::new(UInt32Array::from(vec![task]));
        Ok(vec![RecordBatch::try_new(NUMBERS.clone(), vec![column])?])
    };
    let partitions: Vec<_> = (0..tasks).map(partition).collect::<Result<_>>()?;
    let source = MemorySourceConfig::try_new(&partitions, NUMBERS.clone(), None)?;
    Ok(DataSourceExec::from_data_source(source))
}

fn ordering() -> Result<Vec<PhysicalSortExpr>> {
    let key = |name: &&str| Ok(PhysicalSortExpr::new_default(col(name, &SCHEMA)?));
    KEYS.iter().map(key).collect()
}

impl DisplayAs for WorkExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkExec: tasks={}", self.tasks)
    }
}

impl ExecutionPlan for WorkExec {
    fn name(&self) -> &'static str {
        "WorkExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.numbers]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [numbers] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("an operator of one input".to_owned()))?;
        Ok(Arc::new(Self::new(
            self.order.clone(),
            self.tasks,
            numbers,
            self.work.clone(),
        )?))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStreamBuilder::new(SCHEMA.clone(), WAITING_MAX);
        let mut numbers = self.numbers.execute(partition, context)?;
        let (order, tasks, to) = (self.order.clone(), self.tasks, builder.tx());
        let work = self.work.clone();
        builder.spawn(async move {
            while let Some(batch) = numbers.next().await.transpose()? {
                for task in batch.column(0).as_primitive::<UInt32Type>().values() {
                    let (order, to, work, task) = (order.clone(), to.clone(), work.clone(), *task);
                    let run = move || run(&*work, &order, (task, tasks), &to);
                    tokio::task::spawn_blocking(run)
                        .await
                        .map_err(|error| DataFusionError::External(Box::new(error)))??;
                }
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

/// Runs one task to its end.
fn run(
    work: &dyn Work,
    order: &str,
    (task, tasks): (u32, u32),
    to: &Sender<Result<RecordBatch>>,
) -> Result<()> {
    let mut gathered = Gathered::default();
    let mut give = |row: Row| {
        gathered.push(&row);
        gathered.rows < BATCH_ROWS || to.blocking_send(gathered.finish()).is_ok()
    };
    work.run(order, task as usize, tasks as usize, &mut give)
        .map_err(DataFusionError::Execution)?;
    if gathered.rows > 0 {
        // If nobody wants it any more, that is for them to say.
        to.blocking_send(gathered.finish()).ok();
    }
    Ok(())
}

/// Rows on their way into a batch.
#[derive(Debug, Default)]
struct Gathered {
    ordinal: UInt64Builder,
    deadline: Int64Builder,
    device: StringBuilder,
    text: StringBuilder,
    rows: usize,
}

impl Gathered {
    fn push(&mut self, row: &Row) {
        self.ordinal.append_value(row.ordinal);
        self.deadline.append_value(row.deadline);
        self.device.append_value(&row.device);
        self.text.append_value(&row.text);
        self.rows += 1;
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.ordinal.finish()),
            Arc::new(self.deadline.finish()),
            Arc::new(self.device.finish()),
            Arc::new(self.text.finish()),
        ];
        Ok(RecordBatch::try_new(SCHEMA.clone(), columns)?)
    }
}

/// The rows of a batch; `None` if it is not of this operator.
pub(super) fn rows(batch: &RecordBatch) -> Option<Vec<Row>> {
    let column = |at: usize| batch.columns().get(at);
    let ordinals = column(0)?.as_any().downcast_ref::<UInt64Array>()?;
    let deadlines = column(1)?.as_any().downcast_ref::<Int64Array>()?;
    let devices = column(2)?.as_any().downcast_ref::<StringArray>()?;
    let texts = column(3)?.as_any().downcast_ref::<StringArray>()?;
    let row = |at| Row {
        ordinal: ordinals.value(at),
        deadline: deadlines.value(at),
        device: devices.value(at).to_owned(),
        text: texts.value(at).to_owned(),
    };
    Some((0..batch.num_rows()).map(row).collect())
}
