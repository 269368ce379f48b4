//! The plant's own ends of a record.

use std::borrow::Cow;

use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{Record, Role, Sender, Source};
use andon_schemas::time::EventTime;
use andon_schemas::view::View;

/// The plant's own ends of a record, one or two: each with its device and, of a flow, its role.
#[derive(Clone, Debug)]
pub struct Ends<'a> {
    first: End<'a>,
    second: Option<End<'a>>,
}

#[derive(Clone, Debug)]
struct End<'a> {
    owner: Owner<'a>,
    role: Role,
}

/// Whose an address is.
#[derive(Clone, Debug)]
pub struct Owner<'a> {
    /// The device.
    pub device: Cow<'a, DeviceId>,
    /// Its position in the inventory, if it was found there by its address.
    pub place: Option<u32>,
}

impl<'a> Owner<'a> {
    /// A device that says itself who it is.
    pub(super) fn named(device: &'a DeviceId) -> Self {
        Self {
            device: Cow::Borrowed(device),
            place: None,
        }
    }
}

impl<'a> Ends<'a> {
    pub(super) fn one(owner: Owner<'a>, role: Role) -> Self {
        Self {
            first: End { owner, role },
            second: None,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        1 + usize::from(self.second.is_some())
    }

    /// Each, with its role.
    #[inline]
    pub fn each(&self) -> impl Iterator<Item = (&Owner<'a>, Role)> {
        [Some(&self.first), self.second.as_ref()]
            .into_iter()
            .flatten()
            .map(|End { owner, role }| (owner, *role))
    }

    /// What the record says of each.
    pub fn views<'s>(
        &'s self,
        record: &'s Record,
        source: &'s Source,
        received_at: EventTime,
    ) -> impl Iterator<Item = View<'s>> {
        self.each().map(move |(owner, role)| {
            let device = (&*owner.device, owner.place);
            View::of(record, device, role, source, received_at)
        })
    }

    /// Without the end that the sender may not speak for; with the first if it may speak for
    /// neither.
    pub(super) fn heard(self, inventory: Option<&Inventory>, sender: Option<&Sender>) -> Self {
        let (Some(inventory), Some(sender), Some(second)) = (inventory, sender, &self.second)
        else {
            return self;
        };
        let name = sender.name.as_str();
        let speaker = inventory.position(name);
        let may = |End { owner, .. }: &End| match (owner.place, speaker) {
            (Some(place), Some(speaker)) => inventory.speaks_for(speaker, place as usize),
            _ => inventory.may_speak_for(name, owner.device.as_str()),
        };
        match (may(&self.first), may(second)) {
            (true, true) => self,
            (false, true) => Self {
                first: second.clone(),
                second: None,
            },
            (_, false) => Self {
                second: None,
                ..self
            },
        }
    }
}

pub(super) fn ends_of<'a>(
    originator: Option<Owner<'a>>,
    responder: Option<Owner<'a>>,
) -> Option<Ends<'a>> {
    match (originator, responder) {
        (Some(originator), responder) => Some(Ends {
            second: responder.map(|owner| End {
                owner,
                role: Role::Responder,
            }),
            ..Ends::one(originator, Role::Originator)
        }),
        (None, Some(responder)) => Some(Ends::one(responder, Role::Responder)),
        (None, None) => None,
    }
}
