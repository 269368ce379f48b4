//! What the tests on Kafka share: topics of their own, the simulated plant produced into them by a
//! client that is not ours, and what a read-committed client that is not ours finds in the end.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

mod trail;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use andon_ingest::split::Splitter;
use andon_schemas::builtin;
use andon_schemas::inventory::{self, Inventory};
use andon_schemas::observation::{Sender, Source};
use andon_schemas::time::EventTime;
use andon_schemas::wire::decode_capture;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use serde_json::Value;

use super::kafka_broker::Cluster;

/// Partitions of the observations.
pub(crate) const PARTITIONS: i32 = 4;

/// A broker for all tests of a file, and the client that is not ours. Where nobody demands them, a
/// machine that lacks one of them skips the test.
pub(crate) fn cluster() -> Option<&'static Cluster> {
    let has_kcat = Command::new("kcat").arg("-V").output().is_ok();
    if !has_kcat && std::env::var_os("ANDON_KAFKA").is_none_or(|value| value != "1") {
        say("skipped: no kcat found (Debian, Ubuntu: apt-get install kcat)");
        return None;
    }
    Cluster::shared()
}

/// An installation of its own on a broker that others use too.
pub(crate) struct Site {
    pub(crate) addresses: String,
    pub(crate) prefix: String,
}

impl Site {
    /// Makes its topics.
    pub(crate) fn new(addresses: &str, prefix: &str) -> Self {
        let site = Self {
            addresses: addresses.to_owned(),
            prefix: prefix.to_owned(),
        };
        let folder = tempfile::tempdir().unwrap();
        let config = site.config(folder.path(), "topics", "");
        let partitions = PARTITIONS.to_string();
        let config = config.to_string_lossy();
        super::plant::run(&[
            "topics",
            "create",
            "-c",
            &config,
            "--partitions",
            &partitions,
        ]);
        site
    }

    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}.v1", self.prefix)
    }

    /// Produces lines of `key TAB value` with kcat.
    pub(crate) fn produce(&self, topic: &str, keyed: &str) {
        let mut kcat = self.kcat(&[
            "-P",
            "-t",
            &self.topic(topic),
            "-K",
            "\t",
            "-l",
            "/dev/stdin",
            // Brokers that come and go must not make it say a line twice, or in another order.
            "-X",
            "enable.idempotence=true",
        ]);
        let mut kcat = kcat.stdin(Stdio::piped()).spawn().unwrap();
        kcat.stdin
            .take()
            .unwrap()
            .write_all(keyed.as_bytes())
            .unwrap();
        assert!(kcat.wait().unwrap().success());
    }

    /// Produces one record of `key TAB value` into a partition; without a value it is a tombstone.
    pub(crate) fn produce_into(&self, topic: &str, partition: i32, keyed: &str) {
        let (topic, partition) = (self.topic(topic), partition.to_string());
        let args = ["-P", "-t", &topic, "-p", &partition, "-K", "\t", "-Z"];
        let mut kcat = self.kcat(&args).stdin(Stdio::piped()).spawn().unwrap();
        writeln!(kcat.stdin.take().unwrap(), "{keyed}").unwrap();
        assert!(kcat.wait().unwrap().success());
    }

    /// Produces a key without a value.
    pub(crate) fn tombstone(&self, topic: &str, key: &str) {
        let topic = self.topic(topic);
        let mut kcat = self.kcat(&["-P", "-t", &topic, "-K", "\t", "-Z"]);
        let mut kcat = kcat.stdin(Stdio::piped()).spawn().unwrap();
        writeln!(kcat.stdin.take().unwrap(), "{key}\t").unwrap();
        assert!(kcat.wait().unwrap().success());
    }

    /// When each partition's epochs were committed, ms: the partition and the time.
    pub(crate) fn epochs(&self) -> Vec<(i32, u64)> {
        let topic = self.topic("state");
        let format = "%k %p %T\\n";
        let args = ["-C", "-t", &topic, "-e", "-q", "-f", format];
        let output = self.kcat(&args).stderr(Stdio::inherit()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let epochs = text.lines().filter_map(|line| line.strip_prefix("epoch "));
        epochs
            .map(|line| {
                let (partition, at) = line.split_once(' ').unwrap();
                (partition.parse().unwrap(), at.parse().unwrap())
            })
            .collect()
    }

    /// The headers of every committed record of a topic, as `name=value,…`.
    pub(crate) fn headers(&self, topic: &str) -> Vec<String> {
        let topic = self.topic(topic);
        let args = ["-C", "-t", &topic, "-e", "-q", "-f", "%h\\n"];
        let output = self.kcat(&args).stderr(Stdio::inherit()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Every committed value of a topic, by kcat, in order within each partition.
    pub(crate) fn read(&self, topic: &str) -> Vec<Value> {
        let topic = self.topic(topic);
        let args = [
            "-C",
            "-t",
            &topic,
            "-e",
            "-q",
            "-X",
            "isolation.level=read_committed",
        ];
        let output = self.kcat(&args).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn kcat(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kcat");
        command.args(["-b", &self.addresses]).args(args);
        command
    }

    /// A configuration for one process of the group.
    pub(crate) fn config(&self, folder: &Path, instance: &str, more: &str) -> PathBuf {
        let path = folder.join(format!("{instance}.toml"));
        let data = folder.join(instance);
        let text = format!(
            "data = {:?}\n[kafka]\nbrokers = \"{}\"\nprefix = \"{}\"\ngroup = \"{}\"\n\
             instance = \"{instance}\"\nsession = \"6s\"\n\
             trusted_producers = true\n{more}\n",
            data.to_string_lossy(),
            self.addresses,
            self.prefix,
            self.prefix,
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// Divides topics into more partitions.
    pub(crate) fn divide(&self, topics: &[&str], partitions: i32) {
        let admin: AdminClient<_> = ClientConfig::new()
            .set("bootstrap.servers", &self.addresses)
            .create()
            .unwrap();
        let names: Vec<String> = topics.iter().map(|topic| self.topic(topic)).collect();
        let count = usize::try_from(partitions).unwrap();
        let divided: Vec<_> = names
            .iter()
            .map(|name| NewPartitions::new(name, count))
            .collect();
        for result in futures_now(admin.create_partitions(&divided, &AdminOptions::new())).unwrap()
        {
            result.unwrap();
        }
    }

    /// Reads the topic to its end.
    pub(crate) fn try_drain(&self, folder: &Path, instance: &str, more: &str) -> Output {
        let config = self.config(folder, instance, more);
        super::plant::andon()
            .args(["run", "--drain", "-o", "json", "-c"])
            .arg(config)
            .output()
            .unwrap()
    }

    /// Reads the topic to its end, which must go well.
    pub(crate) fn drain(&self, folder: &Path, instance: &str, more: &str) {
        let output = self.try_drain(folder, instance, more);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A run that goes on until it is told to stop.
    pub(crate) fn start(&self, folder: &Path, instance: &str, more: &str) -> Child {
        self.start_with(folder, instance, more, &[])
    }

    /// The same, with arguments besides.
    pub(crate) fn start_with(
        &self,
        folder: &Path,
        instance: &str,
        more: &str,
        args: &[&str],
    ) -> Child {
        let config = self.config(folder, instance, more);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{instance}.log")))
            .unwrap();
        super::plant::andon()
            .args(["run", "-o", "json", "-c"])
            .arg(config)
            .args(args)
            .env("RUST_LOG", "andon=debug,info")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }
}

/// Waits for a future that needs no runtime of its own.
fn futures_now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The built-in inventory.
pub(crate) fn inventory() -> Inventory {
    let file = andon_schemas::profile::SourceFile {
        path: builtin::INVENTORY.path,
        text: builtin::INVENTORY.text,
    };
    inventory::parse(file).unwrap()
}

/// The lines of a capture, one for every end of a flow that is the plant's, each with the device as
/// its key whose state it concerns: that one, or a sender who may not speak for it.
pub(crate) fn keyed(capture: &Path) -> String {
    let inventory = inventory();
    let mut splitter = Splitter::default();
    let source = Source {
        topic: "capture".into(),
        partition: 0,
        offset: 0,
    };
    let mut text = String::new();
    for line in fs::read_to_string(capture).unwrap().lines() {
        let Ok((record, _)) = decode_capture(line.as_bytes()) else {
            continue;
        };
        let mut rows = Vec::new();
        let at = EventTime::MAX;
        if splitter
            .rows(Some(&inventory), record, &source, at, &mut rows)
            .is_err()
        {
            continue;
        }
        for row in rows {
            let device = &row.header.device;
            let may_not_speak =
                |sender: &&Sender| !inventory.may_speak_for(sender.name.as_str(), device.as_str());
            let sender = row.header.sender.as_ref().filter(may_not_speak);
            let key = sender.map_or(device, |sender| &sender.name);
            writeln!(text, "{key}\t{line}").unwrap();
        }
    }
    text
}

/// Verdicts without where their findings came from, by device, id and revision.
pub(crate) fn canonical(verdicts: Vec<Value>) -> Vec<String> {
    let mut sorted: BTreeMap<(String, String, u64), Vec<String>> = BTreeMap::new();
    for mut verdict in verdicts {
        for finding in verdict["findings"].as_array_mut().unwrap() {
            finding.as_object_mut().unwrap().remove("source");
        }
        let text = |name: &str| verdict[name].as_str().unwrap().to_owned();
        let key = (
            text("device_id"),
            text("verdict_id"),
            verdict["revision"].as_u64().unwrap(),
        );
        sorted.entry(key).or_default().push(verdict.to_string());
    }
    sorted.into_values().flatten().collect()
}

/// What a backtest of a capture finds.
pub(crate) fn expected(folder: &Path, capture: &Path) -> Vec<String> {
    let out = folder.join("backtest");
    let (capture, text) = (capture.to_string_lossy(), out.to_string_lossy());
    super::plant::run(&["backtest", &capture, "--out", &text]);
    canonical(super::plant::lines(&super::plant::read(
        &out,
        "verdicts.jsonl",
    )))
}

/// The verdicts are as expected: none lost, none doubled, and every device's in order.
pub(crate) fn same(found: &[Value], expected: &[String]) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for verdict in found {
        let revision = verdict["revision"].as_u64().unwrap();
        let before = last.insert(verdict["verdict_id"].as_str().unwrap(), revision);
        assert_eq!(revision, before.unwrap_or(0) + 1, "{verdict}");
    }
    let found = canonical(found.to_vec());
    let missing: Vec<_> = expected.iter().filter(|v| !found.contains(v)).collect();
    let more: Vec<_> = found.iter().filter(|v| !expected.contains(v)).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "{} of {} lost, the first: {:?}; {} too many of {}, the first: {:?}",
        missing.len(),
        expected.len(),
        missing.first(),
        more.len(),
        found.len(),
        more.first()
    );
    assert_eq!(found.len(), expected.len());
}

/// Luck that can be had again: the seed is printed, and `ANDON_SEED` names it.
pub(crate) struct Luck(u64);

impl Luck {
    pub(crate) fn new(test: &str) -> Self {
        let seed = match std::env::var("ANDON_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => u64::from(std::process::id()),
        };
        say(&format!("{test}: ANDON_SEED={seed}"));
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> std::time::Duration {
        std::time::Duration::from_millis(from + self.below(to - from))
    }
}

/// Tells whoever reads the output of the test.
#[expect(
    clippy::print_stderr,
    reason = "a seed that nobody sees repeats nothing"
)]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
