//! What other processes say of the devices that they hold. What this process's own pipeline says of
//! a device it holds counts more, so nothing here touches that. And it is nobody's business but of
//! those who ask here: who follows what this process tells is told of its own devices only.

use std::sync::Arc;

use andon_schemas::grade::{Band, Grade};
use andon_schemas::verdict::RiskUpdate;

use super::Board;
use super::face::{Face, Freshness, Open};
use super::floor::{Floor, Station};

/// What another process said of a device.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere<'a> {
    /// As it was published.
    pub update: &'a RiskUpdate,
    /// Somebody goes on watching the device. Else nothing new is no good news.
    pub is_watched: bool,
}

impl Board {
    /// Takes what another process said of a device, unless this one holds it, or the inventory does
    /// not list it. Call it from the thread that tells everything else.
    pub fn elsewhere(&self, told: &Elsewhere<'_>) {
        let floor = self.floor();
        let update = told.update;
        let Some(station) = self.station_elsewhere(&floor, update.device_id.as_str()) else {
            return;
        };
        self.is_of(update.event_time);
        if told.is_watched {
            let open = update.verdict_id.as_deref();
            let mut book = self.book_mut();
            book.is_open_elsewhere(station.id.as_str(), open, update.event_time);
        }
        let before = station.cell.face();
        let before = before.as_deref();
        let face = Face {
            at: update.event_time,
            risk: update.risk,
            freshness: Freshness::of(update.risk),
            open: open_of(update, before),
            version: 0,
        };
        let face = if told.is_watched {
            face
        } else {
            face.in_silence()
        };
        let is_same = |before: &&Face| {
            **before
                == Face {
                    version: before.version,
                    at: before.at,
                    ..face.clone()
                }
        };
        if let Some(before) = before.filter(is_same) {
            // Said once more: of a later moment it is as true, but nobody has to look again.
            if face.at > before.at {
                let version = self.number_of_face();
                station.cell.show(Face { version, ..face });
            }
            return;
        }
        let risk = face.risk;
        self.show_elsewhere(&floor, station, face);
        // That nobody watches it now says nothing of when it was said.
        if told.is_watched {
            self.past_mut().note(&station.id, update.event_time, risk);
        }
    }

    /// Nothing is known any more of a device, unless this process holds it.
    pub fn forgotten_elsewhere(&self, device: &str) {
        let floor = self.floor();
        if let Some(station) = self.station_elsewhere(&floor, device)
            && self.is_known(device)
        {
            self.show_elsewhere(&floor, station, Face::NEVER);
        }
    }

    /// How many devices have an open verdict that is not listed here, as another process raised it, or an
    /// earlier one.
    pub(super) fn open_elsewhere(&self) -> usize {
        let floor = self.floor();
        let stations = floor.stations.iter();
        let open = stations.filter_map(|station| station.cell.face()?.open.clone());
        let open: Vec<Open> = open.collect();
        let book = self.book();
        let is_listed = |id: &str| book.get(id).is_some_and(|entry| entry.row.is_open());
        let elsewhere = open.iter().filter(|open| !is_listed(&open.verdict_id));
        elsewhere.count()
    }

    /// Whether anything was said of a device, by this process or another one.
    pub fn is_known(&self, device: &str) -> bool {
        let floor = self.floor();
        let face = floor
            .station(device)
            .and_then(|station| station.cell.face());
        face.is_some_and(|face| face.freshness != Freshness::Never)
    }

    /// Whether the inventory lists a device.
    pub fn lists(&self, device: &str) -> bool {
        self.floor().station(device).is_some()
    }

    /// How many devices the inventory lists.
    pub fn device_count(&self) -> usize {
        self.floor().stations.len()
    }

    /// A device that the inventory lists and this process does not hold.
    fn station_elsewhere<'a>(&self, floor: &'a Floor, device: &str) -> Option<&'a Station> {
        let station = floor.station(device)?;
        (!self.holds(station)).then_some(station)
    }

    fn show_elsewhere(&self, floor: &Arc<Floor>, station: &Station, face: Face) {
        let version = self.number_of_face();
        station.cell.show(Face { version, ..face });
        self.tell_risk(floor, station);
    }
}

/// The open verdict that a risk names. It says no grade of it: that is the one of the band, which is
/// the worse one while the risk of an earlier episode fades.
fn open_of(update: &RiskUpdate, before: Option<&Face>) -> Option<Open> {
    let id = update.verdict_id.as_deref()?;
    let known = before.and_then(|face| Some((face.risk.band, face.open.as_ref()?)));
    let known = known.filter(|(_, open)| *open.verdict_id == *id);
    let grade = grade_of(update.risk.band);
    Some(match known {
        Some((band, open)) if band == update.risk.band => open.clone(),
        Some((_, open)) => Open {
            grade,
            ..open.clone()
        },
        None => Open {
            verdict_id: id.into(),
            grade,
            since: None,
            confidence: None,
        },
    })
}

const fn grade_of(band: Band) -> Grade {
    match band {
        Band::Critical => Grade::Critical,
        Band::High => Grade::High,
        Band::Medium => Grade::Medium,
        Band::Low | Band::Unknown => Grade::Low,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use andon_schemas::builtin;
    use andon_schemas::command::Mode;
    use andon_schemas::identity::DeviceId;
    use andon_schemas::time::{EventTime, Span};
    use andon_schemas::verdict::Risk;

    use super::super::{Heard, Lamp, RiskFeed};
    use super::*;
    use crate::health::Health;

    const DEVICE: &str = "temp-sensor-042";

    fn board() -> Board {
        Board::new(&builtin::inventory().unwrap(), Mode::Monitor, "1", "boot")
    }

    fn update(device: &str, risk: Risk, verdict: Option<&str>) -> RiskUpdate {
        RiskUpdate {
            schema: String::new(),
            device_id: DeviceId::new(device).unwrap(),
            site: String::new(),
            event_time: EventTime::from_micros(60_000_000),
            risk,
            risk_class: None,
            verdict_id: verdict.map(ToOwned::to_owned),
        }
    }

    fn told(board: &Board, update: &RiskUpdate, is_watched: bool) {
        board.elsewhere(&Elsewhere { update, is_watched });
    }

    fn heard(score: u8) -> Heard {
        Heard {
            device_id: DeviceId::new(DEVICE).unwrap(),
            risk: Risk::of_score(score),
            last_seen: EventTime::from_micros(1),
            at: EventTime::from_micros(1),
            open: None,
        }
    }

    fn face(board: &Board) -> Arc<Face> {
        Board::face_of(board.floor().station(DEVICE).unwrap(), false)
    }

    #[test]
    fn others_are_believed_of_what_is_not_held_here_and_nobody_is_told_it_as_ours() {
        let board = board();
        let feed = RiskFeed::new(board.clone(), Health::new(&[], Duration::from_secs(3_600)));
        let follower = feed.follow();
        told(
            &board,
            &update(DEVICE, Risk::of_score(95), Some("v1")),
            true,
        );
        assert_eq!(face(&board).lamp(), Lamp::Critical);
        assert_eq!(board.open_elsewhere(), 1);
        assert_eq!(feed.known(DEVICE), Some(Risk::of_score(95)));
        assert_eq!(feed.held(DEVICE), None);
        assert!(feed.heard().is_empty());
        assert!(follower.changes(Duration::ZERO).devices.is_empty());

        board.hear([heard(10)]);
        told(
            &board,
            &update(DEVICE, Risk::of_score(95), Some("v1")),
            true,
        );
        board.forgotten_elsewhere(DEVICE);
        assert_eq!(feed.held(DEVICE), Some(Risk::of_score(10)));

        // It moves away: what was said last stays until somebody else says more.
        board.hear_anew();
        assert_eq!(feed.known(DEVICE), Some(Risk::of_score(10)));
        told(
            &board,
            &update(DEVICE, Risk::of_score(80), Some("v2")),
            true,
        );
        assert_eq!(feed.known(DEVICE), Some(Risk::of_score(80)));
    }

    #[test]
    fn what_nobody_watches_any_more_is_no_health_and_trouble_stays() {
        let board = board();
        for (risk, verdict, band) in [
            (Risk::of_score(3), None, Band::Unknown),
            (Risk::of_score(30), Some("v"), Band::Low),
            (Risk::of_score(80), None, Band::High),
        ] {
            let update = update(DEVICE, risk, verdict);
            told(&board, &update, false);
            let silent = face(&board);
            assert_eq!(
                (silent.risk.band, silent.freshness),
                (band, Freshness::Stale)
            );
            told(&board, &update, true);
            let watched = face(&board);
            assert_eq!((watched.risk, watched.freshness), (risk, Freshness::Fresh));
        }
    }

    #[test]
    fn what_is_known_of_a_verdict_stays_known_as_long_as_the_band_does() {
        let board = board();
        let since = EventTime::from_micros(7);
        board.hear([Heard {
            open: Some(("v1".to_owned(), Grade::Medium, since)),
            ..heard(76)
        }]);
        board.hear_anew();
        told(
            &board,
            &update(DEVICE, Risk::of_score(80), Some("v1")),
            true,
        );
        let open = face(&board).open.clone().unwrap();
        assert_eq!((open.grade, open.since), (Grade::Medium, Some(since)));
        told(
            &board,
            &update(DEVICE, Risk::of_score(95), Some("v1")),
            true,
        );
        let open = face(&board).open.clone().unwrap();
        assert_eq!((open.grade, open.since), (Grade::Critical, Some(since)));
        told(
            &board,
            &update(DEVICE, Risk::of_score(95), Some("v2")),
            true,
        );
        assert_eq!(face(&board).open.clone().unwrap().since, None);
        told(&board, &update(DEVICE, Risk::of_score(90), None), true);
        assert_eq!(face(&board).open, None);
    }

    #[test]
    fn the_forgotten_are_as_never_seen_and_strangers_are_nobody() {
        let board = board();
        told(&board, &update(DEVICE, Risk::of_score(3), None), true);
        assert!(board.is_known(DEVICE));
        board.forgotten_elsewhere(DEVICE);
        assert!(!board.is_known(DEVICE));
        assert_eq!(face(&board).lamp(), Lamp::Unknown);
        let floor = board.floor();
        assert_eq!(Board::known_of(floor.station(DEVICE).unwrap(), false), None);
        told(&board, &update("nobody", Risk::of_score(95), None), true);
        board.forgotten_elsewhere("nobody");
        assert!(!board.lists("nobody") && !board.is_known("nobody"));
        assert_eq!(board.newest(), Some(EventTime::from_micros(60_000_000)));
    }

    #[test]
    fn the_same_again_is_no_news() {
        let board = board();
        let mut update = update(DEVICE, Risk::of_score(3), None);
        told(&board, &update, true);
        let first = face(&board);
        told(&board, &update, true);
        assert_eq!(*face(&board), *first);
        // Of a later moment it is as true, and of an earlier one nothing goes back.
        let said = update.event_time;
        update.event_time = said + Span::HOUR;
        told(&board, &update, true);
        let later = face(&board);
        assert_eq!((later.at, later.risk), (update.event_time, first.risk));
        assert!(
            later.version > first.version,
            "whoever asks is given the later time"
        );
        update.event_time = said;
        told(&board, &update, true);
        assert_eq!(*face(&board), *later);
        assert_eq!(board.risk_history(DEVICE).len(), 1);
    }
}
