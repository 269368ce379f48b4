//! Ticks: "time is at least T", made by the reader from the rows of one partition, and input like
//! any other row.

use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

use crate::device::FLOW_ALLOWANCE;

/// One tick for every so much event time.
pub const TICK_EVERY: Span = Span::from_secs(10);

/// Follows the devices of one partition and says when a tick is due.
///
/// It goes by the second most advanced device, so that one device with a wrong clock cannot move
/// time for the others; with fewer than three devices, by the most advanced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticker {
    /// The two most advanced devices, most advanced first.
    leaders: [Option<(DeviceId, EventTime)>; 2],
    /// A third device has been seen.
    crowd: bool,
    last: EventTime,
}

impl Default for Ticker {
    fn default() -> Self {
        Self {
            leaders: [None, None],
            crowd: false,
            last: EventTime::MIN,
        }
    }
}

impl Ticker {
    /// Takes the device and times of an accepted row; returns the tick that follows it, if any.
    pub fn pass(
        &mut self,
        device: &DeviceId,
        at: EventTime,
        received_at: EventTime,
    ) -> Option<EventTime> {
        self.place(device, at);
        let [first, second] = &self.leaders;
        let leader = match (first, second, self.crowd) {
            (_, Some((_, second)), true) => *second,
            (Some((_, first)), _, _) => *first,
            _ => return None,
        };
        let tick = (leader.floor(TICK_EVERY) - FLOW_ALLOWANCE).min(received_at);
        (tick > self.last).then(|| {
            self.last = tick;
            tick
        })
    }

    /// A tick that did not come from a row, because no row came: the clock of a live source that
    /// is drained. `None` if a later one was made already.
    pub fn idle(&mut self, at: EventTime) -> Option<EventTime> {
        let tick = at.floor(TICK_EVERY) - FLOW_ALLOWANCE;
        (tick > self.last).then(|| {
            self.last = tick;
            tick
        })
    }

    fn place(&mut self, device: &DeviceId, at: EventTime) {
        // Once there are three, who is behind the second of them changes nothing.
        let is_behind = |second: &(DeviceId, EventTime)| at <= second.1;
        if self.crowd && self.leaders[1].as_ref().is_some_and(is_behind) {
            return;
        }
        let known = self
            .leaders
            .iter_mut()
            .flatten()
            .find(|(id, _)| id == device);
        let newest = |leader: &Option<(DeviceId, EventTime)>| leader.as_ref().map(|(_, t)| *t);
        if let Some((_, known)) = known {
            *known = at.max(*known);
        } else {
            self.crowd |= self.leaders.iter().all(Option::is_some);
            if newest(&self.leaders[1]).is_none_or(|second| at > second) {
                self.leaders[1] = Some((device.clone(), at));
            }
        }
        if newest(&self.leaders[1]) > newest(&self.leaders[0]) {
            self.leaders.swap(0, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn one_device_with_a_wrong_clock_does_not_move_time() {
        let mut ticker = Ticker::default();
        let [a, b, c] = ["a", "b", "c"].map(|id| DeviceId::new(id).unwrap());
        let received = at(10_000);
        for device in [&a, &b, &c] {
            ticker.pass(device, at(1_000), received);
        }
        assert_eq!(ticker.pass(&c, at(1_250), received), None);
        assert_eq!(ticker.pass(&a, at(1_011), received), Some(at(1_010 - 360)));
        assert_eq!(ticker.pass(&b, at(1_012), received), None);
    }

    #[test]
    fn a_lone_device_moves_its_own_time_but_not_past_the_receive_time() {
        let mut ticker = Ticker::default();
        let a = DeviceId::new("a").unwrap();
        assert_eq!(ticker.pass(&a, at(1_009), at(5_000)), Some(at(640)));
        assert_eq!(ticker.pass(&a, at(1_019), at(5_000)), Some(at(650)));
        assert_eq!(ticker.pass(&a, at(1_900), at(700)), Some(at(700)));
    }
}
