//! Which commands devices give and take. Who may read is left to whom it talks to; what changes
//! anything is bound to those who were seen to do it.

use std::collections::BTreeMap;

use andon_schemas::observation::Role;
use andon_schemas::ot_command::{Effect, by_name};
use andon_schemas::profile::{CommandLists, CommandRule, Target};

use super::peers::target;
use super::screen::{self, LeftOut};
use super::tally::{Peer, Seen};
use super::write::Draft;

/// Fewest device-hours in which a command was seen that stops a device or changes its program:
/// once may have been the attack.
const GRAVE_HOURS_MIN: u64 = 2;

/// A command as it is counted: whether the device gave it (originator) or got it, and the peer.
pub(super) type Told = (Role, String, Peer);

impl Draft<'_> {
    pub(super) fn commands(&mut self) -> Option<CommandLists> {
        if self.tally.commands.is_empty() {
            return self.present.and_then(|present| present.commands.clone());
        }
        let sends = self.side(Role::Originator);
        let accepts = self.side(Role::Responder);
        (sends.is_some() || accepts.is_some()).then_some(CommandLists { sends, accepts })
    }

    /// One side's list; `None` if nothing was seen of it: a sensor need not tell commands.
    fn side(&mut self, role: Role) -> Option<Vec<CommandRule>> {
        let mine = self.tally.commands.iter();
        let mine: BTreeMap<Told, Seen> = mine
            .filter(|((by, ..), _)| *by == role)
            .map(|(told, seen)| (told.clone(), seen.clone()))
            .collect();
        if mine.is_empty() {
            return None;
        }
        let (known, out) = screen::known(&mine, self.tally, word);
        self.left_out.extend(out);
        let (learned, grave): (Vec<_>, Vec<_>) = known
            .into_iter()
            .partition(|((_, name, _), seen)| !is_grave(name) || seen.hours >= GRAVE_HOURS_MIN);
        self.left_out
            .extend(grave.iter().map(|(told, seen)| LeftOut {
                device: None,
                at: None,
                why: format!(
                    "{}: {} times within one device-hour, and it stops a device or changes its \
                 program; if that is its work, write it yourself",
                    word(told),
                    seen.count
                ),
            }));
        let connections: u64 = learned.iter().map(|(_, seen)| seen.count).sum();
        let (side, bound) = match role {
            Role::Originator => ("sends", "whom they were sent to"),
            Role::Responder => ("accepts", "who was seen to give them"),
        };
        self.say(
            "commands",
            format!(
                "{side}: {connections} connections with commands; what changes anything is bound \
                 to {bound}."
            ),
        );
        Some(rules(&learned))
    }
}

fn effect(name: &str) -> Option<Effect> {
    by_name(name).map(|known| known.effect)
}

fn is_grave(name: &str) -> bool {
    matches!(effect(name), Some(Effect::Download | Effect::Control))
}

fn word((role, name, peer): &Told) -> String {
    let way = match role {
        Role::Originator => "sent to",
        Role::Responder => "accepted from",
    };
    format!("commands: {name} {way} {}", target(peer))
}

/// One rule for each set of peers, the harmless first. A name that no table knows cannot be written
/// in a profile.
fn rules(learned: &[(Told, Seen)]) -> Vec<CommandRule> {
    let mut bound: BTreeMap<&str, Vec<Target>> = BTreeMap::new();
    for ((_, name, peer), _) in learned {
        let Some(effect) = effect(name) else {
            continue;
        };
        let peers = bound.entry(name).or_default();
        if effect > Effect::Read {
            peers.push(target(peer));
        }
    }
    let mut rules: Vec<CommandRule> = Vec::new();
    for (name, mut peers) in bound {
        peers.sort_by_key(ToString::to_string);
        match rules.iter_mut().find(|rule| rule.peers == peers) {
            Some(rule) => rule.names.push(name.to_owned()),
            None => rules.push(CommandRule {
                names: vec![name.to_owned()],
                peers,
            }),
        }
    }
    rules.sort_by_key(|rule| rule.peers.len());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_not_bound_and_whoever_changes_something_is() {
        let told = |name: &str, last: u8| {
            let peer = Peer::Address([10, 0, 0, last].into());
            ((Role::Responder, name.to_owned(), peer), Seen::default())
        };
        let learned = [
            told("modbus.write_single_coil", 7),
            told("modbus.read_coils", 7),
            told("modbus.read_coils", 8),
            told("modbus.write_single_coil", 5),
            told("modbus.write_single_register", 5),
            told("vendor.unheard_of", 5),
        ];
        let rules = rules(&learned);
        let short: Vec<_> = rules
            .iter()
            .map(|rule| {
                let peers: Vec<_> = rule.peers.iter().map(ToString::to_string).collect();
                (rule.names.join(" "), peers.join(" "))
            })
            .collect();
        let expected = [
            ("modbus.read_coils", ""),
            ("modbus.write_single_register", "10.0.0.5"),
            ("modbus.write_single_coil", "10.0.0.5 10.0.0.7"),
        ];
        assert_eq!(short, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
