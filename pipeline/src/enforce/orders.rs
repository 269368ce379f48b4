//! What stands: from commands and time to what has to be cut. Pure.
//!
//! | order | what it leaves open |
//! |---|---|
//! | `restrict` | all but the flows in its scope; without a scope as `isolate` |
//! | `isolate` | historian, update, attestation and safety flows |
//! | `quarantine` | safety flows |
//!
//! One order of each kind may stand about a device, and all of them hold. The newest command with a
//! key is the one that counts: a renewal puts the expiry off, a release brings it to now.

use std::collections::BTreeMap;

use andon_respond::key_of;
use andon_schemas::command::{Action, DeviceCommand};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};

use super::shield::{Flow, Shield, Shields};

/// Most devices about which orders stand.
pub const DEVICES_MAX: usize = 10_000;
/// Most flows that a restriction may name.
pub const SCOPE_MAX: usize = 256;
/// An order that would stand for longer is refused: people may order a week at most, so either it
/// is none of ours or the clocks disagree.
pub const LONGEST: Span = Span::DAY.times(8);

/// Everything that stands.
#[derive(Clone, Debug)]
pub struct Orders {
    shields: Shields,
    cases: BTreeMap<DeviceId, Case>,
}

/// What stands about one device; at least one order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Case {
    shield: Shield,
    orders: BTreeMap<Action, Standing>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    command: DeviceCommand,
    /// The flows in its scope, as packets show them.
    blocked: Vec<Flow>,
}

/// What has to be cut of one device, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut<'a> {
    /// The device.
    pub device: &'a DeviceId,
    /// What stays open.
    pub shield: &'a Shield,
    /// All but its safety flows.
    pub quarantined: Option<EventTime>,
    /// All but its safety flows and those that are essential.
    pub isolated: Option<EventTime>,
    /// Some flows, but for its safety flows.
    pub restricted: Option<EventTime>,
    /// Which these are.
    pub blocked: &'a [Flow],
}

/// What a command changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing stood, and nothing does.
    Nothing,
    /// The same order stands already.
    Repeated,
    /// A new order, or a new expiry or scope of one.
    Stands,
    /// An order was lifted.
    Lifted,
}

/// What stood about a device before a command, to be put back if it cannot be carried out.
#[derive(Clone, Debug)]
pub struct Before {
    device: DeviceId,
    case: Option<Case>,
}

impl Orders {
    /// Of a plant in which nothing stands.
    pub fn new(shields: Shields) -> Self {
        Self {
            shields,
            cases: BTreeMap::new(),
        }
    }

    /// Takes a command.
    ///
    /// # Errors
    /// Why it cannot be carried out; what stood still stands.
    pub fn take(
        &mut self,
        device: &DeviceId,
        command: &DeviceCommand,
        now: EventTime,
    ) -> Result<(Change, Before), String> {
        if command.action < Action::Restrict {
            return Err(format!("`{}` asks nothing of anybody", command.action));
        }
        if command.key != key_of(device, command.action) {
            return Err(format!(
                "its key is not that of `{}` about this device",
                command.action
            ));
        }
        let before = Before {
            device: device.clone(),
            case: self.cases.get(device).cloned(),
        };
        if command.expiry <= now {
            return Ok((self.lift(device, command.action), before));
        }
        let standing = self.standing(device, command.action);
        if standing.is_some_and(|standing| standing.command == *command) {
            return Ok((Change::Repeated, before));
        }
        if before.case.is_none() && self.cases.len() >= DEVICES_MAX {
            return Err(format!("orders stand about {DEVICES_MAX} devices already"));
        }
        let shield = self.shields.shield(device)?;
        let standing = Standing {
            blocked: self.blocked(&shield, command)?,
            command: command.clone(),
        };
        let case = self.cases.entry(device.clone()).or_insert(Case {
            shield: Shield::default(),
            orders: BTreeMap::new(),
        });
        case.shield = shield;
        case.orders.insert(command.action, standing);
        Ok((Change::Stands, before))
    }

    /// Takes a command back.
    pub fn put_back(&mut self, before: Before) {
        match before.case {
            Some(case) => drop(self.cases.insert(before.device, case)),
            None => drop(self.cases.remove(&before.device)),
        }
    }

    /// Lets go of what has lapsed; how many orders that were.
    pub fn lapse(&mut self, now: EventTime) -> usize {
        let before = self.len();
        for case in self.cases.values_mut() {
            case.orders
                .retain(|_, standing| standing.command.expiry > now);
        }
        self.cases.retain(|_, case| !case.orders.is_empty());
        before - self.len()
    }

    /// When the next order lapses.
    pub fn next_expiry(&self) -> Option<EventTime> {
        self.commands().map(|(_, command)| command.expiry).min()
    }

    /// How many orders stand.
    pub fn len(&self) -> usize {
        self.cases.values().map(|case| case.orders.len()).sum()
    }

    /// Whether nothing stands.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// What stands, as it was commanded.
    pub fn commands(&self) -> impl Iterator<Item = (&DeviceId, &DeviceCommand)> {
        self.cases.iter().flat_map(|(device, case)| {
            let standing = case.orders.values();
            standing.map(move |standing| (device, &standing.command))
        })
    }

    /// What has to be spared.
    pub fn shields(&self) -> &Shields {
        &self.shields
    }

    /// The gateway that speaks for a device about which something stands, under its own address.
    pub fn gateway_of(&self, device: &DeviceId) -> Option<&DeviceId> {
        self.cases.get(device)?.shield.gateway.as_ref()
    }

    /// What has to be cut of one device.
    pub fn cut<'a>(&'a self, device: &'a DeviceId) -> Option<Cut<'a>> {
        let (device, case) = self.cases.get_key_value(device)?;
        Some(case.cut(device))
    }

    /// What has to be cut, device by device.
    pub fn wanted(&self) -> Vec<Cut<'_>> {
        let cut = |(device, case)| Case::cut(case, device);
        self.cases.iter().map(cut).collect()
    }

    fn standing(&self, device: &DeviceId, action: Action) -> Option<&Standing> {
        self.cases.get(device)?.orders.get(&action)
    }

    fn lift(&mut self, device: &DeviceId, action: Action) -> Change {
        let Some(case) = self.cases.get_mut(device) else {
            return Change::Nothing;
        };
        let lifted = case.orders.remove(&action);
        if case.orders.is_empty() {
            self.cases.remove(device);
        }
        lifted.map_or(Change::Nothing, |_| Change::Lifted)
    }

    fn blocked(&self, shield: &Shield, command: &DeviceCommand) -> Result<Vec<Flow>, String> {
        let scope = &command.scope;
        if command.action != Action::Restrict || scope.is_empty() {
            return Ok(Vec::new());
        }
        if scope.len() > SCOPE_MAX {
            let count = scope.len();
            return Err(format!(
                "its scope of {count} flows is longer than {SCOPE_MAX}"
            ));
        }
        let blocked = self.shields.named(shield, scope)?;
        // Nothing would be done, and that must not look as if it were.
        if blocked.is_empty() {
            return Err("no flow of its scope can be one of this device".to_owned());
        }
        Ok(blocked)
    }
}

impl Case {
    fn cut<'a>(&'a self, device: &'a DeviceId) -> Cut<'a> {
        let of = |action| self.orders.get(&action);
        let until = |standing: &Standing| standing.command.expiry;
        // A restriction of the whole device leaves open what isolation does.
        let restriction = of(Action::Restrict);
        let whole = restriction.filter(|standing| standing.blocked.is_empty());
        let some = restriction.filter(|standing| !standing.blocked.is_empty());
        Cut {
            device,
            shield: &self.shield,
            quarantined: of(Action::Quarantine).map(until),
            isolated: of(Action::Isolate).map(until).max(whole.map(until)),
            restricted: some.map(until),
            blocked: some.map_or(&[], |standing| &standing.blocked),
        }
    }
}

#[cfg(test)]
mod tests;
