//! Folder 07: active hours of real appliances. A coffee maker that runs at 03:00 is found; a router
//! runs round the clock and never is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use andon_schemas::time::{EventTime, Span};

use crate::{Finding, Run, corpus};

/// Volts of the mains where the powers were measured.
const MAINS_V: f64 = 230.0;

/// Above this it brews, watts.
const BREWS_W: f64 = 100.0;

/// What the coffee maker does: it waits at 3 W, keeps warm in pulses and heats at a thousand; it never runs between 01:00 and 07:00 on working days.
const COFFEE: &str = "active_hours: [Mon-Fri 07:00-01:00, \"Sat,Sun 00:00-24:00\"]\n\
                      current: { idle: 0-0.03 A, active: 0.06-8 A }\n";

/// A router draws the same by day and by night, so nobody writes hours for it.
const ROUTER: &str = "current: { idle: 0-0.01 A, active: 0.02-0.1 A }\n";

/// Minutes of local time with the mean power.
fn minutes(file: &Path) -> Vec<(EventTime, f64)> {
    let text = fs::read_to_string(file).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let at = EventTime::parse(&format!("{}Z", fields[0])).unwrap();
        (at, fields[1].parse::<f64>().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

/// Powers as readings of current of a device, three of them for each minute.
fn capture(path: &Path, device: &str, minutes: &[(EventTime, f64)]) {
    let mut lines = String::new();
    for (at, watts) in minutes {
        for second in [0, 20, 40] {
            let at = *at + Span::from_secs(second);
            let current = watts / MAINS_V;
            writeln!(
                lines,
                r#"{{"v":1,"kind":"reading","device":"{device}","time":"{at}","received_at":"{at}","current_a":{current:.4}}}"#
            )
            .unwrap();
        }
    }
    fs::write(path, lines).unwrap();
}

/// Findings about hours: of a working current outside them.
fn out_of_hours(found: &[Finding]) -> Vec<&Finding> {
    let about = |one: &&Finding| matches!(one.detector.as_str(), "current_draw" | "off_hours");
    found.iter().filter(about).collect()
}

fn appliance(kind: &'static str, body: &str) -> Run {
    let devices = BTreeMap::from([(kind, BTreeSet::from(["10.0.0.1".to_owned()]))]);
    let run = Run::over(&devices, "UTC");
    run.write_profile("written", kind, body);
    run
}

#[test]
fn a_coffee_maker_at_three_in_the_night_is_found_and_a_router_never() {
    let Some(folder) = corpus("07-power-hours") else {
        return;
    };
    let coffee = minutes(&folder.join("coffeemaker__Coffeemaker_dev_735E9D.csv"));
    let run = appliance("coffee", COFFEE);
    let path = run.path("coffee.ndjson");
    capture(&path, "coffee-10.0.0.1", &coffee);
    let usual = run.backtest(&path, "written");
    let usual = out_of_hours(&usual);
    let episodes: BTreeSet<_> = usual.iter().map(|one| &one.verdict).collect();
    let days = coffee.len() / 1_440;
    eprintln!(
        "folder 07: coffee maker, {days} days as they are: {} episodes",
        episodes.len()
    );
    for one in usual.iter().take(3) {
        eprintln!("  {} {}", one.at, one.sentence);
    }

    // Its longest stretch of brewing, moved to three in the night of the same day.
    let is_on = |(_, watts): &(EventTime, f64)| *watts > BREWS_W;
    let first = coffee
        .windows(4)
        .position(|four| four.iter().all(is_on))
        .unwrap();
    let midnight = coffee[first].0.floor(Span::DAY);
    let night = midnight + Span::HOUR.times(3);
    let moved: Vec<_> = coffee[first..first + 4]
        .iter()
        .zip(0..)
        .map(|((_, watts), minute)| (night + Span::MINUTE.times(minute), *watts))
        .collect();
    let mut shifted: Vec<_> = coffee
        .iter()
        .copied()
        .filter(|(at, _)| *at < night || *at >= night + Span::MINUTE.times(4))
        .collect();
    shifted.extend(moved);
    shifted.sort_by_key(|(at, _)| *at);
    capture(&path, "coffee-10.0.0.1", &shifted);
    let found = run.backtest(&path, "written");
    let found = out_of_hours(&found);
    let at_night = |one: &&&Finding| {
        let at = EventTime::parse(&one.at).unwrap();
        at >= night && at < night + Span::HOUR
    };
    let told = found.iter().find(at_night);
    eprintln!(
        "  moved to 03:00: {}",
        told.map_or("not found", |one| one.sentence.as_str())
    );
    assert!(told.is_some(), "{found:#?}");
    assert!(usual.is_empty(), "{usual:#?}");

    let router = minutes(&folder.join("router__Router_dev_B7DF9D.csv"));
    let run = appliance("router", ROUTER);
    let path = run.path("router.ndjson");
    capture(&path, "router-10.0.0.1", &router);
    let found = run.backtest(&path, "written");
    let days = router.len() / 1_440;
    eprintln!("  router, {days} days: {} findings", found.len());
    assert!(out_of_hours(&found).is_empty(), "{found:#?}");
}
