//! The fields of a mapping: where each comes from, and whether they make a record together.

use super::contract::{FIELDS, FILLED};
use super::meant::meant;
use super::{Column, Field, Filled, Header, Origin, TimeFormat, units};
use crate::observation::Kind;
use crate::problems::{Refusal, quoted, suggestion};
use crate::quantity::{Dimension, amount};
use crate::time::{EventTime, Span};
use crate::yaml::{Node, Report};

/// What the fields are read with.
pub(super) struct Reader<'r> {
    pub(super) report: &'r mut Report,
    pub(super) header: Header,
    pub(super) kind: Option<Kind>,
    pub(super) has_zone: bool,
    pub(super) has_date: bool,
}

impl Reader<'_> {
    /// All of them, with what is wrong put into the report.
    pub(super) fn fields(&mut self, node: Node<'_>) -> Vec<Filled> {
        if !self.report.fields(node, &FIELDS) {
            return Vec::new();
        }
        for (field, entry) in written(node) {
            self.must_belong(field, entry);
        }
        self.must_be_enough(node);
        written(node)
            .filter_map(|(field, entry)| self.filled(field, entry))
            .collect()
    }

    /// A field of the other kind of record says that the kind, or the field, is a mistake.
    fn must_belong(&mut self, field: Field, entry: Node<'_>) {
        let (Some(kind), Some(own)) = (self.kind, field.kind()) else {
            return;
        };
        if kind != own {
            let cause = format!("`{}` is a field of a {own}, not of a {kind}", field.name());
            let hint = format!("Leave it out, or write `kind: {own}`.");
            self.report.key(entry, Refusal::new(cause).hint(hint));
        }
    }

    fn filled(&mut self, field: Field, node: Node<'_>) -> Option<Filled> {
        if !node.is_map() {
            let column = self.column(node)?;
            if field.is_time() {
                self.must_have_zone(node, &TimeFormat::Iso, false);
            }
            return Some(plain(field, Origin::Columns(vec![column])));
        }
        if !self.report.fields(node, &FILLED) {
            return None;
        }
        self.must_suit(field, node);
        let origin = self.origin(field, node);
        let read =
            |report: &mut Report, key| report.read_if(node.get(key), |text| meant(field, text));
        let default = read(self.report, "default");
        let otherwise = read(self.report, "otherwise");
        let values = self.values(field, node.get("values"));
        let factor = self.factor(field, node);
        let format = self.format(field, node, origin.as_ref());
        Some(Filled {
            default,
            otherwise,
            values,
            factor,
            magnitude: self.report.flag(node.get("magnitude")),
            format,
            ..plain(field, origin?)
        })
    }

    /// Keys that mean nothing for this field.
    fn must_suit(&mut self, field: Field, node: Node<'_>) {
        for entry in node.entries() {
            let suits = match entry.key() {
                "format" | "first" | "every" => field.is_time(),
                "values" | "otherwise" | "default" | "value" => !field.is_time(),
                "volts" => field == Field::CurrentA,
                "magnitude" => matches!(field, Field::CurrentA | Field::SpindleRpm),
                _ => true,
            };
            if !suits {
                let cause = format!("`{}` has no `{}:`", field.name(), entry.key());
                self.report
                    .key(entry, Refusal::new(cause).hint("Leave it out."));
            }
        }
        if let Some(otherwise) = node.get("otherwise")
            && node.get("values").is_none()
        {
            let refusal = Refusal::new("`otherwise:` stands without `values:`");
            let hint = "For empty cells write `default:`; for every row `value:`.";
            self.report.key(otherwise, refusal.hint(hint));
        }
    }

    fn origin(&mut self, field: Field, node: Node<'_>) -> Option<Origin> {
        let column = node.get("column");
        let value = node.get("value").filter(|_| !field.is_time());
        let (first, every) = (node.get("first"), node.get("every"));
        let counted = field.is_time() && (first.is_some() || every.is_some());
        let told = [column.is_some(), value.is_some(), counted];
        if told.iter().filter(|told| **told).count() != 1 {
            let hint = if field.is_time() {
                "Write `column:`, or `first:` and `every:` where rows bear no time."
            } else {
                "Write either `column:` or `value:`."
            };
            let cause = format!("`{}` must come from one place", field.name());
            self.report.value(node, Refusal::new(cause).hint(hint));
            return None;
        }
        if let Some(value) = value {
            let text = self.report.read(value, |text| meant(field, text))?;
            return Some(Origin::Value(text));
        }
        if counted {
            return self.counted(node);
        }
        let column = column?;
        let columns: Option<Vec<Column>> = column
            .items()
            .into_iter()
            .map(|item| self.column(item))
            .collect();
        let columns = columns?;
        if columns.is_empty() || (columns.len() > 1 && !field.is_time()) {
            let refusal = Refusal::new(format!("`{}` has {} columns", field.name(), columns.len()));
            self.report.value(column, refusal.hint("Write one column."));
            return None;
        }
        Some(Origin::Columns(columns))
    }

    fn counted(&mut self, node: Node<'_>) -> Option<Origin> {
        for key in ["first", "every"] {
            if node.get(key).is_none() {
                let refusal = Refusal::new(format!("`{key}:` is missing"));
                let hint = "Rows without a time need both `first:` and `every:`.";
                self.report.value(node, refusal.hint(hint));
            }
        }
        let first = self.report.read_if(node.get("first"), |text| {
            EventTime::parse(text)
                .map_err(|cause| Refusal::new(cause).hint("Write RFC 3339 with an offset."))
        });
        let every = self.report.read_if(node.get("every"), |text| {
            let seconds = amount(text, Dimension::Seconds)?;
            let micros = micros(seconds).filter(|micros| *micros > 0);
            micros.map(Span::from_micros).ok_or_else(|| {
                Refusal::new(format!("{} is no distance between rows", quoted(text)))
                    .hint("Write more than a microsecond and less than a year.")
            })
        });
        Some(Origin::Rows {
            first: first?,
            every: every?,
        })
    }

    fn column(&mut self, node: Node<'_>) -> Option<Column> {
        let header = &self.header;
        let name = self.report.text(node)?;
        match header {
            Header::FirstRow => Some(Column::Named(name.to_owned())),
            Header::Given(names) => {
                let at = names.iter().position(|other| other == name);
                if at.is_none() {
                    let cause = format!("no column is called {}", quoted(name));
                    let mut refusal = Refusal::new(cause);
                    refusal.hint = suggestion(name, names.iter().map(String::as_str));
                    self.report.value(node, refusal);
                }
                at.map(Column::At)
            }
            Header::None => {
                let number = name
                    .parse::<usize>()
                    .ok()
                    .filter(|n| (1..=10_000).contains(n));
                if number.is_none() {
                    let cause = format!("{} is no number of a column", quoted(name));
                    let hint = "Without a header columns go by number from 1; or list their names \
                                under `header:`.";
                    self.report.value(node, Refusal::new(cause).hint(hint));
                }
                number.map(|number| Column::At(number - 1))
            }
        }
    }
}

/// The fields that are written, in their own order.
fn written(node: Node<'_>) -> impl Iterator<Item = (Field, Node<'_>)> {
    Field::ALL
        .iter()
        .filter_map(move |field| Some((*field, node.get(field.name())?)))
}

fn plain(field: Field, origin: Origin) -> Filled {
    Filled {
        field,
        origin,
        default: None,
        values: Vec::new(),
        otherwise: None,
        factor: units::usual(field),
        magnitude: false,
        format: TimeFormat::Iso,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by a year")]
fn micros(seconds: f64) -> Option<i64> {
    (seconds < 366.0 * 86_400.0).then(|| (seconds * 1e6).round() as i64)
}
