//! A desk: the commands and incidents of some segments, and what stands about their devices.

pub(super) mod kept;
mod roots;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use andon_emit::kafka::{NextOffset, Outgoing};
use andon_ingest::kafka::Message;
use andon_respond::{Answered, Incidents, Input, Orders, Output, judge};
use andon_schemas::act::{Ack, Act, ActRefused, Acted, Refusal};
use andon_schemas::audit::AuditEntry;
use andon_schemas::chain::Chain;
use andon_schemas::incident::Incident;
use andon_schemas::reject::Reject;
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::Verdict;
use serde::Serialize;

use self::roots::Roots;
use super::DESK;
use super::hearing::{Heard, Place};
use crate::aside::Answer;
use crate::kafka::acts::Slip;
use crate::kafka::draft::rejected;
use crate::kafka::epochs::Part;
use crate::kafka::evidence::Wanted;
use crate::kafka::names::Names;
use crate::policy::PlantPolicy;
use crate::wall;

/// After so many letters that are for others, how far it has heard is kept nevertheless.
const LETTERS_MAX: u32 = 1_000;

/// What everybody at a desk goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) names: &'a Names,
    pub(super) policy: &'a PlantPolicy,
}

/// What stands about the devices of some segments.
#[derive(Debug, Default)]
pub(super) struct Desk {
    partition: i32,
    pub(super) next: i64,
    pub(super) heard: Heard,
    /// Letters since that was last kept.
    unkept: u32,
    chain: Chain,
    /// An act was done that is not kept yet.
    acted: bool,
    orders: Orders,
    incidents: Incidents,
    /// In how many pieces each of them is kept.
    pieces: BTreeMap<String, usize>,
    /// Where the records of each of them stand.
    roots: Roots,
    /// Those that were told since the last epoch.
    told_of: Vec<Incident>,
    pub(super) records: Vec<Outgoing>,
    /// What the group holds beside our offset.
    pub(super) note: Option<String>,
    pub(super) touched: bool,
    pub(super) ended: bool,
    /// The latest time that a verdict told, and when it came: where no verdict comes, time goes on
    /// from there by the wall clock.
    told: Option<(EventTime, Instant)>,
}

impl Desk {
    /// Takes a verdict.
    ///
    /// # Errors
    /// If a command cannot be written as JSON.
    pub(super) fn take(&mut self, message: &Message<'_>, rules: Rules<'_>) -> anyhow::Result<()> {
        if message.offset < self.next {
            return Ok(());
        }
        self.next = message.offset + 1;
        self.touched = true;
        self.ended = false;
        let payload = message.payload.unwrap_or_default();
        let verdict: Verdict = match serde_json::from_slice(payload) {
            Ok(verdict) => verdict,
            Err(error) => {
                // Nobody but us writes there.
                tracing::error!(
                    partition = message.partition,
                    offset = message.offset,
                    "a record among the verdicts is none: {error}"
                );
                return Ok(());
            }
        };
        let at = verdict.window.end;
        if self.told.is_none_or(|(told, _)| at > told) {
            self.told = Some((at, Instant::now()));
        }
        self.step(rules, Input::Verdict(&verdict))?;
        let begun = self.incidents.take(&verdict);
        if let Some(incident) = self.incidents.of(&verdict.verdict_id) {
            let id = &incident.incident_id;
            let topic = &rules.names.observations;
            self.roots.take(id, &verdict, topic, message.stamped);
        }
        match begun {
            Some(incident) => self.tell_incident(&incident, rules.names),
            None => Ok(()),
        }
    }

    /// Whether it has not heard a letter yet. From now on it has.
    pub(super) fn hears(&mut self, place: Place, offset: i64) -> bool {
        let next = self.heard.entry(place).or_default();
        if offset < *next {
            return false;
        }
        *next = offset + 1;
        self.unkept += 1;
        self.touched |= self.unkept > LETTERS_MAX;
        true
    }

    /// What was heard at a place was something else: it goes on here.
    pub(super) fn hear_anew(&mut self, place: Place, offset: i64) {
        self.heard.insert(place, offset);
        self.touched = true;
    }

    /// What time it is: that of the newest verdict, and what has passed since then. `None` while
    /// verdicts wait to be read, or if nobody ever told.
    fn time(&self, now: Instant) -> Option<EventTime> {
        let (told, came) = self.told.filter(|_| self.ended)?;
        let passed = now.saturating_duration_since(came).as_micros();
        Some(told + Span::from_micros(i64::try_from(passed).unwrap_or(i64::MAX)))
    }

    /// Does what a person asks for, and says what came of it. It is done at the plant's time, as
    /// this desk or whoever asks knows it, whichever is later; where nobody does, it is now. `late`
    /// is why it is no longer done.
    ///
    /// # Errors
    /// If what comes of it cannot be written as JSON.
    pub(super) fn act(
        &mut self,
        mut act: Act,
        late: Option<&str>,
        rules: Rules<'_>,
    ) -> anyhow::Result<()> {
        let now = self.time(Instant::now()).unwrap_or_default();
        let now = now.max(self.orders.now());
        // What is not done says nothing of the time: it may be as wrong as could be.
        act.at = if late.is_some() { now } else { act.at.max(now) };
        if act.at <= EventTime::default() {
            act.at = wall::now();
        }
        let came = match late {
            Some(why) => {
                let refusal = ActRefused::new(Refusal::Conflict, why);
                let entry = AuditEntry::refused(&act, act.at, &refusal);
                self.audit([entry], rules.names)?;
                Some(Err(refusal))
            }
            None => self.perform(&act, rules)?,
        };
        self.touched = true;
        // Time goes on from there.
        if self.told.is_none_or(|(told, _)| self.orders.now() > told) {
            self.told = Some((self.orders.now(), Instant::now()));
        }
        if let Some(came) = came {
            // What was refused is remembered, too.
            self.acted = true;
            let act_id = act.act_id;
            let slip = Slip::Came { act_id, came };
            self.records.push(slip.outgoing(&rules.names.acts)?);
        }
        Ok(())
    }

    fn perform(
        &mut self,
        act: &Act,
        rules: Rules<'_>,
    ) -> anyhow::Result<Option<Result<Acted, ActRefused>>> {
        let Some(judging) = judge(&mut self.orders, &mut self.incidents, act) else {
            return Ok(self.step(rules, Input::Act(act))?.acted);
        };
        self.audit(judging.audit, rules.names)?;
        if let Some(incident) = judging.incident {
            self.tell_incident(&incident, rules.names)?;
        }
        Ok(Some(judging.acted))
    }

    /// Whether an acknowledgement names an order of this desk.
    pub(super) fn owns(&self, ack: &Ack) -> bool {
        let name = ack.command_id.as_ref().or(ack.key.as_ref());
        name.is_some_and(|name| self.orders.owner(name).is_some())
    }

    /// Takes what an enforcement point answers; whether it was believed.
    ///
    /// # Errors
    /// If what comes of it cannot be written as JSON.
    pub(super) fn answer(&mut self, answer: Answer, rules: Rules<'_>) -> anyhow::Result<bool> {
        let came = self.step(rules, Input::Ack(&answer.ack))?.answered;
        self.touched = true;
        let Some(Answered::Refused(why)) = came else {
            return Ok(true);
        };
        self.refuse(&answer.reject(why), rules.names)?;
        Ok(false)
    }

    /// Sets something aside that is not counted.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(super) fn refuse(&mut self, reject: &Reject, names: &Names) -> anyhow::Result<()> {
        self.touched = true;
        self.records.push(rejected(&names.rejects, reject)?);
        Ok(())
    }

    /// Every verdict so far has been answered: what waits for its time has it when that has passed.
    ///
    /// # Errors
    /// If what comes of it cannot be written as JSON.
    pub(super) fn idle(&mut self, now: Instant, rules: Rules<'_>) -> anyhow::Result<()> {
        let Some(at) = self.time(now) else {
            return Ok(());
        };
        self.step(rules, Input::Tick(at))?;
        self.touched |= !self.records.is_empty();
        Ok(())
    }

    /// The plant may allow something else now.
    ///
    /// # Errors
    /// If what comes of it cannot be written as JSON.
    pub(super) fn reconsider(&mut self, rules: Rules<'_>) -> anyhow::Result<()> {
        self.step(rules, Input::Policy)?;
        self.touched |= !self.records.is_empty();
        Ok(())
    }

    /// Takes an input of the life of commands.
    fn step(&mut self, rules: Rules<'_>, input: Input<'_>) -> anyhow::Result<Output> {
        let mut said = self.orders.step(rules.policy, input);
        for command in &said.issued {
            let device = command.device_id.as_str();
            self.tell(&rules.names.enforcement, device, "command", command)?;
        }
        for notice in &said.notices {
            let device = notice.device_id.as_str();
            self.tell(&rules.names.notices, device, "notice", notice)?;
        }
        self.audit(std::mem::take(&mut said.audit), rules.names)?;
        Ok(said)
    }

    /// Writes entries of the trail. A chain is in one partition of it, in order.
    fn audit(
        &mut self,
        entries: impl IntoIterator<Item = AuditEntry>,
        names: &Names,
    ) -> anyhow::Result<()> {
        let chain = self.partition.to_string();
        for entry in entries {
            let event = entry.event.as_str();
            let entry = self.chain.append(AuditEntry {
                chain: Some(self.partition),
                ..entry
            });
            self.tell(&names.audit, &chain, event, &entry)?;
        }
        Ok(())
    }

    fn tell_incident(&mut self, incident: &Incident, names: &Names) -> anyhow::Result<()> {
        let id = &incident.incident_id;
        self.tell(&names.incidents, id, "incident", incident)?;
        if let Some(record) = self.records.last_mut() {
            // For whoever wants to tell the desk that keeps it something.
            record.headers.push((DESK, self.partition.to_string()));
        }
        self.told_of.push(incident.clone());
        Ok(())
    }

    /// What it gives to an epoch of this run, if something came. Epochs are numbered through `number`,
    /// whichever desk they are of: one that is taken up again must not repeat what it once said.
    ///
    /// # Errors
    /// If what stands cannot be written.
    pub(super) fn part(
        &mut self,
        partition: i32,
        names: &Names,
        run: u64,
        number: &mut u64,
    ) -> anyhow::Result<Option<Part<Vec<Wanted>>>> {
        if !std::mem::take(&mut self.touched) {
            return Ok(None);
        }
        *number += 1;
        // Once an epoch: a plant of which all devices fall silent at once is one story.
        for incident in self.incidents.settle() {
            self.tell_incident(&incident, names)?;
        }
        self.keep(names, partition)?;
        Ok(Some(Part {
            partition,
            records: Arc::new(std::mem::take(&mut self.records)),
            offset: NextOffset {
                partition,
                next: self.next,
                note: format!("{number}.{run:016x}"),
                before: self.note.clone(),
            },
            with: self.wanted(),
        }))
    }

    /// Writes something to a topic.
    fn tell(
        &mut self,
        topic: &Arc<str>,
        key: &str,
        event: &str,
        what: &impl Serialize,
    ) -> anyhow::Result<()> {
        self.records.push(Outgoing {
            topic: topic.clone(),
            partition: None,
            key: key.as_bytes().to_vec(),
            payload: Some(serde_json::to_vec(what)?),
            headers: vec![("andon.event", event.to_owned())],
        });
        Ok(())
    }
}
