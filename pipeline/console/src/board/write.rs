//! What the pipeline puts on the board. One thread does, so nothing here is done by two at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::incident::Incident;
use andon_schemas::order::{Order, OrderHistory};
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{Risk, RiskUpdate, State, Verdict};
use bytes::Bytes;
use serde::Serialize;

use super::Board;
use super::face::{Face, Freshness, Lamp, Open};
use super::floor::{Floor, Station};
use super::wire::{RiskDocument, VerdictRow};

/// What the engine knows of a device without anything having been published.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The device.
    pub device_id: DeviceId,
    /// Its risk now.
    pub risk: Risk,
    /// Event time of its last accepted row.
    pub last_seen: EventTime,
    /// As of when, event time.
    pub at: EventTime,
    /// The open verdict: its id, its grade, and since when.
    pub open: Option<(String, Grade, EventTime)>,
}

/// A risk event: the document and the lamp.
#[derive(Serialize)]
struct RiskEvent<'a> {
    #[serde(flatten)]
    document: RiskDocument<'a>,
    lamp: Lamp,
}

/// Until when commands about a device are held back; null if they are not.
#[derive(Serialize)]
struct SuppressionEvent<'a> {
    device_id: &'a DeviceId,
    suppressed_until: Option<EventTime>,
}

impl Board {
    /// A risk was published. Of a device that the inventory does not list nothing is shown but its
    /// verdicts.
    pub fn risk(&self, update: &RiskUpdate) {
        let floor = self.floor();
        self.is_of(update.event_time);
        let Some(station) = floor.station(update.device_id.as_str()) else {
            return;
        };
        let before = station.cell.face();
        // A new verdict of the same step follows, or has been told.
        let open = before
            .and_then(|face| face.open.clone())
            .filter(|_| update.verdict_id.is_some());
        let known = open.as_ref().map(|open| &*open.verdict_id);
        let follows = update.verdict_id.is_some() && update.verdict_id.as_deref() != known;
        station.cell.awaits(follows);
        self.show(station, update.event_time, update.risk, open);
        self.tell_risk(&floor, station);
        self.past_mut()
            .note(&station.id, update.event_time, update.risk);
    }

    /// A verdict came out.
    pub fn verdict(&self, verdict: &Verdict) {
        let floor = self.floor();
        let mut turned = None;
        // Before it is shown: whoever follows looks for it.
        let row = self.keep(verdict);
        if let Some(station) = floor.station(verdict.device_id.as_str()) {
            station.cell.awaits(false);
            let open = (verdict.state != State::Cleared).then(|| Open {
                verdict_id: row.verdict_id.clone(),
                grade: verdict.grade,
                since: Some(verdict.event_time),
                confidence: Some(verdict.confidence),
            });
            let at = verdict.window.end;
            let before = station.cell.face();
            let of_another = open.is_none()
                && before
                    .as_ref()
                    .and_then(|face| face.open.as_ref())
                    .is_some_and(|open| open.verdict_id != row.verdict_id);
            if !of_another {
                let lamp = station.cell.lamp();
                self.show(station, at, verdict.risk, open);
                self.past_mut().note(&station.id, at, verdict.risk);
                let has_turned = !row.is_open() && station.cell.lamp() != lamp;
                turned = Some(station).filter(|_| has_turned);
            }
        }
        self.tell_verdict(&row);
        // A verdict that is over does not say what its lamp is now.
        if let Some(station) = turned {
            self.tell_risk(&floor, station);
        }
    }

    /// A verdict that came out before comes out again, on the way to how things stand now: it is
    /// kept, and nothing is shown of its device by it.
    pub fn verdict_again(&self, verdict: &Verdict) {
        let row = self.keep(verdict);
        self.tell_verdict(&row);
    }

    fn keep(&self, verdict: &Verdict) -> Arc<VerdictRow> {
        self.is_of(verdict.window.end);
        let row = Arc::new(VerdictRow::of(verdict));
        let whole = serde_json::to_vec(verdict).unwrap_or_default();
        self.book_mut().take(verdict, &row, Bytes::from(whole));
        row
    }

    fn tell_verdict(&self, row: &VerdictRow) {
        if let Ok(data) = serde_json::to_string(row) {
            self.ring().push("verdict", &data);
        }
    }

    /// What the engine knows of some devices; what it does not speak of stays as it is.
    pub fn hear(&self, heard: impl IntoIterator<Item = Heard>) {
        let floor = self.floor();
        for Heard {
            device_id,
            risk,
            last_seen,
            at,
            open,
        } in heard
        {
            let Some(station) = floor.station(device_id.as_str()) else {
                continue;
            };
            if last_seen > EventTime::MIN {
                station.cell.seen(last_seen);
            }
            // Whoever is told of what is held here has not been told of it if it was not.
            let is_taken_up = !self.holds(station);
            station.cell.heard(self.0.hearing.load(Ordering::Relaxed));
            let was_awaited = station.cell.awaits(false);
            let before = station.cell.face();
            let known = before.as_ref().and_then(|face| face.open.as_ref());
            let open = open.map(|(id, grade, since)| match known {
                Some(known) if *known.verdict_id == *id && known.grade == grade => Open {
                    since: Some(since),
                    ..known.clone()
                },
                _ => Open {
                    verdict_id: id.into(),
                    grade,
                    since: Some(since),
                    confidence: None,
                },
            });
            let freshness = Freshness::of(risk);
            let is_known = |face: &Arc<Face>| {
                face.risk == risk && face.open == open && face.freshness == freshness
            };
            if before.as_ref().is_some_and(is_known) {
                if was_awaited || is_taken_up {
                    self.note(&station.id);
                }
                continue;
            }
            let lamp = station.cell.lamp();
            let band = before.as_ref().map(|face| face.risk.band);
            self.show(station, at, risk, open);
            if station.cell.lamp() != lamp || band != Some(risk.band) {
                self.tell_risk(&floor, station);
                self.past_mut().note(&station.id, at, risk);
            }
        }
    }

    /// Everything that is kept of the commands about a device from now on.
    pub fn commands(&self, device: &DeviceId, kept: Vec<OrderHistory>) {
        self.orders_mut().set(device, kept);
    }

    /// Whether an incident is kept.
    pub fn has_incident(&self, incident_id: &str) -> bool {
        self.incidents().one(incident_id).is_some()
    }

    /// Until when commands about a device are held back from now on; `None` if they are not.
    pub fn suppressed(&self, device: &DeviceId, until: Option<EventTime>) {
        if !self.orders_mut().suppress(device, until) {
            return;
        }
        let event = SuppressionEvent {
            device_id: device,
            suppressed_until: until,
        };
        if let Ok(data) = serde_json::to_string(&event) {
            self.ring().push("suppression", &data);
        }
    }

    /// A command stands somewhere else now. Call it after [`commands`](Self::commands): whoever is
    /// told may ask.
    pub fn command_moved(&self, order: &Order) {
        if let Ok(data) = serde_json::to_string(order) {
            self.ring().push("command", &data);
        }
    }

    /// An incident that was known before this process told of it.
    pub fn incident_known(&self, incident: &Incident) {
        self.incidents_mut().take(incident);
    }

    /// An incident reads differently now.
    pub fn incident(&self, incident: &Incident) {
        self.incidents_mut().take(incident);
        if let Ok(data) = serde_json::to_string(incident) {
            self.ring().push("incident", &data);
        }
    }

    pub(super) fn is_of(&self, at: EventTime) {
        self.0.newest.fetch_max(at.micros(), Ordering::Relaxed);
    }

    fn show(&self, station: &Station, at: EventTime, risk: Risk, open: Option<Open>) {
        station.cell.show(Face {
            at,
            risk,
            freshness: Freshness::of(risk),
            open,
            version: self.number_of_face(),
        });
        station.cell.heard(self.0.hearing.load(Ordering::Relaxed));
        self.note(&station.id);
    }

    pub(super) fn number_of_face(&self) -> u64 {
        self.0.faces.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn tell_risk(&self, floor: &Floor, station: &Station) {
        let Some(face) = station.cell.face() else {
            return;
        };
        let event = RiskEvent {
            document: floor.document(station, &face),
            lamp: face.lamp(),
        };
        if let Ok(data) = serde_json::to_string(&event) {
            self.ring().push("risk", &data);
        }
    }
}
