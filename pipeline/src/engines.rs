//! The engines of a backtest: shards of this process, or those of a cluster.

use std::sync::Arc;

use andon_engine::{Input, Output, Plant};

#[cfg(feature = "cluster")]
use crate::cluster::Remote;
use crate::shards::{Shards, Status};

/// Engines that take the same input and settle the same, wherever they run.
#[derive(Debug)]
pub enum Engines {
    /// In this process.
    Here(Shards),
    /// In the executors of a cluster, which read the captures themselves.
    #[cfg(feature = "cluster")]
    There(Box<Remote>),
}

impl Engines {
    /// Hands a chunk of input over.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn begin(&self, inputs: &Arc<[Input]>) -> anyhow::Result<()> {
        match self {
            Self::Here(shards) => shards.begin(inputs),
            #[cfg(feature = "cluster")]
            Self::There(_) => Ok(()),
        }
    }

    /// Everything that the chunk settled, in order; ordinals below this one are in it or went
    /// before.
    ///
    /// # Errors
    /// If a shard's thread is gone, or a cluster failed.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "only a cluster needs it")
    )]
    pub fn settled(&mut self, below: u64) -> anyhow::Result<Output> {
        match self {
            Self::Here(shards) => shards.settled(),
            #[cfg(feature = "cluster")]
            Self::There(remote) => remote.settled(below),
        }
    }

    /// Counts and risks of all of them. A cluster tells them once, after the end of the input.
    ///
    /// # Errors
    /// If a shard's thread is gone, or a cluster failed.
    pub fn status(&mut self) -> anyhow::Result<Status> {
        match self {
            Self::Here(shards) => shards.status(),
            #[cfg(feature = "cluster")]
            Self::There(remote) => remote.status(),
        }
    }

    /// Saves the state and goes on from it. Nobody asks a cluster for that.
    ///
    /// # Errors
    /// If the state cannot be saved or read.
    pub fn restart(&mut self, plant: &Arc<Plant>, shards: usize) -> anyhow::Result<()> {
        match self {
            Self::Here(here) => *here = Shards::restore(plant, shards, &here.snapshot()?)?,
            #[cfg(feature = "cluster")]
            Self::There(_) => anyhow::bail!("the state of a cluster is not saved"),
        }
        Ok(())
    }
}

/// The same input for engines that measure against something else: each change of the plant brings
/// theirs, in order.
pub fn with_plants(inputs: &Arc<[Input]>, plants: Vec<Arc<Plant>>) -> Arc<[Input]> {
    if plants.is_empty() {
        return inputs.clone();
    }
    let mut plants = plants.into_iter();
    let swap = |input: &Input| match input {
        Input::Control(plant) => Input::Control(plants.next().unwrap_or_else(|| plant.clone())),
        other => other.clone(),
    };
    inputs.iter().map(swap).collect()
}
