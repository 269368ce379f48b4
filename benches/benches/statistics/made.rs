//! A made-up plant whose truth is known: 510 devices of twelve types, hour by hour. The types are
//! of the same family as the model that is learned from them, so that the figures show what the
//! machinery is worth and not what a plant is like.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes and connections of an hour"
)]

use andon_detectors::facts::Pane;

pub(crate) const TYPES: usize = 12;
pub(crate) const DEVICES: usize = 510;
/// A Monday, 00:00 in UTC, in hours since the epoch.
pub(crate) const START: i32 = 490_104;
const WEEK: i32 = 168;

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let bits = ((z ^ (z >> 31)) >> 11) as f64;
        bits * 2.0_f64.powi(-53)
    }

    pub(crate) fn between(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.uniform()
    }

    /// Box and Muller (1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Student's t with five degrees of freedom, brought to a variance of one.
    fn heavy(&mut self) -> f64 {
        let chi: f64 = (0..5).map(|_| self.normal().powi(2)).sum();
        self.normal() / (chi / 5.0).sqrt() * 0.6_f64.sqrt()
    }

    /// Gamma of a shape of 1 or more, scale 1 (Marsaglia and Tsang 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Poisson by counting exponential arrivals.
    fn poisson(&mut self, mean: f64) -> u32 {
        let (mut count, mut clock) = (0, -(1.0 - self.uniform()).ln());
        while clock < mean {
            count += 1;
            clock -= (1.0 - self.uniform()).ln();
        }
        count
    }
}

/// One device type.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    ln_bytes: f64,
    sigma: f64,
    phi: f64,
    /// Logarithm of bytes up for each byte down.
    ln_ratio: f64,
    connections: f64,
    size: f64,
    /// How much more a busy hour has, and how much less a day off, on the log scale.
    busy: f64,
    off: f64,
}

impl Kind {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let share = dice.between(0.05, 0.3);
        Self {
            ln_bytes: dice.between(5e6_f64.ln(), 5e8_f64.ln()),
            sigma: dice.between(0.15, 0.35),
            phi: dice.between(0.2, 0.6),
            ln_ratio: (share / (1.0 - share)).ln(),
            connections: dice.between(10.0, 60.0),
            size: dice.between(5.0, 15.0),
            busy: dice.between(0.0, 0.6),
            off: dice.between(0.0, 0.4),
        }
    }
}

/// What is done to a device from some hour on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// One hour of 3.5 times the volume, in both directions.
    Burst,
    /// One hour of 3.5 times the volume, where all that is more is sent.
    BurstSent,
    /// 30 % more volume, all of it sent.
    Upload30,
    /// 8 % more volume, all of it sent.
    Upload8,
    /// 1.5 times the connections.
    Rate,
    /// A destination of 4 % gets 10 %.
    Share,
}

pub(crate) const ATTACKS: [Attack; 5] = [
    Attack::Burst,
    Attack::Upload30,
    Attack::Upload8,
    Attack::Rate,
    Attack::Share,
];

/// One device.
pub(crate) struct Device {
    pub(crate) kind: usize,
    traits: Kind,
    dice: Dice,
    level: f64,
    ratio: f64,
    rate: f64,
    shares: [f64; 3],
    noise: [f64; 2],
    /// What is done to it, from which hour on.
    pub(crate) attack: Option<(Attack, i32)>,
}

impl Device {
    pub(crate) fn new(number: usize, kinds: &[Kind]) -> Self {
        let mut dice = Dice(0xA11D_0000 + number as u64);
        let kind = number % kinds.len();
        let traits = kinds[kind];
        let cells = [95.0, 4.0, 1.0].map(|share| dice.gamma(share));
        let all: f64 = cells.iter().sum();
        Self {
            kind,
            traits,
            level: 0.15 * dice.normal(),
            ratio: 0.075 * dice.normal(),
            rate: dice.gamma(50.0) / 50.0,
            shares: cells.map(|cell| cell / all),
            noise: [0.0; 2],
            attack: None,
            dice,
        }
    }

    /// What it does in an hour.
    pub(crate) fn hour(&mut self, hour: i32) -> Pane {
        let Kind {
            sigma,
            phi,
            busy,
            off,
            ..
        } = self.traits;
        let fresh = (1.0 - phi * phi).sqrt();
        self.noise[0] = phi * self.noise[0] + fresh * sigma * self.dice.heavy();
        self.noise[1] = phi * self.noise[1] + fresh * 0.5 * sigma * self.dice.heavy();
        let at = (hour - START).rem_euclid(WEEK);
        let works = (6..22).contains(&(at % 24));
        let season = if works { busy } else { 0.0 } - if at >= 120 { off } else { 0.0 };
        let usual = (self.traits.ln_bytes + self.level).exp();
        let mut bytes = usual * (season + self.noise[0]).exp();
        let ratio = (self.traits.ln_ratio + self.ratio + self.noise[1]).exp();
        let attack = self.attack.filter(|(_, from)| hour >= *from);
        if let Some((Attack::Burst, from)) = attack
            && hour == from
        {
            bytes *= 3.5;
        }
        let mut up = bytes * ratio / (1.0 + ratio);
        let down = bytes - up;
        let (mut rate, mut shares) = (self.traits.connections * self.rate, self.shares);
        match attack.map(|(attack, _)| attack) {
            Some(Attack::BurstSent) if attack.is_some_and(|(_, from)| hour == from) => {
                up += 2.5 * bytes;
            }
            Some(Attack::Upload30) => up += 0.3 * usual,
            Some(Attack::Upload8) => up += 0.08 * usual,
            Some(Attack::Rate) => rate *= 1.5,
            Some(Attack::Share) => shares = [0.89, 0.10, 0.01],
            Some(Attack::Burst | Attack::BurstSent) | None => {}
        }
        self.pane(hour, (up, down), rate * season.exp(), shares)
    }

    fn pane(&mut self, hour: i32, (up, down): (f64, f64), rate: f64, shares: [f64; 3]) -> Pane {
        let mean = rate * self.dice.gamma(self.traits.size) / self.traits.size;
        let mut pane = Pane {
            hour,
            opened: self.dice.poisson(mean),
            up: up as u64,
            down: down as u64,
            ..Pane::default()
        };
        for _ in 0..pane.opened {
            let u = self.dice.uniform();
            let cell = usize::from(u >= shares[0]) + usize::from(u >= shares[0] + shares[1]);
            pane.destinations[cell] += 1;
        }
        pane
    }
}
