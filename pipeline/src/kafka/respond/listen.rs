//! Handing what people do and what enforcement points answer to the desk that is to answer for it.

use std::sync::atomic::Ordering;

use andon_ingest::refused::Refused;
use andon_schemas::act::Ack;
use andon_schemas::identity::DeviceId;
use andon_schemas::reject::RejectReason;

use super::Stage;
use super::desk::{Desk, Rules};
use super::hearing::{Kind, Letter};
use super::routes::OF_NOBODY;
use crate::aside::Answer;
use crate::kafka::acts::Slip;

/// Most letters at a time.
const LETTERS: usize = 256;
/// Longest acknowledgement, bytes: more than its fields may hold together.
const ACK_BYTES_MAX: usize = 8 << 10;

impl Stage {
    /// Hears what has come, unless too much waits to be committed already.
    pub(super) fn listen(&mut self) -> anyhow::Result<()> {
        if self.paused {
            return Ok(());
        }
        let (desks, routes, waiting) = (&mut self.desks, &self.routes, &self.waiting);
        let is_trusted = self.trusted;
        let rules = Rules {
            names: &self.names,
            policy: &self.policy,
        };
        let mut done = Ok(());
        let mut refused = 0;
        self.hearing.take(LETTERS, &mut |letter| {
            // Whoever has heard it goes on; the others have not, and are to.
            let mut hear: Vec<(i32, &mut Desk)> = desks
                .iter_mut()
                .filter_map(|(partition, desk)| {
                    let is_new = desk.hears(letter.place, letter.offset);
                    is_new.then_some((*partition, desk))
                })
                .collect();
            let came = match letter.place.0 {
                Kind::Act => match slip(letter) {
                    Some(Slip::Act { act, device }) => {
                        let home = routes.of_device(&device);
                        let mut at_home = hear.into_iter().filter(|(desk, _)| *desk == home);
                        let desk = at_home.next();
                        desk.map_or(Ok(()), |(_, desk)| desk.act(act, rules))
                    }
                    Some(Slip::Came { act_id, came }) => {
                        waiting.tell(&act_id, &came);
                        Ok(())
                    }
                    None => Ok(()),
                },
                Kind::Ack => {
                    let read = trusted(is_trusted).and_then(|()| read(letter));
                    let home = match &read {
                        Ok((ack, device)) => routes.of_ack(ack, device.as_ref()),
                        Err(_) => OF_NOBODY,
                    };
                    hear.retain(|(partition, desk)| {
                        let owns = |(ack, device): &(Ack, Option<DeviceId>)| {
                            desk.owns(ack, device.as_ref())
                        };
                        *partition == home || read.as_ref().is_ok_and(owns)
                    });
                    hear.into_iter().try_for_each(|(_, desk)| {
                        refused += u64::from(!answer(desk, letter, &read, rules)?);
                        Ok(())
                    })
                }
            };
            if done.is_ok() {
                done = came;
            }
        });
        self.refused.fetch_add(refused, Ordering::Relaxed);
        done
    }
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

/// Lets a desk take an acknowledgement; whether it was believed.
fn answer(
    desk: &mut Desk,
    letter: &Letter<'_>,
    read: &Result<(Ack, Option<DeviceId>), Refused>,
    rules: Rules<'_>,
) -> anyhow::Result<bool> {
    match read {
        Ok((ack, _)) => {
            let answer = Answer {
                ack: ack.clone(),
                source: letter.source(),
                received_at: letter.at,
            };
            desk.answer(answer, rules)
        }
        Err(refused) => {
            let refused = refused.clone();
            let reject = refused.at(letter.source(), letter.at, letter.payload);
            desk.refuse(&reject, rules.names)?;
            Ok(false)
        }
    }
}
