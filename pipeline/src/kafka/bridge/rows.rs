//! From records to what goes out: rows keyed by the device whose state they concern, or a reject
//! with its reason and position.

use std::sync::Arc;

use andon_emit::kafka::Outgoing;
use andon_ingest::refused::Refused;
use andon_ingest::split::Splitter;
use andon_schemas::act::Ack;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{Observation, Record, Sender, Source};
use andon_schemas::time::EventTime;
use andon_schemas::wire::encode_into;

use super::counts::Counts;
use crate::kafka::draft::Draft;
use crate::kafka::names::Names;

/// Room for a row as it is usually written, bytes.
const ROW_BYTES: usize = 384;

/// What waits to go out.
#[derive(Debug)]
pub struct Rows {
    inventory: Arc<Inventory>,
    splitter: Splitter,
    topic: Arc<str>,
    acks: Arc<str>,
    /// Whoever wrote the records says truly who sent them.
    trusted: bool,
    draft: Draft,
    counts: Counts,
    /// The views of one record; reused.
    views: Vec<Observation>,
}

impl Rows {
    /// Nothing waits yet.
    pub fn new(inventory: Arc<Inventory>, names: &Names, trusted: bool) -> Self {
        Self {
            inventory,
            splitter: Splitter::default(),
            topic: names.observations.clone(),
            acks: names.acks.clone(),
            trusted,
            draft: Draft::new(names),
            counts: Counts::default(),
            views: Vec::new(),
        }
    }

    /// Who is in the plant.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// Goes on with another inventory.
    pub fn change(&mut self, inventory: Arc<Inventory>) {
        self.inventory = inventory;
        self.splitter = Splitter::default();
    }

    /// Takes a record that was read, or what is wrong with it. `raw` is what it was read from.
    ///
    /// # Errors
    /// If a reject cannot be written as JSON.
    pub fn take(
        &mut self,
        record: Result<Record, Refused>,
        source: &Source,
        received_at: EventTime,
        raw: &[u8],
    ) -> anyhow::Result<()> {
        match record.and_then(|record| self.split(record, source, received_at)) {
            Ok(rows) => self.counts.moved(rows),
            Err(refused) => {
                self.counts.rejected(refused.reason);
                let reject = refused.at(source.clone(), received_at, raw);
                self.draft.rejects(vec![reject])?;
            }
        }
        Ok(())
    }

    /// Takes what an enforcement point answers.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn answer(&mut self, ack: &Ack) -> anyhow::Result<()> {
        self.counts.moved(1);
        self.draft.records.push(Outgoing {
            topic: self.acks.clone(),
            partition: None,
            key: ack.enforcer.as_bytes().to_vec(),
            payload: Some(serde_json::to_vec(ack)?),
            headers: Vec::new(),
        });
        Ok(())
    }

    /// What was taken since the last time.
    pub fn drain(&mut self) -> (Vec<Outgoing>, Counts) {
        let records = std::mem::take(&mut self.draft.records);
        (records, std::mem::take(&mut self.counts))
    }

    /// One row for each end that the sender may speak for.
    fn split(
        &mut self,
        record: Record,
        source: &Source,
        received_at: EventTime,
    ) -> Result<usize, Refused> {
        let mut row = record.clone();
        // On Kafka that is when the broker appended the row.
        row.received_at = None;
        let is_unsigned = row.sender.is_none() && !self.trusted;
        self.views.clear();
        let inventory = Some(&*self.inventory);
        self.splitter
            .rows(inventory, record, source, received_at, &mut self.views)?;
        let rows = self.views.len();
        for view in self.views.drain(..) {
            let device = view.header.device;
            if is_unsigned {
                row.sender = Some(Sender {
                    name: device.clone(),
                    proven: false,
                });
            }
            let key = key_of(&self.inventory, row.sender.as_ref(), &device);
            row.device = Some(device);
            let mut payload = Vec::with_capacity(ROW_BYTES);
            encode_into(&mut payload, &row, None);
            self.draft.records.push(Outgoing {
                topic: self.topic.clone(),
                partition: None,
                key,
                payload: Some(payload),
                headers: Vec::new(),
            });
        }
        Ok(rows)
    }
}

/// Whose state a row concerns: that of its device, unless its sender may not speak for it. Then it
/// is held against the sender, and must come where the sender's own rows come.
fn key_of(inventory: &Inventory, sender: Option<&Sender>, device: &DeviceId) -> Vec<u8> {
    let may_not_speak =
        |sender: &&Sender| !inventory.may_speak_for(sender.name.as_str(), device.as_str());
    let concerned = sender
        .filter(may_not_speak)
        .map_or(device, |sender| &sender.name);
    concerned.as_str().as_bytes().to_vec()
}
