//! The machine behind the sensors: tool cycles, in which current and spindle speed rise and fall
//! together.
//!
//! The state at any moment follows from the number of its cycle, so no cycle has to be played to
//! reach the next. A cycle loads the tool, works, and unloads; during breaks it only idles.

use andon_schemas::observation::Reading;
use andon_schemas::profile::{Current, Profile, Spindle};
use andon_schemas::time::{EventTime, Span};

use crate::random::{Purpose, Stream};
use crate::shifts::WorkHour;
use crate::spread::{ACTIVE, IDLE, Place, Shape, Spread};

/// Cycles without a workpiece.
const EMPTY_SHARE: f64 = 0.06;
/// Repeatability of one sample, relative.
const SAMPLE_NOISE: f64 = 0.01;
/// A drive never draws more than this part of its absolute limit, nor turns faster.
const HEADROOM: f64 = 0.97;
/// Where no limit is written: what a servo drive gives for moments, as a multiple of its work.
const PEAK: f64 = 3.0;

/// Fitted current and speed of a device type.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    current: Option<(Current, Spread, Spread)>,
    spindle: Option<Spindle>,
}

/// One tool cycle of a device.
#[derive(Clone, Copy, Debug)]
struct Work {
    number: i64,
    /// Part of the cycle in which the tool cuts; empty in an idle cycle.
    from: f64,
    to: f64,
    /// Amperes while it works.
    level: f64,
    /// 0 to 1, how hard.
    load: f64,
}

/// Draws the samples of one device; remembers the cycle it is in.
#[derive(Debug)]
pub(crate) struct Gauge<'a> {
    machine: &'a Machine,
    place: Place,
    cycle_s: f64,
    phase_s: f64,
    idle: f64,
    swing: f64,
    work: Option<Work>,
}

impl Machine {
    /// `None` for a type without sensors.
    pub(crate) fn fit(profile: &Profile, phi: f64) -> Option<Self> {
        let fit = |current: Current| {
            let idle = Spread::fit(&current.idle, None, phi, Shape::Amount);
            let active = Spread::fit(&current.active, None, phi, Shape::Amount);
            (current, idle, active)
        };
        (profile.current.is_some() || profile.spindle.is_some()).then(|| Self {
            current: profile.current.map(fit),
            spindle: profile.spindle,
        })
    }

    /// The sensors of one device in one hour.
    pub(crate) fn gauge(&self, place: Place, hour: &WorkHour) -> Gauge<'_> {
        let mut stream = Stream::new(place.seed, Purpose::Cycle, place.device, 0);
        let idle = self
            .current
            .as_ref()
            .map_or(0.0, |(_, idle, _)| idle.at(place, IDLE, 0.0, 0.0));
        Gauge {
            machine: self,
            place,
            cycle_s: stream.between(120.0, 420.0),
            phase_s: stream.between(0.0, 420.0),
            idle,
            swing: hour.swing,
            work: None,
        }
    }
}

impl Gauge<'_> {
    /// What the sensors show at a moment; `stream` is the noise of the sample.
    pub(crate) fn read(&mut self, time: EventTime, paused: bool, stream: &mut Stream) -> Reading {
        let since = time.since(EventTime::default()).as_secs_f64() + self.phase_s;
        let place = since / self.cycle_s;
        let work = self.work_of(place.floor());
        let at = place - place.floor();
        let active = !paused && at >= work.from && at < work.to;
        // The first moments of a cut lie between the two states.
        let ramp = active && at < work.from + 0.01;
        let noise = 1.0 + SAMPLE_NOISE * stream.normal();
        let current = self.machine.current.as_ref().map(|(current, ..)| {
            let level = match (active, ramp) {
                (false, _) => self.idle,
                (true, true) => (self.idle * work.level).sqrt(),
                (true, false) => work.level,
            };
            let peak = current.active.hi * PEAK;
            let most = current.limit.map_or(peak, |limit| limit * HEADROOM);
            narrow((level * noise).clamp(0.0, most))
        });
        let spindle = self.machine.spindle.map(|spindle| {
            if !active {
                return 0.0;
            }
            let reach = spindle.range.hi.min(spindle.limit) * HEADROOM;
            let floor = spindle.range.lo.max(0.0);
            let part = if ramp { 0.5 } else { 1.0 } * (0.1 + 0.85 * work.load);
            let wobble = 1.0 + SAMPLE_NOISE * stream.normal();
            narrow(
                (floor + (reach - floor) * part * wobble)
                    .clamp(floor, reach)
                    .round(),
            )
        });
        Reading {
            current_a: current,
            spindle_rpm: spindle,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds since 1970 over a cycle of minutes"
    )]
    fn work_of(&mut self, cycle: f64) -> Work {
        let number = cycle as i64;
        if let Some(work) = self.work.filter(|w| w.number == number) {
            return work;
        }
        let at = Place {
            index: number,
            ..self.place
        };
        let mut stream = Stream::new(at.seed, Purpose::Cycle, at.device, number ^ i64::MIN);
        let (from, to) = if stream.chance(EMPTY_SHARE) {
            (1.0, 1.0)
        } else {
            (stream.between(0.10, 0.25), stream.between(0.80, 0.95))
        };
        let (level, load) = match &self.machine.current {
            Some((current, _, active)) => {
                let level = active.at(at, ACTIVE, self.swing, 0.0);
                let width = (current.active.hi / current.active.lo.max(f64::MIN_POSITIVE)).ln();
                let load =
                    (level / current.active.lo.max(f64::MIN_POSITIVE)).ln() / width.max(1e-9);
                (level, load.clamp(0.0, 1.0))
            }
            None => (0.0, stream.unit()),
        };
        let work = Work {
            number,
            from,
            to,
            level,
            load,
        };
        self.work = Some(work);
        work
    }
}

/// When a device samples: every 30 to 60 s, each device in its own rhythm. Yields the running
/// number of each sample and its moment, in `[from, to)`; a few are lost on the way.
pub(crate) fn sample_times(
    place: Place,
    from: EventTime,
    to: EventTime,
) -> impl Iterator<Item = (u64, EventTime, Stream)> {
    let mut own = Stream::new(place.seed, Purpose::Sample, place.device, i64::MIN);
    let period = Span::from_secs(30 + i64::try_from(own.below(31)).unwrap_or_default()).micros();
    let phase = i64::try_from(own.bits() % period.unsigned_abs()).unwrap_or_default();
    let first = (from.micros() - phase).div_euclid(period) - 1;
    let last = (to.micros() - phase).div_euclid(period) + 1;
    (first..=last).filter_map(move |number| {
        let mut stream = Stream::new(place.seed, Purpose::Sample, place.device, number);
        // Below a millisecond of jitter times are still told apart; 0.3 % of samples are lost.
        let jitter = i64::try_from(stream.bits() % 400_000).unwrap_or_default();
        let time = EventTime::from_micros(number * period + phase + jitter);
        let dropped = stream.chance(0.003);
        (time >= from && time < to && !dropped).then(|| (number.unsigned_abs(), time, stream))
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "sensors report single precision"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}
