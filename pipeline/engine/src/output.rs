//! What one step of the engine settled, in an order that does not depend on how the input was
//! cut: by the input that caused it, then by deadline, then by device.

use andon_detectors::facts::Pane;
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Source;
use andon_schemas::reject::{RejectReason, SetAside};
use andon_schemas::time::{EventTime, Interval};
use andon_schemas::verdict::{RiskUpdate, Verdict};
use serde::{Deserialize, Serialize};

/// Why something came out: the order outputs are written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// Ordinal of the row or tick.
    pub ordinal: u64,
    /// The deadline that fired; [`EventTime::MAX`] for what the row itself showed.
    pub deadline: EventTime,
    /// The device.
    pub device: DeviceId,
}

/// A row the engine refused, to be counted with the rejects of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub reason: RejectReason,
    /// What exactly.
    pub detail: String,
    /// Where it came from.
    pub source: Source,
    /// The device it named.
    pub device: String,
    /// When it was received.
    pub received_at: EventTime,
}

/// What one device's hour came to, for whoever learns from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The device.
    pub device: DeviceId,
    /// What was counted.
    pub pane: Pane,
    /// The stretch of time: one hour, or several empty ones.
    pub span: Interval,
    /// The device was first seen inside it, or the input ended there.
    pub partial: bool,
}

/// One thing that came out.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "verdicts are rare and are what this is for"
)]
pub enum Item {
    /// A revision of a verdict.
    Verdict(Verdict),
    /// A device's risk changed.
    Risk(RiskUpdate),
    /// A device's risk as it was published last, told once more because an hour is over: only from
    /// an engine that [tells them](crate::Engine::tell_heartbeats).
    Heartbeat(RiskUpdate),
    /// A row was refused.
    Refusal(Refusal),
    /// A row came late.
    Late(SetAside),
    /// A row was told before.
    Duplicate(SetAside),
    /// A window closed: only from an engine that [tells them](crate::Engine::tell_windows).
    Window(Box<Window>),
}

/// Counts of one engine since it was made or restored, additive over shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows accepted, late ones included.
    pub observations: u64,
    /// Rows refused.
    pub refused: u64,
    /// Rows that came late.
    pub late: u64,
    /// Rows told twice.
    pub duplicates: u64,
    /// Parts of flows that fell into closed panes.
    pub spread_late: u64,
    /// Open flows forgotten at their limit.
    pub flows_evicted: u64,
    /// Hours of devices that closed, empty ones included.
    pub device_hours: u64,
    /// Unproven rows about devices that prove themselves: looked at one by one, never counted.
    pub unproven_apart: u64,
    /// Findings held back by declared maintenance.
    pub in_maintenance: u64,
}

impl Counts {
    /// Adds the counts of another shard.
    pub fn add(&mut self, other: &Self) {
        self.observations += other.observations;
        self.refused += other.refused;
        self.late += other.late;
        self.duplicates += other.duplicates;
        self.spread_late += other.spread_late;
        self.flows_evicted += other.flows_evicted;
        self.device_hours += other.device_hours;
        self.unproven_apart += other.unproven_apart;
        self.in_maintenance += other.in_maintenance;
    }
}

/// Everything one step settled, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// What came out, with its cause.
    pub items: Vec<(Cause, Item)>,
}

impl Output {
    /// Puts the items in their order. Stable: several items of one cause keep theirs.
    pub fn sort(&mut self) {
        self.items.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    /// Joins the outputs of several shards that took the same step.
    #[must_use]
    pub fn merge(outputs: impl IntoIterator<Item = Self>) -> Self {
        let mut merged = Self {
            items: outputs.into_iter().flat_map(|o| o.items).collect(),
        };
        merged.sort();
        merged
    }
}
