//! From counts to a profile, each figure with what it rests on.

use std::collections::BTreeMap;

use andon_detectors::law::pool;
use andon_schemas::inventory::Inventory;
use andon_schemas::profile::{
    Difference, Hours, LEARNERS, Profile, ProfileSet, Protocol, ProtocolMatch, diff,
};
use andon_schemas::protocol::REGISTRY;
use andon_schemas::time::{EventTime, Span};
use serde::Serialize;

use super::screen::{self, LeftOut};
use super::tally::{Hour, Seen, Spoken, Tally};
use super::week::{Activity, activity};

/// Fewest device-hours, devices and days on which a figure is more than a beginning.
pub(super) const HOURS_MIN: usize = 500;
pub(super) const DEVICES_MIN: usize = 5;
pub(super) const DAYS_MIN: i64 = 14;
/// Shares below this are not written.
const SHARE_MIN: f64 = 0.005;

/// A profile that was learned.
#[derive(Clone, Debug, Serialize)]
pub struct Learned {
    /// The device type.
    pub device_type: String,
    /// Devices it was learned from.
    pub devices: usize,
    /// Their device-hours with traffic.
    pub device_hours: usize,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
    /// What is not supported by enough traffic yet.
    pub cold_start: Vec<String>,
    /// In what it differs from the present one; null if there is none.
    pub differences: Option<Vec<Difference>>,
    /// The profile as a file.
    pub yaml: String,
}

/// What is gathered while a profile is being written.
pub(super) struct Draft<'a> {
    pub(super) tally: &'a Tally,
    pub(super) inventory: &'a Inventory,
    pub(super) present: Option<&'a Profile>,
    comments: Vec<(&'static str, Vec<String>)>,
    pub(super) left_out: Vec<LeftOut>,
    cold_start: Vec<String>,
}

impl Learned {
    /// The profiles of device types. What traffic cannot tell (which flows are for safety, whether
    /// it is a controller) is taken from the present ones. The highest scores of all types count
    /// together: a tail that deep takes more hours than one type has.
    pub(super) fn of<'a>(
        types: impl Iterator<Item = (&'a String, &'a Tally)>,
        inventory: &Inventory,
        present: &ProfileSet,
    ) -> Vec<Self> {
        let mut drafts: Vec<(Draft<'_>, Profile)> = types
            .map(|(name, tally)| {
                let mut draft = Draft::of(tally, inventory, present.get(name));
                let profile = draft.profile(name);
                (draft, profile)
            })
            .collect();
        for detector in LEARNERS {
            let laws = drafts
                .iter_mut()
                .filter_map(|(_, profile)| profile.learned.get_mut(detector));
            pool(laws);
        }
        drafts
            .into_iter()
            .map(|(draft, profile)| Self::written(draft, profile))
            .collect()
    }

    fn written(draft: Draft<'_>, mut profile: Profile) -> Self {
        profile.hash = profile.content_hash();
        let (tally, present) = (draft.tally, draft.present);
        let yaml = profile.to_yaml_with(&draft.comments);
        Self {
            device_type: profile.name.clone(),
            devices: tally.devices.len(),
            device_hours: tally.hours.len(),
            left_out: draft.left_out,
            cold_start: draft.cold_start,
            differences: present.map(|present| diff(present, &profile)),
            yaml,
        }
    }
}

impl<'a> Draft<'a> {
    fn of(tally: &'a Tally, inventory: &'a Inventory, present: Option<&'a Profile>) -> Self {
        Self {
            tally,
            inventory,
            present,
            comments: Vec::new(),
            left_out: Vec::new(),
            cold_start: Vec::new(),
        }
    }
}

impl Draft<'_> {
    fn profile(&mut self, name: &str) -> Profile {
        let (hours, out) = screen::hours(self.tally);
        self.left_out.extend(out);
        self.head(&hours);
        let activity = self.activity(&hours);
        let active: Vec<Hour> = hours
            .iter()
            .copied()
            .filter(|h| self.is_in(activity.as_ref(), h.number))
            .collect();
        let cadence = self.cadence();
        let (current, spindle) = (self.current(), self.spindle());
        let load = self.load(spindle.as_ref());
        let frozen = self.frozen(current.as_ref(), spindle.as_ref());
        let mut profile = Profile {
            name: name.to_owned(),
            version: "1".to_owned(),
            description: self
                .present
                .map_or_else(String::new, |p| p.description.clone()),
            extends: Vec::new(),
            hash: String::new(),
            controller: self.present.is_some_and(|present| present.controller),
            destinations: self.peers("destinations", &self.tally.destinations),
            clients: self.peers("clients", &self.tally.clients),
            protocols: self.protocols(),
            commands: self.commands(),
            volume: self.volume(&active),
            upload: self.upload(&active),
            connections: self.connections(&active),
            hours: self.hours(activity.as_ref()),
            cadence,
            current,
            spindle,
            load,
            frozen,
            firmware: self.firmware(),
            scan: self.scan(),
            silence: Some(self.silence(activity.as_ref())),
            detectors: self
                .present
                .map(|p| p.detectors.clone())
                .unwrap_or_default(),
            calibration: None,
            learned: BTreeMap::new(),
            learned_shares: BTreeMap::new(),
        };
        profile.learned = self.laws(&profile, &active);
        profile.learned_shares = self.share_laws(&profile, &active);
        profile
    }

    pub(super) fn say(&mut self, key: &'static str, line: String) {
        self.comments.push((key, vec![line]));
    }

    pub(super) fn cold(&mut self, key: &'static str, why: &str) {
        self.say(key, format!("Cold start: {why}"));
        let of = if key.is_empty() { "all of it" } else { key };
        self.cold_start.push(format!("{of}: {why}"));
    }

    fn head(&mut self, hours: &[Hour]) {
        let devices = self.tally.devices.len();
        let first = hours.iter().map(|hour| hour.number).min().unwrap_or(0);
        let last = hours.iter().map(|hour| hour.number).max().unwrap_or(0);
        let day = |hour: i32| {
            let at = EventTime::from_micros(Span::HOUR.times(i64::from(hour)).micros());
            self.inventory.clock.local(at).date().to_string()
        };
        let lines = vec![
            format!(
                "Learned from {} device-hours of {devices} devices, {} to {}.",
                hours.len(),
                day(first),
                day(last)
            ),
            "Safety flows, `controller` and `detectors` are policy: they were taken over, not learned."
                .to_owned(),
        ];
        self.comments.push(("", lines));
        let days = i64::from(last - first) / 24 + 1;
        if hours.len() < HOURS_MIN || devices < DEVICES_MIN || days < DAYS_MIN {
            self.cold(
                "",
                &format!(
                    "{} device-hours, {devices} devices and {days} days are a beginning; {HOURS_MIN} \
                     hours, {DEVICES_MIN} devices and {DAYS_MIN} days would bear it.",
                    hours.len()
                ),
            );
        }
    }

    /// When it is active. Of a week that was not seen whole only the present profile can tell.
    fn activity(&mut self, hours: &[Hour]) -> Option<Activity> {
        let mut watched = [0_u64; 7];
        for hour in hours {
            let at = EventTime::from_micros(Span::HOUR.times(i64::from(hour.number)).micros());
            let day = usize::from(self.inventory.clock.local(at).weekday).min(6);
            watched[day] += 1;
        }
        let found = activity(&self.tally.quarters, watched);
        let silent = self.tally.quarters.is_empty();
        if !silent && !matches!(&found, Some(Activity::Hours { unseen, .. }) if *unseen != 0) {
            return found;
        }
        let why = if silent {
            "it opens no connections, so hours were not learned."
        } else {
            "days of the week are missing from the traffic, so hours were not learned."
        };
        self.cold("active_hours", why);
        let hours = self.present.and_then(|present| present.hours.clone());
        Some(hours.map_or(Activity::Always, |hours| Activity::Hours {
            spans: hours.spans,
            unseen: 0,
        }))
    }

    /// Whether an hour lies inside the active hours as a whole.
    pub(super) fn is_in(&self, activity: Option<&Activity>, hour: i32) -> bool {
        let Some(Activity::Hours { spans, .. }) = activity else {
            return true;
        };
        let start = EventTime::from_micros(Span::HOUR.times(i64::from(hour)).micros());
        let hours = Hours {
            spans: spans.clone(),
            grace_min: 0,
        };
        let holds = |at: EventTime| {
            let local = self.inventory.clock.local(at);
            hours.hold(local.weekday, local.minute)
        };
        holds(start) && holds(start + Span::MINUTE.times(59))
    }

    /// The active hours as a profile writes them; none for a device that is always active.
    fn hours(&mut self, activity: Option<&Activity>) -> Option<Hours> {
        let Some(Activity::Hours { spans, .. }) = activity else {
            return None;
        };
        let present = self.present.and_then(|present| present.hours.as_ref());
        if let Some(same) = present.filter(|present| present.spans == *spans) {
            return Some(same.clone());
        }
        self.say(
            "active_hours",
            "Quarters of an hour with a tenth or more of the usual connections.".to_owned(),
        );
        (!spans.is_empty()).then(|| Hours {
            spans: spans.clone(),
            grace_min: 15,
        })
    }

    /// What it speaks, with shares of the connections it opens; what it only answers in has none.
    fn protocols(&mut self) -> Vec<Protocol> {
        let mut opened = self.spoken(&self.tally.protocols, "protocols");
        let all: u64 = opened.iter().map(|(_, seen)| seen.count).sum();
        for (protocol, seen) in &mut opened {
            protocol.share = share(seen.count, all);
        }
        let served = self.spoken(&self.tally.served, "protocols, answered");
        for one in served {
            match opened
                .iter_mut()
                .find(|(known, _)| known.name == one.0.name)
            {
                Some((known, _)) => join(known, one.0),
                None => opened.push(one),
            }
        }
        opened.into_iter().map(|(protocol, _)| protocol).collect()
    }

    /// The protocols of what was spoken, the most frequent first, those that hardly anybody speaks
    /// left out.
    fn spoken(&mut self, spoken: &BTreeMap<Spoken, Seen>, key: &str) -> Vec<(Protocol, Seen)> {
        let mut named: BTreeMap<String, Seen> = BTreeMap::new();
        let mut forms: BTreeMap<String, Protocol> = BTreeMap::new();
        for (spoken, seen) in spoken {
            let protocol = protocol(spoken);
            let all = named.entry(protocol.name.clone()).or_default();
            all.count += seen.count;
            all.hours += seen.hours;
            all.devices.extend(&seen.devices);
            match forms.get_mut(&protocol.name) {
                Some(known) => join(known, protocol),
                None => drop(forms.insert(protocol.name.clone(), protocol)),
            }
        }
        let word = |name: &String| format!("{key}: {name}");
        let (known, out) = screen::known(&named, self.tally, word);
        self.left_out.extend(out);
        let one = |(name, seen): (String, Seen)| Some((forms.remove(&name)?, seen));
        known.into_iter().filter_map(one).collect()
    }
}

/// Adds the forms of a protocol to those that are known of it.
fn join(known: &mut Protocol, more: Protocol) {
    for one in more.matches {
        if !known.matches.contains(&one) {
            known.matches.push(one);
        }
    }
    for service in more.services {
        if !known.services.contains(&service) {
            known.services.push(service);
        }
    }
}

/// The protocol of the field that something spoken is, or one that is named by its port.
pub(super) fn protocol((transport, port, service): &Spoken) -> Protocol {
    let by_port = REGISTRY.iter().find(|known| {
        let ports = known.ports.iter();
        let fits = ports
            .clone()
            .any(|(t, p)| t == transport && p.is_none_or(|p| p == *port));
        let spoken = service.as_deref().unwrap_or("");
        let names = || spoken.split(',').any(|name| known.services.contains(&name));
        fits && (spoken.is_empty() || known.services.is_empty() || names())
    });
    if let Some(known) = by_port {
        return Protocol {
            name: known.name.to_owned(),
            matches: known.matches(),
            services: known
                .services
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            share: None,
        };
    }
    Protocol {
        name: format!("{transport}-{port}"),
        matches: vec![ProtocolMatch {
            transport: *transport,
            port: Some(*port),
        }],
        services: service
            .iter()
            .flat_map(|names| names.split(','))
            .map(str::to_owned)
            .collect(),
        share: None,
    }
}

/// A share, rounded down to a tenth of a per cent so that they never add up to more than all.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn share(count: u64, all: u64) -> Option<f64> {
    let share = count as f64 / all.max(1) as f64;
    let rounded = (share * 1_000.0).floor() / 1_000.0;
    (SHARE_MIN..1.0).contains(&rounded).then_some(rounded)
}
