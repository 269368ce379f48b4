//! A desk: the commands about the devices of some segments, and what stands about them.

use std::sync::Arc;
use std::time::Instant;

use andon_emit::kafka::{NextOffset, Outgoing};
use andon_ingest::kafka::Message;
use andon_respond::{Dossier, Input, Orders};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::Verdict;
use anyhow::bail;
use serde::Serialize;

use crate::kafka::epochs::Part;
use crate::kafka::names::Names;
use crate::kafka::recall::{Recalled, Values};
use crate::policy::PlantPolicy;
use crate::sealed::{open, seal};

const STANDING: [u8; 8] = *b"ANDONCM2";
const END: [u8; 8] = *b"ANDONCE2";
/// What the keys of this stage begin with, in the topic of the state; a device follows.
pub(super) const KEYS: &[u8] = b"respond/";

/// What stands about the devices of some segments.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) next: i64,
    pub(super) orders: Orders,
    pub(super) records: Vec<Outgoing>,
    pub(super) epoch: u64,
    /// What the group holds beside our offset.
    pub(super) note: Option<String>,
    pub(super) touched: bool,
    pub(super) ended: bool,
    /// The latest time that a verdict told, and when it came: where no verdict comes, time goes on
    /// from there by the wall clock.
    told: Option<(EventTime, Instant)>,
}

/// The offset of the next verdict, and the time it has come to, as the state tells.
fn end(values: &Values) -> anyhow::Result<Option<(i64, EventTime)>> {
    let bytes = values.get(KEYS);
    bytes.map(|bytes| open(END, bytes)).transpose()
}

/// The offset of the next verdict, as the state tells.
pub(super) fn next(values: &Values) -> anyhow::Result<Option<i64>> {
    Ok(end(values)?.map(|(next, _)| next))
}

impl Desk {
    /// Goes on with what stood when the verdicts before the committed offset had been answered.
    ///
    /// # Errors
    /// If what is kept is damaged, of another version, or not as new as the offset.
    pub(super) fn of(recalled: &Recalled) -> anyhow::Result<Self> {
        let kept = &recalled.values;
        let (told, now) = end(kept)?.unzip();
        if told != recalled.committed {
            bail!(
                "they stand at offset {told:?} and {:?} is committed",
                recalled.committed
            );
        }
        let next = recalled.committed.unwrap_or(recalled.low);
        if next < recalled.low {
            // Of a partition that was quiet for long, that may be the marker of a transaction.
            tracing::warn!(
                "the verdicts from offset {next} to {} were deleted by the topic's retention; if \
                 any of them was not answered, it never will be",
                recalled.low
            );
        }
        let mut desk = Self {
            next: next.max(recalled.low),
            note: recalled.note.clone(),
            orders: Orders::at(now.unwrap_or_default()),
            told: now.map(|now| (now, Instant::now())),
            ..Self::default()
        };
        for (_, value) in kept.iter().filter(|(key, _)| key.as_slice() != KEYS) {
            let (device, dossier): (DeviceId, Dossier) = open(STANDING, value)?;
            desk.orders.resume(&device, dossier);
        }
        Ok(desk)
    }

    /// Takes a verdict.
    ///
    /// # Errors
    /// If a command cannot be written as JSON.
    pub(super) fn take(
        &mut self,
        message: &Message<'_>,
        names: &Names,
        policy: &PlantPolicy,
    ) -> anyhow::Result<()> {
        if message.offset < self.next {
            return Ok(());
        }
        self.next = message.offset + 1;
        self.touched = true;
        self.ended = false;
        let payload = message.payload.unwrap_or_default();
        let verdict: Verdict = match serde_json::from_slice(payload) {
            Ok(verdict) => verdict,
            Err(error) => {
                // Nobody but us writes there.
                tracing::error!(
                    partition = message.partition,
                    offset = message.offset,
                    "a record among the verdicts is none: {error}"
                );
                return Ok(());
            }
        };
        let at = verdict.window.end;
        if self.told.is_none_or(|(told, _)| at > told) {
            self.told = Some((at, Instant::now()));
        }
        self.step(policy, Input::Verdict(&verdict), names)
    }

    /// Every verdict so far has been answered: what waits for its time has it when that has passed.
    ///
    /// # Errors
    /// If what comes of it cannot be written as JSON.
    pub(super) fn idle(
        &mut self,
        now: Instant,
        policy: &PlantPolicy,
        names: &Names,
    ) -> anyhow::Result<()> {
        let Some((told, came)) = self.told else {
            return Ok(());
        };
        let passed = now.saturating_duration_since(came).as_micros();
        let at = told + Span::from_micros(i64::try_from(passed).unwrap_or(i64::MAX));
        self.step(policy, Input::Tick(at), names)?;
        self.touched |= !self.records.is_empty();
        Ok(())
    }

    /// The plant may allow something else now.
    ///
    /// # Errors
    /// If what comes of it cannot be written as JSON.
    pub(super) fn reconsider(&mut self, policy: &PlantPolicy, names: &Names) -> anyhow::Result<()> {
        self.step(policy, Input::Policy, names)?;
        self.touched |= !self.records.is_empty();
        Ok(())
    }

    /// Takes an input of the life of commands.
    ///
    /// # Errors
    /// If what comes of it cannot be written as JSON.
    pub(super) fn step(
        &mut self,
        policy: &PlantPolicy,
        input: Input<'_>,
        names: &Names,
    ) -> anyhow::Result<()> {
        let said = self.orders.step(policy, input);
        for command in &said.issued {
            let device = &command.device_id;
            self.tell(&names.enforcement, device, "command", command)?;
        }
        for command in &said.commands {
            let device = &command.device_id;
            self.tell(&names.audit, device, "command", command)?;
        }
        Ok(())
    }

    /// What it gives to an epoch of this run, if something came.
    ///
    /// # Errors
    /// If what stands cannot be written.
    pub(super) fn part(
        &mut self,
        partition: i32,
        topic: &Arc<str>,
        run: u64,
    ) -> anyhow::Result<Option<Part<()>>> {
        if !std::mem::take(&mut self.touched) {
            return Ok(None);
        }
        self.epoch += 1;
        self.keep(topic, partition)?;
        Ok(Some(Part {
            partition,
            records: Arc::new(std::mem::take(&mut self.records)),
            offset: NextOffset {
                partition,
                next: self.next,
                note: format!("{}.{run:016x}", self.epoch),
                before: self.note.clone(),
            },
            with: (),
        }))
    }

    /// Writes something about a device to a topic.
    fn tell(
        &mut self,
        topic: &Arc<str>,
        device: &DeviceId,
        event: &str,
        what: &impl Serialize,
    ) -> anyhow::Result<()> {
        self.records.push(Outgoing {
            topic: topic.clone(),
            partition: None,
            key: device.to_string().into_bytes(),
            payload: Some(serde_json::to_vec(what)?),
            headers: vec![("andon.event", event.to_owned())],
        });
        Ok(())
    }

    /// Keeps what stands about the devices of which something else stands now.
    fn keep(&mut self, topic: &Arc<str>, partition: i32) -> anyhow::Result<()> {
        let record = |device: &str, payload| Outgoing {
            topic: topic.clone(),
            partition: Some(partition),
            key: [KEYS, device.as_bytes()].concat(),
            payload: Some(payload),
            headers: Vec::new(),
        };
        for device in self.orders.take_changed() {
            if let Some(dossier) = self.orders.of(&device) {
                let kept = seal(STANDING, &(&device, dossier))?;
                self.records.push(record(device.as_str(), kept));
            }
        }
        self.records
            .push(record("", seal(END, &(self.next, self.orders.now()))?));
        Ok(())
    }
}
