//! The plant as policies read it: `data.andon.plant`. Names, roles and segments are networks in it
//! and protocols are ports, as the engine has them, so that nobody resolves them a second way.

use andon_schemas::inventory::{Device, FlowRule, Function, Inventory, Segment};
use andon_schemas::profile::{Hours, Profile};
use serde_json::{Map, Value, json};

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const DAY: i32 = 1_440;

/// The whole document, for a decision point that keeps its own data. `profile` gives the profile
/// of a device type.
pub fn document<'p>(inventory: &Inventory, profile: impl Fn(&str) -> Option<&'p Profile>) -> Value {
    let devices: Map<String, Value> = inventory
        .devices
        .iter()
        .filter(|device| device.function != Function::Server)
        .map(|device| {
            let hours = profile(&device.device_type).and_then(|profile| profile.hours.as_ref());
            (device.id.to_string(), of_device(device, hours, inventory))
        })
        .collect();
    let mut document = common(inventory);
    document["devices"] = devices.into();
    document
}

/// What all devices have in common.
pub(super) fn common(inventory: &Inventory) -> Value {
    json!({
        "site": inventory.site,
        "zone": inventory.clock.name(),
        "resources": resources(inventory),
        "segments": segments(inventory),
    })
}

/// One device.
pub(super) fn of_device(device: &Device, hours: Option<&Hours>, inventory: &Inventory) -> Value {
    let mut entry = json!({
        "type": device.device_type,
        "segment": inventory.segments.get(device.segment).map(|segment| &segment.name),
        // A device without a key of its own comes by its gateway's address.
        "addresses": if device.gateway.is_some() { &[][..] } else { &device.addresses },
        "risk_class": device.risk_class,
        "safety_critical": device.safety_critical,
    });
    if let Some(hours) = hours {
        entry["hours"] = spans(hours);
    }
    entry
}

/// How sensitive whatever can be asked for is, by its id and by each of its names.
fn resources(inventory: &Inventory) -> Value {
    let mut resources = Map::new();
    for device in &inventory.devices {
        let is_safety = device.safety_critical || device.roles.iter().any(|role| role == "safety");
        let entry = json!({ "sensitivity": if is_safety { "SAFETY" } else { "INTERNAL" } });
        for name in &device.names {
            resources.insert(name.clone(), entry.clone());
        }
        resources.insert(device.id.to_string(), entry);
    }
    resources.into()
}

/// What the devices of each segment may open, and must not, in the order in which it is looked at.
fn segments(inventory: &Inventory) -> Value {
    let rules = |segment: &Segment| {
        let allowed = segment.allowed.iter().map(|rule| of_rule(rule, "allow"));
        let denied = segment.denied.iter().map(|rule| of_rule(rule, "deny"));
        json!({ "rules": allowed.chain(denied).collect::<Vec<_>>() })
    };
    let segments = inventory.segments.iter();
    let segments: Map<String, Value> = segments
        .map(|segment| (segment.name.clone(), rules(segment)))
        .collect();
    segments.into()
}

fn of_rule(rule: &FlowRule, effect: &str) -> Value {
    let anywhere = ["0.0.0.0/0".to_owned(), "::/0".to_owned()];
    let networks: Vec<String> = match rule.networks.as_slice() {
        [] => anywhere.to_vec(),
        networks => networks.iter().map(ToString::to_string).collect(),
    };
    let over = |port: Option<u16>| {
        let mut over = Map::new();
        if let Some(transport) = rule.transport {
            over.insert("transport".to_owned(), json!(transport));
        }
        if let Some(port) = port {
            over.insert("port".to_owned(), json!(port));
        }
        Value::from(over)
    };
    let over: Vec<Value> = match (rule.ports.as_slice(), rule.transport) {
        ([], None) => Vec::new(),
        ([], Some(_)) => vec![over(None)],
        (ports, _) => ports.iter().map(|port| over(Some(*port))).collect(),
    };
    json!({
        "name": rule.name, "effect": effect, "safety": rule.safety, "to": networks, "over": over,
    })
}

/// Active hours as spans that each lie within one day, grace included.
fn spans(hours: &Hours) -> Value {
    let grace = i32::from(hours.grace_min);
    let mut days: Vec<Vec<(i32, i32)>> = vec![Vec::new(); DAYS.len()];
    for span in &hours.spans {
        let length = match i32::from(span.to) - i32::from(span.from) {
            length if length <= 0 => length + DAY,
            length => length,
        };
        for day in (0..7).filter(|day| span.days >> day & 1 == 1) {
            let from = day * DAY + i32::from(span.from) - grace;
            cut(from, from + length + 2 * grace, &mut days);
        }
    }
    let mut cut = Vec::new();
    for (day, spans) in DAYS.into_iter().zip(days) {
        for (from, to) in spans {
            cut.push(json!({ "days": [day], "from": from, "to": to }));
        }
    }
    cut.into()
}

/// Cuts a stretch of the week, in minutes from Monday on, at every midnight.
fn cut(mut from: i32, to: i32, days: &mut [Vec<(i32, i32)>]) {
    while from < to {
        let midnight = (from.div_euclid(DAY) + 1) * DAY;
        let end = to.min(midnight);
        let day = from.div_euclid(DAY).rem_euclid(7);
        let start = from.rem_euclid(DAY);
        if let Some(spans) = usize::try_from(day).ok().and_then(|day| days.get_mut(day)) {
            spans.push((start, start + end - from));
        }
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::profile::HoursSpan;

    use super::*;

    #[test]
    fn hours_by_the_day_are_the_hours_of_the_profile() {
        let hours = Hours {
            spans: vec![
                HoursSpan {
                    days: 0b001_1111,
                    from: 360,
                    to: 1_320,
                },
                HoursSpan {
                    days: 0b100_0000,
                    from: 1_380,
                    to: 120,
                },
            ],
            grace_min: 15,
        };
        let spans = spans(&hours);
        let spans = spans.as_array().unwrap();
        let holds = |day: usize, minute: u64| {
            spans.iter().any(|span| {
                span["days"][0] == DAYS[day]
                    && span["from"].as_u64().unwrap() <= minute
                    && minute < span["to"].as_u64().unwrap()
            })
        };
        for day in 0..7_u8 {
            for minute in 0..1_440_u16 {
                assert_eq!(
                    holds(day.into(), minute.into()),
                    hours.hold(day, minute),
                    "day {day}, minute {minute}"
                );
            }
        }
    }
}
