//! What the sensors of a machine show together and how long they may show the same: the current
//! at a speed of the spindle, and the time after which a value that does not change is no value.

use serde::Serialize;

use super::Range;
use super::contract::{AMPERES, COVERAGE, PERIOD};
use super::read::{Layers, coverage, covered, positive, span};
use super::write;
use crate::problems::Refusal;
use crate::quantity::{Dimension, range, write_amount, write_range};
use crate::time::Span;
use crate::yaml::{Key, Node, Report, Section, Shape, flow};

pub(super) const LOAD: Section = Section {
    keys: &[
        Key::must(
            "speed",
            Shape::Text(&["0-100 rpm", "2500-3300 rpm"]),
            "the speeds that this current goes with",
        ),
        Key::must(
            "current",
            AMPERES,
            "the current of a sample at such a speed",
        ),
        Key::new(
            "mean",
            AMPERES,
            "the mean current of a quarter of an hour at such a speed, from one to another",
        ),
        COVERAGE,
    ],
};

pub(super) const FROZEN: Section = Section {
    keys: &[
        Key::new("idle", PERIOD, "the current of a machine that idles"),
        Key::new("active", PERIOD, "the current of a machine that works"),
        Key::new("turning", PERIOD, "the speed of a spindle that turns"),
    ],
};

/// The current that goes with some speeds of the spindle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    /// Lowest of these speeds, revolutions per minute.
    pub from_rpm: f64,
    /// Highest of them.
    pub to_rpm: f64,
    /// Amperes of a sample at such a speed.
    pub current: Range,
    /// Amperes in the mean of a quarter of an hour, both ends above 0; if written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Range>,
}

/// How long a sensor may show exactly the same value, by what that value says; what is not
/// written may be shown for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Frozen {
    /// The current of a machine that idles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Span>,
    /// The current of one that works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Span>,
    /// The speed of a spindle that turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turning: Option<Span>,
}

/// The current at speeds of the spindle, in order of speed.
pub(crate) fn load(node: Option<Node<'_>>, report: &mut Report) -> Vec<Load> {
    let mut loads: Vec<Load> = Vec::new();
    for item in node.map(Node::items).unwrap_or_default() {
        if !report.fields(item, &LOAD) {
            continue;
        }
        let coverage = coverage(item.get("coverage"), report);
        let speed = report.read_if(item.get("speed"), |text| range(text, Dimension::Rpm));
        let current = covered(item.get("current"), Dimension::Amperes, coverage, report);
        let mean = covered(item.get("mean"), Dimension::Amperes, coverage, report);
        if let Some(mean) = mean
            && (mean.lo <= 0.0 || mean.hi <= mean.lo)
        {
            let refusal = Refusal::new("the mean has no width above 0 A");
            let hint = "No two quarters of an hour are alike; write for instance `18-25 A`.";
            report.value(item, refusal.hint(hint));
            continue;
        }
        let (Some((from_rpm, to_rpm)), Some(current)) = (speed, current) else {
            continue;
        };
        let overlaps = |other: &&Load| from_rpm < other.to_rpm && other.from_rpm < to_rpm;
        if let Some(other) = loads.iter().find(overlaps) {
            let cause = format!(
                "these speeds overlap with {}-{} rpm",
                other.from_rpm, other.to_rpm
            );
            let hint = "A speed goes with one current: let each begin where the one before ends, or above.";
            report.value(item, Refusal::new(cause).hint(hint));
            continue;
        }
        loads.push(Load {
            from_rpm,
            to_rpm,
            current,
            mean,
        });
    }
    loads.sort_by(|a, b| a.from_rpm.total_cmp(&b.from_rpm));
    loads
}

/// How long a sensor may show the same value.
pub(crate) fn frozen(layers: &Layers<'_>, report: &mut Report) -> Option<Frozen> {
    let node = layers.get("frozen")?;
    if !report.mapping(node, "{ idle: 10 min, active: 5 min }") {
        return None;
    }
    let fields = layers.fields("frozen", &FROZEN, report);
    let mut limit = |key: &str| {
        report.read_if(fields.get(key), |text| {
            Ok(span(positive(text, Dimension::Seconds)?))
        })
    };
    Some(Frozen {
        idle: limit("idle"),
        active: limit("active"),
        turning: limit("turning"),
    })
}

impl Load {
    /// Whether these are the speeds of a spindle at rest.
    pub fn is_standing(&self) -> bool {
        self.from_rpm <= 0.0
    }

    /// What tells it from its siblings, and it as a profile writes it, on one line.
    pub(super) fn to_text(self) -> (String, String) {
        let amperes = |range: &Range| write_range((range.lo, range.hi), Dimension::Amperes);
        let speed = write_range((self.from_rpm, self.to_rpm), Dimension::Rpm);
        let mut parts = vec![
            format!("speed: {speed}"),
            format!("current: {}", amperes(&self.current)),
        ];
        parts.extend(self.mean.map(|mean| format!("mean: {}", amperes(&mean))));
        parts.extend(write::coverage(&self.current));
        (speed, flow(&parts))
    }
}

impl Frozen {
    /// Samples farther apart than this, and than the limit, do not say that a value was kept.
    pub const APART: Span = Span::from_secs(300);

    /// It as a profile writes it, on one line.
    pub(super) fn to_text(self) -> String {
        let limits = [
            ("idle", self.idle),
            ("active", self.active),
            ("turning", self.turning),
        ];
        let written = limits.into_iter().filter_map(|(key, limit)| {
            let limit = duration(limit?);
            Some(format!("{key}: {limit}"))
        });
        flow(&written.collect::<Vec<_>>())
    }
}

/// A span in words.
pub(super) fn duration(span: Span) -> String {
    write_amount(span.as_secs_f64(), Dimension::Seconds)
}
