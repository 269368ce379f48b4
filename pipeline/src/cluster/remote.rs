//! What the engines of a cluster settle, as if they were shards of this process.

use std::iter::Peekable;

use andon_engine::{Cause, Output};
use andon_lab::cluster::{Answers, submit};
use anyhow::{Context as _, anyhow, bail};

use super::order::Order;
use super::told::{self, LAST};
use crate::shards::Status;

/// The engines of a cluster, at work on one order.
#[derive(Debug)]
pub struct Remote {
    answers: Peekable<Answers>,
    tasks: usize,
    /// What caused the newest item.
    newest: Option<Cause>,
}

impl Remote {
    /// Has an order done in so many tasks by the cluster whose scheduler is at this host and port.
    ///
    /// # Errors
    /// If nobody is there to do it.
    pub fn begin(scheduler: &str, order: &Order, tasks: usize) -> anyhow::Result<Self> {
        let order = serde_json::to_string(order)?;
        let answers = submit(scheduler, order, tasks).map_err(|e| anyhow!(e))?;
        Ok(Self {
            answers: answers.peekable(),
            tasks,
            newest: None,
        })
    }

    /// Everything that the input with ordinals below this one settled, in order.
    ///
    /// # Errors
    /// If the cluster failed.
    pub fn settled(&mut self, below: u64) -> anyhow::Result<Output> {
        let mut output = Output::default();
        while let Some(row) = self
            .answers
            .next_if(|row| row.as_ref().is_ok_and(|row| row.ordinal < below))
        {
            let (cause, item) = told::item(&row.map_err(|e| anyhow!(e))?)?;
            if self.newest.as_ref().is_some_and(|newest| cause < *newest) {
                bail!("the cluster mixed up the order of its answers");
            }
            self.newest = Some(cause.clone());
            output.items.push((cause, item));
        }
        match self.answers.next_if(Result::is_err) {
            Some(Err(error)) => Err(anyhow!(error)),
            _ => Ok(output),
        }
    }

    /// What its engines come to at the end of the input.
    ///
    /// # Errors
    /// If the cluster failed, or not all tasks came to their end.
    pub fn status(&mut self) -> anyhow::Result<Status> {
        let mut all = Status::default();
        let mut ended = 0;
        for row in self.answers.by_ref() {
            let row = row.map_err(|e| anyhow!(e))?;
            if row.ordinal != LAST {
                bail!("the cluster tells of input that there is not: its captures are others");
            }
            all.add(serde_json::from_str(&row.text).context("an executor told something else")?);
            ended += 1;
        }
        if ended != self.tasks {
            bail!("{ended} of {} tasks came to their end", self.tasks);
        }
        all.sort();
        Ok(all)
    }
}
