//! What an order has to pass before it is issued: the shield of its device, a person's word,
//! declared maintenance, and its turn.

use andon_schemas::command::{Action, Approval, FlowMatch, MAINTENANCE, Mode, Response};
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderState;

use super::Work;
use super::dossier::{Asked, Dossier, Hold, is_cut};

impl Dossier {
    /// What a verdict asks for as the plant allows it, and what it has to wait for.
    pub(super) fn allowed(
        &self,
        device: &DeviceId,
        asked: &Asked,
        work: &Work<'_>,
    ) -> (Response, Option<Hold>) {
        let mut response = asked.response.clone();
        let shield = work.policy.shield(device);
        spare(&mut response.exceptions, &shield.protected);
        response.expires = Some(asked.expires());
        response.mode = self.mode(response.mode, Some(asked.grade), work);
        let is_required = response.approval == Approval::Required;
        let by_maintenance = is_required && response.note.split("; ").any(|n| n == MAINTENANCE);
        response.approval = Approval::Automatic;
        let person = shield.person.filter(|_| is_cut(&response));
        if is_required && !by_maintenance || person.is_some() {
            response.approval = Approval::Required;
            if let (false, Some(why)) = (is_required, person) {
                response.note = [response.note.as_str(), why]
                    .into_iter()
                    .filter(|note| !note.is_empty())
                    .collect::<Vec<_>>()
                    .join("; ");
            }
            return (response, Some(Hold::Person));
        }
        if let Some(hold) = maintained(device, response.action, work) {
            response.approval = Approval::Required;
            return (response, Some(hold));
        }
        let hold = self.turn(device, &response, work);
        (response, hold)
    }

    /// The wait for a turn, if there is one.
    pub(super) fn turn(
        &self,
        device: &DeviceId,
        response: &Response,
        work: &Work<'_>,
    ) -> Option<Hold> {
        if !is_cut(response) || self.is_cut(response.mode) {
            return None;
        }
        let by_force = response.mode == Mode::Enforce;
        let has_room = work
            .turns
            .has_room(&self.segment, by_force, device, work.policy);
        (!has_room).then_some(Hold::Turn(work.now))
    }

    /// The mode that is allowed where another is asked for.
    pub(super) fn mode(&self, asked: Mode, grade: Option<Grade>, work: &Work<'_>) -> Mode {
        if asked == Mode::Enforce && work.policy.enforces(&self.segment, grade) {
            Mode::Enforce
        } else {
            Mode::Monitor
        }
    }

    /// Lets an order that waited go on: it is issued, or waits for the next thing.
    pub(super) fn admit(&mut self, device: &DeviceId, id: &str, why: &str, work: &mut Work<'_>) {
        self.pass(device, id, why, false, work);
    }

    fn pass(
        &mut self,
        device: &DeviceId,
        id: &str,
        why: &str,
        has_turn: bool,
        work: &mut Work<'_>,
    ) {
        let Some(entry) = self.entry(id) else {
            return;
        };
        let mut response = entry.response().clone();
        let (grade, by_person) = (entry.grade, self.is_by_person(id));
        response.mode = self.mode(response.mode, grade, work);
        let shield = work.policy.shield(device);
        let needs_a_person = shield.person.is_some() && is_cut(&response) && !by_person;
        let hold = if needs_a_person {
            Some(Hold::Person)
        } else if let Some(hold) = maintained(device, response.action, work)
            && !by_person
        {
            Some(hold)
        } else if has_turn {
            None
        } else {
            self.turn(device, &response, work)
        };
        let now = work.now;
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        entry.order.command.response.mode = response.mode;
        if let Some(hold) = hold {
            entry.order.command.response.approval = match hold {
                Hold::Turn(_) => Approval::Automatic,
                Hold::Person | Hold::Maintenance(_) => Approval::Required,
            };
            let by = entry.order.by.clone();
            entry.wait(hold, by.as_deref(), shield.person, now);
            work.moved(&entry.order.clone());
            return;
        }
        self.come_into_force(device, id, why, work);
    }

    /// The turn of an order has come.
    pub(super) fn have_turn(&mut self, device: &DeviceId, id: &str, work: &mut Work<'_>) {
        let is_here = self
            .entry(id)
            .is_some_and(|entry| matches!(entry.hold, Some(Hold::Turn(_))));
        if !is_here {
            return;
        }
        self.pass(device, id, "its turn has come", true, work);
    }

    pub(super) fn is_by_person(&self, id: &str) -> bool {
        let slots = [&self.in_force, &self.next, &self.manual];
        let slot = slots.into_iter().flatten().find(|s| s.command_id == id);
        slot.is_some_and(|slot| slot.by_person)
    }
}

impl super::dossier::Entry {
    /// From here on it waits.
    pub(super) fn wait(
        &mut self,
        hold: Hold,
        by: Option<&str>,
        person: Option<&str>,
        now: andon_schemas::time::EventTime,
    ) {
        self.hold = Some(hold);
        match hold {
            Hold::Person => {
                let note = self.response().note.clone();
                let why = if note.is_empty() {
                    person.unwrap_or("it waits for a person").to_owned()
                } else {
                    note
                };
                self.step(now, OrderState::Proposed, by, &why);
            }
            Hold::Maintenance(until) => {
                let why = format!("declared maintenance: it waits until {until}, or for a person");
                self.step(now, OrderState::Waiting, by, &why);
            }
            Hold::Turn(_) => {
                let why = "as many devices of the segment as may be were cut within the last \
                           minute: it waits for its turn";
                self.step(now, OrderState::Waiting, by, why);
            }
        }
    }
}

/// The wait for the end of maintenance: quarantine does not wait.
fn maintained(device: &DeviceId, action: Action, work: &Work<'_>) -> Option<Hold> {
    if action >= Action::Quarantine {
        return None;
    }
    let until = work.policy.maintenance_until(device, work.now)?;
    (until > work.now).then_some(Hold::Maintenance(until))
}

/// Adds what must stay open to what does. Returns whether something was missing.
pub(super) fn spare(exceptions: &mut Vec<FlowMatch>, protected: &[FlowMatch]) -> bool {
    let missing: Vec<FlowMatch> = protected
        .iter()
        .filter(|flow| !exceptions.contains(flow))
        .cloned()
        .collect();
    if missing.is_empty() {
        return false;
    }
    exceptions.extend(missing);
    exceptions.sort();
    exceptions.dedup();
    true
}
