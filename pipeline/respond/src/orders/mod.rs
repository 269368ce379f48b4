//! The life of commands: from verdicts, what people do, what enforcement points answer, and time,
//! to what enforcement points are told and to everything that belongs in the audit trail.
//!
//! ```text
//! Verdict ─▶ settle ─▶ shield ─▶ person? maintenance? turn? ─▶ issued ─▶ answered ─▶ lapsed, lifted
//!              ▲                       ▲                          ▲           ▲
//!   suppression, probation         acts, time               acts, policy  acks, time
//! ```
//!
//! Only event time: it is at least what every input says, and whatever it brings about bears its
//! own moment, in order.

mod acks;
mod acts;
mod done;
mod dossier;
mod hold;
mod issue;
mod people;
mod settle;
mod tell;
mod time;
mod turns;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod play;
#[cfg(test)]
mod reconsidered;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::act::{Ack, Act, ActRefused, Acted};
use andon_schemas::audit::{AuditEntry, AuditEvent};
use andon_schemas::command::{Command, Mode};
use andon_schemas::identity::DeviceId;
use andon_schemas::notice::Notice;
use andon_schemas::order::{Order, OrderHistory};
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use serde::{Deserialize, Serialize};

pub use self::done::Done;
pub use self::dossier::Dossier;
pub use self::dossier::key_of;
use self::turns::Turns;
use crate::policy::Policy;

/// One input of the life of commands.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The next revision of a verdict.
    Verdict(&'a Verdict),
    /// A person did something.
    Act(&'a Act),
    /// An enforcement point answered.
    Ack(&'a Ack),
    /// Time is at least this.
    Tick(EventTime),
    /// The plant allows something else from here on.
    Policy,
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It changed where an order stands.
    Taken,
    /// It was known already.
    Known,
    /// It is not to be believed, and why.
    Refused(String),
}

/// What came of an input, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Commands that are new, or read differently now that they are issued: the newest of an id
    /// counts.
    pub commands: Vec<Command>,
    /// What enforcement points are to be told.
    pub issued: Vec<Command>,
    /// What belongs in the audit trail.
    pub audit: Vec<AuditEntry>,
    /// What those who run the plant are told; no two notices of a command have the same id.
    pub notices: Vec<Notice>,
    /// What came of an act.
    pub acted: Option<Result<Acted, ActRefused>>,
    /// What came of an answer.
    pub answered: Option<Answered>,
}

impl Output {
    /// The orders that stand somewhere else now, in order.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        let orders = self
            .audit
            .iter()
            .filter(|entry| entry.event == AuditEvent::Order);
        orders.filter_map(|entry| entry.order.as_deref())
    }
}

/// Every order. Bounded by the number of devices: of each, what stands, and a few that are over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Orders {
    now: EventTime,
    dossiers: BTreeMap<DeviceId, Dossier>,
    done: Done,
    /// When something happens by itself next, by device.
    deadlines: BTreeSet<(EventTime, DeviceId)>,
    /// Whose order a command id, or the key that a device reads, belongs to.
    owners: BTreeMap<String, DeviceId>,
    turns: Turns,
    /// Devices about which something else stands than was last told.
    changed: BTreeSet<DeviceId>,
}

/// What is kept of it; the rest follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    now: EventTime,
    dossiers: BTreeMap<DeviceId, Dossier>,
    done: Done,
}

impl From<Orders> for Kept {
    fn from(orders: Orders) -> Self {
        Self {
            now: orders.now,
            dossiers: orders.dossiers,
            done: orders.done,
        }
    }
}

impl From<Kept> for Orders {
    fn from(kept: Kept) -> Self {
        let mut orders = Self {
            now: kept.now,
            done: kept.done,
            ..Self::default()
        };
        for (device, dossier) in kept.dossiers {
            orders.put(device, dossier);
        }
        orders.changed.clear();
        orders
    }
}

/// Everything that a dossier is worked on with.
struct Work<'a> {
    now: EventTime,
    policy: &'a dyn Policy,
    turns: &'a mut Turns,
    out: &'a mut Output,
}

impl Work<'_> {
    /// Tells that an order stands somewhere else.
    fn moved(&mut self, order: &Order) {
        let device = &order.command.device_id;
        let action = order.command.response.action;
        let mut detail = format!("{action} of {device}: {}", order.state);
        if !order.note.is_empty() {
            detail.push_str(": ");
            detail.push_str(&order.note);
        }
        let by = order.by.as_deref();
        let mut entry = AuditEntry::new(AuditEvent::Order, self.now, by, detail);
        entry.order = Some(Box::new(order.clone()));
        self.out.audit.push(entry);
    }
}

impl Orders {
    /// Nothing stands.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing stands, and it has come to this time: whoever kept dossiers goes on from there.
    pub fn at(now: EventTime) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// The acts that were done, to know one that comes twice.
    pub fn done(&self) -> &Done {
        &self.done
    }

    /// Goes on with the acts that were done before.
    pub fn remember_done(&mut self, done: Done) {
        self.done = done;
    }

    /// The device that an order is about.
    pub fn owner(&self, command_id: &str) -> Option<&DeviceId> {
        self.owners.get(command_id)
    }

    /// Takes an input.
    pub fn step(&mut self, policy: &dyn Policy, input: Input<'_>) -> Output {
        let mut out = Output::default();
        match input {
            Input::Verdict(verdict) => {
                self.advance(verdict.window.end, policy, &mut out);
                self.verdict(verdict, policy, &mut out);
            }
            Input::Act(act) => {
                self.advance(act.at, policy, &mut out);
                let acted = self.act(act, policy, &mut out);
                out.acted = Some(acted);
            }
            Input::Ack(ack) => {
                let answered = self.ack(ack, policy, &mut out);
                out.answered = Some(answered);
            }
            Input::Tick(at) => self.advance(at, policy, &mut out),
            Input::Policy => self.reconsider(policy, &mut out),
        }
        // What ended may have made room for what waits.
        self.advance(self.now, policy, &mut out);
        out
    }

    /// The time it has come to.
    pub fn now(&self) -> EventTime {
        self.now
    }

    /// What stands about a device; `None` if nothing was ever said of it.
    pub fn of(&self, device: &DeviceId) -> Option<&Dossier> {
        self.dossiers.get(device)
    }

    /// Goes on with what stood about a device.
    pub fn resume(&mut self, device: &DeviceId, dossier: Dossier) {
        self.take_out(device);
        self.put(device.clone(), dossier);
        self.changed.remove(device);
    }

    /// Devices about which something else stands than when this was asked last.
    pub fn take_changed(&mut self) -> BTreeSet<DeviceId> {
        std::mem::take(&mut self.changed)
    }

    /// Number of devices about which a command is not over.
    pub fn standing(&self) -> usize {
        let stands = |dossier: &&Dossier| dossier.stands();
        self.dossiers.values().filter(stands).count()
    }

    /// Until when commands about a device are held back.
    pub fn suppressed_until(&self, device: &DeviceId) -> Option<EventTime> {
        self.dossiers.get(device)?.suppressed_until
    }

    /// Whether a verdict disturbs nobody, because a person holds back what is about its device. What
    /// no person can hold back is told all the same.
    pub fn mutes(&self, verdict: &Verdict) -> bool {
        let until = self.suppressed_until(&verdict.device_id);
        until.is_some_and(|until| until > self.now) && !settle::is_undeniable(verdict)
    }

    /// Devices about which something is kept.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.dossiers.keys()
    }

    /// Everything that is kept of the orders about a device, oldest first, each with its life.
    pub fn histories(&self, device: &DeviceId) -> Vec<OrderHistory> {
        let entries = self.dossiers.get(device).map(|dossier| &dossier.entries);
        let kept = entries.into_iter().flatten().map(|entry| OrderHistory {
            order: entry.order.clone(),
            history: entry.history.clone(),
        });
        kept.collect()
    }

    /// One order with its life.
    pub fn order(&self, command_id: &str) -> Option<OrderHistory> {
        let dossier = self.dossiers.get(self.owners.get(command_id)?)?;
        let entry = dossier.entry(command_id)?;
        Some(OrderHistory {
            order: entry.order.clone(),
            history: entry.history.clone(),
        })
    }

    /// Takes a dossier out of all that is known of it, to be worked on.
    fn take_out(&mut self, device: &DeviceId) -> Dossier {
        let Some(dossier) = self.dossiers.remove(device) else {
            return Dossier::default();
        };
        if let Some(due) = dossier.deadline() {
            self.deadlines.remove(&(due, device.clone()));
        }
        for name in names(device, &dossier) {
            self.owners.remove(&name);
        }
        dossier
    }

    /// Puts it back.
    fn put(&mut self, device: DeviceId, mut dossier: Dossier) {
        dossier.prune(self.now);
        if let Some(due) = dossier.deadline() {
            self.deadlines.insert((due, device.clone()));
        }
        for name in names(&device, &dossier) {
            self.owners.insert(name, device.clone());
        }
        self.turns.know(&device, &dossier, self.now);
        self.changed.insert(device.clone());
        self.dossiers.insert(device, dossier);
    }

    /// Works on the dossier of a device.
    fn work<T>(
        &mut self,
        device: &DeviceId,
        policy: &dyn Policy,
        out: &mut Output,
        what: impl FnOnce(&mut Dossier, &mut Work<'_>) -> T,
    ) -> T {
        let mut dossier = self.take_out(device);
        let before = dossier.standings();
        let mut work = Work {
            now: self.now,
            policy,
            turns: &mut self.turns,
            out,
        };
        let done = what(&mut dossier, &mut work);
        dossier.tell_people(&before, &mut work);
        self.put(device.clone(), dossier);
        done
    }

    fn verdict(&mut self, verdict: &Verdict, policy: &dyn Policy, out: &mut Output) {
        self.work(&verdict.device_id, policy, out, |dossier, work| {
            dossier.verdict(verdict, work);
        });
    }

    /// Brings everything that stands to what the plant allows now.
    fn reconsider(&mut self, policy: &dyn Policy, out: &mut Output) {
        let stands = |(device, dossier): (&DeviceId, &Dossier)| {
            let asks = dossier.asked.is_some();
            (asks || dossier.stands()).then(|| device.clone())
        };
        let devices: Vec<DeviceId> = self.dossiers.iter().filter_map(stands).collect();
        for device in devices {
            self.work(&device, policy, out, |dossier, work| {
                dossier.reconsider(&device, work);
            });
        }
    }
}

/// Every name by which an order of a device may be spoken of.
fn names(device: &DeviceId, dossier: &Dossier) -> Vec<String> {
    let mut names = Vec::new();
    for entry in &dossier.entries {
        names.push(entry.id().to_owned());
        let release = entry.release.as_ref();
        names.extend(release.map(|release| release.command.command_id.clone()));
        let response = entry.response();
        if response.mode == Mode::Enforce && entry.told > 0 {
            names.push(key_of(device, response.action));
        }
    }
    names
}
