//! Does the current fit the speed, where the profile says which current goes with which speed?
//!
//! A machine that starts and stops within seconds never holds a contradiction for long. So samples
//! are counted by the quarter of an hour, turning and standing apart; one that has just started or
//! stopped honestly draws what it drew before, so the first sample at other speeds than the one
//! before it is passed over. A quarter says two things. Of the samples at rest
//! and of those that turn, the written coverage leaves an honest share outside: a bet that is
//! linear in a share has mean 1 whatever else the share does (Shekhar and Ramdas 2024), so neither
//! dependent samples nor a quarter of a few samples break it. The mean of those that turn is bet
//! on with a likelihood ratio on each side, against the range in which the profile says such means
//! lie. What a device keeps to may lie [`ALLOWED`] away from the middle of its type, and a tenth
//! at least: feed and wear of a tool move the load by as much.

use andon_schemas::profile::{Load, Range};
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

use crate::packed::{Bet, step_all};
use crate::stats::bernoulli::{BernoulliBets, Chance};
use crate::stats::evidence::{Arming, Purse, Stake};
use crate::stats::range::LogNormalNull;
use crate::stats::steps::rounded_down;

use super::STRETCHES_PER_DAY;

const QUARTER: Span = Span::from_secs(900);
/// Fewer samples than this at rest, or of those that turn, have no share worth a bet.
const SHARE_SAMPLES: u16 = 3;
/// Fewer samples than this have no mean.
const MEAN_SAMPLES: u16 = 10;
/// A mean that stays away from the middle by this is let pass, in standard deviations of means.
const ALLOWED: f64 = 1.0;
/// The same as a part of the middle, at least.
const ALLOWED_MIN: f64 = 0.1;
/// A quarter counts as so many standard deviations at most.
const CLIP: f64 = 3.4;
/// The size of shift that is bet on beyond what is let pass.
const LEAN: f64 = 1.5;
/// The upper end of a range gives way by this part of it, on the scale of ratios: honest currents
/// that wander about an end would be outside again and again.
const SLACK: f64 = 0.125;
/// How much likelier than written a misfit is bet to be.
const FACTORS: [f64; 2] = [4.0, 16.0];
/// Bets on the shares of misfits, at rest and turning.
const SHARES: usize = 2 * FACTORS.len();
/// All bets: with one on each side of the mean.
const BETS: usize = SHARES + 2;

/// What the profile says, made ready.
#[derive(Clone, Debug)]
pub(super) struct Law {
    classes: Vec<Class>,
    share: BernoulliBets<2>,
    /// Standard deviation of means, as a part of their middle: of the speeds where it is largest.
    sigma: f64,
    stake: Stake,
}

/// Speeds, and the current that goes with them.
#[derive(Clone, Copy, Debug)]
struct Class {
    load: Load,
    /// Amperes that fit.
    from_a: f64,
    to_a: f64,
    /// The middle of means, where they are written.
    middle: Option<f64>,
}

/// Samples of a quarter of an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(super) samples: u16,
    pub(super) misfits: u16,
}

/// What a quarter of an hour came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quarter {
    /// Number of it since the epoch.
    number: i32,
    pub(super) standing: Count,
    pub(super) turning: Count,
    /// Sum of the currents that turned, each as a ratio to the middle of means.
    ratios: f32,
    loaded: u16,
    /// The last current that did not fit.
    misfit_a: f32,
}

/// What is remembered: 48 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    quarter: Quarter,
    evidence: [Bet; BETS],
    purse: Purse,
    pub(super) arming: Arming,
    /// Number of the class that the sample before was in, from 1; 0 for none.
    class: u8,
}

/// A quarter that has closed: enough to weigh it again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closed {
    pub(super) quarter: Quarter,
    before: [Bet; BETS],
    staked: f32,
}

impl Count {
    /// A quarter counts its first 65,535 samples.
    fn add(&mut self, is_misfit: bool) {
        if self.samples < u16::MAX {
            self.samples += 1;
            self.misfits += u16::from(is_misfit);
        }
    }

    /// The share of misfits; `None` of too few samples.
    pub(super) fn share(self) -> Option<f32> {
        let enough = self.samples >= SHARE_SAMPLES;
        enough.then(|| f32::from(self.misfits) / f32::from(self.samples))
    }
}

impl Class {
    /// What lies between the currents at rest and those that turn fits both: a drive brakes, runs
    /// down and takes up load. At rest a machine may draw nothing at all: it is off.
    fn of(load: &Load, loads: &[Load]) -> Self {
        let (lo, hi) = (load.current.lo, load.current.hi);
        let slack = match hi / lo {
            ratio if ratio.is_finite() && ratio > 1.0 => ratio.powf(SLACK),
            _ => 1.0,
        };
        let rest = loads.iter().find(|load| load.is_standing());
        let turning = loads.iter().filter(|load| !load.is_standing());
        let work = turning.map(|load| load.current.lo).reduce(f64::min);
        let (from_a, to_a) = if load.is_standing() {
            (0.0, work.filter(|work| *work > hi).unwrap_or(hi * slack))
        } else {
            let rest = rest.map(|rest| rest.current.hi).filter(|rest| *rest < lo);
            (rest.unwrap_or(lo / slack), hi * slack)
        };
        let middle = |mean: Range| (mean.lo * mean.hi).sqrt();
        Self {
            load: *load,
            from_a,
            to_a,
            middle: load.mean.filter(|_| !load.is_standing()).map(middle),
        }
    }

    fn fits(&self, amperes: f64) -> bool {
        (self.from_a..=self.to_a).contains(&amperes)
    }
}

impl Law {
    /// `None` if the profile says nothing of it.
    pub(super) fn of(loads: &[Load], stake: f32) -> Option<Self> {
        let coverage = loads.iter().map(|load| load.current.coverage);
        let pbar = 1.0 - coverage.fold(f64::INFINITY, f64::min);
        let sigma = |load: &Load| {
            let mean = load.mean.filter(|_| !load.is_standing())?;
            let null = LogNormalNull::from_range(mean.lo, mean.hi, mean.coverage).ok()?;
            Some(null.sigma)
        };
        Some(Self {
            classes: loads.iter().map(|load| Class::of(load, loads)).collect(),
            sigma: loads.iter().filter_map(sigma).fold(0.0, f64::max),
            share: BernoulliBets::new(Chance { pbar }, FACTORS).ok()?,
            stake: Stake::new(stake, STRETCHES_PER_DAY),
        })
    }

    /// The class that a speed lies in and its number from 1, or 0. Of more classes than there are
    /// numbers the last ones share one.
    fn class(&self, rpm: f64) -> (u8, Option<&Class>) {
        let holds = |class: &Class| (class.load.from_rpm..=class.load.to_rpm).contains(&rpm);
        match self.classes.iter().position(holds) {
            Some(at) => (
                u8::try_from(at + 1).unwrap_or(u8::MAX),
                self.classes.get(at),
            ),
            None => (0, None),
        }
    }

    /// The current that goes with speeds that turn or not, widest ends: what is told.
    pub(super) fn expected_a(&self, standing: bool) -> Option<(f64, f64)> {
        let of = self.classes.iter();
        let same = of.filter(|class| class.load.is_standing() == standing);
        let ends = same.map(|class| (class.load.current.lo, class.load.current.hi));
        ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// The share of honest samples inside.
    pub(super) fn coverage(&self) -> f64 {
        1.0 - self.share.pbar()
    }

    /// The e-values of a quarter.
    fn e_values(&self, quarter: &Quarter) -> [f32; BETS] {
        let (hit, miss) = (self.share.e_values(true), self.share.e_values(false));
        let mut e = [1.0; BETS];
        let states = [quarter.standing, quarter.turning];
        for (bets, count) in e.chunks_mut(FACTORS.len()).zip(states) {
            let Some(share) = count.share() else { continue };
            for ((e, hit), miss) in bets.iter_mut().zip(hit).zip(miss) {
                *e = miss + share * (hit - miss);
            }
        }
        if let Some(moved) = quarter.moved().filter(|_| self.sigma > 0.0) {
            let allowed = ALLOWED_MIN.max(ALLOWED * self.sigma);
            for (e, side) in e[SHARES..].iter_mut().zip([1.0, -1.0]) {
                let beyond = ((side * (moved - 1.0) - allowed) / self.sigma).min(CLIP);
                *e = rounded_down((LEAN * beyond - 0.5 * LEAN * LEAN).exp());
            }
        }
        e
    }

    fn after(&self, closed: &Closed) -> [Bet; BETS] {
        let mut evidence = closed.before;
        step_all(
            &mut evidence,
            closed.staked,
            &self.e_values(&closed.quarter),
        );
        evidence
    }

    /// Evidence once a quarter has been weighed, in device-days per false alarm: of misfits, and of
    /// a mean that has moved.
    pub(super) fn evidence(&self, closed: &Closed) -> [f32; 2] {
        let after = self.after(closed).map(Bet::total);
        let (shares, means) = after.split_at(SHARES);
        [shares.iter().sum(), means.iter().sum()]
    }

    /// Whether a quarter is worth telling while evidence stands: some bet on it was won.
    pub(super) fn is_odd(&self, quarter: &Quarter) -> bool {
        self.e_values(quarter).iter().any(|e| *e > 1.0)
    }
}

impl Closed {
    /// How many times its middle the mean was, or the inverse; at least 1.
    pub(super) fn magnitude(&self) -> f64 {
        let moved = self.quarter.moved().unwrap_or(1.0);
        moved.max(1.0 / moved.max(0.01))
    }
}

impl Quarter {
    /// How many times the middle of means its own is; `None` of too few samples.
    pub(super) fn moved(&self) -> Option<f64> {
        let enough = self.loaded >= MEAN_SAMPLES;
        enough.then(|| f64::from(self.ratios) / f64::from(self.loaded))
    }

    /// The last current that did not fit, amperes.
    pub(super) fn misfit(&self) -> Option<f32> {
        let misfits = self.standing.misfits > 0 || self.turning.misfits > 0;
        misfits.then_some(self.misfit_a)
    }

    /// The larger share of misfits, and whether it was at rest.
    pub(super) fn worst(&self) -> (bool, f32) {
        let share = |count: Count| count.share().unwrap_or(0.0);
        let (standing, turning) = (share(self.standing), share(self.turning));
        (standing > turning, standing.max(turning))
    }

    /// Whether there were enough samples to weigh. What they showed must not decide it: of quarters
    /// of which only those with misfits are weighed, honest ones add up to evidence.
    fn says_something(&self) -> bool {
        self.turning.share().is_some() || self.standing.share().is_some()
    }
}

impl State {
    /// Takes a sample; the quarter that it has closed, weighed, with the plant day it is staked on
    /// told by `day`.
    pub(super) fn take(
        &mut self,
        law: &Law,
        (rpm, amperes): (f64, f64),
        at: EventTime,
        day: impl FnOnce() -> i32,
    ) -> Option<Closed> {
        let number = at.micros().div_euclid(QUARTER.micros());
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let closed = (number > self.quarter.number).then(|| self.close(law, number, day));
        let (place, class) = law.class(rpm.abs());
        let has_settled = std::mem::replace(&mut self.class, place) == place;
        if let Some(class) = class.filter(|_| has_settled) {
            let is_misfit = !class.fits(amperes);
            let count = if class.load.is_standing() {
                &mut self.quarter.standing
            } else {
                &mut self.quarter.turning
            };
            count.add(is_misfit);
            if is_misfit {
                self.quarter.misfit_a = narrow(amperes);
            }
            if let Some(middle) = class.middle.filter(|_| self.quarter.loaded < u16::MAX) {
                self.quarter.ratios += narrow((amperes / middle).clamp(0.0, 100.0));
                self.quarter.loaded += 1;
            }
        }
        closed.flatten()
    }

    fn close(&mut self, law: &Law, number: i32, day: impl FnOnce() -> i32) -> Option<Closed> {
        let quarter = self.quarter;
        self.quarter = Quarter {
            number,
            ..Quarter::default()
        };
        if !quarter.says_something() {
            return None;
        }
        let closed = Closed {
            quarter,
            before: self.evidence,
            staked: law.stake.draw(&mut self.purse, day()),
        };
        self.evidence = law.after(&closed);
        Some(closed)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "state is single precision by design"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}
