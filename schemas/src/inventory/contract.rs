//! The file format of an inventory: every key, what it means and what may stand there. The reader
//! refuses what is not listed here; editors complete from the JSON Schema made of it.

use serde_json::Value;

use super::ROLES;
use super::make::{MODEL, RUNS, TYPE, VENDOR};
use crate::yaml::{Key, Section, Shape, schema};

const NAME: Shape = Shape::Text(&["cnc-safety"]);
const NAMES: Shape = Shape::Any(&[TEXT, Shape::List(&TEXT)]);
const TEXT: Shape = Shape::Text(&[]);
const NETWORKS: Shape = Shape::Any(&[NETWORK, Shape::List(&NETWORK)]);
const NETWORK: Shape = Shape::Text(&["10.1.10.0/24"]);
const ADDRESSES: Shape = Shape::Any(&[ADDRESS, Shape::List(&ADDRESS)]);
const ADDRESS: Shape = Shape::Text(&["10.2.50.15", "10.1.10.1+"]);
const SEGMENT: Key = Key::must("segment", NAME, "the segment it stands in");
const ID: Key = Key::must("id", Shape::Text(&["plc-assembly-line-3"]), "its identity");
const HOST_NAMES: Key = Key::new(
    "names",
    NAMES,
    "the names it is known by in profiles and DNS",
);
const ASSESSED: Key = Key::new(
    "assessment",
    Shape::Fields(&ASSESSMENT),
    "the four answers its risk class is computed from",
);
const RISK_CLASS: Key = Key::new(
    "risk_class",
    Shape::Choice(&["RED", "ORANGE", "YELLOW", "GREEN"]),
    "the class itself, where the plant has assessed it elsewhere",
);
const SAFETY_CRITICAL: Key = Key::new(
    "safety_critical",
    Shape::Flag,
    "whether people can be hurt if it is cut, whatever its risk class",
);

/// The whole file.
pub(crate) const INVENTORY: Section = Section {
    keys: &[
        Key::must(
            "site",
            Shape::Text(&["precision-parts"]),
            "the name of the site",
        ),
        Key::must(
            "time_zone",
            Shape::Text(&["Europe/Berlin"]),
            "the IANA time zone of the plant",
        ),
        Key::new("zones", NAMES, "the DNS zones that are the plant's own"),
        Key::new(
            "networks",
            NETWORKS,
            "every network that is the plant's own, those of its segments unless written",
        ),
        Key::must(
            "segments",
            Shape::List(&Shape::Fields(&SEGMENTS)),
            "the segments and what they allow",
        ),
        Key::new(
            "everywhere",
            Shape::Fields(&RULES),
            "rules that follow those of every segment",
        ),
        Key::new(
            "servers",
            Shape::List(&Shape::Fields(&SERVER)),
            "what devices talk to",
        ),
        Key::new(
            "gateways",
            Shape::List(&Shape::Fields(&GATEWAY)),
            "what speaks for devices that have no key of their own",
        ),
        Key::new(
            "sensors",
            Shape::List(&Shape::Fields(&SENSOR)),
            "what reports the flows of segments, such as Zeek",
        ),
        Key::new(
            "types",
            Shape::List(&Shape::Fields(&TYPE)),
            "who makes the devices of a type and which model they are, for advisories",
        ),
        Key::new(
            "devices",
            Shape::List(&Shape::Fields(&DEVICES)),
            "devices, single or in groups",
        ),
        Key::new(
            "alert_budget",
            Shape::Text(&["0.5"]),
            "the false alarms by statistics, of all devices together, that people bear in a day",
        ),
        Key::new(
            "enforcement",
            Shape::Fields(&ENFORCEMENT),
            "what is enforced where, how fast devices may be cut, and who answers",
        ),
        Key::new(
            "holidays",
            Shape::List(&Shape::Text(&["2025-12-25"])),
            "the days without production",
        ),
        Key::new(
            "maintenance",
            Shape::List(&Shape::Fields(&MAINTENANCE)),
            "the declared maintenance windows",
        ),
    ],
};

pub(crate) const SEGMENTS: Section = Section {
    keys: &[
        Key::must("name", NAME, "the name of the segment"),
        Key::must("networks", NETWORKS, "its networks"),
        ALLOWED,
        DENIED,
    ],
};

pub(crate) const RULES: Section = Section {
    keys: &[ALLOWED, DENIED],
};

const ALLOWED: Key = Key::new(
    "allowed",
    Shape::List(&Shape::Fields(&ALLOW)),
    "the flows its devices may open",
);
const DENIED: Key = Key::new(
    "denied",
    Shape::List(&Shape::Fields(&DENY)),
    "the flows its devices must not open, looked at after those allowed",
);
const RULE_NAME: Key = Key::must("name", Shape::Text(&["historian"]), "the name of the rule");
const RULE_TO: Key = Key::new(
    "to",
    Shape::Any(&[RULE_PEER, Shape::List(&RULE_PEER)]),
    "the destination: an inventoried id or name, an address, a network, `internet` or `any`",
);
const RULE_PEER: Shape = Shape::Text(&["cnc-historian.mfg.local", "10.200.0.0/16", "internet"]);
const RULE_ROLE: Key = Key::new("role", Shape::Choice(ROLES), "every server with this role");
const RULE_SEGMENT: Key = Key::new("segment", NAME, "everything in this segment");
const RULE_OVER: Key = Key::new(
    "over",
    Shape::Any(&[PORT, Shape::List(&PORT)]),
    "protocols by name or as transport and port, any unless written",
);
const PORT: Shape = Shape::Text(&["modbus", "tcp/502"]);

pub(crate) const ALLOW: Section = Section {
    keys: &[
        RULE_NAME,
        RULE_TO,
        RULE_ROLE,
        RULE_SEGMENT,
        RULE_OVER,
        Key::new(
            "latency",
            Shape::Text(&["5 ms"]),
            "the latency budget of the flow",
        ),
        Key::new(
            "safety",
            Shape::Flag,
            "whether it is a safety flow, protected at both ends",
        ),
    ],
};

pub(crate) const DENY: Section = Section {
    keys: &[
        RULE_NAME,
        RULE_TO,
        RULE_ROLE,
        RULE_SEGMENT,
        RULE_OVER,
        Key::must(
            "action",
            Shape::Choice(ACTIONS),
            "what enforcement points do with it",
        ),
    ],
};

/// What enforcement points do with a denied flow.
pub(crate) const ACTIONS: &[&str] = &["block_alert", "block_log"];

pub(crate) const SERVER: Section = Section {
    keys: &[
        ID,
        HOST_NAMES,
        Key::must("addresses", ADDRESSES, "its addresses"),
        SEGMENT,
        Key::must(
            "roles",
            Shape::Any(&[Shape::Choice(ROLES), Shape::List(&Shape::Choice(ROLES))]),
            "what it serves as",
        ),
        ASSESSED,
        RISK_CLASS,
        SAFETY_CRITICAL,
        VENDOR,
        MODEL,
        RUNS,
    ],
};

pub(crate) const GATEWAY: Section = Section {
    keys: &[
        ID,
        HOST_NAMES,
        Key::must("addresses", ADDRESSES, "its addresses"),
        SEGMENT,
        ASSESSED,
        RISK_CLASS,
        SAFETY_CRITICAL,
        VENDOR,
        MODEL,
        RUNS,
    ],
};

pub(crate) const SENSOR: Section = Section {
    keys: &[
        ID,
        Key::new("type", Shape::Text(&["zeek"]), "what it is"),
        HOST_NAMES,
        Key::new("addresses", ADDRESSES, "its addresses"),
        SEGMENT,
        Key::must("watches", NAMES, "the segments it sees, or `all`"),
        ASSESSED,
        RISK_CLASS,
        VENDOR,
        MODEL,
        RUNS,
    ],
};

pub(crate) const DEVICES: Section = Section {
    keys: &[
        Key::must(
            "type",
            Shape::Text(&["cnc_controller_fanuc"]),
            "the name of its profile",
        ),
        Key::new(
            "id",
            Shape::Text(&["plc-assembly-line-3"]),
            "the identity of a single device",
        ),
        Key::new(
            "ids",
            Shape::Text(&["cnc-fanuc-01-{0001..0030}"]),
            "the identities of a group, numbered between braces",
        ),
        Key::new("line", Shape::Text(&["cnc"]), "the production line"),
        SEGMENT,
        Key::must(
            "addresses",
            ADDRESSES,
            "its addresses; of a group, the first with a `+`, or one for each",
        ),
        HOST_NAMES,
        ASSESSED,
        RISK_CLASS,
        SAFETY_CRITICAL,
        Key::new(
            "gateway",
            Shape::Text(&["gw-cnc"]),
            "the gateway that speaks for it",
        ),
        VENDOR,
        MODEL,
        RUNS,
    ],
};

pub(crate) const ASSESSMENT: Section = Section {
    keys: &[
        Key::must(
            "safety_impact",
            Shape::Choice(&["HIGH", "MEDIUM", "LOW"]),
            "whether it can hurt people (HIGH) or damage goods (MEDIUM); weighs 40 %",
        ),
        Key::must(
            "production_impact",
            Shape::Choice(&["CRITICAL", "IMPORTANT", "SUPPORT"]),
            "whether its loss stops production (CRITICAL) or degrades it (IMPORTANT); weighs 30 %",
        ),
        Key::must(
            "data_sensitivity",
            Shape::Choice(&["CONFIDENTIAL", "INTERNAL", "PUBLIC"]),
            "how sensitive its data is; weighs 20 %",
        ),
        Key::must(
            "attack_surface",
            Shape::Choice(&["HIGH", "MEDIUM", "LOW"]),
            "how exposed it is: to the internet (HIGH), inside (MEDIUM), isolated; weighs 10 %",
        ),
    ],
};

pub(crate) const MAINTENANCE: Section = Section {
    keys: &[
        Key::must(
            "from",
            Shape::Text(&["2025-12-20 06:00"]),
            "its beginning, in plant time",
        ),
        Key::must(
            "to",
            Shape::Text(&["2025-12-20 14:00"]),
            "its end, in plant time",
        ),
        Key::new(
            "devices",
            NAMES,
            "the devices it covers; without segments too, all",
        ),
        Key::new("segments", NAMES, "the segments it covers"),
        Key::new("firmware", TEXT, "the firmware version that may appear"),
        Key::must("reason", TEXT, "the reason, for people"),
    ],
};

const GRADES: Shape = Shape::Any(&[GRADE, Shape::List(&GRADE)]);
const GRADE: Shape = Shape::Text(&["CRITICAL", "all", "none"]);
const ENFORCE: Key = Key::new(
    "enforce",
    GRADES,
    "the grades of verdicts that are answered by force, or `all` or `none`; all unless written. A \
     run in monitor mode enforces nothing",
);
const CUTS: Key = Key::new(
    "cuts_per_minute",
    Shape::Text(&["5"]),
    "the most devices that are cut within a minute, 5 unless written; the others wait",
);
const ACKNOWLEDGE: Key = Key::new(
    "acknowledge_within",
    Shape::Text(&["30 s"]),
    "how long an enforcement point is given to answer, 30 s unless written",
);
const PROBATION: Key = Key::new(
    "probation",
    Shape::Text(&["24 h"]),
    "how long a device is watched after its cut has lapsed, 24 h unless written",
);

pub(crate) const ENFORCEMENT: Section = Section {
    keys: &[
        ENFORCE,
        CUTS,
        ACKNOWLEDGE,
        PROBATION,
        Key::new(
            "segments",
            Shape::List(&Shape::Fields(&ENFORCED_IN)),
            "the segments where something else holds",
        ),
        Key::new(
            "enforcers",
            Shape::List(&Shape::Fields(&ENFORCER)),
            "the enforcement points whose answers are believed",
        ),
    ],
};

pub(crate) const ENFORCED_IN: Section = Section {
    keys: &[
        Key::must("segment", NAME, "the segment"),
        ENFORCE,
        CUTS,
        ACKNOWLEDGE,
        PROBATION,
    ],
};

pub(crate) const ENFORCER: Section = Section {
    keys: &[
        Key::must("id", Shape::Text(&["fw-north"]), "as whom it authenticates"),
        Key::must("segments", NAMES, "the segments it answers for, or `all`"),
    ],
};

/// The JSON Schema (2020-12) of an inventory file.
pub fn json_schema() -> Value {
    schema("urn:andon:inventory:1", "Andon inventory", &INVENTORY)
}
