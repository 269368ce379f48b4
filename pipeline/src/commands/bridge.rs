//! `andon bridge`: moves records to where Kafka keeps them, one row per device. See
//! [`crate::kafka::bridge`] for what is promised of them.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon_schemas::inventory::Inventory;
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;

use crate::args::{BridgeArgs, Format, PlantArgs, RunArgs};
use crate::config::Config;
use crate::exit::{Outcome, usage, words};
use crate::kafka::bridge::counts::{Counts, Summary};
use crate::kafka::bridge::open;
use crate::kafka::names::Names;
use crate::kafka::settings::Settings;
use crate::setting;
use crate::signals::{Stop, hangups, stopping};

/// How long background work is given when everything is done.
const ENDED_WITHIN: Duration = Duration::from_secs(1);

/// Runs the command.
///
/// # Errors
/// If the configuration, the inventory or a topic cannot be used, Kafka refuses us for good, or one
/// side was not there in all the time that the bridge was given.
pub fn run(args: &BridgeArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let config = Config::load(&as_of_a_run(args))?;
    let settings = config.kafka.as_ref().ok_or_else(|| {
        usage(anyhow!(
            "a bridge writes to Kafka: name its brokers with --kafka, or in the section [kafka] of \
             the configuration"
        ))
    })?;
    let path = config.plant.inventory.as_deref();
    let inventory = Arc::new(setting::inventory(path)?);
    let site = inventory.site.clone();
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let after = args.duration.map(Duration::from_secs_f64);
    let stop = stopping(&runtime, Stop { after });
    let asked = hangups(&runtime);
    let mut reload = || another(&asked, path, &site);
    let limited = after.is_some();
    let to = Names::of(&settings.prefix).observations;
    let (from, counts) = match &args.from_topic {
        None => {
            let mut ferry = open::ferry(&runtime, &config, settings, inventory)?;
            let from = ferry.from().to_owned();
            console(ferry.address(), format, out)?;
            if ferry.reach(settings, &stop)? {
                welcome(&from, settings, format, out)?;
                ferry.serve(&runtime, &stop, args.drain, &mut reload)?;
            }
            (from, ferry.close(&runtime, limited)?)
        }
        Some(topic) => {
            let source = open::Source {
                topic,
                trusted: args.trusted_source,
            };
            let mut relay = open::relay(&runtime, &config, settings, source, inventory)?;
            console(relay.address(), format, out)?;
            if relay.reach(settings, &stop)? {
                welcome(topic, settings, format, out)?;
                relay.serve(&stop, args.drain, &mut reload)?;
            }
            (topic.clone(), relay.close(&runtime, limited)?)
        }
    };
    let summary = Summary {
        from,
        to: to.to_string(),
        counts,
        elapsed_s: began.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION"),
    };
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
        Format::Text => print(&summary.counts, out)?,
    }
    runtime.shutdown_timeout(ENDED_WITHIN);
    Ok(Outcome::Done)
}

/// The bridge reads the file of the run, so that both agree on who is in the plant and where Kafka
/// is.
fn as_of_a_run(args: &BridgeArgs) -> RunArgs {
    RunArgs {
        config: args.config.clone(),
        plant: PlantArgs {
            inventory: args.inventory.clone(),
            ..PlantArgs::default()
        },
        mqtt: args.mqtt.clone(),
        kafka: args.kafka.clone(),
        http: args.http.clone(),
        ..RunArgs::default()
    }
}

/// Another inventory, if a hangup signal asked for one and it can be used.
fn another(asked: &AtomicBool, path: Option<&Path>, site: &str) -> Option<Arc<Inventory>> {
    if !asked.swap(false, Ordering::Relaxed) {
        return None;
    }
    let read = setting::inventory(path).and_then(|inventory| {
        if inventory.site == site {
            return Ok(inventory);
        }
        // Topics depend on it.
        let theirs = &inventory.site;
        Err(anyhow!(
            "it is of the site `{theirs}`, and the bridge of `{site}`"
        ))
    });
    match read {
        Ok(inventory) => {
            tracing::info!(
                devices = inventory.devices.len(),
                "the inventory was read again and is in force"
            );
            Some(Arc::new(inventory))
        }
        Err(error) => {
            tracing::error!(
                "the inventory cannot be used, the former one stays in force: {}",
                words(&error)
            );
            None
        }
    }
}

/// Tells people where they can ask how it goes.
fn console(
    address: Option<SocketAddr>,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if format == Format::Text
        && let Some(address) = address
    {
        writeln!(out, "health and metrics at http://{address}")?;
        out.flush()?;
    }
    Ok(())
}

/// Tells people what goes where.
fn welcome(
    from: &str,
    settings: &Settings,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if format == Format::Text {
        let to = Names::of(&settings.prefix).observations;
        writeln!(out, "moving {from} to {to} at {}", settings.brokers)?;
        out.flush()?;
    }
    Ok(())
}

fn print(counts: &Counts, out: &mut impl Write) -> anyhow::Result<()> {
    let Counts {
        records,
        rows,
        rejects,
    } = counts;
    writeln!(out, "{records} records, {rows} rows")?;
    for (reason, n) in rejects {
        writeln!(out, "{n} rejected as {reason}")?;
    }
    Ok(())
}
