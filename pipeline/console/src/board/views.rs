//! What the board shows to whoever asks.

use std::sync::Arc;

use andon_schemas::advisory::DeviceAdvisories;
use andon_schemas::grade::Band;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{RISK_SCHEMA, Risk};
use bytes::Bytes;

use super::Board;
use super::book::{Cursor, Entry, Wanted};
use super::face::{Face, Freshness, Lamp};
use super::floor::{Floor, Station, Zone, worst_first};
use super::wire::{
    BoardSegment, BoardView, DeviceRow, LampCounts, LampRow, PlantView, RiskDocument, RiskPoint,
    SegmentRisk, VerdictRow, Worst,
};

/// The lamps of a plant of more devices are asked for segment by segment.
const LAMPS_MAX: usize = 2_000;

/// Which devices are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Searched {
    pub(crate) segment: Option<String>,
    pub(crate) device_type: Option<String>,
    pub(crate) lamp: Option<Lamp>,
    /// Part of the id, in lower case.
    pub(crate) text: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

impl Floor {
    /// The risk document of a device.
    pub(crate) fn document<'a>(&'a self, station: &'a Station, face: &'a Face) -> RiskDocument<'a> {
        let open = face.open.as_ref();
        RiskDocument {
            schema: RISK_SCHEMA,
            device_id: &station.id,
            site: &self.site,
            event_time: (face.freshness != Freshness::Never).then_some(face.at),
            risk: face.risk,
            risk_class: Some(station.risk_class),
            verdict_id: open.map(|open| &*open.verdict_id),
            freshness: face.freshness,
            confidence: open.and_then(|open| open.confidence),
        }
    }

    fn row(&self, station: &Station, face: &Face) -> DeviceRow {
        let open = face.open.as_ref();
        DeviceRow {
            device_id: station.id.clone(),
            device_type: station.device_type.clone(),
            segment: self.segment_of(station).to_owned(),
            line: station.line.clone(),
            risk_class: Some(station.risk_class),
            safety_critical: station.safety_critical,
            lamp: face.lamp(),
            verdict_id: open.map(|open| open.verdict_id.clone()),
            since: open.and_then(|open| open.since),
            risk: face.risk,
            freshness: face.freshness,
            last_seen: station.cell.last_seen(),
            suppressed_until: None,
        }
    }

    fn counts(&self, zone: &Zone, silent: bool) -> LampCounts {
        let mut counts = LampCounts::default();
        for station in self.devices_of(zone) {
            counts.count(shown(station.cell.lamp(), silent));
        }
        counts
    }
}

/// In silence nothing counts as normal.
pub(super) fn shown(lamp: Lamp, silent: bool) -> Lamp {
    if silent && lamp == Lamp::Normal {
        Lamp::Unknown
    } else {
        lamp
    }
}

impl Board {
    /// What is shown of a device; `silent` if the pipeline hears nothing.
    pub(crate) fn face_of(station: &Station, silent: bool) -> Arc<Face> {
        match station.cell.face() {
            None => Arc::new(Face::NEVER),
            Some(face) if silent => Arc::new(face.in_silence()),
            Some(face) => face,
        }
    }

    /// The plant.
    pub(crate) fn plant(&self) -> PlantView {
        self.floor().view(&self.0.version)
    }

    /// The board; the lamps of one segment if it is asked for, else of all in a small plant. `None`
    /// if there is no such segment.
    pub(crate) fn view(&self, segment: Option<&str>, silent: bool) -> Option<BoardView> {
        // Read first: what happens meanwhile is told again by the stream.
        let seq = self.ring().newest();
        let floor = self.floor();
        if segment.is_some_and(|name| !floor.zones.iter().any(|zone| zone.id == name)) {
            return None;
        }
        let is_small = floor.stations.len() <= LAMPS_MAX;
        let mut all = LampCounts::default();
        let mut segments = Vec::new();
        for zone in &floor.zones {
            let counts = floor.counts(zone, silent);
            all.add(&counts);
            if segment.is_some_and(|name| name != zone.id) {
                continue;
            }
            let lamps = (is_small || segment.is_some()).then(|| {
                let row = |station: &Station| {
                    let face = Self::face_of(station, silent);
                    LampRow(
                        station.id.clone(),
                        station.device_type.clone(),
                        face.lamp(),
                        face.risk.score,
                        face.open.as_ref().and_then(|open| open.since),
                    )
                };
                floor.devices_of(zone).map(row).collect()
            });
            segments.push(BoardSegment {
                id: zone.id.clone(),
                counts,
                lamps,
            });
        }
        Some(BoardView {
            seq,
            at: self.newest(),
            counts: all,
            segments,
        })
    }

    /// A page of devices in order of id, and whether there are more.
    pub(crate) fn devices(&self, wanted: &Searched, silent: bool) -> (Vec<DeviceRow>, bool) {
        let floor = self.floor();
        let begin = wanted.after.as_ref().map_or(0, |after| {
            let stations = &floor.stations;
            stations.partition_point(|station| station.id.as_str() <= after.as_str())
        });
        let mut rows = Vec::new();
        for station in floor.stations.iter().skip(begin) {
            if !station.watched || !wanted.admits(&floor, station, silent) {
                continue;
            }
            if rows.len() >= wanted.limit {
                return (rows, true);
            }
            let face = Self::face_of(station, silent);
            rows.push(self.with_orders(floor.row(station, &face)));
        }
        (rows, false)
    }

    /// A device as in a list, and who speaks for it.
    pub(crate) fn device(&self, id: &str, silent: bool) -> Option<(DeviceRow, Option<DeviceId>)> {
        let floor = self.floor();
        let station = floor.station(id)?;
        let row = self.with_orders(floor.row(station, &Self::face_of(station, silent)));
        Some((row, station.owner.clone()))
    }

    fn with_orders(&self, row: DeviceRow) -> DeviceRow {
        let until = self.orders().suppressed_until(&row.device_id);
        // Whoever told of it need not be there any more to tell that it is over.
        let is_ahead = |until: &EventTime| self.newest().is_none_or(|now| *until > now);
        DeviceRow {
            suppressed_until: until.filter(is_ahead),
            ..row
        }
    }

    /// What advisories say of a device, and whether there is anybody to ask; if not, what the
    /// inventory says.
    pub(crate) fn advisories_of(&self, id: &str) -> (DeviceAdvisories, bool) {
        let floor = self.floor();
        let Some(station) = floor.station(id) else {
            return (DeviceAdvisories::default(), false);
        };
        let make = station.make.as_deref();
        match self.0.advisor.load().as_ref() {
            Some(seat) => (seat.0.of(&station.id, make), true),
            None => (DeviceAdvisories::unasked(make), false),
        }
    }

    /// The risk of a device over time, oldest first.
    pub(crate) fn risk_history(&self, id: &str) -> Vec<RiskPoint> {
        self.past().of(id)
    }

    /// The verdicts of a device, newest first.
    pub(crate) fn verdicts_of(&self, id: &str) -> Vec<Arc<VerdictRow>> {
        self.book().of_device(id)
    }

    /// A page of verdicts.
    pub(crate) fn verdicts(&self, wanted: &Wanted) -> (Vec<Arc<VerdictRow>>, Option<Cursor>) {
        self.book().page(wanted)
    }

    /// A verdict with what is kept of its revisions.
    pub(crate) fn verdict_of(&self, id: &str) -> Option<Entry> {
        self.book().get(id).cloned()
    }

    /// The newest revision of a verdict, as JSON.
    pub(crate) fn whole_verdict(&self, id: &str) -> Option<Bytes> {
        self.book().get(id).map(|entry| entry.whole.clone())
    }

    /// The risk of a segment; `None` if there is none of this name.
    pub(crate) fn segment_risk(&self, name: &str, silent: bool) -> Option<SegmentRisk> {
        let floor = self.floor();
        let zone = floor.zones.iter().find(|zone| zone.id == name)?;
        let mut worst = Risk::UNKNOWN;
        let mut is_first = true;
        let mut freshest = Freshness::Never;
        for station in floor.devices_of(zone) {
            let face = Self::face_of(station, silent);
            freshest = match (freshest, face.freshness) {
                (Freshness::Fresh, _) | (_, Freshness::Fresh) => Freshness::Fresh,
                (Freshness::Stale, _) | (_, Freshness::Stale) => Freshness::Stale,
                _ => Freshness::Never,
            };
            let rank = |risk: &Risk| (worst_first(risk.band), 100 - risk.score.unwrap_or(0));
            if is_first || rank(&face.risk) < rank(&worst) {
                (worst, is_first) = (face.risk, false);
            }
        }
        Some(SegmentRisk {
            segment: zone.id.clone(),
            at: self.newest(),
            worst: Worst {
                band: if is_first { Band::Unknown } else { worst.band },
                score: worst.score,
            },
            counts: floor.counts(zone, silent),
            devices: zone.devices.len() as u64,
            freshness: freshest,
        })
    }
}

impl Searched {
    fn admits(&self, floor: &Floor, station: &Station, silent: bool) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|w| w == has);
        is(&self.segment, floor.segment_of(station))
            && is(&self.device_type, &station.device_type)
            && self
                .lamp
                .is_none_or(|lamp| lamp == shown(station.cell.lamp(), silent))
            && self
                .text
                .as_deref()
                .is_none_or(|text| station.id.as_str().contains(text))
    }
}
