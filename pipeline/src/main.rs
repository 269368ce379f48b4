//! `andon`: reads the command line, calls the command, says how it ended.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use andon::args::{Cli, Command};
use andon::{commands, exit};
use andon_emit::terminal::printable;
use clap::Parser as _;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
    let cli = Cli::parse();
    let stdout = io::stdout();
    let mut out = io::BufWriter::new(stdout.lock());
    let result = match &cli.command {
        Command::Advisories(command) => commands::advisories::run(command, cli.output, &mut out),
        Command::Backtest(args) => commands::backtest::run(args, cli.output, &mut out),
        Command::Capture(command) => commands::capture::run(command, cli.output, &mut out),
        Command::Learn(args) => commands::learn::run(args, cli.output, &mut out),
        Command::Tune(args) => commands::tune::run(args, cli.output, &mut out),
        Command::Simulate(args) => commands::simulate::run(args, cli.output, &mut out),
        Command::Query(args) => commands::query::run(args, cli.output, &mut out),
        Command::Explain(args) => commands::explain::run(args, cli.output, &mut out),
        Command::Devices(args) => commands::devices::list(args, cli.output, &mut out),
        Command::Risk(args) => commands::devices::risk(args, cli.output, &mut out),
        Command::Shadow(args) => commands::shadow::run(args, cli.output, &mut out),
        Command::Act(command) => commands::act::run(command, cli.output, &mut out),
        Command::Incident(command) => commands::incident::run(command, cli.output, &mut out),
        Command::Pdp(command) => commands::pdp::run(command, cli.output, &mut out),
        Command::Profile(command) => commands::profile::run(command, cli.output, &mut out),
        Command::Demo(args) => commands::demo::run(args, cli.output, &mut out),
        Command::Run(args) => commands::run::run(args, cli.output, &mut out),
        Command::Bridge(args) => commands::bridge::run(args, cli.output, &mut out),
        Command::Publish(args) => commands::publish::run(args, cli.output, &mut out),
        Command::Enforce(args) => commands::enforce::run(args, cli.output, &mut out),
        Command::Notify(command) => commands::notify::run(command, cli.output, &mut out),
        Command::Siem(command) => commands::siem::run(command, cli.output, &mut out),
        Command::Cluster(command) => commands::cluster::run(command, cli.output, &mut out),
        Command::Token(command) => commands::token::run(command, cli.output, &mut out),
        Command::Topics(command) => commands::topics::run(command, cli.output, &mut out),
    };
    let flushed = out.flush();
    let status = exit::status(&result);
    if let Err(error) = &result {
        // A reader that went away (`andon … | head`) is not an error worth words.
        let broken = error
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
        let words = exit::words(error);
        let lines: Vec<_> = words.lines().map(printable).collect();
        if !broken && writeln!(io::stderr(), "error: {}", lines.join("\n")).is_err() {
            return ExitCode::from(status);
        }
    }
    if flushed.is_err() && status == 0 {
        return ExitCode::SUCCESS;
    }
    ExitCode::from(status)
}
