//! What a run leaves behind: `verdicts.jsonl`, `commands.jsonl`, `audit.jsonl`, `alerts.jsonl`,
//! `risk.jsonl`, `rejects.jsonl`, `late.jsonl`, `duplicates.jsonl`, and `summary.json`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_engine::{Item, Output, Plant, Refusal};
use andon_lab::whole_file;
use andon_respond::{Input, Orders, Output as Said};
use andon_schemas::alert::Alert;
use andon_schemas::audit::AuditChain;
use andon_schemas::command::Command;
use andon_schemas::reject::Reject;
use andon_schemas::verdict::{RiskUpdate, Verdict};
use anyhow::Context as _;
use serde::Serialize;

use crate::alerts;
use crate::blueprint::Blueprint;
use crate::ledger::Ledger;
use crate::policy::PlantPolicy;
use crate::siem::Siem;

/// Name of the file of verdicts.
pub const VERDICTS: &str = "verdicts.jsonl";

/// The files of a run; without a folder, only counted.
#[derive(Debug)]
pub struct Results {
    /// What came out.
    pub ledger: Ledger,
    /// What follows from the verdicts.
    pub orders: Orders,
    /// The end of the audit trail.
    pub chain: AuditChain,
    /// What the plant allows of it; until it is told, nothing follows.
    policy: Option<PlantPolicy>,
    /// Whoever runs it tells it the time as well.
    is_timed: bool,
    /// Who else is told of the verdicts.
    pub siem: Siem,
    /// Commands for enforcement points that nobody has taken yet.
    fresh: Vec<Command>,
    /// Alerts that nobody has taken yet.
    fresh_alerts: Vec<Alert>,
    folder: Option<PathBuf>,
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    verdicts: BufWriter<File>,
    commands: BufWriter<File>,
    audit: BufWriter<File>,
    alerts: BufWriter<File>,
    risks: BufWriter<File>,
    rejects: BufWriter<File>,
    late: BufWriter<File>,
    duplicates: BufWriter<File>,
}

impl Results {
    /// Creates the files in a folder, which is made if need be.
    ///
    /// # Errors
    /// If a file cannot be made.
    pub fn create(folder: Option<&Path>) -> anyhow::Result<Self> {
        Self::open(folder, false)
    }

    /// Goes on writing the files in a folder, which is made if need be.
    ///
    /// # Errors
    /// If a file cannot be opened.
    pub fn go_on(folder: &Path) -> anyhow::Result<Self> {
        let mut results = Self::open(Some(folder), true)?;
        results.ledger = Ledger::of_a_live_run();
        Ok(results)
    }

    fn open(folder: Option<&Path>, append: bool) -> anyhow::Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self {
                ledger: Ledger::default(),
                orders: Orders::new(),
                chain: AuditChain::default(),
                policy: None,
                is_timed: false,
                siem: Siem::default(),
                fresh: Vec::new(),
                fresh_alerts: Vec::new(),
                folder: None,
                files: None,
            });
        };
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))?;
        let create = |name: &str| {
            let path = folder.join(name);
            if append {
                cut_torn_line(&path)
                    .with_context(|| format!("cannot mend `{}`", path.display()))?;
            }
            File::options()
                .create(true)
                .write(true)
                .append(append)
                .truncate(!append)
                .open(&path)
                .map(BufWriter::new)
                .with_context(|| format!("cannot write `{}`", path.display()))
        };
        Ok(Self {
            ledger: Ledger::default(),
            orders: Orders::new(),
            chain: AuditChain::default(),
            policy: None,
            is_timed: false,
            siem: Siem::default(),
            fresh: Vec::new(),
            fresh_alerts: Vec::new(),
            folder: Some(folder.to_owned()),
            files: Some(Files {
                verdicts: create(VERDICTS)?,
                commands: create("commands.jsonl")?,
                audit: create("audit.jsonl")?,
                alerts: create("alerts.jsonl")?,
                risks: create("risk.jsonl")?,
                rejects: create("rejects.jsonl")?,
                late: create("late.jsonl")?,
                duplicates: create("duplicates.jsonl")?,
            }),
        })
    }

    /// Keeps what the verdicts from here on are measured against beside them; the plant's budget of
    /// alerts counts from here on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn measured_against(
        &mut self,
        blueprint: &Blueprint,
        plant: &Arc<Plant>,
    ) -> anyhow::Result<()> {
        self.policy = Some(PlantPolicy::new(plant.clone(), self.is_timed));
        self.step(Input::Policy)?;
        self.ledger.alerts.set(alerts::budget(plant.inventory()));
        match &self.folder {
            Some(folder) => blueprint.keep(folder, plant),
            None => Ok(()),
        }
    }

    /// Takes what one chunk of input settled; returns the rows that were refused, with their
    /// ordinals, which the intake counts.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn take(
        &mut self,
        output: Output,
        mut each: impl FnMut(&Verdict),
    ) -> anyhow::Result<Vec<(u64, Reject)>> {
        let mut refused = Vec::new();
        for (cause, item) in output.items {
            match item {
                Item::Verdict(verdict) => {
                    self.ledger.verdict(&verdict);
                    each(&verdict);
                    self.write(|files| &mut files.verdicts, &verdict)?;
                    self.command(&verdict)?;
                    let is_alert = self.alert(&verdict)?;
                    let is_alert = self.ledger.alerts.budget().map(|_| is_alert);
                    self.siem.take(&verdict, is_alert)?;
                }
                Item::Risk(update) => self.risk(&update)?,
                Item::Late(row) => self.write(|files| &mut files.late, &row)?,
                Item::Duplicate(row) => self.write(|files| &mut files.duplicates, &row)?,
                // Nobody asked for them here.
                Item::Window(_) => {}
                Item::Refusal(refusal) => refused.push((cause.ordinal, reject_of(refusal))),
            }
        }
        Ok(refused)
    }

    fn command(&mut self, verdict: &Verdict) -> anyhow::Result<()> {
        self.step(Input::Verdict(verdict)).map(drop)
    }

    /// Takes an input of the life of commands: what comes of it is written, and what enforcement
    /// points are to be told is kept until it is taken.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn step(&mut self, input: Input<'_>) -> anyhow::Result<Said> {
        let Some(policy) = &self.policy else {
            return Ok(Said::default());
        };
        let mut said = self.orders.step(policy, input);
        for command in &said.commands {
            self.write(|files| &mut files.commands, command)?;
        }
        for entry in std::mem::take(&mut said.audit) {
            let entry = self.chain.append(entry);
            self.write(|files| &mut files.audit, &entry)?;
            said.audit.push(entry);
        }
        self.fresh.extend(said.issued.iter().cloned());
        Ok(said)
    }

    /// The life of commands goes on with time, and not only with verdicts: whoever runs it steps it
    /// with ticks. Call it before it is told what it is measured against.
    #[must_use]
    pub fn timed(mut self) -> Self {
        self.is_timed = true;
        self
    }

    /// The life of commands asks this plant from here on, and has been asking it.
    pub fn measures_against(&mut self, plant: &Arc<Plant>) {
        self.policy = Some(PlantPolicy::new(plant.clone(), self.is_timed));
    }

    fn alert(&mut self, verdict: &Verdict) -> anyhow::Result<bool> {
        let Some(alert) = self.ledger.alerts.take(verdict) else {
            return Ok(false);
        };
        self.write(|files| &mut files.alerts, &alert)?;
        self.fresh_alerts.push(alert);
        Ok(true)
    }

    /// The alerts that followed since the last time.
    pub fn take_alerts(&mut self) -> Vec<Alert> {
        std::mem::take(&mut self.fresh_alerts)
    }

    /// What enforcement points are to be told since the last time.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.fresh)
    }

    fn risk(&mut self, update: &RiskUpdate) -> anyhow::Result<()> {
        self.ledger.risk_updates += 1;
        self.write(|files| &mut files.risks, update)
    }

    /// Writes rejects.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn rejects(&mut self, rejects: &[Reject]) -> anyhow::Result<()> {
        rejects
            .iter()
            .try_for_each(|reject| self.write(|files| &mut files.rejects, reject))
    }

    fn write(
        &mut self,
        file: impl Fn(&mut Files) -> &mut BufWriter<File>,
        line: &impl Serialize,
    ) -> anyhow::Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let file = file(files);
        serde_json::to_writer(&mut *file, line)?;
        file.write_all(b"\n")?;
        Ok(())
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        if let Some(files) = &mut self.files {
            files.verdicts.flush()?;
            files.commands.flush()?;
            files.audit.flush()?;
            files.alerts.flush()?;
            files.risks.flush()?;
            files.rejects.flush()?;
            files.late.flush()?;
            files.duplicates.flush()?;
        }
        Ok(())
    }

    /// Writes out what is buffered, down to the disk.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        self.siem.sync()?;
        if let Some(files) = &self.files {
            for file in [
                &files.verdicts,
                &files.commands,
                &files.audit,
                &files.alerts,
                &files.risks,
                &files.rejects,
                &files.late,
                &files.duplicates,
            ] {
                file.get_ref().sync_data()?;
            }
        }
        Ok(())
    }
}

/// The reject that a refused row makes.
pub fn reject_of(refusal: Refusal) -> Reject {
    Reject {
        reason: refusal.reason,
        detail: refusal.detail,
        source: refusal.source,
        device: Some(refusal.device),
        received_at: refusal.received_at,
        excerpt: String::new(),
    }
}

/// A crash may have left half a line at the end of a file; what comes next must not be glued to
/// it. Its row is in the log and will be told again.
fn cut_torn_line(path: &Path) -> std::io::Result<()> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 64 << 10];
    while end > 0 {
        let length = end.min(block.len() as u64);
        let start = end - length;
        let bytes = &mut block[..usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(bytes, start)?;
        if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return file.set_len(start + newline as u64 + 1);
        }
        end = start;
    }
    file.set_len(0)
}

/// Writes a JSON document to a file, indented, as a whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn write_json(path: &Path, document: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    whole_file::write(path, |out| out.write_all(text.as_bytes()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_cut_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verdicts.jsonl");
        for (before, after) in [
            ("{\"a\":1}\n{\"b\"", "{\"a\":1}\n"),
            ("{\"a\":1}\n", "{\"a\":1}\n"),
            ("{\"a\"", ""),
            ("", ""),
        ] {
            std::fs::write(&path, before).unwrap();
            cut_torn_line(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
        cut_torn_line(&folder.path().join("none.jsonl")).unwrap();
    }
}
