//! The risk of every device over time.

use std::collections::{HashMap, VecDeque};

use andon_schemas::grade::Band;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Risk;

use super::wire::RiskPoint;

/// So many points of each device.
const POINTS_MAX: usize = 96;
/// So many points of all: 24 bytes each.
const ALL_MAX: usize = 2_000_000;

/// The risk of every device over time: each change that was published, the newest ones.
#[derive(Debug, Default)]
pub(crate) struct Past {
    points: HashMap<DeviceId, VecDeque<Point>>,
    count: usize,
}

/// A risk, in few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    at: EventTime,
    score: Option<u8>,
    band: Band,
}

impl Past {
    /// Notes a risk, unless it is what was noted last.
    pub(crate) fn note(&mut self, device: &DeviceId, at: EventTime, risk: Risk) {
        let point = Point {
            at,
            score: risk.score,
            band: risk.band,
        };
        let points = match self.points.get_mut(device.as_str()) {
            Some(points) => points,
            None => self.points.entry(device.clone()).or_default(),
        };
        if let Some(last) = points.back_mut() {
            let same = (last.score, last.band) == (point.score, point.band);
            if same || at < last.at {
                return;
            }
            if at == last.at {
                *last = point;
                return;
            }
        }
        if points.len() >= POINTS_MAX || self.count >= ALL_MAX {
            self.count -= usize::from(points.pop_front().is_some());
        }
        if self.count < ALL_MAX {
            points.push_back(point);
            self.count += 1;
        }
    }

    /// The risks of a device, oldest first.
    pub(crate) fn of(&self, device: &str) -> Vec<RiskPoint> {
        let points = self.points.get(device).into_iter().flatten();
        let written = |point: &Point| RiskPoint {
            at: point.at,
            score: point.score,
            band: point.band,
        };
        points.map(written).collect()
    }
}
