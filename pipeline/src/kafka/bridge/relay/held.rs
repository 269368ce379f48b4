//! A partition that a relay holds: what came of its messages since the last epoch.

use std::sync::Arc;

use andon_emit::kafka::{NextOffset, Outgoing};
use andon_ingest::kafka::Message;
use andon_ingest::kafka::payload::Payloads;
use andon_schemas::observation::Source;

use crate::kafka::bridge::counts::Counts;
use crate::kafka::bridge::rows::Rows;
use crate::kafka::epochs::Part;

/// See the module.
#[derive(Debug)]
pub(super) struct Held {
    /// The offset of the next message.
    pub(super) next: i64,
    /// What the group holds beside our offset.
    pub(super) note: Option<String>,
    /// What came of messages since the last epoch.
    rows: Vec<Outgoing>,
    counts: Counts,
    /// Something has come since the last epoch.
    touched: bool,
    /// Everything so far has been handed out, and nothing was left.
    ended: bool,
}

impl Held {
    /// Nothing has come yet.
    pub(super) fn at(next: i64, note: Option<String>) -> Self {
        Self {
            next,
            note,
            rows: Vec::new(),
            counts: Counts::default(),
            touched: false,
            ended: false,
        }
    }

    /// Takes a message. Its own key says nothing: it may be anybody's.
    pub(super) fn take(
        &mut self,
        message: &Message<'_>,
        topic: &Arc<str>,
        payloads: &mut Payloads,
        rows: &mut Rows,
    ) -> anyhow::Result<()> {
        let payload = message.payload.unwrap_or_default();
        let source = Source {
            topic: topic.clone(),
            partition: u32::try_from(message.partition).unwrap_or(0),
            offset: u64::try_from(message.offset).unwrap_or(0),
        };
        let mut done = Ok(());
        payloads.read(payload, None, &mut |record| {
            let taken = rows.take(record, &source, message.stamped, payload);
            if done.is_ok() {
                done = taken;
            }
        });
        done?;
        let (records, counts) = rows.drain();
        self.rows.extend(records);
        self.counts.add(&counts);
        self.next = message.offset + 1;
        self.touched = true;
        self.ended = false;
        Ok(())
    }

    /// It was read to its end.
    pub(super) fn reached_end(&mut self) {
        self.ended = true;
    }

    /// Whether it was read to its end and nothing waits for an epoch.
    pub(super) fn is_drained(&self) -> bool {
        self.ended && !self.touched
    }

    /// How many rows wait for an epoch.
    pub(super) fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// What it gives to an epoch with such a note, if something came.
    pub(super) fn part(&mut self, partition: i32, note: &str) -> Option<Part<Counts>> {
        std::mem::take(&mut self.touched).then(|| Part {
            partition,
            records: Arc::new(std::mem::take(&mut self.rows)),
            offset: NextOffset {
                partition,
                next: self.next,
                note: note.to_owned(),
                before: self.note.clone(),
            },
            with: std::mem::take(&mut self.counts),
        })
    }
}
