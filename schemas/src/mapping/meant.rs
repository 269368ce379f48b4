//! What a mapping itself gives a field: constants, translations, units and formats; and whether
//! the fields are enough for a record.

use super::fields::Reader;
use super::{Field, Origin, TimeFormat, times, units};
use crate::observation::{ByteKind, ConnState, Kind, Transport};
use crate::problems::{Refusal, quoted};
use crate::yaml::Node;

impl Reader<'_> {
    /// Whether a record can be made of these fields at all.
    pub(super) fn must_be_enough(&mut self, node: Node<'_>) {
        let has = |field: Field| node.get(field.name()).is_some();
        let mut missing: Vec<(&str, &str)> = Vec::new();
        match self.kind {
            Some(Kind::Flow) => {
                if !has(Field::Time) && !has(Field::Start) {
                    missing.push((
                        "no moment",
                        "Write `time:` for the end of a flow, or `start:`.",
                    ));
                }
                if has(Field::Time) && has(Field::Start) && has(Field::Duration) {
                    missing.push((
                        "the end of a flow is told twice",
                        "Leave out one of `time:`, `start:` and `duration:`.",
                    ));
                }
                for (field, hint) in [
                    (
                        Field::Orig,
                        "Write `orig:`, the column of who opened a flow.",
                    ),
                    (
                        Field::Resp,
                        "Write `resp:`, the column of who was connected to.",
                    ),
                    (
                        Field::Transport,
                        "Write `transport:`, or `transport: { value: tcp }` if all are.",
                    ),
                ] {
                    if !has(field) {
                        missing.push(("a flow lacks what it cannot be without", hint));
                    }
                }
                let sides = usize::from(has(Field::OrigBytes)) + usize::from(has(Field::RespBytes));
                if has(Field::TotalBytes) && sides != 1 {
                    missing.push((
                        "`total_bytes` is told beside exactly one direction",
                        "Write `orig_bytes:` or `resp_bytes:` as well, not both.",
                    ));
                }
            }
            Some(Kind::Reading) => {
                if !has(Field::Time) {
                    missing.push(("no moment", "Write `time:`, the column of the moment."));
                }
                if !has(Field::Device) {
                    missing.push((
                        "no device",
                        "Write `device:`, or `device: { value: cnc-1 }` if there is one.",
                    ));
                }
                if !has(Field::CurrentA) && !has(Field::SpindleRpm) {
                    missing.push((
                        "nothing is measured",
                        "Write `current_a:` or `spindle_rpm:`.",
                    ));
                }
            }
            _ => {}
        }
        for (cause, hint) in missing {
            self.report.key(node, Refusal::new(cause).hint(hint));
        }
    }

    pub(super) fn values(&mut self, field: Field, node: Option<Node<'_>>) -> Vec<(String, String)> {
        let Some(node) = node else {
            return Vec::new();
        };
        if !self.report.mapping(node, "values: { CON: answered }") {
            return Vec::new();
        }
        node.entries()
            .filter_map(|entry| {
                let meant = self.report.read(entry, |text| meant(field, text))?;
                Some((entry.key().to_owned(), meant))
            })
            .collect()
    }

    pub(super) fn factor(&mut self, field: Field, node: Node<'_>) -> f64 {
        let unit = node.get("unit");
        let volts = node.get("volts");
        let factor = self
            .report
            .read_if(unit, |unit| units::factor(field, unit))
            .unwrap_or(units::usual(field));
        let is_power = unit.and_then(Node::scalar).is_some_and(units::is_power);
        let volts = match (volts, is_power) {
            (Some(volts), true) => self.report.read(volts, |text| {
                let number = text.parse::<f64>().ok().filter(|v| (0.1..=1e6).contains(v));
                number.ok_or_else(|| {
                    Refusal::new(format!("{} is no voltage", quoted(text)))
                        .hint("Write volts as a number, such as 230.")
                })
            }),
            (Some(volts), false) => {
                let refusal = Refusal::new("`volts:` stands without a unit of power");
                self.report
                    .key(volts, refusal.hint("Write `unit: W`, or leave it out."));
                None
            }
            (None, true) => {
                let refusal = Refusal::new("watts are no amperes without a voltage");
                let hint = "Write `volts:`, for instance 230.";
                self.report.value(unit.unwrap_or(node), refusal.hint(hint));
                None
            }
            (None, false) => None,
        };
        factor / volts.unwrap_or(1.0)
    }

    pub(super) fn format(
        &mut self,
        field: Field,
        node: Node<'_>,
        origin: Option<&Origin>,
    ) -> TimeFormat {
        if !field.is_time() {
            return TimeFormat::Iso;
        }
        let written = node.get("format");
        let read = match written {
            Some(format) => match self.report.read(format, times::format) {
                Some(read) => read,
                None => return TimeFormat::Iso,
            },
            None => (TimeFormat::Iso, false),
        };
        if matches!(origin, Some(Origin::Columns(_))) {
            let (format, absolute) = &read;
            self.must_have_zone(written.unwrap_or(node), format, *absolute);
        }
        read.0
    }

    pub(super) fn must_have_zone(&mut self, node: Node<'_>, format: &TimeFormat, absolute: bool) {
        let dated = !matches!(format, TimeFormat::Pattern { dated: false, .. });
        if !dated && !self.has_date {
            let refusal = Refusal::new("its times bear no date, and `date:` is not written");
            let hint = "Write the day of the first row, for instance `date: 2018-12-18`.";
            self.report.value(node, refusal.hint(hint));
        }
        // ISO times may bear an offset each; whether they do shows in the rows.
        if !absolute && !matches!(format, TimeFormat::Iso) && !self.has_zone {
            let refusal = Refusal::new("its times bear no offset, and `zone:` is not written");
            let hint = "Write the zone of the recorder's clock, such as `zone: Europe/Berlin` or \
                        `zone: UTC`.";
            self.report.value(node, refusal.hint(hint));
        }
    }
}

/// A text that a field is given by the mapping itself: what it cannot mean is told here, and not
/// in every row.
pub(super) fn meant(field: Field, text: &str) -> Result<String, Refusal> {
    let cannot = |hint: &str| {
        Refusal::new(format!("`{}` cannot be {}", field.name(), quoted(text))).hint(hint)
    };
    let fits = match field {
        Field::Orig | Field::Resp => text
            .parse::<std::net::IpAddr>()
            .map(drop)
            .map_err(|_| cannot("Write an IP address.")),
        Field::OrigPort | Field::RespPort => text
            .parse::<u16>()
            .map(drop)
            .map_err(|_| cannot("Write a port from 0 to 65535.")),
        Field::Bytes => text
            .parse::<ByteKind>()
            .map(drop)
            .map_err(|_| cannot("Write payload, ip or frame.")),
        Field::State => text
            .parse::<ConnState>()
            .map(drop)
            .map_err(|_| cannot("Write attempt, rejected, answered or unknown.")),
        Field::Transport => text
            .parse::<Transport>()
            .map(drop)
            .map_err(|_| cannot("Write tcp, udp, icmp or other.")),
        Field::Device => crate::identity::DeviceId::new(text)
            .map(drop)
            .map_err(|_| cannot("Write the id of a device.")),
        Field::Duration
        | Field::OrigBytes
        | Field::RespBytes
        | Field::TotalBytes
        | Field::CurrentA
        | Field::SpindleRpm => match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(()),
            _ => Err(cannot("Write a number without a unit; `unit:` says it.")),
        },
        _ => Ok(()),
    };
    fits.map(|()| text.to_owned())
}
