//! What those who run the plant are told: only what stands otherwise about a device than before it
//! was worked on, since an order is said to have moved whenever something is to be said of it.

use andon_schemas::act::AckResult;
use andon_schemas::command::{Action, Mode};
use andon_schemas::notice::Lifting;
use andon_schemas::order::OrderState;
use andon_schemas::time::EventTime;

use super::Work;
use super::dossier::{Dossier, Entry, Release};
use super::time::TOLD_MAX;
use crate::notices::{Turn, notice};

#[cfg(test)]
mod tests;

/// Where an order stands, and what became of its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    state: OrderState,
    release: Option<Lifting>,
}

impl Entry {
    fn standing(&self) -> Standing {
        Standing {
            state: self.state(),
            release: self.release.as_ref().and_then(Release::came),
        }
    }
}

impl Release {
    /// What became of it; `None` as long as an answer is waited for, or nobody's is.
    fn came(&self) -> Option<Lifting> {
        match self.answered {
            Some(AckResult::Done) => Some(Lifting::Done),
            Some(AckResult::Failed) => Some(Lifting::Failed),
            None if self.told >= TOLD_MAX && self.ack_by.is_none() => Some(Lifting::TimedOut),
            None => None,
        }
    }
}

impl Dossier {
    /// Where every order stands.
    pub(super) fn standings(&self) -> Vec<Standing> {
        self.entries.iter().map(Entry::standing).collect()
    }

    /// Tells people what has changed since. Meanwhile orders may have come, and none has gone.
    pub(super) fn tell_people(&self, before: &[Standing], work: &mut Work<'_>) {
        for (at, entry) in self.entries.iter().enumerate() {
            let (was, is) = (before.get(at).copied(), entry.standing());
            if was == Some(is) {
                continue;
            }
            let turn = Turn {
                order: &entry.order,
                at: work.now,
                from: was.map(|was| was.state),
                release: if was.is_some_and(|was| was.state == is.state) {
                    self.worth_telling(entry, was.and_then(|was| was.release), is.release)
                } else {
                    None
                },
                is_awaited: entry.release.as_ref().is_some_and(|r| r.ack_by.is_some()),
                is_replaced: self.is_replaced(entry, before, was),
                still: self.still(entry),
            };
            if !self.mutes(&turn, work.now) {
                work.out.notices.extend(notice(&turn));
            }
        }
    }

    /// Whether people hear nothing of a turn, because one of them holds back what is about the
    /// device: of what blocks something, of what a person does, and of what nobody can hold back
    /// they always hear.
    fn mutes(&self, turn: &Turn<'_>, now: EventTime) -> bool {
        let order = turn.order;
        let blocks =
            |state: OrderState| state.is_in_force() && order.command.response.mode == Mode::Enforce;
        self.suppressed_until.is_some_and(|until| until > now)
            && !turn.from.into_iter().chain([order.state]).any(blocks)
            && turn.release.is_none()
            && order.by.is_none()
            && !self.asked.as_ref().is_some_and(|asked| asked.undeniable)
    }

    /// Whether another order took the place of one that is over: nobody is told to lift what is
    /// replaced, what has just come into force says what is blocked now, and who had to decide on
    /// one has to decide on the other.
    fn is_replaced(&self, entry: &Entry, before: &[Standing], was: Option<Standing>) -> bool {
        if was.is_none_or(|was| !was.state.is_in_force()) {
            return self
                .entries
                .iter()
                .any(|e| e.state() == OrderState::Proposed);
        }
        let has_come = self.entries.iter().enumerate().any(|(at, other)| {
            let was = before.get(at);
            was.is_none_or(|was| !was.state.is_in_force()) && is_beside(other, entry)
        });
        has_come || entry.state() == OrderState::Released && entry.release.is_none()
    }

    /// What became of a release: that it was done is news only to those who were told otherwise, and
    /// while another order of the same action stands it is that order which blocks.
    fn worth_telling(
        &self,
        entry: &Entry,
        was: Option<Lifting>,
        is: Option<Lifting>,
    ) -> Option<Lifting> {
        let stands =
            |other: &Entry| other.binds() && other.response().action == entry.response().action;
        let is_news = is != Some(Lifting::Done) || was.is_some();
        is.filter(|_| is_news && !self.entries.iter().any(stands))
    }

    /// The severest of what else is in force about the device.
    fn still(&self, entry: &Entry) -> Option<Action> {
        let others = self.entries.iter().filter(|other| is_beside(other, entry));
        others.map(|other| other.response().action).max()
    }
}

/// Whether another order is in force, blocks something, and is done or only said like this one.
fn is_beside(other: &Entry, one: &Entry) -> bool {
    other.id() != one.id()
        && other.state().is_in_force()
        && other.response().mode == one.response().mode
        && other.response().action >= Action::Restrict
}
