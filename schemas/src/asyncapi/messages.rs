//! What goes over the topics.

use schemars::{Schema, SchemaGenerator};

use crate::act::Ack;
use crate::alert::Alert;
use crate::audit::AuditEntry;
use crate::command::{Command, DeviceCommand};
use crate::incident::Incident;
use crate::notice::Notice;
use crate::reject::{Reject, SetAside};
use crate::verdict::{RiskUpdate, Verdict};
use crate::wire::WireRecord;

/// What a message holds.
#[derive(Clone, Copy)]
pub(super) enum Payload {
    /// What a published schema of the same name says.
    Contract(fn(&mut SchemaGenerator) -> Schema),
    /// What only Andon reads, and may change.
    Ours(&'static str),
}

/// A message.
#[derive(Clone, Copy)]
pub(super) struct Message {
    /// Its name, and that of the file of its schema.
    pub(super) name: &'static str,
    /// What it says.
    pub(super) summary: &'static str,
    /// What its key is on Kafka; none if it never goes there.
    pub(super) key: Option<&'static str>,
    /// Its headers on Kafka.
    pub(super) headers: &'static [(&'static str, &'static str)],
    /// What it holds.
    pub(super) payload: Payload,
}

impl Message {
    /// The name and the version of its form.
    pub(super) fn title(&self) -> String {
        format!("andon.{}.v1", self.name)
    }
}

const EVENT: (&str, &str) = (
    "andon.event",
    "What it is about, for readers that sort by it.",
);
const POSITION: &[(&str, &str)] = &[
    ("andon.reason", "Why it was not counted."),
    ("andon.topic", "Where it stood: the topic."),
    ("andon.partition", "Where it stood: the partition."),
    ("andon.offset", "Where it stood: the offset."),
];
const DEVICE: Option<&str> = Some("The device, in lower case.");

const fn of(
    name: &'static str,
    summary: &'static str,
    key: Option<&'static str>,
    schema: fn(&mut SchemaGenerator) -> Schema,
) -> Message {
    Message {
        name,
        summary,
        key,
        headers: &[],
        payload: Payload::Contract(schema),
    }
}

const fn ours(
    name: &'static str,
    summary: &'static str,
    key: &'static str,
    what: &'static str,
) -> Message {
    Message {
        name,
        summary,
        key: Some(key),
        headers: &[],
        payload: Payload::Ours(what),
    }
}

const fn with(headers: &'static [(&'static str, &'static str)], message: Message) -> Message {
    Message { headers, ..message }
}

/// All of them.
pub(super) const MESSAGES: &[Message] = &[
    of(
        "record",
        "One measurement of one device. A flow comes once for each end that is watched; on Kafka \
         Zeek, EVE, Arrow IPC and Avro in Confluent's framing are read as well.",
        Some("The device that it is about, in lower case; it stays in one partition."),
        SchemaGenerator::subschema_for::<WireRecord<'static>>,
    ),
    of(
        "verdict",
        "One revision of a verdict; upsert by `verdict_id` and `revision`.",
        Some("The segment; empty if the device stands in none."),
        SchemaGenerator::subschema_for::<Verdict>,
    ),
    with(
        &[(
            "andon.lane",
            "The partition of the observations that the device is in, a dot, and the run that says it.",
        )],
        of(
            "risk",
            "The newest risk of a device: when its band changes, by every five points, when a verdict \
             opens or none is open any more, and on Kafka once an hour as a heartbeat.",
            DEVICE,
            SchemaGenerator::subschema_for::<RiskUpdate>,
        ),
    ),
    with(
        &[EVENT, ("andon.desk", "The desk that keeps the incident.")],
        of(
            "incident",
            "One revision of an incident.",
            Some("The id of the incident."),
            SchemaGenerator::subschema_for::<Incident>,
        ),
    ),
    with(
        &[EVENT],
        of(
            "command",
            "What an enforcement point is to do; obey what is newest by `command_id`.",
            DEVICE,
            SchemaGenerator::subschema_for::<Command>,
        ),
    ),
    of(
        "device_command",
        "What a device may know of a command about it. Nothing comes in monitor mode.",
        None,
        SchemaGenerator::subschema_for::<DeviceCommand>,
    ),
    of(
        "ack",
        "What an enforcement point answers.",
        Some("The device that the command is about, or the name of the enforcement point."),
        SchemaGenerator::subschema_for::<Ack>,
    ),
    with(
        &[EVENT],
        of(
            "notice",
            "What those who run the plant are told, in plain words.",
            DEVICE,
            SchemaGenerator::subschema_for::<Notice>,
        ),
    ),
    of(
        "alert",
        "A verdict that people are to look at, within the budget of alerts.",
        None,
        SchemaGenerator::subschema_for::<Alert>,
    ),
    with(
        &[EVENT],
        of(
            "audit",
            "One entry of the audit trail.",
            Some("The chain that the entry stands in: a number."),
            SchemaGenerator::subschema_for::<AuditEntry>,
        ),
    ),
    with(
        POSITION,
        of(
            "reject",
            "Input that yields no observation.",
            Some("The device, where it is known; else empty."),
            SchemaGenerator::subschema_for::<Reject>,
        ),
    ),
    with(
        POSITION,
        of(
            "set_aside",
            "An observation that came late or twice.",
            DEVICE,
            SchemaGenerator::subschema_for::<SetAside>,
        ),
    ),
    ours(
        "slip",
        "An act of a person with the desk that is to do it, or what came of it.",
        "The id of the act.",
        "JSON that only Andon reads: acts come in over HTTP, where who does them is known.",
    ),
    ours(
        "state",
        "What a partition remembers: snapshots, where epochs ended, what stands about devices.",
        "Which part of the state it is.",
        "Sealed with a version and a checksum; read by the next process that holds the partition.",
    ),
    ours(
        "plant",
        "Inventory, profiles and indicators as they are in force from here on.",
        "Always `plant`.",
        "JSON that only Andon reads: the files that people edit are the contract.",
    ),
];
