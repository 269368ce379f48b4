//! What is enforced where: in which segments verdicts are answered by force, how fast devices may
//! be cut, and who answers for it.

use serde::Serialize;

use super::contract::{ENFORCED_IN, ENFORCEMENT, ENFORCER};
use super::{Inventory, Segment, segments};
use crate::grade::Grade;
use crate::identity::DeviceId;
use crate::problems::{Refusal, quoted};
use crate::quantity::{Dimension, amount};
use crate::time::Span;
use crate::yaml::{Node, Report, flow, listed, scalar};

/// How orders about the devices of a segment are treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enforced {
    /// Grades of verdicts that are answered by force, in order; the others are only said.
    pub grades: Vec<Grade>,
    /// Most devices that are cut within a minute.
    pub cuts_per_minute: usize,
    /// How long an enforcement point is given to answer.
    pub acknowledge_within: Span,
    /// How long a device is watched after its cut has lapsed.
    pub probation: Span,
}

impl Default for Enforced {
    fn default() -> Self {
        Self {
            grades: Grade::ALL.to_vec(),
            cuts_per_minute: 5,
            acknowledge_within: Span::from_secs(30),
            probation: Span::DAY,
        }
    }
}

/// An enforcement point that answers for segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enforcer {
    /// As whom it authenticates.
    pub id: DeviceId,
    /// Indices of its segments.
    pub segments: Vec<usize>,
}

/// The whole section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Enforcement {
    /// What holds where nothing else is written.
    pub usual: Enforced,
    /// What holds in some segments, by index.
    pub segments: Vec<(usize, Enforced)>,
    /// Who answers.
    pub enforcers: Vec<Enforcer>,
}

impl Enforcement {
    /// What holds in a segment; in one that the inventory does not list, what usually does.
    pub fn of(&self, segment: Option<usize>) -> &Enforced {
        let written = self.segments.iter().find(|(at, _)| Some(*at) == segment);
        written.map_or(&self.usual, |(_, enforced)| enforced)
    }

    /// Whether anybody answers for a segment.
    pub fn is_answered(&self, segment: usize) -> bool {
        self.enforcers.iter().any(|e| e.segments.contains(&segment))
    }

    /// Whether this enforcement point answers for a segment.
    pub fn may_answer(&self, enforcer: &str, segment: usize) -> bool {
        let found = self.enforcers.iter().find(|e| e.id.as_str() == enforcer);
        found.is_some_and(|enforcer| enforcer.segments.contains(&segment))
    }
}

impl Inventory {
    /// The lines of the section.
    pub(super) fn enforced(&self) -> Vec<String> {
        let name = |at: &usize| self.segments.get(*at).map(|s| scalar(&s.name));
        let Enforcement {
            usual,
            segments,
            enforcers,
        } = &self.enforcement;
        let mut lines: Vec<String> = rules(usual)
            .iter()
            .map(|rule| format!("  {rule}"))
            .collect();
        if !segments.is_empty() {
            lines.push("  segments:".to_owned());
        }
        for (at, enforced) in segments {
            let mut parts = vec![format!("segment: {}", name(at).unwrap_or_default())];
            parts.extend(rules(enforced));
            lines.push(format!("    - {}", flow(&parts)));
        }
        if !enforcers.is_empty() {
            lines.push("  enforcers:".to_owned());
        }
        for enforcer in enforcers {
            let answers: Vec<String> = enforcer.segments.iter().filter_map(name).collect();
            let parts = [
                format!("id: {}", scalar(enforcer.id.as_str())),
                format!("segments: {}", listed(&answers)),
            ];
            lines.push(format!("    - {}", flow(&parts)));
        }
        lines
    }
}

fn rules(enforced: &Enforced) -> [String; 4] {
    let grades: Vec<String> = enforced.grades.iter().map(ToString::to_string).collect();
    let enforce = if grades.is_empty() {
        "none".to_owned()
    } else {
        listed(&grades)
    };
    let seconds = |span: Span| format!("{} s", span.as_secs_f64());
    [
        format!("enforce: {enforce}"),
        format!("cuts_per_minute: {}", enforced.cuts_per_minute),
        format!(
            "acknowledge_within: {}",
            seconds(enforced.acknowledge_within)
        ),
        format!("probation: {}", seconds(enforced.probation)),
    ]
}

/// Reads the section; what is usual, if nothing is written.
pub(crate) fn read(
    node: Option<Node<'_>>,
    segments: &[Segment],
    report: &mut Report,
) -> Enforcement {
    let Some(node) = node else {
        return Enforcement::default();
    };
    if !report.fields(node, &ENFORCEMENT) {
        return Enforcement::default();
    }
    let usual = enforced(node, &Enforced::default(), report);
    let mut all = Enforcement {
        usual,
        ..Enforcement::default()
    };
    for item in items(node, "segments") {
        if !report.fields(item, &ENFORCED_IN) {
            continue;
        }
        let enforced = enforced(item, &all.usual, report);
        let name = item.get("segment");
        let Some(at) = report.read_if(name, |name| segments::index(name, segments)) else {
            continue;
        };
        if all.segments.iter().any(|(other, _)| *other == at) {
            let refusal = Refusal::new("the segment is written twice");
            report.value(name.unwrap_or(item), refusal.hint("Keep one of them."));
            continue;
        }
        all.segments.push((at, enforced));
    }
    for item in items(node, "enforcers") {
        if let Some(enforcer) = enforcer(item, &all.enforcers, segments, report) {
            all.enforcers.push(enforcer);
        }
    }
    all
}

fn items<'t>(node: Node<'t>, key: &str) -> Vec<Node<'t>> {
    node.get(key).map(Node::items).unwrap_or_default()
}

fn enforcer(
    item: Node<'_>,
    known: &[Enforcer],
    segments: &[Segment],
    report: &mut Report,
) -> Option<Enforcer> {
    if !report.fields(item, &ENFORCER) {
        return None;
    }
    let id = report.read_if(item.get("id"), |text| {
        DeviceId::new(text).map_err(|cause| Refusal::new(cause.replace("device id", "id")))
    });
    let node = item.get("segments");
    let mut answers = if node.and_then(Node::scalar) == Some("all") {
        (0..segments.len()).collect()
    } else {
        report.read_each(node, |name| segments::index(name, segments))
    };
    answers.sort_unstable();
    answers.dedup();
    let id = id?;
    if known.iter().any(|enforcer| enforcer.id == id) {
        let refusal = Refusal::new(format!("{} is written twice", quoted(id.as_str())));
        report.value(
            item.get("id").unwrap_or(item),
            refusal.hint("List all its segments in one place."),
        );
        return None;
    }
    Some(Enforcer {
        id,
        segments: answers,
    })
}

fn enforced(node: Node<'_>, usual: &Enforced, report: &mut Report) -> Enforced {
    let written = node.get("enforce");
    let mut grades = match written.and_then(Node::scalar) {
        Some("all") => Grade::ALL.to_vec(),
        Some("none") => Vec::new(),
        _ => report.read_each(written, grade),
    };
    grades.sort_unstable();
    grades.dedup();
    let cuts = report.read_if(node.get("cuts_per_minute"), cuts);
    let within = report.read_if(node.get("acknowledge_within"), |text| span(text, 1, 3_600));
    let probation = report.read_if(node.get("probation"), |text| span(text, 0, 30 * 86_400));
    Enforced {
        grades: if written.is_some() {
            grades
        } else {
            usual.grades.clone()
        },
        cuts_per_minute: cuts.unwrap_or(usual.cuts_per_minute),
        acknowledge_within: within.unwrap_or(usual.acknowledge_within),
        probation: probation.unwrap_or(usual.probation),
    }
}

fn grade(text: &str) -> Result<Grade, Refusal> {
    text.parse().map_err(|_| {
        Refusal::new(format!("{} is not a grade", quoted(text)))
            .hint("Write `all`, `none`, or grades among LOW, MEDIUM, HIGH and CRITICAL.")
    })
}

fn cuts(text: &str) -> Result<usize, Refusal> {
    let written = text.parse::<usize>().ok();
    written
        .filter(|n| (1..=100_000).contains(n))
        .ok_or_else(|| {
            Refusal::new(format!("{} is no number of devices", quoted(text)))
                .hint("Write 1 or more; to cut none, write `enforce: none`.")
        })
}

/// A span between these bounds, in seconds.
fn span(text: &str, least: i64, most: i64) -> Result<Span, Refusal> {
    let seconds = amount(text, Dimension::Seconds)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "out of bounds saturates and is refused"
    )]
    let span = Span::from_micros((seconds * 1e6) as i64);
    if (Span::from_secs(least)..=Span::from_secs(most)).contains(&span) {
        return Ok(span);
    }
    Err(Refusal::new(format!("{} is out of bounds", quoted(text)))
        .hint(format!("Between {least} s and {most} s are possible.")))
}
