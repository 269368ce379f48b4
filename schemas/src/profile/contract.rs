//! The file format of a profile: every key, what it means and what may stand there. The reader
//! refuses what is not listed here; editors complete from the JSON Schema made of it.

use serde_json::Value;

use super::commands::COMMANDS;
use super::learned::LEARNED;
use super::learned_shares::LEARNED_SHARES;
use super::sensors::{FROZEN, LOAD};
use super::state::FIRMWARE;
use crate::grade::Grade;
use crate::inventory::ROLES;
use crate::yaml::{Key, Section, Shape, schema};

const GRADES: &[&str] = &[
    Grade::Low.as_str(),
    Grade::Medium.as_str(),
    Grade::High.as_str(),
    Grade::Critical.as_str(),
];
const BYTE_RANGE: Shape = Shape::Text(&["50-150 MB", "1.44 MB"]);
pub(super) const PERIOD: Shape = Shape::Text(&["5 s", "15 min"]);
pub(super) const AMPERES: Shape = Shape::Text(&["0.5-1.0 A", "2.0-8.0 A"]);
const SHARE: Shape = Shape::Text(&["95 %"]);
const COUNT: Shape = Shape::Text(&["10"]);
const PORTS: Shape = Shape::Any(&[PORT, Shape::List(&PORT)]);
const PORT: Shape = Shape::Text(&["tcp/502", "icmp"]);
pub(super) const COVERAGE: Key = Key::new(
    "coverage",
    SHARE,
    "the share of honest values inside the range, 95 % unless written",
);

/// The whole file.
pub(crate) const PROFILE: Section = Section {
    keys: &[
        Key::must(
            "profile",
            Shape::Text(&["cnc_controller_fanuc"]),
            "the device type the profile is for, in lower case with underscores",
        ),
        Key::must(
            "version",
            Shape::Text(&["1"]),
            "the version as its authors count it",
        ),
        Key::new("description", Shape::Text(&[]), "one line for people"),
        Key::new(
            "extends",
            Shape::Text(&["cnc_controller"]),
            "the profile whose fields hold where this one writes none",
        ),
        Key::new(
            "controller",
            Shape::Flag,
            "whether a destination outside the profile is CRITICAL rather than HIGH",
        ),
        Key::new("destinations", DESTINATIONS, "whom the device talks to"),
        Key::new(
            "clients",
            DESTINATIONS,
            "who may connect to the device, besides its destinations",
        ),
        Key::new(
            "protocols",
            PROTOCOLS,
            "how it talks, with shares of its connections",
        ),
        Key::new(
            "commands",
            Shape::Fields(&COMMANDS),
            "what it tells other devices to do and is told to do, in the protocols of the plant",
        ),
        Key::new(
            "volume_per_hour",
            Shape::Any(&[BYTE_RANGE, Shape::Fields(&VOLUME)]),
            "bytes in both directions within an hour",
        ),
        Key::new(
            "upload_share",
            Shape::Any(&[UPLOAD_SHARE, Shape::Fields(&UPLOAD)]),
            "the share of an hour's bytes that the device sends",
        ),
        Key::new(
            "connections_per_hour",
            Shape::Any(&[Shape::Text(&["10-50"]), Shape::Fields(&COUNTED)]),
            "new connections within an hour, counted at the originator",
        ),
        Key::new(
            "active_hours",
            Shape::Any(&[HOURS, Shape::List(&HOURS), Shape::Fields(&ACTIVE_HOURS)]),
            "when it is expected to be active, in plant time",
        ),
        Key::new(
            "cadence",
            Shape::Fields(&CADENCE),
            "the rhythm of a device that is polled",
        ),
        Key::new(
            "current",
            Shape::Fields(&CURRENT),
            "the current it draws, by state",
        ),
        Key::new(
            "spindle",
            Shape::Any(&[Shape::Text(&["0-12000 rpm"]), Shape::Fields(&SPINDLE)]),
            "the speed of its spindle",
        ),
        Key::new(
            "load",
            Shape::List(&Shape::Fields(&LOAD)),
            "the current it draws at speeds of its spindle",
        ),
        Key::new(
            "frozen",
            Shape::Fields(&FROZEN),
            "how long a sensor may show exactly the same value, for ever where nothing is written",
        ),
        Key::new(
            "firmware",
            Shape::List(&Shape::Fields(&FIRMWARE)),
            "the firmware that is known to be good",
        ),
        Key::new(
            "scan",
            Shape::Fields(&SCAN),
            "the fan-out that is still normal",
        ),
        Key::new(
            "silence",
            PERIOD,
            "how long no row within active hours is still normal, or `none`",
        ),
        Key::new(
            "detectors",
            Shape::Named(&Shape::Any(&[
                Shape::Choice(&["off", "on"]),
                Shape::Fields(&DETECTOR),
            ])),
            "what the plant decides about single detectors, by their name",
        ),
        Key::new(
            "calibration",
            Shape::Fields(&CALIBRATION),
            "what `andon tune` measured on clean traffic; it holds for this profile alone",
        ),
        Key::new(
            "learned",
            Shape::Named(&Shape::Fields(&LEARNED)),
            "what `andon learn` measured for statistics, by detector; it holds for this profile alone",
        ),
        Key::new(
            "learned_shares",
            Shape::Named(&Shape::Fields(&LEARNED_SHARES)),
            "what `andon learn` measured of shares, by detector; it holds for this profile alone",
        ),
    ],
};

pub(super) const DESTINATIONS: Shape = Shape::List(&Shape::Any(&[
    Shape::Text(&["cnc-historian.mfg.local", "10.2.50.15", "10.1.20.0/24"]),
    Shape::Fields(&DESTINATION),
]));

pub(crate) const DESTINATION: Section = Section {
    keys: &[
        Key::new(
            "name",
            Shape::Text(&["cnc-historian.mfg.local"]),
            "a name, resolved through the inventory and DNS answers",
        ),
        Key::new("address", Shape::Text(&["10.2.50.15"]), "one address"),
        Key::new("network", Shape::Text(&["10.1.20.0/24"]), "a network"),
        Key::new("role", Shape::Choice(ROLES), "every server with this role"),
        Key::new(
            "type",
            Shape::Text(&["tool_monitor"]),
            "every inventoried device of this type",
        ),
        Key::new("share", SHARE, "its share of the device's connections"),
        Key::new(
            "safety",
            Shape::Flag,
            "whether it is a safety flow, which no automatic response touches",
        ),
        Key::new(
            "over",
            PORTS,
            "the exact flows, where they are narrower than the protocols",
        ),
    ],
};

const PROTOCOLS: Shape = Shape::Any(&[
    Shape::Named(&Shape::Any(&[SHARE, Shape::Fields(&PROTOCOL_DETAIL)])),
    Shape::List(&Shape::Any(&[
        Shape::Text(&["modbus"]),
        Shape::Fields(&PROTOCOL),
    ])),
]);

/// A protocol in a list.
pub(crate) const PROTOCOL: Section = Section {
    keys: &[
        Key::must("name", Shape::Text(&["modbus"]), "its name in the field"),
        PROTOCOL_SHARE,
        PROTOCOL_PORTS,
        PROTOCOL_SERVICES,
    ],
};

/// A protocol under its name.
pub(crate) const PROTOCOL_DETAIL: Section = Section {
    keys: &[PROTOCOL_SHARE, PROTOCOL_PORTS, PROTOCOL_SERVICES],
};

const PROTOCOL_SHARE: Key = Key::new("share", SHARE, "its share of the device's connections");
const PROTOCOL_PORTS: Key = Key::new(
    "ports",
    PORTS,
    "transports and ports of the responder, for a protocol of your own or on other ports",
);
const PROTOCOL_SERVICES: Key = Key::new(
    "services",
    Shape::List(&Shape::Text(&["enip"])),
    "the names under which sensors report it",
);

pub(crate) const VOLUME: Section = Section {
    keys: &[
        Key::new("range", BYTE_RANGE, "the bytes of an honest hour"),
        COVERAGE,
        Key::new(
            "bytes",
            Shape::Choice(&["payload", "ip", "frame"]),
            "what counts as a byte, payload unless written",
        ),
        Key::new(
            "multiple",
            Shape::Text(&["3"]),
            "how many times the upper end the one-row rule allows, 3 unless written",
        ),
        Key::new(
            "limit",
            Shape::Text(&["450 MB"]),
            "the bytes an hour must never exceed, in place of the multiple",
        ),
        Key::new(
            "baseline",
            Shape::Text(&["86.6 MB"]),
            "a typical hour; needed where the range begins at 0",
        ),
    ],
};

const UPLOAD_SHARE: Shape = Shape::Text(&["5-15 %"]);

pub(crate) const UPLOAD: Section = Section {
    keys: &[
        Key::new("range", UPLOAD_SHARE, "the share in an honest hour"),
        COVERAGE,
    ],
};

pub(crate) const COUNTED: Section = Section {
    keys: &[
        Key::new(
            "range",
            Shape::Text(&["10-50"]),
            "the connections of an honest hour",
        ),
        COVERAGE,
    ],
};

const HOURS: Shape = Shape::Text(&["Mon-Fri 06:00-22:00", "always"]);

pub(crate) const ACTIVE_HOURS: Section = Section {
    keys: &[
        Key::new(
            "spans",
            Shape::Any(&[HOURS, Shape::List(&HOURS)]),
            "the stretches of the week",
        ),
        Key::new(
            "grace",
            PERIOD,
            "the tolerance at both ends, none unless written",
        ),
    ],
};

pub(crate) const CADENCE: Section = Section {
    keys: &[
        Key::new(
            "size",
            Shape::Text(&["2 KB", "40-56 B"]),
            "the payload of one message",
        ),
        COVERAGE,
        Key::new("every", PERIOD, "the time between messages"),
        Key::new(
            "jitter",
            Shape::Text(&["200 ms"]),
            "the standard deviation of that time, 5 % of it unless written",
        ),
    ],
};

pub(crate) const CURRENT: Section = Section {
    keys: &[
        Key::new("idle", AMPERES, "the current while idle"),
        Key::new("active", AMPERES, "the current while working"),
        COVERAGE,
        Key::new(
            "limit",
            Shape::Text(&["10 A"]),
            "the current above which something is wrong whatever the state",
        ),
    ],
};

pub(crate) const SPINDLE: Section = Section {
    keys: &[
        Key::new(
            "range",
            Shape::Text(&["0-12000 rpm"]),
            "the speeds it runs at",
        ),
        COVERAGE,
        Key::new(
            "limit",
            Shape::Text(&["12500 rpm"]),
            "the speed it must never exceed, the upper end unless written",
        ),
    ],
};

pub(crate) const SCAN: Section = Section {
    keys: &[
        Key::new(
            "hosts",
            COUNT,
            "the distinct hosts tried within an hour, 10 unless written",
        ),
        Key::new(
            "ports",
            COUNT,
            "the distinct pairs of host and port tried within an hour, 20 unless written",
        ),
        Key::new(
            "failed",
            COUNT,
            "the unanswered or refused connections within an hour, 20 unless written",
        ),
    ],
};

pub(crate) const DETECTOR: Section = Section {
    keys: &[Key::new(
        "grade",
        Shape::Choice(GRADES),
        "the grade in place of the default",
    )],
};

pub(crate) const CALIBRATION: Section = Section {
    keys: &[
        Key::must(
            "discount",
            Shape::Text(&["10"]),
            "the number, 1 or more, by which the evidence of statistics is divided",
        ),
        Key::must(
            "device_hours",
            Shape::Text(&["58800"]),
            "the clean device-hours behind it",
        ),
        Key::must(
            "false_positives",
            Shape::Text(&["0.1 %"]),
            "the share of device-hours in which a verdict first reaches MEDIUM, at most",
        ),
        Key::must("confidence", SHARE, "how sure that is"),
    ],
};

/// The JSON Schema (2020-12) of a profile file.
pub fn json_schema() -> Value {
    schema("urn:andon:profile:1", "Andon profile", &PROFILE)
}
