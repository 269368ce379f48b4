//! How much, how often and when: volume, connections, hours and cadence.

use super::contract::{ACTIVE_HOURS, CADENCE, COUNTED, UPLOAD, VOLUME};
use super::read::{Layers, coverage, covered, positive};
use super::{COVERAGE_DEFAULT, Cadence, Hours, Range, Volume};
use crate::observation::ByteKind;
use crate::problems::{Refusal, quoted};
use crate::quantity::{Dimension, amount, hours_span};
use crate::yaml::{Node, Report};

/// The one-row rule fires at this many times the upper end, unless written.
const MULTIPLE_DEFAULT: f64 = 3.0;

/// Standard deviation of the period, as a share of it, unless written.
const JITTER_DEFAULT: f64 = 0.05;

/// The rhythm of a polled device.
pub(crate) fn cadence(layers: &Layers<'_>, report: &mut Report) -> Option<Cadence> {
    let node = layers.get("cadence")?;
    if !report.mapping(node, "{ size: 2 KB, every: 5 s }") {
        return None;
    }
    let fields = layers.fields("cadence", &CADENCE, report);
    let coverage = coverage(fields.get("coverage"), report);
    let size_node = fields.must("size", "2 KB", report);
    let size = covered(size_node, Dimension::Bytes, coverage, report);
    let every = fields.must("every", "5 s", report);
    let period_s = report.read_if(every, |text| positive(text, Dimension::Seconds));
    let jitter_s = report.read_if(fields.get("jitter"), |text| {
        amount(text, Dimension::Seconds)
    });
    if let (Some(size), Some(node)) = (&size, size_node)
        && size.lo <= 0.0
    {
        let refusal = Refusal::new("the size of a message begins at 0");
        report.value(
            node,
            refusal.hint("Write the smallest message that is sent."),
        );
    }
    let (size, period_s) = (size?, period_s?);
    let jitter_s = jitter_s.unwrap_or(JITTER_DEFAULT * period_s);
    if jitter_s >= period_s {
        let refusal = Refusal::new("the jitter is not smaller than the period");
        report.value(
            fields.get("jitter")?,
            refusal.hint("A cadence this loose is none."),
        );
    }
    Some(Cadence {
        size,
        period_s,
        jitter_s,
    })
}

/// The hourly volume: written, or what the cadence makes in an hour.
pub(crate) fn volume(
    layers: &Layers<'_>,
    cadence: Option<&Cadence>,
    report: &mut Report,
) -> Option<Volume> {
    let node = layers.get("volume_per_hour");
    let derived = cadence.map(|cadence| {
        let per_hour = 3600.0 / cadence.period_s;
        Range {
            lo: cadence.size.lo * per_hour,
            hi: cadence.size.hi * per_hour,
            coverage: cadence.size.coverage,
        }
    });
    let fields = layers.fields("volume_per_hour", &VOLUME, report);
    let coverage = coverage(fields.get("coverage"), report);
    let written = match node {
        Some(node) if node.is_map() => fields.get("range"),
        other => other,
    };
    let range = match written {
        Some(written) => covered(Some(written), Dimension::Bytes, coverage, report),
        None => derived,
    };
    if let (Some(node), None, None) = (node, written, &derived) {
        let refusal = Refusal::new("`range:` is missing");
        report.key(node, refusal.hint("Write for instance `range: 50-150 MB`."));
    }
    let bytes = report.read_if(fields.get("bytes"), |text| {
        text.parse::<ByteKind>().map_err(Refusal::new)
    });
    let rule = Rule::read(&fields, report);
    let baseline = baseline(&fields, range.as_ref(), written, report);
    let range = range?;
    let (rule_bytes, absolute) = rule.above(&range, report);
    Some(Volume {
        range,
        bytes: bytes.unwrap_or_default(),
        rule_bytes,
        absolute,
        baseline: baseline.unwrap_or((range.lo * range.hi).sqrt()),
    })
}

/// The written baseline, which must be one that the range can have; none is needed where the
/// range has a geometric middle.
fn baseline(
    fields: &Layers<'_>,
    range: Option<&Range>,
    written: Option<Node<'_>>,
    report: &mut Report,
) -> Option<f64> {
    let node = fields.get("baseline");
    let baseline = report.read_if(node, |text| positive(text, Dimension::Bytes));
    let range = range?;
    if let (None, Some(written)) = (node, written)
        && range.lo <= 0.0
    {
        let refusal = Refusal::new("a volume that begins at 0 has no geometric middle");
        let hint = "Write `{ range: …, baseline: … }` with a typical hour, or a lower end above 0.";
        report.value(written, refusal.hint(hint));
    }
    if let (Some(baseline), Some(node)) = (baseline, node)
        && !(range.lo..=range.hi).contains(&baseline)
    {
        let refusal = Refusal::new("the baseline lies outside the range");
        report.value(
            node,
            refusal.hint("Write a typical hour, one within the range."),
        );
    }
    baseline
}

/// What is written about the one-row rule.
struct Rule<'t> {
    multiple: f64,
    limit: Option<(f64, Node<'t>)>,
}

impl<'t> Rule<'t> {
    fn read(fields: &Layers<'t>, report: &mut Report) -> Self {
        let multiple = report.read_if(fields.get("multiple"), |text| {
            let number = text.trim_end_matches(['x', '×']);
            match amount(number, Dimension::Count)? {
                times if times > 1.0 => Ok(times),
                _ => Err(Refusal::new(format!(
                    "multiple {} is not above 1",
                    quoted(text)
                ))),
            }
        });
        let node = fields.get("limit");
        let limit = report
            .read_if(node, |text| positive(text, Dimension::Bytes))
            .zip(node);
        if let (Some(_), Some(node)) = (fields.get("multiple"), node) {
            let refusal = Refusal::new("both a limit and a multiple are written");
            report.key(node, refusal.hint("Keep one of them."));
        }
        Self {
            multiple: multiple.unwrap_or(MULTIPLE_DEFAULT),
            limit,
        }
    }

    /// Above how many bytes the rule fires, and whether that was written as such.
    fn above(&self, range: &Range, report: &mut Report) -> (f64, bool) {
        let Some((limit, node)) = self.limit else {
            return (self.multiple * range.hi, false);
        };
        if limit < range.hi {
            let refusal = Refusal::new("the limit lies below the upper end of the range");
            let hint = "Honest hours may lie outside a range; an absolute limit must lie above it.";
            report.value(node, refusal.hint(hint));
        }
        (limit, true)
    }
}

/// The share of bytes that go up.
pub(crate) fn upload(layers: &Layers<'_>, report: &mut Report) -> Option<Range> {
    let node = layers.get("upload_share")?;
    let fields = layers.fields("upload_share", &UPLOAD, report);
    let coverage = coverage(fields.get("coverage"), report);
    let written = if node.is_map() {
        fields.must("range", "5-15 %", report)?
    } else {
        node
    };
    let range = covered(Some(written), Dimension::Share, coverage, report)?;
    if range.lo <= 0.0 || range.hi >= 1.0 {
        let refusal = Refusal::new("an upload share that reaches 0 % or 100 % has no middle");
        let hint = "Write what honest hours show, for instance `0.5-15 %`.";
        report.value(written, refusal.hint(hint));
        return None;
    }
    Some(range)
}

/// New connections per hour.
pub(crate) fn connections(layers: &Layers<'_>, report: &mut Report) -> Option<Range> {
    let node = layers.get("connections_per_hour")?;
    if !node.is_map() {
        return covered(Some(node), Dimension::Count, COVERAGE_DEFAULT, report);
    }
    let fields = layers.fields("connections_per_hour", &COUNTED, report);
    let coverage = coverage(fields.get("coverage"), report);
    covered(
        fields.must("range", "10-50", report),
        Dimension::Count,
        coverage,
        report,
    )
}

/// The active hours.
pub(crate) fn hours(layers: &Layers<'_>, report: &mut Report) -> Option<Hours> {
    let node = layers.get("active_hours")?;
    let fields = layers.fields("active_hours", &ACTIVE_HOURS, report);
    let spans_node = if node.is_map() {
        fields.must("spans", "Mon-Fri 06:00-22:00", report)?
    } else {
        node
    };
    let spans = report.read_each(Some(spans_node), hours_span);
    if spans_node.is_list() && spans_node.items().is_empty() {
        let refusal = Refusal::new("no hours are written");
        report.value(
            spans_node,
            refusal.hint("Write `always` or leave the key out."),
        );
    }
    let grace_min = report.read_if(fields.get("grace"), grace).unwrap_or(0);
    (!spans.is_empty()).then_some(Hours { spans, grace_min })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded to 0…360 before the conversion"
)]
fn grace(text: &str) -> Result<u16, Refusal> {
    let minutes = amount(text, Dimension::Seconds)? / 60.0;
    if minutes > 360.0 || minutes.fract() != 0.0 {
        let cause = format!(
            "grace {} is not a whole number of minutes up to 6 h",
            quoted(text)
        );
        return Err(Refusal::new(cause).hint("Write for instance `15 min`."));
    }
    Ok(minutes as u16)
}
