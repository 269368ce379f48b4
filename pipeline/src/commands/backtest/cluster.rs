//! A backtest that the executors of a cluster do.

use std::path::Path;
use std::sync::Arc;

use andon_engine::Plant;
use andon_schemas::time::EventTime;
use anyhow::anyhow;

use crate::args::BacktestArgs;
use crate::blueprint::{Blueprint, Named};
use crate::engines::Engines;
use crate::exit::usage;
use crate::shards::Shards;

/// Refuses what a cluster cannot do.
pub(super) fn check(args: &BacktestArgs) -> anyhow::Result<()> {
    if args.cluster.is_none() {
        return Ok(());
    }
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
    Ok(())
}

/// The engines that a backtest asks for.
#[cfg(feature = "cluster")]
pub(super) fn engines(
    args: &BacktestArgs,
    (blueprint, plant): (&Blueprint, &Arc<Plant>),
    named: Named,
    by_address: bool,
    as_of: EventTime,
) -> anyhow::Result<Engines> {
    use crate::cluster::{Order, Remote, place};

    let Some(scheduler) = &args.cluster else {
        return Ok(Engines::Here(Shards::new(plant, args.shards)?));
    };
    place(scheduler).map_err(usage)?;
    let order = Order::of(args, (blueprint, named), by_address, as_of)?;
    let remote = Remote::begin(scheduler, &order, args.shards)?;
    Ok(Engines::There(Box::new(remote)))
}

/// The engines that a backtest asks for.
#[cfg(not(feature = "cluster"))]
pub(super) fn engines(
    args: &BacktestArgs,
    (_, plant): (&Blueprint, &Arc<Plant>),
    _: Named,
    _: bool,
    _: EventTime,
) -> anyhow::Result<Engines> {
    if args.cluster.is_some() {
        return Err(crate::commands::cluster::absent());
    }
    Ok(Engines::Here(Shards::new(plant, args.shards)?))
}
