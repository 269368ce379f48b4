//! The audit of decisions: one line each, written by a thread of its own, so that whoever decides
//! waits for no disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use andon_emit::rotated::Rotated;
use andon_schemas::time::EventTime;
use anyhow::Context as _;
use serde_json::{Value, json};

use super::Answer;

/// So many lines may wait for the disk; then decisions wait for it, too.
const WAITING_MAX: usize = 1_024;
/// What was written is made safe this often.
const SYNCED_EVERY: Duration = Duration::from_secs(1);

/// What is audited, and how much of it is kept.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// The file.
    pub path: PathBuf,
    /// A larger one is put aside.
    pub bytes_max: u64,
    /// So many of those are kept.
    pub keep: u32,
}

/// A decision as the audit has it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Its name; none for one that nobody asked for over HTTP.
    pub id: Option<&'a str>,
    /// Who asked.
    pub who: Option<&'a str>,
    /// As of when.
    pub time: EventTime,
    /// What was asked.
    pub question: Value,
    /// What was answered.
    pub answer: &'a Answer,
    /// SHA-256 of the policies.
    pub policy: &'a str,
    /// How long it took.
    pub took: Duration,
}

impl Entry<'_> {
    /// One line of JSON, without its end.
    pub fn line(&self) -> String {
        let took_us = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        let mut entry = json!({
            "schema": "andon.decision.v1", "time": self.time, "question": self.question,
            "answer": self.answer, "policy": self.policy, "took_us": took_us,
        });
        for (name, value) in [("decision_id", self.id), ("who", self.who)] {
            if let Some(value) = value {
                entry[name] = value.into();
            }
        }
        entry.to_string()
    }
}

/// Writes lines.
#[derive(Debug)]
pub struct Audit {
    /// `None` once it closes.
    lines: Option<SyncSender<String>>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Audit {
    /// Nothing is made before something is written.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(settings: &AuditSettings) -> anyhow::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let file = Rotated::new(settings.path.clone(), settings.bytes_max, settings.keep);
        let trouble = Arc::new(Mutex::new(None));
        let writer = Writer {
            file,
            path: settings.path.clone(),
            trouble: Arc::clone(&trouble),
        };
        let thread = thread::Builder::new()
            .name("pdp-audit".to_owned())
            .spawn(move || writer.run(&waiting))
            .context("cannot start the thread that writes the audit")?;
        Ok(Self {
            lines: Some(lines),
            trouble,
            thread: Some(thread),
        })
    }

    /// Takes a line.
    ///
    /// # Errors
    /// If the last one could not be written: what nobody can look at afterwards is not decided.
    pub fn take(&self, mut line: String) -> Result<(), String> {
        line.push('\n');
        let is_gone = |lines: &SyncSender<String>| lines.send(line).is_err();
        if self.lines.as_ref().is_none_or(is_gone) {
            return Err("the audit is closed".to_owned());
        }
        match &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(trouble) => Err(trouble.clone()),
        }
    }
}

impl Drop for Audit {
    /// What was taken is written first.
    fn drop(&mut self) {
        self.lines = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("pdp: the thread that writes the audit ended abnormally");
        }
    }
}

struct Writer {
    file: Rotated,
    path: PathBuf,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Writer {
    fn run(mut self, lines: &Receiver<String>) {
        let mut synced = Instant::now();
        while let Ok(line) = lines.recv() {
            let mut written = self.file.write(&line);
            while let Ok(line) = lines.try_recv() {
                written = written.and(self.file.write(&line));
            }
            if synced.elapsed() >= SYNCED_EVERY {
                written = written.and_then(|()| self.file.sync());
                synced = Instant::now();
            }
            self.say(written);
        }
        let synced = self.file.sync();
        self.say(synced);
    }

    fn say(&self, written: std::io::Result<()>) {
        let why = written.err().map(|error| {
            let path = self.path.display();
            format!("the audit of decisions cannot be written to `{path}`: {error}")
        });
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*trouble, &why) {
            (None, Some(why)) => tracing::error!("pdp: {why}; nothing is decided until it can"),
            (Some(_), None) => tracing::info!("pdp: the audit of decisions is written again"),
            _ => {}
        }
        *trouble = why;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: PathBuf) -> AuditSettings {
        AuditSettings {
            path,
            bytes_max: 10_000,
            keep: 2,
        }
    }

    #[test]
    fn every_line_is_written_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        let audit = Audit::start(&settings(path.clone())).unwrap();
        for number in 0..500 {
            audit.take(number.to_string()).unwrap();
        }
        drop(audit);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.lines()
                .eq((0..500).map(|n| n.to_string()).collect::<Vec<_>>())
        );
    }

    #[test]
    fn an_audit_that_cannot_be_written_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::start(&settings(folder.path().join("none/x.jsonl"))).unwrap();
        // The first is taken before anybody knows.
        let refused = std::iter::repeat_with(|| audit.take("x".to_owned()))
            .find_map(Result::err)
            .unwrap();
        assert!(refused.contains("none/x.jsonl"), "{refused}");
        std::fs::create_dir(folder.path().join("none")).unwrap();
        assert!(
            std::iter::repeat_with(|| audit.take("y".to_owned())).any(|taken| taken.is_ok()),
            "it is written again"
        );
    }
}
