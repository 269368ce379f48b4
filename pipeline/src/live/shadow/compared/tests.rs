//! Which verdicts of two files are of the same time.

use serde_json::json;

use super::*;

fn written() -> Written {
    Written {
        ledger: Ledger::default(),
        since: None,
        profiles: Vec::new(),
        profile_hash: String::new(),
        clock: PlantClock::new("UTC").unwrap(),
    }
}

/// A line of `verdicts.jsonl`, of an episode that opened at a minute.
fn line(id: &str, minute: u32) -> String {
    let at = format!("2025-12-12T09:{minute:02}:00Z");
    let verdict = json!({
        "schema": "andon.verdict.v1", "verdict_id": id, "revision": 1, "state": "raised",
        "device_id": "plc-1", "device_type": "", "segment": "", "risk_class": null,
        "site": "s", "event_time": at, "window": { "start": at, "end": at },
        "grade": "MEDIUM", "confidence": { "basis": "policy", "n": 0 },
        "risk": { "score": 50, "trust": 50, "band": "medium" }, "sentence": "", "findings": [],
        "response": {
            "action": "watch", "mode": "monitor", "scope": [], "exceptions": [],
            "expires": null, "approval": "automatic", "note": "", "notify": [],
        },
        "profile": { "name": "", "version": "", "hash": "" },
    });
    format!("{verdict}\n")
}

fn ids(written: &Written) -> Vec<&str> {
    let ids = written.ledger.episodes.keys();
    ids.map(String::as_str).collect()
}

#[test]
fn only_the_time_of_the_shadow_counts_and_half_a_line_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(VERDICTS);
    let lines = [line("a", 1), line("b", 2), line("c", 3)];
    let text = lines.concat() + "{\"schema\"";
    std::fs::write(&path, &text).unwrap();
    let [a, b, c] = lines.map(|line| line.len() as u64);
    for (from, to, expected) in [
        (0, None, "abc"),
        (a, None, "bc"),
        (a, Some(a + b), "b"),
        // It ended in the middle of a line.
        (a, Some(a + b + c / 2), "b"),
        (a + b + c, None, ""),
    ] {
        let mut written = written();
        written.verdicts(&path, from, to).unwrap();
        assert_eq!(ids(&written).concat(), expected, "from {from} to {to:?}");
    }
    let cut = written().verdicts(&path, text.len() as u64 + 1, None);
    assert!(cut.unwrap_err().to_string().contains("somebody cut it"));
}

#[test]
fn of_too_many_episodes_the_newest_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(VERDICTS);
    // The order of ids is not that of time, and two opened at one moment.
    let lines = [line("d", 1), line("c", 2), line("b", 2), line("a", 3)];
    std::fs::write(&path, lines.concat()).unwrap();
    let mut written = written();
    written.verdicts(&path, 0, None).unwrap();
    written.leave_out_oldest(4);
    assert_eq!(ids(&written), ["a", "b", "c", "d"]);
    written.leave_out_oldest(2);
    assert_eq!(ids(&written), ["a", "b", "c"]);
    assert_eq!(
        written.since,
        Some(EventTime::parse("2025-12-12T09:02:00Z").unwrap())
    );
    written.leave_out_oldest(5);
    assert_eq!(ids(&written), ["a", "b", "c"]);
}
