//! Our topics and what each of them must be like: one table, from which topics are made, against
//! which they are checked, and which a run holds the cluster to before it begins.

mod check;
mod cluster;
mod create;
mod demand;

use serde::Serialize;

pub use check::{Condition, Problem, check};
pub use cluster::{Cluster, Found};
pub use create::{Action, Planned, Sizes, create, plan};
pub use demand::{Partitions, demand, demand_by_bridge, demand_source};

use super::names::Names;

/// Partitions of a topic unless somebody says otherwise: so many processes can share the work.
pub const PARTITIONS: u32 = 12;

/// Copies of a topic that outlive the loss of a broker, and of one more while it is mended.
pub const COPIES_MAX: usize = 3;

const DAY_MS: &str = "86400000";
const WEEK_MS: &str = "604800000";
const MONTH_MS: &str = "2592000000";
const YEAR_MS: &str = "31536000000";
const FIVE_YEARS_MS: &str = "157680000000";
const HOUR_MS: &str = "3600000";
const MIB_1: &str = "1048576";
const MIB_2: &str = "2097152";
const MIB_64: &str = "67108864";

/// One of our topics.
#[derive(Debug)]
pub struct Topic {
    /// What it holds.
    pub holds: &'static str,
    /// Picks its name.
    name: fn(&Names) -> &str,
    /// How many partitions it has.
    pub spread: Spread,
    /// What it is made with.
    pub settings: &'static [Wanted],
}

/// How many partitions a topic has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Any number.
    Free,
    /// As many as the observations: partition n belongs to partition n of those.
    AsObservations,
    /// One, because the order of all of it matters.
    One,
}

/// A setting that a topic is made with.
#[derive(Debug)]
pub struct Wanted {
    /// Its name.
    pub key: &'static str,
    /// The value that we give it.
    pub value: &'static str,
    /// Which other values do as well.
    pub rule: Rule,
    /// What follows from any other value.
    pub otherwise: &'static str,
    /// How bad that is.
    pub weight: Weight,
}

/// Which values of a setting do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// This one.
    Exactly,
    /// This one and larger ones; less than 0 is without limit.
    AtLeast,
    /// It only makes the topic work better.
    Any,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Worth knowing; may be on purpose.
    Note,
    /// Something will be lost, or grow without end.
    Wrong,
    /// A run, or a bridge, cannot keep its promises and does not begin.
    Fatal,
}

const fn wanted(
    key: &'static str,
    value: &'static str,
    rule: Rule,
    weight: Weight,
    otherwise: &'static str,
) -> Wanted {
    Wanted {
        key,
        value,
        rule,
        otherwise,
        weight,
    }
}

const fn tuned(key: &'static str, value: &'static str) -> Wanted {
    wanted(key, value, Rule::Any, Weight::Note, "")
}

const fn deleted(weight: Weight) -> Wanted {
    wanted(
        "cleanup.policy",
        "delete",
        Rule::Exactly,
        weight,
        "a later record of a key deletes the earlier ones",
    )
}

const fn compacted(weight: Weight, otherwise: &'static str) -> Wanted {
    wanted(
        "cleanup.policy",
        "compact",
        Rule::Exactly,
        weight,
        otherwise,
    )
}

const fn kept_for(time_ms: &'static str, otherwise: &'static str) -> Wanted {
    wanted(
        "retention.ms",
        time_ms,
        Rule::AtLeast,
        Weight::Note,
        otherwise,
    )
}

const fn takes(bytes: &'static str, otherwise: &'static str) -> Wanted {
    wanted(
        "max.message.bytes",
        bytes,
        Rule::AtLeast,
        Weight::Fatal,
        otherwise,
    )
}

const KEPT_WHATEVER_ITS_SIZE: Wanted = wanted(
    "retention.bytes",
    "-1",
    Rule::Exactly,
    Weight::Note,
    "records are deleted before their time when there are many",
);

/// On topics that we write, so that nobody's clock decides when a record is old enough to go.
const STAMPED_BY_BROKER: Wanted = wanted(
    "message.timestamp.type",
    "LogAppendTime",
    Rule::Exactly,
    Weight::Note,
    "records are deleted by the time their producer gave them",
);

const STAMPED_ON_RECEIPT: Wanted = wanted(
    "message.timestamp.type",
    "LogAppendTime",
    Rule::Exactly,
    Weight::Fatal,
    "a producer says itself when its records were received, so that late and far-future ones \
     pass, and a replay is not like the run",
);

/// On topics that a run writes: its client makes records of up to a million bytes.
const TAKES_OUR_RECORDS: Wanted = takes(MIB_1, "a longer record of ours stops every run");

/// Segments that end soon: the newest one is never compacted.
const SHORT_SEGMENTS: Wanted = tuned("segment.ms", HOUR_MS);
const SMALL_SEGMENTS: Wanted = tuned("segment.bytes", MIB_64);
const COMPACTED_OFTEN: Wanted = tuned("min.cleanable.dirty.ratio", "0.1");

/// All of them.
pub const TOPICS: &[Topic] = &[
    Topic {
        holds: OBSERVATIONS,
        name: |names| &names.observations,
        spread: Spread::AsObservations,
        settings: &[
            deleted(Weight::Fatal),
            STAMPED_ON_RECEIPT,
            kept_for(
                WEEK_MS,
                "a run that stood still for longer than this misses what came meanwhile",
            ),
            KEPT_WHATEVER_ITS_SIZE,
        ],
    },
    Topic {
        holds: "verdicts",
        name: |names| &names.verdicts,
        // What stands about the devices of partition n is kept in partition n of the state.
        spread: Spread::AsObservations,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            kept_for(YEAR_MS, "verdicts are gone sooner than a year"),
            KEPT_WHATEVER_ITS_SIZE,
        ],
    },
    Topic {
        holds: "risk",
        name: |names| &names.risk,
        spread: Spread::Free,
        settings: &[
            compacted(
                Weight::Wrong,
                "the risk of a device that is quiet is deleted, and a reader that starts later \
                 never learns of it",
            ),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            SHORT_SEGMENTS,
            COMPACTED_OFTEN,
            tuned("delete.retention.ms", DAY_MS),
        ],
    },
    Topic {
        holds: "incidents",
        name: |names| &names.incidents,
        spread: Spread::Free,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            kept_for(YEAR_MS, "incidents are gone sooner than a year"),
            KEPT_WHATEVER_ITS_SIZE,
        ],
    },
    Topic {
        holds: "enforcement",
        name: |names| &names.enforcement,
        spread: Spread::Free,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            kept_for(
                WEEK_MS,
                "an enforcer that was away for longer than this misses commands",
            ),
            KEPT_WHATEVER_ITS_SIZE,
        ],
    },
    Topic {
        holds: "notices",
        name: |names| &names.notices,
        spread: Spread::Free,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            kept_for(
                MONTH_MS,
                "notices are gone before those who run the plant have read them",
            ),
        ],
    },
    Topic {
        holds: REJECTS,
        name: |names| &names.rejects,
        spread: Spread::Free,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            kept_for(
                MONTH_MS,
                "rejects are gone before anybody has looked at them",
            ),
        ],
    },
    Topic {
        holds: "audit",
        name: |names| &names.audit,
        spread: Spread::Free,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            kept_for(
                FIVE_YEARS_MS,
                "the audit trail ends sooner than five years back",
            ),
            KEPT_WHATEVER_ITS_SIZE,
        ],
    },
    Topic {
        holds: STATE,
        name: |names| &names.state,
        spread: Spread::AsObservations,
        settings: &[
            compacted(
                Weight::Fatal,
                "the state of what changes seldom is deleted, and whoever takes a partition over \
                 begins anew",
            ),
            takes(MIB_2, "the state is refused, and never saved"),
            STAMPED_BY_BROKER,
            SHORT_SEGMENTS,
            SMALL_SEGMENTS,
            COMPACTED_OFTEN,
            tuned("delete.retention.ms", DAY_MS),
        ],
    },
    Topic {
        holds: "control",
        name: |names| &names.control,
        spread: Spread::One,
        settings: &[
            compacted(
                Weight::Wrong,
                "inventory and profiles that stay as they are get deleted, and a process that \
                 starts later never learns of them",
            ),
            STAMPED_BY_BROKER,
            SHORT_SEGMENTS,
            tuned("delete.retention.ms", DAY_MS),
            // A whole inventory is one record.
            tuned("max.message.bytes", "134217728"),
        ],
    },
    Topic {
        holds: "acks",
        name: |names| &names.acks,
        spread: Spread::Free,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            kept_for(
                WEEK_MS,
                "acknowledgements that come while no run listens are gone before the next one",
            ),
        ],
    },
    Topic {
        holds: "acts",
        name: |names| &names.acts,
        spread: Spread::One,
        settings: &[
            deleted(Weight::Wrong),
            STAMPED_BY_BROKER,
            TAKES_OUR_RECORDS,
            kept_for(
                WEEK_MS,
                "what people decide while no run listens is gone before the next one",
            ),
        ],
    },
];

const OBSERVATIONS: &str = "observations";
const REJECTS: &str = "rejects";
const STATE: &str = "state";

impl Topic {
    /// Its name in an installation.
    pub fn name<'a>(&self, names: &'a Names) -> &'a str {
        (self.name)(names)
    }
}

/// How many copies a topic has on so many brokers.
pub fn copies(brokers: usize) -> usize {
    brokers.clamp(1, COPIES_MAX)
}

/// How many of the copies must have a record before it counts as written: with three, all but one,
/// so that a broker may be down; with fewer, one, or the loss of a broker would stop all writing.
pub fn in_sync(copies: usize) -> usize {
    if copies >= COPIES_MAX { copies - 1 } else { 1 }
}

#[cfg(test)]
mod tests;
