//! Every kind of change, written into files as people write them: it reads as meant, and every
//! line that it does not need is what it was.

use andon_schemas::observation::Role;
use andon_schemas::profile::{Profile, SourceFile, parse};

use super::*;
use crate::amend::change::Ranged;

const BLOCKS: &str = "# The press.
profile: press
version: \"1\"

destinations: # whom
  - { name: historian.mfg.local, share: 95 % }

  # the clock
  - { role: ntp }

# in which words
protocols:
  modbus: 80 % # tcp/502
  ntp: 5 %
commands:
  accepts:
    - modbus/read # everybody reads
volume_per_hour: 50-150 MB # both ways
upload_share: 5-15 % # up
connections_per_hour: 10-50
active_hours: Mon-Fri 06:00-22:00 # two shifts
current:
  idle: 0.5-1.0 A
  active: 2.0-8.0 A # under load
  limit: 10 A # the fuse
scan: { hosts: 6, ports: 10 } # few
firmware:
  - version: P-1.0
    released: 2025-01-14
# the end
";

const BRACKETS: &str = "profile: press
version: \"1\"
destinations: [historian.mfg.local, { role: ntp }] # whom
protocols: [modbus, # tcp/502
  ntp]
commands: { accepts: [] }
active_hours: { spans: [06:00-22:00], grace: 15 min }
cadence: { size: 2 KB, every: 5 s } # 1.44 MB
current: { idle: 0.5-1.0 A, active: 2.0-8.0 A, limit: 10 A }
";

fn profile(text: &str) -> Option<Profile> {
    let file = SourceFile {
        path: "press.yaml",
        text,
    };
    parse(&[file], &[]).ok()?.get("press").cloned()
}

fn changes() -> Vec<Change> {
    let peer = |role, address: &str| Change::Peer {
        role,
        address: address.parse().unwrap(),
    };
    let protocol = |name: &str, port: &str, services: &[&str]| Change::Protocol {
        name: name.to_owned(),
        port: port.to_owned(),
        services: services.iter().map(|s| (*s).to_owned()).collect(),
    };
    vec![
        peer(Role::Originator, "203.0.113.9"),
        peer(Role::Responder, "fd00::9"),
        protocol("ssh", "tcp/22", &["ssh"]),
        protocol("ethernet-ip", "udp/2222", &["enip", "cip"]),
        protocol("tcp-9100", "tcp/9100", &[]),
        protocol("tcp-9101", "tcp/9101", &["pjl"]),
        Change::Firmware {
            version: "2.10".to_owned(),
            digest: Some("0".repeat(64)),
            released: "2026-01-02".to_owned(),
        },
        Change::Hours {
            span: "Sun 02:30-02:45".to_owned(),
        },
        Change::Command {
            role: Role::Responder,
            name: "modbus.write_single_coil".to_owned(),
            peer: "10.1.20.9".parse().unwrap(),
        },
        Change::VolumeLimit { bytes: 5e8 },
        Change::Scan {
            limit: "hosts",
            count: 40,
        },
        Change::Scan {
            limit: "failed",
            count: 41,
        },
        Change::Widen {
            range: Ranged::Upload,
            value: 0.25,
        },
        Change::Widen {
            range: Ranged::Connections,
            value: 4.0,
        },
        Change::Widen {
            range: Ranged::ActiveCurrent,
            value: 9.1,
        },
    ]
}

/// The change written into a text, and how many of its lines are gone.
fn amended(text: &str, change: &Change) -> (String, usize) {
    let mut after = profile(text).unwrap();
    change.apply(&mut after);
    let ways = written(text, change, &after, "why");
    let fits = |way: &&String| {
        profile(way).is_some_and(|read| read.content_hash() == after.content_hash())
    };
    let way = ways.iter().find(fits);
    let way = way.unwrap_or_else(|| panic!("{change:?} in no way of {ways:#?}"));
    let gone = text.lines().filter(|line| !way.lines().any(|l| l == *line));
    (way.clone(), gone.count())
}

#[test]
fn a_change_reads_as_meant_and_touches_one_line_at_most() {
    for change in changes() {
        let (text, gone) = amended(BLOCKS, &change);
        assert!(
            gone <= 1,
            "{change:?}:\n{}",
            unified("press", BLOCKS, &text)
        );
        for comment in [
            "# whom",
            "# tcp/502",
            "# everybody reads",
            "# both ways",
            "# the fuse",
        ] {
            assert!(
                text.contains(comment),
                "{change:?} loses {comment}:\n{text}"
            );
        }
    }
    for change in changes() {
        let before = profile(BRACKETS).unwrap();
        let mut after = before.clone();
        change.apply(&mut after);
        if before != after {
            let (text, gone) = amended(BRACKETS, &change);
            assert!(
                gone <= 1,
                "{change:?}:\n{}",
                unified("press", BRACKETS, &text)
            );
        }
    }
}

#[test]
fn line_ends_stay_what_they_are() {
    let windows = BLOCKS.replace('\n', "\r\n");
    for change in changes() {
        let (text, _) = amended(&windows, &change);
        let ends = (text.matches("\r\n").count(), text.matches('\n').count());
        assert_eq!(ends.0, ends.1, "{change:?}: {text:?}");
    }
}

#[test]
fn changes_far_apart_are_two_hunks_and_near_ones_are_one() {
    let after = BLOCKS
        .replace("modbus: 80 %", "modbus: 70 %")
        .replace("# the end\n", "");
    let diff = unified("press.yaml", BLOCKS, &after);
    assert_eq!(diff.matches("@@ -").count(), 2, "{diff}");
    let after = BLOCKS
        .replace("80 %", "70 %")
        .replace("ntp: 5 %", "ntp: 6 %");
    let diff = unified("press.yaml", BLOCKS, &after);
    assert_eq!(diff.matches("@@ -").count(), 1, "{diff}");
    assert!(
        diff.contains("-  modbus: 80 % # tcp/502\n") && diff.contains("+  ntp: 6 %\n"),
        "{diff}"
    );
    assert_eq!(unified("press.yaml", BLOCKS, BLOCKS), "");
}
