//! Time moves the life of commands in a live run: whoever waits for a turn under the cap has it when
//! the minute is over, although no verdict comes. With a real Mosquitto.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod broker;
mod plant;
mod watched;

use serde_json::{Value, json};

use self::broker::Broker;

/// Most devices of a segment that are cut within a minute, unless the inventory says otherwise.
const CAP: usize = 5;

/// A flow of the controller of this number.
fn flow(number: usize, time: &str, to: &str) -> (String, String) {
    let flow = json!({
        "kind": "flow", "time": time, "orig": format!("10.1.10.{number}:40000"), "resp": to,
        "transport": "udp", "state": "answered", "orig_bytes": 120, "resp_bytes": 40,
    });
    (format!("cnc-controller-01-{number:04}"), flow.to_string())
}

#[test]
fn who_waits_for_a_turn_has_it_when_time_has_passed() {
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut reader = broker.reader();
    let mut run = broker.andon(folder.path(), true);
    broker.wait_for_andon();
    for number in 1..=CAP + 1 {
        let (device, flow) = flow(number, "2025-12-12T09:00:00Z", "203.0.113.7:4444");
        broker.publish(&device, &flow);
        reader.wait_for("/verdict {");
    }
    // As the profile has it, of three devices, so that a second one confirms the time.
    for number in 11..=13 {
        let (device, flow) = flow(number, "2025-12-12T09:02:00Z", "10.1.10.250:44818");
        broker.publish(&device, &flow);
        reader.wait_for("/risk {");
    }
    assert!(run.terminate().success());
    assert_eq!(
        plant::lines(&plant::read(folder.path(), "verdicts.jsonl")).len(),
        CAP + 1
    );
    let audit = plant::lines(&plant::read(folder.path(), "audit.jsonl"));
    let of = |state: &str| -> Vec<&Value> {
        let orders = audit.iter().map(|entry| &entry["order"]);
        orders.filter(|order| order["state"] == state).collect()
    };
    let [waited] = of("waiting")[..] else {
        panic!("one has to wait: {audit:?}");
    };
    let issued = of("issued");
    assert_eq!(issued.len(), CAP + 1);
    let last = issued[CAP];
    assert_eq!(
        last["command"]["command_id"],
        waited["command"]["command_id"]
    );
    assert_eq!(
        last["note"],
        "its turn has come; monitor mode: it is only said"
    );
    assert_eq!(last["updated"], "2025-12-12T09:01:00.000000Z");
}
