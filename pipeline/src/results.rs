//! What a run leaves behind: `verdicts.jsonl`, `commands.jsonl`, `audit.jsonl`, `alerts.jsonl`,
//! `incidents.jsonl`, `notices.jsonl`, `risk.jsonl`, `rejects.jsonl`, `late.jsonl`, `duplicates.jsonl`, and `summary.json`.

mod files;
mod outlets;
mod trail;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_engine::{Item, Output, Plant, Refusal};
use andon_lab::whole_file;
use andon_respond::{Answered, Incidents, Input, Orders, judge};
use andon_schemas::act::{Act, ActKind, ActRefused, Acted};
use andon_schemas::alert::Alert;
use andon_schemas::audit::AuditEntry;
use andon_schemas::chain::Chain;
use andon_schemas::command::Command;
use andon_schemas::incident::Incident;
use andon_schemas::notice::Notice;
use andon_schemas::order::Order;
use andon_schemas::reject::Reject;
use andon_schemas::verdict::{RiskUpdate, State, Verdict};
use serde::Serialize;

use self::files::Files;
pub use self::files::{AUDIT, INCIDENTS, VERDICTS, cut_torn_line};
use self::trail::Trail;
use crate::alerts;
use crate::aside::{Aside, Asides};
use crate::blueprint::Blueprint;
use crate::ledger::Ledger;
use crate::notify::Notify;
use crate::policy::PlantPolicy;
use crate::siem::Siem;

/// The files of a run; without a folder, only counted.
#[derive(Debug)]
pub struct Results {
    /// What came out.
    pub ledger: Ledger,
    /// What follows from the verdicts.
    pub orders: Orders,
    /// What tells one story.
    pub incidents: Incidents,
    trail: Trail,
    /// What the plant allows of it; until it is told, nothing follows.
    policy: Option<PlantPolicy>,
    /// Nobody can prove that he is an enforcement point, so no answer is believed.
    is_unheard: bool,
    /// Who else is told of the verdicts.
    pub siem: Siem,
    /// Who is notified.
    pub notify: Notify,
    fresh: Fresh,
    folder: Option<PathBuf>,
    files: Option<Files>,
}

/// What came out that somebody is to be told, since it was taken last.
#[derive(Debug, Default)]
pub struct Fresh {
    /// Commands for enforcement points.
    pub commands: Vec<Command>,
    /// Orders that stand somewhere else.
    pub moved: Vec<Order>,
    /// Alerts.
    pub alerts: Vec<Alert>,
    /// Incidents that read differently.
    pub incidents: Vec<Incident>,
    /// What those who run the plant are told.
    pub notices: Vec<Notice>,
}

/// What a chunk of input came to beyond what is written.
#[derive(Debug, Default)]
pub struct Taken {
    /// Rows that the engine refused, with their numbers.
    pub refused: Vec<(u64, Reject)>,
    /// Answers that were not believed.
    pub rejects: Vec<Reject>,
    /// What came of each act, in order.
    pub acted: Vec<Result<Acted, ActRefused>>,
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
        Ok(Self {
            ledger: Ledger::default(),
            orders: Orders::new(),
            incidents: Incidents::new(),
            trail: Trail::default(),
            policy: None,
            is_unheard: false,
            siem: Siem::default(),
            notify: Notify::default(),
            fresh: Fresh::default(),
            folder: folder.map(ToOwned::to_owned),
            files: folder
                .map(|folder| Files::open(folder, append))
                .transpose()?,
        })
    }

    /// No answer of an enforcement point is believed where this comes from, so nobody's silence says
    /// anything. Call it before it is told what it is measured against.
    #[must_use]
    pub fn unheard(mut self) -> Self {
        self.is_unheard = true;
        self
    }

    /// Goes on with the orders of an earlier run, and with its audit trail.
    ///
    /// # Errors
    /// If the trail cannot be gone on with.
    pub fn resume(&mut self, orders: Orders, chain: Chain) -> anyhow::Result<()> {
        self.orders = orders;
        if let Some(folder) = &self.folder {
            self.trail = Trail::resume(chain, &folder.join(AUDIT))?;
        }
        Ok(())
    }

    /// The end of the audit trail.
    pub fn chain(&self) -> &Chain {
        self.trail.chain()
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
        self.measures_against(plant);
        self.step(Input::Policy, &mut Taken::default())?;
        self.ledger.alerts.set(alerts::budget(plant.inventory()));
        match &self.folder {
            Some(folder) => blueprint.keep(folder, plant),
            None => Ok(()),
        }
    }

    /// The life of commands asks this plant from here on, and has been asking it.
    pub fn measures_against(&mut self, plant: &Arc<Plant>) {
        self.policy = Some(PlantPolicy::new(plant.clone(), !self.is_unheard));
    }

    /// Takes what one chunk of input settled, and what stood between its rows, each in its place.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn take(
        &mut self,
        output: Output,
        asides: Asides,
        mut each: impl FnMut(&Verdict),
    ) -> anyhow::Result<Taken> {
        let mut taken = Taken::default();
        let mut asides = asides.into_iter().peekable();
        for (cause, item) in output.items {
            while let Some((_, aside)) = asides.next_if(|(place, _)| *place <= cause.ordinal) {
                self.aside(aside, &mut taken)?;
            }
            match item {
                Item::Verdict(verdict) => {
                    each(&verdict);
                    self.verdict(&verdict, &mut taken)?;
                }
                Item::Risk(update) => self.risk(&update)?,
                Item::Late(row) => self.write(|files| &mut files.late, &row)?,
                Item::Duplicate(row) => self.write(|files| &mut files.duplicates, &row)?,
                // Nobody asked for them here.
                Item::Heartbeat(_) | Item::Window(_) => {}
                Item::Refusal(refusal) => {
                    taken.refused.push((cause.ordinal, reject_of(refusal)));
                }
            }
        }
        for (_, aside) in asides {
            self.aside(aside, &mut taken)?;
        }
        Ok(taken)
    }

    fn verdict(&mut self, verdict: &Verdict, taken: &mut Taken) -> anyhow::Result<()> {
        self.ledger.verdict(verdict);
        self.write(|files| &mut files.verdicts, verdict)?;
        self.step(Input::Verdict(verdict), taken)?;
        if let Some(incident) = self.incidents.take(verdict) {
            self.incident(incident)?;
        }
        // A person holds back what is about the device: what is open then is told when that is over.
        let is_muted = self.orders.mutes(verdict);
        if is_muted && verdict.state != State::Cleared {
            return self.siem.take(verdict, Some(false));
        }
        let is_alert = self.alert(verdict)? && !is_muted;
        let is_alert = self.ledger.alerts.budget().map(|_| is_alert);
        self.siem
            .take(verdict, is_alert.or(is_muted.then_some(false)))
    }

    fn aside(&mut self, aside: Aside, taken: &mut Taken) -> anyhow::Result<()> {
        match aside {
            Aside::Time(at) => {
                self.step(Input::Tick(at), taken)?;
                let changed = self.incidents.settle();
                changed
                    .into_iter()
                    .try_for_each(|incident| self.incident(incident))
            }
            Aside::Plant(blueprint, plant) => self.measured_against(&blueprint, &plant),
            Aside::Act(act) => match &act.kind {
                ActKind::Judge { .. } => self.judge(&act, taken),
                _ => self.step(Input::Act(&act), taken).map(drop),
            },
            Aside::Ack(answer) => {
                let answered = self.step(Input::Ack(&answer.ack), taken)?;
                if let Some(Answered::Refused(why)) = answered {
                    taken.rejects.push(answer.reject(why));
                }
                Ok(())
            }
        }
    }

    /// A person says what an incident was.
    fn judge(&mut self, act: &Act, taken: &mut Taken) -> anyhow::Result<()> {
        let Some(judging) = judge(&mut self.orders, &mut self.incidents, act) else {
            return Ok(());
        };
        if let Some(entry) = judging.audit {
            self.audit(entry)?;
        }
        if let Some(incident) = judging.incident {
            self.incident(incident)?;
        }
        taken.acted.push(judging.acted);
        Ok(())
    }

    /// Takes an input of the life of commands: what comes of it is written, and what somebody is to
    /// be told is kept until it is taken.
    fn step(&mut self, input: Input<'_>, taken: &mut Taken) -> anyhow::Result<Option<Answered>> {
        let Some(policy) = &self.policy else {
            return Ok(None);
        };
        let said = self.orders.step(policy, input);
        for command in &said.commands {
            self.write(|files| &mut files.commands, command)?;
        }
        self.fresh.moved.extend(said.orders().cloned());
        for notice in said.notices {
            self.write(|files| &mut files.notices, &notice)?;
            self.notify.take(&notice)?;
            self.fresh.notices.push(notice);
        }
        said.audit
            .into_iter()
            .try_for_each(|entry| self.audit(entry))?;
        self.fresh.commands.extend(said.issued);
        taken.acted.extend(said.acted);
        Ok(said.answered)
    }

    fn audit(&mut self, entry: AuditEntry) -> anyhow::Result<()> {
        match self.trail.append(entry) {
            (entry, true) => self.write(|files| &mut files.audit, &entry),
            (_, false) => Ok(()),
        }
    }

    fn incident(&mut self, incident: Incident) -> anyhow::Result<()> {
        self.write(|files| &mut files.incidents, &incident)?;
        self.fresh.incidents.push(incident);
        Ok(())
    }

    fn alert(&mut self, verdict: &Verdict) -> anyhow::Result<bool> {
        let Some(alert) = self.ledger.alerts.take(verdict) else {
            return Ok(false);
        };
        self.write(|files| &mut files.alerts, &alert)?;
        self.fresh.alerts.push(alert);
        Ok(true)
    }

    /// What somebody is to be told since the last time.
    pub fn take_fresh(&mut self) -> Fresh {
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
        match &mut self.files {
            Some(files) => files::line(file(files), line),
            None => Ok(()),
        }
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        if let Some(files) = &mut self.files {
            files.flush()?;
        }
        Ok(())
    }

    /// Writes out what is buffered, down to the disk.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        self.siem.sync()?;
        self.notify.sync()?;
        if let Some(files) = &mut self.files {
            files.sync()?;
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
