//! From the revisions of a verdict to the orders that answer it: given when the response changes,
//! renewed before they lapse, lifted when the episode is over or the rung is lower.

use andon_schemas::command::{Action, Mode, Response};
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderState;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{State, Verdict};

use super::Work;
use super::dossier::{Asked, Dossier, Entry, Hold, Slot, is_cut};
use super::hold::spare;
use super::issue::{End, Place};

impl Dossier {
    /// Takes the next revision of a verdict. One that was taken before changes nothing; a verdict
    /// that takes the place of another one lifts what that one left behind.
    pub(super) fn verdict(&mut self, verdict: &Verdict, work: &mut Work<'_>) {
        let device = &verdict.device_id;
        let at = verdict.window.end;
        if self.verdict_id != verdict.verdict_id {
            self.asked = None;
            self.settle(device, at, &verdict.sentence, work);
            self.verdict_id.clone_from(&verdict.verdict_id);
            (self.revision, self.step) = (0, 0);
            self.declined = None;
        }
        if verdict.revision <= self.revision {
            return;
        }
        self.revision = verdict.revision;
        self.segment.clone_from(&verdict.segment);
        if verdict.state == State::Escalated {
            self.declined = None;
        }
        let response = &verdict.response;
        let is_over = verdict.state == State::Cleared || response.action == Action::Log;
        self.asked = (!is_over).then(|| Asked {
            at,
            grade: verdict.grade,
            undeniable: is_undeniable(verdict),
            reason: verdict.sentence.clone(),
            response: response.clone(),
        });
        self.settle(device, at, &verdict.sentence, work);
    }

    /// Brings the orders to what the verdict asks for.
    pub(super) fn settle(
        &mut self,
        device: &DeviceId,
        at: EventTime,
        reason: &str,
        work: &mut Work<'_>,
    ) {
        let over = End {
            at,
            state: OrderState::Released,
            by: None,
            why: "nothing asks for it any more",
            reason,
        };
        let Some(asked) = self.asked.clone() else {
            self.close(device, Place::Next, over, work);
            self.close(device, Place::InForce, over, work);
            return;
        };
        // What came of it when its time was over, probation perhaps, stands until it is asked for anew.
        if asked.expires() <= work.now {
            return;
        }
        let is_suppressed = self.suppressed_until.is_some_and(|until| until > work.now);
        if is_suppressed && !asked.undeniable {
            return;
        }
        if self.declined >= Some(asked.response.action) {
            self.close(device, Place::Next, over, work);
            return;
        }
        let (response, hold) = self.allowed(device, &asked, work);
        let Some(hold) = hold else {
            self.close(device, Place::Next, over, work);
            self.bring(device, Place::InForce, &asked, response, None, work);
            return;
        };
        let standing = self.in_slot(self.in_force.as_ref());
        let standing = standing.map(|entry| (entry.response().action, entry.response().mode));
        let wanted = (response.action, response.mode);
        let agreed = self.in_force.as_ref().is_some_and(|slot| slot.by_person);
        match standing {
            // Nobody has to agree to what is in force already, unless only a person may have it.
            Some(stands) if stands == wanted && (agreed || hold != Hold::Person) => {
                self.close(device, Place::Next, over, work);
            }
            // It stays until what takes its place may come; so does what only says what is to be done.
            Some((action, _))
                if action < response.action
                    || action == response.action && hold != Hold::Person =>
            {
                self.bring(device, Place::Next, &asked, response, Some(hold), work);
            }
            _ => {
                self.bring(device, Place::Next, &asked, response, Some(hold), work);
                self.close(device, Place::InForce, over, work);
            }
        }
    }

    /// Brings one place to what it should hold. A command of the same action replaces the one that
    /// stands, unless one of the two only says what would be done. Another action is given before
    /// the one that stands is lifted, so that a device is never left alone in between.
    fn bring(
        &mut self,
        device: &DeviceId,
        place: Place,
        asked: &Asked,
        response: Response,
        hold: Option<Hold>,
        work: &mut Work<'_>,
    ) {
        let slot = self.slot(place).clone();
        let stands = self.in_slot(slot.as_ref());
        if let (Some(slot), Some(entry)) = (&slot, stands)
            && keeps(slot, entry, &response, hold, asked.at)
        {
            return;
        }
        let (action, mode) = (response.action, response.mode);
        // Who is asked for otherwise than before keeps the place in the queue.
        let alike = stands.filter(|e| (e.response().action, e.response().mode) == (action, mode));
        let hold = match (alike.and_then(|entry| entry.hold), hold) {
            (Some(Hold::Turn(since)), Some(Hold::Turn(_))) => Some(Hold::Turn(since)),
            (_, hold) => hold,
        };
        let before = stands.map(|e| (e.id().to_owned(), e.response().action, e.response().mode));
        let end = |why| End {
            at: asked.at,
            state: OrderState::Released,
            by: None,
            why,
            reason: &asked.reason,
        };
        let is_lifted_first = |was: Action, how: Mode| was == action && how != mode;
        let before = match before {
            Some((_, was, how)) if is_lifted_first(was, how) => {
                let why = "what is done about it changes between saying and doing";
                self.close(device, place, end(why), work);
                None
            }
            before => before,
        };
        let id = self.make(device, asked, response, hold, work);
        let new = Slot {
            command_id: id,
            at: asked.at,
            by_person: false,
        };
        if place == Place::InForce {
            self.next_into_force(device, new, asked.at, "", work);
            return;
        }
        self.next = Some(new);
        if let Some((before, was, _)) = before {
            let replaced = was == action;
            let why = if replaced {
                "replaced by a newer command"
            } else {
                "something else is asked for"
            };
            self.finish(device, &before, end(why), replaced, work);
        }
    }

    /// Brings everything that stands to what the plant allows now.
    pub(super) fn reconsider(&mut self, device: &DeviceId, work: &mut Work<'_>) {
        if let Some(segment) = work.policy.segment_of(device) {
            segment.clone_into(&mut self.segment);
        }
        for place in [Place::InForce, Place::Manual] {
            self.make_safe(device, place, work);
        }
        if let Some(asked) = self.asked.clone() {
            self.settle(device, work.now, &asked.reason, work);
        }
    }

    /// What is in force is given anew if it does not spare all that it must, and lifted if it may
    /// not be in force any more.
    fn make_safe(&mut self, device: &DeviceId, place: Place, work: &mut Work<'_>) {
        let Some(slot) = self.slot(place).clone() else {
            return;
        };
        let Some(entry) = self.entry(&slot.command_id) else {
            return;
        };
        if !entry.state().is_in_force() {
            return;
        }
        let shield = work.policy.shield(device);
        let mut command = entry.order.command.clone();
        let response = &mut command.response;
        let is_allowed = self.mode(response.mode, entry.grade, work) == response.mode;
        let is_forbidden = shield.person.is_some() && is_cut(response) && !slot.by_person;
        if is_forbidden || !is_allowed {
            let why = if is_forbidden {
                "only a person may cut the device from now on"
            } else {
                "nothing is enforced here from now on"
            };
            let end = End {
                at: work.now,
                state: OrderState::Released,
                by: None,
                why,
                reason: &command.reason,
            };
            self.close(device, place, end, work);
        } else if spare(&mut response.exceptions, &shield.protected) {
            self.widen(device, place, command, work);
        }
    }
}

/// Whether a rule of CRITICAL stands in it, which no person can hold back.
pub(super) fn is_undeniable(verdict: &Verdict) -> bool {
    verdict
        .findings
        .iter()
        .any(|finding| finding.rule && finding.active && finding.counts_as == Some(Grade::Critical))
}

/// Whether what stands is what is asked for, and lasts long enough.
fn keeps(slot: &Slot, entry: &Entry, wanted: &Response, hold: Option<Hold>, at: EventTime) -> bool {
    let stands = entry.response();
    if slot.by_person && !entry.state().is_in_force() && stands.action == wanted.action {
        return true;
    }
    let half_is_gone = entry.expires().since(at) <= at.since(slot.at);
    let waits_alike = match (entry.hold, hold) {
        (Some(Hold::Maintenance(_)), Some(Hold::Maintenance(_)))
        | (Some(Hold::Turn(_)), Some(Hold::Turn(_))) => true,
        (one, other) => one == other,
    };
    same(stands, wanted) && waits_alike && !half_is_gone
}

/// Whether two responses ask enforcement points for the same, whenever they lapse.
fn same(one: &Response, other: &Response) -> bool {
    one.action == other.action
        && one.mode == other.mode
        && one.scope == other.scope
        && one.exceptions == other.exceptions
        && one.approval == other.approval
}
