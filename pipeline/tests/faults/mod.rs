//! What the fault tests share: the plant's traffic, fed bit by bit to processes that things happen
//! to, and the one question asked in the end: are the committed verdicts those of a backtest?
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

pub(crate) mod clock;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod ready;
pub(crate) mod requests;
pub(crate) mod tracer;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;

use self::process::Process;
use super::kafka_plant::{PARTITIONS, Site, expected, keyed, same, say};
use super::plant;

/// Whatever takes longer than this does not happen any more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the long variants are wanted.
pub(crate) fn is_long() -> bool {
    std::env::var_os("ANDON_FAULTS").is_some_and(|value| value == "long")
}

/// Polls until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the plant sends, and what is to be found in it.
pub(crate) struct Traffic {
    /// Lines of `key TAB value`.
    pub(crate) lines: Vec<String>,
    /// The verdicts of a backtest, in canonical form.
    pub(crate) expected: Vec<String>,
}

impl Traffic {
    /// Two hours of the plant with attacks; made once.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Traffic> = OnceLock::new();
        SHARED.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let attacks = [
                "plc-night-exfil",
                "plc-under-attack",
                "off-hours-maintenance",
            ];
            let capture = plant::simulate(folder.path(), "2", "40000", &attacks);
            let lines = keyed(&capture);
            let lines = lines.split_inclusive('\n').map(str::to_owned).collect();
            Self {
                lines,
                expected: expected(folder.path(), &capture),
            }
        })
    }
}

/// One case: an installation of its own, and how much of the traffic it has been fed.
pub(crate) struct Case {
    pub(crate) site: Site,
    folder: TempDir,
    /// Of the `[kafka]` section.
    pub(crate) more: String,
    fed: usize,
    asks: BaseConsumer,
}

impl Case {
    /// On a cluster that others use too.
    pub(crate) fn new(addresses: &str, name: &str) -> Self {
        Traffic::shared();
        let site = Site::new(addresses, name);
        let asks = ClientConfig::new()
            .set("bootstrap.servers", addresses)
            .set("group.id", &site.prefix)
            .create()
            .unwrap();
        Self {
            site,
            folder: tempfile::tempdir().unwrap(),
            more: "epoch = \"50ms\"\nsnapshot = \"200ms\"".to_owned(),
            fed: 0,
            asks,
        }
    }

    /// Feeds so many of the lines that are left; returns how many that were.
    pub(crate) fn feed(&mut self, lines: usize) -> usize {
        let left = &Traffic::shared().lines[self.fed..];
        let piece = &left[..lines.min(left.len())];
        if !piece.is_empty() {
            self.site.produce("observations", &piece.concat());
        }
        self.fed += piece.len();
        piece.len()
    }

    /// Everything of the traffic that is left.
    pub(crate) fn feed_rest(&mut self) {
        self.feed(usize::MAX);
    }

    /// Starts a process of the group.
    pub(crate) fn start(&self, instance: &str) -> Process {
        self.start_under(instance, &[])
    }

    /// Starts a process of the group by another program, which takes its command line.
    pub(crate) fn start_under(&self, instance: &str, wrapper: &[String]) -> Process {
        let config = self.site.config(self.folder.path(), instance, &self.more);
        Process::start(wrapper, &config, &self.log_path(instance))
    }

    /// Starts a process of the group that finds the cluster somewhere else than the test does.
    pub(crate) fn start_at(&self, addresses: &str, instance: &str) -> Process {
        let site = Site {
            addresses: addresses.to_owned(),
            prefix: self.site.prefix.clone(),
        };
        let config = site.config(self.folder.path(), instance, &self.more);
        Process::start(&[], &config, &self.log_path(instance))
    }

    /// The folder of the case.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log_path(&self, instance: &str) -> PathBuf {
        self.folder.path().join(format!("{instance}.log"))
    }

    /// What the processes of this name have said so far.
    pub(crate) fn log(&self, instance: &str) -> String {
        let bytes = fs::read(self.log_path(instance)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The data folder of a process.
    pub(crate) fn data(&self, instance: &str) -> PathBuf {
        self.folder.path().join(instance)
    }

    /// The snapshots of a process, oldest first within a partition.
    pub(crate) fn snapshots(&self, instance: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.data(instance).join("kafka")) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|e| e == "snapshot"))
            .collect();
        paths.sort();
        paths
    }

    /// Records whose effects are committed.
    pub(crate) fn committed(&self) -> i64 {
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition(&self.site.topic("observations"), partition);
        }
        let Ok(told) = self.asks.committed_offsets(list, Duration::from_secs(5)) else {
            return 0;
        };
        let elements = told.elements();
        let offsets = elements.iter().map(|element| match element.offset() {
            Offset::Offset(at) => at,
            _ => 0,
        });
        offsets.sum()
    }

    /// Waits until something new is committed.
    pub(crate) fn until_progress(&self) {
        let before = self.committed();
        until("a commit", || self.committed() > before);
    }

    /// Waits until everything that was fed is committed.
    pub(crate) fn until_caught_up(&self) {
        until("everything is committed", || self.is_caught_up());
    }

    /// Whether everything that was fed is committed.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.committed() >= i64::try_from(self.fed).unwrap()
    }

    /// Leaders of a topic's partitions, and whether every copy of them is in step.
    pub(crate) fn leaders(&self, topic: &str) -> (Vec<i32>, bool) {
        let metadata = self
            .asks
            .fetch_metadata(Some(topic), Duration::from_secs(5));
        let Ok(metadata) = metadata else {
            return (Vec::new(), false);
        };
        let mut partitions: Vec<_> = metadata.topics()[0].partitions().iter().collect();
        partitions.sort_by_key(|partition| partition.id());
        let is_whole = partitions
            .iter()
            .all(|p| p.leader() > 0 && p.isr().len() == p.replicas().len());
        let leaders = partitions.iter().map(|p| p.leader()).collect();
        (leaders, is_whole)
    }

    /// Waits until the group has missed every process that is gone.
    pub(crate) fn until_alone(&self) {
        until("an empty group", || {
            let groups = self
                .asks
                .fetch_group_list(Some(&self.site.prefix), Duration::from_secs(5));
            groups.is_ok_and(|list| list.groups().iter().all(|g| g.members().is_empty()))
        });
    }

    /// Feeds the rest, lets a last process drain it, and compares: nothing is lost, nothing is
    /// there twice, and every device's verdicts are in order.
    pub(crate) fn settle(&mut self, instance: &str) {
        self.feed_rest();
        self.until_alone();
        self.site.drain(self.folder.path(), instance, &self.more);
        same(&self.site.read("verdicts"), &Traffic::shared().expected);
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let entries = fs::read_dir(self.folder.path()).into_iter().flatten();
        let paths = entries.flatten().map(|entry| entry.path());
        for path in paths.filter(|path| path.extension().is_some_and(|e| e == "log")) {
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            say(&format!(
                "the end of {}:\n{}",
                path.display(),
                last.join("\n")
            ));
        }
    }
}
