//! The file format of a mapping: every key, what it means and what may stand there. The reader
//! refuses what is not listed here; editors complete from the JSON Schema made of it.

use serde_json::Value;

use super::Field;
use crate::yaml::{Key, Section, Shape, schema};

const TEXT: Shape = Shape::Text(&[]);
const NAME: Shape = Shape::Text(&["SrcAddr", "3"]);
const NAMES: Shape = Shape::Any(&[NAME, Shape::List(&NAME)]);
const CELL: Shape = Shape::Any(&[NAME, Shape::Fields(&FILLED)]);

/// The whole file.
pub(super) const MAPPING: Section = Section {
    keys: &[
        Key::must(
            "kind",
            Shape::Choice(&["flow", "reading"]),
            "what a row is: a network flow, or a reading of a device's sensors",
        ),
        Key::must(
            "fields",
            Shape::Fields(&FIELDS),
            "the fields of a record, each with the column it stands in",
        ),
        Key::new(
            "delimiter",
            Shape::Text(&[",", ";", "tab"]),
            "the character between two cells, a comma unless written",
        ),
        Key::new(
            "header",
            Shape::Any(&[Shape::Flag, Shape::List(&NAME)]),
            "whether the first row names the columns (true unless written), or their names; \
             without names, columns go by their number from 1",
        ),
        Key::new(
            "skip_lines",
            Shape::Text(&["2"]),
            "the number of lines before the header or the first row",
        ),
        Key::new(
            "comment",
            Shape::Text(&["#"]),
            "the character that begins a line of no meaning",
        ),
        Key::new(
            "unset",
            NAMES,
            "the texts that stand for no value, apart from an empty cell",
        ),
        Key::new(
            "decimal",
            Shape::Choice(&["point", "comma"]),
            "the sign before decimals, a point unless written",
        ),
        Key::new(
            "zone",
            Shape::Text(&["Europe/Berlin", "UTC"]),
            "the IANA time zone of times that are written without an offset",
        ),
        Key::new(
            "date",
            Shape::Text(&["2018-12-18"]),
            "the day of the first row, for times that are written without one",
        ),
    ],
};

/// What a field may be made from.
pub(super) const FILLED: Section = Section {
    keys: &[
        Key::new("column", NAMES, "its column; of a time also several"),
        Key::new("value", TEXT, "the value it has in every row"),
        Key::new("default", TEXT, "the value it has where its cell is empty"),
        Key::new(
            "values",
            Shape::Named(&TEXT),
            "what the texts of its cells stand for; `*` in one is any text, and the first that \
             fits counts",
        ),
        Key::new(
            "otherwise",
            TEXT,
            "what all texts stand for that `values` does not list",
        ),
        Key::new(
            "unit",
            Shape::Text(&["s", "KB", "mA", "rpm"]),
            "the unit its numbers are in",
        ),
        Key::new(
            "magnitude",
            Shape::Flag,
            "whether the sign of its numbers only says a direction and is dropped",
        ),
        Key::new(
            "volts",
            Shape::Text(&["230"]),
            "the voltage by which watts become amperes",
        ),
        Key::new(
            "format",
            Shape::Text(&["iso", "unix", "unix_ms", "%d/%m/%Y %H:%M"]),
            "how its times are written: `iso` unless written, or a pattern of strptime",
        ),
        Key::new(
            "first",
            Shape::Text(&["2025-12-12T00:00:00Z"]),
            "the time of the first row, where rows bear none",
        ),
        Key::new(
            "every",
            Shape::Text(&["100 ms"]),
            "the time from one row to the next, where rows bear none",
        ),
    ],
};

macro_rules! fields {
    ($($field:ident: $says:literal,)+) => {
        /// The fields of a record.
        pub(super) const FIELDS: Section = Section {
            keys: &[$(Key::new(Field::$field.name(), CELL, $says),)+],
        };
    };
}

fields! {
    Time: "the moment: of a flow its end, of a reading when it was taken",
    Start: "the moment a flow began",
    Duration: "how long a flow took",
    Device: "the device a row is about, by its id in the inventory",
    Orig: "the address of who opened a flow",
    OrigPort: "the port of who opened a flow",
    Resp: "the address of who was connected to",
    RespPort: "the port of who was connected to",
    RespName: "the name of who was connected to",
    Transport: "the transport: tcp, udp, icmp or other, or its number",
    Service: "the application protocol",
    OrigBytes: "the bytes from who opened a flow",
    RespBytes: "the bytes from who was connected to",
    TotalBytes: "the bytes of both directions, where one of them is not written",
    Bytes: "what bytes count: payload, ip or frame",
    State: "how far a connection got: attempt, rejected, answered or unknown",
    Uid: "the recorder's own id of a flow",
    CurrentA: "the current draw, in amperes unless `unit` says otherwise",
    SpindleRpm: "the spindle's revolutions per minute",
}

/// The JSON Schema of a mapping file.
pub fn json_schema() -> Value {
    schema("andon.mapping.v1", "Andon CSV mapping", &MAPPING)
}
