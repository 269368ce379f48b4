//! The checked form back to YAML, for `profile show`, and field by field for `profile diff`. What
//! is written reads back as the same profile, with the same hash.

use super::commands;
use super::sensors::duration;
use super::{
    COVERAGE_DEFAULT, Cadence, Calibration, Current, Destination, DetectorSetting, Firmware,
    Frozen, Hours, HoursSpan, Profile, Protocol, ProtocolMatch, Range, Spindle, Target, Volume,
};
use crate::observation::{ByteKind, Role};
use crate::protocol::{by_name, write_port};
use crate::quantity::{Dimension, write_amount, write_hours_span, write_range};
use crate::yaml::{flow, quote, scalar};

/// One field, or one item of a field that has several.
#[derive(Debug)]
pub(crate) struct Field {
    /// The key it stands under.
    pub(crate) key: &'static str,
    /// Of an item: what tells it from its siblings; else empty.
    pub(crate) label: String,
    /// Its value as YAML on one line.
    pub(crate) text: String,
    /// How an item is written.
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `key: value`.
    Line,
    /// `- value` under the key.
    Item,
    /// `label: value` under the key.
    Named,
}

impl Profile {
    /// The profile as a complete YAML file: what it extends is written out.
    pub fn to_yaml(&self) -> String {
        self.to_yaml_with(&[])
    }

    /// The same, with lines of comment before keys: those under the empty key come first of all.
    pub fn to_yaml_with(&self, comments: &[(&str, Vec<String>)]) -> String {
        let comment = |key: &str| {
            let own = comments.iter().filter(move |(under, _)| *under == key);
            own.flat_map(|(_, lines)| lines)
                .map(|line| format!("# {line}").trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        let mut lines = comment("");
        if !self.extends.is_empty() {
            lines.push(format!(
                "# Written out in full; extends {}.",
                self.extends.join(", ")
            ));
        }
        lines.push(format!("profile: {}", self.name));
        lines.push(format!("version: {}", quote(&self.version)));
        let mut open = "";
        for field in fields(self) {
            if open != field.key {
                lines.extend(comment(field.key));
            }
            if field.style != Style::Line && open != field.key {
                lines.push(format!("{}:", field.key));
            }
            open = field.key;
            lines.push(match field.style {
                Style::Line => format!("{}: {}", field.key, field.text),
                Style::Item => format!("  - {}", field.text),
                Style::Named => format!("  {}: {}", field.label, field.text),
            });
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// Every field that says something, in the order of the file format; not name and version.
pub(crate) fn fields(profile: &Profile) -> Vec<Field> {
    let line = |key: &'static str, text: Option<String>| {
        text.map(|text| Field {
            key,
            label: String::new(),
            text,
            style: Style::Line,
        })
    };
    let described = (!profile.description.is_empty()).then(|| scalar(&profile.description));
    let mut fields = Vec::new();
    fields.extend(line("description", described));
    fields.extend(line(
        "controller",
        profile.controller.then(|| "true".to_owned()),
    ));
    fields.extend(items("destinations", &profile.destinations, destination));
    fields.extend(items("clients", &profile.clients, destination));
    fields.extend(items("protocols", &profile.protocols, protocol));
    fields.extend(command_lists(profile));
    fields.extend(line("volume_per_hour", profile.volume.as_ref().map(volume)));
    let upload = profile.upload.as_ref();
    fields.extend(line(
        "upload_share",
        upload.map(|range| short(vec![], range, Dimension::Share)),
    ));
    let connections = profile.connections.as_ref();
    fields.extend(line(
        "connections_per_hour",
        connections.map(|range| short(vec![], range, Dimension::Count)),
    ));
    fields.extend(line("active_hours", profile.hours.as_ref().map(hours)));
    fields.extend(line("cadence", profile.cadence.as_ref().map(cadence)));
    fields.extend(line("current", profile.current.as_ref().map(current)));
    fields.extend(line("spindle", profile.spindle.as_ref().map(spindle)));
    fields.extend(items("load", &profile.load, |load| load.to_text()));
    fields.extend(line("frozen", profile.frozen.map(Frozen::to_text)));
    fields.extend(items("firmware", &profile.firmware, firmware));
    let scan = &profile.scan;
    let scan = [
        ("hosts", scan.hosts),
        ("ports", scan.ports),
        ("failed", scan.failed),
    ];
    let scan = scan.map(|(key, limit)| format!("{key}: {limit}"));
    fields.extend(line("scan", Some(flow(&scan))));
    let silence = profile.silence.map(duration);
    fields.extend(line("silence", silence));
    fields.extend(profile.detectors.iter().map(|(name, setting)| Field {
        key: "detectors",
        label: name.clone(),
        text: detector(*setting),
        style: Style::Named,
    }));
    let calibration = profile.calibration.as_ref();
    fields.extend(line("calibration", calibration.map(Calibration::to_text)));
    fields.extend(profile.learned.iter().map(|(name, null)| Field {
        key: "learned",
        label: name.clone(),
        text: null.to_text(),
        style: Style::Named,
    }));
    fields.extend(profile.learned_shares.iter().map(|(name, law)| Field {
        key: "learned_shares",
        label: name.clone(),
        text: law.to_text(),
        style: Style::Named,
    }));
    fields
}

fn command_lists(profile: &Profile) -> impl Iterator<Item = Field> {
    let sides = [("sends", Role::Originator), ("accepts", Role::Responder)];
    sides.into_iter().filter_map(|(label, role)| {
        let rules = profile.commands.as_ref()?.of(role)?;
        Some(Field {
            key: "commands",
            label: label.to_owned(),
            text: commands::write(rules, role, |target| flow(&[named(target)])),
            style: Style::Named,
        })
    })
}

impl Calibration {
    /// It as a profile writes it, on one line.
    pub fn to_text(&self) -> String {
        let share = |share| write_amount(share, Dimension::Share);
        flow(&[
            format!("discount: {}", self.discount),
            format!("device_hours: {}", self.device_hours),
            format!("false_positives: {}", share(self.false_positives)),
            format!("confidence: {}", share(self.confidence)),
        ])
    }
}

impl Volume {
    /// It as a profile writes it under `volume_per_hour`, on one line.
    pub fn to_text(&self) -> String {
        volume(self)
    }
}

fn items<T>(
    key: &'static str,
    items: &[T],
    write: impl Fn(&T) -> (String, String),
) -> impl Iterator<Item = Field> {
    items.iter().map(move |item| {
        let (label, text) = write(item);
        Field {
            key,
            label,
            text,
            style: Style::Item,
        }
    })
}

/// A range with what else is said about it; alone, if nothing is.
fn short(mut rest: Vec<String>, range: &Range, dimension: Dimension) -> String {
    let text = write_range((range.lo, range.hi), dimension);
    rest.extend(coverage(range));
    if rest.is_empty() {
        return text;
    }
    rest.insert(0, format!("range: {text}"));
    flow(&rest)
}

pub(super) fn coverage(range: &Range) -> Option<String> {
    let share = write_amount(range.coverage, Dimension::Share);
    (!same(range.coverage, COVERAGE_DEFAULT)).then(|| format!("coverage: {share}"))
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

fn named(target: &Target) -> String {
    match target {
        Target::Name(name) => format!("name: {}", scalar(name)),
        Target::Address(address) => format!("address: {}", scalar(&address.to_string())),
        Target::Network(network) => format!("network: {}", scalar(&network.to_string())),
        Target::Role(role) => format!("role: {role}"),
        Target::DeviceType(name) => format!("type: {name}"),
    }
}

fn destination(destination: &Destination) -> (String, String) {
    let label = destination.target.to_string();
    let mut parts = vec![named(&destination.target)];
    parts.extend(share(destination.share));
    parts.extend(destination.safety.then(|| "safety: true".to_owned()));
    if !destination.over.is_empty() {
        parts.push(format!("over: {}", ports(&destination.over)));
    }
    (label, flow(&parts))
}

fn share(share: Option<f64>) -> Option<String> {
    share.map(|share| format!("share: {}", write_amount(share, Dimension::Share)))
}

fn ports(forms: &[ProtocolMatch]) -> String {
    let forms: Vec<_> = forms.iter().map(write_port).collect();
    format!("[{}]", forms.join(", "))
}

fn protocol(protocol: &Protocol) -> (String, String) {
    let mut parts = vec![format!("name: {}", scalar(&protocol.name))];
    parts.extend(share(protocol.share));
    let as_known = by_name(&protocol.name).is_some_and(|known| {
        known.matches() == protocol.matches && known.services == protocol.services
    });
    if !as_known {
        parts.push(format!("ports: {}", ports(&protocol.matches)));
        if !protocol.services.is_empty() {
            let services: Vec<_> = protocol.services.iter().map(|text| scalar(text)).collect();
            parts.push(format!("services: [{}]", services.join(", ")));
        }
    }
    (protocol.name.clone(), flow(&parts))
}

fn volume(volume: &Volume) -> String {
    let range = &volume.range;
    let mut rest = Vec::new();
    if volume.bytes != ByteKind::Payload {
        rest.push(format!("bytes: {}", volume.bytes));
    }
    let multiple = multiple(volume.rule_bytes, range.hi);
    match multiple {
        Some(times) if !volume.absolute => {
            if !same(times, 3.0) {
                rest.push(format!("multiple: {times}"));
            }
        }
        _ => rest.push(format!(
            "limit: {}",
            write_amount(volume.rule_bytes, Dimension::Bytes)
        )),
    }
    if !same(volume.baseline, (range.lo * range.hi).sqrt()) {
        rest.push(format!(
            "baseline: {}",
            write_amount(volume.baseline, Dimension::Bytes)
        ));
    }
    short(rest, range, Dimension::Bytes)
}

/// The multiple of `upper` that makes exactly `rule`: division may be off by one step.
fn multiple(rule: f64, upper: f64) -> Option<f64> {
    let times = rule / upper;
    let near = [times, times.next_up(), times.next_down()];
    near.into_iter().find(|times| same(times * upper, rule))
}

fn hours(hours: &Hours) -> String {
    let span = |span: &HoursSpan| {
        let text = write_hours_span(span);
        // A comma would end an item of a list.
        if text.contains(',') {
            quote(&text)
        } else {
            text
        }
    };
    let spans: Vec<_> = hours.spans.iter().map(span).collect();
    let text = match &spans[..] {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    if hours.grace_min == 0 {
        return text;
    }
    let grace = write_amount(f64::from(hours.grace_min) * 60.0, Dimension::Seconds);
    flow(&[format!("spans: {text}"), format!("grace: {grace}")])
}

fn cadence(cadence: &Cadence) -> String {
    let size = write_range((cadence.size.lo, cadence.size.hi), Dimension::Bytes);
    let mut parts = vec![format!("size: {size}")];
    parts.extend(coverage(&cadence.size));
    parts.push(format!(
        "every: {}",
        write_amount(cadence.period_s, Dimension::Seconds)
    ));
    parts.push(format!(
        "jitter: {}",
        write_amount(cadence.jitter_s, Dimension::Seconds)
    ));
    flow(&parts)
}

fn current(current: &Current) -> String {
    let amperes = |range: &Range| write_range((range.lo, range.hi), Dimension::Amperes);
    let mut parts = vec![
        format!("idle: {}", amperes(&current.idle)),
        format!("active: {}", amperes(&current.active)),
    ];
    parts.extend(coverage(&current.active));
    let limit = current
        .limit
        .map(|limit| write_amount(limit, Dimension::Amperes));
    parts.extend(limit.map(|limit| format!("limit: {limit}")));
    flow(&parts)
}

fn spindle(spindle: &Spindle) -> String {
    let mut rest = Vec::new();
    if !same(spindle.limit, spindle.range.hi) {
        rest.push(format!(
            "limit: {}",
            write_amount(spindle.limit, Dimension::Rpm)
        ));
    }
    short(rest, &spindle.range, Dimension::Rpm)
}

fn firmware(firmware: &Firmware) -> (String, String) {
    let mut parts = vec![format!("version: {}", scalar(&firmware.version))];
    match &firmware.digests[..] {
        [] => {}
        [one] => parts.push(format!("sha256: {one}")),
        many => parts.push(format!("sha256: [{}]", many.join(", "))),
    }
    parts.push(format!("released: {}", firmware.released));
    (firmware.version.clone(), flow(&parts))
}

fn detector(setting: DetectorSetting) -> String {
    match setting {
        DetectorSetting { off: true, .. } => "off".to_owned(),
        DetectorSetting {
            grade: Some(grade), ..
        } => format!("{{ grade: {grade} }}"),
        DetectorSetting { grade: None, .. } => "on".to_owned(),
    }
}
