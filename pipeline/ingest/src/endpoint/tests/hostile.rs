//! Bytes from people who mean no good, or whose software does not: the endpoint neither panics nor
//! stops serving the others.

use proptest::prelude::*;

use super::super::wire::{Header, Hello, Packet, Version};
use super::*;

/// A valid packet of every kind, for mutilation.
fn valid() -> Vec<Vec<u8>> {
    let topic = "andon/v1/in/s/cnc-1/flow";
    let mut packets = vec![
        vec![0x62, 2, 0, 9],
        vec![0x40, 2, 0, 9],
        vec![0xc0, 0],
        vec![0xe0, 0],
        vec![0xe0, 8, 4, 6, 0x1f, 0, 3, b'b', b'y', b'e'],
        vec![0xf0, 0],
        // CONNECT v5 with a will, properties on both, user name and password.
        packet(
            0x10,
            b"\0\x04MQTT\x05\xce\0\x3c\x08\x21\0\x0a\x27\0\0\x10\0\0\x01a\x05\x18\0\0\0\x05\
              \0\x01t\0\x01p\0\x01u\0\x01p",
        ),
        // PUBLISH v5 with a user property, a topic alias and a content type.
        packet(
            0x32,
            b"\0\x01t\0\x07\x10\x26\0\x01k\0\x01v\x23\0\x01\x03\0\x01c\x01\0payload",
        ),
        // SUBSCRIBE v5 with a subscription identifier.
        packet(0x82, b"\0\x01\x02\x0b\x05\0\x01#\0"),
    ];
    for proto in [Proto::V3, Proto::V5] {
        packets.push(connect(proto, "a", Some(("u", "p")), 60));
        packets.extend((0..=2).map(|qos| publish(proto, topic, b"{}", qos, 1)));
        packets.push(subscribe(proto, 1, &["andon/v1/out/#", "a/+"], 1));
        packets.push(unsubscribe(proto, 1, &["a/+"]));
    }
    packets
}

/// A valid packet, cut, extended or with some bytes changed.
fn mutilated() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let tail = prop::collection::vec(any::<u8>(), 0..6);
    (
        prop::sample::select(valid()),
        changes,
        any::<prop::sample::Index>(),
        any::<bool>(),
        tail,
    )
        .prop_map(|(mut packet, changes, cut, cuts, tail)| {
            for (at, byte) in changes {
                let at = at.index(packet.len());
                packet[at] = byte;
            }
            if cuts {
                packet.truncate(cut.index(packet.len() + 1));
            }
            packet.extend(tail);
            packet
        })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => mutilated(), 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

/// Reads the bytes as every kind of packet, whatever their length says.
fn read_as_anything(bytes: &[u8]) {
    if let Ok(Some(header)) = Header::read(bytes) {
        let body = &bytes[header.length..];
        for version in [Version::V3, Version::V5] {
            for first in (0..16)
                .map(|kind| kind << 4 | header.first & 0x0f)
                .chain([header.first])
            {
                let header = Header { first, ..header };
                // Only a panic would be a failure; what it is taken for is not the point.
                let _kind = Packet::read(version, header, body).is_ok();
                let _hello = Hello::read(header, body).is_ok();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in bytes()) {
        read_as_anything(&bytes);
    }

    #[test]
    fn a_header_is_read_from_its_bytes_alone(body in 0_usize..268_435_456, tail in any::<u8>()) {
        let mut bytes = vec![0x30];
        let mut rest = body;
        while { bytes.push(u8::try_from(rest % 128).unwrap()); rest /= 128; rest > 0 } {
            *bytes.last_mut().unwrap() |= 0x80;
        }
        for end in 0..bytes.len() {
            prop_assert_eq!(Header::read(&bytes[..end]), Ok(None));
        }
        let expected = Header { first: 0x30, length: bytes.len(), body };
        bytes.push(tail);
        prop_assert_eq!(Header::read(&bytes), Ok(Some(expected)));
    }
}

proptest! {
    // Each case is a handful of connections.
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_thrown_at_it_the_endpoint_serves_the_next_client(
        thrown in prop::collection::vec((0..3_u8, prop::collection::vec(bytes(), 1..4)), 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::open().await;
            for (greeting, packets) in thrown {
                let mut client = match greeting {
                    0 => Raw::open(&bench).await,
                    1 => Raw::hello(&bench, Proto::V3, "x").await,
                    _ => Raw::hello(&bench, Proto::V5, "x").await,
                };
                for packet in packets {
                    // It may have been closed on by now, and rightly so.
                    let _closed = client.0.write_all(&packet).await.is_err();
                }
            }
            bench.serves().await;
            assert_eq!(bench.endpoint.counts().panics, 0);
        });
    }
}

#[tokio::test]
async fn what_is_out_of_place_ends_the_connection() {
    let mut bench = Bench::open().await;
    let early = publish(Proto::V3, "andon/v1/in/s/a/flow", b"x", 1, 1);
    let mut reserved = connect(Proto::V3, "a", None, 60);
    reserved[9] |= 1;
    let mut qos_without_will = connect(Proto::V5, "a", None, 60);
    qos_without_will[9] |= 0x08;
    let flagged = [&[0x11], &connect(Proto::V3, "a", None, 60)[1..]].concat();
    let http = b"GET / HTTP/1.1\r\n\r\n";
    for first in [
        &early[..],
        http,
        &[0xc0, 0],
        &[0x10, 0],
        &reserved,
        &qos_without_will,
        &flagged,
    ] {
        let mut client = Raw::open(&bench).await;
        client.send(first).await;
        client.expect_close().await;
    }
    let second = connect(Proto::V5, "a", None, 60);
    for (packet, code) in [
        (&second[..], 0x82),
        (&[0x20, 2, 0, 0], 0x82),
        (&[0x40, 2, 0, 1], 0x82),
        (&[0xf0, 0], 0x82),
        (&[0x00, 0], 0x82),
        (&[0x80, 2, 0, 1], 0x81),
        (&[0x36, 0], 0x81),
        (&[0x32, 6, 0, 1, b't', 0, 0, 0], 0x81),
        (&[0x82, 3, 0, 1, 0], 0x82),
        (&[0x30, 0xff, 0xff, 0xff, 0xff, 1], 0x81),
        (&[0x32, 9, 0, 1, b't', 0, 1, 3, 0x23, 0, 1], 0x94),
        (&[0x82, 9, 0, 1, 2, 0x0b, 5, 0, 1, b'#', 0], 0xa1),
    ] {
        let mut client = Raw::hello(&bench, Proto::V5, "a").await;
        client.send(packet).await;
        assert_eq!(client.packet().await, [0xe0, 1, code], "{packet:x?}");
        client.expect_close().await;
        assert_eq!(bench.refusal().await.reason, Reason::Malformed);
    }
    assert_eq!(bench.endpoint.counts().malformed, 19);
    bench.serves().await;
}

#[tokio::test]
async fn an_announced_giant_is_refused_before_it_is_sent() {
    let mut bench = Bench::open().await;
    // 256 MiB, of which only the header ever arrives.
    for (greeted, first) in [(false, 0x10), (true, 0x30), (true, 0x82)] {
        let mut client = if greeted {
            Raw::hello(&bench, Proto::V3, "a").await
        } else {
            Raw::open(&bench).await
        };
        client.send(&[first, 0xff, 0xff, 0xff, 0x7f]).await;
        client.expect_close().await;
    }
    assert_eq!(bench.endpoint.counts().oversized, 3);
    bench.serves().await;
}

#[tokio::test]
async fn a_client_that_asks_and_never_listens_is_not_read_for_ever() {
    let limits = Limits {
        outbox_bytes: 10_000,
        // Being cut for that is another matter.
        write_within: Duration::from_secs(3_600),
        ..Limits::default()
    };
    let mut bench = Bench::start(Authority::default(), limits).await;
    let deaf = Raw::hello(&bench, Proto::V3, "deaf").await;
    let mut other = Raw::hello(&bench, Proto::V3, "other").await;
    let pings = [0xc0, 0].repeat(10_000);
    // Each turn lets the endpoint read; it has stopped when for many turns nothing more is taken.
    let (mut turns, mut idle) = (0, 0);
    while idle < 30 {
        idle += 1;
        while deaf.0.try_write(&pings).is_ok() {
            idle = 0;
        }
        other.expect_silence().await;
        turns += 1;
        assert!(turns < 20_000, "it is read on and on, and takes no answer");
    }
    bench.serves().await;
}
