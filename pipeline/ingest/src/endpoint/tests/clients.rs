//! The clients that people use, against the endpoint: `rumqttc` in this process, and
//! `mosquitto_pub` and `mosquitto_sub` where they are installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, v5};

use super::*;

const FLOW: &str = "andon/v1/in/s/cnc-1/flow";
const RISK: &str = "andon/v1/out/s/cnc-1/risk";

/// Settles everything at once and passes it on.
fn settling(bench: Bench) -> (Endpoint, mpsc::UnboundedReceiver<Delivery>) {
    let Bench {
        endpoint,
        mut deliveries,
        ..
    } = bench;
    let settle = endpoint.settle_handle();
    let (passed, taken) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.recv().await {
            settle.settle(delivery.receipt.as_slice());
            if passed.send(delivery).is_err() {
                break;
            }
        }
    });
    (endpoint, taken)
}

async fn payload(taken: &mut mpsc::UnboundedReceiver<Delivery>) -> String {
    let delivery = timeout(PATIENCE, taken.recv())
        .await
        .expect("no delivery")
        .unwrap();
    assert_eq!(delivery.topic, FLOW);
    String::from_utf8(delivery.payload).unwrap()
}

#[tokio::test]
async fn rumqttc_v3_publishes_with_every_quality_and_reads() {
    let (endpoint, mut taken) =
        settling(Bench::with(&[("soc", Role::Reader)], Limits::default()).await);
    endpoint.publisher().publish(RISK, b"12", true);
    let port = endpoint.local_addr().port();
    let mut options = MqttOptions::new("cnc-1", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 10);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        client
            .publish(FLOW, qos, false, format!("{qos:?}"))
            .await
            .unwrap();
    }
    let mut completed = Vec::new();
    while completed.len() < 2 {
        match timeout(PATIENCE, events.poll())
            .await
            .expect("no answer")
            .unwrap()
        {
            Event::Incoming(Packet::PubAck(_)) => completed.push("ack"),
            Event::Incoming(Packet::PubComp(_)) => completed.push("comp"),
            _ => {}
        }
    }
    assert_eq!(completed, ["ack", "comp"]);
    for expected in ["AtMostOnce", "AtLeastOnce", "ExactlyOnce"] {
        assert_eq!(payload(&mut taken).await, expected);
    }

    let mut options = MqttOptions::new("reader", "127.0.0.1", port);
    options.set_credentials("soc", "soc");
    let (client, mut events) = AsyncClient::new(options, 10);
    client
        .subscribe("andon/v1/out/#", QoS::AtLeastOnce)
        .await
        .unwrap();
    let message = loop {
        let event = timeout(PATIENCE, events.poll())
            .await
            .expect("no message")
            .unwrap();
        if let Event::Incoming(Packet::Publish(message)) = event {
            break message;
        }
    };
    assert_eq!(
        (&*message.topic, &*message.payload, message.retain),
        (RISK, &b"12"[..], true)
    );
}

#[tokio::test]
async fn rumqttc_v5_publishes_with_every_quality_and_reads() {
    let (endpoint, mut taken) =
        settling(Bench::with(&[("soc", Role::Reader)], Limits::default()).await);
    endpoint.publisher().publish(RISK, b"12", true);
    let port = endpoint.local_addr().port();
    let options = v5::MqttOptions::new("cnc-1", "127.0.0.1", port);
    let (client, mut events) = v5::AsyncClient::new(options, 10);
    for qos in [
        v5::mqttbytes::QoS::AtMostOnce,
        v5::mqttbytes::QoS::AtLeastOnce,
        v5::mqttbytes::QoS::ExactlyOnce,
    ] {
        client
            .publish(FLOW, qos, false, format!("{qos:?}"))
            .await
            .unwrap();
    }
    let mut completed = 0;
    while completed < 2 {
        let event = timeout(PATIENCE, events.poll())
            .await
            .expect("no answer")
            .unwrap();
        let v5::Event::Incoming(packet) = event else {
            continue;
        };
        match packet {
            v5::mqttbytes::v5::Packet::PubAck(_) | v5::mqttbytes::v5::Packet::PubComp(_) => {
                completed += 1;
            }
            _ => {}
        }
    }
    for expected in ["AtMostOnce", "AtLeastOnce", "ExactlyOnce"] {
        assert_eq!(payload(&mut taken).await, expected);
    }

    let mut options = v5::MqttOptions::new("reader", "127.0.0.1", port);
    options.set_credentials("soc", "soc");
    let (client, mut events) = v5::AsyncClient::new(options, 10);
    client
        .subscribe("andon/v1/out/#", v5::mqttbytes::QoS::ExactlyOnce)
        .await
        .unwrap();
    loop {
        let event = timeout(PATIENCE, events.poll())
            .await
            .expect("no message")
            .unwrap();
        if let v5::Event::Incoming(v5::mqttbytes::v5::Packet::Publish(message)) = event {
            assert_eq!(
                (&*message.topic, &*message.payload),
                (RISK.as_bytes(), &b"12"[..])
            );
            break;
        }
    }
}

/// Whether the mosquitto clients are there; says so if not.
fn mosquitto() -> bool {
    let found = ["mosquitto_pub", "mosquitto_sub"].iter().all(|program| {
        Command::new(program)
            .arg("--help")
            .stdout(Stdio::null())
            .status()
            .is_ok()
    });
    if !found {
        println!("skipped: mosquitto_pub and mosquitto_sub are not installed");
    }
    found
}

fn command(program: &str, endpoint: &Endpoint, version: &str) -> Command {
    let port = endpoint.local_addr().port().to_string();
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &port, "-V", version]);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_pub_publishes_with_every_version_and_quality() {
    if !mosquitto() {
        return;
    }
    let (endpoint, mut taken) = settling(Bench::open().await);
    for version in ["mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            let mut publish = command("mosquitto_pub", &endpoint, version);
            publish
                .args(["-t", FLOW, "-q", qos, "-l", "-i", "Tool"])
                .stdin(Stdio::piped());
            let mut child = publish.spawn().unwrap();
            let lines: Vec<String> = (0..300)
                .map(|line| format!("{version} {qos} {line}"))
                .collect();
            child
                .stdin
                .take()
                .unwrap()
                .write_all((lines.join("\n") + "\n").as_bytes())
                .unwrap();
            for line in &lines {
                assert_eq!(payload(&mut taken).await, *line);
            }
            assert!(child.wait().unwrap().success(), "{version} {qos}");
        }
    }
    let counts = endpoint.counts();
    assert_eq!((counts.published_in, counts.acknowledged), (1_800, 1_200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_pub_outside_its_identity_is_refused_and_recorded() {
    if !mosquitto() {
        return;
    }
    let mut bench = Bench::with(&[("cnc-1", Role::Device)], Limits::default()).await;
    for version in ["mqttv311", "mqttv5"] {
        let mut publish = command("mosquitto_pub", &bench.endpoint, version);
        publish.args(["-u", "cnc-1", "-P", "cnc-1", "-q", "1", "-m", "x"]);
        publish
            .args(["-t", "andon/v1/in/s/plc-1/flow"])
            .stderr(Stdio::null());
        let mut child = publish.spawn().unwrap();
        let refusal = bench.refusal().await;
        assert_eq!(
            (&*refusal.sender.name, refusal.reason),
            ("cnc-1", Reason::ForeignDevice)
        );
        // On v3.1.1 it would reconnect and try again for ever.
        child.kill().unwrap();
        child.wait().unwrap();
        let mut wrong = command("mosquitto_pub", &bench.endpoint, version);
        wrong
            .args(["-u", "cnc-1", "-P", "no", "-t", FLOW, "-m", "x"])
            .stderr(Stdio::null());
        assert!(!wrong.status().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_sub_reads_retained_and_live_messages() {
    if !mosquitto() {
        return;
    }
    let bench = Bench::with(&[("soc", Role::Reader)], Limits::default()).await;
    let publisher = bench.endpoint.publisher();
    publisher.publish(RISK, b"retained", true);
    for version in ["mqttv311", "mqttv5"] {
        let mut subscribe = command("mosquitto_sub", &bench.endpoint, version);
        subscribe.args([
            "-u", "soc", "-P", "soc", "-q", "1", "-C", "2", "-v", "-W", "20",
        ]);
        subscribe.args([
            "-t",
            "andon/v1/out/+/+/risk",
            "-t",
            "andon/v1/out/s/cnc-1/verdict",
        ]);
        let child = subscribe.stdout(Stdio::piped()).spawn().unwrap();
        let before = bench.endpoint.counts().published_out;
        bench.until(|counts| counts.published_out > before).await;
        let live = "andon/v1/out/s/cnc-1/verdict";
        while publisher.publish(live, b"live", false) == 0 {
            tokio::task::yield_now().await;
        }
        let output = tokio::task::spawn_blocking(|| child.wait_with_output())
            .await
            .unwrap();
        let lines = String::from_utf8(output.unwrap().stdout).unwrap();
        assert_eq!(
            lines,
            format!("{RISK} retained\n{live} live\n"),
            "{version}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_pub_succeeds_only_with_the_acknowledgement_of_its_own_message() {
    if !mosquitto() {
        return;
    }
    let mut bench = Bench::open().await;
    for (version, proto) in [("mqttv311", Proto::V3), ("mqttv5", Proto::V5)] {
        let mut publish = command("mosquitto_pub", &bench.endpoint, version);
        publish.args(["-i", "cnc-1", "-t", FLOW, "-q", "1", "-m", "precious"]);
        publish.stderr(Stdio::null());
        let mut child = publish.spawn().unwrap();
        let first = bench.next().await;
        // Another one with the same client id takes the connection over before it is settled.
        drop(Raw::hello(&bench, proto, "cnc-1").await);
        let status = tokio::task::spawn_blocking(move || child.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(
            !status.success(),
            "{version}: believed without an acknowledgement"
        );

        let mut child = publish.spawn().unwrap();
        let again = bench.next().await;
        assert_eq!(
            (&*first.payload, &*again.payload),
            (&b"precious"[..], &b"precious"[..])
        );
        bench.settle(&first);
        assert_eq!(
            bench.endpoint.counts().acknowledged,
            u64::from(proto == Proto::V5)
        );
        bench.settle(&again);
        let status = tokio::task::spawn_blocking(move || child.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(status.success(), "{version}");
    }
}
