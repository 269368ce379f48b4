//! Who is there: servers, gateways, sensors, and devices one by one or in numbered groups.

use std::net::IpAddr;

use super::contract::{ASSESSMENT, DEVICES, GATEWAY, SENSOR, SERVER};
use super::make::{self, Types};
use super::pattern::{Pattern, address, consecutive};
use super::roll::{Misfit, Roll, Tie};
use super::{Assessment, Device, Function, Segment, Weight, segments};
use crate::grade::RiskClass;
use crate::identity::DeviceId;
use crate::problems::{Refusal, quoted};
use crate::profile::{host_name, role, type_name};
use crate::yaml::{Node, Report, Section};

/// What servers, gateways and sensors count as where nothing is written: inside the plant, and
/// their loss degrades production.
const ASSESSMENT_DEFAULT: Assessment = Assessment {
    safety_impact: Weight::Low,
    production_impact: Weight::Medium,
    data_sensitivity: Weight::Medium,
    attack_surface: Weight::Medium,
};

/// Reads everything that the inventory lists.
pub(crate) fn read(top: Node<'_>, segments: &[Segment], report: &mut Report) -> Roll {
    let mut roll = Roll::default();
    let types = make::types(top.get("types"), report);
    let kinds: [(&str, &Section, Function); 3] = [
        ("servers", &SERVER, Function::Server),
        ("gateways", &GATEWAY, Function::Gateway),
        ("sensors", &SENSOR, Function::Sensor),
    ];
    for (key, section, function) in kinds {
        for item in items(top, key) {
            if let Some(device) = single(item, section, function, (segments, &types), report)
                && let Err((key, refusal)) = roll.admit(device, segments)
            {
                report.value(item.get(key).unwrap_or(item), refusal);
            }
        }
    }
    let mut ties = Vec::new();
    for item in items(top, "devices") {
        let devices = group(item, (segments, &types), &mut roll, report);
        let node = item.get("gateway");
        let name = report.read_if(node, |text| Ok(text.to_owned()));
        ties.extend(name.zip(node).map(|gateway| Tie { gateway, devices }));
    }
    roll.tie(ties, report);
    roll
}

fn items<'t>(top: Node<'t>, key: &str) -> Vec<Node<'t>> {
    top.get(key).map(Node::items).unwrap_or_default()
}

/// A server, a gateway or a sensor.
fn single(
    item: Node<'_>,
    section: &Section,
    function: Function,
    (segments, types): (&[Segment], &Types),
    report: &mut Report,
) -> Option<Device> {
    if !report.fields(item, section) {
        return None;
    }
    let id = report.read_if(item.get("id"), id);
    let segment = report.read_if(item.get("segment"), |name| segments::index(name, segments));
    let kind = report.read_if(item.get("type"), type_name);
    let class = risk_class(item, report).unwrap_or(ASSESSMENT_DEFAULT.risk_class());
    let kind = kind.unwrap_or_else(|| function.as_str().to_owned());
    let make = make::of(item, &kind, types, report);
    let device = Device {
        id: id?,
        device_type: kind,
        function,
        segment: segment?,
        line: String::new(),
        addresses: report.read_each(item.get("addresses"), address),
        names: report.read_each(item.get("names"), host_name),
        roles: report.read_each(item.get("roles"), role),
        risk_class: class,
        safety_critical: report.flag(item.get("safety_critical")),
        gateway: None,
        serves: Vec::new(),
        watches: watches(item.get("watches"), segments, report),
        make,
    };
    Some(device)
}

fn watches(node: Option<Node<'_>>, segments: &[Segment], report: &mut Report) -> Vec<usize> {
    if node.and_then(Node::scalar) == Some("all") {
        return (0..segments.len()).collect();
    }
    let mut watches = report.read_each(node, |name| segments::index(name, segments));
    watches.sort_unstable();
    watches.dedup();
    watches
}

fn id(text: &str) -> Result<DeviceId, Refusal> {
    if text.starts_with("ip:") {
        let cause = format!("device id {} begins with `ip:`", quoted(text));
        return Err(Refusal::new(cause).hint("Such ids stand for addresses nobody has listed."));
    }
    DeviceId::new(text).map_err(Refusal::new)
}

/// A device or a group of them; returns who was taken in.
fn group(
    item: Node<'_>,
    (segments, types): (&[Segment], &Types),
    roll: &mut Roll,
    report: &mut Report,
) -> Vec<DeviceId> {
    if !report.fields(item, &DEVICES) {
        return Vec::new();
    }
    let Some(group) = Group::read(item, segments, types, report) else {
        return Vec::new();
    };
    let mut admitted = Vec::new();
    for at in 0..group.ids.len() {
        let outcome = group.device(at).and_then(|device| {
            let id = device.id.clone();
            roll.admit(device, segments).map(|()| id)
        });
        match outcome {
            Ok(id) => admitted.push(id),
            Err((key, refusal)) => {
                // What is wrong with one of a group is nearly always wrong with all of it.
                let node = item.get(key).or_else(|| item.get("ids")).unwrap_or(item);
                report.value(node, refusal);
                break;
            }
        }
    }
    admitted
}

/// What the devices of a group have in common, and how they are told apart.
struct Group<'t> {
    ids: Pattern<'t>,
    names: Vec<Pattern<'t>>,
    addresses: Vec<Vec<IpAddr>>,
    common: Device,
}

impl<'t> Group<'t> {
    fn read(
        item: Node<'t>,
        segments: &[Segment],
        types: &Types,
        report: &mut Report,
    ) -> Option<Self> {
        let device_type = report.read_if(item.get("type"), type_name);
        let segment = report.read_if(item.get("segment"), |name| segments::index(name, segments));
        if item.get("assessment").or(item.get("risk_class")).is_none() {
            let refusal = Refusal::new("`assessment:` is missing");
            report.value(item, refusal.hint("Its four answers make the risk class."));
        }
        let class = risk_class(item, report);
        let kind = device_type.as_deref().unwrap_or_default();
        let make = make::of(item, kind, types, report);
        let line = report.read_if(item.get("line"), |text| Ok(text.to_owned()));
        let safety_critical = report.flag(item.get("safety_critical"));
        let ids_node = match (item.get("id"), item.get("ids")) {
            (Some(id), None) => id,
            (None, Some(ids)) => ids,
            _ => {
                let refusal = Refusal::new("one of `id:` and `ids:` belongs here");
                report.value(
                    item,
                    refusal.hint("Write `id:` for one device, `ids:` for a group."),
                );
                return None;
            }
        };
        let ids = pattern(ids_node, report)?;
        let names: Vec<_> = item.get("names").map(Node::items).unwrap_or_default();
        let names: Vec<_> = names
            .into_iter()
            .filter_map(|n| pattern(n, report))
            .collect();
        let addresses = addresses(item.get("addresses")?, ids.len(), report)?;
        if let (Some(node), Some(_)) = (
            item.get("names"),
            names.iter().find(|n| n.len() != ids.len()),
        ) {
            let refusal =
                Refusal::new(format!("names are not numbered like the {} ids", ids.len()));
            report.value(
                node,
                refusal.hint("Number them with the same range in braces."),
            );
            return None;
        }
        let common = Device {
            id: DeviceId::of_address(IpAddr::from([0, 0, 0, 0])),
            device_type: device_type?,
            function: Function::Device,
            segment: segment?,
            line: line.unwrap_or_default(),
            addresses: Vec::new(),
            names: Vec::new(),
            roles: Vec::new(),
            risk_class: class?,
            safety_critical,
            gateway: None,
            serves: Vec::new(),
            watches: Vec::new(),
            make,
        };
        Some(Self {
            ids,
            names,
            addresses,
            common,
        })
    }

    fn device(&self, at: usize) -> Result<Device, Misfit> {
        let names = self.names.iter().map(|name| host_name(&name.at(at)));
        Ok(Device {
            id: id(&self.ids.at(at)).map_err(|refusal| ("id", refusal))?,
            addresses: self.addresses.get(at).cloned().unwrap_or_default(),
            names: names
                .collect::<Result<_, _>>()
                .map_err(|refusal| ("names", refusal))?,
            ..self.common.clone()
        })
    }
}

fn pattern<'t>(node: Node<'t>, report: &mut Report) -> Option<Pattern<'t>> {
    let text = report.text(node)?;
    match Pattern::read(text) {
        Ok(pattern) => Some(pattern),
        Err(refusal) => {
            report.value(node, refusal);
            None
        }
    }
}

/// The addresses of each of `count` devices: consecutive from one, one each, or all of one.
fn addresses(node: Node<'_>, count: usize, report: &mut Report) -> Option<Vec<Vec<IpAddr>>> {
    if node.scalar().is_some_and(|text| text.trim().ends_with('+')) {
        let all = report.read(node, |text| consecutive(text, count))?;
        return Some(all.into_iter().map(|address| vec![address]).collect());
    }
    let written = node.items().len();
    let all = report.read_each(Some(node), address);
    if all.len() < written || all.is_empty() {
        if written == 0 {
            report.value(node, Refusal::new("no address is written"));
        }
        return None;
    }
    if count == 1 {
        return Some(vec![all]);
    }
    if all.len() != count {
        let cause = format!("{} addresses for {count} devices", all.len());
        let hint = "Write one for each, or the first with a `+` for consecutive ones.";
        report.value(node, Refusal::new(cause).hint(hint));
        return None;
    }
    Some(all.into_iter().map(|address| vec![address]).collect())
}

/// The risk class: computed from the answers, or written.
fn risk_class(item: Node<'_>, report: &mut Report) -> Option<RiskClass> {
    let assessed = assessment(item.get("assessment"), report);
    let written = report.read_if(item.get("risk_class"), |text| {
        text.parse::<RiskClass>().map_err(Refusal::new)
    });
    if let (Some(_), Some(node)) = (item.get("assessment"), item.get("risk_class")) {
        let refusal = Refusal::new("both an assessment and a risk class are written");
        report.key(node, refusal.hint("Keep one of them."));
    }
    written.or(assessed.map(|assessment| assessment.risk_class()))
}

fn assessment(node: Option<Node<'_>>, report: &mut Report) -> Option<Assessment> {
    let node = node?;
    if !report.fields(node, &ASSESSMENT) {
        return None;
    }
    let mut answer = |key: &str, words: [&str; 3]| {
        report.read_if(node.get(key), |text| {
            let at = words
                .iter()
                .position(|word| word.eq_ignore_ascii_case(text));
            match at {
                Some(0) => Ok(Weight::High),
                Some(1) => Ok(Weight::Medium),
                Some(_) => Ok(Weight::Low),
                None => Err(
                    Refusal::new(format!("{} is not an answer here", quoted(text)))
                        .hint(format!("Write {}, {} or {}.", words[0], words[1], words[2])),
                ),
            }
        })
    };
    let safety_impact = answer("safety_impact", ["HIGH", "MEDIUM", "LOW"]);
    let production_impact = answer("production_impact", ["CRITICAL", "IMPORTANT", "SUPPORT"]);
    let data_sensitivity = answer("data_sensitivity", ["CONFIDENTIAL", "INTERNAL", "PUBLIC"]);
    let attack_surface = answer("attack_surface", ["HIGH", "MEDIUM", "LOW"]);
    Some(Assessment {
        safety_impact: safety_impact?,
        production_impact: production_impact?,
        data_sensitivity: data_sensitivity?,
        attack_surface: attack_surface?,
    })
}
