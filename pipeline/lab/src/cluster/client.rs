//! Whoever wants work done.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::SessionConfigExt as _;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::StreamExt as _;

use super::codec::Codec;
use super::knock::knock;
use super::{MESSAGE_BYTES_MAX, Row, no_work, operator};

/// Batches of rows that wait for whoever takes them.
const WAITING_MAX: usize = 4;

type Batch = Result<Vec<Row>, String>;

/// What the tasks make, row by row. After an error there is nothing more.
#[derive(Debug)]
pub struct Answers {
    from: Receiver<Batch>,
    batch: std::vec::IntoIter<Row>,
}

impl Iterator for Answers {
    type Item = Result<Row, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.batch.next() {
                return Some(Ok(row));
            }
            match self.from.recv().ok()? {
                Ok(rows) => self.batch = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Has an order done in so many tasks by the executors of a scheduler, which is called by its host
/// and port.
///
/// # Errors
/// If no scheduler answers there, none of its executors joins it in time, or the system gives no
/// thread. Everything else comes with the answers.
pub fn submit(scheduler: &str, order: String, tasks: usize) -> Result<Answers, String> {
    let (to, from) = sync_channel(WAITING_MAX);
    let scheduler = scheduler.to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(knock(&scheduler))?;
    std::thread::Builder::new()
        .name("cluster".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(ask(&scheduler, &order, tasks, &to)) {
                // If nobody listens any more, nobody wants to know.
                to.send(Err(error)).ok();
            }
        })
        .map_err(|error| error.to_string())?;
    Ok(Answers {
        from,
        batch: Vec::new().into_iter(),
    })
}

async fn ask(
    scheduler: &str,
    order: &str,
    tasks: usize,
    to: &SyncSender<Batch>,
) -> Result<(), String> {
    let told = |error: DataFusionError| format!("the cluster at {scheduler}: {}", words(&error));
    let tasks = u32::try_from(tasks).map_err(|_| "there are too many tasks".to_owned())?;
    let plan: Arc<dyn ExecutionPlan> = operator::plan(order, tasks, no_work()).map_err(told)?;
    let config = SessionConfig::new_with_ballista()
        .with_ballista_grpc_client_max_message_size(MESSAGE_BYTES_MAX)
        // There is nothing to adapt: the plan is two operators, and their partitions have a meaning.
        .with_ballista_adaptive_query_planner(false)
        .with_ballista_job_name("andon");
    let codec = Codec::new(no_work());
    let session = format!("andon-{}", std::process::id());
    let mut batches = execute_physical_plan::<PhysicalPlanNode>(
        format!("http://{scheduler}"),
        &config.ballista_config(),
        plan,
        &codec,
        session,
        config,
    )
    .await
    .map_err(told)?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(told)?;
        let rows = operator::rows(&batch)
            .ok_or_else(|| format!("the cluster at {scheduler} answered something else"))?;
        // Whoever does not listen any more has what it wanted, or cannot go on.
        if tokio::task::block_in_place(|| to.send(Ok(rows))).is_err() {
            break;
        }
    }
    Ok(())
}

/// What is wrong, without the layers that it came through: what a task says of itself arrives as a
/// quoted text inside of the notation of Ballista's own errors.
fn words(error: &DataFusionError) -> String {
    let whole = error.strip_backtrace();
    match whole.rsplit_once("Execution(\"") {
        Some((_, quoted)) => unquoted(quoted),
        None => whole,
    }
}

/// A text in Rust's notation, from behind its first quotation mark to its last.
fn unquoted(quoted: &str) -> String {
    let mut text = String::new();
    let mut rest = quoted.chars();
    while let Some(next) = rest.next() {
        match next {
            '"' => break,
            '\\' => match rest.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_task_said_is_told_without_its_layers() {
        for said in [
            "executor 10.0.0.2:50051: `a \"b\"` is missing",
            "path `/a(\"b\")/c` is missing: do this",
            "cannot read (Some(\"x\")):\nand what to do \\ about it",
        ] {
            let inner = DataFusionError::Execution(said.to_owned());
            let layers = format!("Job 0 failed: DataFusionError(Shared(External({inner:?})))");
            assert_eq!(words(&DataFusionError::Execution(layers)), said);
        }
        let plain = DataFusionError::Execution("simply wrong".to_owned());
        assert_eq!(words(&plain), "Execution error: simply wrong");
    }
}
