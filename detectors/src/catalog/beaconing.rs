//! # Does something on it call a stranger at regular intervals?
//!
//! ## What it sees
//! New connections to one address and port outside the profile that come in a rhythm, whatever
//! the period and in spite of jitter and missed beats: a program that asks its master for orders.
//! Of a device whose profile names no destinations, only connections to public addresses count.
//!
//! Name and time service are left out by their role, not by a list of addresses: pools rotate.
//! What a sensor names as another application on their ports is looked at all the same.
//!
//! ## When it cries wolf
//! A licence check, a cloud agent, a web page that reloads itself, whatever waits a fixed time
//! before it tries again: name it in the profile. Two programs that call the same port in their own
//! rhythms hide each other.
//!
//! ## Method
//! The scale-free test of `gamma_beacon` on the intervals between the starts of connections, per
//! address and port, against honest traffic whose intervals are Gamma of shape 2 or burstier
//! (stats.md §5.10). Up to 16 keys are kept; the one with the least evidence goes first, the
//! oldest among equals. A key is staked on when it is called for the second time: the n-th of a
//! day with 1/(n(n+1)) of the stake, so that no number of keys spends more than all of it, and the
//! first ones have the most. Evidence of all keys is summed; a key whose evidence has fallen to
//! e⁻³ begins anew, and one with evidence that is silent for eight periods, and an hour, is
//! forgotten.

mod table;

use std::net::IpAddr;

use andon_schemas::finding::{Basis, Confidence, Evidence};
use andon_schemas::grade::Plane;
use andon_schemas::identity::{address_of_key, is_group, is_public};
use andon_schemas::observation::Transport;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::table::{Table, called, others_than, seconds, silence_of};
use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::distinct::{mix, mix_address};
use crate::facts::{CloseFacts, FlowFacts};
use crate::standing::{self, Standing};
use crate::stats::gamma_beacon::Beacon;
use crate::words::{span_text, three_digits};

/// Connections opened together are one call. At the rates at which this pause alone could make
/// honest traffic look regular, 20 a second, nothing waits for orders.
const TOGETHER: Span = Span::from_micros(20_000);

pub(crate) struct Beaconing;

/// What it compiled from a profile.
pub(crate) struct Plan {
    stake: f32,
    /// The profile names destinations: all others are strangers, inside the plant too.
    knows_destinations: bool,
    knows_protocols: bool,
}

/// Strangers that the device called: none until it calls one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State(Option<Box<Table>>);

/// A call that came when evidence stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    peer: IpAddr,
    peer_name: Option<String>,
    port: u16,
    transport: Transport,
    /// Seconds since the call before it.
    after_s: f64,
    /// Of this key before it.
    before: Beacon,
    stake: f32,
    /// Evidence of the other keys.
    others: f32,
}

impl Inputs {
    /// The key after this call, and the evidence of all keys.
    fn after(&self) -> (Beacon, f32) {
        let (beacon, evidence) = called(&self.before, self.stake, self.after_s);
        (beacon, evidence + self.others)
    }
}

impl Plan {
    /// Whether the flow is one that the profile or the role of its peer explains.
    fn explains(&self, facts: &FlowFacts) -> bool {
        let known_protocol = facts.protocol.is_some() || !self.knows_protocols;
        if facts.destination.is_some() && known_protocol {
            return true;
        }
        let peer = address_of_key(facts.flow.peer);
        is_group(peer) || serves_all(facts) || !self.knows_destinations && !is_public(peer)
    }
}

impl Detector for Beaconing {
    const NAME: &'static str = "beaconing";
    const QUESTION: &'static str = "Does something on it call a stranger at regular intervals?";
    const CRIES_WOLF: &'static str = "A cloud agent or a licence check that is not in the profile.";
    const READS: &'static str = "destinations, protocols";
    const GRADE: &'static str = "by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Connection;
    const WEIGHT: f32 = 1.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        Some(Plan {
            stake,
            knows_destinations: !baseline.profile.destinations.is_empty(),
            knows_protocols: !baseline.profile.protocols.is_empty(),
        })
    }

    fn on_flow(plan: &Plan, state: &mut State, facts: &FlowFacts) -> Signal<Inputs> {
        if !facts.originated() || !facts.first || facts.late || plan.explains(facts) {
            return Signal::Quiet;
        }
        let table = state.0.get_or_insert_default();
        let (fingerprint, at) = (fingerprint(facts), facts.flow.start);
        let known = table.keys.iter().position(|k| k.fingerprint == fingerprint);
        let Some(index) = known else {
            let stood = table.evidence();
            table.open(fingerprint, at);
            return settle(table, stood);
        };
        let after = at.since(table.keys[index].last);
        if after < TOGETHER {
            // Opened together with the one before, or it overtook it.
            return Signal::Quiet;
        }
        if table.keys[index].beacon.intervals() == 0 {
            table.keys[index].stake = table.draw(plan.stake, day_of(facts.at));
        }
        call(table, index, after, facts)
    }

    fn on_close(_: &Plan, state: &mut State, facts: &CloseFacts) -> Signal<Inputs> {
        let Some(table) = &mut state.0 else {
            return Signal::Quiet;
        };
        let stood = table.evidence();
        table.forget(facts.window.end);
        let signal = settle(table, stood);
        if table.keys.is_empty() && table.day < day_of(facts.window.start) {
            state.0 = None;
        }
        signal
    }

    fn assess(_: &Plan, inputs: &Inputs) -> Evidence {
        let (after, evidence) = inputs.after();
        // A block of intervals that has just begun says less than the one before it.
        let shown = if after.is_measured() {
            after
        } else {
            inputs.before
        };
        let Inputs {
            peer,
            port,
            transport,
            ..
        } = inputs;
        let period_s = shown.period().map_or(inputs.after_s, f64::from);
        let jitter = shown.jitter();
        let calls = u32::from(after.intervals()) + 1;
        let named = match &inputs.peer_name {
            Some(name) => format!("{peer} ({name})"),
            None => peer.to_string(),
        };
        Evidence {
            floor: None,
            score: standing::score(evidence),
            p_value: None,
            magnitude: f64::from(calls),
            observed: json!({
                "peer": peer, "peer_name": inputs.peer_name, "port": port,
                "transport": transport, "period_s": period_s, "jitter": jitter,
                "connections": calls, "device_days_per_false_alarm": evidence,
            }),
            expected: json!({ "destinations": "those of its profile", "jitter_min": 0.7 }),
            sentence: format!(
                "It calls {named}, {transport} port {port}, every {} give or take {} %: \
                 {calls} connections so far, too evenly spaced for chance.",
                span_text(seconds(period_s)),
                three_digits(100.0 * jitter),
            ),
            clears: format!(
                "No connection to {peer} for {}, or {peer} named in the profile.",
                span_text(silence_of(period_s))
            ),
            techniques: vec!["T0869".to_owned(), "T0885".to_owned()],
            confidence: Confidence {
                basis: Basis::Model,
                n: 0,
            },
        }
    }
}

/// Takes a call in. It is told with each call of the key on which most evidence lies.
fn call(table: &mut Table, index: usize, after: Span, facts: &FlowFacts) -> Signal<Inputs> {
    let key = &mut table.keys[index];
    let flow = &facts.flow;
    let (before, after_s) = (key.beacon, after.as_secs_f64());
    key.last = flow.start;
    (key.beacon, key.evidence) = called(&before, key.stake, after_s);
    if key.beacon.is_stale() {
        (key.beacon, key.evidence) = (Beacon::default(), 0.0);
    }
    let (mine, stake) = (key.evidence, key.stake);
    let others: f32 = others_than(index, &table.keys);
    let leads = table.keys.iter().all(|key| key.evidence <= mine);
    let evidence = mine + others;
    match Standing::of(&mut table.arming, evidence) {
        Standing::Stands if !leads => Signal::Quiet,
        standing => {
            let calls = f64::from(u32::from(table.keys[index].beacon.intervals()) + 1);
            standing.signal(evidence, calls, || Inputs {
                peer: address_of_key(flow.peer),
                peer_name: flow.peer_name.map(str::to_owned),
                port: flow.port,
                transport: flow.transport,
                after_s,
                before,
                stake,
                others,
            })
        }
    }
}

/// What it comes to that keys were forgotten.
fn settle(table: &mut Table, stood: f32) -> Signal<Inputs> {
    let evidence = table.evidence();
    if evidence >= stood {
        return Signal::Quiet;
    }
    match Standing::of(&mut table.arming, evidence) {
        Standing::Fallen => Signal::Over,
        Standing::Quiet | Standing::Stands => Signal::Quiet,
    }
}

/// Services that everybody asks at regular intervals: names, time, addresses. A sensor that names
/// the application knows it better than the port does.
fn serves_all(facts: &FlowFacts) -> bool {
    let flow = &facts.flow;
    match flow.service {
        Some(names) if !names.is_empty() => names
            .split(',')
            .any(|name| matches!(name, "dns" | "ntp" | "dhcp")),
        _ => match flow.transport {
            Transport::Udp => matches!(flow.port, 53 | 67 | 68 | 123 | 547),
            Transport::Tcp => flow.port == 53,
            _ => false,
        },
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a good hash")]
fn fingerprint(facts: &FlowFacts) -> u32 {
    let flow = &facts.flow;
    let end = u64::from(flow.port) | (flow.transport as u64) << 16;
    mix(mix_address(flow.peer) ^ end) as u32
}

fn day_of(at: EventTime) -> i32 {
    i32::try_from(at.micros().div_euclid(Span::DAY.micros())).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
