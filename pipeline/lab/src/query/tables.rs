//! The tables that a run's files make, column by column.

mod verdicts;

use self::verdicts::{EVIDENCE, FINDINGS, VERDICTS};
use super::column::Holds::{Flag, Text, Time, Whole};
use super::column::{Column, column};
use super::lines::Makes;

/// A table made of a file of JSON lines.
pub(super) struct LineTable {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) makes: Makes,
    pub(super) columns: &'static [Column],
    pub(super) words: &'static str,
}

const RISK: &[Column] = &[
    column("device_id", Text, "/device_id", "the device"),
    column("site", Text, "/site", "the site"),
    column("event_time", Time, "/event_time", "as of when"),
    column(
        "risk_score",
        Whole,
        "/score",
        "0 to 100, 100 is worst; null if unknown",
    ),
    column("risk_trust", Whole, "/trust", "100 - risk_score"),
    column(
        "risk_band",
        Text,
        "/band",
        "low, medium, high, critical or unknown",
    ),
    column("risk_class", Text, "/risk_class", "the plant's weighting"),
    column(
        "verdict_id",
        Text,
        "/verdict_id",
        "the open episode, if there is one",
    ),
];

const COMMANDS: &[Column] = &[
    column("command_id", Text, "/command_id", "the command"),
    column(
        "verdict_id",
        Text,
        "/verdict_id",
        "the verdict it follows from",
    ),
    column("device_id", Text, "/device_id", "the device"),
    column("site", Text, "/site", "the site"),
    column("step", Whole, "/step", "step of the episode's response"),
    column("issued", Time, "/issued", "event time"),
    column(
        "release",
        Flag,
        "/release",
        "true if it takes an earlier one back",
    ),
    column(
        "action",
        Text,
        "/response/action",
        "log, watch, restrict, isolate or quarantine",
    ),
    column("mode", Text, "/response/mode", "monitor or enforce"),
    column(
        "approval",
        Text,
        "/response/approval",
        "automatic, or required of a person",
    ),
    column(
        "expires",
        Time,
        "/response/expires",
        "when it ends by itself",
    ),
    column("reason", Text, "/reason", "why"),
];

const REJECTS: &[Column] = &[
    column("reason", Text, "/reason", "why the record was not taken"),
    column("detail", Text, "/detail", "what exactly"),
    column("device_id", Text, "/device", "the device it named"),
    column("received_at", Time, "/received_at", "when it was received"),
    column(
        "source_topic",
        Text,
        "/source/topic",
        "where it came from: a topic or a file",
    ),
    column(
        "source_partition",
        Whole,
        "/source/partition",
        "its partition",
    ),
    column(
        "source_offset",
        Whole,
        "/source/offset",
        "its offset; in a file, its number",
    ),
    column("excerpt", Text, "/excerpt", "how it begins"),
];

const SET_ASIDE: &[Column] = &[
    column("device_id", Text, "/device", "the device"),
    column("kind", Text, "/kind", "kind of observation"),
    column("event_time", Time, "/event_time", "its event time"),
    column(
        "source_topic",
        Text,
        "/source/topic",
        "where it came from: a topic or a file",
    ),
    column(
        "source_partition",
        Whole,
        "/source/partition",
        "its partition",
    ),
    column(
        "source_offset",
        Whole,
        "/source/offset",
        "its offset; in a file, its number",
    ),
];

/// Every table that a file of JSON lines makes.
pub(super) const LINE_TABLES: &[LineTable] = &[
    LineTable {
        name: "verdicts",
        file: "verdicts.jsonl",
        makes: Makes::One,
        columns: VERDICTS,
        words: "every revision of every verdict",
    },
    LineTable {
        name: "findings",
        file: "verdicts.jsonl",
        makes: Makes::Findings,
        columns: FINDINGS,
        words: "the findings of every revision",
    },
    LineTable {
        name: "evidence",
        file: "verdicts.jsonl",
        makes: Makes::Evidence,
        columns: EVIDENCE,
        words: "the single values behind every finding",
    },
    LineTable {
        name: "risk",
        file: "risk.jsonl",
        makes: Makes::One,
        columns: RISK,
        words: "every change of a device's risk",
    },
    LineTable {
        name: "commands",
        file: "commands.jsonl",
        makes: Makes::One,
        columns: COMMANDS,
        words: "what followed from the verdicts",
    },
    LineTable {
        name: "rejects",
        file: "rejects.jsonl",
        makes: Makes::One,
        columns: REJECTS,
        words: "records that yielded no observation, and rows that were refused",
    },
    LineTable {
        name: "late",
        file: "late.jsonl",
        makes: Makes::One,
        columns: SET_ASIDE,
        words: "observations after their windows may have closed",
    },
    LineTable {
        name: "duplicates",
        file: "duplicates.jsonl",
        makes: Makes::One,
        columns: SET_ASIDE,
        words: "observations told twice",
    },
];
