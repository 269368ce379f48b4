//! Which verdicts tell one story.

use andon_schemas::finding::{Basis, Confidence};
use andon_schemas::grade::Plane;
use andon_schemas::identity::DeviceId;
use andon_schemas::incident::Judgement;
use andon_schemas::observation::Role;
use andon_schemas::time::Interval;
use serde_json::json;

use super::involve::VERDICTS_MAX;
use super::*;
use crate::tests::revision;
use andon_schemas::command::Action;

fn minute(minutes: i64) -> EventTime {
    EventTime::default() + Span::MINUTE.times(minutes)
}

fn finding(detector: &str, peer: &str, role: Role) -> Finding {
    Finding {
        detector: detector.to_owned(),
        grade: Grade::High,
        counts_as: None,
        proven: true,
        rule: true,
        plane: Plane::Network,
        score: 75,
        p_value: None,
        observed: json!({ "peer": peer }),
        expected: json!({}),
        sentence: String::new(),
        clears: String::new(),
        techniques: vec!["T0885".to_owned()],
        confidence: Confidence {
            basis: Basis::Policy,
            n: 0,
        },
        window: Interval {
            start: minute(0),
            end: minute(0),
        },
        role: Some(role),
        count: 1,
        active: true,
        inputs: json!({}),
        profile: None,
        source: Vec::new(),
    }
}

/// A verdict about a device of the segment that its name begins with, with one finding.
fn verdict(device: &str, at: i64, grade: Grade, detector: &str, peer: &str) -> Verdict {
    let mut verdict = revision(&format!("v-{device}-{at}"), 1, 0, Action::Watch);
    verdict.device_id = DeviceId::new(device).unwrap();
    verdict.segment = device[..1].to_owned();
    verdict.grade = grade;
    verdict.event_time = minute(at);
    verdict.window = Interval {
        start: minute(at),
        end: minute(at),
    };
    verdict.findings = vec![finding(detector, peer, Role::Originator)];
    verdict
}

fn cleared(verdict: &Verdict, at: i64) -> Verdict {
    let mut cleared = verdict.clone();
    cleared.revision += 1;
    cleared.state = State::Cleared;
    cleared.window.end = minute(at);
    cleared
}

fn id(incidents: &mut Incidents, verdict: &Verdict) -> Option<String> {
    incidents.take(verdict);
    incidents
        .of(&verdict.verdict_id)
        .map(|incident| incident.incident_id.clone())
}

#[test]
fn what_is_found_about_one_device_is_one_story() {
    let mut all = Incidents::new();
    let first = verdict("a-1", 0, Grade::High, "traffic_volume", "");
    let begun = id(&mut all, &first).unwrap();
    assert!(all.take(&cleared(&first, 60)).is_none());
    assert_eq!(all.settle().len(), 1);
    assert_eq!(all.get(&begun).unwrap().state, IncidentState::Over);
    assert_eq!(all.get(&begun).unwrap().over, Some(minute(60)));
    // Even what alone would be worth nothing.
    let later = verdict("a-1", 120, Grade::Low, "off_hours", "");
    assert_eq!(id(&mut all, &later), Some(begun.clone()));
    let told = all.settle();
    let incident = all.get(&begun).unwrap();
    assert_eq!(told, std::slice::from_ref(incident));
    assert_eq!(incident.state, IncidentState::Open);
    assert_eq!(incident.verdicts[1].link, Link::Device);
    assert_eq!((incident.revision, incident.over), (3, None));
}

#[test]
fn a_low_verdict_begins_nothing_until_it_gets_worse() {
    let mut all = Incidents::new();
    let mut verdict = verdict("a-1", 0, Grade::Low, "off_hours", "");
    assert!(all.take(&verdict).is_none());
    verdict.revision = 2;
    verdict.grade = Grade::Medium;
    assert_eq!(all.take(&verdict).unwrap().revision, 1);
    assert!(all.take(&verdict).is_none(), "told again, it is no news");
    assert_eq!(all.settle(), []);
}

#[test]
fn who_talks_to_the_same_stranger_is_in_the_same_story_and_who_talks_to_the_historian_is_not() {
    let mut all = Incidents::new();
    let strange = |device, at| {
        verdict(
            device,
            at,
            Grade::Critical,
            "unknown_destination",
            "9.9.9.9",
        )
    };
    let first = id(&mut all, &strange("a-1", 0)).unwrap();
    assert_eq!(id(&mut all, &strange("b-1", 600)), Some(first.clone()));
    all.settle();
    let incident = all.get(&first).unwrap();
    assert_eq!(incident.verdicts[1].link, Link::Destination);
    assert_eq!(incident.destinations, ["9.9.9.9"]);
    assert_eq!(incident.segments, ["a", "b"]);
    assert!(incident.sentence.ends_with("One more device is in it."));
    let listed = |device| verdict(device, 700, Grade::High, "off_hours", "10.0.0.1");
    let (c, d) = (listed("c-1"), listed("d-1"));
    assert_ne!(id(&mut all, &c), id(&mut all, &d));
}

#[test]
fn an_attacker_is_named_where_the_device_was_called() {
    let mut called = verdict("a-1", 0, Grade::Medium, "unknown_command", "10.9.9.9");
    called.findings[0].role = Some(Role::Responder);
    let mut all = Incidents::new();
    assert_eq!(all.take(&called).unwrap().destinations, ["10.9.9.9"]);
}

#[test]
fn the_same_in_a_segment_within_a_quarter_of_an_hour_is_one_story() {
    let mut all = Incidents::new();
    let silent = |device, at| verdict(device, at, Grade::Medium, "silence", "");
    let first = id(&mut all, &silent("a-1", 0)).unwrap();
    assert_eq!(id(&mut all, &silent("a-2", 14)), Some(first.clone()));
    assert_eq!(id(&mut all, &silent("a-3", 28)), Some(first.clone()));
    assert_eq!(all.get(&first).unwrap().verdicts[2].link, Link::Segment);
    assert_ne!(id(&mut all, &silent("a-4", 44)), Some(first.clone()));
    assert_ne!(id(&mut all, &silent("b-1", 29)), Some(first));
}

#[test]
fn a_day_after_the_last_thing_happened_it_is_let_go_of_unless_it_is_open() {
    let mut all = Incidents::new();
    let (open, over) = (
        verdict("a-1", 0, Grade::High, "traffic_volume", ""),
        verdict("b-1", 0, Grade::High, "traffic_volume", ""),
    );
    let (open_id, over_id) = (id(&mut all, &open).unwrap(), id(&mut all, &over).unwrap());
    all.take(&cleared(&over, 1));
    let day = 24 * 60;
    all.take(&verdict("c-1", day + 2, Grade::High, "scan", ""));
    assert!(all.get(&over_id).is_none());
    assert!(all.get(&open_id).is_some());
    let again = verdict("b-1", day + 3, Grade::High, "traffic_volume", "");
    assert_ne!(id(&mut all, &again), Some(over_id));
}

#[test]
fn there_are_never_more_than_can_be_kept() {
    let mut all = Incidents::new();
    for number in 0..=INCIDENTS_MAX {
        let device = format!("{number}-x");
        let mut verdict = verdict(&device, 0, Grade::High, "traffic_volume", "");
        verdict.segment.clear();
        all.take(&verdict).unwrap();
    }
    assert!(all.all().count() <= INCIDENTS_MAX);
    assert!(all.index.devices.len() <= INCIDENTS_MAX && all.index.verdicts.len() <= INCIDENTS_MAX);
}

#[test]
fn what_was_saved_goes_on() {
    let mut all = Incidents::new();
    let strange = |device, at| {
        verdict(
            device,
            at,
            Grade::Critical,
            "unknown_destination",
            "9.9.9.9",
        )
    };
    let first = id(&mut all, &strange("a-1", 0)).unwrap();
    let silent = |device, at| verdict(device, at, Grade::Medium, "silence", "");
    let second = id(&mut all, &silent("c-1", 1)).unwrap();
    all.take(&cleared(&strange("a-1", 0), 2));
    let text = serde_json::to_string(&all).unwrap();
    let mut again: Incidents = serde_json::from_str(&text).unwrap();
    assert_eq!(again, all);
    assert_eq!(id(&mut again, &strange("b-1", 3)), Some(first.clone()));
    assert_eq!(id(&mut again, &strange("a-1", 4)), Some(first));
    assert_eq!(id(&mut again, &silent("c-2", 5)), Some(second));
    assert_eq!(again.settle().len(), 2, "what was not told yet is told");
}

/// Whatever comes, what was kept piece by piece comes to the same as the whole.
#[test]
fn what_was_kept_piece_by_piece_goes_on() {
    let mut all = Incidents::piecewise();
    let mut kept: BTreeMap<String, KeptIncident> = BTreeMap::new();
    let mut chance: u64 = 7;
    let mut draw = |n: usize| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(chance >> 33).unwrap() % n
    };
    let mut open: Vec<Verdict> = Vec::new();
    for step in 0..4_000_i64 {
        let at = step * 3;
        let device = format!("{}-{}", ["a", "b", "c"][draw(3)], draw(20));
        let grade = [Grade::Low, Grade::Medium, Grade::High][draw(3)];
        let detector = ["scan", "silence", "unknown_destination"][draw(3)];
        let peer = ["", "9.9.9.9", "8.8.8.8", "7.7.7.7"][draw(4)];
        if draw(3) == 0 && !open.is_empty() {
            let verdict = open.swap_remove(draw(open.len()));
            all.take(&cleared(&verdict, at));
        } else {
            let verdict = verdict(&device, at, grade, detector, peer);
            all.take(&verdict);
            open.push(verdict);
        }
        if draw(5) > 0 {
            continue;
        }
        all.settle();
        for id in all.take_touched() {
            match all.kept(&id) {
                Some(held) => kept.insert(id, held.clone()),
                None => kept.remove(&id),
            };
        }
        let mut again = Incidents::piecewise();
        let order: Vec<KeptIncident> = kept.values().rev().cloned().collect();
        for held in order {
            again.resume(held);
        }
        again.take_touched();
        assert_eq!(again, all, "step {step}");
    }
    assert!(kept.len() > 10, "{}", kept.len());
}

#[test]
fn a_judgement_stands_once_and_can_be_changed() {
    let mut all = Incidents::new();
    let first = id(&mut all, &verdict("a-1", 0, Grade::High, "scan", "")).unwrap();
    let judged = |judgement| Judged {
        judgement,
        by: "ada".to_owned(),
        at: minute(1),
        note: "seen on site".to_owned(),
    };
    assert!(all.judge(&first, judged(Judgement::Benign)).unwrap().1);
    assert!(!all.judge(&first, judged(Judgement::Benign)).unwrap().1);
    all.take(&verdict("a-1", 2, Grade::High, "scan", ""));
    let (incident, is_news) = all.judge(&first, judged(Judgement::TruePositive)).unwrap();
    assert!(is_news && incident.revision == 3);
    assert_eq!(incident.verdicts.len(), 2);
    assert_eq!(all.settle(), [], "that was told with the judgement");
    let (incident, _) = all.judge(&first, judged(Judgement::FalsePositive)).unwrap();
    assert!(incident.was_true, "whoever was told so has to hear it");
    assert!(all.judge("none", judged(Judgement::Benign)).is_none());
}

#[test]
fn an_incident_of_a_whole_plant_is_over_when_all_of_it_is() {
    let mut all = Incidents::new();
    let silent = |number: usize| {
        let mut silent = verdict("a-1", 0, Grade::Medium, "silence", "");
        silent.verdict_id = format!("v-{number}");
        silent.device_id = DeviceId::new(&format!("a-{number}")).unwrap();
        silent
    };
    let count = VERDICTS_MAX + 50;
    let first = id(&mut all, &silent(0)).unwrap();
    (1..count).for_each(|number| drop(all.take(&silent(number))));
    let told = all.settle();
    assert_eq!(told.len(), 1, "one story is told once");
    assert_eq!((told[0].verdicts.len(), told[0].more), (VERDICTS_MAX, 50));
    (1..count).for_each(|number| drop(all.take(&cleared(&silent(number), 1))));
    all.take(&cleared(&silent(0), 1));
    assert_eq!(all.get(&first).unwrap().state, IncidentState::Over);
    assert_eq!(all.index.verdicts.len(), VERDICTS_MAX);
}
