//! Layers of written fields to the checked form. A field is taken from the nearest layer that
//! writes it; a mapping of fields (`current:`, `scan:`, …) is itself layered. `none` takes a field
//! of the base away.

use std::collections::BTreeMap;

use super::contract::{CALIBRATION, DETECTOR, SCAN};
use super::{
    Calibration, DetectorSetting, Profile, ScanLimits, behaviour, commands, learned,
    learned_shares, sensors, state, talk,
};
use crate::grade::Grade;
use crate::problems::{Refusal, quoted, suggestion};
use crate::quantity::{Dimension, amount, range};
use crate::time::Span;
use crate::yaml::{Node, Report, Section};

/// The fan-out that is still normal where a profile writes none: controllers talk to a handful of
/// hosts, and a handful of misses (a server that restarts) is no search.
const SCAN_DEFAULT: ScanLimits = ScanLimits {
    hosts: 10,
    ports: 20,
    failed: 20,
};

/// Mappings in which a field is looked for, nearest first.
#[derive(Debug)]
pub(crate) struct Layers<'t>(Vec<Node<'t>>);

impl<'t> Layers<'t> {
    /// From nearest to farthest.
    pub(crate) fn new(nodes: Vec<Node<'t>>) -> Self {
        Self(nodes)
    }

    /// The nearest node under a key; `none` counts as nothing.
    pub(crate) fn get(&self, key: &str) -> Option<Node<'t>> {
        let node = self.0.iter().find_map(|layer| layer.get(key))?;
        (node.scalar() != Some("none")).then_some(node)
    }

    /// The layers of a mapping under a key: the nearest, and those behind it as long as they are
    /// mappings too. Empty if there is none or if the nearest is something else.
    pub(crate) fn under(&self, key: &str) -> Self {
        let nodes = self.0.iter().filter_map(|layer| layer.get(key));
        Self(nodes.take_while(|node| node.is_map()).collect())
    }

    /// The same, with the keys of each layer checked against a section.
    pub(crate) fn fields(&self, key: &str, section: &Section, report: &mut Report) -> Self {
        let layers = self.under(key);
        for layer in &layers.0 {
            report.fields(*layer, section);
        }
        layers
    }

    fn nearest(&self) -> Option<Node<'t>> {
        self.0.first().copied()
    }

    /// A required field of this mapping; reports that it is missing.
    pub(crate) fn must(&self, key: &str, example: &str, report: &mut Report) -> Option<Node<'t>> {
        let node = self.get(key);
        if let (None, Some(nearest)) = (node, self.nearest()) {
            let refusal = Refusal::new(format!("`{key}:` is missing"));
            report.key(
                nearest,
                refusal.hint(format!("Write for instance `{key}: {example}`.")),
            );
        }
        node
    }
}

/// The profile that these layers make. What cannot be read is reported and left out.
pub(crate) fn profile(
    name: &str,
    layers: &Layers<'_>,
    known_detectors: &[&str],
    report: &mut Report,
) -> Profile {
    let own = layers.nearest();
    let text = |key: &str, report: &mut Report| {
        let node = own.and_then(|top| top.get(key))?;
        report.text(node).map(str::to_owned)
    };
    let cadence = behaviour::cadence(layers, report);
    Profile {
        name: name.to_owned(),
        version: text("version", report).unwrap_or_default(),
        description: text("description", report).unwrap_or_default(),
        extends: Vec::new(),
        hash: String::new(),
        controller: report.flag(layers.get("controller")),
        destinations: talk::destinations(layers.get("destinations"), report),
        clients: talk::destinations(layers.get("clients"), report),
        protocols: talk::protocols(layers.get("protocols"), report),
        commands: commands::commands(layers, report),
        volume: behaviour::volume(layers, cadence.as_ref(), report),
        upload: behaviour::upload(layers, report),
        connections: behaviour::connections(layers, report),
        hours: behaviour::hours(layers, report),
        cadence,
        current: state::current(layers, report),
        spindle: state::spindle(layers, report),
        load: sensors::load(layers.get("load"), report),
        frozen: sensors::frozen(layers, report),
        firmware: state::firmware(layers.get("firmware"), report),
        scan: scan(layers, report),
        silence: silence(layers, report),
        detectors: detectors(layers, known_detectors, report),
        calibration: calibration(own, report),
        learned: learned::learned(own, report),
        learned_shares: learned_shares::learned_shares(own, report),
    }
}

/// The calibration that this very profile writes: what it extends was measured on other devices.
fn calibration(own: Option<Node<'_>>, report: &mut Report) -> Option<Calibration> {
    let node = own?.get("calibration")?;
    if node.scalar() == Some("none") {
        return None;
    }
    let example = "{ discount: 10, device_hours: 58800, false_positives: 0.1 %, confidence: 95 % }";
    if !report.mapping(node, example) {
        return None;
    }
    report.fields(node, &CALIBRATION);
    let fields = Layers(vec![node]);
    let discount = fields.get("discount");
    let discount = report.read_if(discount, |text| match amount(text, Dimension::Count)? {
        value if (1.0..=1e6).contains(&value) => Ok(value),
        _ => {
            let cause = format!("discount {} is not between 1 and 1,000,000", quoted(text));
            let hint = "Evidence may count for less than it is, never for more.";
            Err(Refusal::new(cause).hint(hint))
        }
    });
    let hours = fields.get("device_hours");
    let device_hours = report.read_if(hours, |text| {
        let plain: String = text.chars().filter(|c| !matches!(c, ',' | '_')).collect();
        whole_count(&plain)
    });
    let mut share = |key: &str| {
        report.read_if(fields.get(key), |text| {
            match amount(text, Dimension::Share)? {
                share if share > 0.0 && share < 1.0 => Ok(share),
                _ => Err(Refusal::new(format!(
                    "{} is not between 0 % and 100 %",
                    quoted(text)
                ))),
            }
        })
    };
    let false_positives = share("false_positives");
    let confidence = share("confidence");
    Some(Calibration {
        discount: discount?,
        device_hours: u64::from(device_hours?),
        false_positives: false_positives?,
        confidence: confidence?,
    })
}

fn scan(layers: &Layers<'_>, report: &mut Report) -> ScanLimits {
    if let Some(node) = layers.get("scan") {
        report.mapping(node, "{ hosts: 10, failed: 20 }");
    }
    let fields = layers.fields("scan", &SCAN, report);
    let mut limit = |key: &str, default: u32| {
        report
            .read_if(fields.get(key), whole_count)
            .unwrap_or(default)
    };
    ScanLimits {
        hosts: limit("hosts", SCAN_DEFAULT.hosts),
        ports: limit("ports", SCAN_DEFAULT.ports),
        failed: limit("failed", SCAN_DEFAULT.failed),
    }
}

fn whole_count(text: &str) -> Result<u32, Refusal> {
    text.parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| Refusal::new(format!("{} is not a whole number above 0", quoted(text))))
}

fn silence(layers: &Layers<'_>, report: &mut Report) -> Option<Span> {
    report.read_if(layers.get("silence"), |text| {
        let seconds = positive(text, Dimension::Seconds)?;
        Ok(span(seconds))
    })
}

/// A span of so many seconds, to the microsecond.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float beyond i64 saturates, and so does a span"
)]
pub(crate) fn span(seconds: f64) -> Span {
    Span::from_micros((seconds * 1e6).round() as i64)
}

fn detectors(
    layers: &Layers<'_>,
    known: &[&str],
    report: &mut Report,
) -> BTreeMap<String, DetectorSetting> {
    let mut settings = BTreeMap::new();
    if let Some(node) = layers.get("detectors") {
        report.mapping(node, "{ off_hours: { grade: MEDIUM } }");
    }
    for layer in &layers.under("detectors").0 {
        for entry in layer.entries() {
            let name = entry.key();
            if !known.contains(&name) {
                let cause = format!("no detector has the name {}", quoted(name));
                let mut refusal = Refusal::new(cause);
                refusal.hint = suggestion(name, known.iter().copied());
                report.key(entry, refusal);
            } else if !settings.contains_key(name)
                && let Some(setting) = detector(entry, report)
            {
                settings.insert(name.to_owned(), setting);
            }
        }
    }
    settings
}

fn detector(entry: Node<'_>, report: &mut Report) -> Option<DetectorSetting> {
    if entry.is_map() {
        report.fields(entry, &DETECTOR);
        let grade = report.read_if(entry.get("grade"), |text| {
            text.parse::<Grade>().map_err(Refusal::new)
        });
        return Some(DetectorSetting { off: false, grade });
    }
    let off = report.read(entry, |text| match text {
        "off" => Ok(true),
        "on" => Ok(false),
        other => {
            let cause = format!("{} is neither `on` nor `off`", quoted(other));
            Err(Refusal::new(cause).hint("A grade is written `{ grade: MEDIUM }`."))
        }
    })?;
    Some(DetectorSetting { off, grade: None })
}

/// A quantity above zero.
pub(crate) fn positive(text: &str, dimension: Dimension) -> Result<f64, Refusal> {
    let value = amount(text, dimension)?;
    if value > 0.0 {
        return Ok(value);
    }
    Err(Refusal::new(format!("{} is not above 0", quoted(text))))
}

/// A share strictly between 0 and 1.
pub(crate) fn coverage(node: Option<Node<'_>>, report: &mut Report) -> f64 {
    let read = report.read_if(node, |text| match amount(text, Dimension::Share)? {
        share if share > 0.0 && share < 1.0 => Ok(share),
        _ => {
            let cause = format!("coverage {} is not between 0 % and 100 %", quoted(text));
            let hint = "No range holds every honest value; write for instance `95 %`.";
            Err(Refusal::new(cause).hint(hint))
        }
    });
    read.unwrap_or(super::COVERAGE_DEFAULT)
}

/// A range with the coverage that stands beside it.
pub(crate) fn covered(
    node: Option<Node<'_>>,
    dimension: Dimension,
    coverage: f64,
    report: &mut Report,
) -> Option<super::Range> {
    let (lo, hi) = report.read_if(node, |text| range(text, dimension))?;
    Some(super::Range { lo, hi, coverage })
}
