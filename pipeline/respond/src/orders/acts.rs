//! What people do: agree, decide against, lift, quarantine, hold back. Each act is done once.

use andon_schemas::act::{Act, ActKind, ActRefused, Acted, Refusal};
use andon_schemas::audit::AuditEntry;
use andon_schemas::command::{Action, Approval, Mode, Response};
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderState;
use andon_schemas::time::Span;

use super::done::{Came, what};
use super::dossier::{Dossier, Hold, Slot, numbered};
use super::issue::{End, Place};
use super::{Orders, Output, Work};
use crate::policy::Policy;

/// How long a quarantine by a person stands if nothing is said.
const HOURS: u32 = 24;

type Outcome = Result<Came, ActRefused>;

fn refused(kind: Refusal, reason: impl Into<String>) -> ActRefused {
    ActRefused::new(kind, reason)
}

fn elsewhere() -> ActRefused {
    let why = "an incident is no command: it is judged where incidents are kept";
    refused(Refusal::Invalid, why)
}

impl Orders {
    /// Does what a person asks for.
    pub(super) fn act(
        &mut self,
        act: &Act,
        policy: &dyn Policy,
        out: &mut Output,
    ) -> Result<Acted, ActRefused> {
        if let Err(why) = act.check() {
            // It could not even be begun: its key may be used for what was meant.
            let refusal = refused(Refusal::Invalid, why);
            out.audit.push(AuditEntry::refused(act, self.now, &refusal));
            return Err(refusal);
        }
        let asked = what(act);
        if let Some(came) = self.memo(act, &asked)? {
            return self.acted(came);
        }
        let begin = out.audit.len();
        let came = self.perform(act, policy, out);
        let entry = match &came {
            Ok(_) => AuditEntry::acted(act, self.now),
            Err(refusal) => AuditEntry::refused(act, self.now, refusal),
        };
        // The act comes before what it brought about.
        out.audit.insert(begin, entry);
        let came = came.unwrap_or_else(Came::Refused);
        let acted = self.acted(&came);
        self.note(act, asked, came);
        acted
    }

    fn acted(&self, came: &Came) -> Result<Acted, ActRefused> {
        match came {
            Came::Order(id) => match self.order(id) {
                Some(found) => Ok(Acted::Order(Box::new(found.order))),
                None => Err(refused(
                    Refusal::NotFound,
                    format!("the order `{id}` is over and no longer kept; the act was done"),
                )),
            },
            Came::Suppressed(device, until) => Ok(Acted::Suppressed {
                device: device.clone(),
                suppressed_until: *until,
            }),
            Came::Refused(refusal) => Err(refusal.clone()),
            Came::Elsewhere => Err(elsewhere()),
        }
    }

    fn perform(&mut self, act: &Act, policy: &dyn Policy, out: &mut Output) -> Outcome {
        match &act.kind {
            ActKind::Approve { command_id } => {
                self.on_order(command_id, policy, out, |dossier, device, work| {
                    dossier.approve(device, command_id, act, work)
                })
            }
            ActKind::Reject { command_id } => {
                self.on_order(command_id, policy, out, |dossier, device, work| {
                    dossier.reject(device, command_id, act, work)
                })
            }
            ActKind::Release { command_id } => {
                self.on_order(command_id, policy, out, |dossier, device, work| {
                    dossier.release(device, command_id, act, work)
                })
            }
            ActKind::ReleaseDevice { device } => {
                if !self.dossiers.contains_key(device) && policy.segment_of(device).is_none() {
                    return Err(unknown(device));
                }
                if !self.dossiers.contains_key(device) {
                    return Err(nothing_in_force(device));
                }
                self.work(device, policy, out, |dossier, work| {
                    dossier.release_all(device, act, work)
                })
            }
            ActKind::Quarantine { device, hours } => {
                let segment = policy.segment_of(device).ok_or_else(|| unknown(device))?;
                let hours = hours.unwrap_or(HOURS);
                self.work(device, policy, out, |dossier, work| {
                    segment.clone_into(&mut dossier.segment);
                    Ok(dossier.quarantine(device, hours, act, work))
                })
            }
            ActKind::Judge { .. } => Err(elsewhere()),
            ActKind::Suppress { device, hours } => {
                let segment = policy.segment_of(device).ok_or_else(|| unknown(device))?;
                let until = self.now + Span::HOUR.times(i64::from(*hours));
                self.work(device, policy, out, |dossier, _| {
                    segment.clone_into(&mut dossier.segment);
                    dossier.suppressed_until = Some(until);
                });
                Ok(Came::Suppressed(device.clone(), until))
            }
        }
    }

    fn on_order(
        &mut self,
        command_id: &str,
        policy: &dyn Policy,
        out: &mut Output,
        what: impl FnOnce(&mut Dossier, &DeviceId, &mut Work<'_>) -> Outcome,
    ) -> Outcome {
        let none = || {
            let why = format!("there is no order `{command_id}`");
            refused(Refusal::NotFound, why)
        };
        let device = self.owners.get(command_id).cloned().ok_or_else(none)?;
        let is_order = |dossier: &Dossier| dossier.entry(command_id).is_some();
        if !self.dossiers.get(&device).is_some_and(is_order) {
            return Err(none());
        }
        self.work(&device, policy, out, |dossier, work| {
            what(dossier, &device, work)
        })
    }
}

fn unknown(device: &DeviceId) -> ActRefused {
    let why = format!("the inventory does not list `{device}`");
    refused(Refusal::NotFound, why)
}

fn nothing_in_force(device: &DeviceId) -> ActRefused {
    refused(
        Refusal::Conflict,
        format!("nothing is in force about `{device}`"),
    )
}

impl Dossier {
    fn state(&self, id: &str) -> Option<(OrderState, Option<Hold>)> {
        self.entry(id).map(|entry| (entry.state(), entry.hold))
    }

    fn approve(&mut self, device: &DeviceId, id: &str, act: &Act, work: &mut Work<'_>) -> Outcome {
        let conflict = |why: String| Err(refused(Refusal::Conflict, why));
        match self.state(id) {
            Some((OrderState::Proposed, _) | (OrderState::Waiting, Some(Hold::Maintenance(_)))) => {
            }
            Some((OrderState::Waiting, _)) => {
                return conflict("nobody has to agree to it: it waits for its turn".to_owned());
            }
            Some((state, _)) => return conflict(format!("it does not wait: it is {state}")),
            None => return conflict("it is no longer kept".to_owned()),
        }
        for slot in [&mut self.in_force, &mut self.next, &mut self.manual] {
            if let Some(slot) = slot.as_mut().filter(|slot| slot.command_id == id) {
                slot.by_person = true;
            }
        }
        if let Some(entry) = self.entry_mut(id) {
            entry.hold = None;
            entry.step(work.now, OrderState::Approved, Some(&act.by), &act.reason);
            work.moved(&entry.order.clone());
        }
        self.admit(device, id, &format!("agreed to by {}", act.by), work);
        Ok(Came::Order(id.to_owned()))
    }

    fn reject(&mut self, device: &DeviceId, id: &str, act: &Act, work: &mut Work<'_>) -> Outcome {
        match self.state(id) {
            Some((OrderState::Proposed | OrderState::Waiting, _)) => {}
            Some((state, _)) if state.is_in_force() => {
                let why = format!("it is in force ({state}): release it instead");
                return Err(refused(Refusal::Conflict, why));
            }
            state => {
                let state = state.map_or("gone", |(state, _)| state.as_str());
                let why = format!("it does not wait: it is {state}");
                return Err(refused(Refusal::Conflict, why));
            }
        }
        self.decide_against(device, id, OrderState::Rejected, act, work);
        Ok(Came::Order(id.to_owned()))
    }

    fn release(&mut self, device: &DeviceId, id: &str, act: &Act, work: &mut Work<'_>) -> Outcome {
        match self.state(id) {
            Some((state, _)) if state.is_in_force() => {}
            Some((state, _)) if !state.is_over() => {
                let why = format!("it was not issued ({state}): reject it instead");
                return Err(refused(Refusal::Conflict, why));
            }
            state => {
                let state = state.map_or("gone", |(state, _)| state.as_str());
                let why = format!("it is over already: {state}");
                return Err(refused(Refusal::Conflict, why));
            }
        }
        self.decide_against(device, id, OrderState::Released, act, work);
        Ok(Came::Order(id.to_owned()))
    }

    fn release_all(&mut self, device: &DeviceId, act: &Act, work: &mut Work<'_>) -> Outcome {
        let in_force = self.entries.iter().filter(|e| e.state().is_in_force());
        let ids: Vec<String> = in_force.map(|entry| entry.id().to_owned()).collect();
        for id in &ids {
            self.decide_against(device, id, OrderState::Released, act, work);
        }
        match ids.last() {
            Some(last) => Ok(Came::Order(last.clone())),
            None => Err(nothing_in_force(device)),
        }
    }

    /// A person ends an order. What answered the verdict does not come back with its next
    /// revision, only with something worse.
    fn decide_against(
        &mut self,
        device: &DeviceId,
        id: &str,
        state: OrderState,
        act: &Act,
        work: &mut Work<'_>,
    ) {
        let is_manual = self
            .manual
            .as_ref()
            .is_some_and(|slot| slot.command_id == id);
        let action = self.entry(id).map(|entry| entry.response().action);
        for place in [Place::InForce, Place::Next, Place::Manual] {
            self.empty(place, id);
        }
        if !is_manual {
            self.declined = self.declined.max(action);
        }
        let end = End {
            at: work.now,
            state,
            by: Some(&act.by),
            why: &act.reason,
            reason: &act.reason,
        };
        self.finish(device, id, end, false, work);
    }

    /// A person takes a device off the network; its safety flows stay open. Whoever asks for it
    /// agrees to it.
    fn quarantine(
        &mut self,
        device: &DeviceId,
        hours: u32,
        act: &Act,
        work: &mut Work<'_>,
    ) -> Came {
        let now = work.now;
        let response = Response {
            action: Action::Quarantine,
            mode: self.mode(Mode::Enforce, None, work),
            scope: Vec::new(),
            exceptions: work.policy.shield(device).protected,
            expires: Some(now + Span::HOUR.times(i64::from(hours))),
            approval: Approval::Automatic,
            note: String::new(),
            notify: ["operator", "soc", "plant-operations"]
                .map(ToOwned::to_owned)
                .to_vec(),
        };
        let hold = self.turn(device, &response, work);
        let mode = response.mode;
        let was_cut = self.is_cut(mode);
        // At another desk the same act may be about another device.
        let cause = format!("act:{}:{device}", act.act_id);
        let site = work.policy.site().to_owned();
        let command = numbered(&cause, 1, device, &site, &act.reason, now, response);
        if let Some(before) = self.manual.take() {
            let replaced = self
                .entry(&before.command_id)
                .is_some_and(|entry| entry.response().mode == mode);
            let end = End {
                at: now,
                state: OrderState::Released,
                by: Some(&act.by),
                why: "replaced by a newer command",
                reason: &act.reason,
            };
            self.finish(device, &before.command_id, end, replaced, work);
        }
        let id = self.enter(command, None, None, work);
        self.manual = Some(Slot {
            command_id: id.clone(),
            at: now,
            by_person: true,
        });
        if let Some(entry) = self.entry_mut(&id) {
            entry.order.by = Some(act.by.clone());
            if let Some(hold) = hold {
                entry.wait(hold, Some(&act.by), None, now);
                work.moved(&entry.order.clone());
            }
        }
        if hold.is_none() {
            self.issue(device, &id, &act.reason, was_cut, work);
        }
        Came::Order(id)
    }
}
