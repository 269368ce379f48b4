//! The spool across fullness, restarts and crashes.

use std::io::Write as _;

use super::*;

const NOW: Duration = Duration::ZERO;

fn put(spool: &Spool, numbers: std::ops::Range<u32>) -> u64 {
    numbers
        .map(|number| spool.put(format!("{number:01000}").as_bytes()).unwrap())
        .sum()
}

/// What is read from a place on, in so many lines at once, and the place after.
fn read(spool: &Spool, mut from: Place) -> (Vec<u32>, Place) {
    let mut all = Vec::new();
    loop {
        let lines = spool.take(from, 7, NOW).unwrap();
        let Some((_, last)) = lines.last() else {
            return (all, from);
        };
        from = *last;
        let texts = lines
            .iter()
            .map(|(line, _)| std::str::from_utf8(line).unwrap());
        all.extend(texts.map(|text| text.parse::<u32>().unwrap()));
    }
}

#[test]
fn lines_come_out_as_they_went_in_and_stay_until_they_have_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), SPOOL_BYTES_MIN).unwrap();
    assert_eq!(put(&spool, 0..30), 0);
    let (all, _) = read(&spool, spool.place());
    assert_eq!(all, (0..30).collect::<Vec<_>>());
    let ten = spool.take(spool.place(), 10, NOW).unwrap();
    // A part ends where it ends.
    let count = ten.len() as u64;
    spool.arrived(ten.last().unwrap().1).unwrap();
    assert_eq!(spool.waiting(), 30 - count);
    drop(spool);
    let spool = Spool::open(folder.path(), SPOOL_BYTES_MIN).unwrap();
    assert_eq!(spool.waiting(), 30 - count);
    let (rest, end) = read(&spool, spool.place());
    assert_eq!(
        rest,
        (u32::try_from(count).unwrap()..30).collect::<Vec<_>>()
    );
    spool.arrived(end).unwrap();
    assert_eq!(spool.waiting(), 0);
    put(&spool, 30..32);
    assert_eq!(read(&spool, end).0, [30, 31]);
}

#[test]
fn a_full_spool_loses_the_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), SPOOL_BYTES_MIN).unwrap();
    let lost = put(&spool, 0..200);
    let (all, _) = read(&spool, Place::default());
    assert_eq!(all.len() as u64, 200 - lost);
    assert_eq!(all, (u32::try_from(lost).unwrap()..200).collect::<Vec<_>>());
    assert_eq!(spool.waiting(), 200 - lost);
    assert!(lost > 100);
    let bytes: u64 = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= SPOOL_BYTES_MIN);
}

#[test]
fn what_arrives_after_it_fell_off_is_not_counted_twice() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), SPOOL_BYTES_MIN).unwrap();
    put(&spool, 0..3);
    let lines = spool.take(spool.place(), 3, NOW).unwrap();
    let lost = put(&spool, 3..200);
    spool.arrived(lines.last().unwrap().1).unwrap();
    assert_eq!(spool.waiting(), 200 - lost);
}

#[test]
fn half_a_line_of_a_crash_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    put(&Spool::open(folder.path(), 0).unwrap(), 0..2);
    let path = part_path(folder.path(), 1);
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"0000")
        .unwrap();
    let spool = Spool::open(folder.path(), 0).unwrap();
    put(&spool, 2..3);
    assert_eq!(read(&spool, spool.place()).0, [0, 1, 2]);
}

#[test]
fn a_place_that_cannot_be_read_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(READ), "somewhere").unwrap();
    let error = Spool::open(folder.path(), 0).unwrap_err().to_string();
    assert!(error.contains("sent again"), "{error}");
}

#[test]
fn whoever_waits_hears_of_news_and_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), 0).unwrap();
    let wait = |from: Place| spool.take(from, 9, Duration::from_secs(60)).unwrap().len();
    let start = spool.place();
    std::thread::scope(|scope| {
        let waits = scope.spawn(move || wait(start));
        put(&spool, 0..1);
        assert_eq!(waits.join().unwrap(), 1);
    });
    let (_, end) = read(&spool, start);
    std::thread::scope(|scope| {
        let waits = scope.spawn(move || wait(end));
        spool.close();
        assert_eq!(waits.join().unwrap(), 0);
    });
}

#[test]
fn what_a_machine_lost_after_it_arrived_hides_nothing_that_comes_later() {
    for damage in ["shorter", "gone"] {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), SPOOL_BYTES_MIN).unwrap();
        put(&spool, 0..3);
        let (_, end) = read(&spool, spool.place());
        spool.arrived(end).unwrap();
        drop(spool);
        let part = folder.path().join("00000001.spool");
        match damage {
            "shorter" => File::options()
                .write(true)
                .open(&part)
                .unwrap()
                .set_len(1_500)
                .unwrap(),
            _ => fs::remove_file(&part).unwrap(),
        }
        let spool = Spool::open(folder.path(), SPOOL_BYTES_MIN).unwrap();
        assert_eq!(spool.waiting(), 0, "{damage}");
        put(&spool, 3..6);
        assert_eq!(spool.waiting(), 3, "{damage}");
        assert_eq!(read(&spool, spool.place()).0, [3, 4, 5], "{damage}");
    }
}

#[test]
fn what_arrived_of_a_part_that_fell_off_is_not_taken_from_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), SPOOL_BYTES_MIN).unwrap();
    put(&spool, 0..6);
    // All of the first part, and some of the second, were sent; then the first falls off.
    let (all, end) = read(&spool, spool.place());
    assert_eq!(all.len(), 6);
    let mut next = 6;
    while put(&spool, next..next + 1) == 0 {
        next += 1;
    }
    let (left, _) = read(&spool, end);
    spool.arrived(end).unwrap();
    assert_eq!(spool.waiting(), left.len() as u64);
    assert_eq!(read(&spool, spool.place()).0, left);
}
