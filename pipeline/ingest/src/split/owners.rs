//! Whose the addresses of a block are, each looked up once for as long as blocks share them.

use andon_schemas::observation::Role;

use super::Owner;
use crate::files::{Addresses, FlowBlock};

/// The owners of the addresses at one end of flows.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// Kept, so that no others can come to lie where they lay.
    addresses: Option<Addresses>,
    /// By key.
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
enum Known {
    NotAsked,
    Nobody,
    Is(Owner<'static>),
}

impl Owners {
    /// Whether it is known whose this address of a block is. Of another block's addresses none is.
    #[inline]
    pub(super) fn knows(&self, block: &FlowBlock, role: Role, key: usize) -> bool {
        let own = self.addresses.as_ref();
        own.is_some_and(|own| block.has_addresses(role, own))
            && !matches!(self.known.get(key), None | Some(Known::NotAsked))
    }

    pub(super) fn learn(
        &mut self,
        block: &FlowBlock,
        role: Role,
        key: usize,
        owner: Option<Owner<'static>>,
    ) {
        let own = self.addresses.as_ref();
        if !own.is_some_and(|own| block.has_addresses(role, own)) {
            let addresses = block.addresses(role);
            self.known.clear();
            self.known.resize(addresses.len(), Known::NotAsked);
            self.addresses = Some(addresses);
        }
        if let Some(known) = self.known.get_mut(key) {
            *known = owner.map_or(Known::Nobody, Known::Is);
        }
    }

    #[inline]
    pub(super) fn get(&self, key: usize) -> Option<Owner<'_>> {
        match self.known.get(key)? {
            Known::Is(owner) => Some(owner.borrowed()),
            Known::Nobody | Known::NotAsked => None,
        }
    }
}
