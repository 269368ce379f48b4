//! Days without production, and declared maintenance.

use super::contract::MAINTENANCE;
use super::roll::Roll;
use super::{Maintenance, Segment, segments};
use crate::problems::{Refusal, quoted};
use crate::quantity::day_number;
use crate::time::{EventTime, PlantClock};
use crate::yaml::{Node, Report};

/// What maintenance windows refer to.
pub(crate) struct Known<'a> {
    /// The wall clock in which they are written.
    pub(crate) clock: &'a PlantClock,
    /// Segments by position.
    pub(crate) segments: &'a [Segment],
    /// Devices.
    pub(crate) roll: &'a Roll,
}

/// Holidays as days since 1970, in order.
pub(crate) fn holidays(node: Option<Node<'_>>, report: &mut Report) -> Vec<i32> {
    let mut days = report.read_each(node, day_number);
    days.sort_unstable();
    days.dedup();
    days
}

/// Maintenance windows in the order written.
pub(crate) fn maintenance(
    node: Option<Node<'_>>,
    known: &Known<'_>,
    report: &mut Report,
) -> Vec<Maintenance> {
    let items = node.map(Node::items).unwrap_or_default();
    items
        .into_iter()
        .filter_map(|item| window(item, known, report))
        .collect()
}

fn window(item: Node<'_>, known: &Known<'_>, report: &mut Report) -> Option<Maintenance> {
    if !report.fields(item, &MAINTENANCE) {
        return None;
    }
    let moment = |text: &str| moment(text, known.clock);
    let start = report.read_if(item.get("from"), moment);
    let end = report.read_if(item.get("to"), moment);
    let devices = report.read_each(item.get("devices"), |text| {
        let device = known.roll.by_id(&text.to_lowercase());
        device.map(|device| device.id.clone()).ok_or_else(|| {
            Refusal::new(format!("no device has the id {}", quoted(text)))
                .hint("List it under `devices:`, `servers:` or `gateways:`.")
        })
    });
    let segments = report.read_each(item.get("segments"), |name| {
        segments::index(name, known.segments)
    });
    let firmware = report.read_if(item.get("firmware"), |text| Ok(text.to_owned()));
    let reason = report.read_if(item.get("reason"), |text| Ok(text.to_owned()));
    let (start, end) = (start?, end?);
    if end <= start {
        let refusal = Refusal::new("the window ends before it begins");
        report.value(
            item.get("to").unwrap_or(item),
            refusal.hint("Write a later `to:`."),
        );
    }
    Some(Maintenance {
        start,
        end,
        devices,
        segments,
        firmware,
        reason: reason.unwrap_or_default(),
    })
}

/// `2025-12-20 06:00` in plant time, or RFC 3339 with an offset.
fn moment(text: &str, clock: &PlantClock) -> Result<EventTime, Refusal> {
    if let Ok(time) = EventTime::parse(text) {
        return Ok(time);
    }
    let refusal = || {
        Refusal::new(format!("{} is not a moment", quoted(text)))
            .hint("Write plant time as `2025-12-20 06:00`, or RFC 3339 with an offset.")
    };
    let (day, time) = text.split_once([' ', 'T']).ok_or_else(refusal)?;
    let (hour, minute) = time.split_once(':').ok_or_else(refusal)?;
    let two = |text: &str, below: u16| {
        let number = text
            .parse::<u16>()
            .ok()
            .filter(|n| *n < below && text.len() == 2);
        number.ok_or_else(refusal)
    };
    let minute = two(hour, 24)? * 60 + two(minute, 60)?;
    Ok(clock.moment(day_number(day)?, minute))
}
