//! Handing what people do and what enforcement points answer to the desk that is to answer for it.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use andon_ingest::refused::Refused;
use andon_schemas::act::Ack;
use andon_schemas::identity::DeviceId;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::{EventTime, Span};

use super::Stage;
use super::desk::{Desk, Rules};
use super::hearing::{Kind, Letter};
use super::routes::{OF_NOBODY, Routes};
use crate::aside::Answer;
use crate::kafka::acts::{Slip, Waiting};
use crate::kafka::directory::Directory;
use crate::wall;

/// Most letters at a time.
const LETTERS: usize = 256;
/// An act that has waited for longer is not done any more.
const LATE_AFTER: Span = Span::from_secs(300);
/// Longest acknowledgement, bytes: more than its fields may hold together.
const ACK_BYTES_MAX: usize = 8 << 10;

impl Stage {
    /// Hears what has come, unless too much waits to be committed already.
    pub(super) fn listen(&mut self) -> anyhow::Result<()> {
        let heard = self.desks.values_mut().map(|desk| &mut desk.heard);
        if self.paused || !self.hearing.is_open(heard) {
            return Ok(());
        }
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ear = Ear {
            desks: &mut self.desks,
            routes: &routes,
            directory: &self.directory,
            waiting: &self.waiting,
            is_trusted: self.trusted,
            rules: Rules {
                names: &self.names,
                policy: &self.policy,
            },
            refused: Vec::new(),
        };
        let mut done = Ok(());
        self.hearing.take(LETTERS, &mut |letter| {
            let came = ear.hear(letter);
            if done.is_ok() {
                done = came;
            }
        });
        let refused = ear.refused;
        if let Ok(mut all) = self.refused.lock() {
            for reason in refused {
                *all.entry(reason).or_default() += 1;
            }
        }
        done
    }
}

/// Everything that a letter is handed on with.
struct Ear<'a> {
    desks: &'a mut BTreeMap<i32, Desk>,
    routes: &'a Routes,
    directory: &'a Directory,
    waiting: &'a Waiting,
    is_trusted: bool,
    rules: Rules<'a>,
    refused: Vec<RejectReason>,
}

impl Ear<'_> {
    fn hear(&mut self, letter: &Letter<'_>) -> anyhow::Result<()> {
        if letter.is_anew {
            let source = letter.source();
            tracing::error!(
                topic = &*source.topic,
                partition = source.partition,
                "it goes on before what was heard of it: it was made anew, and is heard from there"
            );
            for desk in self.desks.values_mut() {
                desk.hear_anew(letter.place, letter.offset);
            }
        }
        // Whoever has heard it goes on; the others have not, and are to.
        let hear: Vec<i32> = self
            .desks
            .iter_mut()
            .filter_map(|(number, desk)| {
                let is_new = desk.hears(letter.place, letter.offset);
                is_new.then_some(*number)
            })
            .collect();
        match letter.place.0 {
            Kind::Act => self.act(letter, &hear),
            Kind::Ack => self.ack(letter, &hear),
        }
    }

    fn act(&mut self, letter: &Letter<'_>, hear: &[i32]) -> anyhow::Result<()> {
        match slip(letter) {
            Some(Slip::Act { act, desk }) if hear.contains(&desk) => {
                let late = too_late(letter.at, act.at);
                match self.desks.get_mut(&desk) {
                    Some(desk) => desk.act(act, late, self.rules),
                    None => Ok(()),
                }
            }
            Some(Slip::Came { act_id, came }) => {
                self.waiting.tell(&act_id, &came);
                Ok(())
            }
            Some(Slip::Act { .. }) | None => Ok(()),
        }
    }

    /// The desk that has the order takes an answer. Where nobody has it, the desk refuses it that
    /// would: each answer is taken or refused once.
    fn ack(&mut self, letter: &Letter<'_>, hear: &[i32]) -> anyhow::Result<()> {
        let read = trusted(self.is_trusted).and_then(|()| read(letter));
        let home = match &read {
            Ok((ack, device)) => self
                .directory
                .of_ack(ack)
                .unwrap_or_else(|| self.routes.of_ack(ack, device.as_ref())),
            Err(_) => OF_NOBODY,
        };
        for number in hear {
            let Some(desk) = self.desks.get_mut(number) else {
                continue;
            };
            let owns = read.as_ref().is_ok_and(|(ack, _)| desk.owns(ack));
            if !owns && *number != home {
                continue;
            }
            if let Some(reason) = answer(desk, letter, &read, self.rules)? {
                self.refused.push(reason);
            }
        }
        Ok(())
    }
}

/// Why an act is no longer done, or not yet: a decision is about what stands when it is made.
fn too_late(handed_in: EventTime, at: EventTime) -> Option<&'static str> {
    if wall::now() > handed_in + LATE_AFTER {
        return Some("it came too late, as nobody could do it in time: decide again");
    }
    (at > handed_in + LATE_AFTER).then_some("its time is in the future: look to the clocks")
}

/// A record about acts.
fn slip(letter: &Letter<'_>) -> Option<Slip> {
    match serde_json::from_slice(letter.payload) {
        Ok(slip) => Some(slip),
        Err(error) => {
            // Nobody but us writes there.
            tracing::error!(
                offset = letter.offset,
                "a record among the acts is none: {error}"
            );
            None
        }
    }
}

/// A made-up answer would hide that nothing was done.
fn trusted(is_trusted: bool) -> Result<(), Refused> {
    if is_trusted {
        return Ok(());
    }
    Err(Refused::new(
        RejectReason::WrongSender,
        "Kafka does not tell who answers: `trusted_producers` says that only enforcement points and \
         bridges may write here",
    ))
}

/// An acknowledgement, and the device that its record is about.
fn read(letter: &Letter<'_>) -> Result<(Ack, Option<DeviceId>), Refused> {
    if letter.payload.len() > ACK_BYTES_MAX {
        let bytes = letter.payload.len();
        return Err(Refused::new(
            RejectReason::Oversized,
            format!("acknowledgement of {bytes} bytes is longer than {ACK_BYTES_MAX}"),
        ));
    }
    let ack: Ack = serde_json::from_slice(letter.payload)
        .map_err(|e| Refused::new(RejectReason::Malformed, format!("acknowledgement: {e}")))?;
    let key = letter.key.and_then(|key| std::str::from_utf8(key).ok());
    let device = key.and_then(|key| DeviceId::new(key).ok());
    Ok((ack, device))
}

/// Lets a desk take an acknowledgement; why not, if it was not believed.
fn answer(
    desk: &mut Desk,
    letter: &Letter<'_>,
    read: &Result<(Ack, Option<DeviceId>), Refused>,
    rules: Rules<'_>,
) -> anyhow::Result<Option<RejectReason>> {
    match read {
        Ok((ack, _)) => {
            let answer = Answer {
                ack: ack.clone(),
                source: letter.source(),
                received_at: letter.at,
            };
            let is_believed = desk.answer(answer, rules)?;
            Ok((!is_believed).then_some(RejectReason::RefusedAck))
        }
        Err(refused) => {
            let reason = refused.reason;
            let refused = refused.clone();
            let reject = refused.at(letter.source(), letter.at, letter.payload);
            desk.refuse(&reject, rules.names)?;
            Ok(Some(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_that_waited_for_long_or_is_of_the_future_is_not_done() {
        let now = wall::now();
        assert_eq!(too_late(now, EventTime::default()), None);
        assert_eq!(too_late(now, now), None);
        let hours = Span::HOUR.times(2);
        assert!(
            too_late(now - hours, EventTime::default())
                .unwrap()
                .contains("too late")
        );
        assert!(too_late(now, now + hours).unwrap().contains("future"));
    }
}
