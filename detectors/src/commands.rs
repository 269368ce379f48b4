//! The command lists of a profile, compiled: who may tell whom to do what.

use andon_schemas::inventory::Inventory;
use andon_schemas::observation::Role;
use andon_schemas::profile::{CommandLists, CommandRule, Destination};

use crate::baseline::Directory;

/// What a list says about one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// It is listed, for this peer or for anybody.
    Yes,
    /// It is listed, for others.
    ForOthers,
    /// It is not listed.
    No,
}

#[derive(Clone, Debug)]
struct Rule {
    /// In alphabetical order.
    names: Vec<String>,
    /// `None` for anybody.
    peers: Option<Directory>,
}

impl Rule {
    fn compile(rule: &CommandRule, inventory: &Inventory) -> Self {
        let peer = |target: &_| Destination {
            target: Clone::clone(target),
            share: None,
            safety: false,
            over: Vec::new(),
        };
        let peers: Vec<_> = rule.peers.iter().map(peer).collect();
        Self {
            names: rule.names.clone(),
            peers: (!peers.is_empty()).then(|| Directory::compile(&peers, inventory)),
        }
    }

    fn holds(&self, name: &str) -> bool {
        let found = self
            .names
            .binary_search_by(|known| known.as_str().cmp(name));
        found.is_ok()
    }
}

/// Both lists of a profile; a side without one lists nothing and forbids nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandTable {
    sends: Option<Vec<Rule>>,
    accepts: Option<Vec<Rule>>,
}

impl CommandTable {
    pub(crate) fn compile(lists: Option<&CommandLists>, inventory: &Inventory) -> Self {
        let side = |role| {
            let rules = lists?.of(role)?;
            Some(
                rules
                    .iter()
                    .map(|rule| Rule::compile(rule, inventory))
                    .collect(),
            )
        };
        Self {
            sends: side(Role::Originator),
            accepts: side(Role::Responder),
        }
    }

    /// Whether neither side is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.sends.is_none() && self.accepts.is_none()
    }

    /// What is written about a command that the device gives to a peer (originator) or gets from
    /// it (responder); `None` if nothing is.
    pub(crate) fn listed(&self, role: Role, name: &str, peer: u128) -> Option<Listed> {
        let rules = match role {
            Role::Originator => self.sends.as_ref()?,
            Role::Responder => self.accepts.as_ref()?,
        };
        let mut listed = Listed::No;
        for rule in rules.iter().filter(|rule| rule.holds(name)) {
            match &rule.peers {
                Some(peers) if peers.find(peer).is_none() => listed = Listed::ForOthers,
                _ => return Some(Listed::Yes),
            }
        }
        Some(listed)
    }
}
