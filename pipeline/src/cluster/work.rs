//! What an executor does.

use andon_engine::Engine;
use andon_ingest::files;
use andon_lab::cluster::{Row, Work};

use super::order::{Order, build};
use super::told;
use crate::exit::words;
use crate::intake::{CHUNK, Intake};
use crate::shards;

/// Plays parts of backtests.
#[derive(Debug)]
pub struct Backtests {
    name: String,
}

impl Backtests {
    /// For an executor that is called like this in what it tells.
    ///
    /// # Errors
    /// If it cannot tell which build it is.
    pub fn of(name: String) -> anyhow::Result<Self> {
        build()?;
        Ok(Self { name })
    }
}

impl Work for Backtests {
    fn run(
        &self,
        order: &str,
        task: usize,
        tasks: usize,
        give: &mut dyn FnMut(Row) -> bool,
    ) -> Result<(), String> {
        tracing::info!("task {task} of {tasks} began");
        let played = play(order, task, tasks, give);
        match &played {
            Ok(()) => tracing::info!("task {task} of {tasks} is done"),
            Err(error) => tracing::warn!("task {task} of {tasks} failed: {}", words(error)),
        }
        played.map_err(|error| format!("executor {}: {}", self.name, words(&error)))
    }
}

fn play(
    order: &str,
    task: usize,
    tasks: usize,
    give: &mut dyn FnMut(Row) -> bool,
) -> anyhow::Result<()> {
    let order = Order::read(order)?;
    let captures = files::open(&order.captures()?, order.options()?)?;
    let plant = order.blueprint.compile()?;
    let mut intake = Intake::new(&plant, order.batch_size, order.by_address).in_batches(tasks);
    intake.keep_to(order.named.clone());
    let mut engine = Engine::new(plant);
    let mut captures = captures.pieces_ahead(CHUNK)?;
    loop {
        let pieces = captures.next_batch()?;
        let ended = pieces.is_empty();
        for piece in pieces {
            intake.piece(piece, order.as_of)?;
        }
        if ended {
            intake.end();
        }
        let output = shards::run(&mut engine, &intake.take(), task, tasks);
        // Whoever asked for the backtest has an intake too, and counts.
        drop((intake.take_rejects(), intake.take_asides(&[])));
        intake.settle_below(intake.given(), Vec::new());
        for (cause, item) in output.items {
            if let Some(row) = told::row(&cause, item)?
                && !give(row)
            {
                return Ok(());
            }
        }
        if ended {
            give(told::last(&shards::status(&engine))?);
            return Ok(());
        }
    }
}
