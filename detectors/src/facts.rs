//! What the engine has worked out about a row, a pane or a deadline before it asks the detectors.
//!
//! Everything several detectors need is computed once and handed to all of them.

use andon_schemas::columns::{AttestationRow, FlowRow, ReadingRow, ResolutionRow};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Segment};
use andon_schemas::observation::{Kind, Role};
use andon_schemas::time::{EventTime, Interval};
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, Cell};
use crate::policy::Policy;

/// Cells counted per pane; the last one gathers all others.
pub const CELLS: usize = 8;

/// The device that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct DeviceFacts<'a> {
    /// Its identity.
    pub id: &'a DeviceId,
    /// Its inventory entry; `None` if the inventory does not list it.
    pub listed: Option<&'a Device>,
    /// Its segment.
    pub segment: Option<&'a Segment>,
    /// The flow policy of that segment.
    pub policy: Option<&'a Policy>,
    /// What it is measured against.
    pub baseline: &'a Baseline,
}

/// One row of any kind.
#[derive(Clone, Copy, Debug)]
pub struct RowFacts<'a> {
    /// Its device.
    pub device: DeviceFacts<'a>,
    /// Its kind.
    pub kind: Kind,
    /// Its event time.
    pub at: EventTime,
    /// It came after its windows may have closed: one-row rules only.
    pub late: bool,
}

/// One flow.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent answers, not a state"
)]
pub struct FlowFacts<'a> {
    /// Its device.
    pub device: DeviceFacts<'a>,
    /// The row.
    pub flow: FlowRow<'a>,
    /// When it ended, or for a running total when it was taken.
    pub at: EventTime,
    /// The destination of the profile that the peer is, as originator.
    pub destination: Option<Cell>,
    /// The protocol of the profile that it speaks.
    pub protocol: Option<Cell>,
    /// Whether the peer is expected at all: a destination, or as responder also a client.
    pub peer_expected: bool,
    /// Bytes sent since the last record of the same flow.
    pub up: u64,
    /// Bytes received since the last record of the same flow.
    pub down: u64,
    /// The first record of its flow: it counts as a new connection.
    pub first: bool,
    /// Whether it began inside the active hours or is excused.
    pub in_hours: bool,
    /// It began outside the active hours, in declared maintenance.
    pub excused: bool,
    /// It came after its windows may have closed: one-row rules only.
    pub late: bool,
    /// The pane its event time lies in, with this row already counted; `None` if late.
    pub pane: Option<&'a Pane>,
}

impl FlowFacts<'_> {
    /// Whether the device opened the flow.
    pub fn originated(&self) -> bool {
        self.flow.role == Role::Originator
    }
}

/// One sensor reading.
#[derive(Clone, Copy, Debug)]
pub struct ReadingFacts<'a> {
    /// Its device.
    pub device: DeviceFacts<'a>,
    /// The row.
    pub reading: ReadingRow,
    /// When it was taken.
    pub at: EventTime,
    /// Whether that lies inside the active hours or is excused.
    pub in_hours: bool,
    /// It was taken outside the active hours, in declared maintenance.
    pub excused: bool,
    /// It came too late to be put in sequence: absolute limits only.
    pub late: bool,
}

/// One answer of a name server.
#[derive(Clone, Copy, Debug)]
pub struct ResolutionFacts<'a> {
    /// The device that asked.
    pub device: DeviceFacts<'a>,
    /// The row.
    pub answer: ResolutionRow<'a>,
    /// When it was given.
    pub at: EventTime,
}

/// One firmware report.
#[derive(Clone, Copy, Debug)]
pub struct AttestationFacts<'a> {
    /// Its device.
    pub device: DeviceFacts<'a>,
    /// The row.
    pub attestation: AttestationRow<'a>,
    /// When it was made.
    pub at: EventTime,
    /// The firmware version that a declared maintenance window allows now.
    pub maintenance_version: Option<&'a str>,
}

/// A row that spoke for somebody its sender may not speak for. The device is the *sender*.
#[derive(Clone, Copy, Debug)]
pub struct ClaimFacts<'a> {
    /// The sender.
    pub device: DeviceFacts<'a>,
    /// The device it named.
    pub claimed: &'a str,
    /// Kind of the row.
    pub kind: Kind,
    /// Its event time.
    pub at: EventTime,
}

/// A row about a device that there is no room to watch. The device here stands for all such devices
/// of one share of the ids.
#[derive(Clone, Copy, Debug)]
pub struct ShedFacts<'a> {
    /// The one that stands for all of them.
    pub device: DeviceFacts<'a>,
    /// The device that the row names.
    pub shed: &'a str,
    /// Kind of the row.
    pub kind: Kind,
    /// How many devices of that share are watched that the inventory does not list.
    pub watched: u32,
    /// Its event time.
    pub at: EventTime,
}

/// An hour of one device, gathered row by row. Mergeable: counts add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pane {
    /// Hours since the epoch; `i32::MIN` for a pane that is not in use.
    pub hour: i32,
    /// New connections that the device opened.
    pub opened: u32,
    /// New connections to the device.
    pub accepted: u32,
    /// Connections it opened that nobody answered or that were refused.
    pub failed: u32,
    /// Bytes sent, of the kind the profile counts.
    pub up: u64,
    /// Bytes received, of the kind the profile counts.
    pub down: u64,
    /// Connections it opened, by destination of the profile; the last cell is all others.
    pub destinations: [u16; CELLS],
    /// Connections it opened, by protocol of the profile; the last cell is all others.
    pub protocols: [u16; CELLS],
    /// Rows whose bytes were of another kind and were not added.
    pub other_bytes: u32,
}

impl Pane {
    /// Both directions together, bytes.
    pub fn bytes(&self) -> u64 {
        self.up.saturating_add(self.down)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.opened == 0 && self.accepted == 0 && self.bytes() == 0
    }
}

/// A pane that has closed, or `skipped` empty ones in one step.
#[derive(Clone, Copy, Debug)]
pub struct CloseFacts<'a> {
    /// Its device.
    pub device: DeviceFacts<'a>,
    /// What was counted; all zero for empty panes.
    pub pane: &'a Pane,
    /// The stretch of time that closed: one hour, or several empty ones.
    pub window: Interval,
    /// Share of it that lies inside the active hours, 0–1.
    pub active_share: f32,
    /// The input ended inside it, or the device was first seen inside it: no statement about
    /// too little.
    pub partial: bool,
}

impl CloseFacts<'_> {
    /// How many hours closed at once.
    pub fn hours(&self) -> i64 {
        (self.window.end.since(self.window.start)).micros()
            / andon_schemas::time::Span::HOUR.micros()
    }
}

/// A deadline that a detector asked for has come.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineFacts<'a> {
    /// Its device.
    pub device: DeviceFacts<'a>,
    /// The deadline.
    pub now: EventTime,
    /// Event time of the device's newest accepted row of any kind.
    pub last_seen: EventTime,
    /// It lies in declared maintenance.
    pub excused: bool,
}
