//! Limits and pressure: what happens when something is full, slow, late or about to end.

use super::*;

const FLOW: &str = "andon/v1/in/s/cnc-1/flow";

/// What a reader subscribes to.
const OUT: &str = "andon/v1/out/#";

#[tokio::test]
async fn a_full_channel_stops_reading_and_loses_nothing() {
    let limits = Limits {
        deliveries: 2,
        in_flight: 20_000,
        ..Limits::default()
    };
    let mut bench = Bench::start(Authority::default(), limits).await;
    let client = Raw::hello(&bench, Proto::V3, "a").await;
    let (mut reader, mut writer) = client.0.into_split();
    let count = 10_000_u16;
    let sending = tokio::spawn(async move {
        for number in 1..=count {
            let payload = [&number.to_be_bytes()[..], &[0; 500]].concat();
            writer
                .write_all(&publish(Proto::V3, FLOW, &payload, 1, number))
                .await
                .unwrap();
        }
        writer
    });
    // Far more than the channel holds has been sent, and no more than that has been read.
    bench.until(|counts| counts.published_in == 2).await;
    for number in 1..=count {
        assert!(bench.endpoint.counts().published_in <= u64::from(number) + 2);
        let delivery = bench.next().await;
        assert_eq!(delivery.payload[..2], number.to_be_bytes());
        bench.settle(&delivery);
    }
    let _writer = sending.await.unwrap();
    let mut acks = vec![0; usize::from(count) * 4];
    timeout(PATIENCE, reader.read_exact(&mut acks))
        .await
        .unwrap()
        .unwrap();
    let last = count.to_be_bytes();
    assert_eq!(acks[acks.len() - 4..], [0x40, 2, last[0], last[1]]);
}

#[tokio::test]
async fn a_v3_client_is_not_read_past_the_in_flight_limit() {
    let limits = Limits {
        in_flight: 2,
        ..Limits::default()
    };
    let mut bench = Bench::start(Authority::default(), limits).await;
    let mut client = Raw::hello(&bench, Proto::V3, "a").await;
    for id in 1..=4 {
        client.send(&publish(Proto::V3, FLOW, b"x", 1, id)).await;
    }
    let first = bench.next().await;
    let second = bench.next().await;
    // The others are in the socket; a settled message makes room for exactly one.
    assert_eq!(bench.endpoint.counts().published_in, 2);
    bench.settle(&first);
    let third = bench.next().await;
    assert!(bench.deliveries.try_recv().is_err());
    bench.settle(&second);
    bench.settle(&third);
    bench.next().await;
    for id in 1..=3 {
        client.expect(&[0x40, 2, 0, id]).await;
    }
}

#[tokio::test]
async fn a_v5_client_that_exceeds_its_receive_maximum_is_disconnected() {
    let limits = Limits {
        in_flight: 2,
        ..Limits::default()
    };
    let mut bench = Bench::start(Authority::default(), limits).await;
    let mut client = Raw::hello(&bench, Proto::V5, "a").await;
    for id in 1..=3 {
        client.send(&publish(Proto::V5, FLOW, b"x", 1, id)).await;
    }
    client.expect(&[0xe0, 1, 0x93]).await;
    client.expect_close().await;
    assert_eq!(bench.endpoint.counts().published_in, 2);
    assert_eq!(bench.refusal().await.reason, Reason::Malformed);
}

#[tokio::test]
async fn a_reader_that_does_not_keep_up_is_cut_and_the_others_are_not_delayed() {
    let limits = Limits {
        outbox_bytes: 100_000,
        // So that only the queue can be the reason.
        write_within: Duration::from_secs(3_600),
        ..Limits::default()
    };
    let bench = Bench::with(&[("soc", Role::Reader)], limits).await;
    let login = |id| connect(Proto::V3, id, Some(("soc", "soc")), 60);
    let mut slow = Raw::greet(&bench, &login("slow")).await;
    let mut quick = Raw::greet(&bench, &login("quick")).await;
    for client in [&mut slow, &mut quick] {
        client.send(&subscribe(Proto::V3, 1, &[OUT], 0)).await;
        client.packet().await;
    }
    let publisher = bench.endpoint.publisher();
    let message = publish(Proto::V3, "andon/v1/out/s/d/verdict", &[7; 10_000], 0, 0);
    // The sockets' own buffers are filled first, so how many it takes is up to the system.
    while bench.endpoint.counts().slow_readers == 0 {
        publisher.publish("andon/v1/out/s/d/verdict", &[7; 10_000], false);
        quick.expect(&message).await;
        let sent = bench.endpoint.counts().published_out;
        assert!(sent < 20_000, "200 MB are queued for one who does not read");
    }
    bench.until(|counts| counts.connections == 1).await;
    quick.expect_silence().await;
    assert_eq!(bench.endpoint.counts().slow_readers, 1);
}

#[tokio::test]
async fn a_replay_larger_than_the_outbox_reaches_a_new_reader_whole() {
    let limits = Limits {
        outbox_bytes: 10_000,
        ..Limits::default()
    };
    let bench = Bench::with(&[("soc", Role::Reader)], limits).await;
    let publisher = bench.endpoint.publisher();
    let topic = |device: u32| format!("andon/v1/out/s/d{device:05}/risk");
    for device in 0..20_000 {
        publisher.publish(&topic(device), &[b'x'; 100], true);
    }
    let mut reader = Raw::login(&bench, Proto::V3, "soc").await;
    reader.send(&subscribe(Proto::V3, 1, &[OUT], 0)).await;
    reader.packet().await;
    for device in 0..20_000 {
        let mut expected = publish(Proto::V3, &topic(device), &[b'x'; 100], 0, 0);
        expected[0] |= 1;
        reader.expect(&expected).await;
    }
    reader.expect_silence().await;
}

#[tokio::test]
async fn oversized_messages_are_refused_counted_and_recorded() {
    let limits = Limits {
        payload_bytes: 1_000,
        control_bytes: 100,
        ..Limits::default()
    };
    let mut bench = Bench::start(Authority::default(), limits).await;
    let over_the_header = publish(Proto::V5, FLOW, &[0; 2_000], 1, 1);
    let over_the_payload = publish(Proto::V5, FLOW, &[0; 1_001], 1, 1);
    for (message, topic) in [(over_the_header, None), (over_the_payload, Some(FLOW))] {
        let mut client = Raw::hello(&bench, Proto::V5, "Tool").await;
        client.send(&message).await;
        client.expect(&[0xe0, 1, 0x95]).await;
        client.expect_close().await;
        let refusal = bench.refusal().await;
        assert_eq!(
            (refusal.topic.as_deref(), refusal.reason),
            (topic, Reason::Oversized)
        );
        assert_eq!(
            refusal.sender,
            Sender {
                name: "tool".into(),
                proven: false
            }
        );
    }
    let mut client = Raw::hello(&bench, Proto::V3, "a").await;
    client
        .send(&publish(Proto::V3, FLOW, &[0; 1_000], 1, 1))
        .await;
    assert_eq!(bench.next().await.payload.len(), 1_000);
    assert_eq!(bench.endpoint.counts().oversized, 2);
}

#[tokio::test]
async fn connections_are_limited_per_address() {
    let limits = Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let bench = Bench::start(Authority::default(), limits).await;
    let _first = Raw::hello(&bench, Proto::V3, "1").await;
    let second = Raw::hello(&bench, Proto::V3, "2").await;
    Raw::open(&bench).await.expect_close().await;
    assert_eq!(bench.endpoint.counts().refused_full, 1);
    drop(second);
    bench.until(|counts| counts.connections == 1).await;
    Raw::hello(&bench, Proto::V3, "3").await;
}

#[tokio::test]
async fn subscriptions_are_limited_per_connection() {
    let limits = Limits {
        subscriptions: 1,
        ..Limits::default()
    };
    let bench = Bench::with(&[("soc", Role::Reader)], limits).await;
    let mut reader = Raw::login(&bench, Proto::V5, "soc").await;
    reader
        .send(&subscribe(Proto::V5, 1, &[OUT, "andon/v1/out/s/#", OUT], 0))
        .await;
    reader.expect(&[0x90, 6, 0, 1, 0, 0, 0x97, 0]).await;
}

#[tokio::test]
async fn who_says_nothing_is_closed_in_time() {
    let soon = Duration::from_millis(100);
    let limits = Limits {
        connect_within: soon,
        packet_within: soon,
        ..Limits::default()
    };
    let mut bench = Bench::start(Authority::default(), limits).await;
    // Nothing at all, and a CONNECT that does not end.
    Raw::open(&bench).await.expect_close().await;
    let mut half = Raw::open(&bench).await;
    half.send(&connect(Proto::V3, "a", None, 0)[..9]).await;
    half.expect_close().await;
    assert_eq!(bench.endpoint.counts().connect_overdue, 2);
    // Silence after a CONNECT with a keep-alive of 1 s, and a packet that does not end.
    let mut silent = Raw::greet(&bench, &connect(Proto::V5, "a", None, 1)).await;
    silent.expect(&[0xe0, 1, 0x8d]).await;
    silent.expect_close().await;
    let mut stuck = Raw::hello(&bench, Proto::V3, "a").await;
    stuck.send(&[0x30, 100, 0]).await;
    stuck.expect_close().await;
    assert_eq!(bench.endpoint.counts().timed_out, 2);
    bench.serves().await;
}

#[tokio::test]
async fn a_shutdown_waits_for_settlement_and_says_good_bye() {
    let mut bench = Bench::open().await;
    let mut v3 = Raw::hello(&bench, Proto::V3, "3").await;
    let mut v5 = Raw::hello(&bench, Proto::V5, "5").await;
    v3.send(&publish(Proto::V3, FLOW, b"x", 1, 3)).await;
    v5.send(&publish(Proto::V5, FLOW, b"x", 1, 5)).await;
    let mut taken = vec![bench.next().await, bench.next().await];
    let settle = bench.endpoint.settle_handle();
    let mut deliveries = bench.deliveries;
    let down = tokio::spawn(bench.endpoint.shutdown());
    // The receiver ends although nothing is settled yet.
    while let Some(delivery) = timeout(PATIENCE, deliveries.recv()).await.unwrap() {
        taken.push(delivery);
    }
    let receipts: Vec<Receipt> = taken
        .iter()
        .filter_map(|delivery| delivery.receipt)
        .collect();
    settle.settle(&receipts);
    v3.expect(&[0x40, 2, 0, 3]).await;
    v3.expect_close().await;
    v5.expect(&[0x40, 2, 0, 5]).await;
    v5.expect(&[0xe0, 1, 0x8b]).await;
    v5.expect_close().await;
    let counts = timeout(PATIENCE, down).await.unwrap().unwrap();
    assert_eq!((counts.connections, counts.acknowledged), (0, 2));
}

#[tokio::test]
async fn a_shutdown_ends_even_if_nothing_is_settled() {
    let limits = Limits {
        drain_within: Duration::from_millis(50),
        ..Limits::default()
    };
    let mut bench = Bench::start(Authority::default(), limits).await;
    let mut client = Raw::hello(&bench, Proto::V3, "a").await;
    let _undecided = Raw::open(&bench).await;
    client.send(&publish(Proto::V3, FLOW, b"x", 1, 3)).await;
    bench.next().await;
    timeout(PATIENCE, bench.endpoint.shutdown()).await.unwrap();
    client.expect_close().await;
}

#[tokio::test]
async fn limits_under_which_nothing_could_pass_are_refused() {
    for limits in [
        Limits {
            in_flight: 0,
            ..Limits::default()
        },
        Limits {
            deliveries: 0,
            ..Limits::default()
        },
        Limits {
            payload_bytes: 300 << 20,
            ..Limits::default()
        },
        Limits {
            buffered_bytes: 1_000,
            ..Limits::default()
        },
        Limits {
            keep_alive_max: Duration::from_secs(70_000),
            ..Limits::default()
        },
    ] {
        let bound = Endpoint::bind("127.0.0.1:0", Authority::default(), limits).await;
        assert_eq!(bound.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn refusals_that_nobody_takes_are_counted() {
    let limits = Limits {
        refusals: 1,
        ..Limits::default()
    };
    let bench = Bench::start(Authority::default(), limits).await;
    let mut client = Raw::hello(&bench, Proto::V5, "a").await;
    for id in 1..=3 {
        client
            .send(&publish(Proto::V5, "elsewhere", b"x", 1, id))
            .await;
        client
            .expect(&[0x40, 3, 0, u8::try_from(id).unwrap(), 0x87])
            .await;
    }
    let counts = bench.endpoint.counts();
    assert_eq!((counts.unauthorised, counts.refusals_shed), (3, 2));
}
