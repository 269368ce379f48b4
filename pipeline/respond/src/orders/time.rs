//! What time brings about: orders lapse, answers fail to come, maintenance and suppression end,
//! and those that waited have their turn.

use andon_schemas::command::{Action, Approval, Response};
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderState;
use andon_schemas::time::EventTime;

use super::dossier::{Dossier, Entry, Hold};
use super::issue::Place;
use super::{Orders, Output, Work};
use crate::policy::Policy;

/// How often enforcement points are told before their silence counts as an answer.
pub(super) const TOLD_MAX: u8 = 3;

impl Orders {
    /// Lets time pass, and brings about what falls due, in order.
    pub(super) fn advance(&mut self, to: EventTime, policy: &dyn Policy, out: &mut Output) {
        let to = to.max(self.now);
        loop {
            let due = self.deadlines.first().map(|(at, _)| *at);
            let turn = self.turns.next(self.now, policy);
            let comes = turn.as_ref().map(|(at, ..)| *at);
            // What lapses at the same moment makes room first.
            let (at, is_due) = match (due, comes) {
                (Some(due), Some(comes)) if comes < due => (comes, false),
                (Some(due), _) => (due, true),
                (None, Some(comes)) => (comes, false),
                (None, None) => break,
            };
            if at > to {
                break;
            }
            self.now = self.now.max(at);
            self.turns.forget(self.now);
            if is_due {
                self.fire(policy, out);
            } else if let Some((_, device, id)) = turn {
                self.work(&device, policy, out, |dossier, work| {
                    dossier.have_turn(&device, &id, work);
                });
            }
        }
        self.now = to;
        self.turns.forget(to);
    }

    fn fire(&mut self, policy: &dyn Policy, out: &mut Output) {
        let Some((_, device)) = self.deadlines.first().cloned() else {
            return;
        };
        self.work(&device, policy, out, |dossier, work| {
            dossier.fire(&device, work);
        });
    }
}

impl Dossier {
    /// Everything of this device that has fallen due.
    fn fire(&mut self, device: &DeviceId, work: &mut Work<'_>) {
        let now = work.now;
        let ids: Vec<String> = self.entries.iter().map(|e| e.id().to_owned()).collect();
        for id in ids {
            let Some(entry) = self.entry(&id) else {
                continue;
            };
            if entry.state().is_over() {
                self.release_unanswered(&id, work);
            } else if entry.expires() <= now {
                self.lapse(device, &id, work);
            } else if matches!(entry.hold, Some(Hold::Maintenance(until)) if until <= now) {
                self.admit(device, &id, "maintenance is over", work);
            } else if entry.ack_by.is_some_and(|due| due <= now) {
                self.unanswered(&id, work);
            }
        }
        if self.suppressed_until.is_some_and(|until| until <= now) {
            self.suppressed_until = None;
            if let Some(asked) = self.asked.clone() {
                self.settle(device, now, &asked.reason, work);
            }
        }
    }

    /// The time of an order is over.
    fn lapse(&mut self, device: &DeviceId, id: &str, work: &mut Work<'_>) {
        let probation = work.policy.rules(&self.segment).probation;
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        let was_in_force = entry.state().is_in_force();
        let (response, grade) = (entry.response().clone(), entry.grade);
        let watches = was_in_force && response.action > Action::Watch && probation.micros() > 0;
        let why = match (was_in_force, watches) {
            (true, true) => "its time is over: released on probation, the device is watched",
            (true, false) => "its time is over",
            (false, _) => "its time was over before it was issued",
        };
        entry.end(work.now, OrderState::Expired, None, why);
        let order = entry.order.clone();
        work.moved(&order);
        let answered_verdict = self
            .in_force
            .as_ref()
            .is_some_and(|slot| slot.command_id == id);
        for place in [Place::InForce, Place::Next, Place::Manual] {
            self.empty(place, id);
        }
        if answered_verdict && watches && self.asked.is_some() {
            let watch = Response {
                action: Action::Watch,
                scope: Vec::new(),
                expires: Some(work.now + probation),
                approval: Approval::Automatic,
                note: "probation".to_owned(),
                ..response
            };
            let reason = format!("{}: released on probation", order.command.reason);
            self.give_at_once(device, watch, grade, &reason, work);
        }
        self.tell_others(&order.command, work);
    }

    /// Nobody answered in time: they are told again, and in the end that is what stands.
    fn unanswered(&mut self, id: &str, work: &mut Work<'_>) {
        let within = work.policy.rules(&self.segment).acknowledge_within;
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        entry.ack_by = None;
        if entry.told < TOLD_MAX {
            entry.told += 1;
            entry.ack_by = within.map(|within| work.now + within);
            let why = format!("nobody answered: told again, {} of {TOLD_MAX}", entry.told);
            entry.step(work.now, OrderState::Issued, None, &why);
            work.moved(&entry.order.clone());
            self.tell(id, work);
            return;
        }
        let why = format!("no enforcement point answered, told {TOLD_MAX} times");
        entry.step(work.now, OrderState::TimedOut, None, &why);
        work.moved(&entry.order.clone());
    }

    /// The same of a release.
    fn release_unanswered(&mut self, id: &str, work: &mut Work<'_>) {
        let within = work.policy.rules(&self.segment).acknowledge_within;
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        let now = work.now;
        let Some(release) = entry.release.as_mut() else {
            return;
        };
        if release.ack_by.is_none_or(|due| due > now) {
            return;
        }
        release.ack_by = None;
        let (why, again) = if release.told < TOLD_MAX {
            release.told += 1;
            release.ack_by = within.map(|within| now + within);
            let told = release.told;
            (
                format!("nobody answered the release: told again, {told} of {TOLD_MAX}"),
                Some(release.command.clone()),
            )
        } else {
            let why = format!("no enforcement point answered the release, told {TOLD_MAX} times");
            (why, None)
        };
        entry.remark(now, &why);
        work.moved(&entry.order.clone());
        if let Some(command) = again {
            self.tell_release(&command, work);
        }
    }
}

impl Entry {
    /// It is over.
    pub(super) fn end(&mut self, at: EventTime, state: OrderState, by: Option<&str>, why: &str) {
        self.hold = None;
        self.ack_by = None;
        self.step(at, state, by, why);
    }

    /// Something is to be said of an order that is over: it stays where it stands, and for as long.
    pub(super) fn remark(&mut self, at: EventTime, why: &str) {
        let (ended, state, by) = (self.order.updated, self.order.state, self.order.by.clone());
        self.step(at, state, by.as_deref(), why);
        self.order.updated = ended;
    }
}
