//! The protocol, byte by byte.

use super::*;

const FLOW: &str = "andon/v1/in/s/cnc-1/flow";

#[tokio::test]
async fn an_acknowledgement_is_sent_only_when_the_receipt_comes_back() {
    for proto in [Proto::V3, Proto::V5] {
        let mut bench = Bench::open().await;
        let mut client = Raw::hello(&bench, proto, "a").await;
        client.send(&publish(proto, FLOW, b"one", 1, 7)).await;
        let delivery = bench.next().await;
        assert_eq!((&*delivery.topic, &*delivery.payload), (FLOW, &b"one"[..]));
        assert_eq!(
            delivery.sender,
            Sender {
                name: "cnc-1".into(),
                proven: false
            }
        );
        client.expect_silence().await;
        bench.settle(&delivery);
        client.expect(&[0x40, 2, 0, 7]).await;
        assert_eq!(bench.endpoint.counts().acknowledged, 1);
    }
}

#[tokio::test]
async fn an_authenticated_sender_is_proven_and_named_by_its_login() {
    let serves = vec!["cnc-1".to_owned()];
    let roles = [("gw-1", Role::Gateway { serves })];
    let mut bench = Bench::with(&roles, Limits::default()).await;
    let mut client = Raw::login(&bench, Proto::V3, "gw-1").await;
    client.send(&publish(Proto::V3, FLOW, b"x", 0, 0)).await;
    let sender = Sender {
        name: "gw-1".into(),
        proven: true,
    };
    assert_eq!(bench.next().await.sender, sender);
}

#[tokio::test]
async fn acknowledgements_come_in_the_order_of_receipt() {
    let mut bench = Bench::open().await;
    let mut client = Raw::hello(&bench, Proto::V3, "a").await;
    for id in 1..=3 {
        client.send(&publish(Proto::V3, FLOW, b"x", 1, id)).await;
    }
    let deliveries = [bench.next().await, bench.next().await, bench.next().await];
    bench.settle(&deliveries[2]);
    bench.settle(&deliveries[1]);
    client.expect_silence().await;
    bench.settle(&deliveries[0]);
    for id in 1..=3 {
        client.expect(&[0x40, 2, 0, id]).await;
    }
}

#[tokio::test]
async fn exactly_once_takes_four_steps_and_one_delivery() {
    for proto in [Proto::V3, Proto::V5] {
        let mut bench = Bench::open().await;
        let mut client = Raw::hello(&bench, proto, "a").await;
        let message = publish(proto, FLOW, b"x", 2, 9);
        client.send(&message).await;
        let delivery = bench.next().await;
        client.send(&message).await;
        client.expect_silence().await;
        bench.settle(&delivery);
        client.expect(&[0x50, 2, 0, 9]).await;
        client.send(&message).await;
        client.expect(&[0x50, 2, 0, 9]).await;
        client.send(&[0x62, 2, 0, 9]).await;
        client.expect(&[0x70, 2, 0, 9]).await;
        assert_eq!(bench.endpoint.counts().published_in, 1);
        // The identifier is free again.
        client.send(&message).await;
        bench.next().await;
    }
}

#[tokio::test]
async fn a_release_of_an_unknown_message_is_answered() {
    let bench = Bench::open().await;
    let mut client = Raw::hello(&bench, Proto::V5, "a").await;
    client.send(&[0x62, 2, 0, 9]).await;
    client.expect(&[0x70, 3, 0, 9, 0x92]).await;
    let mut client = Raw::hello(&bench, Proto::V3, "b").await;
    client.send(&[0x62, 2, 0, 9]).await;
    client.expect(&[0x70, 2, 0, 9]).await;
}

#[tokio::test]
async fn a_message_without_acknowledgement_has_no_receipt() {
    let mut bench = Bench::open().await;
    let mut client = Raw::hello(&bench, Proto::V5, "a").await;
    client.send(&publish(Proto::V5, FLOW, b"x", 0, 0)).await;
    assert_eq!(bench.next().await.receipt, None);
}

#[tokio::test]
async fn receipts_of_a_gone_connection_are_ignored() {
    let mut bench = Bench::open().await;
    let mut client = Raw::hello(&bench, Proto::V3, "a").await;
    client.send(&publish(Proto::V3, FLOW, b"x", 1, 1)).await;
    let old = bench.next().await;
    drop(client);
    bench.until(|counts| counts.connections == 0).await;
    let mut again = Raw::hello(&bench, Proto::V3, "a").await;
    again.send(&publish(Proto::V3, FLOW, b"x", 1, 1)).await;
    let new = bench.next().await;
    bench.settle(&old);
    again.expect_silence().await;
    bench.settle(&new);
    again.expect(&[0x40, 2, 0, 1]).await;
}

#[tokio::test]
async fn a_v5_publish_outside_the_identity_is_answered_with_the_reason() {
    let mut bench = Bench::with(&[("cnc-1", Role::Device)], Limits::default()).await;
    let mut client = Raw::login(&bench, Proto::V5, "cnc-1").await;
    let foreign = "andon/v1/in/s/cnc-2/flow";
    client.send(&publish(Proto::V5, foreign, b"x", 1, 3)).await;
    client.expect(&[0x40, 3, 0, 3, 0x87]).await;
    client.send(&publish(Proto::V5, foreign, b"x", 2, 4)).await;
    client.expect(&[0x50, 3, 0, 4, 0x87]).await;
    client.send(&publish(Proto::V5, "a/+", b"x", 1, 5)).await;
    client.expect(&[0x40, 3, 0, 5, 0x90]).await;
    let refusal = bench.refusal().await;
    assert_eq!(refusal.topic.as_deref(), Some(foreign));
    assert_eq!(
        refusal.sender,
        Sender {
            name: "cnc-1".into(),
            proven: true
        }
    );
    assert_eq!(
        (refusal.reason, &*refusal.head),
        (Reason::ForeignDevice, &b"x"[..])
    );
    // With QoS 0 there is no acknowledgement to say it in.
    client.send(&publish(Proto::V5, foreign, b"x", 0, 0)).await;
    client.expect(&[0xe0, 1, 0x87]).await;
    client.expect_close().await;
    assert_eq!(bench.endpoint.counts().unauthorised, 4);
}

#[tokio::test]
async fn a_v3_publish_outside_the_identity_closes_and_is_recorded() {
    let mut bench = Bench::with(&[("cnc-1", Role::Device)], Limits::default()).await;
    for qos in 0..=2 {
        let mut client = Raw::login(&bench, Proto::V3, "cnc-1").await;
        client
            .send(&publish(
                Proto::V3,
                "andon/v1/in/s/cnc-2/flow",
                b"x",
                qos,
                3,
            ))
            .await;
        client.expect_close().await;
        assert_eq!(bench.refusal().await.reason, Reason::ForeignDevice);
    }
    assert!(bench.deliveries.try_recv().is_err());
}

#[tokio::test]
async fn the_answer_to_connect_states_our_terms() {
    let limits = Limits {
        in_flight: 10,
        ..Limits::default()
    };
    let bench = Bench::start(Authority::default(), limits.clone()).await;
    let mut client = Raw::open(&bench).await;
    client.send(&connect(Proto::V5, "", None, 0)).await;
    let connack = client.packet().await;
    assert_eq!(connack[..4], [0x20, 28, 0, 0]);
    let properties = &connack[5..];
    for expected in [
        &[0x21, 0, 10][..],
        &[0x13, 0x0e, 0x10],
        &[0x29, 0],
        &[0x2a, 0],
        &[&[0x12, 0, 7], &b"andon-1"[..]].concat(),
        &[
            &[0x27][..],
            &u32::try_from(limits.publish_bytes() + 5)
                .unwrap()
                .to_be_bytes(),
        ]
        .concat(),
    ] {
        let found = properties
            .windows(expected.len())
            .any(|window| window == expected);
        assert!(found, "{expected:x?} in {properties:x?}");
    }
}

#[tokio::test]
async fn connects_are_refused_with_a_code_that_says_why() {
    let mut bench = Bench::with(&[("cnc-1", Role::Device)], Limits::default()).await;
    let wrong = Some(("cnc-1", "x"));
    let mut old = connect(Proto::V3, "a", None, 0);
    old[8] = 3;
    let mut kept_without_id = connect(Proto::V3, "", None, 0);
    kept_without_id[9] = 0;
    let mut enhanced = b"\0\x04MQTT\x05\x02\0\0\x06\x15\0\x03abc\0\0".to_vec();
    enhanced = packet(0x10, &enhanced);
    for (connect, code) in [
        (connect(Proto::V3, "a", wrong, 0), 4),
        (connect(Proto::V5, "a", wrong, 0), 0x86),
        (connect(Proto::V5, "a\u{7}", None, 0), 0x85),
        (old, 1),
        (packet(0x10, b"\0\x06MQIsdp\x03\x02\0\0\0\0"), 1),
        (kept_without_id, 2),
        (enhanced, 0x8c),
    ] {
        let mut client = Raw::open(&bench).await;
        client.send(&connect).await;
        let answer = client.packet().await;
        assert_eq!((answer[0], answer[3]), (0x20, code), "{connect:x?}");
        client.expect_close().await;
    }
    assert_eq!(bench.endpoint.counts().refused, 7);
    bench.serves().await;
}

#[tokio::test]
async fn wills_are_set_aside_and_counted() {
    let bench = Bench::open().await;
    let mut body = b"\0\x04MQTT\x04\x06\0\x3c\0\x01a".to_vec();
    text(&mut body, b"andon/v1/in/s/a/flow");
    text(&mut body, b"gone");
    let client = Raw::greet(&bench, &packet(0x10, &body)).await;
    drop(client);
    bench.until(|counts| counts.connections == 0).await;
    let counts = bench.endpoint.counts();
    assert_eq!((counts.wills_ignored, counts.published_in), (1, 0));
}

#[tokio::test]
async fn a_client_that_connects_again_replaces_its_older_connection_only() {
    let roles = [("cnc-1", Role::Device)];
    let bench = Bench::with(&roles, Limits::default()).await;
    let mut first = Raw::login(&bench, Proto::V5, "cnc-1").await;
    // The same client id without the identity must not be able to throw it out.
    let _stranger = Raw::hello(&bench, Proto::V5, "id").await;
    first.expect_silence().await;
    let mut second = Raw::login(&bench, Proto::V5, "cnc-1").await;
    first.expect(&[0xe0, 1, 0x8e]).await;
    first.expect_close().await;
    second.expect_silence().await;
    assert_eq!(bench.endpoint.counts().taken_over, 1);
}

#[tokio::test]
async fn a_disconnect_ends_the_connection_quietly() {
    let bench = Bench::open().await;
    for (proto, farewell) in [
        (Proto::V3, &[0xe0, 0][..]),
        (Proto::V5, &[0xe0, 0]),
        (Proto::V5, &[0xe0, 2, 4, 0]),
    ] {
        let mut client = Raw::hello(&bench, proto, "a").await;
        client.send(farewell).await;
        client.expect_close().await;
    }
    bench.until(|counts| counts.connections == 0).await;
    assert_eq!(bench.endpoint.counts().malformed, 0);
}
