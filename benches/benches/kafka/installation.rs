//! An installation of its own on the broker: topics, a configuration, and the program.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rdkafka::ClientConfig;
use serde_json::Value;

/// Partitions of each topic.
pub(crate) const PARTITIONS: u32 = 4;

/// Names the core that the run gets to itself, if everything else is kept away from it.
const CORE: &str = "ANDON_BENCH_CORE";

/// Topics under a prefix of their own, and a data folder.
pub(crate) struct Installation {
    program: PathBuf,
    brokers: String,
    name: String,
    config: PathBuf,
    data: PathBuf,
}

/// Where the released program is: beside this bench, which is `release/deps/kafka-…`.
pub(crate) fn program() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let found = this.ancestors().nth(2).map(|folder| folder.join("andon"));
    found.filter(|path| path.is_file()).ok_or_else(|| {
        "the released program is not there: build it with `cargo build --release -p andon`"
            .to_owned()
    })
}

impl Installation {
    /// Makes its topics.
    pub(crate) fn new(
        program: &Path,
        brokers: &str,
        folder: &Path,
        inventory: &Path,
        name: &str,
        delivery: &str,
    ) -> Result<Self, String> {
        let name = format!("{name}-{delivery}").replace('_', "-");
        let installation = Self {
            program: program.to_owned(),
            brokers: brokers.to_owned(),
            config: folder.join(format!("{name}.toml")),
            data: folder.join(&name),
            name,
        };
        // The bench asks how it is doing over HTTP; the port is one that was free a moment ago.
        let text = format!(
            "data = \"{}\"\ninventory = \"{}\"\nhttp = {:?}\n[kafka]\nbrokers = {brokers:?}\n\
             prefix = {:?}\ngroup = {:?}\ninstance = \"bench\"\ndelivery = {delivery:?}\n\
             trusted_producers = true\n",
            installation.data.display(),
            inventory.display(),
            installation.http()?,
            installation.name,
            installation.name,
        );
        std::fs::write(&installation.config, text).map_err(|e| e.to_string())?;
        let made = Command::new(&installation.program)
            .args(["topics", "create", "--partitions", &PARTITIONS.to_string()])
            .arg("-c")
            .arg(&installation.config)
            .stdout(Stdio::null())
            .status()
            .map_err(|e| e.to_string())?;
        if !made.success() {
            return Err("the topics could not be made".to_owned());
        }
        Ok(installation)
    }

    fn http(&self) -> Result<String, String> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        free.map(|address| address.to_string())
            .map_err(|e| format!("{}: {e}", self.name))
    }

    /// A topic of its own.
    pub(crate) fn topic(&self, what: &str) -> String {
        format!("{}.{what}.v1", self.name)
    }

    /// Its consumer group.
    pub(crate) fn group(&self) -> &str {
        &self.name
    }

    /// A client of the broker.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.brokers);
        client
    }

    /// `andon run`; what it complains of is kept beside its configuration.
    pub(crate) fn run(&self, args: &[&str]) -> Result<Command, String> {
        let log = File::create(self.config.with_extension("log")).map_err(|e| e.to_string())?;
        let mut command = match std::env::var_os(CORE) {
            None => Command::new(&self.program),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(core).arg(&self.program);
                command
            }
        };
        command
            .args(["run", "-c"])
            .arg(&self.config)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Ok(command)
    }

    /// Where it says over HTTP how it is doing.
    pub(crate) fn health(&self) -> Result<String, String> {
        let text = std::fs::read_to_string(&self.config).map_err(|e| e.to_string())?;
        let line = text.lines().find_map(|line| line.strip_prefix("http = "));
        let address = line.map(|address| address.trim_matches('"').to_owned());
        address.ok_or_else(|| "no address".to_owned())
    }

    /// How the run ended, as it says itself.
    pub(crate) fn summary(&self) -> Result<Value, String> {
        let path = self.data.join("summary.json");
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|e| format!("{}: {e}: {}", path.display(), self.complaints()))?;
        serde_json::from_str(&text).map_err(|e| e.to_string())
    }

    /// The end of what the run complained of.
    pub(crate) fn complaints(&self) -> String {
        let text = std::fs::read_to_string(self.config.with_extension("log")).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("; ")
    }
}
