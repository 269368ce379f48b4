//! Which acts have come, and what came of them: one that comes again is answered as it was before,
//! whether it was done or refused.

use std::collections::VecDeque;

use andon_schemas::act::{Act, ActRefused, Refusal};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

use super::Orders;
use crate::digest;

/// So many acts are remembered, to know one that comes twice.
const REMEMBERED: usize = 1_024;

/// Acts that have come; kept by whoever keeps orders piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done(VecDeque<Memo>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Memo {
    act_id: String,
    /// Hash of what was asked for.
    what: String,
    came: Came,
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Came {
    Order(String),
    Suppressed(DeviceId, EventTime),
    /// Something that is kept elsewhere.
    Elsewhere,
    /// Nothing, and why.
    Refused(ActRefused),
}

/// A hash of what an act asks for: the same key for something else is a mistake.
pub(super) fn what(act: &Act) -> String {
    let kind = serde_json::to_string(&act.kind).unwrap_or_default();
    digest(&[&act.by, &kind], 8)
}

impl Orders {
    /// Whether an act that is done elsewhere has come, and what it was refused for, if it was. It
    /// shares one memory with all others.
    ///
    /// # Errors
    /// If the same `act_id` asked for something else before.
    pub fn remembers(&self, act: &Act) -> Result<Option<Result<(), ActRefused>>, ActRefused> {
        let came = self.memo(act, &what(act))?;
        Ok(came.map(|came| match came {
            Came::Refused(refusal) => Err(refusal.clone()),
            _ => Ok(()),
        }))
    }

    /// An act has been done, or refused, elsewhere.
    pub fn remember(&mut self, act: &Act, refusal: Option<&ActRefused>) {
        let came = refusal.map_or(Came::Elsewhere, |refusal| Came::Refused(refusal.clone()));
        self.note(act, what(act), came);
    }

    /// What came of an act that has come before.
    pub(super) fn memo(&self, act: &Act, asked: &str) -> Result<Option<&Came>, ActRefused> {
        let memo = self.done.0.iter().find(|memo| memo.act_id == act.act_id);
        if memo.is_some_and(|memo| memo.what != asked) {
            let why = format!("the act `{}` asked for something else before", act.act_id);
            return Err(ActRefused::new(Refusal::Conflict, why));
        }
        Ok(memo.map(|memo| &memo.came))
    }

    pub(super) fn note(&mut self, act: &Act, what: String, came: Came) {
        if self.done.0.len() >= REMEMBERED {
            self.done.0.pop_front();
        }
        self.done.0.push_back(Memo {
            act_id: act.act_id.clone(),
            what,
            came,
        });
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::act::ActKind;
    use andon_schemas::audit::AuditEvent;
    use andon_schemas::command::Action;

    use super::super::Input;
    use super::super::tests::{Plant, act, asks, id};
    use super::*;
    use crate::plant_of_tests::Strict;

    fn release() -> ActKind {
        ActKind::ReleaseDevice { device: id("a-1") }
    }

    #[test]
    fn a_refused_act_is_answered_the_same_when_it_comes_again() {
        let mut plant = Plant::new(Strict::default());
        let why = plant.act("one", 0, release()).unwrap_err();
        assert_eq!(why.kind, Refusal::Conflict);
        // By now it could be done: but it was answered.
        plant.verdict(&asks("a-1", 1, 1, Action::Quarantine));
        let kept = serde_json::to_string(plant.orders.done()).unwrap();
        plant
            .orders
            .remember_done(serde_json::from_str(&kept).unwrap());
        let again = plant.step(Input::Act(&act("one", 2, release())));
        assert_eq!(again.acted, Some(Err(why)));
        assert!(again.audit.is_empty(), "it is in the trail once");
        plant.act("two", 3, release()).unwrap();
    }

    #[test]
    fn what_is_no_act_is_in_the_trail_and_its_key_is_free() {
        let mut plant = Plant::new(Strict::default());
        let suppress = |hours| ActKind::Suppress {
            device: id("a-1"),
            hours,
        };
        let mut long = act("one", 0, suppress(500));
        long.reason = "ä".repeat(5_000);
        let out = plant.step(Input::Act(&long));
        assert_eq!(out.acted.unwrap().unwrap_err().kind, Refusal::Invalid);
        let entry = &out.audit[0];
        assert_eq!(entry.event, AuditEvent::ActRefused);
        assert!(!entry.detail.is_empty());
        assert_eq!(entry.act.as_ref().unwrap().reason.len(), 1_000);
        plant.act("one", 1, suppress(5)).unwrap();
    }
}
