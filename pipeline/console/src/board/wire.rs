//! What the feed answers, as it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_schemas::command::{Action, Approval, Mode};
use andon_schemas::finding::Confidence;
use andon_schemas::grade::{Band, Grade, RiskClass};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{Risk, State, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use super::face::{Freshness, Lamp};

/// The plant: what changes only with the inventory.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlantView {
    /// The site.
    pub site: String,
    /// IANA name of its time zone.
    pub timezone: String,
    /// Version of this program.
    pub version: String,
    /// Whether enforcement points act.
    pub mode: Mode,
    /// Production lines.
    pub lines: Vec<Line>,
    /// Device types.
    pub types: Vec<TypeView>,
}

/// A production line; its name is empty for what stands in none.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// The segments with devices of it.
    pub segments: Vec<SegmentView>,
}

/// A segment, or the part of it that is of one line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SegmentView {
    /// How it is asked for.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// The line.
    pub line: String,
    /// Watched devices.
    pub devices: u64,
}

/// A device type.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TypeView {
    /// Its name.
    pub r#type: String,
    /// Watched devices.
    pub devices: u64,
    /// Whether people can be hurt if one of them is cut.
    pub safety_critical: bool,
}

/// How many devices have which lamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LampCounts {
    /// With an open CRITICAL verdict.
    pub critical: u64,
    /// With an open HIGH verdict.
    pub high: u64,
    /// With an open MEDIUM verdict.
    pub medium: u64,
    /// With an open LOW verdict.
    pub low: u64,
    /// Heard of, and nothing open.
    pub normal: u64,
    /// Nothing can be said of them.
    pub unknown: u64,
}

impl LampCounts {
    pub(crate) fn count(&mut self, lamp: Lamp) {
        match lamp {
            Lamp::Critical => self.critical += 1,
            Lamp::High => self.high += 1,
            Lamp::Medium => self.medium += 1,
            Lamp::Low => self.low += 1,
            Lamp::Normal => self.normal += 1,
            Lamp::Unknown => self.unknown += 1,
        }
    }

    pub(crate) fn total(&self) -> u64 {
        let open = self.critical + self.high + self.medium + self.low;
        open + self.normal + self.unknown
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.critical += other.critical;
        self.high += other.high;
        self.medium += other.medium;
        self.low += other.low;
        self.normal += other.normal;
        self.unknown += other.unknown;
    }
}

/// The board at one moment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BoardView {
    /// Everything up to this event is in it; go on with `/v1/events?after=` it.
    pub seq: String,
    /// Event time of the newest data; null before there is any.
    pub at: Option<EventTime>,
    /// Over the whole plant.
    pub counts: LampCounts,
    /// Segments in the order of the inventory.
    pub segments: Vec<BoardSegment>,
}

/// One segment of the board.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BoardSegment {
    /// Its name.
    pub id: String,
    /// Over its devices.
    pub counts: LampCounts,
    /// Its devices; null in a plant of more than 2,000, unless this segment was asked for.
    pub lamps: Option<Vec<LampRow>>,
}

/// Device id, device type, lamp, score, and since when its verdict is open, if this process knows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LampRow(
    pub DeviceId,
    pub Arc<str>,
    pub Lamp,
    pub Option<u8>,
    pub Option<EventTime>,
);

/// A device in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeviceRow {
    /// Its identity.
    pub device_id: DeviceId,
    /// Its type.
    pub device_type: Arc<str>,
    /// Its segment.
    pub segment: String,
    /// Its production line; empty for none.
    pub line: Arc<str>,
    /// The plant's weighting of it.
    pub risk_class: Option<RiskClass>,
    /// People can be hurt if it is cut.
    pub safety_critical: bool,
    /// Its lamp.
    pub lamp: Lamp,
    /// The open verdict.
    pub verdict_id: Option<Arc<str>>,
    /// Since when that is open; null if another process keeps it.
    pub since: Option<EventTime>,
    /// Its risk.
    pub risk: Risk,
    /// How far that is of now.
    pub freshness: Freshness,
    /// Event time of the last row that was accepted.
    pub last_seen: Option<EventTime>,
    /// Until when commands about it are held back; null if they are not, or no longer.
    pub suppressed_until: Option<EventTime>,
}

/// The risk of a device at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RiskPoint {
    /// When, event time.
    pub at: EventTime,
    /// 0–100, 100 is worst; null if unknown.
    pub score: Option<u8>,
    /// Its band.
    pub band: Band,
}

/// The risk document of a device.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RiskDocument<'a> {
    /// Always `andon.risk.v1`.
    pub schema: &'static str,
    /// The device.
    pub device_id: &'a DeviceId,
    /// The site.
    pub site: &'a str,
    /// As of when, event time; null if it was never seen.
    pub event_time: Option<EventTime>,
    /// Its risk.
    #[serde(flatten)]
    pub risk: Risk,
    /// The plant's weighting, beside the score and not mixed into it.
    pub risk_class: Option<RiskClass>,
    /// The open episode, if there is one.
    pub verdict_id: Option<&'a str>,
    /// How far it is of now. An answer that is not fresh is not health.
    pub freshness: Freshness,
    /// What the open verdict rests on; null without one.
    pub confidence: Option<Confidence>,
}

/// The risk of several devices.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Risks<'a> {
    /// Of those that the inventory lists, in the order asked for.
    pub risks: Vec<RiskDocument<'a>>,
    /// Those that it does not.
    pub unknown: Vec<String>,
}

/// The risk of a segment: that of its worst device.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SegmentRisk {
    /// Its name.
    pub segment: String,
    /// Event time of the newest data.
    pub at: Option<EventTime>,
    /// Its worst device.
    pub worst: Worst,
    /// Lamps over its devices.
    pub counts: LampCounts,
    /// Watched devices.
    pub devices: u64,
    /// How far the answer is of now.
    pub freshness: Freshness,
}

/// The worst risk of several.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Worst {
    /// Its band; `unknown` only if that is all that can be said of any.
    pub band: Band,
    /// Its score.
    pub score: Option<u8>,
}

/// A verdict in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerdictRow {
    /// Stays the same through all revisions.
    pub verdict_id: Arc<str>,
    /// The newest.
    pub revision: u32,
    /// Where the episode stands.
    pub state: State,
    /// The device.
    pub device_id: DeviceId,
    /// Its type.
    pub device_type: String,
    /// Its segment.
    pub segment: String,
    /// The grade.
    pub grade: Grade,
    /// Of the finding that opened it.
    pub event_time: EventTime,
    /// Of the newest revision: the end of its window.
    pub updated: EventTime,
    /// One plain sentence.
    pub sentence: String,
    /// The rung of the response ladder.
    pub action: Action,
    /// Whether a person has to agree.
    pub approval: Approval,
    /// Monitor or enforce.
    pub mode: Mode,
    /// What found it, worst first.
    pub detectors: Vec<String>,
}

impl VerdictRow {
    /// What a list shows of a verdict.
    pub(crate) fn of(verdict: &Verdict) -> Self {
        let mut detectors: Vec<String> = Vec::new();
        for finding in &verdict.findings {
            if !detectors.contains(&finding.detector) {
                detectors.push(finding.detector.clone());
            }
        }
        Self {
            verdict_id: verdict.verdict_id.as_str().into(),
            revision: verdict.revision,
            state: verdict.state,
            device_id: verdict.device_id.clone(),
            device_type: verdict.device_type.clone(),
            segment: verdict.segment.clone(),
            grade: verdict.grade,
            event_time: verdict.event_time,
            updated: verdict.window.end,
            sentence: verdict.sentence.clone(),
            action: verdict.response.action,
            approval: verdict.response.approval,
            mode: verdict.response.mode,
            detectors,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state != State::Cleared
    }
}

/// A revision in one line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RevisionRow {
    /// Its number.
    pub revision: u32,
    /// Where the episode stood.
    pub state: State,
    /// The grade.
    pub grade: Grade,
    /// The end of its window.
    pub at: EventTime,
    /// One plain sentence.
    pub sentence: String,
}

impl RevisionRow {
    pub(crate) fn of(verdict: &Verdict) -> Self {
        Self {
            revision: verdict.revision,
            state: verdict.state,
            grade: verdict.grade,
            at: verdict.window.end,
            sentence: verdict.sentence.clone(),
        }
    }
}

/// How the pipeline is doing.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Status {
    /// Event time of the newest data.
    pub at: Option<EventTime>,
    /// Records of the last second or so.
    pub events_per_second: f64,
    /// How far the newest data lies behind the clock; null where plant time is not wall time.
    pub lag_ms: Option<i64>,
    /// Whether everything holds that must.
    pub ready: bool,
    /// What does not.
    pub unmet: Vec<UnmetView>,
    /// Records so far.
    pub records: u64,
    /// Records of which nothing was used.
    pub rejects: u64,
    /// Open verdicts that are listed here.
    pub verdicts_open: u64,
    /// Devices with an open verdict that is not listed here, as another process of the group raised
    /// it, or an earlier one: it is once this process has said something new of it.
    pub verdicts_elsewhere: u64,
    /// Commands that wait for a person; null where nobody carries out what people decide.
    pub waiting_approvals: Option<u64>,
    /// Monitor or enforce.
    pub mode: Mode,
    /// Event streams.
    pub clients: u64,
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnmetView {
    /// Its name.
    pub condition: String,
    /// Why.
    pub reason: String,
}

/// The same with what only people ask for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FullStatus {
    /// What the stream tells too.
    #[serde(flatten)]
    pub status: Status,
    /// Rejects by reason.
    pub rejects_by_reason: BTreeMap<String, u64>,
    /// Version of this program.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Observations that came too late for their window.
    pub late: u64,
    /// Observations that came twice.
    pub duplicates: u64,
    /// Clients of the event stream that were cut off because they did not read.
    pub slow_clients: u64,
    /// Open verdicts that were not kept for want of room.
    pub shed: u64,
}
