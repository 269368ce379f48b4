//! Which episodes are the same, what became of them, and why.

use serde_json::json;

use super::*;

/// An episode of a device: what it is called, when it opened, how long it lasted, what it found.
fn verdict(id: &str, device: &str, hour: i64, hours: i64, findings: &[(&str, Grade)]) -> Verdict {
    let at = |hour: i64| EventTime::from_micros(hour * 3_600_000_000);
    let worst = findings.iter().map(|(_, grade)| *grade).max().unwrap();
    let finding = |(detector, grade): &(&str, Grade)| {
        json!({
            "detector": detector, "grade": grade, "rule": true, "plane": "network", "score": 50,
            "p_value": null, "observed": null, "expected": null, "sentence": "", "clears": "",
            "techniques": [], "confidence": { "basis": "policy", "n": 0 },
            "window": { "start": at(hour), "end": at(hour) }, "count": 1, "active": true,
            "inputs": null, "source": [],
        })
    };
    serde_json::from_value(json!({
        "schema": "andon.verdict.v1", "verdict_id": id, "revision": 1, "state": "raised",
        "device_id": device, "device_type": "pump", "segment": "", "risk_class": null, "site": "",
        "event_time": at(hour), "window": { "start": at(hour), "end": at(hour + hours) },
        "grade": worst, "confidence": { "basis": "policy", "n": 0 },
        "risk": { "score": 50, "trust": 50, "band": "medium" }, "sentence": "",
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        "response": {
            "action": "watch", "mode": "monitor", "scope": [], "exceptions": [], "expires": null,
            "approval": "automatic", "note": "", "notify": [],
        },
        "profile": { "name": "pump", "version": "1", "hash": "" },
    }))
    .unwrap()
}

fn profile(volume: &str) -> Profile {
    let text = format!(
        "profile: pump\nversion: \"1\"\ndestinations: [10.1.2.3]\nprotocols: [modbus]\n\
         volume_per_hour: {volume}\nactive_hours: always\n"
    );
    let file = andon_schemas::profile::SourceFile {
        path: "pump.yaml",
        text: &text,
    };
    let set = andon_schemas::profile::parse(&[file], &["traffic_volume", "off_hours"]).unwrap();
    set.get("pump").unwrap().clone()
}

fn side<'a>(verdicts: &'a [Verdict], profile: &'a Profile) -> Side<'a> {
    let raised = verdicts.iter().map(|last| Raised {
        last,
        worst: last.grade,
    });
    Side {
        name: String::new(),
        profile_hash: String::new(),
        profiles: vec![profile],
        episodes: raised.collect(),
        detection: None,
    }
}

fn compared(before: &[Verdict], after: &[Verdict]) -> Comparison {
    let (narrow, wide) = (profile("1-2 MB"), profile("1-9 MB"));
    compare(&side(before, &narrow), &side(after, &wide))
}

/// What became of each device.
fn kinds(comparison: &Comparison) -> Vec<(&str, Kind)> {
    let changes = comparison.changes.iter();
    changes
        .map(|change| (change.device_id.as_str(), change.change))
        .collect()
}

use Grade::{High, Low, Medium};

#[test]
fn every_verdict_is_the_same_or_changed_in_one_way() {
    let volume = |grade| [("traffic_volume", grade)];
    let before = [
        verdict("a", "same", 1, 1, &volume(Medium)),
        verdict("b", "gone", 1, 1, &volume(High)),
        verdict("c", "worse", 1, 1, &volume(Low)),
        verdict("d", "milder", 1, 1, &volume(Medium)),
        verdict(
            "e",
            "other",
            1,
            1,
            &[("traffic_volume", Low), ("off_hours", Low)],
        ),
    ];
    let after = [
        verdict("a", "same", 1, 1, &volume(Medium)),
        verdict("c", "worse", 1, 1, &volume(Medium)),
        verdict("d", "milder", 1, 1, &volume(Low)),
        verdict("e", "other", 1, 1, &volume(Low)),
        verdict("f", "new", 1, 1, &volume(Low)),
    ];
    let comparison = compared(&before, &after);
    assert_eq!(
        kinds(&comparison),
        [
            ("gone", Kind::Disappears),
            ("milder", Kind::Milder),
            ("worse", Kind::Worse),
            ("new", Kind::Appears),
            ("other", Kind::OtherFindings),
        ]
    );
    let gist = &comparison.gist;
    assert_eq!(gist.unchanged, 1);
    assert!(gist.counts.values().all(|n| *n == 1) && gist.counts.len() == 5);
    assert_eq!(
        (gist.before.verdicts[&High], gist.after.verdicts[&High]),
        (1, 0)
    );
}

#[test]
fn an_episode_that_another_row_opened_is_the_same_if_it_stood_at_the_same_time() {
    let found = [("traffic_volume", Medium)];
    let before = [verdict("a", "pump-1", 10, 4, &found)];
    let same = compared(&before, &[verdict("b", "pump-1", 12, 9, &found)]);
    assert_eq!((same.changes.len(), same.gist.unchanged), (0, 1));
    let later = compared(&before, &[verdict("b", "pump-1", 15, 9, &found)]);
    assert_eq!(later.changes.len(), 2);
    let elsewhere = compared(&before, &[verdict("b", "pump-2", 12, 9, &found)]);
    assert_eq!(elsewhere.changes.len(), 2);
}

#[test]
fn one_episode_that_takes_up_two_names_what_took_the_second_up() {
    let found = [("traffic_volume", Medium)];
    let before = [
        verdict("a", "pump-1", 1, 2, &found),
        verdict("b", "pump-1", 5, 2, &found),
    ];
    let comparison = compared(&before, &[verdict("a", "pump-1", 1, 9, &found)]);
    assert_eq!(kinds(&comparison), [("pump-1", Kind::Disappears)]);
    let reasons = &comparison.changes[0].reasons;
    let said = |words: &str| reasons.iter().any(|reason| reason.sentence.contains(words));
    assert!(said("part of verdict a"), "{reasons:?}");
}

#[test]
fn a_reason_names_the_fields_that_its_detector_reads_and_no_others() {
    let both = [("traffic_volume", Medium), ("off_hours", Low)];
    let comparison = compared(&[verdict("a", "pump-1", 1, 1, &both)], &[]);
    let [hours, volume] = &comparison.changes[0].reasons[..] else {
        unreachable!("{:?}", comparison.changes[0].reasons);
    };
    assert_eq!(
        volume.sentence,
        "`traffic_volume` no longer finds anything, it was at MEDIUM: volume_per_hour: 1-2 MB \
         becomes 1-9 MB."
    );
    assert_eq!((volume.before, volume.after), (Some(Medium), None));
    assert!(hours.fields.is_empty());
    assert!(
        hours
            .sentence
            .ends_with("it follows from the other findings.")
    );
    assert_eq!(comparison.profiles.len(), 1);
    assert_eq!(
        comparison.profiles[0].differences[0].field,
        "volume_per_hour"
    );
}

#[test]
fn a_calibration_is_a_reason_for_statistics_and_not_for_rules() {
    let mut calibrated = profile("1-2 MB");
    calibrated.calibration = Some(andon_schemas::profile::Calibration {
        discount: 1.0,
        device_hours: 9_000,
        false_positives: 0.001,
        confidence: 0.95,
    });
    let found = [("traffic_volume", Low), ("off_hours", Low)];
    let before = [verdict("a", "pump-1", 1, 1, &found)];
    let found = [("traffic_volume", High), ("off_hours", Medium)];
    let after = [verdict("a", "pump-1", 1, 1, &found)];
    let written = profile("1-2 MB");
    let comparison = compare(&side(&before, &written), &side(&after, &calibrated));
    let fields = |detector: &str| {
        let reasons = comparison.changes[0].reasons.iter();
        let of = reasons.filter(|reason| reason.detector == detector);
        let fields = of.flat_map(|reason| &reason.fields);
        fields.map(|field| field.field.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(fields("traffic_volume"), ["calibration"]);
    assert!(fields("off_hours").is_empty());
}
