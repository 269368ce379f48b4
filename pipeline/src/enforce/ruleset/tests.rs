//! Rulesets as text, and packets that pass through what the text says.

use std::fs;

use andon_schemas::command::{Action, DeviceCommand};
use proptest::prelude::*;

use super::super::orders::Orders;
use super::super::sample::{at, command, flow, id, restricting, shields};
use super::packet::{Chains, Fate, Packet};
use super::*;

fn orders(commands: &[(&str, DeviceCommand)]) -> Orders {
    let mut orders = Orders::new(shields());
    for (device, command) in commands {
        orders.take(&id(device), command, at(0)).unwrap();
    }
    orders
}

fn rules(commands: &[(&str, DeviceCommand)]) -> Ruleset {
    render(&orders(commands).wanted(), at(0))
}

/// `UPDATE_EXPECT=1` writes the file instead of comparing it.
#[test]
fn the_ruleset_of_every_kind_of_order_is_as_it_was() {
    let scope = [
        flow("203.0.113.0/24", Some(Transport::Tcp), Some(443)),
        flow("historian.cell.local", Some(Transport::Icmp), Some(0)),
        flow("203.0.113.9", None, Some(53)),
        flow("203.0.113.10", Some(Transport::Other), None),
        flow("203.0.113.11", Some(Transport::Udp), None),
    ];
    let ruleset = rules(&[
        ("press-1", command("press-1", Action::Quarantine, at(3_600))),
        ("press-2", command("press-2", Action::Isolate, at(7_200))),
        ("lamp-1", restricting("lamp-1", &scope, at(60))),
    ]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/enforced/ruleset.nft");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, &ruleset.script).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap();
    assert_eq!(ruleset.script, expected);
}

#[test]
fn without_orders_the_table_goes() {
    let ruleset = rules(&[]);
    assert_eq!(ruleset.mark, None);
    assert_eq!(
        ruleset.script,
        "add table inet andon\ndelete table inet andon\n"
    );
}

#[test]
fn the_mark_depends_on_what_stands_and_not_on_the_time() {
    let one = orders(&[("press-1", command("press-1", Action::Isolate, at(100)))]);
    let (now, later) = (render(&one.wanted(), at(0)), render(&one.wanted(), at(50)));
    assert_eq!(now.mark, later.mark);
    assert!(now.script.contains("10.77.1.10 timeout 100s"));
    assert!(later.script.contains("10.77.1.10 timeout 50s"));
    let other = rules(&[("press-1", command("press-1", Action::Isolate, at(101)))]);
    assert_ne!(other.mark, now.mark);
}

#[test]
fn what_is_left_is_at_least_a_second_and_at_most_what_may_be_ordered() {
    assert_eq!(seconds(at(0), at(0)), 1);
    assert_eq!(seconds(at(0) + Span::from_micros(1), at(0)), 1);
    assert_eq!(seconds(at(1) + Span::from_micros(1), at(0)), 2);
    assert_eq!(seconds(EventTime::MAX, EventTime::MIN), 8 * 86_400);
}

#[test]
fn an_identity_cannot_end_a_comment() {
    let device = id("a\"b\\c{;}é");
    assert_eq!(plain(&device), "a?b?c????");
}

/// The safety flows of the cell, as its files say and not as the code finds them.
fn safety_packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for (near, far) in [
        ("10.77.1.10", "10.77.2.10"),
        ("10.77.1.11", "10.77.2.10"),
        ("fd77:1::10", "fd77:2::10"),
        // The gateway carries what is behind it.
        ("10.77.1.1", "10.77.2.10"),
    ] {
        for (transport, port) in [("udp", 4400), ("tcp", 4401)] {
            let opens = Packet::new(near, far, transport, 50_000, port);
            packets.push(opens.reply());
            packets.push(opens);
        }
    }
    for transport in ["udp", "tcp"] {
        let leg = Packet::new("10.77.1.11", "10.77.1.1", transport, 50_000, 8_883);
        packets.push(leg.reply());
        packets.push(leg);
    }
    packets
}

fn fate(ruleset: &Ruleset, hook: &str, packet: &Packet) -> Fate {
    Chains::read(&ruleset.script).fate(hook, packet)
}

#[test]
fn a_quarantined_device_speaks_with_its_safety_controller_and_with_nobody_else() {
    let ruleset = rules(&[("press-1", command("press-1", Action::Quarantine, at(60)))]);
    for packet in safety_packets() {
        assert_eq!(
            fate(&ruleset, "forward", &packet),
            Fate::Passes,
            "{packet:?}"
        );
    }
    for (to, transport, port) in [
        ("10.77.2.10", "tcp", 22),
        ("10.77.2.10", "udp", 4_401),
        ("10.77.2.10", "tcp", 4_400),
        ("10.77.3.10", "tcp", 4_401),
        ("203.0.113.7", "udp", 53),
        ("10.77.2.10", "icmp", 0),
    ] {
        let packet = Packet::new("10.77.1.10", to, transport, 50_000, port);
        for packet in [packet.reply(), packet] {
            assert_eq!(
                fate(&ruleset, "forward", &packet),
                Fate::Dropped,
                "{packet:?}"
            );
        }
    }
    // By posing as one who answers it opens nothing.
    let mut posing = Packet::new("10.77.1.10", "10.77.2.10", "tcp", 4_401, 22);
    posing.opens = true;
    assert_eq!(fate(&ruleset, "forward", &posing), Fate::Dropped);
    // It cannot turn to the machine that enforces this.
    let inwards = Packet::new("10.77.1.10", "10.77.1.254", "tcp", 50_000, 22);
    assert_eq!(fate(&ruleset, "input", &inwards), Fate::Dropped);
    let others = Packet::new("10.77.1.12", "10.77.3.10", "tcp", 50_000, 80);
    assert_eq!(fate(&ruleset, "forward", &others), Fate::Passes);
}

#[test]
fn an_isolated_device_keeps_the_historian_and_a_restricted_one_all_but_its_scope() {
    let scope = [flow("10.77.3.10", Some(Transport::Tcp), Some(80))];
    let ruleset = rules(&[
        ("press-1", command("press-1", Action::Isolate, at(60))),
        ("lamp-1", restricting("lamp-1", &scope, at(60))),
    ]);
    let passes = |from: &str, to: &str, port: u16| {
        let packet = Packet::new(from, to, "tcp", 50_000, port);
        let [there, back] = [packet.reply(), packet].map(|p| fate(&ruleset, "forward", &p));
        assert_eq!(there, back, "{from} {to} {port}");
        there == Fate::Passes
    };
    assert!(passes("10.77.1.10", "10.77.3.10", 102));
    assert!(passes("10.77.1.10", "10.77.2.10", 4_401));
    assert!(!passes("10.77.1.10", "203.0.113.7", 102));
    assert!(passes("10.77.1.12", "10.77.3.10", 443));
    assert!(!passes("10.77.1.12", "10.77.3.10", 80));
}

#[test]
fn what_is_essential_to_one_end_does_not_open_the_other() {
    let both = rules(&[
        ("press-1", command("press-1", Action::Isolate, at(60))),
        ("historian", command("historian", Action::Isolate, at(60))),
    ]);
    let packet = Packet::new("10.77.1.10", "10.77.3.10", "tcp", 50_000, 102);
    assert_eq!(fate(&both, "forward", &packet), Fate::Dropped);
}

/// Any command about anybody, at any time; many of them are refused.
fn any_command() -> impl Strategy<Value = (&'static str, DeviceCommand, i64)> {
    let device = prop::sample::select(vec![
        "press-1",
        "press-2",
        "lamp-1",
        "arm-1",
        "saw-1",
        "safety-plc",
        "historian",
        "gw-cell",
        "ip:10.77.1.99",
    ]);
    let action = prop::sample::select(vec![Action::Restrict, Action::Isolate, Action::Quarantine]);
    let peer = prop::sample::select(vec![
        "10.77.2.10",
        "0.0.0.0/0",
        "::/0",
        "role safety",
        "safety-plc.cell.local",
        "10.77.1.0/24",
        "203.0.113.7",
        "type press",
    ]);
    let transport = prop::option::of(prop::sample::select(vec![
        Transport::Tcp,
        Transport::Udp,
        Transport::Icmp,
        Transport::Other,
    ]));
    let port = prop::option::of(prop::sample::select(vec![4_400, 4_401, 80]));
    let flow = (peer, transport, port).prop_map(|(peer, over, port)| flow(peer, over, port));
    let scope = prop::collection::vec(flow, 0..4);
    (device, action, scope, 0_i64..200, 0_i64..100).prop_map(
        |(device, action, scope, expiry, now)| {
            let mut command = command(device, action, at(expiry));
            command.scope = scope;
            (device, command, now)
        },
    )
}

proptest! {
    #[test]
    fn no_sequence_of_commands_cuts_a_safety_flow(
        commands in prop::collection::vec(any_command(), 1..12)
    ) {
        let mut orders = Orders::new(shields());
        for (device, command, now) in commands {
            let taken = orders.take(&id(device), &command, at(now));
            if let (Ok((_, before)), 90..) = (taken, now) {
                orders.put_back(before);
            }
            orders.lapse(at(now));
            let ruleset = render(&orders.wanted(), at(now));
            let chains = Chains::read(&ruleset.script);
            for packet in safety_packets() {
                for hook in ["forward", "input"] {
                    let fate = chains.fate(hook, &packet);
                    prop_assert_eq!(fate, Fate::Passes, "{:?} of\n{}", packet, ruleset.script);
                }
            }
            if let Some(first) = chains.first_drop_before("safety") {
                prop_assert!(false, "`{}` comes before safety flows", first);
            }
        }
    }
}
