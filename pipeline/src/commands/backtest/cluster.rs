//! A backtest that the executors of a cluster do.

use std::path::Path;
use std::sync::Arc;

use andon_engine::Plant;
use andon_ingest::files::names_objects;
use andon_schemas::time::EventTime;
use anyhow::anyhow;

use crate::args::BacktestArgs;
use crate::blueprint::Blueprint;
use crate::engines::Engines;
use crate::exit::usage;
use crate::shards::Shards;

/// Refuses what a cluster cannot do.
pub(super) fn check(args: &BacktestArgs) -> anyhow::Result<()> {
    let Some(scheduler) = &args.cluster else {
        return Ok(());
    };
    is_built(scheduler)?;
    let refuse = |what: &str| Err(usage(anyhow!("{what} does not go with --cluster")));
    if args.compare.is_some() {
        return refuse("--compare");
    }
    if args.restart_every.is_some() {
        return refuse("--restart-every");
    }
    if args.captures.iter().any(|path| path == Path::new("-")) {
        return refuse("standard input");
    }
    if args.captures.iter().any(|path| names_objects(path)) {
        return refuse("a capture in an object store");
    }
    Ok(())
}

#[cfg(feature = "cluster")]
fn is_built(scheduler: &str) -> anyhow::Result<()> {
    crate::cluster::place(scheduler).map(drop).map_err(usage)
}

#[cfg(not(feature = "cluster"))]
fn is_built(_: &str) -> anyhow::Result<()> {
    Err(crate::commands::cluster::absent())
}

/// The engines that a backtest asks for.
#[cfg_attr(
    not(feature = "cluster"),
    expect(unused_variables, reason = "only a cluster has to be told all of it")
)]
pub(super) fn engines(
    args: &BacktestArgs,
    (blueprint, plant): (&Blueprint, &Arc<Plant>),
    by_address: bool,
    as_of: EventTime,
) -> anyhow::Result<Engines> {
    #[cfg(feature = "cluster")]
    if let Some(scheduler) = &args.cluster {
        use crate::blueprint::Named;
        use crate::cluster::{Order, Remote};

        let named = Named::of(&args.plant, blueprint);
        let order = Order::of(args, (blueprint, named), by_address, as_of)?;
        let remote = Remote::begin(scheduler, &order, args.shards)?;
        return Ok(Engines::There(Box::new(remote)));
    }
    Ok(Engines::Here(Shards::new(plant, args.shards)?))
}
