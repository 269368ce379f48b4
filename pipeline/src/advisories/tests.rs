//! Files of advisories, and what devices attested.

use std::fs;

use andon_schemas::advisory::{Advisor as _, Affected, FirmwareVersion, VersionSource};
use andon_schemas::builtin;
use andon_schemas::inventory::Make;
use andon_schemas::time::EventTime;
use andon_schemas::wire::{DecodeOptions, decode};

use super::shelf::Shelf;
use super::*;

const TABLE: &str = "vendor,product,versions,cve,cvss\nAcme,Press 100,<2.0,CVE-1,8\n";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_folder_is_read_with_what_is_below_and_a_bad_file_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "2024/a.csv", TABLE);
    write(root, "2025/b.json", "{ \"document\": { \"title\": 1 } }");
    write(root, "changes.csv", "\"2024/a.csv\",\"2024-01-01\"\n");
    write(root, ".hidden/c.json", "{");
    write(root, "README.md", "no advisory");
    fs::write(root.join("d.json"), [0xff, 0xfe]).unwrap();
    let found = gather(&[root.to_owned()]).unwrap();
    let counts = found.advisories.counts();
    assert_eq!((counts.files, counts.faulty, counts.statements), (1, 2, 1));
    let told: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    assert!(
        told[0].contains("b.json") && told[0].contains("1:26"),
        "{told:?}"
    );
    assert!(
        told[1].contains("d.json") && told[1].contains("UTF-8"),
        "{told:?}"
    );
}

#[test]
fn links_that_lead_in_circles_and_what_never_ends_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "a.csv", TABLE);
    for number in 0..8 {
        std::os::unix::fs::symlink(".", root.join(format!("link-{number}"))).unwrap();
    }
    let pipe = root.join("pipe.json");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let found = gather(&[root.to_owned()]).unwrap();
    let counts = found.advisories.counts();
    assert_eq!((counts.files, counts.faulty, counts.statements), (1, 1, 1));
    let told = found.problems[0].to_string();
    assert!(
        told.contains("pipe.json") && told.contains("no regular file"),
        "{told}"
    );
    let error = gather(&[pipe]).unwrap_err();
    assert!(crate::exit::words(&error).contains("neither a file nor a folder"));
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    let error = gather(&[PathBuf::from("/nowhere/advisories")]).unwrap_err();
    assert!(crate::exit::words(&error).contains("cannot read advisories `/nowhere/advisories`"));
}

#[test]
fn reading_again_takes_what_is_new_and_keeps_what_is_not_there_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("lists");
    write(&root, "a.csv", TABLE);
    let advisor = Advisor::open(std::slice::from_ref(&root)).unwrap().unwrap();
    let make = Make {
        vendor: Some("Acme".to_owned()),
        models: vec!["Press 100".to_owned()],
        firmware: Some("1.9".to_owned()),
    };
    let device = builtin::inventory().unwrap().devices[0].id.clone();
    let count = || advisor.of(&device, Some(&make)).affected;
    assert_eq!(count(), 1);
    write(&root, "b.csv", &TABLE.replace("CVE-1", "CVE-2"));
    advisor.reload();
    assert_eq!(count(), 2);
    fs::remove_dir_all(&root).unwrap();
    advisor.reload();
    assert_eq!(count(), 2);
}

fn attest(attested: &Attested, device: &str, sender: &str, time: &str, version: &str) {
    let line = format!(
        r#"{{"v":1,"kind":"attestation","device":"{device}","sender":"{sender}","time":"{time}","firmware":"{version}"}}"#
    );
    let options = DecodeOptions {
        capture: true,
        ..DecodeOptions::default()
    };
    let record = decode(line.as_bytes(), options).unwrap();
    let _is_new = attested.see(
        record.device.as_ref().unwrap(),
        &record,
        &builtin::inventory().unwrap(),
    );
}

#[test]
fn the_newest_version_that_a_device_attested_counts_before_the_inventory() {
    let inventory = builtin::inventory().unwrap();
    let mut devices = inventory
        .devices
        .iter()
        .filter(|device| device.gateway.is_none() && device.function.as_str() == "device");
    let (device, other) = (devices.next().unwrap(), devices.next().unwrap());
    let id = device.id.as_str();
    let make = Make {
        firmware: Some("1.0".to_owned()),
        ..Make::default()
    };
    let attested = Attested::default();
    let version = |attested: &Attested| firmware(attested, &device.id, Some(&make)).unwrap();
    assert_eq!(version(&attested).version, "1.0");
    attest(&attested, id, id, "2025-12-14T02:00:00Z", "2.1");
    attest(&attested, id, id, "2025-12-14T01:00:00Z", "2.0");
    // Another device has nothing to say about this one, and strangers are not kept.
    attest(
        &attested,
        id,
        other.id.as_str(),
        "2025-12-14T03:00:00Z",
        "9.9",
    );
    attest(
        &attested,
        "stranger",
        "stranger",
        "2025-12-14T03:00:00Z",
        "9.9",
    );
    let told = version(&attested);
    assert_eq!(told.version, "2.1");
    assert_eq!(told.at.unwrap().to_string(), "2025-12-14T02:00:00.000000Z");

    let folder = tempfile::tempdir().unwrap();
    attested.write(folder.path()).unwrap();
    let again = Attested::read(folder.path()).unwrap();
    assert_eq!(version(&again), told);
    assert!(again.of(&other.id).is_none());
    let kept = fs::read_to_string(folder.path().join(FILE)).unwrap();
    assert!(!kept.contains("stranger"), "{kept}");
}

/// An advisory as CISA published it, in the public domain: ICSA-24-060-01, from the repository
/// `cisagov/CSAF`.
#[test]
fn a_published_advisory_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/published/icsa-24-060-01.json");
    let found = gather(&[path]).unwrap();
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let make = Make {
        vendor: Some("Delta Electronics".to_owned()),
        models: vec!["CNCSoft-B".to_owned()],
        firmware: Some("1.0.0.4".to_owned()),
    };
    let device = builtin::inventory().unwrap().devices[0].id.clone();
    let runs = firmware(&Attested::default(), &device, Some(&make));
    let told = found.advisories.of(Some(&make), runs);
    let [known] = &told.advisories[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (known.cve.as_str(), known.cvss),
        ("CVE-2024-1941", Some(7.8))
    );
    assert_eq!(known.verdict, Affected::Affected);
    assert_eq!(
        known.title,
        "Delta Electronics CNCSoft-B (Stack-based Buffer Overflow)"
    );
    let page = "https://www.cisa.gov/news-events/ics-advisories/icsa-24-060-01";
    assert_eq!(known.url.as_deref(), Some(page));
}

#[test]
fn how_much_is_known_is_kept_for_those_who_only_have_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("lists");
    write(
        &lists,
        "a.csv",
        &format!("{TABLE}Acme,Press 100,odd,CVE-9,9.9\n"),
    );
    let advisor = Advisor::open(std::slice::from_ref(&lists))
        .unwrap()
        .unwrap();
    let mut inventory = builtin::inventory().unwrap();
    inventory.devices[3].make = Some(std::sync::Arc::new(Make {
        vendor: Some("Acme".to_owned()),
        models: vec!["Press 100".to_owned()],
        firmware: Some("1.9".to_owned()),
    }));
    keep(Some(&advisor), folder.path(), &inventory).unwrap();
    let kept = counted::read(folder.path()).unwrap();
    let words = kept.get(&inventory.devices[3].id).unwrap().words();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        words,
        "firmware 1.9: affected by 1, the worst CVE-1 (CVSS 8.0 of 10); of 1 it cannot be told"
    );
    // What an earlier run kept is not of now for one without advisories.
    keep(None, folder.path(), &inventory).unwrap();
    assert!(counted::read(folder.path()).unwrap().is_empty());
}

fn press(firmware: &str) -> Make {
    Make {
        vendor: Some("Acme".to_owned()),
        models: vec!["Press 100".to_owned()],
        firmware: Some(firmware.to_owned()),
    }
}

#[test]
fn an_answer_is_looked_up_once_until_the_advisories_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("lists");
    write(&lists, "a.csv", TABLE);
    let advisor = Advisor::open(std::slice::from_ref(&lists))
        .unwrap()
        .unwrap();
    let devices = builtin::inventory().unwrap().devices;
    let first = advisor.of(&devices[0].id, Some(&press("1.9")));
    let again = advisor.of(&devices[1].id, Some(&press("1.9")));
    assert_eq!(again, first);
    assert_eq!(advisor.shelf().held(), (1, 2));
    let newer = advisor.of(&devices[0].id, Some(&press("2.0")));
    assert_eq!((newer.affected, advisor.shelf().held()), (0, (2, 3)));
    write(&lists, "b.csv", &TABLE.replace("CVE-1", "CVE-2"));
    advisor.reload();
    assert_eq!(advisor.shelf().held(), (0, 0));
    assert_eq!(advisor.of(&devices[0].id, Some(&press("1.9"))).affected, 2);
}

#[test]
fn an_answer_that_was_kept_has_the_time_of_the_device() {
    let mut gathering = Gathering::default();
    gathering.table("a.csv", TABLE).unwrap();
    let shelf = Shelf::of(gathering.finish());
    let runs = |micros| {
        Some(FirmwareVersion {
            version: "1.9".to_owned(),
            source: VersionSource::Attested,
            at: Some(EventTime::from_micros(micros)),
        })
    };
    for micros in [7, 9] {
        let told = shelf.ask(Some(&press("1.0")), runs(micros));
        assert_eq!((told.firmware, told.affected), (runs(micros), 1));
    }
    assert_eq!(shelf.held().0, 1);
}

#[test]
fn what_is_kept_of_answers_has_an_end() {
    let mut gathering = Gathering::default();
    let rows = (0..99).map(|n| format!("Acme,Press 100,*,CVE-{n},8\n"));
    let text: String = rows.collect();
    let text = format!("vendor,product,versions,cve,cvss\n{text}");
    gathering.table("a.csv", &text).unwrap();
    let shelf = Shelf::of(gathering.finish());
    for version in 0..300 {
        let make = press(&version.to_string());
        let told = shelf.ask(Some(&make), FirmwareVersion::of_inventory(Some(&make)));
        assert_eq!(told.affected, 99);
        assert!(shelf.held().1 <= shelf::KEPT_MAX);
    }
    assert_eq!(shelf.held(), (200, 20_000));
}

#[test]
fn the_run_does_not_wait_for_what_is_counted_and_hears_what_went_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let lists = data.join("lists");
    write(&lists, "a.csv", TABLE);
    let advisor = Advisor::open(std::slice::from_ref(&lists))
        .unwrap()
        .unwrap();
    let mut inventory = builtin::inventory().unwrap();
    inventory.devices[3].make = Some(std::sync::Arc::new(press("1.9")));
    // It cannot be written; the run goes on for now.
    fs::create_dir_all(data.join("advisories.json/in the way")).unwrap();
    keep_aside(Some(&advisor), data, &inventory).unwrap();
    keep(Some(&advisor), data, &inventory).unwrap_err();
    fs::remove_dir_all(data.join("advisories.json")).unwrap();
    advisor.reload();
    keep_aside(Some(&advisor), data, &inventory).unwrap();
    keep(Some(&advisor), data, &inventory).unwrap();
    let kept = counted::read(data).unwrap();
    assert_eq!(kept.get(&inventory.devices[3].id).unwrap().affected, 1);
    // What changed since then is counted too.
    inventory.devices[4].make = Some(std::sync::Arc::new(press("1.8")));
    advisor.reload();
    keep_aside(Some(&advisor), data, &inventory).unwrap();
    keep(Some(&advisor), data, &inventory).unwrap();
    assert_eq!(counted::read(data).unwrap().len(), 2);
}
