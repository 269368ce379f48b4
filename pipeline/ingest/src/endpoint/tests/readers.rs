//! Subscriptions and what comes of them.

use super::*;

#[tokio::test]
async fn subscriptions_are_answered_filter_by_filter() {
    let bench = Bench::with(&[("soc", Role::Reader)], Limits::default()).await;
    let filters = [
        "andon/v1/out/#",
        "#",
        "andon/v1/in/#",
        "a#",
        "$share/g/andon/v1/out/#",
    ];
    let mut client = Raw::login(&bench, Proto::V5, "soc").await;
    client.send(&subscribe(Proto::V5, 2, &filters, 2)).await;
    client
        .expect(&[0x90, 8, 0, 2, 0, 0, 0x87, 0x87, 0x8f, 0x9e])
        .await;
    let mut client = Raw::login(&bench, Proto::V3, "soc").await;
    client.send(&subscribe(Proto::V3, 2, &filters, 1)).await;
    client
        .expect(&[0x90, 7, 0, 2, 0, 0x80, 0x80, 0x80, 0x80])
        .await;
    let mut anyone = Raw::hello(&bench, Proto::V3, "cnc-1").await;
    anyone
        .send(&subscribe(
            Proto::V3,
            1,
            &["andon/v1/out/s/cnc-1/enforcement"],
            0,
        ))
        .await;
    anyone.expect(&[0x90, 3, 0, 1, 0x80]).await;
    assert_eq!(bench.endpoint.counts().subscriptions_refused, 9);
}

#[tokio::test]
async fn what_is_published_reaches_those_who_may_read_it_and_no_one_else() {
    let roles = [
        ("soc", Role::Reader),
        ("cnc-1", Role::Device),
        ("cnc-2", Role::Device),
    ];
    let bench = Bench::with(&roles, Limits::default()).await;
    let mut reader = Raw::login(&bench, Proto::V5, "soc").await;
    reader
        .send(&subscribe(
            Proto::V5,
            1,
            &["andon/v1/out/#", "andon/v1/out/+/+/risk"],
            0,
        ))
        .await;
    reader.packet().await;
    let mut device = Raw::login(&bench, Proto::V3, "cnc-1").await;
    device
        .send(&subscribe(
            Proto::V3,
            1,
            &["andon/v1/out/+/CNC-1/enforcement"],
            0,
        ))
        .await;
    device.packet().await;
    let mut other = Raw::login(&bench, Proto::V3, "cnc-2").await;
    other
        .send(&subscribe(
            Proto::V3,
            1,
            &["andon/v1/out/s/cnc-2/enforcement"],
            0,
        ))
        .await;
    other.packet().await;

    let publisher = bench.endpoint.publisher();
    let (risk, command) = (
        "andon/v1/out/s/CNC-1/risk",
        "andon/v1/out/s/CNC-1/enforcement",
    );
    assert_eq!(publisher.publish(risk, b"r", true), 1);
    assert_eq!(publisher.publish(command, b"c", false), 2);
    let (risk, command) = (risk.to_lowercase(), command.to_lowercase());
    reader.expect(&publish(Proto::V5, &risk, b"r", 0, 0)).await;
    reader
        .expect(&publish(Proto::V5, &command, b"c", 0, 0))
        .await;
    device
        .expect(&publish(Proto::V3, &command, b"c", 0, 0))
        .await;
    other.expect_silence().await;

    device
        .send(&unsubscribe(
            Proto::V3,
            9,
            &["andon/v1/out/+/cnc-1/enforcement"],
        ))
        .await;
    device.expect(&[0xb0, 2, 0, 9]).await;
    reader
        .send(&unsubscribe(Proto::V5, 9, &["andon/v1/out/#", "x"]))
        .await;
    reader.expect(&[0xb0, 5, 0, 9, 0, 0, 0x11]).await;
    assert_eq!(publisher.publish(&command, b"c", false), 0);
    assert_eq!(publisher.publish(&risk, b"r", false), 1);
    assert_eq!(bench.endpoint.counts().published_out, 4);
}

#[tokio::test]
async fn retained_messages_greet_new_subscriptions_as_their_options_say() {
    let bench = Bench::with(&[("soc", Role::Reader)], Limits::default()).await;
    let topic = "andon/v1/out/s/cnc-1/risk";
    let publisher = bench.endpoint.publisher();
    publisher.publish(topic, b"old", true);
    publisher.publish(topic, b"new", true);
    publisher.publish("andon/v1/out/s/cnc-1/verdict", b"v", false);
    let mut retained = publish(Proto::V5, topic, b"new", 0, 0);
    retained[0] |= 1;
    let mut reader = Raw::login(&bench, Proto::V5, "soc").await;
    let (always, if_new, never) = (0x00, 0x10, 0x20);
    for (options, greeted) in [
        (never, false),
        (if_new, false),
        (always, true),
        (always, true),
        (never, false),
    ] {
        reader
            .send(&subscribe(Proto::V5, 1, &["andon/v1/out/#"], options))
            .await;
        reader.expect(&[0x90, 4, 0, 1, 0, 0]).await;
        if greeted {
            reader.expect(&retained).await;
        }
        reader.expect_silence().await;
    }
    let mut newcomer = Raw::greet(&bench, &connect(Proto::V5, "2", Some(("soc", "soc")), 9)).await;
    newcomer
        .send(&subscribe(Proto::V5, 1, &["andon/v1/out/#"], if_new))
        .await;
    newcomer.packet().await;
    newcomer.expect(&retained).await;
}

#[tokio::test]
async fn a_reader_gets_no_packet_larger_than_it_announced() {
    let bench = Bench::with(&[("soc", Role::Reader)], Limits::default()).await;
    let publisher = bench.endpoint.publisher();
    let topic = "andon/v1/out/s/cnc-1/risk";
    publisher.publish(topic, &[b'x'; 300], true);
    // CONNECT with a Maximum Packet Size of 100.
    let mut body = b"\0\x04MQTT\x05\xc2\0\x3c\x05\x27\0\0\0\x64\0\x02id".to_vec();
    text(&mut body, b"soc");
    text(&mut body, b"soc");
    let mut reader = Raw::greet(&bench, &packet(0x10, &body)).await;
    reader
        .send(&subscribe(Proto::V5, 1, &["andon/v1/out/#"], 0))
        .await;
    reader.packet().await;
    bench.until(|counts| counts.too_large_for_reader == 1).await;
    assert_eq!(publisher.publish(topic, &[b'y'; 100], false), 0);
    assert_eq!(publisher.publish(topic, b"small", false), 1);
    reader
        .expect(&publish(Proto::V5, topic, b"small", 0, 0))
        .await;
    assert_eq!(bench.endpoint.counts().too_large_for_reader, 2);
}
