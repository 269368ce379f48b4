//! `andon cluster`: the processes that a backtest on several machines is done by. Builds without the
//! feature `cluster` know the command and say how to get it.

use std::io::Write;

use crate::args::{ClusterCommand, Format};
use crate::exit::Outcome;

/// Runs the command.
///
/// # Errors
/// If it cannot listen, or an executor does not find its scheduler.
#[cfg(feature = "cluster")]
pub fn run(
    command: &ClusterCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    serve::run(command, format, out)
}

/// Says that this build has no cluster.
///
/// # Errors
/// Always.
#[cfg(not(feature = "cluster"))]
pub fn run(_: &ClusterCommand, _: Format, _: &mut impl Write) -> anyhow::Result<Outcome> {
    Err(absent())
}

/// That this build has no cluster.
#[cfg(not(feature = "cluster"))]
pub fn absent() -> anyhow::Error {
    crate::exit::usage(anyhow::anyhow!(
        "this build of andon knows no cluster: it was built without the feature `cluster`. Build it \
         with `cargo build --release --features cluster`."
    ))
}

#[cfg(feature = "cluster")]
mod serve {
    use std::io::Write;
    use std::net::{IpAddr, TcpListener};
    use std::sync::Arc;

    use andon_lab::cluster::{ExecutorSettings, executor, scheduler};
    use anyhow::{Context as _, anyhow};
    use serde_json::json;

    use crate::args::{ClusterCommand, ExecutorArgs, Format};
    use crate::cluster::{Backtests, place};
    use crate::exit::{Outcome, usage};

    pub(super) fn run(
        command: &ClusterCommand,
        format: Format,
        out: &mut impl Write,
    ) -> anyhow::Result<Outcome> {
        let (role, listen) = match command {
            ClusterCommand::Scheduler(args) => ("scheduler", args.listen),
            ClusterCommand::Executor(args) => ("executor", args.listen),
        };
        // Ballista does not say that somebody else listens there.
        drop(
            TcpListener::bind(listen)
                .map_err(|e| usage(anyhow!("cannot listen on {listen}: {e}")))?,
        );
        if let ClusterCommand::Executor(args) = command {
            reachable(args).map_err(usage)?;
        }
        match format {
            Format::Text => writeln!(out, "{role} on {listen}")?,
            Format::Json => writeln!(out, "{}", json!({ "role": role, "listen": listen }))?,
        }
        out.flush()?;
        match command {
            ClusterCommand::Scheduler(args) => {
                scheduler(args.listen).map_err(|e| anyhow!("scheduler: {e}"))?;
            }
            ClusterCommand::Executor(args) => execute(args)?,
        }
        Ok(Outcome::Done)
    }

    /// Makes sure that others can fetch what an executor made.
    fn reachable(args: &ExecutorArgs) -> anyhow::Result<()> {
        let (host, _) = place(&args.scheduler)?;
        let listen = args.listen;
        if listen.ip().is_unspecified() {
            return Err(anyhow!(
                "--listen {listen} is every address of this machine: name the one by which others \
                 reach it"
            ));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = |host: &str| host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if listen.ip().is_loopback() && host != "localhost" && !is_here(host) {
            return Err(anyhow!(
                "--listen {listen} is reached from this machine only, and the scheduler is on \
                 another: name the address by which others reach this one"
            ));
        }
        Ok(())
    }

    fn execute(args: &ExecutorArgs) -> anyhow::Result<()> {
        let (host, port) = place(&args.scheduler).map_err(usage)?;
        // Deleted when this is over.
        let temporary;
        let folder = if let Some(folder) = &args.folder {
            folder.clone()
        } else {
            let builder = &mut tempfile::Builder::new();
            temporary = builder.prefix("andon-executor-").tempdir()?;
            temporary.path().to_owned()
        };
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))
            .map_err(usage)?;
        let settings = ExecutorSettings {
            scheduler_host: host.to_owned(),
            scheduler_port: port,
            listen: args.listen,
            tasks: args.tasks,
            folder,
        };
        let work = Backtests::of(args.listen.to_string())?;
        executor(&settings, Arc::new(work)).map_err(|e| anyhow!("executor: {e}"))
    }
}
