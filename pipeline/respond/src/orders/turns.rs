//! Whose turn it is to be cut: so many devices of a segment within a minute, the others after
//! them, the worst first, then in the order in which they came.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::command::{Action, Mode};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};

use super::dossier::{Dossier, Hold};
use crate::policy::Policy;

/// What is only said does not count against what is done, so each has turns of its own.
type Lane = (String, bool);

/// The place of an order in the row of those that wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    worst: Reverse<Action>,
    since: EventTime,
    device: DeviceId,
    command_id: String,
}

/// The turns of all segments. It follows from the dossiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    /// Devices that were cut in the last minute, and when.
    cut: BTreeMap<Lane, BTreeMap<DeviceId, EventTime>>,
    waiting: BTreeMap<Lane, BTreeSet<Place>>,
    /// Where each device waits, to find it again.
    places: BTreeMap<DeviceId, Vec<(Lane, Place)>>,
}

impl Turns {
    /// Takes down what the dossier of a device says of it.
    pub(super) fn know(&mut self, device: &DeviceId, dossier: &Dossier, now: EventTime) {
        self.step_out(device);
        let mut places = Vec::new();
        for entry in &dossier.entries {
            let (false, Some(Hold::Turn(since))) = (entry.state().is_over(), entry.hold) else {
                continue;
            };
            let response = entry.response();
            let lane = (dossier.segment.clone(), response.mode == Mode::Enforce);
            let place = Place {
                worst: Reverse(response.action),
                since,
                device: device.clone(),
                command_id: entry.id().to_owned(),
            };
            let waiting = self.waiting.entry(lane.clone()).or_default();
            waiting.insert(place.clone());
            places.push((lane, place));
        }
        if !places.is_empty() {
            self.places.insert(device.clone(), places);
        }
        for last in dossier
            .cuts
            .iter()
            .filter(|last| last.at + Span::MINUTE > now)
        {
            let lane = (last.segment.clone(), last.by_force);
            let cut = self.cut.entry(lane).or_default();
            cut.insert(device.clone(), last.at);
        }
    }

    /// Takes a device out of the rows it waits in.
    fn step_out(&mut self, device: &DeviceId) {
        for (lane, place) in self.places.remove(device).unwrap_or_default() {
            if let Some(waiting) = self.waiting.get_mut(&lane) {
                waiting.remove(&place);
                if waiting.is_empty() {
                    self.waiting.remove(&lane);
                }
            }
        }
    }

    /// Forgets who was cut more than a minute ago.
    pub(super) fn forget(&mut self, now: EventTime) {
        self.cut.retain(|_, cut| {
            cut.retain(|_, at| *at + Span::MINUTE > now);
            !cut.is_empty()
        });
    }

    /// Whether a device may be cut now: nobody waits before it, and the cap is not reached. One that
    /// was cut within the minute counts already.
    pub(super) fn has_room(
        &self,
        segment: &str,
        by_force: bool,
        device: &DeviceId,
        policy: &dyn Policy,
    ) -> bool {
        let lane = (segment.to_owned(), by_force);
        let cut = self.cut.get(&lane);
        let known = cut.is_some_and(|cut| cut.contains_key(device));
        let is_first = self.waiting.get(&lane).is_none_or(BTreeSet::is_empty);
        let cap = policy.rules(segment).cuts_per_minute;
        known || is_first && cut.map_or(0, BTreeMap::len) < cap
    }

    /// Takes down that a device was cut.
    pub(super) fn count(
        &mut self,
        segment: &str,
        by_force: bool,
        device: &DeviceId,
        at: EventTime,
    ) {
        let cut = self.cut.entry((segment.to_owned(), by_force)).or_default();
        cut.insert(device.clone(), at);
    }

    /// The next order whose turn comes, and when.
    pub(super) fn next(
        &self,
        now: EventTime,
        policy: &dyn Policy,
    ) -> Option<(EventTime, DeviceId, String)> {
        let turns = self.waiting.iter().filter_map(|(lane, waiting)| {
            let first = waiting.first()?;
            let cap = policy.rules(&lane.0).cuts_per_minute;
            let cut = self.cut.get(lane);
            let comes = match cut {
                _ if cap == 0 => return None,
                Some(cut) if cut.len() >= cap => {
                    // As many have to be forgotten as there are too many.
                    let mut times: Vec<EventTime> = cut.values().copied().collect();
                    times.sort_unstable();
                    *times.get(cut.len() - cap)? + Span::MINUTE
                }
                _ => now,
            };
            Some((comes.max(now), &first.device, &first.command_id))
        });
        let next = turns.min()?;
        Some((next.0, next.1.clone(), next.2.clone()))
    }
}
