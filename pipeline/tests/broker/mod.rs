//! A Mosquitto of the test's own, on a free loopback port, if the machine has one; its clients, and
//! the pipeline connected to it.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::plant;
use crate::watched::Watched;

/// An ingest broker drops nothing that it has acknowledged, and keeps it on disk. It logs
/// everything: the tests wait for what it says.
const CONFIG: &str = "\
    allow_anonymous true\n\
    max_inflight_messages 0\n\
    max_queued_messages 0\n\
    persistence true\n\
    autosave_on_changes true\n\
    autosave_interval 1\n\
    log_dest stderr\n\
    log_type all\n\
    user root\n";

/// How many ports are tried: another process may take a free one first.
const PORTS: usize = 5;

/// A broker that may run or not.
pub(crate) struct Broker {
    binary: PathBuf,
    folder: TempDir,
    /// Where it listens, or will.
    pub(crate) port: u16,
    process: Option<Watched>,
}

impl Broker {
    /// A broker that does not run yet; `None`, after saying so, if the machine has no Mosquitto.
    pub(crate) fn absent() -> Option<Self> {
        let found = tool("mosquitto")
            .filter(|_| tool("mosquitto_pub").is_some() && tool("mosquitto_sub").is_some());
        let Some(binary) = found else {
            eprintln!("skipped: mosquitto and its clients are not installed");
            return None;
        };
        let mut broker = Self {
            binary,
            folder: tempfile::tempdir().unwrap(),
            port: 0,
            process: None,
        };
        broker.take_a_port();
        Some(broker)
    }

    fn take_a_port(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.port = listener.local_addr().unwrap().port();
        let config = format!(
            "listener {} 127.0.0.1\npersistence_location {}/\n{CONFIG}",
            self.port,
            self.folder.path().display()
        );
        fs::write(self.folder.path().join("mosquitto.conf"), config).unwrap();
    }

    /// A broker that runs.
    pub(crate) fn running() -> Option<Self> {
        let mut broker = Self::absent()?;
        for _ in 0..PORTS {
            if broker.try_to_start() {
                return Some(broker);
            }
            broker.take_a_port();
        }
        panic!("mosquitto does not start");
    }

    pub(crate) fn start(&mut self) {
        assert!(self.try_to_start(), "mosquitto does not start");
    }

    fn try_to_start(&mut self) -> bool {
        let config = self.folder.path().join("mosquitto.conf");
        let mut command = Command::new(&self.binary);
        let mut process = Watched::start("mosquitto", command.arg("-c").arg(config));
        let is_running = process.find(|line| line.ends_with(" running")).is_some();
        self.process = is_running.then_some(process);
        is_running
    }

    /// Ends it as an administrator would, so that it saves what it holds.
    pub(crate) fn stop(&mut self) {
        self.process.take().unwrap().terminate();
    }

    /// Holds it: its clients stay connected and get no answer any more.
    pub(crate) fn hold(&self) {
        self.process.as_ref().unwrap().hold();
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        self.process.as_mut().unwrap().wait_for(text);
    }

    /// One of Mosquitto's clients, told where the broker is.
    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(tool(name).unwrap());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command
    }

    /// Publishes and waits until the broker has acknowledged it.
    pub(crate) fn publish(&self, device: &str, payload: &str) {
        let topic = format!("andon/v1/in/precision-parts/{device}/flow");
        let mut client = self.client("mosquitto_pub");
        client.args(["-q", "1", "-t", &topic, "-m", payload]);
        assert!(client.status().unwrap().success());
    }

    /// A subscriber to everything that comes out, once the broker has accepted it.
    pub(crate) fn reader(&mut self) -> Watched {
        let mut client = self.client("mosquitto_sub");
        client.args(["-i", "reader", "-v", "-t", "andon/v1/out/#"]);
        let reader = Watched::start("mosquitto_sub", &mut client);
        self.wait_for("reader 0 andon/v1/out/#");
        reader
    }

    /// `andon run` on this broker, which may not run yet.
    pub(crate) fn andon(&self, data: &Path, is_trusted: bool) -> Watched {
        self.andon_with(data, is_trusted, &[])
    }

    /// The same, told more.
    pub(crate) fn andon_with(&self, data: &Path, is_trusted: bool, extra: &[&str]) -> Watched {
        let config = self.folder.path().join("andon.toml");
        fs::write(&config, format!("[mqtt]\ntrusted_topics = {is_trusted}\n")).unwrap();
        let address = format!("mqtt://127.0.0.1:{}", self.port);
        let mut command = plant::andon();
        command
            .args(["run", "--mqtt", &address, "--config"])
            .arg(config);
        command.arg("--data").arg(data).args(extra);
        let mut run = Watched::start("andon", &mut command);
        let said = run.wait_for("reading andon/v1/in/precision-parts/#");
        assert!(said.ends_with(&address), "{said}");
        run
    }

    /// Waits until `andon run` may be sent something.
    pub(crate) fn wait_for_andon(&mut self) {
        self.wait_for("andon 1 andon/v1/in/precision-parts/#");
    }

    /// The message that the broker keeps for a topic.
    pub(crate) fn retained(&self, topic: &str) -> Value {
        let mut client = self.client("mosquitto_sub");
        client.args(["--retained-only", "-C", "1", "-W", "60", "-t", topic]);
        let output = client.output().unwrap();
        assert!(
            output.status.success(),
            "the broker keeps nothing for {topic}"
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Where a program lies, if the machine has it.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Debian keeps the broker where only root looks.
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
