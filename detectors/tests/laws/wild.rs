//! Rows that no honest device sends: gaps, zeros, huge values, and every mixture of them.

use std::sync::{Arc, LazyLock};

use andon_schemas::indicator::{self, IndicatorSet};
use andon_schemas::observation::{ConnState, Role, Transport};
use andon_schemas::profile::SourceFile;
use andon_schemas::time::{EventTime, Span};
use proptest::prelude::*;

use crate::plant::{Row, What};

/// Networks that wild rows hit every now and then.
pub(crate) static HOSTILE: LazyLock<Arc<IndicatorSet>> = LazyLock::new(|| {
    let networks: Vec<String> = (60..90).map(|first| format!("{first}.0.0.0/8")).collect();
    let text = networks.join("\n");
    let file = SourceFile {
        path: "hostile.txt",
        text: &text,
    };
    Arc::new(indicator::parse(&[file]).unwrap())
});

/// What a sensor may say that devices told each other to do, or what it never should.
const COMMANDS: &[&str] = &[
    "modbus.read_holding_registers=40",
    "modbus.read_holding_registers=3 modbus.write_single_register=18446744073709551615",
    "s7comm.plc_stop=1 s7comm.request_download=2",
    "resp:modbus.restart_communications=1 vendor.unheard_of=1",
    "",
    "=== resp: .=1 modbus.read_coils=-1",
];

/// Any number that a sensor or an attacker could send, most often a plausible one.
fn value(most: f32) -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => 0.0..most,
        1 => Just(0.0_f32),
        1 => proptest::num::f32::ANY,
    ]
}

fn bytes() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0_u64..5_000, 2 => 0_u64..2_000_000_000, 1 => Just(0), 1 => any::<u64>()]
}

/// A known server, a neighbour, or a stranger.
fn peer() -> impl Strategy<Value = u128> {
    let v4 = |bits: u32| u128::from(bits) | (0xffff << 32);
    prop_oneof![
        (0x0a00_0000_u32..0x0a07_ffff).prop_map(v4),
        (0x0a01_0a00_u32..0x0a01_0a20).prop_map(v4),
        any::<u32>().prop_map(v4),
        any::<u128>(),
    ]
}

fn flow() -> impl Strategy<Value = What> {
    let sides = (
        prop::sample::select(Role::ALL),
        peer(),
        prop_oneof![Just(502_u16), Just(443), Just(22), any::<u16>()],
        prop::sample::select(Transport::ALL),
        prop::option::of(prop::sample::select(&["ssh", "modbus", "ssl,http", ""][..])),
    );
    let measures = (
        0_i64..10_000_000_000,
        bytes(),
        bytes(),
        prop::sample::select(ConnState::ALL),
        any::<bool>(),
        prop::option::of(prop::sample::select(COMMANDS)),
    );
    (sides, measures).prop_map(|((role, peer, port, transport, service), measures)| {
        let (lasted, up, down, state, first, commands) = measures;
        What::Flow {
            lasted: Span::from_micros(lasted),
            role,
            peer,
            port,
            transport,
            service,
            up,
            down,
            state,
            first,
            commands,
        }
    })
}

/// What a row may say.
pub(crate) fn what() -> impl Strategy<Value = What> {
    let reading = (
        prop::option::of(value(15.0)),
        prop::option::of(value(14_000.0)),
    );
    let attestation = (
        prop::sample::select(&["31i-B5-Plus", "PLC-AL-2.1", "", "no such version"][..]),
        prop::option::of("[0-9a-f]{0,64}"),
        any::<Option<bool>>(),
    );
    prop_oneof![
        6 => flow(),
        4 => reading.prop_map(|(current_a, spindle_rpm)| What::Reading { current_a, spindle_rpm }),
        1 => attestation.prop_map(|(version, digest, tpm_ok)| What::Attestation {
            version: version.to_owned(), digest, tpm_ok,
        }),
        1 => Just(What::Claim),
        1 => Just(What::Shed),
    ]
}

/// A sensor that shows the same over and over, so many minutes apart.
fn frozen() -> impl Strategy<Value = Vec<(i64, bool, What)>> {
    (10_usize..40, 1_i64..5, value(15.0), value(14_000.0)).prop_map(
        |(samples, minutes, current_a, spindle_rpm)| {
            let same = || What::Reading {
                current_a: Some(current_a),
                spindle_rpm: Some(spindle_rpm),
            };
            let gap = minutes * 60_000_000;
            (0..samples).map(|_| (gap, false, same())).collect()
        },
    )
}

/// Rows in order of time, some of them late, over a few weeks at most.
pub(crate) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let gap =
        prop_oneof![8 => 0_i64..5_000_000, 3 => 0_i64..600_000_000, 1 => 0_i64..30_000_000_000];
    let one = (gap, prop::bool::weighted(0.05), what());
    let start = EventTime::parse("2025-12-12T18:00:00Z").unwrap();
    let wild = prop::collection::vec(one, 1..250);
    let frozen = prop::option::weighted(0.3, frozen());
    (wild, frozen).prop_map(move |(rows, frozen)| {
        let mut now = start;
        rows.into_iter()
            .chain(frozen.into_iter().flatten())
            .map(|(gap, late, what)| {
                now = now + Span::from_micros(gap);
                Row {
                    at: now,
                    late,
                    what,
                }
            })
            .collect()
    })
}

/// Any event time at all.
pub(crate) fn any_time() -> impl Strategy<Value = EventTime> {
    prop_oneof![
        4 => 0_i64..4_000_000_000_000_000,
        1 => any::<i64>(),
        1 => prop::sample::select(&[i64::MIN, -1, 0, i64::MAX][..]),
    ]
    .prop_map(EventTime::from_micros)
}
