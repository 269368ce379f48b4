//! What stands about one device: what its verdict asked for last, and its orders.

use andon_schemas::act::AckResult;
use andon_schemas::command::{Action, COMMAND_SCHEMA, Command, Mode, Response};
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::{Order, OrderState, OrderStep};
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

use crate::digest;

/// Orders that are over are kept this long, for whoever asks and for answers that come late.
const KEPT: Span = Span::DAY;
/// At most so many orders of a device that are over are kept.
const OVER_MAX: usize = 16;
/// At most so many steps of an order's life are kept.
const STEPS_MAX: usize = 32;

/// What stands about one device; kept whole by whoever keeps orders piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dossier {
    /// Its segment, as the last verdict or act found it.
    pub(super) segment: String,
    pub(super) verdict_id: String,
    pub(super) revision: u32,
    /// Commands made for this verdict.
    pub(super) step: u32,
    /// What the verdict asked for last; `None` if it is over.
    pub(super) asked: Option<Asked>,
    /// The order that answers the verdict.
    pub(super) in_force: Option<Slot>,
    /// What is to come after that, and waits. It does not replace what is in force.
    pub(super) next: Option<Slot>,
    /// What a person asked for.
    pub(super) manual: Option<Slot>,
    /// A person decided against this and anything milder, for as long as the verdict lasts.
    pub(super) declined: Option<Action>,
    pub(super) suppressed_until: Option<EventTime>,
    /// When the device was cut of late: it counts against the cap. One of a segment and a mode.
    pub(super) cuts: Vec<LastCut>,
    /// Oldest first.
    pub(super) entries: Vec<Entry>,
}

/// When and where a device was cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastCut {
    pub(super) at: EventTime,
    pub(super) segment: String,
    pub(super) by_force: bool,
}

/// What a revision of a verdict asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) at: EventTime,
    pub(super) grade: Grade,
    /// A rule says CRITICAL: nothing hides that.
    pub(super) undeniable: bool,
    pub(super) reason: String,
    pub(super) response: Response,
}

impl Asked {
    /// When what is asked for lapses.
    pub(super) fn expires(&self) -> EventTime {
        self.response.expires.unwrap_or(self.at + Span::DAY)
    }
}

/// The place of an order in its device's dossier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    pub(super) command_id: String,
    /// When it was asked for: a renewal is due when half of the time from here is gone.
    pub(super) at: EventTime,
    /// A person agreed to it, or asked for it.
    pub(super) by_person: bool,
}

/// Why an order waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hold {
    /// For a person.
    Person,
    /// For the end of declared maintenance.
    Maintenance(EventTime),
    /// For its turn under the cap, since then.
    Turn(EventTime),
}

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Release {
    pub(super) command: Command,
    pub(super) answered: Option<AckResult>,
    pub(super) ack_by: Option<EventTime>,
    pub(super) told: u8,
}

/// An order and what is remembered of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) order: Order,
    /// Of the verdict; `None` for what a person asked for.
    pub(super) grade: Option<Grade>,
    pub(super) hold: Option<Hold>,
    /// How often enforcement points were told.
    pub(super) told: u8,
    pub(super) ack_by: Option<EventTime>,
    pub(super) release: Option<Release>,
    pub(super) history: Vec<OrderStep>,
}

impl Entry {
    pub(super) fn id(&self) -> &str {
        &self.order.command.command_id
    }

    pub(super) fn response(&self) -> &Response {
        &self.order.command.response
    }

    pub(super) fn state(&self) -> OrderState {
        self.order.state
    }

    /// When it lapses.
    pub(super) fn expires(&self) -> EventTime {
        self.response().expires.unwrap_or(EventTime::MIN)
    }

    /// Whether it is in force, and by force.
    pub(super) fn binds(&self) -> bool {
        self.state().is_in_force() && self.response().mode == Mode::Enforce
    }

    pub(super) fn step(&mut self, at: EventTime, state: OrderState, by: Option<&str>, why: &str) {
        self.order.state = state;
        self.order.updated = at;
        self.order.by = by.map(ToOwned::to_owned);
        why.clone_into(&mut self.order.note);
        if self.history.len() >= STEPS_MAX {
            // How it began is worth more than what came in between.
            self.history.remove(1);
        }
        self.history.push(OrderStep {
            at,
            state,
            by: self.order.by.clone(),
            reason: why.to_owned(),
        });
    }

    fn deadline(&self) -> EventTime {
        if self.state().is_over() {
            let forgotten = self.order.updated + KEPT;
            let release = self.release.as_ref().and_then(|release| release.ack_by);
            return release.map_or(forgotten, |due| due.min(forgotten));
        }
        let mut due = self.expires();
        if let Some(Hold::Maintenance(until)) = self.hold {
            due = due.min(until);
        }
        self.ack_by.map_or(due, |ack_by| due.min(ack_by))
    }
}

/// Whether a response takes a device off the network, but for what is excepted.
pub(super) fn is_cut(response: &Response) -> bool {
    response.action >= Action::Isolate
        || response.action == Action::Restrict && response.scope.is_empty()
}

/// Name of an order as its device and enforcement points read it: the same for all orders of one
/// action about one device.
pub fn key_of(device: &DeviceId, action: Action) -> String {
    digest(&[device.as_str(), action.as_str()], 8)
}

impl Dossier {
    pub(super) fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id() == id)
    }

    pub(super) fn entry_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id() == id)
    }

    pub(super) fn in_slot(&self, slot: Option<&Slot>) -> Option<&Entry> {
        self.entry(&slot?.command_id)
    }

    /// Whether something in force cuts the device in this mode.
    pub(super) fn is_cut(&self, mode: Mode) -> bool {
        self.entries.iter().any(|entry| {
            entry.state().is_in_force() && entry.response().mode == mode && is_cut(entry.response())
        })
    }

    /// Whether a command about the device is not over.
    pub(super) fn stands(&self) -> bool {
        self.entries.iter().any(|entry| !entry.state().is_over())
    }

    /// The next moment at which something happens by itself.
    pub(super) fn deadline(&self) -> Option<EventTime> {
        let entries = self.entries.iter().map(Entry::deadline);
        entries.chain(self.suppressed_until).min()
    }

    /// Lets go of orders that have been over for long, and of the oldest of too many.
    pub(super) fn prune(&mut self, now: EventTime) {
        self.entries
            .retain(|entry| !entry.state().is_over() || entry.order.updated + KEPT > now);
        let over = |entry: &&Entry| entry.state().is_over();
        while self.entries.iter().filter(over).count() > OVER_MAX {
            let oldest = self.entries.iter().position(|e| e.state().is_over());
            let Some(oldest) = oldest else { break };
            self.entries.remove(oldest);
        }
    }

    /// The next command that answers the verdict.
    pub(super) fn command(
        &mut self,
        device: &DeviceId,
        site: &str,
        reason: &str,
        at: EventTime,
        response: Response,
    ) -> Command {
        self.step += 1;
        numbered(
            &self.verdict_id,
            self.step,
            device,
            site,
            reason,
            at,
            response,
        )
    }
}

/// A command with its identity.
pub(super) fn numbered(
    cause: &str,
    step: u32,
    device: &DeviceId,
    site: &str,
    reason: &str,
    at: EventTime,
    response: Response,
) -> Command {
    let number = step.to_string();
    Command {
        schema: COMMAND_SCHEMA.to_owned(),
        command_id: digest(&[cause, response.action.as_str(), &number], 16),
        verdict_id: cause.to_owned(),
        device_id: device.clone(),
        site: site.to_owned(),
        step,
        issued: at,
        release: false,
        reason: reason.to_owned(),
        response,
    }
}
