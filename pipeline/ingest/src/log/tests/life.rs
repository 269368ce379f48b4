//! Commits, receipts, limits, release, and the end.

use std::sync::mpsc;

use super::*;

fn receipt(number: u64) -> Receipt {
    Receipt {
        connection: 1,
        number,
    }
}

/// Opens the log with a channel that tells of every commit.
fn watched(directory: &Path, options: Options) -> (Log, mpsc::Receiver<Commit>) {
    let (commits, seen) = mpsc::channel();
    let (log, _) = Log::open(directory, options, move |commit| {
        // The test may have seen enough.
        let _gone = commits.send(commit).is_err();
    })
    .unwrap();
    (log, seen)
}

#[test]
fn receipts_come_back_in_order_after_their_record_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let (log, commits) = watched(directory.path(), small());
    let durable = log.durable();
    for number in 1..=100 {
        let with_receipt = (number % 4 != 0).then(|| receipt(number));
        log.append(0, &Body::Tick { at: 0 }, with_receipt).unwrap();
    }
    assert_eq!(durable.wait(100).unwrap(), 100);
    log.close().unwrap();
    let mut through = 0;
    let mut receipts = Vec::new();
    for commit in commits {
        assert!(commit.through > through);
        through = commit.through;
        assert!(commit.receipts.iter().all(|r| r.number <= through));
        receipts.extend(commit.receipts);
    }
    let expected: Vec<Receipt> = (1..=100).filter(|n| n % 4 != 0).map(receipt).collect();
    assert_eq!((through, receipts), (100, expected));
}

#[test]
fn appenders_on_several_threads_share_one_numbering() {
    const EACH: usize = 250;
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = open(directory.path()).unwrap();
    thread::scope(|scope| {
        for appender in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..EACH {
                    let at = i64::try_from(number).unwrap();
                    log.append(appender, &Body::Tick { at }, None).unwrap();
                }
            });
        }
    });
    log.sync().unwrap();
    let entries = read(&log, 1);
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(numbers, (1..=4 * EACH as u64).collect::<Vec<_>>());
    for appender in 0..4 {
        let own = entries.iter().filter(|entry| entry.received_at == appender);
        let expected = (0..).map(|at| Body::Tick { at }).take(EACH);
        assert!(own.map(|entry| entry.body.clone()).eq(expected));
    }
}

#[test]
fn missing_directories_are_created() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("state/log");
    assert_eq!(open(&below).unwrap().0.sync().unwrap(), 0);
    let file = segments(&below).remove(0);
    let error = open(&file.join("log")).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot create log directory"),
        "{error}"
    );
}

#[test]
fn a_large_commit_does_not_wait_for_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        commit_every: Duration::from_secs(3600),
        commit_bytes: 1_000,
        buffer_bytes: 1_000,
        ..small()
    };
    let (log, commits) = watched(directory.path(), options);
    let body = Body::Control {
        kind: "profiles".to_owned(),
        payload: vec![0; 1_000],
    };
    // Each fills the buffer, so the second waits for the commit of the first.
    log.append(0, &body, None).unwrap();
    log.append(0, &body, None).unwrap();
    assert_eq!(commits.recv().unwrap().through, 1);
}

#[test]
fn segments_rotate_and_released_ones_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), 40, 2);
    let paths = segments(directory.path());
    assert!(paths.len() > 3);
    let second = segment::first_of(&paths[1]).unwrap();
    let third = segment::first_of(&paths[2]).unwrap();

    let (log, _) = open(directory.path()).unwrap();
    let before = log.used_bytes();
    // The last record of the second segment is still needed.
    let released = log.release(third - 2).unwrap();
    assert_eq!(released.segments, 1);
    assert_eq!(log.used_bytes(), before - released.bytes);
    assert_eq!(log.first_sequence(), second);
    assert_eq!(segments(directory.path()), paths[1..]);
    assert_eq!(read(&log, second).len() as u64, 40 + 1 - second);
    let error = log.replay(second - 1).unwrap_err();
    assert!(matches!(error, LogError::Released { oldest, .. } if oldest == second));
    assert_eq!(log.release(third - 1).unwrap().segments, 1);
    assert_eq!(log.release(third - 1).unwrap(), Released::default());
}

#[test]
fn numbers_go_on_when_everything_has_been_released() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), 40, 2);
    let (log, _) = open(directory.path()).unwrap();
    log.release(u64::MAX).unwrap();
    assert_eq!(segments(directory.path()).len(), 1);
    drop(log);
    let (log, recovery) = open(directory.path()).unwrap();
    assert_eq!(recovery.last, 40);
    assert_eq!(log.append(0, &message(41), None).unwrap(), 41);
}

#[test]
fn a_full_directory_refuses_until_something_is_released() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        directory_bytes: 3_000,
        ..small()
    };
    let (log, commits) = watched(directory.path(), options);
    let mut appended = 0;
    let refused = loop {
        match log.append(0, &message(1), Some(receipt(appended + 1))) {
            Ok(sequence) => appended = sequence,
            Err(error) => break error,
        }
        log.sync().unwrap();
    };
    assert!(
        matches!(refused, LogError::Full { limit: 3_000, .. }),
        "{refused}"
    );
    let on_disk: u64 = segments(directory.path())
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert_eq!(log.used_bytes(), on_disk);
    assert!(on_disk <= 3_000);

    log.release(appended).unwrap();
    assert_eq!(log.append(0, &message(1), None).unwrap(), appended + 1);
    log.close().unwrap();
    // The refused message has no receipt among those that became durable.
    let settled: Vec<Receipt> = commits.into_iter().flat_map(|c| c.receipts).collect();
    assert_eq!(settled, (1..=appended).map(receipt).collect::<Vec<_>>());
}

#[test]
fn an_overlong_record_is_refused_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(directory.path(), Options::default(), |_| {}).unwrap();
    let control = |bytes| Body::Control {
        kind: String::new(),
        payload: vec![0; bytes],
    };
    let error = log.append(0, &control(RECORD_BYTES_MAX), None).unwrap_err();
    assert!(matches!(error, LogError::TooLong { .. }));
    let longest = RECORD_BYTES_MAX - control(0).encoded_len();
    assert_eq!(log.append(0, &control(longest), None).unwrap(), 1);
    assert_eq!(log.sync().unwrap(), 1);
    assert_eq!(read(&log, 1).len(), 1);
}

#[test]
fn only_one_log_owns_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = open(directory.path()).unwrap();
    assert!(matches!(open(directory.path()), Err(LogError::Owned(_))));
    drop(log);
    assert!(open(directory.path()).is_ok());
}

#[test]
fn after_a_failed_commit_the_log_refuses_everything() {
    let directory = tempfile::tempdir().unwrap();
    let mut recovered = recover(directory.path()).unwrap();
    // Writing to a file that is open for reading only fails, as a full or broken disk would.
    recovered.file = File::open(&recovered.segments[0].path).unwrap();
    let (commits, seen) = mpsc::channel();
    let start = Log::start(directory.path(), small(), recovered, move |commit| {
        commits.send(commit).unwrap();
    });
    let log = start.unwrap().0;
    let durable = log.durable();
    let sequence = log.append(0, &message(1), Some(receipt(1))).unwrap();
    assert!(matches!(durable.wait(sequence), Err(LogError::GivenUp(_))));
    let error = log.append(0, &message(2), None).unwrap_err();
    assert!(
        error.to_string().contains("cannot write log segment"),
        "{error}"
    );
    assert!(matches!(log.sync(), Err(LogError::GivenUp(_))));
    assert!(matches!(log.close(), Err(LogError::GivenUp(_))));
    assert!(seen.recv().is_err(), "nothing may be reported as durable");
    assert_eq!(durable.sequence(), 0);
}

#[test]
fn a_segment_that_cannot_be_created_fails_the_commit() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = open(directory.path()).unwrap();
    log.append(0, &message(1), None).unwrap();
    log.sync().unwrap();
    fs::remove_dir_all(directory.path()).unwrap();
    let error = loop {
        log.append(0, &message(1), None).unwrap();
        if let Err(error) = log.sync() {
            break error;
        }
    };
    assert!(
        error.to_string().contains("cannot create log segment"),
        "{error}"
    );
}

#[test]
fn a_panic_in_the_callback_leaves_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(directory.path(), small(), |_| panic!("on purpose")).unwrap();
    let durable = log.durable();
    log.append(0, &message(1), None).unwrap();
    assert!(matches!(durable.wait(2), Err(LogError::GivenUp(_))));
}

#[test]
fn waiting_for_a_record_that_never_comes_ends_with_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = open(directory.path()).unwrap();
    let durable = log.durable();
    log.append(0, &message(1), None).unwrap();
    log.close().unwrap();
    assert_eq!(durable.wait(1).unwrap(), 1);
    assert!(matches!(durable.wait(2), Err(LogError::Closed)));
}

#[test]
fn contradicting_options_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 100,
        directory_bytes: 150,
        ..Options::default()
    };
    let error = Log::open(directory.path(), options, |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "log option `directory_bytes` (150) must be at least twice `segment_bytes` (100)"
    );
}
