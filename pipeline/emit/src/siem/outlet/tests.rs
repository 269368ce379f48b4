//! Outlets whose receiver the test plays.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::outlet::{Event, SPOOL_BYTES, Trouble};
use crate::siem::sample::{contact, finding, verdict};

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver that the test plays: what it says to each event, and to being asked whether all came.
#[derive(Clone, Default)]
struct Played {
    arrived: Arc<Mutex<Vec<u32>>>,
    /// What was sent and is not sure to have arrived.
    underway: Vec<u32>,
    sends: u32,
    settles: u32,
    /// Every so many events it breaks, 0 for never, and everything that is underway with it.
    breaks_every: u32,
    /// Every so many times it is settled, that fails.
    unsettled_every: u32,
    refuses: Option<u32>,
}

impl Way<Verdict> for Played {
    fn send(&mut self, event: &Event<'_, Verdict>) -> Result<(), Trouble> {
        self.sends += 1;
        let revision = event.item.revision;
        if self.breaks_every > 0 && self.sends.is_multiple_of(self.breaks_every) {
            self.underway.clear();
            return Err(Trouble::later("it broke"));
        }
        if self.refuses == Some(revision) {
            return Err(Trouble::Never("it wants none of it".to_owned()));
        }
        self.underway.push(revision);
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        self.settles += 1;
        if self.unsettled_every > 0 && self.settles.is_multiple_of(self.unsettled_every) {
            self.underway.clear();
            return Err(Trouble::later("nobody knows"));
        }
        self.arrived.lock().unwrap().append(&mut self.underway);
        Ok(())
    }

    fn window(&self) -> u64 {
        5
    }
}

fn options(name: &str) -> OutletOptions {
    OutletOptions {
        name: name.to_owned(),
        min_grade: Grade::Low,
        only_alerts: false,
        spool_bytes_max: SPOOL_BYTES,
    }
}

fn revision(number: u32) -> Verdict {
    let found = finding("scan", "It looked around.", &contact());
    verdict("HIGH", "updated", number, "text", &found)
}

fn put(outlet: &mut Outlet, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        outlet.take(&revision(number), false).unwrap();
    }
}

fn wait_until(outlet: &Outlet, done: impl Fn(&Status) -> bool) -> Status {
    let began = Instant::now();
    loop {
        let status = outlet.status();
        if done(&status) {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "{status:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn everything_arrives_in_order_however_often_the_way_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let way = Played {
        breaks_every: 7,
        unsettled_every: 3,
        ..Played::default()
    };
    let arrived = way.arrived.clone();
    let mut outlet = Outlet::start(folder.path(), &options("soc"), Box::new(way)).unwrap();
    put(&mut outlet, 1..=20);
    let status = wait_until(&outlet, |status| status.arrived == 20);
    assert_eq!(*arrived.lock().unwrap(), (1..=20).collect::<Vec<_>>());
    assert!(
        status.retries > 0 && status.arrived == 20 && status.lost == 0,
        "{status:?}"
    );
}

#[test]
fn what_is_refused_for_good_is_put_aside_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let way = Played {
        refuses: Some(3),
        ..Played::default()
    };
    let arrived = way.arrived.clone();
    let mut outlet = Outlet::start(folder.path(), &options("soc"), Box::new(way)).unwrap();
    put(&mut outlet, 1..=5);
    let status = wait_until(&outlet, |status| status.arrived == 4);
    assert_eq!(*arrived.lock().unwrap(), [1, 2, 4, 5]);
    assert_eq!((status.arrived, status.refused), (4, 1));
    let dead = fs::read_to_string(folder.path().join("soc/dead.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(dead.trim()).unwrap();
    assert_eq!(line["why"], "it wants none of it");
    let kept: Verdict = serde_json::from_str(line["verdict"].as_str().unwrap()).unwrap();
    assert_eq!(kept, revision(3));
}

#[test]
fn what_is_left_at_the_end_goes_out_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let never = Played {
        breaks_every: 1,
        ..Played::default()
    };
    let mut outlet = Outlet::start(folder.path(), &options("soc"), Box::new(never)).unwrap();
    put(&mut outlet, 1..=9);
    wait_until(&outlet, |status| !status.is_well);
    outlet.close(PATIENCE);
    assert_eq!(outlet.status().waiting, 9);
    drop(outlet);
    let way = Played::default();
    let arrived = way.arrived.clone();
    let mut outlet = Outlet::start(folder.path(), &options("soc"), Box::new(way)).unwrap();
    put(&mut outlet, 10..=12);
    outlet.close(PATIENCE);
    assert_eq!(*arrived.lock().unwrap(), (1..=12).collect::<Vec<_>>());
}

#[test]
fn an_episode_that_was_told_is_told_to_its_end_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = OutletOptions {
        min_grade: Grade::High,
        only_alerts: true,
        ..options("soc")
    };
    let way = Played::default();
    let arrived = way.arrived.clone();
    let found = finding("scan", "It looked around.", &contact());
    let made = |id: &str, grade: &str, state: &str, revision| {
        let mut made = verdict(grade, state, revision, "text", &found);
        id.clone_into(&mut made.verdict_id);
        made
    };
    let mut outlet = Outlet::start(folder.path(), &options, Box::new(way.clone())).unwrap();
    outlet
        .take(&made("a", "MEDIUM", "raised", 1), true)
        .unwrap();
    outlet
        .take(&made("a", "HIGH", "escalated", 2), true)
        .unwrap();
    outlet
        .take(&made("b", "HIGH", "raised", 101), false)
        .unwrap();
    outlet
        .take(&made("a", "HIGH", "updated", 3), false)
        .unwrap();
    outlet.sync().unwrap();
    outlet.close(PATIENCE);
    drop(outlet);
    let mut outlet = Outlet::start(folder.path(), &options, Box::new(way)).unwrap();
    outlet.take(&made("a", "LOW", "cleared", 4), false).unwrap();
    outlet
        .take(&made("b", "HIGH", "cleared", 102), false)
        .unwrap();
    outlet.close(PATIENCE);
    assert_eq!(*arrived.lock().unwrap(), [2, 3, 4]);
}
