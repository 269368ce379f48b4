//! Whose the addresses of a block are, each looked up once for as long as blocks share them.

use std::borrow::Cow;

use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::Role;

use super::Owner;
use crate::files::{Addresses, FlowBlock};

/// Whose an address is, in one word, so that those of a large plant fit a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot(u32);

impl Spot {
    const NOT_ASKED: Self = Self(u32::MAX);
    const NOBODY: Self = Self(u32::MAX - 1);
    /// Marks the number of a stranger. No inventory lists two billion devices.
    const STRANGER: u32 = 1 << 31;

    fn listed(place: u32) -> Self {
        Self(place & !Self::STRANGER)
    }

    fn stranger(number: usize) -> Self {
        u32::try_from(number).map_or(Self::NOBODY, |number| Self(number | Self::STRANGER))
    }

    fn number(self) -> usize {
        (self.0 & !Self::STRANGER) as usize
    }

    /// The place of a device that the inventory lists.
    #[inline]
    pub(super) fn place(self) -> Option<u32> {
        (self.0 & Self::STRANGER == 0).then_some(self.0)
    }
}

/// The owners of the addresses at one end of flows.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// Kept, so that no others can come to lie where they lay.
    addresses: Option<Addresses>,
    /// By key.
    spots: Vec<Spot>,
    /// Those that the inventory does not list.
    strangers: Vec<DeviceId>,
}

impl Owners {
    /// Whose this address of a block is, if it has been asked.
    #[inline]
    pub(super) fn known(&self, block: &FlowBlock, role: Role, key: usize) -> Option<Spot> {
        let own = self.addresses.as_ref()?;
        let spot = *self.spots.get(key)?;
        (spot != Spot::NOT_ASKED && block.has_addresses(role, own)).then_some(spot)
    }

    /// Remembers whose an address of a block is.
    pub(super) fn learn(
        &mut self,
        block: &FlowBlock,
        role: Role,
        key: usize,
        owner: Option<Owner<'_>>,
    ) -> Spot {
        let own = self.addresses.as_ref();
        if !own.is_some_and(|own| block.has_addresses(role, own)) {
            let addresses = block.addresses(role);
            self.spots.clear();
            self.spots.resize(addresses.len(), Spot::NOT_ASKED);
            self.strangers.clear();
            self.addresses = Some(addresses);
        }
        let spot = match owner {
            None => Spot::NOBODY,
            Some(Owner { device, place }) => place.map_or_else(
                || {
                    self.strangers.push(device.into_owned());
                    Spot::stranger(self.strangers.len() - 1)
                },
                Spot::listed,
            ),
        };
        if let Some(known) = self.spots.get_mut(key) {
            *known = spot;
        }
        spot
    }

    /// The device at a spot.
    #[inline]
    pub(super) fn owner<'a>(
        &'a self,
        spot: Spot,
        inventory: Option<&'a Inventory>,
    ) -> Option<Owner<'a>> {
        let place = spot.place();
        let device = match place {
            Some(place) => inventory?.id_of(place)?,
            None => self.strangers.get(spot.number())?,
        };
        Some(Owner {
            device: Cow::Borrowed(device),
            place,
        })
    }
}
