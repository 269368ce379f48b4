//! What is spared, and where nothing can be.

use super::super::sample::{builtin_shields, flow, id, shields};
use super::*;

fn written(flows: &[Flow]) -> Vec<String> {
    let word = |flow: &Flow| {
        let over = flow.transport.map_or("any", |transport| transport.as_str());
        let port = flow.port.map_or("any".to_owned(), |port| port.to_string());
        format!("{} {} {over} {port}", flow.near, flow.far)
    };
    flows.iter().map(word).collect()
}

#[test]
fn a_device_keeps_its_safety_flows_in_both_families() {
    let shield = shields().shield(&id("press-1")).unwrap();
    let safety = [
        "10.77.1.10 10.77.2.10/32 tcp 4401",
        "10.77.1.10 10.77.2.10/32 udp 4400",
        "fd77:1::10 fd77:2::10/128 tcp 4401",
        "fd77:1::10 fd77:2::10/128 udp 4400",
    ];
    assert_eq!(written(&shield.safety), safety);
    let essential = [
        "10.77.1.10 10.77.3.10/32 any any",
        "fd77:1::10 fd77:3::10/128 any any",
    ];
    assert_eq!(written(&shield.essential), essential);
}

#[test]
fn the_other_end_of_a_safety_flow_keeps_it_too() {
    let shield = shields().shield(&id("safety-plc")).unwrap();
    let safety = written(&shield.safety);
    for flow in [
        "10.77.2.10 10.77.1.10/32 udp 4400",
        "10.77.2.10 10.77.1.11/32 tcp 4401",
        "fd77:2::10 fd77:1::10/128 udp 4400",
    ] {
        assert!(safety.iter().any(|own| own == flow), "{flow}: {safety:?}");
    }
    let controller = builtin_shields().shield(&id("safety-plc")).unwrap();
    // 50 controllers and 70 interlocks speak with it; robots and AGVs have one of their own, but
    // any safety controller may speak to them.
    assert!(
        controller.safety.len() >= 120,
        "{}",
        controller.safety.len()
    );
}

#[test]
fn who_speaks_through_a_gateway_keeps_the_way_there() {
    let shields = shields();
    let served = shields.shield(&id("press-2")).unwrap();
    assert!(written(&served.safety).contains(&"10.77.1.11 10.77.1.1/32 any any".to_owned()));
    assert_eq!(served.gateway, Some(id("gw-cell")));
    let gateway = shields.shield(&id("gw-cell")).unwrap();
    let safety = written(&gateway.safety);
    for flow in [
        "10.77.1.1 10.77.1.11/32 any any",
        "10.77.1.1 10.77.2.10/32 udp 4400",
    ] {
        assert!(safety.iter().any(|own| own == flow), "{flow}: {safety:?}");
    }
}

#[test]
fn a_device_without_safety_flows_that_is_not_critical_keeps_none() {
    let shield = shields().shield(&id("lamp-1")).unwrap();
    assert_eq!((shield.safety, shield.essential), (vec![], vec![]));
}

#[test]
fn a_stranger_is_known_by_its_address_alone() {
    let shields = shields();
    let shield = shields.shield(&id("ip:10.77.1.99")).unwrap();
    assert_eq!(shield.addresses, ["10.77.1.99".parse::<IpAddr>().unwrap()]);
    let refused = shields.shield(&id("ip:10.77.1.10")).unwrap_err();
    assert!(refused.contains("`press-1`"), "{refused}");
}

#[test]
fn what_cannot_be_worked_out_is_refused() {
    let shields = shields();
    for (device, why) in [
        ("nobody", "does not list it"),
        ("arm-1", "nothing says which flows keep it safe"),
        ("saw-1", "`guard.example.net`"),
        ("ip:nowhere", "does not list it"),
    ] {
        let refused = shields.shield(&id(device)).unwrap_err();
        assert!(refused.contains(why), "{device}: {refused}");
    }
}

#[test]
fn where_commands_come_from_is_never_cut() {
    let broker = vec!["10.77.3.10".parse().unwrap()];
    let shields = shields().with_lifeline(broker);
    let refused = shields.shield(&id("historian")).unwrap_err();
    assert!(refused.contains("commands come from there"), "{refused}");
    assert!(shields.shield(&id("press-1")).is_ok());
}

#[test]
fn a_scope_is_found_by_name_and_by_address() {
    let shields = shields();
    let shield = shields.shield(&id("press-1")).unwrap();
    let scope = [
        flow("203.0.113.0/24", Some(Transport::Tcp), Some(443)),
        flow("historian.cell.local", None, None),
    ];
    let named = written(&shields.named(&shield, &scope).unwrap());
    let expected = [
        "10.77.1.10 10.77.3.10/32 any any",
        "10.77.1.10 203.0.113.0/24 tcp 443",
        "fd77:1::10 fd77:3::10/128 any any",
    ];
    assert_eq!(named, expected);
    let nowhere = [flow("c2.example.net", None, None)];
    let refused = shields.named(&shield, &nowhere).unwrap_err();
    assert!(refused.contains("c2.example.net"), "{refused}");
}
