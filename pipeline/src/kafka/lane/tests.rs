//! A lane that is taken up at any epoch, from any snapshot that may still be used, goes on exactly
//! as the one that never stopped.

use std::time::{Duration, Instant};

use andon_emit::kafka::Outgoing;
use andon_ingest::kafka::Message;
use andon_ingest::kafka::payload::{self, Payloads};
use andon_schemas::advisory::Advisor as _;
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;

use super::Lane;
use crate::advisories::Advisor;
use crate::args::PlantArgs;
use crate::blueprint::Blueprint;
use crate::kafka::address::{Addressee, Producers, addressees};
use crate::kafka::journal::EpochRecord;
use crate::kafka::measure::Measure;
use crate::kafka::names::Names;
use crate::kafka::partitioner::Partitioner;
use crate::kafka::snapshot::Snapshot;

const PRODUCERS: Producers = Producers {
    trusted: true,
    partitioner: Partitioner::Any,
    partitions: 4,
};

fn measure() -> Measure {
    let blueprint = Blueprint::read(&PlantArgs::default(), Mode::Monitor).unwrap();
    Measure::of(blueprint, -1).unwrap()
}

/// What happens to a lane.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A row of one of a few devices, so many seconds after the beginning.
    Row {
        offset: i64,
        device: u32,
        second: i64,
    },
    /// Nothing came for so many seconds.
    Idle {
        seconds: u64,
    },
    Epoch {
        with_snapshot: bool,
    },
}

/// Numbers that look random and are always the same.
struct Luck(u64);

impl Luck {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// Hours of rows with gaps in offsets and in time, idle spells and epochs in between.
fn story(seed: u64) -> Vec<Event> {
    let mut luck = Luck(seed);
    let (mut offset, mut second) = (7, 0);
    let mut events = Vec::new();
    for _ in 0..400 {
        match luck.below(10) {
            0 => events.push(Event::Epoch {
                with_snapshot: luck.below(3) == 0,
            }),
            1 => events.push(Event::Idle {
                seconds: 1 + luck.below(900),
            }),
            _ => {
                offset += 1 + i64::try_from(luck.below(3)).unwrap();
                second += i64::try_from(luck.below(120)).unwrap();
                let device = 1 + u32::try_from(luck.below(4)).unwrap();
                events.push(Event::Row {
                    offset,
                    device,
                    second,
                });
            }
        }
    }
    events.push(Event::Epoch {
        with_snapshot: false,
    });
    events
}

fn start() -> EventTime {
    EventTime::from_micros(1_765_530_000_000_000)
}

/// `now` stands still: only idle spells take time.
fn give(lane: &mut Lane, event: Event, now: Instant) -> Option<(Option<Snapshot>, Vec<Outgoing>)> {
    match event {
        Event::Row {
            offset,
            device,
            second,
        } => {
            let at = start() + andon_schemas::time::Span::from_secs(second);
            let known = second % 5 != 0;
            let peer = if known {
                "10.1.10.250:44818"
            } else {
                "203.0.113.7:4444"
            };
            let payload = serde_json::json!({
                "kind": "flow", "time": at, "orig": format!("10.1.10.{device}:40000"),
                "resp": peer, "transport": "udp", "state": "answered", "orig_bytes": 120,
            })
            .to_string();
            let key = format!("cnc-controller-01-{device:04}");
            let message = Message {
                partition: 3,
                offset,
                key: Some(key.as_bytes()),
                payload: Some(payload.as_bytes()),
                stamped: at,
            };
            let mut payloads = Payloads::new(&payload::Options::default()).unwrap();
            lane.take(&[message], &mut payloads, now).unwrap();
            None
        }
        Event::Idle { seconds } => {
            lane.idle(now + Duration::from_secs(seconds));
            None
        }
        Event::Epoch { with_snapshot } => {
            lane.run().unwrap();
            let snapshot = lane.close_epoch(with_snapshot).unwrap();
            Some((snapshot, std::mem::take(&mut lane.draft().records)))
        }
    }
}

/// What comes out for others, without the lane's own state.
fn said(records: &[Outgoing]) -> Vec<&Outgoing> {
    let is_state = |record: &&Outgoing| &*record.topic == "andon.state.v1";
    records.iter().filter(|record| !is_state(record)).collect()
}

#[test]
fn a_lane_taken_up_at_any_epoch_says_what_it_would_have_said() {
    let (names, measure, now) = (Names::of("andon"), measure(), Instant::now());
    for seed in 1..=4 {
        let story = story(seed);
        let begin = EpochRecord {
            line: 9,
            partitions: 4,
            next: 8,
            ..EpochRecord::default()
        };
        let mut lane = Lane::new(3, &names, PRODUCERS, &measure, begin);
        // Every epoch: where in the story it ended, what was committed, what had come out.
        let mut epochs: Vec<(usize, EpochRecord, Vec<Outgoing>)> = Vec::new();
        let mut snapshots: Vec<Snapshot> = Vec::new();
        for (at, event) in story.iter().enumerate() {
            if let Some((snapshot, records)) = give(&mut lane, *event, now) {
                snapshots.extend(snapshot);
                epochs.push((at, lane.epoch().clone(), records));
            }
        }
        let (mut tried, mut repeated) = (0, 0);
        for (number, (stopped, committed, _)) in epochs.iter().enumerate() {
            let usable =
                |s: &&Snapshot| (committed.oldest..=committed.epoch).contains(&s.manifest.epoch);
            for snapshot in snapshots.iter().filter(usable) {
                tried += 1;
                let committed = committed.clone();
                let mut again = Lane::resume(
                    snapshot,
                    committed,
                    Vec::new(),
                    &names,
                    PRODUCERS,
                    &measure,
                    now,
                )
                .unwrap();
                // Rows come again from where the snapshot was taken.
                for event in &story[..=*stopped] {
                    if let Event::Row { .. } = event {
                        give(&mut again, *event, now);
                    }
                }
                again.reached_end();
                assert!(again.is_live());
                // Whoever looks on is told what is new apart from what was on the way to it.
                let news = again.draft().take_news();
                assert_eq!(news.items.len(), 0, "seed {seed}, epoch {number}");
                repeated += news.again.len();
                let mut later = epochs[number + 1..].iter();
                for event in &story[stopped + 1..] {
                    if let Some((_, records)) = give(&mut again, *event, now) {
                        let (_, _, before) = later.next().unwrap();
                        assert_eq!(said(&records), said(before), "seed {seed}, epoch {number}");
                    }
                }
                assert_eq!(again.tally(), lane.tally());
            }
        }
        assert!(tried > epochs.len(), "{tried} of {}", epochs.len());
        assert!(repeated > 0, "no verdict was repeated");
    }
}

#[test]
fn a_key_is_folded_before_its_device_is_looked_for() {
    let (names, measure, now) = (Names::of("andon"), measure(), Instant::now());
    let begin = EpochRecord::default();
    let mut lane = Lane::new(3, &names, PRODUCERS, &measure, begin);
    let mut payloads = Payloads::new(&payload::Options::default()).unwrap();
    for (offset, named) in [(0, ""), (1, r#""device":"cnc-controller-01-0001","#)] {
        let payload = format!(
            r#"{{"kind":"flow",{named}"time":"{}","orig":"10.1.10.250:40000","resp":"10.1.10.1:44818","transport":"udp"}}"#,
            start()
        );
        let message = Message {
            partition: 3,
            offset,
            key: Some(b"CNC-Controller-01-0001"),
            payload: Some(payload.as_bytes()),
            stamped: start(),
        };
        let plant = measure.plant.clone();
        let addressees = addressees(&[message], PRODUCERS, plant.inventory());
        assert!(matches!(addressees[..], [Ok(Addressee::Listed(..))]));
        lane.take(&[message], &mut payloads, now).unwrap();
    }
    assert_eq!((lane.tally().records, lane.tally().observed), (2, 2));
}

#[test]
fn what_a_device_attests_is_known_to_whoever_asks_for_advisories() {
    let (names, measure, now) = (Names::of("andon"), measure(), Instant::now());
    let folder = tempfile::tempdir().unwrap();
    let table = "vendor,product,versions,cve\nAcme,Press 100,<2.0,CVE-1\n";
    std::fs::write(folder.path().join("a.csv"), table).unwrap();
    let advisor = Advisor::open(&[folder.path().to_owned()]).unwrap();
    let mut lane = Lane::new(3, &names, PRODUCERS, &measure, EpochRecord::default());
    lane.advisor.clone_from(&advisor);
    let mut payloads = Payloads::new(&payload::Options::default()).unwrap();
    let payload = format!(
        r#"{{"kind":"attestation","time":"{}","firmware":"1.7"}}"#,
        start()
    );
    let message = Message {
        partition: 3,
        offset: 0,
        key: Some(b"cnc-controller-01-0001"),
        payload: Some(payload.as_bytes()),
        stamped: start(),
    };
    lane.take(&[message], &mut payloads, now).unwrap();
    let id = DeviceId::new("cnc-controller-01-0001").unwrap();
    let told = advisor.unwrap().of(&id, None);
    assert_eq!(told.firmware.unwrap().version, "1.7");
}
