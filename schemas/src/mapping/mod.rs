//! A mapping: what the columns of a CSV mean, as a person writes it beside the file.
//!
//! ```yaml
//! kind: flow
//! zone: Europe/Prague
//! fields:
//!   start: { column: StartTime, format: "%Y/%m/%d %H:%M:%S%.f" }
//!   duration: { column: Dur, unit: s }
//!   transport: Proto
//!   orig: SrcAddr
//!   resp: DstAddr
//!   bytes: { value: frame }
//! ```
//!
//! A field alone is the name of its column. The reader of captures applies it, row by row.

mod contract;
mod fields;
mod meant;
mod read;
#[cfg(test)]
mod tests;
mod times;
mod units;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::observation::Kind;
use crate::time::{EventTime, Span};

pub use contract::json_schema;
pub use read::parse;

/// Names the fields, in the order of a record.
macro_rules! fields {
    ($($field:ident => $name:literal,)+) => {
        /// A field of a record that a column can hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the file format describes each under its name")]
        pub enum Field {
            $($field,)+
        }

        impl Field {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$field,)+];

            /// As it is written in a mapping.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)+
                }
            }
        }
    };
}

fields! {
    Time => "time",
    Start => "start",
    Duration => "duration",
    Device => "device",
    Orig => "orig",
    OrigPort => "orig_port",
    Resp => "resp",
    RespPort => "resp_port",
    RespName => "resp_name",
    Transport => "transport",
    Service => "service",
    OrigBytes => "orig_bytes",
    RespBytes => "resp_bytes",
    TotalBytes => "total_bytes",
    Bytes => "bytes",
    State => "state",
    Uid => "uid",
    CurrentA => "current_a",
    SpindleRpm => "spindle_rpm",
}

impl Field {
    /// The kind of record it belongs to; `None` if to both.
    pub(crate) const fn kind(self) -> Option<Kind> {
        match self {
            Self::Time => None,
            Self::Device | Self::CurrentA | Self::SpindleRpm => Some(Kind::Reading),
            _ => Some(Kind::Flow),
        }
    }

    /// Whether it is a moment.
    pub(crate) const fn is_time(self) -> bool {
        matches!(self, Self::Time | Self::Start)
    }
}

/// Which column a field stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The one of this name.
    Named(String),
    /// The one at this place, from 0.
    At(usize),
}

impl std::fmt::Display for Column {
    /// As a person calls it: its name, or its number from 1.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => write!(f, "`{name}`"),
            Self::At(at) => write!(f, "{}", at + 1),
        }
    }
}

/// Where the names of columns come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// From the first row.
    FirstRow,
    /// From the mapping; the first row is data.
    Given(Vec<String>),
    /// From nowhere: columns go by number.
    None,
}

/// How moments are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// ISO 8601, with or without an offset.
    Iso,
    /// A number since 1970; so many microseconds are one of it.
    Unix(i64),
    /// A pattern of strptime.
    Pattern {
        /// The pattern.
        text: String,
        /// Whether it holds the day; else it is a time of day.
        dated: bool,
    },
}

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// From a column, or from several that are joined by a space.
    Columns(Vec<Column>),
    /// It is the same in every row.
    Value(String),
    /// From the number of the row: the first one's moment, and how far they are apart.
    Rows {
        /// Of the first row.
        first: EventTime,
        /// Between two rows.
        every: Span,
    },
}

/// How one field is filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    /// Which field.
    pub field: Field,
    /// Where its value comes from.
    pub origin: Origin,
    /// The text that stands in for an empty cell.
    pub default: Option<String>,
    /// Texts and what they stand for; `*` is any text, and the first that fits counts.
    pub values: Vec<(String, String)>,
    /// What texts stand for that are not among `values`.
    pub otherwise: Option<String>,
    /// What a number is multiplied by: microseconds of a duration, bytes, amperes, revolutions
    /// per minute.
    pub factor: f64,
    /// The sign of a number is dropped.
    pub magnitude: bool,
    /// How moments are written.
    pub format: TimeFormat,
}

impl Filled {
    /// What a text stands for, if the mapping says.
    pub fn meaning(&self, text: &str) -> Option<&str> {
        let found = self.values.iter().find(|(written, _)| fits(written, text));
        let meant = found.map(|(_, meant)| meant).or(self.otherwise.as_ref());
        meant.map(String::as_str)
    }
}

/// Whether a text is as written, where `*` stands for any text.
fn fits(written: &str, text: &str) -> bool {
    let Some((start, rest)) = written.split_once('*') else {
        return written == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

/// What the columns of a CSV mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The file it was read from.
    pub file: String,
    /// What a row is: a flow or a reading.
    pub kind: Kind,
    /// Between two cells; ASCII.
    pub delimiter: u8,
    /// Where the names of columns come from.
    pub header: Header,
    /// Lines before the header or the first row.
    pub skip_lines: u64,
    /// Begins a line of no meaning; ASCII.
    pub comment: Option<u8>,
    /// Texts that stand for no value.
    pub unset: Vec<String>,
    /// A comma stands before decimals.
    pub decimal_comma: bool,
    /// The zone of times without an offset.
    pub zone: Option<TimeZone>,
    /// The day of the first row, for times of day.
    pub date: Option<Date>,
    /// The fields, in the order of [`Field::ALL`], each at most once.
    pub fields: Vec<Filled>,
}

impl Mapping {
    /// How a field is filled, if it is.
    pub fn field(&self, field: Field) -> Option<&Filled> {
        self.fields.iter().find(|filled| filled.field == field)
    }
}
