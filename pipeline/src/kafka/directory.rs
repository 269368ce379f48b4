//! Which desk keeps what, as the audit trail and the incidents of the whole group tell. A desk is a
//! partition of the verdicts.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use andon_respond::key_of;
use andon_schemas::act::Ack;
use andon_schemas::command::Action;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::Order;
use andon_schemas::time::EventTime;

/// Which desk keeps what; shared by who learns of it and who asks.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By the ids of commands.
    orders: HashMap<String, i32>,
    /// By the keys that devices read, and by device: the desk of the newest order that is not over.
    keys: HashMap<String, Newest>,
    devices: HashMap<DeviceId, Newest>,
    incidents: HashMap<String, i32>,
    is_complete: bool,
}

/// The desk of the newest order, and when that last moved.
#[derive(Clone, Copy, Debug)]
struct Newest {
    desk: i32,
    at: EventTime,
}

/// Takes down an order of a desk, unless a newer one is known: the partitions of the trail are read
/// in no order, and a device may have moved from one desk to another.
fn take<K: std::hash::Hash + Eq>(known: &mut HashMap<K, Newest>, key: K, newest: Newest) {
    let before = known.entry(key).or_insert(newest);
    if newest.at >= before.at {
        *before = newest;
    }
}

impl Directory {
    /// An order stands at a desk.
    pub fn order(&self, order: &Order, desk: i32) {
        let command = &order.command;
        let device = &command.device_id;
        let mut known = self.known_mut();
        known.orders.insert(command.command_id.clone(), desk);
        if !order.state.is_over() {
            let newest = Newest {
                desk,
                at: order.updated,
            };
            let key = key_of(device, command.response.action);
            take(&mut known.keys, key, newest);
            take(&mut known.devices, device.clone(), newest);
        }
    }

    /// An order is no longer kept.
    pub fn forget_order(&self, command_id: &str) {
        self.known_mut().orders.remove(command_id);
    }

    /// No order about a device is kept any more.
    pub fn forget_device(&self, device: &DeviceId) {
        let mut known = self.known_mut();
        known.devices.remove(device);
        for action in Action::ALL {
            known.keys.remove(&key_of(device, *action));
        }
    }

    /// An incident is kept at a desk.
    pub fn incident(&self, incident_id: &str, desk: i32) {
        let mut known = self.known_mut();
        known.incidents.insert(incident_id.to_owned(), desk);
    }

    /// Lets go of incidents that nobody knows any more, where there are more than so many.
    pub fn forget_incidents(&self, most: usize, is_known: impl Fn(&str) -> bool) {
        let mut known = self.known_mut();
        if known.incidents.len() > most {
            known.incidents.retain(|id, _| is_known(id));
        }
    }

    /// Everything that was said before this process began has been read.
    pub fn complete(&self) {
        self.known_mut().is_complete = true;
    }

    /// Whether what is not known does not exist.
    pub fn is_complete(&self) -> bool {
        self.known().is_complete
    }

    /// The desk that keeps an order.
    pub fn of_order(&self, command_id: &str) -> Option<i32> {
        self.known().orders.get(command_id).copied()
    }

    /// The desk that keeps the order that an acknowledgement names.
    pub fn of_ack(&self, ack: &Ack) -> Option<i32> {
        let known = self.known();
        match (&ack.command_id, &ack.key) {
            (Some(id), _) => known.orders.get(id).copied(),
            (None, Some(key)) => known.keys.get(key).map(|newest| newest.desk),
            (None, None) => None,
        }
    }

    /// The desk that keeps the newest order about a device.
    pub fn of_device(&self, device: &DeviceId) -> Option<i32> {
        self.known().devices.get(device).map(|newest| newest.desk)
    }

    /// The desk that keeps an incident.
    pub fn of_incident(&self, incident_id: &str) -> Option<i32> {
        self.known().incidents.get(incident_id).copied()
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
