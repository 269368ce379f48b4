//! What an attacker sees of the plant: victims, moments, and the policy of segments.

use std::net::IpAddr;

use andon_schemas::inventory::{Device, Inventory};
use andon_schemas::observation::Transport;
use andon_schemas::time::{EventTime, Span};

use crate::class::{Class, Pair, permits};
use crate::day::Unit;
use crate::random::{Purpose, Stream};
use crate::shifts::working;

/// Nothing happens so soon after the start: the plant is first seen as it normally is.
const LEAD: Span = Span::from_secs(600);
/// Distance of "off hours" from the written hours.
const CLEAR_OF_HOURS: i64 = 30;

/// The plant, as far as attacks need it.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(super) inventory: &'a Inventory,
    units: &'a [Unit],
    classes: &'a [Class],
    pub(super) seed: u64,
    pub(super) start: EventTime,
    pub(super) end: EventTime,
}

/// A device that something is done to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim<'a> {
    pub(super) number: usize,
    pub(super) unit: &'a Unit,
    pub(super) class: &'a Class,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(
        inventory: &'a Inventory,
        units: &'a [Unit],
        classes: &'a [Class],
        seed: u64,
        (start, end): (EventTime, EventTime),
    ) -> Self {
        Self {
            inventory,
            units,
            classes,
            seed,
            start,
            end,
        }
    }

    /// Every device of the plant.
    pub(super) fn victims(&self) -> impl Iterator<Item = Victim<'a>> {
        let classes = self.classes;
        self.units
            .iter()
            .enumerate()
            .map(move |(number, unit)| Victim {
                number,
                unit,
                class: &classes[unit.class],
            })
    }

    /// Device number `nth` (from 0, in order of identity) of those that suit; the numbers wrap
    /// around, so that a small plant has victims too. Attacks take different numbers, so that
    /// each has an episode of its own.
    pub(super) fn victim(
        &self,
        what: &str,
        nth: usize,
        suits: impl Fn(&Victim<'a>) -> bool,
    ) -> Result<Victim<'a>, String> {
        let suitable: Vec<Victim<'a>> = self.victims().filter(suits).take(nth + 1).collect();
        let at = nth.checked_rem(suitable.len()).unwrap_or_default();
        suitable
            .get(at)
            .copied()
            .ok_or_else(|| format!("the inventory has no {what}"))
    }

    /// The inventory's entry of a victim.
    pub(super) fn device(&self, victim: &Victim<'_>) -> Option<&'a Device> {
        self.inventory.device(victim.unit.id.as_str())
    }

    /// Dice of an attack.
    pub(super) fn dice(&self, victim: &Victim<'_>, name: &str) -> Stream {
        let key = name
            .bytes()
            .fold(0i64, |k, b| k.wrapping_mul(31).wrapping_add(i64::from(b)));
        Stream::new(self.seed, Purpose::Attack, victim.unit.number, key)
    }

    /// The first moment, `after` minutes into a stretch of work of the victim, from which on it
    /// works for `length` minutes.
    pub(super) fn at_work(
        &self,
        victim: &Victim<'_>,
        after: i64,
        length: i64,
    ) -> Result<EventTime, String> {
        let mut worked = 0;
        let hours = victim.class.profile.hours.as_ref();
        self.first_minute(|time| {
            worked = if working(self.inventory, hours, time) {
                worked + 1
            } else {
                0
            };
            worked > after + length
        })
        .map(|time| time - Span::MINUTE.times(length))
        .ok_or_else(|| {
            format!(
                "device `{}` never works for {} minutes",
                victim.unit.id,
                after + length
            )
        })
    }

    /// The first moment from which on the victim is off for `length` minutes, well clear of its
    /// hours at both ends.
    pub(super) fn off_work(
        &self,
        victim: &Victim<'_>,
        after: i64,
        length: i64,
    ) -> Result<EventTime, String> {
        let mut idle = 0;
        let hours = victim.class.profile.hours.as_ref();
        let wanted = after.max(CLEAR_OF_HOURS) + length + CLEAR_OF_HOURS;
        self.first_minute(|time| {
            idle = if working(self.inventory, hours, time) {
                0
            } else {
                idle + 1
            };
            idle > wanted
        })
        .map(|time| time - Span::MINUTE.times(length + CLEAR_OF_HOURS))
        .ok_or_else(|| {
            format!(
                "device `{}` is never off for {wanted} minutes",
                victim.unit.id
            )
        })
    }

    /// The first moment at or after the start at which the plant's clock shows this.
    pub(super) fn weekday_at(&self, weekday: u8, minute: u16) -> EventTime {
        let today = self.inventory.clock.local(self.start).day;
        (today..=today.saturating_add(7))
            .map(|day| self.inventory.clock.moment(day, minute))
            .find(|time| {
                *time >= self.start && self.inventory.clock.local(*time).weekday == weekday
            })
            .unwrap_or(EventTime::MAX)
    }

    /// The first whole clock hour that the victim works through.
    pub(super) fn hour_at_work(&self, victim: &Victim<'_>) -> Result<EventTime, String> {
        let hours = victim.class.profile.hours.as_ref();
        let works = |time| working(self.inventory, hours, time);
        let first = (self.start + Span::from_micros(Span::HOUR.micros() - 1)).floor(Span::HOUR);
        (0..24 * 15)
            .map(|hour| first + Span::HOUR.times(hour))
            .find(|hour| (0..60).all(|minute| works(*hour + Span::MINUTE.times(minute))))
            .ok_or_else(|| format!("device `{}` never works for a whole hour", victim.unit.id))
    }

    fn first_minute(&self, mut holds: impl FnMut(EventTime) -> bool) -> Option<EventTime> {
        let first = self.start + LEAD;
        (0..15 * 1440)
            .map(|minute| first + Span::MINUTE.times(minute))
            .find(|time| holds(*time))
    }

    /// Whether the segment of the victim forbids such a flow.
    pub(super) fn forbids(
        &self,
        victim: &Victim<'_>,
        peer: IpAddr,
        transport: Transport,
        port: u16,
    ) -> bool {
        self.device(victim)
            .and_then(|device| self.inventory.segments.get(device.segment))
            .is_some_and(|segment| !permits(segment, peer, transport, port))
    }
}

impl<'a> Victim<'a> {
    /// Whether its type or identity contains one of the words.
    pub(super) fn is(&self, words: &[&str]) -> bool {
        words.iter().any(|word| {
            self.class.profile.name.contains(word) || self.unit.id.as_str().contains(word)
        })
    }

    /// What it does most: its way of speaking to somebody with the largest share.
    pub(super) fn habit(&self) -> Result<&'a Pair, String> {
        let mut before = 0.0;
        let mut best: Option<(f64, &Pair)> = None;
        for pair in &self.class.pairs {
            let share = pair.until - before;
            before = pair.until;
            if !pair.small && best.is_none_or(|(most, _)| share > most) {
                best = Some((share, pair));
            }
        }
        best.map(|(_, pair)| pair)
            .ok_or_else(|| format!("device `{}` talks to nobody", self.unit.id))
    }
}
