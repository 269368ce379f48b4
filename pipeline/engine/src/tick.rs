//! Ticks: "time is at least T", made by the reader from the rows of one partition, and input like
//! any other row.

use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

use crate::device::FLOW_ALLOWANCE;
use crate::engine::Input;

/// One tick for every so much event time.
pub const TICK_EVERY: Span = Span::from_secs(10);

impl Input {
    /// How far the clocks of the devices have come by what it says, if it says anything, each with
    /// the number of the tick that says it: a tick stays the allowance for late rows behind them.
    pub fn clocks(&self) -> impl Iterator<Item = (u64, EventTime)> {
        let (alone, ticks) = match self {
            Self::Tick { ordinal, at } => (Some((*ordinal, *at + FLOW_ALLOWANCE)), [].as_slice()),
            Self::EndOfInput { ordinal, at } => (Some((*ordinal, *at)), [].as_slice()),
            Self::Batch(batch) => (None, batch.ticks.as_slice()),
            Self::Bundle(_) | Self::Control(_) => (None, [].as_slice()),
        };
        let ticks = ticks
            .iter()
            .map(|tick| (tick.ordinal, tick.at + FLOW_ALLOWANCE));
        alone.into_iter().chain(ticks)
    }
}

/// Follows the devices of one partition and says when a tick is due.
///
/// It goes by the second most advanced device, so that one device with a wrong clock cannot move
/// time for the others; with fewer than three devices, by the most advanced.
#[derive(Clone, Debug)]
pub(crate) struct Ticker {
    /// The two most advanced devices, most advanced first.
    leaders: [Option<(Leader, EventTime)>; 2],
    /// A third device has been seen.
    crowd: bool,
    last: EventTime,
}

/// Where a ticker stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TickerState {
    leaders: [Option<(DeviceId, EventTime)>; 2],
    crowd: bool,
    last: EventTime,
}

/// A device that is ahead of the others. In nearly every row of a capture it is another one, and a
/// place is noted without a look at the id.
#[derive(Clone, Debug)]
enum Leader {
    Named(DeviceId),
    /// By its position in the inventory.
    Listed(u32),
}

/// The device of a row, with its place in the inventory if that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) device: &'a DeviceId,
    pub(crate) place: Option<u32>,
}

impl Leader {
    fn of(seen: Seen) -> Self {
        match seen.place {
            Some(place) => Self::Listed(place),
            None => Self::Named(seen.device.clone()),
        }
    }

    fn is(&self, seen: Seen, inventory: &Inventory) -> bool {
        match (self, seen.place) {
            (Self::Listed(own), Some(place)) => *own == place,
            (Self::Listed(own), None) => inventory.id_of(*own) == Some(seen.device),
            (Self::Named(own), _) => own == seen.device,
        }
    }
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
    pub(crate) fn pass(
        &mut self,
        seen: Seen,
        (at, received_at): (EventTime, EventTime),
        inventory: &Inventory,
    ) -> Option<EventTime> {
        self.place(seen, at, inventory);
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

    /// One that stands where another stood.
    pub(crate) fn resume(state: TickerState) -> Self {
        let named = |(device, at)| (Leader::Named(device), at);
        Self {
            leaders: state.leaders.map(|leader| leader.map(named)),
            crowd: state.crowd,
            last: state.last,
        }
    }

    /// Where it stands. `inventory` is what the rows so far were measured against.
    pub(crate) fn state(&self, inventory: &Inventory) -> TickerState {
        let named = |(leader, at): &(Leader, EventTime)| {
            let device = match leader {
                Leader::Named(device) => device.clone(),
                Leader::Listed(place) => inventory.id_of(*place)?.clone(),
            };
            Some((device, *at))
        };
        TickerState {
            leaders: self.leaders.each_ref().map(|one| named(one.as_ref()?)),
            crowd: self.crowd,
            last: self.last,
        }
    }

    /// A tick that did not come from a row, because no row came: the clock of a live source that
    /// is drained. `None` if a later one was made already.
    pub(crate) fn idle(&mut self, at: EventTime) -> Option<EventTime> {
        let tick = at.floor(TICK_EVERY) - FLOW_ALLOWANCE;
        (tick > self.last).then(|| {
            self.last = tick;
            tick
        })
    }

    fn place(&mut self, seen: Seen, at: EventTime, inventory: &Inventory) {
        // Once there are three, who is behind the second of them changes nothing.
        let is_behind = |second: &(Leader, EventTime)| at <= second.1;
        if self.crowd && self.leaders[1].as_ref().is_some_and(is_behind) {
            return;
        }
        let known = self
            .leaders
            .iter_mut()
            .flatten()
            .find(|(leader, _)| leader.is(seen, inventory));
        let newest = |leader: &Option<(Leader, EventTime)>| leader.as_ref().map(|(_, t)| *t);
        if let Some((_, known)) = known {
            *known = at.max(*known);
        } else {
            self.crowd |= self.leaders.iter().all(Option::is_some);
            if newest(&self.leaders[1]).is_none_or(|second| at > second) {
                self.leaders[1] = Some((Leader::of(seen), at));
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

    fn moment(seconds: i64) -> EventTime {
        EventTime::from_micros(seconds * 1_000_000)
    }

    /// Passes a device of the shipped plant, by its id or by its place.
    fn pass(ticker: &mut Ticker, (at, by_id): (usize, bool), seconds: (i64, i64)) -> Option<i64> {
        let inventory = crate::scenes::PLANT.inventory();
        let place = u32::try_from(at).ok().filter(|_| !by_id);
        let device = &inventory.devices[at].id;
        let times = (moment(seconds.0), moment(seconds.1));
        let tick = ticker.pass(Seen { device, place }, times, inventory)?;
        // What is written and read again stands where it stood.
        *ticker = Ticker::resume(ticker.state(inventory));
        Some(tick.micros() / 1_000_000)
    }

    #[test]
    fn one_device_with_a_wrong_clock_does_not_move_time() {
        for by_id in [[true; 3], [false; 3], [true, false, true]] {
            let mut ticker = Ticker::default();
            let mut pass =
                |at: usize, by_id, seconds| pass(&mut ticker, (at, by_id), (seconds, 10_000));
            for (device, by_id) in by_id.into_iter().enumerate() {
                pass(device, by_id, 1_000);
            }
            assert_eq!(pass(2, by_id[0], 1_250), None);
            assert_eq!(pass(0, by_id[1], 1_011), Some(1_010 - 360));
            assert_eq!(pass(1, by_id[2], 1_012), None);
        }
    }

    #[test]
    fn a_lone_device_moves_its_own_time_but_not_past_the_receive_time() {
        let mut ticker = Ticker::default();
        let mut pass = |by_id, at, received| pass(&mut ticker, (0, by_id), (at, received));
        assert_eq!(pass(false, 1_009, 5_000), Some(640));
        assert_eq!(pass(true, 1_019, 5_000), Some(650));
        assert_eq!(pass(false, 1_900, 700), Some(700));
    }
}
