//! What enforcement points answer. An answer to something that was never issued is not believed,
//! and one that comes again does nothing.

use andon_schemas::act::{Ack, AckResult};
use andon_schemas::audit::{AuditEntry, AuditEvent};
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderState;

use super::dossier::{Dossier, Entry, key_of};
use super::{Answered, Orders, Output, Work};
use crate::policy::Policy;

/// What an answer speaks of.
enum Spoken {
    Order(String),
    Release(String),
}

impl Orders {
    /// Takes an answer. It does not move time: its clock is not ours.
    pub(super) fn ack(&mut self, ack: &Ack, policy: &dyn Policy, out: &mut Output) -> Answered {
        let begin = out.audit.len();
        let answered = self.believe(ack, policy, out);
        let (event, detail) = match &answered {
            Answered::Known => return answered,
            Answered::Taken => (AuditEvent::Ack, ack.detail.clone()),
            Answered::Refused(why) => (AuditEvent::AckRefused, why.clone()),
        };
        let mut entry = AuditEntry::new(event, self.now, Some(&ack.enforcer), detail);
        entry.ack = Some(Box::new(ack.clone()));
        out.audit.insert(begin, entry);
        answered
    }

    fn believe(&mut self, ack: &Ack, policy: &dyn Policy, out: &mut Output) -> Answered {
        if let Err(why) = ack.check() {
            return Answered::Refused(why);
        }
        let name = ack.command_id.as_ref().or(ack.key.as_ref());
        let owner = name.and_then(|name| self.owners.get(name)).cloned();
        let (Some(device), Some(name)) = (owner, name) else {
            let name = name.map(String::as_str).unwrap_or_default();
            return Answered::Refused(format!("no command `{name}` was issued"));
        };
        self.work(&device, policy, out, |dossier, work| {
            if !work.policy.may_answer(&ack.enforcer, &dossier.segment) {
                let (who, segment) = (&ack.enforcer, &dossier.segment);
                let why = format!("`{who}` does not answer for the segment `{segment}`");
                return Answered::Refused(why);
            }
            match dossier.spoken_of(&device, ack) {
                Some(Spoken::Order(id)) => dossier.answer(&id, ack, work),
                Some(Spoken::Release(id)) => dossier.answer_release(&id, ack, work),
                None => Answered::Refused(format!("no command `{name}` was issued")),
            }
        })
    }
}

impl Dossier {
    /// The order that an answer speaks of: the newest, if several fit.
    fn spoken_of(&self, device: &DeviceId, ack: &Ack) -> Option<Spoken> {
        let issued = |entry: &&Entry| entry.told > 0 && entry.response().mode == Mode::Enforce;
        let mut entries = self.entries.iter().rev().filter(issued);
        entries.find_map(|entry| {
            let release = entry.release.as_ref();
            let (is_order, is_release) = match (&ack.command_id, &ack.key, ack.expiry) {
                (Some(id), ..) => (
                    entry.id() == id,
                    release.is_some_and(|release| release.command.command_id == *id),
                ),
                (None, Some(key), Some(expiry)) => {
                    let fits = key_of(device, entry.response().action) == *key;
                    (
                        fits && entry.expires() == expiry,
                        fits && release.is_some_and(|release| release.command.issued == expiry),
                    )
                }
                _ => (false, false),
            };
            if is_release {
                return Some(Spoken::Release(entry.id().to_owned()));
            }
            is_order.then(|| Spoken::Order(entry.id().to_owned()))
        })
    }

    fn answer(&mut self, id: &str, ack: &Ack, work: &mut Work<'_>) -> Answered {
        let Some(entry) = self.entry_mut(id) else {
            return Answered::Known;
        };
        let state = match (entry.state(), ack.result) {
            (OrderState::Issued | OrderState::TimedOut, AckResult::Failed) => OrderState::Failed,
            (OrderState::Issued | OrderState::TimedOut | OrderState::Failed, AckResult::Done) => {
                OrderState::Acknowledged
            }
            _ => return Answered::Known,
        };
        entry.ack_by = None;
        entry.step(work.now, state, Some(&ack.enforcer), &ack.detail);
        work.moved(&entry.order.clone());
        Answered::Taken
    }

    fn answer_release(&mut self, id: &str, ack: &Ack, work: &mut Work<'_>) -> Answered {
        let now = work.now;
        let Some(entry) = self.entry_mut(id) else {
            return Answered::Known;
        };
        let Some(release) = entry.release.as_mut() else {
            return Answered::Known;
        };
        match (release.answered, ack.result) {
            (None, _) | (Some(AckResult::Failed), AckResult::Done) => {}
            _ => return Answered::Known,
        }
        release.answered = Some(ack.result);
        release.ack_by = None;
        let why = match ack.result {
            AckResult::Done => format!("{} lifted it", ack.enforcer),
            AckResult::Failed if ack.detail.is_empty() => {
                format!("{} could not lift it", ack.enforcer)
            }
            AckResult::Failed => format!("{} could not lift it: {}", ack.enforcer, ack.detail),
        };
        entry.remark(now, &why);
        work.moved(&entry.order.clone());
        Answered::Taken
    }
}
