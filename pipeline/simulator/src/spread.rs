//! How an amount varies: a written range turned into honest noise.
//!
//! An amount is log-normal-like around the geometric middle of its range. Its logarithm is the sum
//! of what the device always is (an offset of 15 %), what the hour is (season, shared by the
//! plant), what happens now and then (bursts), and Student t5 noise that remembers (AR(1)). The
//! noise is scaled so that, all of these included, the share of honest hours inside the range is
//! the coverage somebody wrote.
//!
//! A Student tail on the log scale has no mean: left alone, one hour in ten thousand would hold a
//! hundred times what the busiest does, more than any device could send. So it ends where the work
//! does: see [`MAKES_UP_FOR`]. That lies far beyond every written range, and far beyond what the
//! rule on volume lets pass; inside it the tail is as heavy as it was.

use andon_schemas::profile::Range;

use crate::random::{Purpose, Stream};

/// Standard deviation of device offsets on the log scale.
const OFFSET_SD: f64 = 0.15;
/// Hours in which much happens at once.
const BURST_SHARE: f64 = 0.015;
/// A device that was cut off for a shift has eight hours of work to tell when it is back. No hour
/// holds more than so many of the busiest that its range writes.
pub(crate) const MAKES_UP_FOR: f64 = 8.0;
/// Terms kept of the AR(1) sum: 0.6^16 is below 3e-4.
const MEMORY: i64 = 16;
/// Draws a range is fitted on; the standard error of a coverage of 95 % is then 0.3 %.
const FIT_DRAWS: i64 = 4_000;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A positive amount.
    Amount,
    /// The mean of a Poisson count, so that counts are over-dispersed like a negative binomial.
    Count,
}

/// The draws that belong to one series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    /// Purpose of the device's offset.
    pub(crate) offset: Purpose,
    /// Purpose of the noise.
    pub(crate) noise: Purpose,
}

/// Volume, hour by hour.
pub(crate) const VOLUME: Series = Series {
    offset: Purpose::VolumeOffset,
    noise: Purpose::VolumeNoise,
};
/// New connections, hour by hour.
pub(crate) const RATE: Series = Series {
    offset: Purpose::RateOffset,
    noise: Purpose::RateNoise,
};
/// Working current, cycle by cycle.
pub(crate) const ACTIVE: Series = Series {
    offset: Purpose::CurrentOffset,
    noise: Purpose::ActiveNoise,
};
/// Idle current, hour by hour.
pub(crate) const IDLE: Series = Series {
    offset: Purpose::CurrentOffset,
    noise: Purpose::IdleNoise,
};

/// A fitted range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    /// Logarithm of the middle.
    centre: f64,
    /// How much of offset, season and bursts applies: less than 1 only in very narrow ranges.
    shared: f64,
    /// Scale of the noise.
    noise: f64,
    /// How much of the last step remains.
    phi: f64,
    /// No step is larger.
    most: f64,
    /// A count: whether the Poisson law fits into the range at all.
    poisson: bool,
}

/// Log-scale swing of the plant's day and week.
pub(crate) fn season(weekday: u8, minute: u16) -> f64 {
    const WEEK: [f64; 7] = [-0.03, 0.02, 0.03, 0.02, -0.01, -0.05, -0.06];
    let hour = f64::from(minute) / 60.0;
    0.07 * (std::f64::consts::TAU * (hour - 7.0) / 12.0).sin() + WEEK[usize::from(weekday % 7)]
}

impl Spread {
    /// Fits a range. `baseline` takes the place of the geometric middle, which a range that
    /// begins at 0 does not have.
    pub(crate) fn fit(range: &Range, baseline: Option<f64>, phi: f64, shape: Shape) -> Self {
        let middle = match baseline {
            Some(written) if range.lo <= 0.0 => written,
            _ => (range.lo.max(f64::MIN_POSITIVE) * range.hi).sqrt(),
        };
        let mut spread = Self {
            centre: middle.max(f64::MIN_POSITIVE).ln(),
            shared: 1.0,
            noise: 0.0,
            phi,
            most: MAKES_UP_FOR * range.hi.max(f64::MIN_POSITIVE),
            poisson: shape == Shape::Count,
        };
        if range.hi <= range.lo {
            return Self {
                shared: 0.0,
                poisson: false,
                ..spread
            };
        }
        let draws = Draw::sample(phi);
        // Room for the noise: what is shared may use up at most half of the allowed outside.
        let outside = 1.0 - range.coverage;
        while spread.outside(range, &draws) > outside / 2.0 {
            if spread.shared > 0.05 {
                spread.shared *= 0.7;
            } else if spread.poisson {
                spread = Self {
                    poisson: false,
                    shared: 1.0,
                    ..spread
                };
            } else {
                return spread;
            }
        }
        let (mut lo, mut hi) = (0.0, 2.0 * (range.hi.ln() - spread.centre).abs() + 1e-9);
        for _ in 0..24 {
            spread.noise = f64::midpoint(lo, hi);
            if spread.outside(range, &draws) < outside {
                lo = spread.noise;
            } else {
                hi = spread.noise;
            }
        }
        spread
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand draws")]
    fn outside(&self, range: &Range, draws: &[Draw]) -> f64 {
        let out = draws.iter().filter(|draw| {
            let amount = (self.centre + self.shared * draw.shared + self.noise * draw.noise).exp();
            let value = if self.poisson {
                (amount + amount.sqrt() * draw.count).round()
            } else {
                amount
            };
            value < range.lo || value > range.hi
        });
        out.count() as f64 / draws.len() as f64
    }

    /// The amount at one step of a series; `swing` is the season of that moment and `burst` what
    /// [`burst`] said of the hour.
    pub(crate) fn at(&self, place: Place, series: Series, swing: f64, burst: f64) -> f64 {
        let shared = offset(place, series.offset) + swing + burst;
        // What one hour cannot hold, the next does not remember either.
        let reach = (self.most.ln() - self.centre) / self.noise.max(f64::MIN_POSITIVE);
        let noise = remembered(place, series.noise, self.phi, reach.max(0.0));
        let amount = (self.centre + self.shared * shared + self.noise * noise).exp();
        amount.min(self.most)
    }

    /// The same as a count.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rounded non-negative rate, saturating"
    )]
    pub(crate) fn count(&self, mean: f64, stream: &mut Stream) -> u32 {
        if self.poisson {
            stream.poisson(mean)
        } else {
            mean.round() as u32
        }
    }

    /// Half of all draws lie below this.
    pub(crate) fn median(&self) -> f64 {
        self.centre.exp()
    }
}

/// Which step of which device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Seed of the plant.
    pub(crate) seed: u64,
    /// The device's number.
    pub(crate) device: u64,
    /// The step: hours since the epoch, or tool cycles.
    pub(crate) index: i64,
}

/// What an hour of a device has on top, log scale: mostly nothing.
pub(crate) fn burst(place: Place) -> f64 {
    draw_burst(&mut Stream::new(
        place.seed,
        Purpose::Burst,
        place.device,
        place.index,
    ))
}

fn draw_burst(stream: &mut Stream) -> f64 {
    if stream.chance(BURST_SHARE) {
        0.15 - 0.3 * (1.0 - stream.unit()).ln()
    } else {
        0.0
    }
}

fn offset(place: Place, purpose: Purpose) -> f64 {
    draw_offset(&mut Stream::new(place.seed, purpose, place.device, 0))
}

fn draw_offset(stream: &mut Stream) -> f64 {
    OFFSET_SD * stream.normal().clamp(-2.5, 2.5)
}

/// AR(1) as the sum of its own past, so that no step needs the one before it. No draw goes farther
/// than `reach`.
fn remembered(place: Place, purpose: Purpose, phi: f64, reach: f64) -> f64 {
    let mut sum = 0.0;
    let mut weight = (1.0 - phi * phi).sqrt();
    for back in 0..MEMORY {
        let at = place.index - back;
        let draw = Stream::new(place.seed, purpose, place.device, at).student();
        sum += weight * draw.clamp(-reach, reach);
        weight *= phi;
    }
    sum
}

/// One honest hour before it is scaled.
struct Draw {
    shared: f64,
    noise: f64,
    count: f64,
}

impl Draw {
    fn sample(phi: f64) -> Vec<Self> {
        (0..FIT_DRAWS)
            .map(|at| {
                let mut stream = Stream::new(0, Purpose::Fit, 0, at);
                let (weekday, minute) = (stream.below(7), 360 + stream.below(960));
                let swing = season(
                    u8::try_from(weekday).unwrap_or_default(),
                    u16::try_from(minute).unwrap_or_default(),
                );
                Self {
                    shared: draw_offset(&mut stream) + swing + draw_burst(&mut stream),
                    noise: remembered(
                        Place {
                            seed: 0,
                            device: 1,
                            index: at * 64,
                        },
                        Purpose::Fit,
                        phi,
                        f64::INFINITY,
                    ),
                    count: stream.normal(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(range: Range, shape: Shape, phi: f64) -> f64 {
        let spread = Spread::fit(&range, None, phi, shape);
        let mut out = 0;
        let n = 20_000u32;
        for at in 0..n {
            let place = Place {
                seed: 3,
                device: u64::from(at / 100),
                index: i64::from(at),
            };
            let hour = u16::try_from(at % 16).unwrap();
            let swing = season(u8::try_from(at % 7).unwrap(), 360 + hour * 60);
            let mut value = spread.at(place, VOLUME, swing, burst(place));
            if shape == Shape::Count {
                let mut stream = Stream::new(3, Purpose::Connections, place.device, place.index);
                value = f64::from(spread.count(value, &mut stream));
            }
            out += i32::from(value < range.lo || value > range.hi);
        }
        f64::from(out) / f64::from(n)
    }

    #[test]
    fn five_hours_in_a_hundred_lie_outside_whatever_the_range() {
        for (lo, hi) in [(50e6, 150e6), (1.3e6, 1.6e6), (2e9, 20e9)] {
            for phi in [0.2, 0.6] {
                let share = outside(
                    Range {
                        lo,
                        hi,
                        coverage: 0.95,
                    },
                    Shape::Amount,
                    phi,
                );
                assert!((share - 0.05).abs() < 0.015, "{lo}-{hi}, {phi}: {share}");
            }
        }
        let counts = outside(
            Range {
                lo: 10.0,
                hi: 50.0,
                coverage: 0.95,
            },
            Shape::Count,
            0.4,
        );
        assert!((counts - 0.05).abs() < 0.015, "{counts}");
    }

    #[test]
    fn the_tail_is_heavy_and_ends_where_the_work_does() {
        let range = Range {
            lo: 50e6,
            hi: 150e6,
            coverage: 0.95,
        };
        let spread = Spread::fit(&range, None, 0.4, Shape::Amount);
        let hours = (0..200_000).map(|index| Place {
            seed: 3,
            device: 1,
            index,
        });
        let amounts: Vec<f64> = hours
            .map(|hour| spread.at(hour, VOLUME, 0.0, 0.0))
            .collect();
        let beyond = |times: f64| amounts.iter().filter(|a| **a > times * range.hi).count();
        assert!(beyond(3.0) > 10, "{} hours", beyond(3.0));
        assert!(beyond(5.0) > 0);
        assert_eq!(beyond(MAKES_UP_FOR), 0);
    }

    #[test]
    fn a_range_without_width_is_its_only_value() {
        let spread = Spread::fit(
            &Range {
                lo: 48.0,
                hi: 48.0,
                coverage: 0.95,
            },
            None,
            0.3,
            Shape::Amount,
        );
        let place = Place {
            seed: 1,
            device: 1,
            index: 5,
        };
        assert!((spread.at(place, VOLUME, 0.3, 0.2) - 48.0).abs() < 1e-9);
    }

    #[test]
    fn the_noise_remembers_what_it_should() {
        let at = |index| {
            remembered(
                Place {
                    seed: 5,
                    device: 2,
                    index,
                },
                Purpose::VolumeNoise,
                0.5,
                f64::INFINITY,
            )
        };
        let series: Vec<f64> = (0..20_000).map(at).collect();
        let var: f64 = series.iter().map(|v| v * v).sum();
        let lag: f64 = series.windows(2).map(|w| w[0] * w[1]).sum();
        assert!((lag / var - 0.5).abs() < 0.05, "{}", lag / var);
    }
}
