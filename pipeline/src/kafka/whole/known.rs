//! What was said last of every device, and whether that counts.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use andon_console::{Board, DecisionMetrics};
use andon_engine::FAR_FUTURE;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{RISK_SCHEMA, Risk, RiskUpdate};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use crate::kafka::draft::LANE;
use crate::kafka::partitioner::Partitioner;

/// Longest record, bytes; ours are shorter than a third of it.
const RECORD_BYTES_MAX: usize = 1_024;
/// So many devices that the inventory does not list are kept: it may list them later.
const UNLISTED_MAX: usize = 16_384;

/// From what is found out whose a device is.
#[derive(Clone, Copy, Debug)]
pub(in crate::kafka) struct Origin {
    /// The number of this run.
    pub(super) run: u64,
    /// How many partitions the observations have.
    pub(super) partitions: usize,
    /// How their producers choose among them.
    pub(super) partitioner: Partitioner,
}

/// A record as far as it is looked at.
#[derive(Debug)]
pub(super) struct Readable<'a> {
    pub(super) place: (i32, i64),
    pub(super) key: Option<&'a [u8]>,
    /// `None` for a tombstone.
    pub(super) payload: Option<&'a [u8]>,
    /// The lane that says it, if it says so.
    pub(super) lane: Option<&'a [u8]>,
    /// When the broker received it, if it says so.
    pub(super) stamped: Option<EventTime>,
}

impl<'a> Readable<'a> {
    pub(super) fn of(message: &'a BorrowedMessage<'_>) -> Self {
        let mut headers = message.headers().into_iter().flat_map(|h| h.iter());
        let lane = headers.find(|header| header.key == LANE);
        let millis = message.timestamp().to_millis();
        Self {
            place: (message.partition(), message.offset()),
            key: message.key(),
            payload: message.payload(),
            lane: lane.and_then(|header| header.value),
            stamped: millis.map(|ms| EventTime::from_micros(ms.saturating_mul(1_000))),
        }
    }
}

/// What was said last of a device.
#[derive(Debug)]
pub(super) struct Kept {
    update: RiskUpdate,
    /// The partition of the observations that it is in, if that is known.
    partition: Option<i32>,
    /// It was said by this process.
    is_ours: bool,
    came: Instant,
    /// It was reported as one that nobody watches.
    is_hushed: bool,
}

impl Kept {
    /// Whether another process has said it of a device in a partition, since a moment.
    pub(super) fn is_of_another(&self, partition: i32, since: Instant) -> bool {
        let is_there = self.partition.is_none_or(|own| own == partition);
        !self.is_ours && is_there && self.came >= since
    }
}

/// What is news of a device.
#[derive(Debug)]
pub(in crate::kafka) struct Report {
    /// The device.
    pub(in crate::kafka) device: DeviceId,
    /// What was said of it last; `None` if that was taken back.
    pub(in crate::kafka) update: Option<RiskUpdate>,
    /// Somebody works on what comes of it.
    pub(in crate::kafka) is_watched: bool,
    /// This process said it, and has shown it then.
    pub(in crate::kafka) is_echo: bool,
}

/// What was said last of every device.
#[derive(Debug)]
pub(super) struct Known {
    origin: Origin,
    board: Board,
    metrics: DecisionMetrics,
    kept: HashMap<DeviceId, Kept>,
    /// Of these something is to be reported.
    fresh: BTreeSet<DeviceId>,
    is_complete: bool,
    /// The partitions of the observations that somebody works on.
    watched: BTreeSet<i32>,
    /// It was said that some records are none, and that there are too many devices.
    is_warned: [bool; 2],
}

impl Known {
    pub(super) fn new(origin: Origin, board: Board, metrics: DecisionMetrics) -> Self {
        Self {
            origin,
            board,
            metrics,
            kept: HashMap::new(),
            fresh: BTreeSet::new(),
            is_complete: false,
            watched: BTreeSet::new(),
            is_warned: [false; 2],
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Everything that was said before has been read; returns of how many devices.
    pub(super) fn complete(&mut self) -> usize {
        self.is_complete = true;
        self.kept.len()
    }

    /// Takes a record. One that is none is counted and changes nothing.
    pub(super) fn take_record(&mut self, record: &Readable<'_>) {
        match read(record) {
            Ok((device, Some(update))) => self.keep(device, update, record.lane),
            Ok((device, None)) => {
                if self.kept.remove(&device).is_some() || self.board.lists(device.as_str()) {
                    self.fresh.insert(device);
                }
            }
            Err(why) => {
                self.metrics.risk_ignored();
                if !std::mem::replace(&mut self.is_warned[0], true) {
                    let (partition, offset) = record.place;
                    tracing::warn!(
                        partition,
                        offset,
                        "kafka: a record among the risks is none: {why}; it is passed over, and so \
                         are others, which are only counted"
                    );
                }
            }
        }
    }

    fn keep(&mut self, device: DeviceId, update: RiskUpdate, lane: Option<&[u8]>) {
        let is_stranger = !self.kept.contains_key(&device) && !self.board.lists(device.as_str());
        if is_stranger && self.kept.len() >= self.board.device_count() + UNLISTED_MAX {
            self.metrics.risk_ignored();
            if !std::mem::replace(&mut self.is_warned[1], true) {
                tracing::warn!(
                    "kafka: risks are told of more than {UNLISTED_MAX} devices that the inventory \
                     does not list; those of others are only counted"
                );
            }
            return;
        }
        let lane = lane.and_then(lane_of);
        let home = || {
            let partitioner = self.origin.partitioner;
            partitioner.home(device.as_str(), self.origin.partitions)
        };
        let kept = Kept {
            update,
            partition: lane.map(|(partition, _)| partition).or_else(home),
            is_ours: lane.is_some_and(|(_, run)| run == self.origin.run),
            came: Instant::now(),
            is_hushed: self.kept.get(&device).is_some_and(|kept| kept.is_hushed),
        };
        self.kept.insert(device.clone(), kept);
        self.fresh.insert(device);
    }

    /// Somebody works on these partitions of the observations, and on no others.
    pub(super) fn watch(&mut self, watched: BTreeSet<i32>) {
        if watched == self.watched {
            return;
        }
        let before = std::mem::replace(&mut self.watched, watched);
        let (now, all) = (self.watched.clone(), self.origin.partitions);
        self.again(|kept| is_in(&before, kept, all) != is_in(&now, kept, all));
    }

    /// What is kept of some devices is news again.
    pub(super) fn again(&mut self, of: impl Fn(&Kept) -> bool) {
        let again = self.kept.iter().filter(|(_, kept)| of(kept));
        self.fresh.extend(again.map(|(device, _)| device.clone()));
    }

    /// What is news of some devices, so many at most.
    pub(super) fn take(&mut self, most: usize) -> Vec<Report> {
        let mut reports = Vec::new();
        while self.is_complete && reports.len() < most {
            let Some(device) = self.fresh.pop_first() else {
                break;
            };
            let Some(kept) = self.kept.get_mut(&device) else {
                reports.push(Report {
                    device,
                    update: None,
                    is_watched: true,
                    is_echo: false,
                });
                continue;
            };
            let is_watched = is_in(&self.watched, kept, self.origin.partitions);
            let was_hushed = std::mem::replace(&mut kept.is_hushed, !is_watched);
            reports.push(Report {
                device,
                update: Some(kept.update.clone()),
                is_watched,
                // What was hushed is to be shown again as it was.
                is_echo: kept.is_ours && is_watched && !was_hushed,
            });
        }
        reports
    }
}

/// Whether a device is in one of these partitions; where it is not known in which it is, whether
/// that does not matter.
fn is_in(watched: &BTreeSet<i32>, kept: &Kept, partitions: usize) -> bool {
    match kept.partition {
        Some(partition) => watched.contains(&partition),
        None => watched.len() >= partitions,
    }
}

/// The partition and the run that a lane's name is made of.
fn lane_of(header: &[u8]) -> Option<(i32, u64)> {
    let (partition, run) = std::str::from_utf8(header).ok()?.split_once('.')?;
    Some((partition.parse().ok()?, u64::from_str_radix(run, 16).ok()?))
}

/// What a record says, or why it says nothing.
fn read(record: &Readable<'_>) -> Result<(DeviceId, Option<RiskUpdate>), String> {
    let key = record.key.ok_or("it has no key")?;
    let key = std::str::from_utf8(key).map_err(|_| "its key is no text")?;
    let device = DeviceId::new(key)?;
    let Some(payload) = record.payload else {
        return Ok((device, None));
    };
    if payload.len() > RECORD_BYTES_MAX {
        return Err(format!(
            "it has {} bytes, of {RECORD_BYTES_MAX} at most",
            payload.len()
        ));
    }
    let update: RiskUpdate = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
    if update.device_id != device || device.as_str() != key {
        return Err(format!(
            "its key is `{key}`, and it is about another device"
        ));
    }
    if !update.schema.is_empty() && update.schema != RISK_SCHEMA {
        return Err(format!("it is of another form than `{RISK_SCHEMA}`"));
    }
    let expected = match update.risk.score {
        Some(score) if score > 100 => return Err(format!("its score is {score}, of 100 at most")),
        Some(score) => Risk::of_score(score),
        None => Risk::UNKNOWN,
    };
    if update.risk != expected {
        return Err("its score, trust and band contradict each other".to_owned());
    }
    if record
        .stamped
        .is_some_and(|stamped| update.event_time > stamped + FAR_FUTURE)
    {
        return Err("it is of later than it was received".to_owned());
    }
    Ok((device, Some(update)))
}
