//! The connections of an hour: over-dispersed in number, skewed in size, their bytes adding up to
//! the volume of the hour.
//!
//! All of them are drawn for every slice of the hour, since each weighs in the sum; what only a
//! record needs is drawn when it is written.

use andon_schemas::observation::Record;
use andon_schemas::time::{EventTime, Span};

use super::{DeviceHour, SMALL_BYTES, exact, seconds, whole};
use crate::class::{Pace, Pair};
use crate::random::{Purpose, Stream};
use crate::spread::{RATE, VOLUME, burst};

/// Bytes of an average connection of a type without a written volume.
const UNWRITTEN_BYTES: f64 = 2_000.0;
/// What a device sends of its own in an hour in which others send it more than its volume.
const OWN_SHARE_MIN: f64 = 0.05;

/// A connection before its bytes are known.
struct Connection<'a> {
    pair: &'a Pair,
    weight: f64,
    at: EventTime,
    dice: Stream,
}

impl DeviceHour<'_> {
    /// All connections of the hour.
    pub(super) fn connections(&self, pace: Pace, out: &mut Vec<Record>) {
        let at = self.place;
        let mut dice = Stream::new(at.seed, Purpose::Connections, at.device, at.index);
        let share = self.hour.share();
        let bursting = burst(at);
        let swing = self.hour.swing;
        let mean = self.class.rate.at(at, RATE, swing, bursting) * share;
        let least = match pace {
            Pace::Even(needed) => (needed * share).ceil(),
            Pace::Held(_) => 1.0,
            Pace::Free | Pace::Messages(_) => 0.0,
        };
        let count = f64::from(self.class.rate.count(mean, &mut dice)).max(least);
        let drawn = self.draw(whole(count), least > 0.0, dice);
        let bulk: f64 = drawn.iter().map(|c| c.weight).sum();
        let total = self.class.volume.map_or(UNWRITTEN_BYTES * bulk, |volume| {
            let both = volume.at(at, VOLUME, swing, bursting);
            share * (both - self.unit.received).max(both * OWN_SHARE_MIN)
        });
        let small = drawn.iter().filter(|c| c.pair.small).count() as u64 * 2 * SMALL_BYTES;
        let per_weight = (total - exact(small)).max(0.0) / bulk.max(f64::MIN_POSITIVE);
        match pace {
            Pace::Held(every) => self.hold(drawn, every, per_weight, out),
            _ => {
                for connection in drawn {
                    self.finish(connection, per_weight, out);
                }
            }
        }
    }

    fn draw(&self, count: u64, even: bool, mut dice: Stream) -> Vec<Connection<'_>> {
        let length = self.off.since(self.on).as_secs_f64();
        let mut drawn = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        for number in 0..count {
            let mut part = dice.unit();
            if even {
                part = (exact(number) + part) / exact(count);
            } else if self.hour.pauses(self.on + seconds(part * length)) && dice.chance(0.5) {
                // Half of what falls into a break happens at another time of the hour.
                part = dice.unit();
            }
            let Some(pair) = self.class.pair(dice.unit()) else {
                break;
            };
            let at = self.on + seconds(part * length);
            // A Pareto tail with exponent 1, cut at 20 times the smallest: few carry most.
            let weight = if pair.small {
                0.0
            } else {
                1.0 / (1.05 - dice.unit())
            };
            let own = Stream::new(dice.bits(), Purpose::Connections, number, 0);
            drawn.push(Connection {
                pair,
                weight,
                at,
                dice: own,
            });
        }
        drawn
    }

    /// One short connection that ends at its moment.
    fn finish(&self, mut connection: Connection<'_>, per_weight: f64, out: &mut Vec<Record>) {
        if !self.within(connection.at) {
            return;
        }
        let bytes = bytes(&mut connection, per_weight);
        let Connection {
            pair, at, mut dice, ..
        } = connection;
        let lasts = seconds((1.0 + 1.2 * dice.normal()).exp().min(240.0)).min(at.since(self.on));
        let flow = self.opened(pair, at - lasts, &mut dice);
        out.push(Self::told(flow, at, bytes, false));
    }

    /// Connections that follow each other from the first moment of the hour to its last, each
    /// told of every now and then.
    fn hold(
        &self,
        drawn: Vec<Connection<'_>>,
        every: Span,
        per_weight: f64,
        out: &mut Vec<Record>,
    ) {
        let (mut long, mut short): (Vec<_>, Vec<_>) =
            drawn.into_iter().partition(|c| !c.pair.small);
        if long.is_empty() && !short.is_empty() {
            // Somebody must keep talking, or the device would fall silent.
            long.push(short.remove(0));
        }
        for connection in short {
            self.finish(connection, per_weight, out);
        }
        let starts: Vec<EventTime> = long.iter().skip(1).map(|c| c.at).collect();
        let mut start = self.on;
        for (number, mut connection) in long.into_iter().enumerate() {
            let last = || self.off - seconds(connection.dice.clone().between(0.0, 5.0));
            let next = starts.get(number).copied().unwrap_or_else(last);
            // The last one may begin so late that its end would lie before it.
            let end = (next - Span::from_micros(1)).max(start);
            let (up, down) = bytes(&mut connection, per_weight);
            let flow = self.opened(connection.pair, start, &mut connection.dice);
            let whole_s = end.since(start).as_secs_f64().max(1e-6);
            let mut told = start + every;
            while told < end {
                if self.within(told) {
                    let part = told.since(start).as_secs_f64() / whole_s;
                    let totals = (whole(exact(up) * part), whole(exact(down) * part));
                    out.push(Self::told(flow.clone(), told, totals, true));
                }
                told = told + every;
            }
            if self.within(end) {
                out.push(Self::told(flow, end, (up, down), false));
            }
            start = next;
        }
    }
}

/// Bytes from and to the device.
fn bytes(connection: &mut Connection<'_>, per_weight: f64) -> (u64, u64) {
    if connection.pair.small {
        return (SMALL_BYTES, SMALL_BYTES);
    }
    let both = per_weight * connection.weight;
    let up = connection.dice.between(0.68, 0.82);
    (whole(both * up).max(1), whole(both * (1.0 - up)))
}
