//! The messages of a device with a cadence: one per period, in exact rhythm.

use andon_schemas::observation::Record;
use andon_schemas::profile::Cadence;
use andon_schemas::time::{EventTime, Span};

use super::{DeviceHour, SMALL_BYTES, seconds, whole};
use crate::random::{Purpose, Stream, student_quantile};
use crate::spread::MAKES_UP_FOR;

/// Messages that are never sent.
const LOSS: f64 = 0.002;

/// One message, if it is sent.
struct Message {
    time: EventTime,
    size: u64,
    lost: bool,
}

impl DeviceHour<'_> {
    /// Messages with a connection each, or `each` of them to a connection, whose running totals
    /// are then told with every message.
    pub(super) fn messages(&self, cadence: &Cadence, each: i64, out: &mut Vec<Record>) {
        let period = seconds(cadence.period_s.max(0.001)).micros().max(1);
        let own = Stream::new(
            self.place.seed,
            Purpose::Message,
            self.place.device,
            i64::MIN,
        )
        .bits();
        let phase = i64::try_from(own % period.unsigned_abs()).unwrap_or_default();
        let number = |time: EventTime| (time.micros() - phase).div_euclid(period);
        let (from, to) = (self.from.max(self.on), self.to.min(self.off));
        let moment = |number: i64| EventTime::from_micros(number * period + phase);
        for block in (number(from) - 1).div_euclid(each)..=(number(to) + 1).div_euclid(each) {
            self.connection(cadence, each, block, &moment, out);
        }
    }

    /// The messages numbered `block * each` and on, `each` of them.
    fn connection(
        &self,
        cadence: &Cadence,
        each: i64,
        block: i64,
        moment: &dyn Fn(i64) -> EventTime,
        out: &mut Vec<Record>,
    ) {
        let mut dice = Stream::new(
            self.place.seed,
            Purpose::Connections,
            self.place.device,
            block,
        );
        let Some(pair) = self.class.pair(dice.unit()) else {
            return;
        };
        let mut flow = None;
        let mut total = 0;
        let last = block * each + each - 1;
        for number in block * each..=last {
            let message = self.message(cadence, number, moment(number));
            let before = self.hour.opens && message.time < self.on;
            if before || message.lost {
                continue;
            }
            if message.time >= self.off {
                return;
            }
            let size = if pair.small {
                SMALL_BYTES
            } else {
                message.size
            };
            total += size;
            let flow = flow.get_or_insert_with(|| {
                let lasts = seconds(dice.between(0.004, 0.02));
                self.opened(pair, message.time - lasts, &mut dice)
            });
            if self.within(message.time) {
                let down = if pair.small { total } else { 0 };
                out.push(Self::told(
                    flow.clone(),
                    message.time,
                    (total, down),
                    number < last,
                ));
            }
        }
    }

    fn message(&self, cadence: &Cadence, number: i64, due: EventTime) -> Message {
        let mut dice = Stream::new(self.place.seed, Purpose::Message, self.place.device, number);
        let jitter: Span = seconds(cadence.jitter_s * dice.normal().clamp(-3.0, 3.0));
        let lost = dice.chance(LOSS);
        let (lo, hi) = (cadence.size.lo.max(1.0), cadence.size.hi.max(1.0));
        let width = (hi / lo).ln()
            / 2.0
            / student_quantile(f64::midpoint(1.0, cadence.size.coverage)).max(1e-9);
        // After a gap a message carries what the lost ones would have, and no more than that.
        let size = ((lo * hi).sqrt() * (width * dice.student()).exp()).min(MAKES_UP_FOR * hi);
        Message {
            time: due + jitter,
            size: whole(size.round()),
            lost,
        }
    }
}
