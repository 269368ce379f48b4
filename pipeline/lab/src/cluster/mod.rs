//! A piece of work dealt out to several machines by Ballista, the distributed DataFusion.
//!
//! What the work is, whoever uses this says: an order, as text, goes to every executor, which runs
//! [`Work`] for each of the tasks that it takes. What the tasks make comes back as one stream of
//! [`Row`]s in one order. A task whose executor is lost is run again elsewhere, so that the same
//! order has to make the same rows everywhere.

mod client;
mod codec;
mod knock;
mod operator;
mod serve;

use std::fmt::Debug;
use std::sync::Arc;

pub use client::{Answers, submit};
pub use serve::{ExecutorSettings, executor, scheduler};

/// Longest message between client, scheduler and executors: an order holds the whole plant.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// One thing that a task made, with its place among everything that all of them make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// First in the order.
    pub ordinal: u64,
    /// Second, microseconds.
    pub deadline: i64,
    /// Third, byte by byte.
    pub device: String,
    /// What it is. Rows of one task that are equal up to here keep the order they were given in.
    pub text: String,
}

/// What executors do. It has to make its rows in order.
pub trait Work: Debug + Send + Sync + 'static {
    /// Runs task number `task` of `tasks`; `give` says whether anybody still wants the rows.
    ///
    /// # Errors
    /// Why it cannot be done. The task is not tried again.
    fn run(
        &self,
        order: &str,
        task: usize,
        tasks: usize,
        give: &mut dyn FnMut(Row) -> bool,
    ) -> Result<(), String>;
}

/// Work of whoever runs none: the scheduler and the client only pass orders on.
#[derive(Debug)]
struct NoWork;

impl Work for NoWork {
    fn run(
        &self,
        _: &str,
        _: usize,
        _: usize,
        _: &mut dyn FnMut(Row) -> bool,
    ) -> Result<(), String> {
        Err("this process runs no tasks".to_owned())
    }
}

fn no_work() -> Arc<dyn Work> {
    Arc::new(NoWork)
}
