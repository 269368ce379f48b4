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
    use std::sync::Arc;

    use andon_lab::cluster::{ExecutorSettings, executor, scheduler};
    use anyhow::{Context as _, anyhow};
    use serde_json::json;

    use crate::args::{ClusterCommand, ExecutorArgs, Format};
    use crate::cluster::Backtests;
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
        match format {
            Format::Text => writeln!(out, "{role} on {listen}")?,
            Format::Json => writeln!(out, "{}", json!({ "role": role, "listen": listen }))?,
        }
        out.flush()?;
        match command {
            ClusterCommand::Scheduler(args) => {
                scheduler(args.listen).map_err(|e| usage(anyhow!("scheduler: {e}")))?;
            }
            ClusterCommand::Executor(args) => execute(args)?,
        }
        Ok(Outcome::Done)
    }

    fn execute(args: &ExecutorArgs) -> anyhow::Result<()> {
        if args.listen.ip().is_unspecified() {
            return Err(usage(anyhow!(
                "--listen {} is every address of this machine: name the one by which others reach it",
                args.listen
            )));
        }
        let (host, port) = crate::cluster::place(&args.scheduler).map_err(usage)?;
        let temporary = std::env::temp_dir().join(format!("andon-executor-{}", std::process::id()));
        let folder = args.folder.clone().unwrap_or_else(|| temporary.clone());
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
        let work = Backtests {
            name: args.listen.to_string(),
        };
        let ended = executor(&settings, Arc::new(work));
        if args.folder.is_none() {
            std::fs::remove_dir_all(&temporary).ok();
        }
        ended.map_err(|e| usage(anyhow!("executor: {e}")))
    }
}
