//! Honest rows of a device type: the middle of everything its profile says, in the hours it says.

use andon_detectors::baseline::Baseline;
use andon_schemas::observation::{ConnState, Role, Transport};
use andon_schemas::profile::{Profile, Range, Target};
use andon_schemas::time::{EventTime, Span};

use crate::plant::{INVENTORY, Row, What};

/// Hands out cells so that their shares are met as closely as whole numbers allow.
struct Dealer<T> {
    cells: Vec<(T, f64, f64)>,
}

impl<T: Copy> Dealer<T> {
    /// Cells with the shares that are written; the rest is divided among the others.
    fn of(cells: Vec<(T, Option<f64>)>) -> Self {
        let written: f64 = cells.iter().filter_map(|(_, share)| *share).sum();
        let open = cells.iter().filter(|(_, share)| share.is_none()).count();
        #[expect(clippy::cast_precision_loss, reason = "a handful of cells")]
        let rest = (1.0 - written).max(0.0) / open.max(1) as f64;
        let cells = cells
            .into_iter()
            .map(|(cell, share)| (cell, share.unwrap_or(rest), 0.0));
        Self {
            cells: cells.collect(),
        }
    }

    fn deal(&mut self) -> Option<T> {
        for (_, share, owed) in &mut self.cells {
            *owed += *share;
        }
        let most = self.cells.iter_mut().max_by(|a, b| a.2.total_cmp(&b.2))?;
        most.2 -= 1.0;
        Some(most.0)
    }
}

/// The rows of so many days, in order of time.
pub(crate) fn rows(baseline: &Baseline, from: EventTime, days: i64) -> Vec<Row> {
    let profile = &baseline.profile;
    let mut peers = Dealer::of(peers(baseline));
    let mut protocols = Dealer::of(protocols(profile));
    let mut rows = Vec::new();
    for hour in 0..days * 24 {
        let start = from + Span::HOUR.times(hour);
        let minutes: Vec<EventTime> = (0..60)
            .map(|minute| start + Span::MINUTE.times(minute))
            .filter(|at| baseline.active_at(*at))
            .collect();
        readings(profile, &minutes, &mut rows);
        talk(profile, &minutes, (&mut peers, &mut protocols), &mut rows);
        if hour % 24 == 12 {
            attest(profile, start, &mut rows);
        }
    }
    rows.sort_by_key(|row| row.at);
    rows
}

/// An address of each destination, with its share.
fn peers(baseline: &Baseline) -> Vec<(u128, Option<f64>)> {
    let key = andon_schemas::identity::address_key;
    let mut known: Vec<u128> = INVENTORY
        .devices
        .iter()
        .flat_map(|d| d.addresses.iter().map(|a| key(*a)))
        .collect();
    for destination in &baseline.profile.destinations {
        match &destination.target {
            Target::Address(address) => known.push(key(*address)),
            Target::Network(network) => known.extend(network.hosts().take(1).map(key)),
            _ => {}
        }
    }
    let destinations = baseline.profile.destinations.iter().enumerate();
    destinations
        .filter_map(|(cell, destination)| {
            let cell = u8::try_from(cell).unwrap();
            let peer = known
                .iter()
                .find(|peer| baseline.destination(**peer) == Some(cell))?;
            Some((*peer, destination.share))
        })
        .collect()
}

fn protocols(profile: &Profile) -> Vec<((Transport, u16), Option<f64>)> {
    let form = |p: &andon_schemas::profile::Protocol| {
        let form = p.matches.first()?;
        Some(((form.transport, form.port.unwrap_or(0)), p.share))
    };
    profile.protocols.iter().filter_map(form).collect()
}

fn middle(range: &Range) -> f64 {
    if range.lo > 0.0 {
        (range.lo * range.hi).sqrt()
    } else {
        range.lo.midpoint(range.hi)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of a profile are not negative and fit"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

type Dealers<'a> = (&'a mut Dealer<u128>, &'a mut Dealer<(Transport, u16)>);

/// The connections of the active minutes of an hour. Each is reported again and again while it
/// lasts: with every message of a cadence, else so often that the device does not seem silent.
fn talk(profile: &Profile, minutes: &[EventTime], dealers: Dealers<'_>, rows: &mut Vec<Row>) {
    if minutes.is_empty() {
        return;
    }
    let (peers, protocols) = dealers;
    #[expect(clippy::cast_precision_loss, reason = "at most sixty")]
    let share = minutes.len() as f64 / 60.0;
    let connections = (profile.connections.as_ref().map_or(6.0, middle) * share).max(1.0);
    let alive = profile
        .silence
        .map_or(1.0, |patience| 3.0 * 3600.0 / patience.as_secs_f64());
    let volume = profile.volume.map_or(20_000.0, |volume| volume.baseline);
    let (reports, bytes) = if let Some(cadence) = &profile.cadence {
        (3600.0 / cadence.period_s * share, middle(&cadence.size))
    } else {
        let reports = connections.max(alive * share).ceil();
        (reports, volume * share / reports)
    };
    let up = if profile.cadence.is_some() {
        bytes
    } else {
        bytes * profile.upload.as_ref().map_or(0.6, middle)
    };
    let (total, mut opened) = (whole(reports), 0.0);
    let mut flow = None;
    for number in 0..total {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        let place = (number as f64 + 0.5) / total as f64;
        let first = place * connections >= opened;
        if first {
            opened += 1.0;
            flow = peers
                .deal()
                .zip(protocols.deal().or(Some((Transport::Tcp, 502))));
        }
        let Some((peer, (transport, port))) = flow else {
            return;
        };
        rows.push(Row {
            at: moment(minutes, place),
            late: false,
            what: What::Flow {
                lasted: Span::from_micros(0),
                role: Role::Originator,
                peer,
                port,
                transport,
                service: None,
                up: whole(up),
                down: whole(bytes - up),
                state: ConnState::Answered,
                first,
                commands: None,
            },
        });
    }
}

/// The moment at a share of the active minutes.
fn moment(minutes: &[EventTime], part: f64) -> EventTime {
    #[expect(clippy::cast_precision_loss, reason = "at most sixty")]
    let place = part * minutes.len() as f64;
    let minute = usize::try_from(whole(place.floor()))
        .unwrap()
        .min(minutes.len() - 1);
    let rest = whole(place.fract() * 60e6);
    minutes[minute] + Span::from_micros(i64::try_from(rest).unwrap())
}

/// A reading a minute: idle, a ramp of one sample, work, and back.
fn readings(profile: &Profile, minutes: &[EventTime], rows: &mut Vec<Row>) {
    for (at, minute) in minutes.iter().zip(0..) {
        let phase = minute % 20;
        let works = (8..19).contains(&phase);
        let current_a = profile.current.map(|current| match phase {
            7 | 19 => current.idle.hi.midpoint(current.active.lo),
            _ if works => middle(&current.active),
            _ => middle(&current.idle),
        });
        let spindle_rpm = profile
            .spindle
            .map(|spindle| if works { middle(&spindle.range) } else { 0.0 });
        if current_a.is_none() && spindle_rpm.is_none() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "amperes and rpm fit")]
        let narrow = |value: f64| value as f32;
        rows.push(Row {
            at: *at + Span::SECOND,
            late: false,
            what: What::Reading {
                current_a: current_a.map(narrow),
                spindle_rpm: spindle_rpm.map(narrow),
            },
        });
    }
}

/// The newest firmware that is known to be good.
fn attest(profile: &Profile, at: EventTime, rows: &mut Vec<Row>) {
    let Some(newest) = profile.firmware.last() else {
        return;
    };
    rows.push(Row {
        at,
        late: false,
        what: What::Attestation {
            version: newest.version.clone(),
            digest: newest.digests.first().cloned(),
            tpm_ok: Some(true),
        },
    });
}
