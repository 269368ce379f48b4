//! Giving orders and ending them, and what enforcement points are told of it.

use andon_schemas::command::{Approval, Command, Mode, Response};
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::{Order, OrderState};
use andon_schemas::time::{EventTime, Span};

use super::Work;
use super::dossier::{Asked, Dossier, Entry, Hold, LastCut, Release, Slot, is_cut, numbered};
use super::hold::spare;
use crate::device::device_view;

/// A place for an order in a dossier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    InForce,
    Next,
    Manual,
}

/// How and why an order ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) at: EventTime,
    pub(super) state: OrderState,
    pub(super) by: Option<&'a str>,
    pub(super) why: &'a str,
    /// What the release says.
    pub(super) reason: &'a str,
}

impl Dossier {
    pub(super) fn slot(&mut self, place: Place) -> &mut Option<Slot> {
        match place {
            Place::InForce => &mut self.in_force,
            Place::Next => &mut self.next,
            Place::Manual => &mut self.manual,
        }
    }

    /// Makes an order that answers the verdict.
    pub(super) fn make(
        &mut self,
        device: &DeviceId,
        asked: &Asked,
        response: Response,
        hold: Option<Hold>,
        work: &mut Work<'_>,
    ) -> String {
        let site = work.policy.site();
        let command = self.command(device, site, &asked.reason, asked.at, response);
        self.enter(command, Some(asked.grade), hold, work)
    }

    /// Enters an order that is to be issued, or waits.
    pub(super) fn enter(
        &mut self,
        command: Command,
        grade: Option<Grade>,
        hold: Option<Hold>,
        work: &mut Work<'_>,
    ) -> String {
        let id = command.command_id.clone();
        work.out.commands.push(command.clone());
        let mut entry = Entry {
            order: Order {
                command,
                state: OrderState::Approved,
                updated: work.now,
                by: None,
                note: String::new(),
            },
            grade,
            hold: None,
            told: 0,
            ack_by: None,
            release: None,
            history: Vec::new(),
        };
        if let Some(hold) = hold {
            entry.wait(hold, None, None, work.now);
            work.moved(&entry.order);
        }
        // Most devices only ever have one order: room for four of them would be 2 KB for nothing.
        self.entries.reserve_exact(1);
        self.entries.push(entry);
        id
    }

    /// An order that waited comes into force, whatever place it waited in.
    pub(super) fn come_into_force(
        &mut self,
        device: &DeviceId,
        id: &str,
        why: &str,
        work: &mut Work<'_>,
    ) {
        let now = work.now;
        let is = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.command_id == id);
        if is(&self.next) {
            if let Some(slot) = self.next.take() {
                self.next_into_force(device, slot, now, why, work);
            }
        } else {
            let was_cut = self.was_cut(id);
            self.issue(device, id, why, was_cut, work);
        }
    }

    /// What is next takes the place of what is in force.
    pub(super) fn next_into_force(
        &mut self,
        device: &DeviceId,
        slot: Slot,
        at: EventTime,
        why: &str,
        work: &mut Work<'_>,
    ) {
        let id = slot.command_id.clone();
        let was_cut = self.was_cut(&id);
        let before = self.in_force.replace(slot);
        let Some(command) = self.entry(&id).map(|entry| entry.order.command.clone()) else {
            return;
        };
        let before = before.and_then(|before| {
            let entry = self.entry(&before.command_id)?;
            let response = entry.response();
            Some((before.command_id, response.action, response.mode))
        });
        let end = |why| End {
            at,
            state: OrderState::Released,
            by: None,
            why,
            reason: &command.reason,
        };
        let Some((former, action, mode)) = before else {
            self.issue(device, &id, why, was_cut, work);
            return;
        };
        if action == command.response.action {
            let replaced = mode == command.response.mode;
            let ended = if replaced {
                "replaced by a newer command"
            } else {
                "what is done about it changes between saying and doing"
            };
            self.finish(device, &former, end(ended), replaced, work);
            self.issue(device, &id, why, was_cut, work);
        } else {
            self.issue(device, &id, why, was_cut, work);
            self.finish(
                device,
                &former,
                end("another action took its place"),
                false,
                work,
            );
        }
    }

    fn was_cut(&self, id: &str) -> bool {
        let mode = self.entry(id).map(|entry| entry.response().mode);
        mode.is_some_and(|mode| self.is_cut(mode))
    }

    /// Issues an order: from here on enforcement points know of it, unless it only says what would
    /// be done. One whose time is over is not issued any more.
    pub(super) fn issue(
        &mut self,
        device: &DeviceId,
        id: &str,
        why: &str,
        was_cut: bool,
        work: &mut Work<'_>,
    ) {
        let (now, rules) = (work.now, work.policy.rules(&self.segment));
        let shield = work.policy.shield(device);
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        if entry.expires() <= now {
            let why = "its time was over before it was issued";
            entry.end(now, OrderState::Expired, None, why);
            work.moved(&entry.order.clone());
            for place in [Place::InForce, Place::Next, Place::Manual] {
                self.empty(place, id);
            }
            return;
        }
        let waited = !entry.history.is_empty();
        let command = &mut entry.order.command;
        let response = &mut command.response;
        let widened = spare(&mut response.exceptions, &shield.protected);
        response.approval = Approval::Automatic;
        let (cuts, by_force) = (is_cut(response), response.mode == Mode::Enforce);
        if waited {
            command.issued = now;
        }
        if waited || widened {
            work.out.commands.push(command.clone());
        }
        let obeyed = device_view(command).is_some();
        entry.hold = None;
        entry.told = 1;
        entry.ack_by = rules
            .acknowledge_within
            .filter(|_| obeyed)
            .map(|within| now + within);
        let by = entry.order.by.clone();
        let note = match (why.is_empty(), by_force) {
            (_, true) => why.to_owned(),
            (true, false) => "monitor mode: it is only said".to_owned(),
            (false, false) => format!("{why}; monitor mode: it is only said"),
        };
        entry.step(now, OrderState::Issued, by.as_deref(), &note);
        work.moved(&entry.order.clone());
        if cuts && !was_cut {
            work.turns.count(&self.segment, by_force, device, now);
            let segment = self.segment.clone();
            self.cuts.retain(|last| {
                last.at + Span::MINUTE > now
                    && (last.by_force != by_force || last.segment != segment)
            });
            self.cuts.push(LastCut {
                at: now,
                segment,
                by_force,
            });
        }
        self.tell(id, work);
    }

    /// Gives an order that nothing holds up.
    pub(super) fn give_at_once(
        &mut self,
        device: &DeviceId,
        response: Response,
        grade: Option<Grade>,
        reason: &str,
        work: &mut Work<'_>,
    ) {
        let command = self.command(device, work.policy.site(), reason, work.now, response);
        let id = self.enter(command, grade, None, work);
        self.in_force = Some(Slot {
            command_id: id.clone(),
            at: work.now,
            by_person: false,
        });
        self.issue(device, &id, "", false, work);
    }

    /// Gives what is in force anew, with more that stays open.
    pub(super) fn widen(
        &mut self,
        device: &DeviceId,
        place: Place,
        command: Command,
        work: &mut Work<'_>,
    ) {
        let Some(slot) = self.slot(place).clone() else {
            return;
        };
        let grade = self.entry(&slot.command_id).and_then(|entry| entry.grade);
        let step = self.next_step(&command);
        let Command {
            verdict_id,
            site,
            reason,
            response,
            ..
        } = command;
        let anew = numbered(
            &verdict_id,
            step,
            device,
            &site,
            &reason,
            work.now,
            response,
        );
        let id = self.enter(anew, grade, None, work);
        let end = End {
            at: work.now,
            state: OrderState::Released,
            by: None,
            why: "given anew: more has to stay open",
            reason: &reason,
        };
        self.finish(device, &slot.command_id, end, true, work);
        *self.slot(place) = Some(Slot {
            command_id: id.clone(),
            ..slot
        });
        self.issue(device, &id, "more has to stay open", true, work);
    }

    /// Ends the order in a place, if there is one.
    pub(super) fn close(
        &mut self,
        device: &DeviceId,
        place: Place,
        end: End<'_>,
        work: &mut Work<'_>,
    ) {
        if let Some(slot) = self.slot(place).take() {
            self.finish(device, &slot.command_id, end, false, work);
        }
    }

    /// Ends an order. Unless it is replaced, whoever was told of it is told that it is lifted.
    pub(super) fn finish(
        &mut self,
        device: &DeviceId,
        id: &str,
        end: End<'_>,
        replaced: bool,
        work: &mut Work<'_>,
    ) {
        let Some(entry) = self.entry(id) else {
            return;
        };
        let was_in_force = entry.state().is_in_force();
        let command = entry.order.command.clone();
        let within = work.policy.rules(&self.segment).acknowledge_within;
        let release = (!replaced).then(|| {
            let step = self.next_step(&command);
            let response = Response {
                expires: Some(end.at),
                ..command.response.clone()
            };
            let (cause, site) = (&command.verdict_id, &command.site);
            let mut release = numbered(cause, step, device, site, end.reason, end.at, response);
            release.release = true;
            release
        });
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        entry.end(work.now, end.state, end.by, end.why);
        if let Some(release) = release.clone().filter(|_| was_in_force) {
            let obeyed = device_view(&release).is_some();
            let ack_by = within.filter(|_| obeyed).map(|within| work.now + within);
            entry.release = Some(Release {
                command: release,
                answered: None,
                ack_by,
                told: 1,
            });
        }
        work.moved(&entry.order.clone());
        if let Some(release) = release {
            work.out.commands.push(release.clone());
            if was_in_force {
                self.tell_release(&release, work);
            }
        }
    }

    /// The number of the next command of the same cause.
    fn next_step(&mut self, command: &Command) -> u32 {
        if command.verdict_id == self.verdict_id {
            self.step += 1;
            return self.step;
        }
        let same = self.entries.iter().map(|entry| &entry.order.command);
        let steps = same
            .filter(|other| other.verdict_id == command.verdict_id)
            .map(|other| other.step);
        steps.max().unwrap_or(command.step) + 1
    }

    pub(super) fn empty(&mut self, place: Place, id: &str) {
        let slot = self.slot(place);
        if slot.as_ref().is_some_and(|slot| slot.command_id == id) {
            *slot = None;
        }
    }
}
