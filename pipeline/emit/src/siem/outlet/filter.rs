//! Which episodes an outlet tells. One that it began to tell it tells to its end, whatever becomes
//! of its grade: a receiver that was told of its rise must hear that it is over.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use andon_schemas::grade::Grade;
use andon_schemas::verdict::{State, Verdict};

/// The episodes that are being told, one to a line.
const OPEN: &str = "open";

/// Tells which verdicts pass.
#[derive(Debug)]
pub(super) struct Filter {
    min_grade: Grade,
    only_alerts: bool,
    /// Ids of open episodes that passed: one to a device at most.
    open: BTreeSet<String>,
    is_changed: bool,
}

impl Filter {
    pub(super) fn open(folder: &Path, min_grade: Grade, only_alerts: bool) -> io::Result<Self> {
        let text = match fs::read_to_string(folder.join(OPEN)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            min_grade,
            only_alerts,
            open: text.lines().map(str::to_owned).collect(),
            is_changed: false,
        })
    }

    pub(super) fn passes(&mut self, verdict: &Verdict, is_alert: bool) -> bool {
        if self.min_grade == Grade::Low && !self.only_alerts {
            return true;
        }
        let fits = verdict.grade >= self.min_grade && (is_alert || !self.only_alerts);
        let id = &verdict.verdict_id;
        let is_told = self.open.contains(id);
        if verdict.state == State::Cleared {
            self.is_changed |= self.open.remove(id);
        } else if fits && !is_told {
            self.open.insert(id.clone());
            self.is_changed = true;
        }
        is_told || fits && verdict.state != State::Cleared
    }

    /// Keeps what is open, as a whole or not at all.
    pub(super) fn keep(&mut self, folder: &Path) -> io::Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let draft = folder.join("open.new");
        let mut lines: Vec<&str> = self.open.iter().map(String::as_str).collect();
        // Every line has its end.
        lines.push("");
        fs::write(&draft, lines.join("\n"))?;
        fs::rename(draft, folder.join(OPEN))?;
        self.is_changed = false;
        Ok(())
    }
}
