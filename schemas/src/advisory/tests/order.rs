//! The order of versions, and what lies in a range.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::super::version::by_semver;
use super::*;

fn compare(a: &str, b: &str) -> Option<Ordering> {
    Version::read(a)
        .unwrap()
        .compare(&Version::read(b).unwrap())
}

#[test]
fn versions_are_ordered_as_vendors_count() {
    for (older, newer) in [
        ("2.9.4", "2.10.0"),
        ("V2.9.4", "2.9.4-hf1"),
        ("2.9.4-hf1", "2.9.4-hf2"),
        ("2.9.4-hf9", "2.9.5"),
        ("V4.8", "V4.8 SP5"),
        ("V4.8 SP5", "V4.8 SP5 Update 2"),
        ("1.02A", "1.02C"),
        ("1.02", "1.02C"),
        ("2.0-rc1", "2.0"),
        ("2.0-beta", "2.0 rc 2"),
        ("2.1.1-2", "2.1.1-10"),
        ("5.4.5 build 160928", "5.4.5 build 160929"),
        ("V01L001", "V01L010"),
        ("MX-V4.1.1.21", "MX-V4.1.10.28"),
        ("V12.8.1.1", "V13"),
        ("99999999999999999999999998", "99999999999999999999999999"),
        ("R6.01", "R07.00"),
    ] {
        assert_eq!(
            compare(older, newer),
            Some(Ordering::Less),
            "{older} {newer}"
        );
        assert_eq!(
            compare(newer, older),
            Some(Ordering::Greater),
            "{newer} {older}"
        );
    }
}

#[test]
fn different_spellings_of_a_version_are_equal() {
    for (a, b) in [
        ("V2.9", "2.9.0"),
        ("v05.30", "Version 5.30"),
        ("FW 2.1", "2.1"),
        ("2.9.4-hf1", "2.9.4 Hotfix 1"),
        ("V4.8 SP5", "4.8_sp5"),
    ] {
        assert_eq!(compare(a, b), Some(Ordering::Equal), "{a} {b}");
    }
}

#[test]
fn what_only_the_vendor_can_order_is_not_ordered() {
    for (a, b) in [
        ("4.8 SP5", "4.8 HF6"),
        ("2.9.4-siemens", "2.9.4"),
        ("MX-4.1", "4.1"),
        ("R15", "15"),
        ("2.0b3", "2.0"),
        ("5.4.5 build 160928", "5.4.5"),
        ("2.9.4-22165", "V2.9.4"),
        ("2.9.4+5", "2.9.4"),
        ("V2.9.4 (123)", "2.9.4"),
        ("2.9.4 rev 3", "2.9.4"),
        ("2.9.4-22165", "2.9.4 hf1"),
        ("2.9.4 build 5", "2.9.4-rc1"),
    ] {
        assert_eq!(compare(a, b), None, "{a} {b}");
    }
    for text in [
        "",
        "gold",
        "Feb 10 2021",
        "1:2.3",
        "2.0, 2.1",
        "2310****",
        "1.x.3",
        "v36.011_v35.013",
        "версия 2",
    ] {
        assert!(Version::read(text).is_none(), "{text}");
    }
}

#[test]
fn ranges_are_read_as_they_are_written() {
    let contains =
        |range: &str, version: &str| Range::read(range).contains(Version::read(version).as_ref());
    for (range, inside, outside) in [
        ("<V2.9.4", "2.9.3", "2.9.4"),
        ("<= 11.x", "11.7", "12.0"),
        (">= 5.2.0 | <= 5.4.5", "5.3", "5.5"),
        ("vers:all/>=V2.9.2<V2.9.4", "2.9.2", "2.9.4"),
        ("vers:generic/>=1.0|<2.0|>=3.0|<4.0", "3.5", "2.5"),
        ("vers:generic/%3E%3D1.0|%3C2.0", "1.5", "2.0"),
        ("vers:generic/>=1.0|!=1.5|<2.0", "1.6", "1.5"),
        (">= V2.0 < V2.2", "2.1", "2.2"),
        (">=2.0 and <2.2", "2.1", "2.2"),
        ("All versions < V4.8 SP5", "V4.8 SP4", "V4.8 SP5"),
        ("All versions prior to V2", "1.9", "2"),
        ("2.3.6 and  below", "2.3.6", "2.3.7"),
        ("2.3.6 or later", "2.4", "2.3.5"),
        ("13.2.1-13.2.4", "13.2.3", "13.2.5"),
        ("2.0 to 2.5", "2.5", "2.6"),
        ("1.1 | 1.2 | 1.4", "1.2", "1.3"),
        ("vers:generic/<2.2|>=2.0", "2.1", "2.2"),
        ("vers:generic/<2.2|>=2.0", "2.0", "1.9"),
        ("vers:generic/<4.0|>=1.0|<2.0|>=3.0", "3.5", "2.5"),
        ("vers:generic/<1.0|>=2.0", "2.5", "1.5"),
        ("vers:generic/>=3.0|<2.0", "1.9", "2.5"),
        ("vers:generic/<2.0|<3.0", "2.5", "3.0"),
        ("vers:generic/>=2.0|>=1.0|<3.0", "1.5", "3.0"),
        ("vers:generic/<11.0|>9.x", "10.1", "9.7"),
        ("vers:semver/<2.0.0|>=2.0.0-rc.1", "2.0.0-rc.2", "1.0.0"),
        ("vers:deb/2.0.1-2.0.3", "2.0.1-2.0.3", "2.0.2"),
        ("<2.2, >=2.0", "2.1", "2.2"),
        ("<2.2, >=2.0", "2.0", "1.9"),
        ("<V2.2 and >=V2.0", "2.1", "1.9"),
        ("<2.2 | >=2.0 | <3.2 | >=3.0", "3.1", "2.5"),
        ("<1.0 | >=2.0", "0.9", "1.5"),
        ("<1.0 | >=2.0 | <3.0", "2.5", "3.5"),
        (">=3.0 | <2.0", "1.0", "2.5"),
        ("<=2.0, >=2.0", "2.0", "2.1"),
        ("9.x", "9.7", "10.0"),
        ("> 9.x", "10.0", "9.7"),
        ("≤ 2.0", "2.0", "2.1"),
        ("V2.1", "2.1.0", "2.1.1"),
        ("vers:semver/<1.0.0", "1.0.0-rc.1", "1.0.0"),
        (
            "vers:semver/>=1.0.0-alpha.2|<2.0.0",
            "1.0.0-alpha.11",
            "1.0.0-alpha.1",
        ),
    ] {
        assert_eq!(contains(range, inside), Some(true), "{range}: {inside}");
        assert_eq!(contains(range, outside), Some(false), "{range}: {outside}");
    }
    for all in ["*", "All versions", "vers:all/*", "vers:generic/*", "all"] {
        assert_eq!(Range::read(all).contains(None), Some(true), "{all}");
    }
}

/// The release may be that very build, so a device that runs it may well be in.
#[test]
fn a_build_of_the_last_version_may_be_in_the_range() {
    for range in ["<= 5.4.5", "5.4.5", "< 5.4.5", "vers:generic/<=5.4.5"] {
        let range = Range::read(range);
        let contains = |version| range.contains(Version::read(version).as_ref());
        for version in [
            "5.4.5 build 160928",
            "V5.4.5 (123)",
            "5.4.5+5",
            "5.4.5-22165",
        ] {
            assert_eq!(contains(version), None, "{range:?}: {version}");
        }
        assert_eq!(contains("5.4.6 build 1"), Some(false));
        assert_eq!(contains("5.4.5 hotfix 1"), Some(false));
    }
}

#[test]
fn what_a_range_leaves_open_is_neither_in_nor_out() {
    let contains =
        |range: &str, version: &str| Range::read(range).contains(Version::read(version).as_ref());
    for (range, version) in [
        ("", "1.0"),
        ("<=", "1.0"),
        ("< Feb 10 2021", "1.0"),
        ("All versions in default configuration", "1.0"),
        (">= 9.3.0 - but not including 9.3.8", "9.3.5"),
        ("< V6.15 in connection with CMC <= V6.6", "6.14"),
        ("<= Serial Numbers 2310****", "2300"),
        ("<2.0", "custom-2"),
        ("S7-1211", "4.2"),
        ("=> => 3", "1"),
        ("vers:semver/<2.0.0", "1.0.0.0.1"),
        ("vers:generic/<4.8 SP5|>=4.8 HF6", "4.7"),
        ("vers:generic/<2.0|>=2.0", "1.0"),
        ("vers:generic/2.0 to 2.5", "2.3"),
        ("<4.8 SP5, >=4.8 HF6", "4.7"),
        ("<2.0 | >2.0", "1.0"),
        (">=1.0 | >=2.0 | <3.0", "1.5"),
    ] {
        assert_eq!(contains(range, version), None, "{range}: {version}");
    }
    // What is read of it still counts.
    assert_eq!(contains("<2.0 | some others", "1.0"), Some(true));
    assert_eq!(contains("<2.0 | some others", "3.0"), None);
}

#[test]
fn semantic_versions_follow_their_rules() {
    let ladder = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.10.0",
        "2",
    ];
    for (at, older) in ladder.iter().enumerate() {
        for newer in &ladder[at + 1..] {
            assert_eq!(
                by_semver(older, newer),
                Some(Ordering::Less),
                "{older} {newer}"
            );
        }
    }
    assert_eq!(by_semver("1.0.0+a", "1.0.0+b"), Some(Ordering::Equal));
    assert_eq!(by_semver("1.0.0.0", "1.0.0"), None);
}

/// Versions of all kinds, near enough to each other to be compared often.
fn written() -> impl Strategy<Value = String> {
    let numbers = prop::collection::vec(0_u8..4, 1..4)
        .prop_map(|n| n.iter().map(u8::to_string).collect::<Vec<_>>().join("."));
    let head = prop_oneof![6 => Just(""), 1 => Just("V"), 1 => Just("MX-"), 1 => Just("R")];
    let tail = prop_oneof![
        4 => Just(String::new()),
        1 => "(a|b|C)",
        3 => ("[-_ .]", "(hf|SP|rc|beta|update|build|odd|p)", 0_u8..3)
            .prop_map(|(a, b, c)| format!("{a}{b}{c}")),
        1 => "-[0-9]",
    ];
    (head, numbers, tail.clone(), tail).prop_map(|(h, n, t, u)| format!("{h}{n}{t}{u}"))
}

proptest! {
    #[test]
    fn the_order_is_one(a in written(), b in written(), c in written()) {
        let read = |text: &str| Version::read(text);
        let (Some(a), Some(b), Some(c)) = (read(&a), read(&b), read(&c)) else {
            return Ok(());
        };
        prop_assert_eq!(a.compare(&a), Some(Ordering::Equal));
        prop_assert_eq!(a.compare(&b), b.compare(&a).map(Ordering::reverse));
        if let (Some(left), Some(right)) = (a.compare(&b), b.compare(&c))
            && (left == right || left == Ordering::Equal || right == Ordering::Equal)
        {
            let both = if left == Ordering::Equal { right } else { left };
            prop_assert_eq!(a.compare(&c), Some(both));
        }
    }

    #[test]
    fn numbers_order_as_numbers(a in prop::collection::vec(0_u32..2_000, 1..5),
                                b in prop::collection::vec(0_u32..2_000, 1..5)) {
        let text = |n: &[u32]| n.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
        let padded = |n: &[u32]| { let mut n = n.to_vec(); n.resize(5, 0); n };
        prop_assert_eq!(compare(&text(&a), &text(&b)), Some(padded(&a).cmp(&padded(&b))));
    }

    #[test]
    fn below_and_not_below_never_agree(version in written(), bound in written()) {
        let version = Version::read(&version);
        let below = Range::read(&format!("<{bound}")).contains(version.as_ref());
        let from = Range::read(&format!(">={bound}")).contains(version.as_ref());
        prop_assert_eq!(below, from.map(|from| !from));
    }

    #[test]
    fn no_text_breaks_it(text in "\\PC{0,40}", version in "[vV0-9a-z._ <>=|*%-]{0,20}") {
        let range = Range::read(&text);
        range.contains(Version::read(&version).as_ref());
        Range::read(&version).contains(Version::read(&text).as_ref());
        for vendor in [&text, &version] {
            names_of(vendor, &text);
        }
        drop(Gathering::default().csaf("x", &text));
        drop(Gathering::default().table("x", &format!("vendor,product,versions,cve\n{text}")));
    }
}

proptest! {
    /// A document that is damaged anywhere is told of, or read; what it says is asked for.
    #[test]
    fn no_damage_to_a_document_breaks_it(at in 0_usize..2_200, cut in 0_usize..60, put in "\\PC{0,6}") {
        let text = document("known_affected", "<V2.9.4");
        let mut begin = at.min(text.len());
        let mut end = (begin + cut).min(text.len());
        while !text.is_char_boundary(begin) { begin -= 1; }
        while !text.is_char_boundary(end) { end += 1; }
        let damaged = format!("{}{put}{}", &text[..begin], &text[end..]);
        let mut gathering = Gathering::default();
        let problems = gathering.csaf("x.json", &damaged).err();
        let counts = gathering.finish();
        counts.of(Some(&make("Acme", "Press 100")), firmware("2.9.3"));
        if let Some(problems) = problems {
            prop_assert!(problems.as_slice().iter().all(|p| p.line >= 1 && p.column >= 1));
        }
    }
}

fn names_of(vendor: &str, text: &str) {
    let vendor = Vendor::read(vendor);
    product::Names::of(text, &vendor).fit(&[Name::read(text, &vendor)]);
}
