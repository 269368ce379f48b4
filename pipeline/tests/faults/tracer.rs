//! Faults at system calls, by strace: the product needs no places made for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kafka_plant::{PARTITIONS, say};

/// A kind of system calls at which something can go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edge {
    /// Bytes of a snapshot go to the disk.
    Write,
    /// Verdicts go to the copy on the disk.
    Copy,
    /// A snapshot is made durable, or its folder is.
    Fsync,
    /// A snapshot is put in its place.
    Rename,
    /// A request goes to a broker: records, offsets, the end of a transaction, a heartbeat.
    Send,
}

impl Edge {
    /// The calls, as strace wants them; those that this machine lacks are left out.
    fn calls(self) -> &'static str {
        match self {
            Self::Write | Self::Copy => "write,writev",
            Self::Fsync => "fsync,fdatasync",
            Self::Rename => "?rename,?renameat,renameat2",
            Self::Send => "sendto,sendmsg,sendmmsg",
        }
    }

    /// Files to which the calls are narrowed, to those of snapshots if that is wanted; none means
    /// that all count.
    fn files(self, narrowly: bool, data: &Path) -> Vec<PathBuf> {
        let folder = data.join("kafka");
        let files = (0..PARTITIONS).map(|p| folder.join(format!("partition-{p:05}-new")));
        let files: Vec<_> = files.collect();
        match self {
            Self::Write => files,
            Self::Fsync | Self::Rename if narrowly => files,
            Self::Copy => vec![data.join("verdicts.jsonl")],
            _ => Vec::new(),
        }
    }

    fn command(self, narrowly: bool, data: &Path, report: &Path) -> Vec<String> {
        let calls = self.calls();
        // The process stays our child: strace keeps beside it.
        let mut line: Vec<String> = ["strace", "-D", "-f", "-qq", "-o"]
            .map(str::to_owned)
            .to_vec();
        line.push(report.to_string_lossy().into_owned());
        line.extend(["-e".to_owned(), format!("trace={calls}")]);
        for file in self.files(narrowly, data) {
            line.extend(["-P".to_owned(), file.to_string_lossy().into_owned()]);
        }
        line
    }

    /// Only writes the calls down.
    pub(crate) fn watched(self, data: &Path, report: &Path) -> Vec<String> {
        self.command(false, data, report)
    }

    /// A process that is killed as one of its threads enters its nth call.
    pub(crate) fn killed_at(self, nth: u64, data: &Path) -> Vec<String> {
        self.injected(&format!("signal=KILL:when={nth}"), false, data)
    }

    /// A process whose calls fail for good while it saves snapshots, or its copy of verdicts.
    pub(crate) fn failing(self, error: &str, data: &Path) -> Vec<String> {
        self.injected(&format!("error={error}"), true, data)
    }

    fn injected(self, what: &str, narrowly: bool, data: &Path) -> Vec<String> {
        let mut line = self.command(narrowly, data, Path::new("/dev/null"));
        let calls = self.calls();
        line.extend(["-e".to_owned(), format!("inject={calls}:{what}")]);
        line
    }
}

/// The most calls that one thread made, by what a watched process left behind.
pub(crate) fn most_calls(report: &Path) -> u64 {
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    for line in fs::read_to_string(report).unwrap().lines() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        if line.contains('(') {
            *calls.entry(thread.to_owned()).or_default() += 1;
        }
    }
    calls.into_values().max().unwrap_or(0)
}

/// Whether strace is there and may do its work. If not, that is said; where a broker is demanded,
/// so is strace.
pub(crate) fn is_allowed() -> bool {
    let tried = Command::new("strace")
        .args(["-D", "-f", "-qq", "-o", "/dev/null", "true"])
        .stderr(Stdio::piped())
        .output();
    let reason = match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let is_demanded = std::env::var_os("ANDON_KAFKA").is_some_and(|value| value == "1");
    assert!(!is_demanded, "strace does not work: {reason}");
    say(&format!("skipped: strace does not work: {}", reason.trim()));
    false
}
