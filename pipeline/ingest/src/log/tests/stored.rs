//! What goes in comes back.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn bodies() -> impl Strategy<Value = Body> {
    let bytes = || vec(any::<u8>(), 0..200);
    prop_oneof![
        (".{0,40}", bytes(), option::of(".{0,20}"), any::<bool>()).prop_map(
            |(topic, payload, sender, proven)| Body::Message {
                topic,
                payload,
                sender,
                proven
            }
        ),
        any::<i64>().prop_map(|at| Body::Tick { at }),
        (".{0,20}", bytes()).prop_map(|(kind, payload)| Body::Control { kind, payload }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_entries_survive_in_order(
        entries in vec((any::<i64>(), bodies(), any::<bool>()), 0..40),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (log, _) = open(directory.path()).unwrap();
        let mut expected = Vec::new();
        for (received_at, body, is_last_of_commit) in entries {
            let sequence = log.append(received_at, &body, None).unwrap();
            expected.push(Entry { sequence, received_at, body });
            if is_last_of_commit {
                log.sync().unwrap();
            }
        }
        prop_assert_eq!(log.close().unwrap(), expected.len() as u64);

        let (log, recovery) = open(directory.path()).unwrap();
        prop_assert_eq!(recovery.last, expected.len() as u64);
        prop_assert_eq!(recovery.torn, None);
        prop_assert_eq!(read(&log, 0), expected);
    }

    #[test]
    fn no_bytes_are_read_as_an_entry_that_would_be_written_differently(
        bytes in vec(any::<u8>(), 0..60),
    ) {
        if let Ok(entry) = Entry::decode(1, &bytes) {
            let mut again = Vec::new();
            entry.body.encode(entry.received_at, &mut again);
            prop_assert_eq!(entry.body.encoded_len(), again.len());
            // A proven flag without a sender is kept as it is.
            prop_assert_eq!(again, bytes);
        }
    }
}

#[test]
fn numbers_start_at_one_and_go_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (log, recovery) = open(directory.path()).unwrap();
    assert_eq!((recovery.first, recovery.last), (1, 0));
    assert_eq!(log.last_sequence(), 0);
    assert_eq!(log.append(5, &message(1), None).unwrap(), 1);
    drop(log);
    let (log, recovery) = open(directory.path()).unwrap();
    assert_eq!((recovery.first, recovery.last), (1, 1));
    assert_eq!(log.append(6, &message(2), None).unwrap(), 2);
}

#[test]
fn a_replay_starts_where_it_is_told_and_ends_with_what_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        // Nothing is committed unless asked for.
        commit_every: Duration::from_secs(3600),
        ..small()
    };
    let (log, _) = Log::open(directory.path(), options, |_| {}).unwrap();
    for number in 1..=20 {
        log.append(1_000, &message(number), None).unwrap();
        if number == 15 {
            log.sync().unwrap();
        }
    }
    for from in 1..=15 {
        let numbers: Vec<u64> = read(&log, from).iter().map(|e| e.sequence).collect();
        assert_eq!(numbers, (from..=15).collect::<Vec<u64>>());
    }
    assert_eq!(read(&log, 16), []);
    assert_eq!(read(&log, u64::MAX), []);
}

#[test]
fn a_delivery_is_kept_with_its_sender() {
    let delivery = |name: &str| crate::delivery::Delivery {
        topic: "t".to_owned(),
        payload: b"p".to_vec(),
        sender: crate::delivery::Sender {
            name: name.to_owned(),
            proven: true,
        },
        receipt: None,
    };
    let body = |sender| Body::Message {
        topic: "t".to_owned(),
        payload: b"p".to_vec(),
        sender,
        proven: true,
    };
    assert_eq!(Body::from(delivery("d")), body(Some("d".to_owned())));
    assert_eq!(Body::from(delivery("")), body(None));
}
