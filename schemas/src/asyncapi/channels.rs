//! The topics of Kafka and of MQTT.

/// A topic.
pub(super) struct Channel {
    /// What it holds, in one word.
    pub(super) what: &'static str,
    /// What that is good for.
    pub(super) description: &'static str,
    /// What goes over it.
    pub(super) messages: &'static [&'static str],
    /// Who writes there.
    pub(super) from: &'static [&'static str],
    /// Who reads there.
    pub(super) to: &'static [&'static str],
    /// Where it is.
    pub(super) on: On,
}

/// Where a topic is.
#[derive(Clone, Copy)]
pub(super) enum On {
    /// On Kafka.
    Kafka {
        /// How many partitions it has, where that is fixed.
        partitions: Option<u32>,
        /// What `andon topics create` makes it with, as far as readers and writers care.
        settings: &'static [(&'static str, &'static str)],
    },
    /// On MQTT.
    Mqtt {
        /// The branch: `in` or `out`.
        branch: &'static str,
        /// Who the level after the site is.
        speaker: &'static str,
        /// Whether the newest message is kept for those who come later.
        retained: bool,
    },
}

impl On {
    pub(super) fn server(self) -> &'static str {
        match self {
            Self::Kafka { .. } => "kafka",
            Self::Mqtt { .. } => "mqtt",
        }
    }
}

impl Channel {
    /// What it is referred to by.
    pub(super) fn id(&self) -> String {
        match self.on {
            On::Kafka { .. } => format!("kafka-{}", self.what),
            On::Mqtt { branch, .. } => format!("mqtt-{branch}-{}", self.what),
        }
    }

    /// Its name on the broker.
    pub(super) fn address(&self) -> String {
        match self.on {
            On::Kafka { .. } => format!("andon.{}.v1", self.what),
            On::Mqtt { branch, .. } => {
                format!("andon/v1/{branch}/{{site}}/{{device}}/{}", self.what)
            }
        }
    }

    /// The commands of Andon that write there.
    pub(super) fn senders(&self) -> Vec<&'static str> {
        ours(self.from)
    }

    /// The commands of Andon that read there.
    pub(super) fn receivers(&self) -> Vec<&'static str> {
        ours(self.to)
    }
}

fn ours(who: &[&'static str]) -> Vec<&'static str> {
    let is_ours = |who: &&str| who.starts_with("andon ");
    who.iter().copied().filter(is_ours).collect()
}

const RUN: &str = "andon run";
const BRIDGE: &str = "andon bridge";
const ENFORCE: &str = "andon enforce";

const DELETED: (&str, &str) = ("cleanup.policy", "delete");
const COMPACTED: (&str, &str) = ("cleanup.policy", "compact");
const FOR_A_DAY: (&str, &str) = ("delete.retention.ms", "86400000");
const A_WEEK: (&str, &str) = ("retention.ms", "604800000");
const A_MONTH: (&str, &str) = ("retention.ms", "2592000000");
const A_YEAR: (&str, &str) = ("retention.ms", "31536000000");
const FIVE_YEARS: (&str, &str) = ("retention.ms", "157680000000");
const ANY_SIZE: (&str, &str) = ("retention.bytes", "-1");
const STAMPED: (&str, &str) = ("message.timestamp.type", "LogAppendTime");
const UP_TO_1_MIB: (&str, &str) = ("max.message.bytes", "1048576");

const fn kafka(settings: &'static [(&'static str, &'static str)]) -> On {
    On::Kafka {
        partitions: None,
        settings,
    }
}

const fn mqtt_in(speaker: &'static str) -> On {
    On::Mqtt {
        branch: "in",
        speaker,
        retained: false,
    }
}

const fn mqtt_out(retained: bool) -> On {
    On::Mqtt {
        branch: "out",
        speaker: "The device that it is about, in lower case.",
        retained,
    }
}

const SPEAKER: &str = "The device that is measured; whoever publishes may speak for it.";
const FROM_FIELD: &[&str] = &["devices", "gateways", "sensors", "andon publish"];
const TO_RUN: &[&str] = &[RUN, BRIDGE];

const fn measured(what: &'static str, description: &'static str) -> Channel {
    Channel {
        what,
        description,
        messages: &["record"],
        from: FROM_FIELD,
        to: TO_RUN,
        on: mqtt_in(SPEAKER),
    }
}

/// All of them.
pub(super) const CHANNELS: &[Channel] = &[
    Channel {
        what: "observations",
        description: "Everything that is measured. Partition n belongs to partition n of the state.",
        messages: &["record"],
        from: &[BRIDGE, "collectors"],
        to: &[RUN],
        on: kafka(&[DELETED, STAMPED, A_WEEK, ANY_SIZE]),
    },
    Channel {
        what: "verdicts",
        description: "Every revision of every verdict.",
        messages: &["verdict"],
        from: &[RUN],
        to: &[RUN, "SIEM", "data platforms"],
        on: kafka(&[DELETED, STAMPED, UP_TO_1_MIB, A_YEAR, ANY_SIZE]),
    },
    Channel {
        what: "risk",
        description: "The newest risk of each device: read from the beginning for the whole plant.",
        messages: &["risk"],
        from: &[RUN],
        to: &["decision points"],
        on: kafka(&[COMPACTED, STAMPED, UP_TO_1_MIB, FOR_A_DAY]),
    },
    Channel {
        what: "incidents",
        description: "Every revision of every incident.",
        messages: &["incident"],
        from: &[RUN],
        to: &[RUN, "SIEM", "data platforms"],
        on: kafka(&[DELETED, STAMPED, UP_TO_1_MIB, A_YEAR, ANY_SIZE]),
    },
    Channel {
        what: "enforcement",
        description: "Commands to be obeyed.",
        messages: &["command"],
        from: &[RUN],
        to: &["enforcement points"],
        on: kafka(&[DELETED, STAMPED, UP_TO_1_MIB, A_WEEK, ANY_SIZE]),
    },
    Channel {
        what: "notices",
        description: "What those who run the plant are told.",
        messages: &["notice"],
        from: &[RUN],
        to: &["plant operations"],
        on: kafka(&[DELETED, STAMPED, UP_TO_1_MIB, A_MONTH]),
    },
    Channel {
        what: "rejects",
        description: "What was not counted, with its reason and its position.",
        messages: &["reject", "set_aside"],
        from: &[RUN, BRIDGE],
        to: &["whoever runs collectors"],
        on: kafka(&[DELETED, STAMPED, UP_TO_1_MIB, A_MONTH]),
    },
    Channel {
        what: "audit",
        description: "Everything that was decided, in chains of hashes.",
        messages: &["audit"],
        from: &[RUN],
        to: &[RUN, "auditors"],
        on: kafka(&[DELETED, STAMPED, UP_TO_1_MIB, FIVE_YEARS, ANY_SIZE]),
    },
    Channel {
        what: "state",
        description: "What a run remembers. Nobody else writes here.",
        messages: &["state"],
        from: &[RUN],
        to: &[RUN],
        on: kafka(&[
            COMPACTED,
            ("max.message.bytes", "2097152"),
            STAMPED,
            FOR_A_DAY,
        ]),
    },
    Channel {
        what: "control",
        description: "What the whole installation measures against. Nobody else writes here.",
        messages: &["plant"],
        from: &[RUN],
        to: &[RUN, BRIDGE],
        on: On::Kafka {
            partitions: Some(1),
            settings: &[
                COMPACTED,
                STAMPED,
                FOR_A_DAY,
                ("max.message.bytes", "134217728"),
            ],
        },
    },
    Channel {
        what: "acks",
        description: "What enforcement points answer.",
        messages: &["ack"],
        from: &[BRIDGE, "enforcement points"],
        to: &[RUN],
        on: kafka(&[DELETED, STAMPED, A_WEEK]),
    },
    Channel {
        what: "acts",
        description: "What people do, and what came of it. Nobody else writes here.",
        messages: &["slip"],
        from: &[RUN],
        to: &[RUN],
        on: On::Kafka {
            partitions: Some(1),
            settings: &[DELETED, STAMPED, UP_TO_1_MIB, A_WEEK],
        },
    },
    measured("flow", "Connections: who talked to whom, how, how much."),
    measured("reading", "Physical readings: current, spindle speed."),
    measured("attestation", "What firmware a device runs."),
    measured("resolution", "What a name server answered a device."),
    Channel {
        what: "ack",
        description: "What an enforcement point answers.",
        messages: &["ack"],
        from: &["enforcement points", ENFORCE],
        to: TO_RUN,
        on: mqtt_in("The enforcement point that answers."),
    },
    Channel {
        what: "verdict",
        description: "Every revision of every verdict. No device may read it.",
        messages: &["verdict"],
        from: &[RUN],
        to: &["SIEM", "data platforms"],
        on: mqtt_out(false),
    },
    Channel {
        what: "risk",
        description: "The newest risk of a device. No device may read it.",
        messages: &["risk"],
        from: &[RUN],
        to: &["decision points"],
        on: mqtt_out(true),
    },
    Channel {
        what: "enforcement",
        description: "Commands that are issued; the device itself may read them.",
        messages: &["device_command"],
        from: &[RUN],
        to: &["enforcement points", "devices", ENFORCE],
        on: mqtt_out(false),
    },
    Channel {
        what: "notice",
        description: "What those who run the plant are told.",
        messages: &["notice"],
        from: &[RUN],
        to: &["plant operations"],
        on: mqtt_out(false),
    },
    Channel {
        what: "alert",
        description: "What people are to look at, within the budget of alerts.",
        messages: &["alert"],
        from: &[RUN],
        to: &["SIEM", "plant operations"],
        on: mqtt_out(false),
    },
];
