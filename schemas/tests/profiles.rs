//! Profiles as people write them: inheritance, defaults, and the way back to YAML.

use andon_schemas::builtin;
use andon_schemas::grade::Grade;
use andon_schemas::profile::{Profile, ProfileSet, SourceFile, diff, parse};
use proptest::prelude::*;

const DETECTORS: &[&str] = &["off_hours", "scan", "traffic_volume"];

fn read(texts: &[&str]) -> Result<ProfileSet, String> {
    let paths = ["a.yaml", "b.yaml", "c.yaml"];
    let files = paths.iter().zip(texts);
    let files: Vec<_> = files
        .map(|(path, text)| SourceFile { path, text })
        .collect();
    parse(&files, DETECTORS).map_err(|problems| problems.to_string())
}

fn one(body: &str) -> Profile {
    let set = read(&[&format!("profile: x\nversion: \"1\"\n{body}")]).expect("it loads");
    set.get("x").cloned().expect("it is there")
}

/// A profile that uses every key, and every long form.
const FULL: &str = r#"
description: "everything: at once, # even this"
controller: true
destinations:
  - historian.mfg.local
  - { name: plc.mfg.local, share: 7 %, safety: true, over: [udp/44818, ethernet-ip] }
  - { address: "fd00::15", share: 33.3 % }
  - { network: 10.1.20.0/24 }
  - { role: ntp, share: 1 % }
  - { type: tool_monitor }
clients: [10.9.9.9]
protocols:
  - modbus
  - { name: s7, share: 12.5 % }
  - { name: "Printer, raw", ports: [tcp/9100, udp/9100], services: [RAW], share: 5 % }
  - { name: https, ports: tcp/8443 }
commands:
  sends: []
  accepts:
    - modbus/read
    - s7comm.read_var
    - { commands: [modbus.write_single_coil, s7comm/download], from: [{ role: hmi }, 10.9.9.9] }
    - { commands: s7comm.plc_stop, from: 10.9.9.9 }
volume_per_hour: { range: 0-150 MiB, coverage: 90 %, bytes: ip, multiple: 2.7, baseline: 77 MB }
upload_share: { range: 5-15 %, coverage: 90 % }
connections_per_hour: { range: 0-50, coverage: 99 % }
active_hours: { spans: ["Mon,Wed 22:00-06:00", Sat 00:00-24:00], grace: 15 min }
cadence: { size: 1.5-2 KB, every: 7 s, jitter: 130 ms, coverage: 97 % }
current: { idle: 0.1-1.0 A, active: 2.3-8.1 A, limit: 11.7 A, coverage: 92 % }
spindle: { range: 0-12000 rpm, limit: 12500 rpm }
load:
  - { speed: 2500-3300 rpm, current: 13-29.5 A, mean: 18-25 A, coverage: 97 % }
  - { speed: 0-120 rpm, current: 0-1.3 A }
frozen: { idle: 90 s, turning: 2 min }
firmware:
  - { version: "v2, final", released: 2025-09-15 }
  - version: v1
    sha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
    released: 2024-01-02
scan: { hosts: 5, ports: 6, failed: 7 }
silence: 15 min
detectors: { off_hours: { grade: MEDIUM }, scan: off, traffic_volume: on }
calibration: { discount: 12.5, device_hours: 58800, false_positives: 0.1 %, confidence: 95 % }
learned:
  upload_ratio:
    middle: 0.0834
    memory: 0.31
    levels: 0.12
    within: 0.205
    up: { windows: 4032, error: 0.00833, steps: [0.5 0.01 0.531, 0.01 2.3125 0.0152] }
    down: { windows: 4032, error: 0.00833, steps: [0.5 -0.02 0.531, 0.01 2.25 0.0152] }
    spike: { windows: 50400, error: 0.00833, highest: 12.5 9 8.75 }
learned_shares:
  destination_mix:
    devices: 97
    hours: 412.5
    cells:
      - { share: 0.953, up: { windows: 4032, error: 0.00833, steps: [0.5 0.01 0.531] } }
      - { share: 0.047, up: { windows: 4032, error: 0.00833, steps: [0.5 0.02 0.531] } }
"#;

#[test]
fn what_is_shown_reads_back_with_the_same_hash() {
    let shipped = builtin::profiles(&[]).unwrap();
    let full = one(FULL);
    for profile in shipped.iter().chain([&full]) {
        let yaml = profile.to_yaml();
        let again = read(&[&yaml])
            .map_err(|problems| format!("{problems}\n{yaml}"))
            .unwrap();
        let again = again.get(&profile.name).unwrap();
        assert_eq!(diff(profile, again), [], "{yaml}");
        assert_eq!(again.hash, profile.hash, "{yaml}");
    }
}

#[test]
fn the_hash_follows_the_content_and_not_the_writing() {
    let short = one("volume_per_hour: 50-150 MB\n");
    let long = one("# a comment\nvolume_per_hour: { range: 50 - 150 MB, multiple: 3 }\n");
    assert_eq!(short.hash, long.hash);
    assert_ne!(short.hash, one("volume_per_hour: 50-151 MB\n").hash);
    assert_eq!(short.hash.len(), 64);
}

#[test]
fn a_child_overrides_field_by_field() {
    let base = "profile: base\nversion: \"1\"\ncontroller: true\nprotocols: { modbus: 80 % }\n\
                current: { idle: 0.5-1.0 A, active: 2-8 A }\nsilence: 15 min\n\
                detectors: { off_hours: { grade: MEDIUM } }\n";
    let child = "profile: child\nversion: \"2\"\nextends: base\nprotocols: [s7]\n\
                 current: { limit: 9 A }\nsilence: none\ndetectors: { scan: off }\n";
    let set = read(&[base, child]).unwrap();
    let child = set.get("child").unwrap();
    assert_eq!(child.extends, ["base"]);
    assert!(child.controller);
    assert_eq!(child.protocols.len(), 1);
    assert_eq!(child.protocols[0].name, "s7");
    let current = child.current.unwrap();
    assert_eq!((current.active.hi, current.limit), (8.0, Some(9.0)));
    assert_eq!(child.silence, None);
    assert_eq!(child.detectors["off_hours"].grade, Some(Grade::Medium));
    assert!(child.detectors["scan"].off);
    assert_eq!(set.get("base").unwrap().current.unwrap().limit, None);
}

#[test]
fn a_side_of_the_commands_is_taken_from_the_base_unless_it_is_written() {
    let base = "profile: base\nversion: \"1\"\n\
                commands: { sends: [modbus/read], accepts: [modbus/read] }\n";
    let child = "profile: child\nversion: \"2\"\nextends: base\ncommands: { accepts: [] }\n";
    let none = "profile: none\nversion: \"1\"\nextends: base\ncommands: none\n";
    let set = read(&[base, child, none]).unwrap();
    let lists = |name: &str| set.get(name).unwrap().commands.clone();
    let child = lists("child").unwrap();
    assert_eq!(child.sends, lists("base").unwrap().sends);
    assert_eq!(
        child.accepts,
        Some(Vec::new()),
        "it takes no command at all"
    );
    assert_eq!(lists("none"), None);
}

#[test]
fn a_calibration_is_of_one_profile_and_makes_no_evidence_out_of_nothing() {
    let base = "profile: base\nversion: \"1\"\ncalibration: { discount: 2, device_hours: 3000, false_positives: 0.1 %, confidence: 95 % }";
    let child = "profile: child\nversion: \"1\"\nextends: base";
    let set = read(&[base, child]).unwrap();
    assert_eq!(
        set.get("base").unwrap().calibration.unwrap().device_hours,
        3_000
    );
    assert_eq!(set.get("child").unwrap().calibration, None);
    let wrong = "profile: x\nversion: \"1\"\ncalibration: { discount: 0.5, device_hours: none, false_positives: 0 % }";
    let problems = read(&[wrong]).unwrap_err();
    for said in [
        "discount `0.5` is not between 1 and 1,000,000",
        "`confidence:` is missing",
        "`0 %` is not between 0 % and 100 %",
    ] {
        assert!(problems.contains(said), "{said} in {problems}");
    }
}

#[test]
fn currents_at_speeds_are_in_order_and_their_mistakes_are_told() {
    let profile = one(FULL);
    let speeds: Vec<(f64, f64)> = profile
        .load
        .iter()
        .map(|l| (l.from_rpm, l.to_rpm))
        .collect();
    assert_eq!(speeds, [(0.0, 120.0), (2_500.0, 3_300.0)]);
    assert!(profile.load[0].is_standing() && !profile.load[1].is_standing());
    let frozen = profile.frozen.unwrap();
    assert_eq!(frozen.active, None);
    assert_eq!(
        frozen.turning,
        Some(andon_schemas::time::Span::MINUTE.times(2))
    );
    let wrong = "profile: x
version: '1'
load:
  - { speed: 0-100 rpm, current: 0-1 A }
  - { speed: 80-3000 rpm, current: 2-8 A }
  - { speed: 4000-5000 rpm, current: 2-8 A, mean: 4 A }
  - { current: 2-8 A }
frozen: { idle: 0 s, standing: 1 min }
";
    // As `learn` writes them: each class begins where the one before ends.
    let adjacent = "load:
  - { speed: 0-100 rpm, current: 0-1 A }
  - { speed: 101-3000 rpm, current: 2-8 A }
  - { speed: 3000-6000 rpm, current: 4-9 A }
";
    assert_eq!(one(adjacent).load.len(), 3);
    let problems = read(&[wrong]).unwrap_err();
    for said in [
        "these speeds overlap with 0-100 rpm",
        "the mean has no width above 0 A",
        "`speed:` is missing",
        "`0 s` is not above 0",
        "`standing",
    ] {
        assert!(problems.contains(said), "{said} in {problems}");
    }
}

#[test]
fn what_was_learned_is_of_one_profile_and_its_tables_are_checked() {
    let table = "{ windows: 900, error: 0.01, steps: [0.5 0 0.6, 0.1 1.5 0.2] }";
    let day = "0.1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 -0.1";
    let week = [day; 7].join(", ");
    let law = |season: &str, up: &str| {
        format!(
            "learned:\n  traffic_volume: {{ middle: 8.66e7, memory: 0.3, levels: 0.1, within: 0.2, \
             season: [{season}], up: {up}, down: {table} }}\n"
        )
    };
    let base = format!("profile: base\nversion: \"1\"\n{}", law(&week, table));
    let child = "profile: child\nversion: \"1\"\nextends: base";
    let set = read(&[&base, child]).unwrap();
    let learned = &set.get("base").unwrap().learned["traffic_volume"];
    assert_eq!((learned.season.len(), learned.up.windows), (168, 900));
    assert!((learned.season[23] + 0.1).abs() < 1e-12 && learned.up.steps[1].bound > 0.19);
    assert!(set.get("child").unwrap().learned.is_empty());
    for (law, said) in [
        (
            law(day, table),
            "a season of 24 hours is not that of a week",
        ),
        (
            law(
                &week,
                "{ windows: 9, error: 0.01, steps: [0.1 1 0.2, 0.5 2 0.6] }",
            ),
            "the steps are no table",
        ),
        (
            law(&week, "{ windows: 9, error: 0.01, steps: [0.5 1] }"),
            "`0.5 1` is not a step",
        ),
        (law(&week, "none"), "is not a mapping"),
        (
            law(&week, table).replace("0.3,", "1.5,"),
            "`1.5` is not a number from 0 to 0.95",
        ),
        (
            law(&week, table).replace("traffic_volume", "scan"),
            "nothing is learned for a detector `scan`",
        ),
    ] {
        let problems = read(&[&format!("profile: x\nversion: \"1\"\n{law}")]).unwrap_err();
        assert!(problems.contains(said), "{said} in {problems}");
    }
}

#[test]
fn circles_and_unknown_bases_are_reported() {
    let a = "profile: a\nversion: \"1\"\nextends: b\n";
    let b = "profile: b\nversion: \"1\"\nextends: a\n";
    let text = read(&[a, b]).unwrap_err();
    assert!(
        text.contains("a.yaml cannot be used: 1 problem\n  3:10  extends  `extends:` runs in a circle: a, b, a"),
        "{text}"
    );
    assert!(text.contains("runs in a circle: b, a, b"), "{text}");
    let text = read(&[
        &a.replace("extends: b", "extends: bass"),
        &b.replace("extends: a", ""),
    ]);
    assert!(text.unwrap_err().contains("no profile has the name `bass`"));
    let text = read(&[b, b]).unwrap_err();
    assert!(text.contains("profile `b` is also in a.yaml"), "{text}");
}

#[test]
fn a_cadence_makes_the_volume_where_none_is_written() {
    let volume = one("cadence: { size: 2 KB, every: 5 s }\n").volume.unwrap();
    assert_eq!((volume.range.lo, volume.range.hi), (1.44e6, 1.44e6));
    assert_eq!(
        (volume.rule_bytes, volume.absolute, volume.baseline),
        (4.32e6, false, 1.44e6)
    );
    let written = one("cadence: { size: 2 KB, every: 5 s }\nvolume_per_hour: 2-8 MB\n");
    assert_eq!(written.volume.map(|volume| volume.baseline), Some(4e6));
}

#[test]
fn an_absolute_limit_takes_the_place_of_the_multiple() {
    let volume = one("volume_per_hour: { range: 50-150 MB, limit: 1 GB }\n")
        .volume
        .unwrap();
    assert_eq!((volume.rule_bytes, volume.absolute), (1e9, true));
    let single = one("volume_per_hour: 1.44 MB\n").volume;
    assert_eq!(single.map(|volume| volume.rule_bytes), Some(4.32e6));
}

#[test]
fn differences_are_told_in_words() {
    let before = one("volume_per_hour: 50-150 MB\ndestinations: [a.local, b.local]\n");
    let after = one("volume_per_hour: 60-150 MB\ndestinations: [a.local, { role: ntp }]\n");
    let told: Vec<_> = diff(&before, &after)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "destinations: b.local is gone, was { name: b.local }",
            "volume_per_hour: 50-150 MB becomes 60-150 MB",
            "destinations: role ntp is new, { role: ntp }",
        ]
    );
    assert_eq!(diff(&before, &before), []);
    let swapped = one("volume_per_hour: 50-150 MB\ndestinations: [b.local, a.local]\n");
    assert_eq!(
        diff(&before, &swapped)[0].to_string(),
        "the order of items differs"
    );
}

/// Comparing every item with every other would take this test minutes.
#[test]
fn a_very_long_list_is_read_in_its_length() {
    let items: Vec<_> = (0..40_000).map(|at| format!("host-{at}.local")).collect();
    let profile = one(&format!("destinations: [{}]\n", items.join(", ")));
    assert_eq!(profile.destinations.len(), 40_000);
}

proptest! {
    /// Any one line of a full profile replaced by noise is read or refused, never a panic.
    #[test]
    fn a_damaged_profile_is_read_or_refused(line in 0usize..40, noise in "\\PC{0,60}") {
        let mut lines: Vec<&str> = FULL.lines().collect();
        let at = line % lines.len();
        lines[at] = &noise;
        let text = format!("profile: x\nversion: \"1\"\n{}", lines.join("\n"));
        if let Err(problems) = read(&[&text]) {
            prop_assert!(problems.contains("cannot be used"));
        }
    }

    /// A value replaced by another plausible one either loads and round-trips, or is explained.
    #[test]
    fn what_loads_round_trips(
        key in "(volume_per_hour|connections_per_hour|active_hours|spindle|silence|description)",
        value in "([0-9]{1,5}(\\.[0-9]{1,3})?-)?[0-9]{1,6}(\\.[0-9]{1,3})? ?(MB|KiB|rpm|min|ms|)|[ -~]{1,20}",
    ) {
        let text = format!("profile: x\nversion: \"1\"\n{key}: {value}\n");
        if let Ok(set) = read(&[&text]) {
            let profile = set.get("x").unwrap();
            let again = read(&[&profile.to_yaml()]).unwrap();
            prop_assert_eq!(&again.get("x").unwrap().hash, &profile.hash);
        }
    }
}
