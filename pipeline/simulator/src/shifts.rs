//! When the plant works: which minutes of an hour a device type is on, its breaks, its shifts.

use andon_schemas::inventory::Inventory;
use andon_schemas::profile::Hours;
use andon_schemas::time::{EventTime, Span};

use crate::spread::season;

/// Breaks on the plant's wall clock, in minutes of the day.
const BREAKS: [(u16, u16); 4] = [(540, 555), (720, 750), (1020, 1035), (1200, 1230)];
/// Minutes of the day at which a shift begins.
const SHIFT_STARTS: [u16; 3] = [360, 840, 1320];

/// One clock hour (UTC) as a device type lives it.
#[derive(Clone, Debug)]
pub(crate) struct WorkHour {
    /// Hours since the epoch.
    pub(crate) index: i64,
    /// First moment on.
    pub(crate) on: EventTime,
    /// First moment off.
    pub(crate) off: EventTime,
    /// The device is switched on in this hour.
    pub(crate) opens: bool,
    /// It is switched off at the end of this hour.
    pub(crate) closes: bool,
    /// A shift begins with this hour, or the device is switched on in it.
    pub(crate) shift_starts: bool,
    /// Log-scale season of the hour.
    pub(crate) swing: f64,
    /// Break of the people, if one falls into the hour.
    pub(crate) pause: Option<(EventTime, EventTime)>,
}

impl WorkHour {
    /// The hour with this index; `None` if the device type is off throughout.
    pub(crate) fn new(inventory: &Inventory, hours: Option<&Hours>, index: i64) -> Option<Self> {
        let start = EventTime::from_micros(Span::HOUR.times(index).micros());
        let strict = hours.map(|h| Hours {
            grace_min: 0,
            ..h.clone()
        });
        let works = |minute: i64| {
            working(
                inventory,
                strict.as_ref(),
                start + Span::MINUTE.times(minute),
            )
        };
        let first = (0..60).find(|m| works(*m))?;
        let last = (first..60).find(|m| !works(*m)).unwrap_or(60);
        let on = start + Span::MINUTE.times(first);
        let off = start + Span::MINUTE.times(last);
        let local = inventory.clock.local(start);
        let opens = !works(first - 1);
        let pause = BREAKS.iter().find_map(|(from, to)| {
            let begin = inventory.clock.moment(local.day, *from);
            (begin >= start && begin < start + Span::HOUR)
                .then(|| (begin, inventory.clock.moment(local.day, *to)))
        });
        Some(Self {
            index,
            on,
            off,
            opens,
            closes: !works(last),
            shift_starts: opens || SHIFT_STARTS.contains(&local.minute),
            swing: season(local.weekday, local.minute),
            pause,
        })
    }

    /// Whether the people are away at this moment.
    pub(crate) fn pauses(&self, time: EventTime) -> bool {
        self.pause
            .is_some_and(|(from, to)| time >= from && time < to)
    }

    /// Share of the hour that the device is on.
    pub(crate) fn share(&self) -> f64 {
        self.off.since(self.on).as_secs_f64() / 3600.0
    }
}

/// Whether a device with these hours works at this moment; without hours it always does.
pub(crate) fn working(inventory: &Inventory, hours: Option<&Hours>, time: EventTime) -> bool {
    let local = inventory.clock.local(time);
    hours.is_none_or(|h| {
        h.hold(local.weekday, local.minute) && !inventory.holidays.contains(&local.day)
    })
}
