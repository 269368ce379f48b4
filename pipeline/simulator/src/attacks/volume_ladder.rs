//! A ladder of volume: how small a rise is still found? Forty devices move 1.2, 1.5, 2 and 3 times
//! what they would have moved, to their own servers, in their own protocols and hours.
//!
//! Ground truth: ten devices on each rung, from the second midnight of the plant to the end of the
//! capture. The rungs hold the same types, so that they differ in nothing but the factor; every
//! connection grows alike, so that shares stay what they were. No grade is due: the ladder
//! measures the share of devices found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::observation::RecordBody;
use andon_schemas::time::{EventTime, Span};

use super::change::What;
use super::scene::{Scene, Victim};
use super::{ATTACKS, AttackKind, Change, Script};
use crate::label::Label;
use crate::shifts::working;

pub(super) const KIND: AttackKind = AttackKind {
    name: "volume-ladder",
    question: "how small a rise in volume is still found?",
    expected: Grade::Low,
    when: "from the second day to the end",
    later: true,
    script,
};

const FACTORS: [f64; 4] = [1.2, 1.5, 2.0, 3.0];
const DEVICES_PER_RUNG: usize = 10;
/// A rise is judged by many hours: a day as it was, and two days of the ladder.
const LENGTH: Span = Span::from_secs(72 * 3600);

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let clock = &scene.inventory.clock;
    let start = clock.moment(clock.local(scene.start).day.saturating_add(1), 0);
    let needs = scene.start + LENGTH;
    let end = scene.end.max(needs);
    let mut script = Script {
        labels: Vec::new(),
        needs,
        rows: Vec::new(),
        changes: Vec::new(),
    };
    for alike in sets(scene, (start, end)) {
        for (victim, factor) in alike.iter().zip(FACTORS) {
            let note = format!("{factor} times its own usual volume");
            let label = KIND.label(victim, start, end, &note);
            script.labels.push(Label {
                attack: Label::rung(factor),
                at_least: false,
                detectors: vec!["traffic_volume".to_owned()],
                ..label
            });
            let change = Change {
                from: start,
                to: end,
                what: What::Volume(factor),
            };
            script.changes.push((victim.number, change));
        }
    }
    if script.labels.is_empty() {
        let rungs = FACTORS.len();
        return Err(format!(
            "the inventory has no {rungs} devices of one type with a written volume and work to do"
        ));
    }
    Ok(script)
}

/// Sets of devices of one type, one device for each rung: as many types as there are, and none
/// twice before every other had its turn.
fn sets<'a>(scene: &Scene<'a>, span: (EventTime, EventTime)) -> Vec<Vec<Victim<'a>>> {
    let touched = Touched::of(scene);
    let mut types: BTreeMap<&str, Vec<(u64, Victim<'a>)>> = BTreeMap::new();
    for victim in scene.victims().filter(|v| suits(v) && !touched.holds(v)) {
        let order = scene.dice(&victim, KIND.name).bits();
        let name = victim.class.profile.name.as_str();
        types.entry(name).or_default().push((order, victim));
    }
    let mut sets = Vec::new();
    for mut devices in types.into_values() {
        devices.sort_by_key(|(order, victim)| (*order, victim.number));
        if !devices.first().is_some_and(|(_, v)| works(scene, v, span)) {
            continue;
        }
        for (turn, alike) in devices.chunks_exact(FACTORS.len()).enumerate() {
            let victims: Vec<Victim<'a>> = alike.iter().map(|(_, victim)| *victim).collect();
            sets.push(((turn, alike[0].0), victims));
        }
    }
    sets.sort_by_key(|(turn, _)| *turn);
    sets.truncate(DEVICES_PER_RUNG);
    sets.into_iter().map(|(_, victims)| victims).collect()
}

/// Its volume is written, varies, and is all its own: no other device has a part in it.
fn suits(victim: &Victim<'_>) -> bool {
    let class = victim.class;
    class.volume.is_some()
        && class.profile.cadence.is_none()
        && victim.unit.received <= 0.0
        && !class.pairs.iter().any(|pair| pair.watched)
}

fn works(scene: &Scene<'_>, victim: &Victim<'_>, (from, to): (EventTime, EventTime)) -> bool {
    let hours = victim.class.profile.hours.as_ref();
    (0..to.since(from).micros() / Span::HOUR.micros())
        .any(|hour| working(scene.inventory, hours, from + Span::HOUR.times(hour)))
}

/// Whom the other attacks have to do with, whether they are carried out this time or not.
#[derive(Default)]
struct Touched {
    units: BTreeSet<usize>,
    devices: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl Touched {
    fn of(scene: &Scene<'_>) -> Self {
        let mut touched = Self::default();
        let others = ATTACKS.iter().filter(|kind| kind.name != KIND.name);
        // An attack that finds no victim in this plant touches nobody.
        for other in others.filter_map(|kind| (kind.script)(scene).ok()) {
            touched
                .units
                .extend(other.changes.iter().map(|(at, _)| *at));
            for label in other.labels {
                touched.addresses.extend(label.peer);
                touched.devices.insert(label.device.as_str().to_owned());
            }
            for row in other.rows {
                touched
                    .devices
                    .extend(row.device.map(|id| id.as_str().to_owned()));
                if let RecordBody::Flow(flow) = row.body {
                    let ends = [flow.originator.address, flow.responder.address];
                    touched.addresses.extend(ends);
                }
            }
        }
        touched
    }

    fn holds(&self, victim: &Victim<'_>) -> bool {
        self.units.contains(&victim.number)
            || self.devices.contains(victim.unit.id.as_str())
            || self.addresses.contains(&victim.unit.address)
    }
}

#[cfg(test)]
mod tests;
