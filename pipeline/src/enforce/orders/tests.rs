//! What stands after which commands.

use andon_schemas::observation::Transport;

use super::super::sample::{at, command, flow, id, restricting, shields};
use super::*;

const PRESS: &str = "press-1";

fn orders() -> Orders {
    Orders::new(shields())
}

fn take(orders: &mut Orders, command: &DeviceCommand, seconds: i64) -> Result<Change, String> {
    let taken = orders.take(&id(PRESS), command, at(seconds));
    taken.map(|(change, _)| change)
}

/// Until when the press is quarantined, isolated and restricted, in seconds.
fn terms(orders: &Orders) -> [Option<i64>; 3] {
    let wanted = orders.wanted();
    let Some(cut) = wanted.first() else {
        return [None; 3];
    };
    [cut.quarantined, cut.isolated, cut.restricted]
        .map(|until| until.map(|until| until.since(at(0)).micros() / 1_000_000))
}

#[test]
fn the_newest_command_with_a_key_counts() {
    let mut orders = orders();
    let first = command(PRESS, Action::Quarantine, at(100));
    assert_eq!(take(&mut orders, &first, 0), Ok(Change::Stands));
    assert_eq!(take(&mut orders, &first, 0), Ok(Change::Repeated));
    let renewed = command(PRESS, Action::Quarantine, at(300));
    assert_eq!(take(&mut orders, &renewed, 50), Ok(Change::Stands));
    assert_eq!(terms(&orders), [Some(300), None, None]);
    // Newest by its coming, and not by its expiry.
    assert_eq!(take(&mut orders, &first, 51), Ok(Change::Stands));
    assert_eq!(terms(&orders), [Some(100), None, None]);
    let release = command(PRESS, Action::Quarantine, at(60));
    assert_eq!(take(&mut orders, &release, 60), Ok(Change::Lifted));
    assert_eq!(take(&mut orders, &release, 60), Ok(Change::Nothing));
    assert!(orders.is_empty());
}

#[test]
fn orders_of_several_kinds_hold_side_by_side() {
    let mut orders = orders();
    let scope = [flow("203.0.113.7", Some(Transport::Tcp), Some(443))];
    take(&mut orders, &restricting(PRESS, &scope, at(400)), 0).unwrap();
    take(&mut orders, &command(PRESS, Action::Isolate, at(300)), 0).unwrap();
    take(&mut orders, &command(PRESS, Action::Quarantine, at(200)), 0).unwrap();
    assert_eq!(terms(&orders), [Some(200), Some(300), Some(400)]);
    assert_eq!((orders.len(), orders.next_expiry()), (3, Some(at(200))));
    assert_eq!(orders.lapse(at(300)), 2);
    assert_eq!(terms(&orders), [None, None, Some(400)]);
    assert_eq!(orders.lapse(at(400)), 1);
    assert!(orders.is_empty());
}

#[test]
fn a_restriction_of_a_whole_device_isolates_it() {
    let mut orders = orders();
    take(&mut orders, &command(PRESS, Action::Isolate, at(100)), 0).unwrap();
    take(&mut orders, &restricting(PRESS, &[], at(200)), 0).unwrap();
    assert_eq!(terms(&orders), [None, Some(200), None]);
}

#[test]
fn what_cannot_be_carried_out_changes_nothing() {
    let mut orders = orders();
    take(&mut orders, &command(PRESS, Action::Isolate, at(100)), 0).unwrap();
    let before = orders.wanted().len();
    let many = vec![flow("203.0.113.7", None, None); SCOPE_MAX + 1];
    let itself = [
        flow("10.77.1.10", None, None),
        flow("fd77:1::10", None, None),
    ];
    let v6_alone = [flow("2001:db8::7", None, None)];
    let mut foreign_key = command(PRESS, Action::Quarantine, at(100));
    foreign_key.key = key_of(&id("press-2"), Action::Quarantine);
    for (bad, why) in [
        (command(PRESS, Action::Watch, at(100)), "asks nothing"),
        (foreign_key, "its key is not"),
        (restricting(PRESS, &many, at(100)), "257 flows"),
        (
            restricting(PRESS, &itself[..1], at(100)),
            "no flow of its scope",
        ),
        (
            restricting(PRESS, &[flow("c2.example.net", None, None)], at(100)),
            "c2.example.net",
        ),
    ] {
        let refused = take(&mut orders, &bad, 0).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    let lamp = restricting("lamp-1", &v6_alone, at(100));
    let refused = orders.take(&id("lamp-1"), &lamp, at(0)).unwrap_err();
    assert!(refused.contains("no flow of its scope"), "{refused}");
    assert_eq!((orders.wanted().len(), orders.len()), (before, 1));
}

#[test]
fn a_command_is_taken_back_whole() {
    let mut orders = orders();
    let (_, before) = orders
        .take(&id(PRESS), &command(PRESS, Action::Isolate, at(100)), at(0))
        .unwrap();
    let (_, between) = orders
        .take(&id(PRESS), &command(PRESS, Action::Isolate, at(0)), at(1))
        .unwrap();
    assert!(orders.is_empty());
    orders.put_back(between);
    assert_eq!(terms(&orders), [None, Some(100), None]);
    orders.put_back(before);
    assert!(orders.is_empty());
}
