//! Which commands a device gives to others and takes from them.

use super::contract::DESTINATIONS;
use super::read::Layers;
use super::talk::destinations;
use super::{CommandLists, CommandRule, Target};
use crate::observation::Role;
use crate::ot_command::read_names;
use crate::problems::Refusal;
use crate::yaml::{Key, Node, Report, Section, Shape};

const COMMAND: Shape = Shape::Text(&["modbus.read_coils", "modbus/read"]);
const COMMAND_NAMES: Shape = Shape::Any(&[COMMAND, Shape::List(&COMMAND)]);

pub(crate) const COMMANDS: Section = Section {
    keys: &[
        Key::new(
            "sends",
            Shape::List(&Shape::Any(&[COMMAND, Shape::Fields(&SENT)])),
            "every command it gives; a list without any says that it gives none",
        ),
        Key::new(
            "accepts",
            Shape::List(&Shape::Any(&[COMMAND, Shape::Fields(&ACCEPTED)])),
            "every command it takes; a list without any says that it takes none",
        ),
    ],
};

const NAMES: Key = Key::must(
    "commands",
    COMMAND_NAMES,
    "commands by name, or all of a protocol that read, write, upload, download or control",
);

pub(crate) const SENT: Section = Section {
    keys: &[
        NAMES,
        Key::new(
            "to",
            DESTINATIONS,
            "whom it gives them to, anybody unless written",
        ),
    ],
};

pub(crate) const ACCEPTED: Section = Section {
    keys: &[
        NAMES,
        Key::new(
            "from",
            DESTINATIONS,
            "who may give them, anybody unless written",
        ),
    ],
};

impl CommandLists {
    /// What is written for a device that opens a flow (it sends), or is connected to (it accepts).
    /// `None` if nothing is: then nothing is known to be wrong.
    pub fn of(&self, role: Role) -> Option<&[CommandRule]> {
        match role {
            Role::Originator => self.sends.as_deref(),
            Role::Responder => self.accepts.as_deref(),
        }
    }
}

/// The commands of a profile; a side that is not written is taken from what it extends.
pub(crate) fn commands(layers: &Layers<'_>, report: &mut Report) -> Option<CommandLists> {
    let node = layers.get("commands")?;
    if !report.mapping(node, "{ accepts: [modbus/read] }") {
        return None;
    }
    let fields = layers.fields("commands", &COMMANDS, report);
    let commands = CommandLists {
        sends: side(fields.get("sends"), Role::Originator, report),
        accepts: side(fields.get("accepts"), Role::Responder, report),
    };
    if commands.sends.is_none() && commands.accepts.is_none() {
        let refusal = Refusal::new("neither `sends:` nor `accepts:` is written");
        report.key(
            node,
            refusal.hint("Write for instance `accepts: [modbus/read]`."),
        );
        return None;
    }
    Some(commands)
}

fn side(node: Option<Node<'_>>, role: Role, report: &mut Report) -> Option<Vec<CommandRule>> {
    let mut rules: Vec<CommandRule> = Vec::new();
    for item in node?.items() {
        let Some(CommandRule { names, peers }) = rule(item, role, report) else {
            continue;
        };
        // What is bound to the same peers is one rule, however it was written.
        match rules.iter_mut().find(|known| known.peers == peers) {
            Some(known) => known.names.extend(names),
            None => rules.push(CommandRule { names, peers }),
        }
    }
    for rule in &mut rules {
        rule.names.sort_unstable();
        rule.names.dedup();
    }
    Some(rules)
}

fn rule(item: Node<'_>, role: Role, report: &mut Report) -> Option<CommandRule> {
    if !item.is_map() {
        return Some(CommandRule {
            names: owned(report.read(item, read_names)?),
            peers: Vec::new(),
        });
    }
    let (section, key) = match role {
        Role::Originator => (&SENT, "to"),
        Role::Responder => (&ACCEPTED, "from"),
    };
    if !report.fields(item, section) {
        return None;
    }
    let names = report.read_each(item.get("commands"), read_names);
    let peers = destinations(item.get(key), report);
    if names.is_empty() {
        return None;
    }
    Some(CommandRule {
        names: owned(names.concat()),
        peers: peers.into_iter().map(|peer| peer.target).collect(),
    })
}

fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// A side as a profile writes it, on one line; whom a rule is bound to is written by `target`.
pub(crate) fn write(
    rules: &[CommandRule],
    role: Role,
    target: impl Fn(&Target) -> String,
) -> String {
    let key = match role {
        Role::Originator => "to",
        Role::Responder => "from",
    };
    let one = |rule: &CommandRule| {
        let names = rule.names.join(", ");
        if rule.peers.is_empty() {
            return names;
        }
        let peers: Vec<_> = rule.peers.iter().map(&target).collect();
        format!("{{ commands: [{names}], {key}: [{}] }}", peers.join(", "))
    };
    let rules: Vec<_> = rules.iter().map(one).collect();
    format!("[{}]", rules.join(", "))
}
