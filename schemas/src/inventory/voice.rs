//! Who may speak for whom, by places in the inventory: asked for every row that somebody else sent.

use super::{Device, Function, Inventory};
use crate::identity::address_key;

/// No gateway serves it.
const NOBODY: u32 = u32::MAX;
/// Several do, which takes a search.
const SEVERAL: u32 = u32::MAX - 1;

/// What rows ask about whoever speaks for a device, and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    /// The place of the gateway that serves it, or one of the above.
    gateway: u32,
    /// Index into [`Inventory::segments`].
    segment: usize,
    /// It has one address at most.
    is_plain: bool,
}

/// The voices of all devices, in their order; `position` finds the place of an identity.
pub(super) fn voices(devices: &[Device], position: impl Fn(&str) -> Option<usize>) -> Vec<Voice> {
    let mut voices: Vec<Voice> = devices
        .iter()
        .map(|device| Voice {
            gateway: NOBODY,
            segment: device.segment,
            is_plain: device.addresses.len() < 2,
        })
        .collect();
    for (at, gateway) in devices.iter().enumerate() {
        if gateway.function != Function::Gateway {
            continue;
        }
        for served in &gateway.serves {
            let served = position(served.as_str()).and_then(|at| voices.get_mut(at));
            if let (Some(voice), Ok(at)) = (served, u32::try_from(at)) {
                voice.gateway = match voice.gateway {
                    NOBODY => at,
                    _ => SEVERAL,
                };
            }
        }
    }
    voices
}

impl Inventory {
    /// Whether `sender` may speak for `device`: itself, its gateway, or a sensor of its segment.
    pub fn may_speak_for(&self, sender: &str, device: &str) -> bool {
        if sender == device {
            return true;
        }
        let Some(speaker) = self.position(sender) else {
            return false;
        };
        match self.position(device) {
            Some(at) => self.speaks_for(speaker, at),
            // No gateway serves what the inventory does not list.
            None => self.devices.get(speaker).is_some_and(|speaker| {
                let segment = self.segment_of_id(device);
                speaker.function == Function::Sensor
                    && segment.is_some_and(|segment| speaker.watches.contains(&segment))
            }),
        }
    }

    /// [`may_speak_for`](Self::may_speak_for) of two that the inventory lists, by their indices in
    /// [`devices`](Self::devices). Answered without a look at the device, which lies far away in
    /// memory.
    pub fn speaks_for(&self, speaker: usize, device: usize) -> bool {
        let (Some(sender), Some(voice)) =
            (self.devices.get(speaker), self.lookup.voices.get(device))
        else {
            return false;
        };
        match sender.function {
            _ if speaker == device => true,
            Function::Sensor => sender.watches.contains(&voice.segment),
            Function::Gateway if voice.gateway == SEVERAL => {
                sender.serves.contains(&self.devices[device].id)
            }
            Function::Gateway => u32::try_from(speaker) == Ok(voice.gateway),
            Function::Device | Function::Server => false,
        }
    }

    /// Whether the device at a place has an address, its first aside, of this key. Most have none.
    pub fn has_more_at(&self, device: usize, address: u128) -> bool {
        let voice = self.lookup.voices.get(device);
        let others = || self.devices[device].addresses.iter().skip(1);
        voice.is_some_and(|voice| !voice.is_plain && others().any(|a| address_key(*a) == address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin;

    /// What the rule says, read off the devices themselves.
    fn says(speaker: &Device, device: &Device) -> bool {
        speaker.id == device.id
            || match speaker.function {
                Function::Gateway => speaker.serves.contains(&device.id),
                Function::Sensor => speaker.watches.contains(&device.segment),
                Function::Device | Function::Server => false,
            }
    }

    #[test]
    fn whoever_speaks_for_a_device_does_so_by_place_and_by_identity() {
        let inventory = builtin::inventory().unwrap();
        let mut for_others = [0; 2];
        for (speaker, sender) in inventory.devices.iter().enumerate() {
            for (at, device) in inventory.devices.iter().enumerate() {
                let expected = says(sender, device);
                let (sender_id, device_id) = (sender.id.as_str(), device.id.as_str());
                assert_eq!(inventory.speaks_for(speaker, at), expected);
                assert_eq!(inventory.may_speak_for(sender_id, device_id), expected);
                if expected && speaker != at {
                    for_others[usize::from(sender.function == Function::Gateway)] += 1;
                }
            }
        }
        assert!(for_others.iter().all(|many| *many > 0), "{for_others:?}");
        let beyond = inventory.devices.len();
        assert!(!inventory.may_speak_for("nobody", inventory.devices[0].id.as_str()));
        assert!(!inventory.speaks_for(0, beyond) && !inventory.speaks_for(beyond, 0));
    }
}
