//! The statistics end to end, on a plant whose truth is known: what is learned on four weeks is
//! watched with for eight, by the detectors of the catalogue and nothing else. 450 devices stay
//! honest; ten are attacked in each of six ways. Each figure stands beside that of the design's
//! own simulation. Not a time among them: nothing here depends on the machine.
//!
//! ```console
//! $ cargo bench -p andon-benches --bench statistics
//! ```
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "bytes, connections and hours stay far below where it matters"
)]

mod made;
mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_benches::Sheet;
use andon_detectors::baseline::Baseline;
use andon_detectors::catalog::{CATALOG, Plans};
use andon_detectors::facts::Pane;
use andon_detectors::law::{CleanHour, CleanShares, learn, learn_shares, pool};
use andon_schemas::builtin;
use andon_schemas::inventory::Inventory;
use andon_schemas::profile::{LearnedNull, Profile, SourceFile, parse};

use self::made::{ATTACKS, Attack, DEVICES, Device, Dice, Kind, START, TYPES};
use self::watched::{Outcome, watch};

const LEARN_HOURS: i32 = 4 * 168;
const WATCH_HOURS: i32 = 8 * 168;
/// Devices from here on are attacked, ten in each way.
const HONEST: usize = 450;
/// Devices from here on send in a burst: they came later, and leave the others as they were.
const BURSTS: usize = 500;

fn main() -> Result<(), String> {
    let inventory = builtin::inventory().map_err(|problems| problems.to_string())?;
    let mut dice = Dice(2026);
    let kinds: Vec<Kind> = (0..TYPES).map(|_| Kind::new(&mut dice)).collect();
    let mut devices: Vec<Device> = (0..DEVICES).map(|n| Device::new(n, &kinds)).collect();
    let mut clean: Vec<Vec<(u32, Pane)>> = vec![Vec::new(); TYPES];
    for (device, number) in devices.iter_mut().zip(0..) {
        for hour in START..START + LEARN_HOURS {
            let pane = device.hour(hour);
            clean[device.kind].push((number, pane));
        }
    }
    let mut profiles = Vec::new();
    for (kind, hours) in clean.iter().enumerate() {
        profiles.push(profile(kind, hours, &inventory)?);
    }
    for detector in andon_schemas::profile::LEARNERS {
        pool(
            profiles
                .iter_mut()
                .filter_map(|profile| profile.learned.get_mut(detector)),
        );
    }
    for (device, number) in devices.iter_mut().zip(0_usize..) {
        if let Some(attacked) = number.checked_sub(HONEST) {
            let begins = START + LEARN_HOURS + 2 * 168 + dice.between(0.0, 168.0).floor() as i32;
            let attack = if number < BURSTS {
                ATTACKS[attacked % ATTACKS.len()]
            } else {
                Attack::BurstSent
            };
            device.attack = Some((attack, begins));
        }
    }
    let plants = [false, true].map(|learned| (learned, types(&profiles, learned, &inventory)));
    let until = START + LEARN_HOURS + WATCH_HOURS;
    let [written, learned] = watch(&mut devices, &plants, START + LEARN_HOURS, until);
    show("by learned laws", &learned);
    show(
        "by written ranges alone, their cap at LOW taken off: not a promise, a comparison",
        &written,
    );
    let mut sheet = Sheet::new("state");
    let bytes = andon_engine::Engine::DEVICE_BYTES.to_string();
    sheet.figure("bytes in place per device (hot and cold)", &bytes, "");
    sheet.print();
    Ok(())
}

/// A profile as `learn` makes it: ranges of 95 % of the clean hours, shares, and the laws.
fn profile(kind: usize, hours: &[(u32, Pane)], inventory: &Inventory) -> Result<Profile, String> {
    let sorted = |number: Number| {
        let mut values: Vec<f64> = hours.iter().map(|(_, pane)| number(pane)).collect();
        values.sort_by(f64::total_cmp);
        (
            values[values.len() / 40],
            values[values.len() - 1 - values.len() / 40],
        )
    };
    let bytes = sorted(|pane| pane.bytes() as f64);
    let share = sorted(|pane| 100.0 * pane.up as f64 / pane.bytes().max(1) as f64);
    let opened = sorted(|pane| f64::from(pane.opened));
    let mut cells = [0_u64; 3];
    for (_, pane) in hours {
        for (cell, count) in cells.iter_mut().zip(pane.destinations) {
            *cell += u64::from(count);
        }
    }
    let all = cells.iter().sum::<u64>().max(1) as f64;
    // Rounded down, so that they never add up to more than all.
    let peer = |at: usize| format!("{} %", (1_000.0 * cells[at] as f64 / all).floor() / 10.0);
    let text = format!(
        "profile: type_{kind}\nversion: \"1\"\ndestinations:\n  - {{ address: 10.1.10.5, share: {} }}\n  \
         - {{ address: 10.1.10.6, share: {} }}\n  - {{ address: 10.1.10.7, share: {} }}\n\
         volume_per_hour: {:.0}-{:.0} B\nupload_share: {:.2}-{:.2} %\n\
         connections_per_hour: {:.0}-{:.0}\n",
        peer(0),
        peer(1),
        peer(2),
        bytes.0,
        bytes.1,
        share.0,
        share.1,
        opened.0.max(1.0),
        opened.1,
    );
    let file = SourceFile {
        path: "made.yaml",
        text: &text,
    };
    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    let set = parse(&[file], &names).map_err(|problems| problems.to_string())?;
    let name = format!("type_{kind}");
    let mut profile = set.get(&name).cloned().ok_or(name)?;
    profile.learned = laws(hours, inventory)?;
    let shares: Vec<CleanShares> = hours
        .iter()
        .map(|(device, pane)| CleanShares {
            device: *device,
            hour: pane.hour,
            cells: pane.destinations[..4]
                .iter()
                .map(|n| u32::from(*n))
                .collect(),
        })
        .collect();
    let (law, _) = learn_shares(&shares, 4).map_err(|error| error.to_string())?;
    profile
        .learned_shares
        .insert("destination_mix".to_owned(), law);
    Ok(profile)
}

/// How an hour becomes the number that a detector weighs.
type Number = fn(&Pane) -> f64;

fn laws(
    hours: &[(u32, Pane)],
    inventory: &Inventory,
) -> Result<BTreeMap<String, LearnedNull>, String> {
    let numbers: [(&str, Number); 3] = [
        ("connection_rate", |pane| f64::from(pane.opened) + 0.5),
        ("traffic_volume", |pane| pane.bytes() as f64),
        ("upload_ratio", |pane| {
            (pane.up as f64 + 1.0) / (pane.down as f64 + 1.0)
        }),
    ];
    let mut laws = BTreeMap::new();
    for (detector, number) in numbers {
        let hours: Vec<CleanHour> = hours
            .iter()
            .map(|(device, pane)| CleanHour {
                device: *device,
                hour: pane.hour,
                value: number(pane),
            })
            .collect();
        let learned = learn(&hours, &inventory.clock).map_err(|error| error.to_string())?;
        laws.insert(detector.to_owned(), learned.null);
    }
    Ok(laws)
}

/// Each type, with its laws or without.
fn types(profiles: &[Profile], learned: bool, inventory: &Inventory) -> Vec<(Baseline, Plans)> {
    let clock = Arc::new(inventory.clock.clone());
    let compiled = profiles.iter().map(|profile| {
        let mut profile = profile.clone();
        if !learned {
            profile.learned.clear();
            profile.learned_shares.clear();
        }
        let baseline = Baseline::compile(Arc::new(profile), inventory, clock.clone());
        let plans = Plans::compile(&baseline);
        (baseline, plans)
    });
    compiled.collect()
}

/// Prints one way of watching beside the simulation of the design.
fn show(how: &str, outcome: &Outcome) {
    let mut sheet = Sheet::new(&format!(
        "{how}; {} honest device-days, HIGH from 1,000 device-days on",
        outcome.device_days
    ));
    for (at, (grade, level)) in [("LOW", 10.0), ("MEDIUM", 100.0), ("HIGH", 1_000.0)]
        .into_iter()
        .enumerate()
    {
        let alarms = outcome.false_alarms[at];
        let per_hour = f64::from(alarms) / (24.0 * f64::from(outcome.device_days));
        sheet.figure(
            &format!("false {grade}, per device-hour"),
            &format!("{alarms}: {per_hour:.1e}"),
            &format!(
                "≤ {:.1e} is promised{}",
                1.11 / level / 24.0,
                if grade == "HIGH" {
                    "; 1.7e-6 in the design's"
                } else {
                    ""
                }
            ),
        );
    }
    for (attack, reference) in [
        (Attack::Burst, ""),
        (
            Attack::BurstSent,
            "missed; 1 h (90 %) with a spike lane beyond the budget",
        ),
        (Attack::Upload30, "4 h"),
        (Attack::Upload8, "6 h"),
        (Attack::Rate, "26 h"),
        (Attack::Share, "15 h"),
    ] {
        for (grade, at) in [("LOW", 0), ("MEDIUM", 1), ("HIGH", 2)] {
            let figure = outcome.found(attack, at);
            let reference = if at == 2 { reference } else { "" };
            sheet.figure(&format!("{attack:?}, {grade}"), &figure, reference);
        }
    }
    for (name, counts) in &outcome.by_detector {
        let figure = format!(
            "{} LOW, {} MEDIUM, {} HIGH",
            counts[0], counts[1], counts[2]
        );
        sheet.figure(&format!("  false, by {name}"), &figure, "");
    }
    sheet.print();
}
