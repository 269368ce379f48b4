//! The life of an episode: when it opens, what is worth a revision, when it ends.

use andon_schemas::grade::{Band, Grade};
use andon_schemas::verdict::State;

use super::*;

fn told(verdicts: &[Verdict]) -> Vec<(u32, State, Grade)> {
    verdicts
        .iter()
        .map(|v| (v.revision, v.state, v.grade))
        .collect()
}

#[test]
fn one_row_is_one_verdict_with_all_it_shows() {
    let mut stage = Stage::new();
    let out = stage.show(
        minute(150),
        &[
            rule(HOURS, Grade::Low),
            rule(VOLUME, Grade::Medium),
            rule(DESTINATION, Grade::Critical),
        ],
    );
    assert_eq!(told(&out), [(1, State::Raised, Grade::Critical)]);
    let names: Vec<&str> = out[0]
        .findings
        .iter()
        .map(|f| f.detector.as_str())
        .collect();
    assert_eq!(
        names,
        ["unknown_destination", "traffic_volume", "off_hours"]
    );
    assert_eq!(out[0].event_time, minute(150));
    assert_eq!(
        (out[0].risk.score, out[0].risk.band),
        (Some(95), Band::Critical)
    );
}

#[test]
fn the_id_is_that_of_the_first_in_catalogue_order_whatever_else_the_row_shows() {
    let ids: Vec<String> = [
        vec![rule(HOURS, Grade::Low)],
        vec![rule(HOURS, Grade::Low), rule(DESTINATION, Grade::Critical)],
        // Detectors that look at rows of any kind are asked before those of its own kind.
        vec![rule(DESTINATION, Grade::Critical), rule(HOURS, Grade::Low)],
        vec![rule(DESTINATION, Grade::Critical)],
    ]
    .iter()
    .map(|shown| Stage::new().show(minute(1), shown)[0].verdict_id.clone())
    .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[3]);
    assert_eq!(ids[0].len(), 32);
}

#[test]
fn the_id_follows_site_device_time_and_detector_and_nothing_else() {
    let id = |change: fn(&mut Stage), at, shown| {
        let mut stage = Stage::new();
        change(&mut stage);
        stage.show(minute(at), &[shown])[0].verdict_id.clone()
    };
    let plain = id(|_| (), 1, rule(HOURS, Grade::Low));
    assert_eq!(
        plain,
        id(
            |s| s.ordinal = 900,
            1,
            by_peer("a", &rule(HOURS, Grade::High))
        )
    );
    assert_eq!(
        plain,
        id(|s| s.mode = Mode::Enforce, 1, statistic(HOURS, 80))
    );
    assert_ne!(
        plain,
        id(|s| s.site = "other".to_owned(), 1, rule(HOURS, Grade::Low))
    );
    assert_ne!(
        plain,
        id(
            |s| s.device.id = DeviceId::new("x").unwrap(),
            1,
            rule(HOURS, Grade::Low)
        )
    );
    assert_ne!(plain, id(|_| (), 2, rule(HOURS, Grade::Low)));
    assert_ne!(plain, id(|_| (), 1, rule(VOLUME, Grade::Low)));
}

#[test]
fn repeats_fold_and_are_told_when_their_window_closes() {
    let mut stage = Stage::new();
    stage.show(minute(1), &[rule(HOURS, Grade::Low)]);
    for at in 2..30 {
        assert!(
            stage
                .show(minute(at), &[rule(HOURS, Grade::Low)])
                .is_empty()
        );
    }
    let out = stage.close(minute(60));
    assert_eq!(told(&out), [(2, State::Updated, Grade::Low)]);
    let finding = &out[0].findings[0];
    assert_eq!(finding.count, 29);
    let offsets: Vec<u64> = finding.source.iter().map(|source| source.offset).collect();
    assert_eq!(offsets, [1, 29], "the first and the latest source");
    assert!(
        stage.close(minute(80)).is_empty(),
        "nothing was added in this window"
    );
}

#[test]
fn what_belongs_to_the_next_window_is_told_with_the_next() {
    let mut stage = Stage::new();
    stage.show(minute(59), &[rule(HOURS, Grade::Low)]);
    stage.show(minute(62), &[rule(HOURS, Grade::Low)]);
    assert!(stage.close(minute(60)).is_empty());
    assert_eq!(stage.close(minute(120)).len(), 1);
}

#[test]
fn a_doubled_magnitude_is_told_at_once_and_only_then() {
    let mut stage = Stage::new();
    let amount = |magnitude| Shown {
        magnitude,
        ..rule(VOLUME, Grade::Medium)
    };
    stage.show(minute(1), &[amount(450.0)]);
    let mut told_amounts = Vec::new();
    for step in 1..200_u32 {
        let out = stage.show(minute(2), &[amount(450.0 + 10.0 * f64::from(step))]);
        told_amounts.extend(
            out.iter()
                .map(|v| v.findings[0].observed["amount"].as_f64().unwrap()),
        );
    }
    assert_eq!(told_amounts, [900.0, 1800.0]);
    for odd in [f64::NAN, f64::NEG_INFINITY, 0.0, -1.0] {
        assert!(stage.show(minute(2), &[amount(odd)]).is_empty());
    }
    assert_eq!(stage.show(minute(2), &[amount(f64::INFINITY)]).len(), 1);
    assert!(stage.show(minute(2), &[amount(f64::INFINITY)]).is_empty());
}

#[test]
fn a_worse_finding_escalates_and_its_end_takes_the_grade_back() {
    let mut stage = Stage::new();
    stage.show(minute(0), &[rule(HOURS, Grade::Low)]);
    let out = stage.show(minute(10), &[state(FIRMWARE, Grade::High)]);
    assert_eq!(told(&out), [(2, State::Escalated, Grade::High)]);
    let out = stage.over(FIRMWARE, minute(20));
    assert_eq!(told(&out), [(3, State::Updated, Grade::Low)]);
    let active: Vec<bool> = out[0].findings.iter().map(|f| f.active).collect();
    assert_eq!(active, [true, false], "what stands comes first");
    let out = stage.pass(minute(60));
    assert_eq!(told(&out), [(4, State::Cleared, Grade::Low)]);
    assert_eq!(out[0].window.end, minute(60));
}

#[test]
fn findings_end_in_their_own_time() {
    for (shown, ends) in [
        (rule(HOURS, Grade::Low), Some(60)),
        (rule(VOLUME, Grade::Medium), Some(60)),
        (rule(DESTINATION, Grade::High), Some(60)),
        (rule(DESTINATION, Grade::Critical), Some(24 * 60)),
        (state(FIRMWARE, Grade::High), None),
        (statistic(CURRENT, 60), None),
    ] {
        let mut stage = Stage::new();
        stage.show(minute(0), std::slice::from_ref(&shown));
        stage
            .case
            .risk_update(&stage.device.id, None, "", minute(0), false);
        if let Some(ends) = ends {
            assert!(stage.pass(minute(ends) - Span::from_micros(1)).is_empty());
            assert_eq!(
                stage.pass(minute(ends))[0].state,
                State::Cleared,
                "{shown:?}"
            );
        } else {
            assert!(stage.pass(minute(100_000)).is_empty());
            let out = stage.over(shown.detector, minute(100_000));
            assert_eq!(out[0].state, State::Cleared, "{shown:?}");
        }
    }
}

#[test]
fn a_repeat_puts_the_end_off() {
    let mut stage = Stage::new();
    stage.show(minute(0), &[rule(HOURS, Grade::Low)]);
    stage.show(minute(50), &[rule(HOURS, Grade::Low)]);
    assert!(stage.pass(minute(109)).is_empty());
    assert_eq!(stage.pass(minute(110)).len(), 1);
}

#[test]
fn a_sighting_after_the_end_opens_a_new_episode_whether_time_passed_or_not() {
    let play = |passes: bool| {
        let mut stage = Stage::new();
        let mut out = stage.show(minute(0), &[rule(HOURS, Grade::Low)]);
        if passes {
            out.extend(stage.pass(minute(65)));
        }
        out.extend(stage.show(minute(70), &[rule(HOURS, Grade::Low)]));
        out
    };
    assert_eq!(play(true), play(false));
    let out = play(false);
    assert_eq!(out[1].state, State::Cleared);
    assert_eq!(out[1].window.end, minute(60));
    assert_eq!((out[2].state, out[2].revision), (State::Raised, 1));
    assert_ne!(out[2].verdict_id, out[0].verdict_id);
}

#[test]
fn what_is_seen_late_opens_the_episode_of_its_time_again() {
    let mut stage = Stage::new();
    let mut out = stage.show(minute(30), &[rule(HOURS, Grade::Low)]);
    out.extend(stage.pass(minute(90)));
    for late in [30, 5] {
        out.extend(stage.show(minute(late), &[rule(HOURS, Grade::Low)]));
        out.extend(stage.pass(minute(100)));
    }
    let id = &out[0].verdict_id;
    assert!(
        out.iter()
            .all(|v| v.verdict_id == *id && v.event_time == minute(30))
    );
    let revisions: Vec<u32> = out.iter().map(|v| v.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_is_seen_very_late_does_not_shorten_what_an_id_covers() {
    let mut stage = Stage::new();
    let mut out = stage.show(minute(90), &[rule(HOURS, Grade::Low)]);
    out.extend(stage.pass(minute(150)));
    for late in [5, 90] {
        out.extend(stage.show(minute(late), &[rule(HOURS, Grade::Low)]));
        out.extend(stage.pass(minute(150)));
    }
    let revisions: Vec<u32> = out.iter().map(|v| v.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_statistic_that_doubles_without_another_grade_is_not_told() {
    let mut stage = Stage::new();
    let amount = |magnitude| Shown {
        magnitude,
        ..statistic(VOLUME, 55)
    };
    assert_eq!(stage.show(minute(1), &[amount(1.0)]).len(), 1);
    for magnitude in [2.0, 4.0, 1_000.0] {
        assert!(stage.show(minute(2), &[amount(magnitude)]).is_empty());
    }
    assert_eq!(stage.close(minute(60)).len(), 1);
}

#[test]
fn a_statistic_keeps_its_grade_until_evidence_is_a_factor_of_ten_lower() {
    let mut stage = Stage::new();
    stage.show(minute(0), &[statistic(VOLUME, 80)]);
    assert!(stage.show(minute(60), &[statistic(VOLUME, 51)]).is_empty());
    let out = stage.show(minute(120), &[statistic(VOLUME, 49)]);
    assert_eq!(told(&out), [(2, State::Updated, Grade::Low)]);
}

#[test]
fn risk_stands_with_the_episode_and_fades_after_it() {
    let mut stage = Stage::new();
    stage.show(
        minute(0),
        &[rule(HOURS, Grade::Low), state(FIRMWARE, Grade::High)],
    );
    assert_eq!(stage.risk(minute(50)), 75);
    stage.over(FIRMWARE, minute(50));
    assert_eq!(stage.risk(minute(50)), 75, "it does not fall at once");
    stage.pass(minute(60));
    assert_eq!(stage.risk(minute(50 + 6 * 60)), 37);
    assert_eq!(stage.risk(minute(50 + 12 * 60)), 18);
}

#[test]
fn risk_is_published_on_a_change_of_band_or_by_five_points() {
    let mut stage = Stage::new();
    let publish = |stage: &mut Stage, at| {
        let device = stage.device.id.clone();
        let update = stage
            .case
            .risk_update(&device, Some(&stage.device), "s", minute(at), false);
        update.map(|update| update.risk.score.unwrap())
    };
    assert_eq!(
        publish(&mut stage, 0),
        Some(0),
        "the first row ends `unknown`"
    );
    assert_eq!(publish(&mut stage, 1), None);
    stage.case.statistical_score(4, minute(2));
    assert_eq!(publish(&mut stage, 2), None);
    stage.case.statistical_score(9, minute(2));
    assert_eq!(publish(&mut stage, 2), Some(9));
    stage.show(minute(3), &[rule(HOURS, Grade::Medium)]);
    assert_eq!(publish(&mut stage, 3), Some(50));
    stage.pass(minute(63));
    let fading = stage.case.deadline();
    assert!(
        fading > minute(63) && fading < minute(80),
        "the band changes below 50"
    );
    stage.pass(fading);
    assert_eq!(publish(&mut stage, 80), Some(48));
}

#[test]
fn a_verdict_that_opens_or_clears_under_a_higher_fading_risk_is_published() {
    let mut stage = Stage::new();
    let publish = |stage: &mut Stage, at| {
        let device = stage.device.id.clone();
        let update = stage
            .case
            .risk_update(&device, Some(&stage.device), "s", at, false);
        update.map(|update| (update.risk.score.unwrap(), update.verdict_id))
    };
    let first = stage.show(minute(0), &[rule(VOLUME, Grade::High)]);
    let first = Some(first[0].verdict_id.clone());
    assert_eq!(publish(&mut stage, minute(0)), Some((75, first)));
    let over = stage.pass(minute(60));
    assert_eq!(over[0].state, State::Cleared);
    assert_eq!(publish(&mut stage, minute(60)), Some((75, None)));
    // LOW stands below what fades: the score is the same, what is open is not.
    let second = stage.show(minute(61), &[rule(HOURS, Grade::Low)]);
    let second = Some(second[0].verdict_id.clone());
    let told = publish(&mut stage, minute(61)).unwrap();
    assert!(told.0 > 70 && told.1 == second, "{told:?}");
    assert_eq!(publish(&mut stage, minute(61)), None);
    stage.over(HOURS, minute(62));
    stage.pass(minute(200));
    assert_eq!(publish(&mut stage, minute(200)).unwrap().1, None);
}

#[test]
fn the_state_of_a_quiet_device_is_small() {
    assert!(size_of::<Case>() <= 56, "{} bytes", size_of::<Case>());
}
