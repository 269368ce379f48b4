//! What has come out of a lane and waits for the end of the epoch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_emit::kafka::Outgoing;
use andon_engine::{Item, Output};
use andon_schemas::observation::Source;
use andon_schemas::reject::{Reject, SetAside};
use andon_schemas::verdict::{RiskUpdate, Verdict};
use serde::Serialize;

use super::names::Names;
use crate::results::reject_of;

/// What waits for the end of the epoch.
#[derive(Debug)]
pub struct Draft {
    /// The records, in order.
    pub records: Vec<Outgoing>,
    /// The verdicts among them.
    pub verdicts: Vec<Verdict>,
    /// How long verdicts took from the reader to here, and how many took so long.
    pub waits: Vec<(Duration, u64)>,
    /// What came out, for whoever looks on.
    news: News,
    /// Which lane of which process it is of; readers of risks go by it.
    lane: Option<String>,
    verdict_topic: Arc<str>,
    risk_topic: Arc<str>,
    reject_topic: Arc<str>,
}

/// What came out of a lane, for whoever looks on.
#[derive(Debug, Default)]
pub struct News {
    /// What is new.
    pub items: Vec<Item>,
    /// Verdicts that came out before: they are on the way to how things stand, and not there yet.
    pub again: Vec<Verdict>,
}

/// Names the lane that said a risk: its partition, a dot, and the number of its process's run.
pub(super) const LANE: &str = "andon.lane";

impl Draft {
    /// Nothing waits yet.
    pub fn new(names: &Names) -> Self {
        Self {
            records: Vec::new(),
            verdicts: Vec::new(),
            waits: Vec::new(),
            news: News::default(),
            lane: None,
            verdict_topic: names.verdicts.clone(),
            risk_topic: names.risk.clone(),
            reject_topic: names.rejects.clone(),
        }
    }

    /// What comes out is said by this lane of this run.
    pub fn sign(&mut self, partition: i32, run: u64) {
        self.lane = Some(format!("{partition}.{run:016x}"));
    }

    /// Forgets it: it came out before.
    pub fn discard(&mut self) {
        for item in self.news.items.drain(..) {
            if let Item::Verdict(verdict) = item {
                self.news.again.push(verdict);
            }
        }
        self.records.clear();
        self.verdicts.clear();
        self.waits.clear();
    }

    /// Takes what a step settled; returns the rows that were refused, with their ordinals, which
    /// the intake counts.
    ///
    /// # Errors
    /// If something cannot be written as JSON.
    pub fn take(
        &mut self,
        output: Output,
        since: Option<Instant>,
    ) -> anyhow::Result<Vec<(u64, Reject)>> {
        let mut refused = Vec::new();
        let before = self.verdicts.len();
        for (cause, item) in output.items {
            match item {
                Item::Verdict(verdict) => {
                    let key = verdict.segment.as_bytes();
                    self.write(&self.verdict_topic.clone(), key, &verdict, Vec::new())?;
                    self.news.items.push(Item::Verdict(verdict.clone()));
                    self.verdicts.push(verdict);
                }
                Item::Risk(update) => {
                    self.risk(&update)?;
                    self.news.items.push(Item::Risk(update));
                }
                Item::Heartbeat(update) => self.risk(&update)?,
                Item::Late(row) => self.aside(&row, "late")?,
                Item::Duplicate(row) => self.aside(&row, "duplicate")?,
                // Nobody asked for them here.
                Item::Window(_) => {}
                Item::Refusal(refusal) => refused.push((cause.ordinal, reject_of(refusal))),
            }
        }
        let verdicts = (self.verdicts.len() - before) as u64;
        if let Some(since) = since.filter(|_| verdicts > 0) {
            self.waits.push((since.elapsed(), verdicts));
        }
        Ok(refused)
    }

    fn risk(&mut self, update: &RiskUpdate) -> anyhow::Result<()> {
        let device = update.device_id.to_string();
        let topic = self.risk_topic.clone();
        let lane = self.lane.iter().map(|lane| (LANE, lane.clone()));
        let lane = lane.collect();
        self.write(&topic, device.as_bytes(), &update.message(), lane)
    }

    /// What came out since the last time.
    pub fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Takes rejects.
    ///
    /// # Errors
    /// If one cannot be written as JSON.
    pub fn rejects(&mut self, rejects: Vec<Reject>) -> anyhow::Result<()> {
        for reject in rejects {
            self.records.push(rejected(&self.reject_topic, &reject)?);
        }
        Ok(())
    }

    fn aside(&mut self, row: &SetAside, reason: &str) -> anyhow::Result<()> {
        let topic = self.reject_topic.clone();
        let key = row.device.to_string();
        self.write(&topic, key.as_bytes(), row, position(reason, &row.source))
    }

    fn write(
        &mut self,
        topic: &Arc<str>,
        key: &[u8],
        content: &impl Serialize,
        headers: Vec<(&'static str, String)>,
    ) -> anyhow::Result<()> {
        self.records.push(Outgoing {
            topic: topic.clone(),
            partition: None,
            key: key.to_vec(),
            payload: Some(serde_json::to_vec(content)?),
            headers,
        });
        Ok(())
    }
}

/// A reject as it is sent.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn rejected(topic: &Arc<str>, reject: &Reject) -> anyhow::Result<Outgoing> {
    Ok(Outgoing {
        topic: topic.clone(),
        partition: None,
        key: reject.device.clone().unwrap_or_default().into_bytes(),
        payload: Some(serde_json::to_vec(reject)?),
        headers: position(reject.reason.as_str(), &reject.source),
    })
}

/// Where a record stood and why it was not counted, for readers that do not look into it.
fn position(reason: &str, source: &Source) -> Vec<(&'static str, String)> {
    vec![
        ("andon.reason", reason.to_owned()),
        ("andon.topic", source.topic.to_string()),
        ("andon.partition", source.partition.to_string()),
        ("andon.offset", source.offset.to_string()),
    ]
}
