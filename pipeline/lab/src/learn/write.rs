//! From counts to a profile, each figure with what it rests on.

use std::collections::BTreeMap;

use andon_detectors::words::{bytes_text, three_digits};
use andon_schemas::observation::ByteKind;
use andon_schemas::profile::{
    COVERAGE_DEFAULT, Cadence, Current, Destination, Difference, Firmware, Hours, Profile,
    Protocol, ProtocolMatch, Range, ScanLimits, Spindle, Target, Volume, diff,
};
use andon_schemas::protocol::REGISTRY;
use andon_schemas::time::{EventTime, PlantClock, Span};
use serde::Serialize;

use super::sample::quantile;
use super::screen::{self, LeftOut};
use super::states::states;
use super::tally::{Hour, Peer, Seen, Spoken, Tally};
use super::week::{Activity, activity};

/// Fewest device-hours, devices and days on which a figure is more than a beginning.
const HOURS_MIN: usize = 500;
const DEVICES_MIN: usize = 5;
const DAYS_MIN: i64 = 14;
/// Shares below this are not written.
const SHARE_MIN: f64 = 0.005;
/// The volume rule, unless the largest honest hour asks for more.
const MULTIPLE: f64 = 3.0;

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
struct Draft<'a> {
    tally: &'a Tally,
    clock: &'a PlantClock,
    present: Option<&'a Profile>,
    comments: Vec<(&'static str, Vec<String>)>,
    left_out: Vec<LeftOut>,
    cold_start: Vec<String>,
}

impl Learned {
    /// The profile of a device type. What traffic cannot tell (which flows are for safety, whether
    /// it is a controller) is taken from the present one.
    pub(super) fn of(
        device_type: &str,
        tally: &Tally,
        clock: &PlantClock,
        present: Option<&Profile>,
    ) -> Self {
        let mut draft = Draft {
            tally,
            clock,
            present,
            comments: Vec::new(),
            left_out: Vec::new(),
            cold_start: Vec::new(),
        };
        let profile = draft.profile(device_type);
        let yaml = profile.to_yaml_with(&draft.comments);
        Self {
            device_type: device_type.to_owned(),
            devices: tally.devices.len(),
            device_hours: tally.hours.len(),
            left_out: draft.left_out,
            cold_start: draft.cold_start,
            differences: present.map(|present| diff(present, &profile)),
            yaml,
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
            .filter(|h| self.is_in(&activity, h))
            .collect();
        let cadence = self.cadence();
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
            volume: self.volume(&active),
            connections: self.connections(&active),
            hours: self.hours(&activity),
            cadence,
            current: self.current(),
            spindle: self.spindle(),
            firmware: self.firmware(),
            scan: self.scan(),
            silence: self.silence(&activity),
            detectors: self
                .present
                .map(|p| p.detectors.clone())
                .unwrap_or_default(),
            calibration: None,
        };
        profile.hash = profile.content_hash();
        profile
    }

    fn say(&mut self, key: &'static str, line: String) {
        self.comments.push((key, vec![line]));
    }

    fn cold(&mut self, key: &'static str, why: &str) {
        self.say(key, format!("Cold start: {why}"));
        self.cold_start.push(format!("{key}: {why}"));
    }

    fn head(&mut self, hours: &[Hour]) {
        let devices = self.tally.devices.len();
        let first = hours.iter().map(|hour| hour.hour).min().unwrap_or(0);
        let last = hours.iter().map(|hour| hour.hour).max().unwrap_or(0);
        let day = |hour: i32| {
            let at = EventTime::from_micros(Span::HOUR.times(i64::from(hour)).micros());
            self.clock.local(at).date().to_string()
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

    fn activity(&self, hours: &[Hour]) -> Option<Activity> {
        let mut watched = [0_u64; 7];
        // A day counts as watched if any device was heard of at all on it.
        for hour in hours {
            let at = EventTime::from_micros(Span::HOUR.times(i64::from(hour.hour)).micros());
            let day = usize::from(self.clock.local(at).weekday).min(6);
            watched[day] += 1;
        }
        activity(&self.tally.quarters, watched)
    }

    /// Whether an hour lies inside the active hours as a whole.
    fn is_in(&self, activity: &Option<Activity>, hour: &Hour) -> bool {
        let Some(Activity::Hours { spans, .. }) = activity else {
            return true;
        };
        let start = EventTime::from_micros(Span::HOUR.times(i64::from(hour.hour)).micros());
        let hours = Hours {
            spans: spans.clone(),
            grace_min: 0,
        };
        let holds = |at: EventTime| {
            let local = self.clock.local(at);
            hours.hold(local.weekday, local.minute)
        };
        holds(start) && holds(start + Span::MINUTE.times(59))
    }

    fn hours(&mut self, activity: &Option<Activity>) -> Option<Hours> {
        match activity {
            None | Some(Activity::Always) => {
                self.say("connections_per_hour", "Active round the clock.".to_owned());
                None
            }
            Some(Activity::Hours { spans, unseen }) => {
                self.say(
                    "active_hours",
                    "Quarters of an hour with a tenth or more of the usual connections.".to_owned(),
                );
                if *unseen != 0 {
                    self.cold(
                        "active_hours",
                        "days of the week are missing from the traffic.",
                    );
                }
                (!spans.is_empty()).then(|| Hours {
                    spans: spans.clone(),
                    grace_min: 15,
                })
            }
        }
    }

    fn peers(&mut self, key: &'static str, peers: &BTreeMap<Peer, Seen>) -> Vec<Destination> {
        let devices = self.tally.devices.len();
        let word = |peer: &Peer| format!("{key}: {}", target(peer));
        let (known, out) = screen::known(peers, devices, word);
        self.left_out.extend(out);
        let all: u64 = known.iter().map(|(_, seen)| seen.count).sum();
        let unnamed = known
            .iter()
            .filter(|(peer, _)| matches!(peer, Peer::Address(_)))
            .count();
        if !known.is_empty() {
            let mut line = format!("{all} connections");
            if unnamed > 0 {
                line.push_str("; what stands by its address had no name in inventory, DNS or TLS");
            }
            self.say(key, format!("{line}."));
        }
        let of_present = |wanted: &Target| {
            let lists = self.present.map(|p| {
                if key == "clients" {
                    &p.clients
                } else {
                    &p.destinations
                }
            });
            lists
                .and_then(|list| list.iter().find(|one| one.target == *wanted))
                .cloned()
        };
        known
            .iter()
            .map(|(peer, seen)| {
                let target = target(peer);
                let present = of_present(&target);
                Destination {
                    share: (key == "destinations")
                        .then(|| share(seen.count, all))
                        .flatten(),
                    safety: present.as_ref().is_some_and(|one| one.safety),
                    over: present.map(|one| one.over).unwrap_or_default(),
                    target,
                }
            })
            .collect()
    }

    fn protocols(&mut self) -> Vec<Protocol> {
        let mut named: BTreeMap<String, Seen> = BTreeMap::new();
        let mut forms: BTreeMap<String, (Vec<ProtocolMatch>, Vec<String>)> = BTreeMap::new();
        for (spoken, seen) in &self.tally.protocols {
            let protocol = protocol(spoken);
            let all = named.entry(protocol.name.clone()).or_default();
            all.count += seen.count;
            all.devices.extend(&seen.devices);
            let form = forms.entry(protocol.name).or_default();
            for one in protocol.matches {
                if !form.0.contains(&one) {
                    form.0.push(one);
                }
            }
            for service in protocol.services {
                if !form.1.contains(&service) {
                    form.1.push(service);
                }
            }
        }
        let word = |name: &String| format!("protocols: {name}");
        let (known, out) = screen::known(&named, self.tally.devices.len(), word);
        self.left_out.extend(out);
        let all: u64 = known.iter().map(|(_, seen)| seen.count).sum();
        known
            .into_iter()
            .filter_map(|(name, seen)| {
                let (matches, services) = forms.remove(&name)?;
                Some(Protocol {
                    name,
                    matches,
                    services,
                    share: share(seen.count, all),
                })
            })
            .collect()
    }

    fn volume(&mut self, active: &[Hour]) -> Option<Volume> {
        let mut bytes: Vec<f32> = active
            .iter()
            .map(|hour| hour.bytes)
            .filter(|b| *b > 0.0)
            .collect();
        bytes.sort_by(f32::total_cmp);
        if bytes.is_empty() {
            return None;
        }
        let (lo, hi) = outward(quantile(&bytes, 0.025), quantile(&bytes, 0.975));
        let most = quantile(&bytes, 1.0);
        // The rule must not have fired on what it was learned from.
        let needed = (most / hi * 10.0).ceil() / 10.0 + 0.1;
        let multiple = MULTIPLE.max(needed);
        self.say(
            "volume_per_hour",
            format!(
                "{} device-hours; the middle one moved {}, the largest {}, {} times the upper end.",
                bytes.len(),
                bytes_text(quantile(&bytes, 0.5)),
                bytes_text(most),
                three_digits(most / hi)
            ),
        );
        self.few("volume_per_hour", bytes.len());
        Some(Volume {
            range: Range {
                lo,
                hi,
                coverage: COVERAGE_DEFAULT,
            },
            bytes: self
                .present
                .and_then(|present| present.volume)
                .map_or(ByteKind::Payload, |volume| volume.bytes),
            rule_bytes: multiple * hi,
            absolute: false,
            baseline: (lo * hi).sqrt(),
        })
    }

    fn few(&mut self, key: &'static str, hours: usize) {
        if hours < HOURS_MIN {
            self.cold(
                key,
                &format!("{hours} device-hours; {HOURS_MIN} would bear it."),
            );
        }
    }

    fn connections(&mut self, active: &[Hour]) -> Option<Range> {
        #[expect(clippy::cast_precision_loss, reason = "connections of an hour")]
        let mut opened: Vec<f32> = active.iter().map(|hour| hour.opened as f32).collect();
        opened.sort_by(f32::total_cmp);
        let hi = quantile(&opened, 0.975).ceil();
        if hi < 1.0 {
            return None;
        }
        self.say(
            "connections_per_hour",
            format!(
                "{} device-hours, {} in the middle.",
                opened.len(),
                quantile(&opened, 0.5)
            ),
        );
        Some(Range {
            lo: quantile(&opened, 0.025).floor(),
            hi,
            coverage: COVERAGE_DEFAULT,
        })
    }

    fn cadence(&mut self) -> Option<Cadence> {
        let rhythm = self.tally.streams.rhythm()?;
        self.say("cadence", format!("{} messages.", rhythm.beats));
        let (lo, hi) = (
            rhythm.size.0.max(1.0).floor(),
            rhythm.size.1.max(1.0).ceil(),
        );
        let hundredths = |seconds: f64| (seconds * 100.0).round() / 100.0;
        Some(Cadence {
            size: Range {
                lo,
                hi,
                coverage: COVERAGE_DEFAULT,
            },
            period_s: hundredths(rhythm.period_s).max(0.01),
            jitter_s: hundredths(rhythm.jitter_s).max(0.01),
        })
    }

    fn current(&mut self) -> Option<Current> {
        let found = states(&self.tally.current)?;
        let samples = self.tally.current.seen();
        self.say(
            "current",
            format!(
                "{samples} samples in two states; the most was {:.2} A.",
                found.most
            ),
        );
        let range = |(lo, hi): (f64, f64)| {
            let (lo, hi) = outward(lo, hi);
            Range {
                lo,
                hi,
                coverage: COVERAGE_DEFAULT,
            }
        };
        Some(Current {
            idle: range(found.idle),
            active: range(found.active),
            limit: self
                .present
                .and_then(|p| p.current)
                .and_then(|current| current.limit),
        })
    }

    fn spindle(&mut self) -> Option<Spindle> {
        let sorted = self.tally.spindle.sorted();
        let most = quantile(&sorted, 1.0);
        if most <= 0.0 {
            return None;
        }
        let samples = self.tally.spindle.seen();
        self.say(
            "spindle",
            format!("{samples} samples; nothing above {most:.0} rpm was seen."),
        );
        let (_, hi) = outward(1.0, most);
        let limit = self
            .present
            .and_then(|p| p.spindle)
            .map(|spindle| spindle.limit);
        Some(Spindle {
            range: Range {
                lo: 0.0,
                hi,
                coverage: COVERAGE_DEFAULT,
            },
            limit: limit.unwrap_or(hi).max(hi),
        })
    }

    fn firmware(&mut self) -> Vec<Firmware> {
        let released = |version: &str| {
            let present = self
                .present
                .and_then(|present| present.firmware.iter().find(|one| one.version == version));
            present.map(|one| one.released.clone())
        };
        let first = self
            .tally
            .hours
            .iter()
            .map(|hour| hour.hour)
            .min()
            .unwrap_or(0);
        let first = EventTime::from_micros(Span::HOUR.times(i64::from(first)).micros());
        let seen_first = self.clock.local(first).date().to_string();
        let mut versions: BTreeMap<&str, Firmware> = BTreeMap::new();
        for (version, digest) in self.tally.firmware.keys() {
            let firmware = versions.entry(version).or_insert_with(|| Firmware {
                version: version.clone(),
                digests: Vec::new(),
                released: released(version).unwrap_or_else(|| seen_first.clone()),
            });
            firmware.digests.extend(digest.clone());
        }
        let found: Vec<Firmware> = versions.into_values().collect();
        if !found.is_empty() {
            self.say(
                "firmware",
                "What devices attested; `released` is the day it was first seen, unless known before."
                    .to_owned(),
            );
        }
        found
    }

    fn scan(&mut self) -> ScanLimits {
        let (hosts, ports) = self.tally.fan_out;
        let failed = self
            .tally
            .hours
            .iter()
            .map(|hour| hour.failed)
            .max()
            .unwrap_or(0);
        self.say(
            "scan",
            format!(
                "At most {hosts} hosts, {ports} ports and {failed} failures an hour were seen."
            ),
        );
        let twice = |seen: u32, least: u32| seen.saturating_mul(2).max(least);
        ScanLimits {
            hosts: twice(hosts, 10),
            ports: twice(ports, 20),
            failed: twice(failed, 20),
        }
    }

    fn silence(&mut self, activity: &Option<Activity>) -> Option<Span> {
        let inside = |at: EventTime| {
            let hour = i32::try_from(at.micros().div_euclid(Span::HOUR.micros())).unwrap_or(0);
            let hour = Hour {
                device: 0,
                hour,
                bytes: 0.0,
                opened: 0,
                failed: 0,
            };
            self.is_in(activity, &hour)
        };
        let within = self.tally.gaps.iter().filter(|gap| {
            gap.length < Span::HOUR.times(6) && inside(gap.from) && inside(gap.from + gap.length)
        });
        let longest = within.map(|gap| gap.length).max().unwrap_or(Span::MINUTE);
        let minutes = (2.0 * longest.as_secs_f64() / 60.0).ceil().max(3.0);
        self.say(
            "silence",
            format!(
                "Twice the longest that was seen inside active hours, {:.0} s.",
                longest.as_secs_f64()
            ),
        );
        #[expect(clippy::cast_possible_truncation, reason = "minutes of a few hours")]
        Some(Span::MINUTE.times(minutes as i64))
    }
}

fn target(peer: &Peer) -> Target {
    match peer {
        Peer::Role(role) => Target::Role(role.clone()),
        Peer::Name(name) => Target::Name(name.clone()),
        Peer::Type(device_type) => Target::DeviceType(device_type.clone()),
        Peer::Address(address) => Target::Address(*address),
    }
}

/// The protocol of the field that something spoken is, or one that is named by its port.
fn protocol((transport, port, service): &Spoken) -> Protocol {
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
fn share(count: u64, all: u64) -> Option<f64> {
    let share = count as f64 / all.max(1) as f64;
    let rounded = (share * 1_000.0).floor() / 1_000.0;
    (rounded >= SHARE_MIN && rounded < 1.0).then_some(rounded)
}

/// Ends to two digits, the lower one down and the upper one up.
fn outward(lo: f64, hi: f64) -> (f64, f64) {
    let scale = |x: f64| 10_f64.powf(1.0 - x.log10().floor());
    let down = |x: f64| {
        if x > 0.0 {
            (x * scale(x)).floor() / scale(x)
        } else {
            0.0
        }
    };
    let up = |x: f64| {
        if x > 0.0 {
            (x * scale(x)).ceil() / scale(x)
        } else {
            0.0
        }
    };
    (down(lo), up(hi).max(down(lo)))
}
