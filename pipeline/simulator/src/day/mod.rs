//! One device, one hour, honest: the records it leaves behind between two moments.
//!
//! Everything is drawn from the number of the hour and walked from its beginning, so an hour may
//! be made in one piece or in many and comes out the same.

mod connections;
mod rhythm;

use std::net::IpAddr;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{
    Attestation, Body, ConnState, FlowRecord, Kind, Party, Record, RecordBody, Resolution, Sender,
    Transport,
};
use andon_schemas::time::{EventTime, Span};

use crate::class::{Class, Pace, Pair};
use crate::machine::sample_times;
use crate::random::{Purpose, Stream};
use crate::shifts::WorkHour;
use crate::spread::Place;

/// Payload of a message of fixed size (an NTP packet), each way.
const SMALL_BYTES: u64 = 48;
/// Seconds that a DNS answer may be kept: it is asked for again once in every clock hour.
const ANSWER_TTL_S: u32 = 7_200;
/// Longest delay with which devices are switched on after, and off before, the written hour.
const SWITCH_S: f64 = 180.0;

/// One device as the generator sees it.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Identity.
    pub(crate) id: DeviceId,
    /// Key of its draws: a hash of the identity, so a device behaves the same in any plant.
    pub(crate) number: u64,
    /// Its first address.
    pub(crate) address: IpAddr,
    /// Who speaks for it.
    pub(crate) sender: Sender,
    /// Bytes an hour that other devices send it: a part of its volume.
    pub(crate) received: f64,
    /// Index of its class.
    pub(crate) class: usize,
}

/// One device in one hour.
pub(crate) struct DeviceHour<'a> {
    unit: &'a Unit,
    class: &'a Class,
    hour: &'a WorkHour,
    place: Place,
    on: EventTime,
    off: EventTime,
    from: EventTime,
    to: EventTime,
}

impl<'a> DeviceHour<'a> {
    /// The part of the hour in `[from, to)`.
    pub(crate) fn new(
        unit: &'a Unit,
        class: &'a Class,
        hour: &'a WorkHour,
        seed: u64,
        (from, to): (EventTime, EventTime),
    ) -> Self {
        let place = Place {
            seed,
            device: unit.number,
            index: hour.index,
        };
        let mut stream = Stream::new(seed, Purpose::Switch, unit.number, hour.index);
        let most = class
            .profile
            .silence
            .map_or(SWITCH_S, |span| (span.as_secs_f64() / 8.0).min(SWITCH_S));
        let delay = |stream: &mut Stream| seconds(stream.between(0.0, most));
        let (late, early) = (delay(&mut stream), delay(&mut stream));
        let on = if hour.opens { hour.on + late } else { hour.on };
        let off = if hour.closes {
            hour.off - early
        } else {
            hour.off
        };
        Self {
            unit,
            class,
            hour,
            place,
            on,
            off,
            from,
            to,
        }
    }

    /// Appends the records, in no particular order.
    pub(crate) fn write(&self, kinds: Kinds, out: &mut Vec<Record>) {
        if kinds.hold(Kind::Resolution) {
            self.lookups(out);
        }
        if kinds.hold(Kind::Attestation) {
            self.report(out);
        }
        if kinds.hold(Kind::Reading) {
            self.readings(out);
        }
        if kinds.hold(Kind::Flow) {
            match (&self.class.profile.cadence, self.class.pace) {
                (Some(cadence), Pace::Messages(each)) => self.messages(cadence, each, out),
                (_, pace) => self.connections(pace, out),
            }
        }
    }

    fn within(&self, time: EventTime) -> bool {
        time >= self.from && time < self.to && time >= self.on && time < self.off
    }

    /// What the device says of itself.
    fn own(&self, event_time: EventTime, seq: Option<u64>, body: Body) -> Record {
        Record {
            device: Some(self.unit.id.clone()),
            sender: Some(self.unit.sender.clone()),
            seq,
            ..record(event_time, RecordBody::Single(body))
        }
    }

    /// DNS answers: every name once an hour, at first before it is used.
    fn lookups(&self, out: &mut Vec<Record>) {
        let Some(server) = self.class.resolver else {
            return;
        };
        let mut stream = Stream::new(
            self.place.seed,
            Purpose::Lookup,
            self.place.device,
            self.place.index,
        );
        let within_s = if self.hour.opens {
            1.0
        } else {
            self.off.since(self.on).as_secs_f64()
        };
        for lookup in &self.class.lookups {
            let time = self.on + seconds(stream.between(0.0, within_s));
            if self.within(time) {
                let body = Body::Resolution(Resolution {
                    server,
                    name: lookup.name.clone(),
                    addresses: lookup.addresses.clone(),
                    ttl_s: ANSWER_TTL_S,
                });
                out.push(Record {
                    address: Some(self.unit.address),
                    ..record(time, RecordBody::Single(body))
                });
            }
        }
    }

    /// The firmware report at the start of a shift.
    fn report(&self, out: &mut Vec<Record>) {
        let Some(firmware) = self.class.profile.firmware.last() else {
            return;
        };
        let mut stream = Stream::new(
            self.place.seed,
            Purpose::Report,
            self.place.device,
            self.place.index,
        );
        let time = self.on + seconds(stream.between(5.0, 120.0));
        if !self.hour.shift_starts || !self.within(time) {
            return;
        }
        let mut own = Stream::new(self.place.seed, Purpose::Choice, self.place.device, 0);
        let own_key = self.unit.sender.name == self.unit.id;
        out.push(
            self.own(
                time,
                None,
                Body::Attestation(Attestation {
                    version: firmware.version.clone(),
                    digest: firmware
                        .digests
                        .get(own.below(firmware.digests.len()))
                        .cloned(),
                    // Only a device with a secure element can quote.
                    tpm_ok: own_key.then_some(true),
                }),
            ),
        );
    }

    fn readings(&self, out: &mut Vec<Record>) {
        let Some(machine) = &self.class.machine else {
            return;
        };
        let (from, to) = (self.from.max(self.on), self.to.min(self.off));
        let mut gauge = machine.gauge(self.place, self.hour);
        for (number, time, mut stream) in sample_times(self.place, from, to) {
            let reading = gauge.read(time, self.hour.pauses(time), &mut stream);
            out.push(self.own(time, Some(number), Body::Reading(reading)));
        }
    }

    /// A connection that begins.
    fn opened(&self, pair: &Pair, start: EventTime, dice: &mut Stream) -> FlowRecord {
        let port = match (pair.transport, pair.small) {
            (Transport::Icmp | Transport::Other, _) => 0,
            (Transport::Udp, true) => pair.port,
            _ => ephemeral_port(dice),
        };
        FlowRecord {
            start,
            originator: Party {
                address: self.unit.address,
                port,
            },
            responder: Party {
                address: self.partner(pair, dice),
                port: pair.port,
            },
            responder_name: pair.name.as_deref().map(Into::into),
            transport: pair.transport,
            service: pair.service.as_deref().map(Into::into),
            originator_bytes: None,
            responder_bytes: None,
            bytes: self.class.bytes,
            state: ConnState::Answered,
            interim: false,
            uid: Some(flow_id(dice).into()),
            commands: None,
        }
    }

    /// What is told of a connection at a moment: its totals so far, or at its end.
    fn told(flow: FlowRecord, time: EventTime, (up, down): (u64, u64), interim: bool) -> Record {
        let flow = FlowRecord {
            originator_bytes: Some(up),
            responder_bytes: Some(down),
            interim,
            ..flow
        };
        record(time, RecordBody::Flow(flow))
    }

    /// Servers are shared out among the devices; of other devices, each has two partners.
    fn partner(&self, pair: &Pair, dice: &mut Stream) -> IpAddr {
        let slot = if pair.partners { dice.below(2) } else { 0 };
        let key = i64::try_from(2 * pair.destination + slot + 1).unwrap_or_default();
        let mut own = Stream::new(self.place.seed, Purpose::Choice, self.place.device, key);
        let at = own.below(pair.peers.len());
        let found = pair.peers[at];
        if found == self.unit.address {
            pair.peers[(at + 1) % pair.peers.len()]
        } else {
            found
        }
    }
}

/// A record that names nobody.
fn record(event_time: EventTime, body: RecordBody) -> Record {
    Record {
        device: None,
        address: None,
        event_time,
        received_at: None,
        sender: None,
        seq: None,
        body,
    }
}

/// Which kinds of records are made at all: one, or every kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds(pub(crate) Option<Kind>);

impl Kinds {
    /// Whether this kind is made.
    pub(crate) fn hold(self, kind: Kind) -> bool {
        self.0.is_none_or(|only| only == kind)
    }
}

/// A port as clients take them (RFC 6335 §6).
pub(crate) fn ephemeral_port(dice: &mut Stream) -> u16 {
    49_152 + u16::try_from(dice.below(16_384)).unwrap_or_default()
}

/// An id of a flow in the form sensors give it: `C` and eleven letters or digits.
pub(crate) fn flow_id(dice: &mut Stream) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bits = dice.bits();
    let mut id = String::with_capacity(12);
    id.push('C');
    for _ in 0..11 {
        id.push(char::from(
            DIGITS[usize::try_from(bits % 62).unwrap_or_default()],
        ));
        bits /= 62;
    }
    id
}

/// A span of so many seconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "spans of hours at most, saturating"
)]
pub(crate) fn seconds(seconds: f64) -> Span {
    Span::from_micros((seconds * 1e6) as i64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "non-negative byte and connection counts, saturating"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of an hour, far below 2^53"
)]
fn exact(value: u64) -> f64 {
    value as f64
}
