//! What is carried out, answered, kept and restored, with a kernel that may refuse.

use std::path::Path;

use andon_schemas::command::Action;
use serde_json::json;

use super::super::sample::{PLANT, at, command, id, post, shields, shields_of};
use super::*;

/// A kernel in memory.
#[derive(Debug, Default)]
struct Fake {
    table: Option<String>,
    refuses: bool,
    replaced: usize,
}

impl Kernel for Fake {
    fn replace(&mut self, script: &str) -> Result<(), String> {
        if self.refuses {
            return Err("nft refuses: no".to_owned());
        }
        self.replaced += 1;
        self.table = script.contains("hook forward").then(|| script.to_owned());
        Ok(())
    }

    fn holds(&mut self, mark: Option<&str>) -> Result<bool, String> {
        Ok(match (mark, &self.table) {
            (Some(mark), Some(table)) => table.contains(mark),
            (None, table) => table.is_none(),
            (Some(_), None) => false,
        })
    }
}

fn point(folder: Option<&Path>) -> Point<Fake> {
    let keep = folder.map(|folder| Keep::open(folder, "cell", "gate-1").unwrap());
    Point::new(post(), shields(), Fake::default(), keep)
}

fn obey(point: &mut Point<Fake>, device: &str, action: Action, until: i64, now: i64) -> Ack {
    let command = command(device, action, at(until));
    point.obey(&id(device), &command, at(now)).unwrap()
}

fn is_cut(point: &mut Point<Fake>, address: &str) -> bool {
    let table = point.kernel().table.as_ref();
    table.is_some_and(|table| table.contains(&format!("{address} timeout")))
}

#[test]
fn a_command_is_carried_out_and_answered_by_its_name() {
    let mut point = point(None);
    let ack = obey(&mut point, "press-1", Action::Quarantine, 60, 0);
    assert_eq!(ack.check(), Ok(()));
    assert_eq!((ack.result, &*ack.enforcer), (AckResult::Done, "gate-1"));
    let sent = command("press-1", Action::Quarantine, at(60));
    assert_eq!((ack.key, ack.expiry), (Some(sent.key), Some(sent.expiry)));
    assert!(is_cut(&mut point, "10.77.1.10"));
    // Once more changes nothing, and is answered.
    let again = obey(&mut point, "press-1", Action::Quarantine, 60, 1);
    assert_eq!(
        (again.result, point.kernel().replaced),
        (AckResult::Done, 1)
    );
    let lifted = obey(&mut point, "press-1", Action::Quarantine, 2, 2);
    assert_eq!(&*lifted.detail, "lifted");
    assert_eq!(point.kernel().table, None);
    assert_eq!((point.counts().done, point.counts().failed), (3, 0));
}

#[test]
fn what_goes_through_a_gateway_is_said_not_to_be_cut() {
    let ack = obey(&mut point(None), "press-2", Action::Quarantine, 60, 0);
    assert!(ack.detail.contains("through `gw-cell`"), "{}", ack.detail);
}

#[test]
fn devices_of_others_are_left_to_them() {
    let mut point = point(None);
    for device in ["historian", "nobody", "ip:203.0.113.7"] {
        let command = command(device, Action::Isolate, at(60));
        assert_eq!(point.obey(&id(device), &command, at(0)), None);
    }
    assert_eq!((point.counts().foreign, point.kernel().replaced), (3, 0));
}

#[test]
fn what_is_not_known_to_be_safe_fails_and_cuts_nothing() {
    let mut point = point(None);
    let month = 31 * 86_400;
    for (device, until, why) in [
        ("arm-1", 60, "nothing says which flows"),
        ("saw-1", 60, "guard.example.net"),
        ("press-1", month, "do the clocks agree?"),
    ] {
        let ack = obey(&mut point, device, Action::Isolate, until, 0);
        assert_eq!(ack.result, AckResult::Failed);
        assert!(ack.detail.contains(why), "{}", ack.detail);
    }
    assert_eq!(point.counts().failed, 3);
    assert_eq!(point.kernel().table, None);
}

#[test]
fn it_does_not_cut_itself() {
    let written = PLANT.replace("id: gw-cell,", "id: gate-1,");
    let written = written.replace("gateway: gw-cell", "gateway: gate-1");
    let mut point = Point::new(post(), shields_of(&written), Fake::default(), None);
    let ack = obey(&mut point, "gate-1", Action::Isolate, 60, 0);
    assert!(ack.detail.contains("itself"), "{}", ack.detail);
}

#[test]
fn a_kernel_that_refuses_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut point = point(Some(folder.path()));
    obey(&mut point, "press-1", Action::Isolate, 60, 0);
    point.kernel().refuses = true;
    let ack = obey(&mut point, "lamp-1", Action::Quarantine, 60, 1);
    assert_eq!(
        (ack.result, &*ack.detail),
        (AckResult::Failed, "nft refuses: no")
    );
    let lift = obey(&mut point, "press-1", Action::Isolate, 2, 2);
    assert_eq!(lift.result, AckResult::Failed);
    assert!(is_cut(&mut point, "10.77.1.10") && !is_cut(&mut point, "10.77.1.12"));
    let keep = point.keep.as_ref().unwrap().load().unwrap();
    let kept: Vec<_> = keep.iter().map(|kept| kept.device.as_str()).collect();
    assert_eq!(kept, ["press-1"]);
    // What it refused once is not tried behind anybody's back.
    point.kernel().refuses = false;
    point.look(at(3)).unwrap();
    assert!(is_cut(&mut point, "10.77.1.10") && !is_cut(&mut point, "10.77.1.12"));
}

#[test]
fn what_lapses_is_taken_out_even_if_the_kernel_was_slow_to_hear() {
    let mut point = point(None);
    obey(&mut point, "press-1", Action::Isolate, 60, 0);
    point.tick(at(59)).unwrap();
    assert!(is_cut(&mut point, "10.77.1.10"));
    point.kernel().refuses = true;
    point.tick(at(60)).unwrap_err();
    point.kernel().refuses = false;
    point.look(at(70)).unwrap();
    assert_eq!(point.kernel().table, None);
    assert_eq!(point.counts().lapsed, 1);
}

#[test]
fn a_table_that_somebody_flushed_is_put_back() {
    let mut point = point(None);
    obey(&mut point, "press-1", Action::Isolate, 60, 0);
    point.look(at(1)).unwrap();
    assert_eq!(point.counts().put_back, 0);
    point.kernel().table = None;
    point.look(at(2)).unwrap();
    assert!(is_cut(&mut point, "10.77.1.10"));
    assert_eq!(point.counts().put_back, 1);
}

#[test]
fn a_restart_restores_what_stands_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = point(Some(folder.path()));
    before.restore(at(0)).unwrap();
    obey(&mut before, "press-1", Action::Quarantine, 60, 0);
    obey(&mut before, "lamp-1", Action::Isolate, 30, 0);
    obey(&mut before, "press-2", Action::Isolate, 60, 0);
    obey(&mut before, "press-2", Action::Isolate, 5, 5);
    drop(before);
    let mut after = point(Some(folder.path()));
    // Left behind by whoever died half-way.
    after.kernel().table = Some("10.77.1.11 timeout".to_owned());
    assert_eq!(after.restore(at(40)).unwrap(), []);
    assert!(is_cut(&mut after, "10.77.1.10"));
    assert!(!is_cut(&mut after, "10.77.1.11") && !is_cut(&mut after, "10.77.1.12"));
    assert_eq!((after.counts().restored, after.counts().lapsed), (1, 1));
}

#[test]
fn what_can_no_longer_be_spared_is_not_restored_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    obey(
        &mut point(Some(folder.path())),
        "press-1",
        Action::Quarantine,
        60,
        0,
    );
    // The plant has changed: its safety controller is nowhere any more.
    let written = PLANT.replace("names: safety-plc.cell.local", "names: other.cell.local");
    let keep = Keep::open(folder.path(), "cell", "gate-1").unwrap();
    let mut point = Point::new(post(), shields_of(&written), Fake::default(), Some(keep));
    let answers = point.restore(at(1)).unwrap();
    let [ack] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!(ack.result, AckResult::Failed);
    assert!(
        ack.detail.contains("no longer carried out"),
        "{}",
        ack.detail
    );
    assert_eq!(point.kernel().table, None);
}

#[test]
fn another_plant_is_taken_up_only_if_all_that_stands_can_go_on_there() {
    let mut point = point(None);
    obey(&mut point, "press-1", Action::Quarantine, 60, 0);
    let without = PLANT.replace("names: safety-plc.cell.local", "names: other.cell.local");
    let refused = point.move_to(post(), shields_of(&without), at(1));
    assert!(refused.unwrap_err().contains("`press-1`"));
    let moved = PLANT.replace("[10.77.1.10, ", "[10.77.1.20, ");
    point.move_to(post(), shields_of(&moved), at(2)).unwrap();
    assert!(is_cut(&mut point, "10.77.1.20") && !is_cut(&mut point, "10.77.1.10"));
}

#[test]
fn what_cannot_be_read_is_counted_and_answered_if_it_is_named() {
    let mut point = point(None);
    let topic = "andon/v1/out/cell/press-1/enforcement";
    assert_eq!(point.hear(topic, b"{", at(0)), None);
    let bad = json!({ "key": "k", "action": "dance", "scope": [], "expiry": at(60) });
    let ack = point
        .hear(topic, bad.to_string().as_bytes(), at(0))
        .unwrap();
    assert_eq!(
        (ack.result, ack.key.as_deref()),
        (AckResult::Failed, Some("k"))
    );
    let elsewhere = topic.replace("press-1", "historian");
    assert_eq!(
        point.hear(&elsewhere, bad.to_string().as_bytes(), at(0)),
        None
    );
    assert_eq!(point.counts().unreadable, 3);
    let good = serde_json::to_vec(&command("press-1", Action::Isolate, at(60))).unwrap();
    assert!(point.hear(topic, &good, at(0)).is_some());
}

#[test]
fn a_detail_is_cut_to_what_an_answer_may_hold() {
    assert_eq!(bounded("a\u{1}b"), "a?b");
    assert_eq!(bounded(&"é".repeat(600)).len(), REASON_BYTES_MAX);
}
