//! What advisories say of devices.

mod matching;
mod order;
mod told;

use super::*;
use crate::inventory::Make;

/// A small advisory about a vendor's controllers; `%STATUS%` and `%RANGE%` are put in.
const DOCUMENT: &str = r#"{
  "document": {
    "category": "csaf_security_advisory", "csaf_version": "2.0", "title": "Controllers of Acme",
    "publisher": { "category": "vendor", "name": "Acme", "namespace": "https://acme.example" },
    "references": [
      { "category": "self", "summary": "JSON", "url": "https://acme.example/a-1.json" },
      { "category": "self", "summary": "web page", "url": "https://acme.example/a-1" }
    ],
    "tracking": {
      "id": "ACME-1", "status": "final", "version": "2",
      "current_release_date": "2025-03-02T00:00:00Z", "initial_release_date": "2025-03-01T00:00:00Z",
      "revision_history": []
    }
  },
  "product_tree": { "branches": [ { "category": "vendor", "name": "Acme GmbH", "branches": [
    { "category": "product_name", "name": "Press 100", "branches": [
      { "category": "product_version_range", "name": "%RANGE%",
        "product": { "name": "Press 100 %RANGE%", "product_id": "P1",
          "product_identification_helper": { "model_numbers": ["7AC100-*-0A"] } } },
      { "category": "product_version", "name": "V2.9.4",
        "product": { "name": "Press 100 V2.9.4", "product_id": "P2" } } ] } ] } ] },
  "vulnerabilities": [ {
    "cve": "CVE-2025-0001", "title": "Overflow in the web server",
    "product_status": { "%STATUS%": ["P1"], "fixed": ["P2"] },
    "scores": [ { "products": ["P1"], "cvss_v3": { "version": "3.1", "baseScore": 9.8,
      "baseSeverity": "CRITICAL", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" } } ],
    "remediations": [ { "category": "vendor_fix", "details": "Update to V2.9.4.", "product_ids": ["P1"] } ]
  } ]
}"#;

fn document(status: &str, range: &str) -> String {
    DOCUMENT
        .replace("%STATUS%", status)
        .replace("%RANGE%", range)
}

fn advisories(texts: &[&str]) -> Advisories {
    let mut gathering = Gathering::default();
    for text in texts {
        gathering.csaf("a.json", text).unwrap();
    }
    gathering.finish()
}

fn make(vendor: &str, model: &str) -> Make {
    Make {
        vendor: Some(vendor.to_owned()),
        models: vec![model.to_owned()],
        firmware: None,
    }
}

fn firmware(version: &str) -> Option<FirmwareVersion> {
    FirmwareVersion::of_inventory(Some(&Make {
        firmware: Some(version.to_owned()),
        ..Make::default()
    }))
}

fn verdicts(
    advisories: &Advisories,
    model: &str,
    version: Option<&str>,
) -> Vec<(String, Affected)> {
    let found = advisories.of(Some(&make("Acme", model)), version.and_then(firmware));
    let found = found.advisories.into_iter();
    found.map(|known| (known.cve, known.verdict)).collect()
}

#[test]
fn a_version_in_the_range_is_affected_and_a_fixed_one_is_not() {
    let all = advisories(&[&document("known_affected", "vers:generic/<V2.9.4")]);
    let found = all.of(Some(&make("ACME", "Press 100")), firmware("2.9.3"));
    assert_eq!((found.affected, found.cannot_tell), (1, 0));
    let known = &found.advisories[0];
    assert_eq!(known.cve, "CVE-2025-0001");
    assert_eq!(known.verdict, Affected::Affected);
    assert_eq!(
        (known.severity, known.cvss),
        (Severity::Critical, Some(9.8))
    );
    assert_eq!(known.fixed_in.as_deref(), Some("V2.9.4"));
    assert_eq!(known.remedy.as_deref(), Some("Update to V2.9.4."));
    assert_eq!(known.url.as_deref(), Some("https://acme.example/a-1"));
    assert_eq!(known.advisories, ["ACME-1"]);
    for fixed in ["2.9.4", "V2.9.4-hf1", "2.10"] {
        assert_eq!(verdicts(&all, "Press 100", Some(fixed)), [], "{fixed}");
    }
}

#[test]
fn what_cannot_be_compared_cannot_be_told() {
    let all = advisories(&[&document("known_affected", "<V2.9.4")]);
    let cannot = [("CVE-2025-0001".to_owned(), Affected::CannotTell)];
    for unclear in [
        None,
        Some("gold image"),
        Some("MX-2.9"),
        Some("2.9.4-custom"),
    ] {
        assert_eq!(verdicts(&all, "Press 100", unclear), cannot, "{unclear:?}");
    }
    let unclear = advisories(&[&document(
        "known_affected",
        "versions in default configuration",
    )]);
    assert_eq!(verdicts(&unclear, "Press 100", Some("2.9")), cannot);
    let asked = advisories(&[&document("under_investigation", "*")]);
    assert_eq!(verdicts(&asked, "Press 100", Some("2.9")), cannot);
}

#[test]
fn all_versions_affect_a_device_whose_version_nobody_said() {
    let all = advisories(&[&document("known_affected", "vers:all/*")]);
    let affected = [("CVE-2025-0001".to_owned(), Affected::Affected)];
    assert_eq!(verdicts(&all, "Press 100", None), affected);
}

#[test]
fn what_is_listed_both_ways_cannot_be_told() {
    let all = advisories(&[&document("known_affected", "<=V2.9.4")]);
    let found = all.of(Some(&make("Acme", "Press 100")), firmware("2.9.4"));
    assert_eq!((found.affected, found.cannot_tell), (0, 1));
    assert!(found.advisories[0].reason.contains("as not affected"));
}

#[test]
fn the_last_affected_version_leaves_those_before_it_open() {
    let all = advisories(&[&document("last_affected", "V2.9.3")]);
    let told = |version| {
        verdicts(&all, "Press 100", Some(version))
            .pop()
            .map(|v| v.1)
    };
    assert_eq!(told("2.9.3"), Some(Affected::Affected));
    assert_eq!(told("2.1"), Some(Affected::CannotTell));
    assert_eq!(told("2.9.5"), None);
}

#[test]
fn a_product_on_another_is_found_by_either_name() {
    let text = document("known_affected", "<V3").replace(
        r#""product_tree": { "branches": ["#,
        r#""product_tree": { "relationships": [ { "category": "installed_on",
          "full_product_name": { "name": "Press firmware on Roller", "product_id": "R1" },
          "product_reference": "P1", "relates_to_product_reference": "P9" } ],
          "branches": [ { "category": "vendor", "name": "Acme GmbH", "branches": [
          { "category": "product_name", "name": "Roller 7",
            "product": { "name": "Roller 7", "product_id": "P9" } } ] }, "#,
    );
    let all =
        advisories(&[&text.replace(r#""known_affected": ["P1"]"#, r#""known_affected": ["R1"]"#)]);
    let affected = [("CVE-2025-0001".to_owned(), Affected::Affected)];
    assert_eq!(verdicts(&all, "Roller 7", Some("2.9")), affected);
    assert_eq!(verdicts(&all, "Roller 7", Some("3.0")), []);
}

#[test]
fn the_newer_revision_of_an_advisory_stands() {
    let new = document("known_affected", "<V2.9.4");
    let old = document("known_affected", "*").replace("2025-03-02", "2025-03-01");
    for texts in [[&*new, &*old], [&*old, &*new]] {
        let all = advisories(&texts);
        assert_eq!(all.counts().advisories, 1);
        assert_eq!(verdicts(&all, "Press 100", Some("2.9.5")), []);
    }
}

#[test]
fn an_advisory_of_another_publisher_about_the_same_joins() {
    let other = document("known_affected", "*")
        .replace("https://acme.example\"", "https://cert.example\"")
        .replace("ACME-1", "CERT-9");
    let all = advisories(&[&document("known_affected", "<V2.9.4"), &other]);
    let found = all.of(Some(&make("Acme", "Press 100")), firmware("strange"));
    assert_eq!((found.affected, found.cannot_tell), (1, 0));
    assert_eq!(found.advisories[0].advisories, ["ACME-1", "CERT-9"]);
}

#[test]
fn faults_are_told_with_their_place_and_the_rest_is_used() {
    let mut gathering = Gathering::default();
    let broken = gathering
        .csaf("b.json", "{\n  \"document\": {\n    \"title\": 7\n")
        .unwrap_err();
    assert_eq!(
        (broken.as_slice()[0].line, broken.as_slice()[0].column),
        (3, 14)
    );
    let other =
        document("known_affected", "<3").replace(r#"["P1"], "fixed""#, r#"["P1", "P7"], "fixed""#);
    let stray = gathering.csaf("c.json", &other).unwrap_err();
    let stray = &stray.as_slice()[0];
    assert_eq!(
        stray.path,
        "vulnerabilities[0].product_status.known_affected[1]"
    );
    let line = other.lines().nth(stray.line as usize - 1).unwrap();
    assert!(line.contains("\"P7\""), "{line}");
    let old = DOCUMENT.replace("\"2.0\"", "\"1.2\"");
    assert!(
        gathering
            .csaf("d.json", &old)
            .unwrap_err()
            .to_string()
            .contains("CSAF `1.2`")
    );
    // A feed stands beside advisories and is none.
    gathering
        .csaf("feed.json", r#"{"feed": {"id": "x"}}"#)
        .unwrap();
    let all = gathering.finish();
    let counts = all.counts();
    assert_eq!((counts.files, counts.faulty, counts.advisories), (1, 3, 1));
    assert_eq!(verdicts(&all, "Press 100", Some("2")).len(), 1);
}

#[test]
fn a_table_says_the_same() {
    let text = "vendor,product,versions,cve,severity,cvss,title,url,fixed_in\n\
        Acme,Press 100,\"<2.9.4\",CVE-2025-2,,7.5,\"Leak, of memory\",https://acme.example/2,\n\
        Acme,Press 100,*,CVE-2025-3,low,,,,2.10\n\
        Acme,Press 100,<9,CVE-2025-4,dire,,,,\n\
        Acme,Press 100,<9,CVE-2025-5,,11,,,\n\
        Acme,Press 100\n\
        Acme,,<9,CVE-2025-6,,,,,\n";
    let mut gathering = Gathering::default();
    let problems = gathering.table("list.csv", text).unwrap_err();
    let told: Vec<(u32, &str)> = problems
        .as_slice()
        .iter()
        .map(|problem| (problem.line, problem.path.as_str()))
        .collect();
    assert_eq!(
        told,
        [(4, "severity"), (5, "cvss"), (6, ""), (7, "product")]
    );
    let all = gathering.finish();
    let found = all.of(Some(&make("Acme", "Press 100")), firmware("2.9"));
    let [first, second] = &found.advisories[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (first.severity, first.fixed_in.as_deref()),
        (Severity::High, Some("2.9.4"))
    );
    assert_eq!(first.title, "Leak, of memory");
    assert_eq!(
        (second.severity, second.fixed_in.as_deref()),
        (Severity::Low, Some("2.10"))
    );
    assert_eq!(second.advisories, ["list.csv"]);
}

#[test]
fn a_table_without_the_right_columns_says_which() {
    for (header, says) in [
        ("vendor,product,cve", "column `versions` is missing"),
        ("vendor,product,verions,cve", "Did you mean `versions`?"),
        (
            "vendor,vendor,versions,cve",
            "column `vendor` is there twice",
        ),
        ("", "column `vendor` is missing"),
    ] {
        let problems = Gathering::default().table("x.csv", header).unwrap_err();
        assert!(problems.to_string().contains(says), "{header}: {problems}");
    }
}

#[test]
fn the_worst_come_first() {
    let text = "vendor,product,versions,cve,cvss\nA,P 1,*,C-low,2\nA,P 1,*,C-high,8\n\
        A,P 1,odd,C-odd,10\nA,P 1,*,C-none,\nA,P 1,*,C-worse,8.8\n";
    let mut gathering = Gathering::default();
    gathering.table("x.csv", text).unwrap();
    let found = gathering
        .finish()
        .of(Some(&make("A", "P 1")), firmware("1"));
    let order: Vec<&str> = found.advisories.iter().map(|k| k.cve.as_str()).collect();
    assert_eq!(order, ["C-worse", "C-high", "C-low", "C-none", "C-odd"]);
}
