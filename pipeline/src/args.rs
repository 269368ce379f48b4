//! The command line as it is written; what it means is decided by the commands.

mod act;
mod advisories;
mod capture;
mod cluster;
mod demo;
mod enforce;
mod incident;
mod learn;
mod notify;
mod pdp;
mod query;
mod recorded;
mod siem;
mod token;
mod topics;
mod tune;
mod values;

use std::path::PathBuf;

use andon_schemas::grade::Grade;
use andon_schemas::observation::Kind;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::values::check_shards;
pub(crate) use self::values::parse_duration;
use self::values::{parse_devices, parse_shards, parse_some, parse_speed};

pub use act::{
    ActCommand, AskedArgs, DecideArgs, ListArgs, QuarantineArgs, ReleaseArgs, SaidArgs, ShowArgs,
    SuppressArgs,
};
pub use advisories::{AdvisoriesCommand, CheckArgs};
pub use capture::{CaptureCommand, ConvertArgs};
pub use cluster::{ClusterCommand, ExecutorArgs, SchedulerArgs};
pub use demo::DemoArgs;
pub use enforce::EnforceArgs;
pub use incident::{ExportArgs, IncidentArgs, IncidentCommand, JudgeArgs, ProposeArgs, VerifyArgs};
pub use learn::LearnArgs;
pub use notify::{NotifyCommand, NotifyTestArgs};
pub use pdp::{AskArgs, PdpCommand};
pub use query::QueryArgs;
pub use recorded::{ExplainArgs, RiskArgs, StateArgs};
pub use siem::{SiemCommand, SiemConvertArgs, SiemTestArgs};
pub use token::{TokenArgs, TokenCommand};
pub use topics::{ClusterArgs, TopicsCommand};
pub use tune::{Per, TuneArgs};

/// Behavioural analytics for zero-trust industrial `IoT`.
#[derive(Debug, Parser)]
#[command(
    name = "andon",
    version,
    about = "Behavioural analytics for zero-trust industrial IoT.",
    max_term_width = 100
)]
pub struct Cli {
    /// How results are printed.
    #[arg(
        short = 'o',
        long = "output",
        global = true,
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub output: Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For machines: one JSON document, or one per line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch a simulated plant of 500 devices under attack; nothing else is needed.
    Demo(DemoArgs),
    /// Run the live pipeline.
    Run(RunArgs),
    /// Move records from MQTT, or from any Kafka topic, to the topic that runs read, keyed by device.
    Bridge(BridgeArgs),
    /// Run captured traffic through the engine.
    Backtest(BacktestArgs),
    /// Learn profiles from clean traffic.
    Learn(LearnArgs),
    /// Set thresholds to a stated false-positive rate, on clean traffic, with a guarantee.
    Tune(TuneArgs),
    /// Make a labelled capture of the simulated plant.
    Simulate(SimulateArgs),
    /// Work on captures.
    #[command(subcommand)]
    Capture(CaptureCommand),
    /// Play a capture to a broker or to a running endpoint.
    Publish(PublishArgs),
    /// Carry out the commands of a run on a gateway.
    Enforce(EnforceArgs),
    /// Ask captures, verdicts and their evidence in SQL.
    Query(QueryArgs),
    /// Compute a recorded verdict again and say whether it comes out equal.
    Explain(ExplainArgs),
    /// List the devices of a run, with their risk.
    Devices(StateArgs),
    /// Show the risk of one device and what it rests on.
    Risk(RiskArgs),
    /// Say which verdicts of a run its shadow raises, does not raise or grades otherwise, and why.
    Shadow(StateArgs),
    /// Decide about commands and devices: approve, reject, release, quarantine, suppress.
    #[command(subcommand)]
    Act(ActCommand),
    /// Incidents: list, show, judge, export, verify.
    #[command(subcommand)]
    Incident(IncidentCommand),
    /// Decide requests by policy and risk.
    #[command(subcommand)]
    Pdp(PdpCommand),
    /// Known vulnerabilities of what the devices run.
    #[command(subcommand)]
    Advisories(AdvisoriesCommand),
    /// Work on profiles.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Make and check the topics of Kafka.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Write verdicts as a SIEM reads them, and try the ways to one.
    #[command(subcommand)]
    Siem(SiemCommand),
    /// Try the ways by which people are notified.
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Make tokens by which others may ask a run over HTTP.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Run the processes that a backtest on several machines is done by.
    #[command(subcommand)]
    Cluster(ClusterCommand),
}

/// What to measure against.
#[derive(Clone, Debug, Default, Args)]
pub struct PlantArgs {
    /// Inventory file [default: the built-in demo plant].
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Folder of profiles [default: the built-in profiles].
    #[arg(long, value_name = "DIR")]
    pub profiles: Option<PathBuf>,
    /// A list of hostile destinations: a STIX 2.1 bundle, CSV, or one to a line; or a folder of
    /// lists. May be repeated [default: none].
    #[arg(long, value_name = "PATH")]
    pub indicators: Vec<PathBuf>,
}

/// `andon run`.
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// Configuration file; without one, an embedded MQTT endpoint on loopback.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to measure against.
    #[command(flatten)]
    pub plant: PlantArgs,
    /// Advisories of known vulnerabilities, shown with the devices: a file or a folder, CSAF 2.0 or
    /// CSV. May be repeated [default: none].
    #[arg(long, value_name = "PATH")]
    pub advisories: Vec<PathBuf>,
    /// A broker to read from, `mqtt://host:port`, or an address to listen on, `host:port`.
    #[arg(long, value_name = "ADDR")]
    pub mqtt: Option<String>,
    /// Kafka brokers to read from and to write to, `host:port`, with commas between several.
    #[arg(long, value_name = "ADDR", conflicts_with = "mqtt")]
    pub kafka: Option<String>,
    /// Where state, log and verdicts are kept [default: andon-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Record the input, so that a backtest of it repeats this run byte for byte.
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// Measure against this folder of profiles as well, beside the run: nothing that comes of it
    /// leaves the data folder, and `andon shadow` says which verdicts would change, and why.
    #[arg(long, value_name = "DIR")]
    pub shadow: Option<PathBuf>,
    /// Read the source to its end, make no clock ticks, and exit. One process does it alone.
    #[arg(long)]
    pub drain: bool,
    /// Threads of the engine [default: 1].
    #[arg(long, value_parser = parse_shards)]
    pub shards: Option<usize>,
    /// Stop after this long.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<f64>,
    /// Serve risk, verdicts, health and metrics on this address [default: on none].
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// Take partitions up whose state is lost: what was learned of their devices begins anew.
    #[arg(long)]
    pub allow_state_gap: bool,
}

/// `andon bridge`.
#[derive(Debug, Args)]
pub struct BridgeArgs {
    /// Configuration file, the one of the run.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Inventory file [default: the built-in demo plant].
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Kafka brokers to write to, `host:port`, with commas between several.
    #[arg(long, value_name = "ADDR")]
    pub kafka: Option<String>,
    /// A broker to read from, `mqtt://host:port`, or an address to listen on, `host:port`.
    #[arg(long, value_name = "ADDR")]
    pub mqtt: Option<String>,
    /// Read from this topic of the same cluster, in place of MQTT.
    #[arg(long, value_name = "NAME", conflicts_with = "mqtt")]
    pub from_topic: Option<String>,
    /// Whoever writes to that topic says truly who sent a record.
    #[arg(long, requires = "from_topic")]
    pub trusted_source: bool,
    /// Read the source to its end and exit.
    #[arg(long)]
    pub drain: bool,
    /// Stop after this long.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<f64>,
    /// Serve health and metrics on this address [default: on none].
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
}

/// `andon backtest`.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// Captures: files, folders of rotated logs, `s3://BUCKET/KEY` for an object or all below, or `-`
    /// for standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// What the columns of CSV captures mean [default: FILE.map.yaml beside each].
    #[arg(long = "map", value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// What to measure against.
    #[command(flatten)]
    pub plant: PlantArgs,
    /// Write `report.html`, `verdicts.jsonl`, `summary.json` and `rejects.jsonl` there.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Measure against this folder of profiles as well, and say which verdicts change, and why.
    #[arg(long, value_name = "PROFILES")]
    pub compare: Option<PathBuf>,
    /// Ground truth: as `simulate` writes it; CSV with the columns `attack`, `device`, `start`, `end`
    /// and, if wanted, `peer`, `expected_grade`, `detectors`, `note`; or a labelled connection log of Zeek.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Threads of the engine; of a cluster, tasks, each of which reads the whole capture.
    #[arg(long, default_value_t = 1, value_parser = parse_shards)]
    pub shards: usize,
    /// Let the executors of a cluster do it, whose scheduler is there. Captures are named by their
    /// whole path, on storage that all executors share.
    #[arg(long, value_name = "HOST:PORT")]
    pub cluster: Option<String>,
    /// Most rows in one bundle; changes the speed, never the verdicts.
    #[arg(long, default_value_t = 8192, value_parser = parse_some::<usize>)]
    pub batch_size: usize,
    /// The receive time of captures that have none, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Exit with 1 if a verdict reaches this grade.
    #[arg(long, value_name = "GRADE")]
    pub fail_on: Option<Grade>,
    /// Save the state every so many chunks of input and go on from the saved state, to show that
    /// it changes nothing.
    #[arg(long, value_name = "N", value_parser = parse_some::<u64>)]
    pub restart_every: Option<u64>,
}

/// `andon simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The plant; `precision-parts` is the built-in one.
    #[arg(long, default_value = "precision-parts")]
    pub plant: String,
    /// How long, whole hours. Needed, but for `--attack list`.
    #[arg(long, value_parser = parse_some::<u32>)]
    pub hours: Option<u32>,
    /// The same seed makes the same capture.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// An attack to put in; may be repeated. `list` lists them.
    #[arg(long, value_name = "NAME")]
    pub attack: Vec<String>,
    /// The capture: `.ndjson`, `.parquet` or `.arrow`. Needed, but for `--attack list`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// First moment, RFC 3339 [default: Friday 2025-12-12 00:00 plant time].
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// Number of devices [default: as in the inventory].
    #[arg(long, value_parser = parse_devices)]
    pub devices: Option<usize>,
    /// Only this kind of observation.
    #[arg(long, value_name = "KIND")]
    pub observations: Option<Kind>,
    /// At most so many records.
    #[arg(long)]
    pub limit: Option<u64>,
}

/// `andon publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The capture.
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// What the columns of CSV captures mean [default: FILE.map.yaml beside each].
    #[arg(long = "map", value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// `mqtt://host:port` or `host:port`.
    #[arg(long, value_name = "ADDR")]
    pub mqtt: String,
    /// Capture seconds per second; without it, as fast as the receiver takes them.
    #[arg(long, value_parser = parse_speed)]
    pub speed: Option<f64>,
    /// User to authenticate as.
    #[arg(long)]
    pub user: Option<String>,
    /// File that holds the user's password.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Give up if the receiver cannot be reached within this time.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub connect_timeout: f64,
    /// The sensor in whose name records are published [default: the inventory's first].
    #[arg(long, value_name = "DEVICE")]
    pub sensor: Option<String>,
    /// Names the site and the sensor.
    #[command(flatten)]
    pub plant: PlantArgs,
}

/// `andon profile`.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Check profiles and an inventory; report every problem at once.
    Check {
        /// Folder of profiles, or single files [default: the built-in ones].
        paths: Vec<PathBuf>,
        /// Inventory to check along.
        #[arg(long, value_name = "FILE")]
        inventory: Option<PathBuf>,
    },
    /// Show a profile as it is used, with everything it extends filled in.
    Show {
        /// Name of the profile.
        name: String,
        /// Folder of profiles [default: the built-in ones].
        #[arg(long, value_name = "DIR")]
        profiles: Option<PathBuf>,
    },
    /// Say in what two profiles differ.
    Diff {
        /// One.
        left: String,
        /// The other.
        right: String,
        /// Folder of profiles [default: the built-in ones].
        #[arg(long, value_name = "DIR")]
        profiles: Option<PathBuf>,
    },
    /// Print the JSON Schema of profile files, or of inventory files.
    Schema {
        /// Of inventory files.
        #[arg(long)]
        inventory: bool,
    },
    /// List the detectors, what they ask and what they read.
    Detectors,
}
