//! What a child process takes of the machine, as the system counts it.

use std::collections::BTreeMap;
use std::time::Duration;

/// Clock ticks in a second of what `/proc` counts in them: a constant of Linux's interface.
const TICKS_PER_SECOND: u32 = 100;

/// Processor time of the threads of a process, by what they do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Threads {
    by_id: BTreeMap<u32, (String, Duration)>,
}

impl Threads {
    /// Looks again; what ended since stays as it was last seen.
    pub(crate) fn look(&mut self, process: u32) {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else {
            return;
        };
        for task in tasks.flatten() {
            let read = |what: &str| std::fs::read_to_string(task.path().join(what)).ok();
            let id = task.file_name().to_str().and_then(|id| id.parse().ok());
            let busy = read("schedstat").and_then(|told| told.split(' ').next()?.parse().ok());
            if let (Some(id), Some(name), Some(busy)) = (id, read("comm"), busy) {
                let name = if id == process { "main" } else { name.trim() };
                let seen = (part(name).to_owned(), Duration::from_nanos(busy));
                self.by_id.insert(id, seen);
            }
        }
    }

    /// The parts of the process, the busiest first, each with its share of all.
    pub(crate) fn shares(&self) -> Vec<(String, Duration, f64)> {
        let mut parts: BTreeMap<&str, Duration> = BTreeMap::new();
        for (part, busy) in self.by_id.values() {
            *parts.entry(part).or_default() += *busy;
        }
        let all: Duration = parts.values().sum();
        let share = |busy: Duration| busy.as_secs_f64() / all.as_secs_f64().max(1e-9);
        let mut shares: Vec<_> = parts
            .into_iter()
            .map(|(part, busy)| (part.to_owned(), busy, share(busy)))
            .collect();
        shares.sort_by_key(|share| std::cmp::Reverse(share.1));
        shares
    }
}

/// What a thread does, by its name.
fn part(name: &str) -> &str {
    match name {
        "main" => "decode and engine (main thread)",
        "kafka-transaction" | "kafka-transactions" | "kafka-transacti" => "produce (transactions)",
        "respond" => "answer verdicts (second stage)",
        "snapshots" => "snapshots to disk",
        _ if name.starts_with("rdk:broker") => "consume and send (librdkafka's connections)",
        _ if name.starts_with("rdk:") => "librdkafka's own threads",
        _ => "other threads",
    }
}

/// Processor time of all children that have ended and were waited for.
pub(crate) fn children_busy() -> Duration {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in parentheses: fields 3 and on; `cutime` and `cstime` are 16 and 17.
    let fields = told.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks: u32 = ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    Duration::from_secs(1) * ticks / TICKS_PER_SECOND
}

/// How busy the machine has been for a minute.
pub(crate) fn load() -> String {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').next().unwrap_or("unknown").to_owned()
}
