//! What is kept of a desk in the topic of the state, and going on with it.

use std::time::Instant;

use andon_emit::kafka::Outgoing;
use andon_respond::{Dossier, Incidents, Orders};
use andon_schemas::chain::Chain;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::super::hearing::Heard;
use super::Desk;
use crate::kafka::names::Names;
use crate::kafka::recall::{Recalled, Values};
use crate::sealed::{open, seal};

const STANDING: [u8; 8] = *b"ANDONCM2";
const END: [u8; 8] = *b"ANDONCE3";
const ACTS: [u8; 8] = *b"ANDONCA1";
const INCIDENT: [u8; 8] = *b"ANDONCI1";
/// What the keys of this stage begin with, in the topic of the state; a device follows.
pub(in crate::kafka::respond) const KEYS: &[u8] = b"respond/";
/// What no device is called: the acts that were done, and what the keys of incidents begin with.
const DONE: &str = "#acts";
const INCIDENTS: &str = "#incident/";
/// Where a desk had come to when it was last kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct End {
    /// The offset of the next verdict.
    next: i64,
    now: EventTime,
    heard: Heard,
    /// The end of its audit trail.
    chain: Chain,
}

/// Where it had come to, as the state tells.
fn end(values: &Values) -> anyhow::Result<Option<End>> {
    let bytes = values.get(KEYS);
    bytes.map(|bytes| open(END, bytes)).transpose()
}

/// The offset of the next verdict, as the state tells.
pub(in crate::kafka::respond) fn next(values: &Values) -> anyhow::Result<Option<i64>> {
    Ok(end(values)?.map(|end| end.next))
}

impl Desk {
    /// Goes on with what stood when the verdicts before the committed offset had been answered.
    ///
    /// # Errors
    /// If what is kept is damaged, of another version, or not as new as the offset.
    pub(in crate::kafka::respond) fn of(
        partition: i32,
        recalled: &Recalled,
    ) -> anyhow::Result<Self> {
        let kept = &recalled.values;
        let end = end(kept)?;
        let told = end.as_ref().map(|end| end.next);
        let now = end.as_ref().map(|end| end.now);
        let End { heard, chain, .. } = end.unwrap_or_default();
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
        // Before it has come to any time there is none to go on from.
        let known = now.filter(|now| *now > EventTime::default());
        let mut desk = Self {
            partition,
            // A desk that begins keeps at once how far it has heard.
            touched: recalled.committed.is_none(),
            heard,
            chain,
            next: next.max(recalled.low),
            note: recalled.note.clone(),
            orders: Orders::at(now.unwrap_or_default()),
            incidents: Incidents::piecewise(),
            told: known.map(|now| (now, Instant::now())),
            ..Self::default()
        };
        for (key, value) in kept {
            match key.strip_prefix(KEYS).map(String::from_utf8_lossy) {
                Some(name) if name == DONE => desk.orders.remember_done(open(ACTS, value)?),
                Some(name) if name.starts_with(INCIDENTS) => {
                    // JSON, as an incident is told.
                    let held: String = open(INCIDENT, value)?;
                    desk.incidents.resume(serde_json::from_str(&held)?);
                }
                Some(name) if !name.is_empty() => {
                    let (device, dossier): (DeviceId, Dossier) = open(STANDING, value)?;
                    desk.orders.resume(&device, dossier);
                }
                _ => {}
            }
        }
        desk.incidents.take_touched();
        Ok(desk)
    }

    /// Keeps where it has come to, and what stands about the devices of which something else stands
    /// now.
    pub(super) fn keep(&mut self, names: &Names, partition: i32) -> anyhow::Result<()> {
        let record = |name: &str, payload| Outgoing {
            topic: names.state.clone(),
            partition: Some(partition),
            key: [KEYS, name.as_bytes()].concat(),
            payload,
            headers: Vec::new(),
        };
        for device in self.orders.take_changed() {
            if let Some(dossier) = self.orders.of(&device) {
                let kept = seal(STANDING, &(&device, dossier))?;
                self.records.push(record(device.as_str(), Some(kept)));
            }
        }
        if std::mem::take(&mut self.acted) {
            let kept = seal(ACTS, self.orders.done())?;
            self.records.push(record(DONE, Some(kept)));
        }
        for id in self.incidents.take_touched() {
            let name = format!("{INCIDENTS}{id}");
            let kept = self.incidents.kept(&id).map(serde_json::to_string);
            let kept = kept.transpose()?.map(|held| seal(INCIDENT, &held));
            let kept = kept.transpose()?;
            self.records.push(record(&name, kept));
        }
        self.unkept = 0;
        let end = End {
            next: self.next,
            now: self.orders.now(),
            heard: self.heard.clone(),
            chain: self.chain.clone(),
        };
        self.records.push(record("", Some(seal(END, &end)?)));
        Ok(())
    }
}
