//! Lists as feeds write them, and sets against a plain search.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::identity::address_key;

fn read(path: &str, text: &str) -> Result<IndicatorSet, String> {
    parse(&[SourceFile { path, text }]).map_err(|problems| problems.to_string())
}

fn key(address: &str) -> u128 {
    address_key(address.parse().unwrap())
}

fn noon(day: &str) -> EventTime {
    EventTime::parse(&format!("{day}T12:00:00Z")).unwrap()
}

const PLAIN: &str = "\
# a feed
203.0.113.77        # its master
198.51.100.0/24 a bad neighbourhood
198.51.100.128/25
2001:db8:bad::/48 ; v6
c2.example.net
hxxp://evil[.]example[.]org:8080/gate.php
0.0.0.0 blocked.example.com
";

#[test]
fn plain_lists_name_addresses_networks_and_names() {
    let set = read("feeds/plain.txt", PLAIN).unwrap();
    assert_eq!(set.len(), 7);
    let at = noon("2026-01-01");
    let hit = set.of_address(key("203.0.113.77"), at).unwrap();
    assert_eq!(
        (hit.list, hit.note, hit.until),
        ("plain.txt", "its master", None)
    );
    let wide = set.of_address(key("198.51.100.5"), at).unwrap();
    assert_eq!(wide.note, "a bad neighbourhood");
    assert_eq!(set.of_address(key("198.51.100.200"), at).unwrap().note, "");
    assert!(set.of_address(key("2001:db8:bad:1::9"), at).is_some());
    for miss in ["203.0.113.78", "198.51.101.0", "2001:db8:bae::", "10.0.0.1"] {
        assert!(set.of_address(key(miss), at).is_none(), "{miss}");
    }
    for name in [
        "c2.example.net",
        "A.b.C2.Example.net.",
        "evil.example.org",
        "blocked.example.com",
    ] {
        assert!(set.of_name(name, at).is_some(), "{name}");
    }
    for name in ["example.net", "xc2.example.net", "net", ""] {
        assert!(set.of_name(name, at).is_none(), "{name}");
    }
    assert_eq!(set.hash().len(), 64);
    assert_eq!(IndicatorSet::default().hash(), parse(&[]).unwrap().hash());
}

#[test]
fn csv_has_columns_by_name_or_by_custom() {
    let named = "type,ioc_value,malware,valid_until\n\
                 ip,203.0.113.9:4444,\"Rat, small\",2026-02-01T00:00:00Z\n";
    let set = read("feed.csv", named).unwrap();
    let hit = set
        .of_address(key("203.0.113.9"), noon("2026-01-31"))
        .unwrap();
    assert_eq!(hit.note, "Rat, small");
    assert!(hit.until.is_some());
    assert!(
        set.of_address(key("203.0.113.9"), noon("2026-02-01"))
            .is_none()
    );

    let unnamed =
        "# IP/domain, level, description\n203.0.113.9,high,Simda CC\nAS39770, high, host\n";
    let set = read("own.csv", unnamed).unwrap();
    let hit = set
        .of_address(key("203.0.113.9"), noon("2026-01-31"))
        .unwrap();
    assert_eq!(hit.note, "Simda CC");
    assert_eq!(set.skipped().get(&Skip::NotInFlows), Some(&1));
}

#[test]
fn every_problem_of_a_list_is_told_at_once() {
    let text = "0.0.0.0/0\n10.1.2.3\n172.0.0.0/8\nnot a name!\ncom\n300.1.2.3\n203.0.113.5\n";
    assert_eq!(
        read("bad.txt", text).unwrap_err(),
        "bad.txt cannot be used: 6 problems\n   1:1  `0.0.0.0/0` is so wide that it would hit nearly everything\n        \
         hint: The widest network that is taken is /8.\n   2:1  `10.1.2.3` lies in 10.0.0.0/8, \
         which plants use themselves\n        hint: Forbid it in its segment, under `denied:`, or \
         take it out.\n   3:1  `172.0.0.0/8` lies in 172.16.0.0/12, which plants use \
         themselves\n        hint: Forbid it in its segment, under `denied:`, or take it out.\n   \
         4:1  `not` is a name without a dot\n        hint: With everything below it, it would hit \
         a whole top-level domain.\n   5:1  `com` is a name without a dot\n        hint: With \
         everything below it, it would hit a whole top-level domain.\n   6:1  `300.1.2.3` is \
         neither an address nor a name\n        hint: Each of the four numbers is at most 255."
    );
    assert!(
        read("empty.txt", "# nothing\n")
            .unwrap_err()
            .contains("it names nothing")
    );
    let junk = "!!\n".repeat(10_000);
    let told = read("junk.txt", &junk).unwrap_err();
    assert!(
        told.contains("and 9901 more of the kind"),
        "{}",
        &told[told.len() - 200..]
    );
}

fn bundle(objects: &str) -> String {
    format!("{{\"type\":\"bundle\",\"id\":\"bundle--1\",\n\"objects\":[\n{objects}\n]}}")
}

fn object(id: &str, modified: &str, pattern: &str, more: &str) -> String {
    format!(
        "{{\"type\":\"indicator\",\"id\":\"indicator--{id}\",\"modified\":\"{modified}\",\
         \"name\":\"{id}\",\"pattern_type\":\"stix\",\"pattern\":\"{pattern}\",\
         \"valid_from\":\"2026-01-01T00:00:00Z\"{more}}}"
    )
}

#[test]
fn the_newest_version_of_a_stix_indicator_counts_unless_it_is_revoked() {
    let objects = [
        object(
            "a",
            "2026-01-02T00:00:00.000Z",
            "[ipv4-addr:value = '203.0.113.1']",
            "",
        ),
        object(
            "a",
            "2026-01-01T00:00:00.000Z",
            "[ipv4-addr:value = '203.0.113.2']",
            "",
        ),
        object(
            "b",
            "2026-01-01T00:00:00.000Z",
            "[ipv4-addr:value IN ('203.0.113.3','203.0.113.4') OR domain-name:value = 'c2.example.net']",
            ",\"valid_until\":\"2026-03-01T00:00:00Z\"",
        ),
        object(
            "c",
            "2026-01-01T00:00:00.000Z",
            "[ipv4-addr:value = '203.0.113.5']",
            "",
        ),
        object(
            "c",
            "2026-01-03T00:00:00.000Z",
            "[ipv4-addr:value = '203.0.113.5']",
            ",\"revoked\":true",
        ),
        object(
            "d",
            "2026-01-01T00:00:00.000Z",
            "[file:hashes.'SHA-256' = 'aa'] OR [ipv4-addr:value ISSUBSET '198.51.100.0/24']",
            "",
        ),
        object(
            "e",
            "2026-01-01T00:00:00.000Z",
            "[ipv4-addr:value = '203.0.113.6' AND network-traffic:dst_port = 443]",
            "",
        ),
    ];
    let set = read("feed.json", &bundle(&objects.join(",\n"))).unwrap();
    let at = noon("2026-02-01");
    let hit = |address: &str| set.of_address(key(address), at).map(|hit| hit.note);
    assert_eq!(hit("203.0.113.1"), Some("a"));
    assert_eq!(hit("203.0.113.2"), None);
    assert_eq!(hit("203.0.113.4"), Some("b"));
    assert_eq!(hit("203.0.113.5"), None);
    assert_eq!(hit("198.51.100.9"), Some("d"));
    assert_eq!(hit("203.0.113.6"), None);
    assert!(set.of_name("x.c2.example.net", at).is_some());
    assert!(set.of_name("c2.example.net", noon("2026-03-01")).is_none());
    assert!(
        set.of_address(key("203.0.113.1"), noon("2025-12-31"))
            .is_none()
    );
    let skipped: Vec<_> = set.skipped().iter().map(|(skip, n)| (*skip, *n)).collect();
    assert_eq!(
        skipped,
        [
            (Skip::Revoked, 1),
            (Skip::NotInFlows, 1),
            (Skip::Condition, 1)
        ]
    );
}

#[test]
fn what_is_wrong_with_a_bundle_is_told_with_its_line() {
    let objects = [
        object("a", "2026-01-02T00:00:00Z", "[ipv4-addr:value = ", ""),
        object(
            "b",
            "2026-01-02T00:00:00Z",
            "[ipv4-addr:value = '192.168.0.1']",
            "",
        ),
        object(
            "c",
            "2026-01-02T00:00:00Z",
            "[domain-name:value = 'a.b']",
            ",\"valid_until\":\"soon\"",
        ),
    ];
    let told = read("feed.json", &bundle(&objects.join(",\n"))).unwrap_err();
    for part in [
        "feed.json cannot be used: 3 problems",
        "3:1  objects[0]  the pattern `[ipv4-addr:value = ` cannot be read",
        "4:1  objects[1]  `192.168.0.1` lies in 192.168.0.0/16",
        "5:1  objects[2]  `soon` is not a time",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert!(
        read("x.json", "{\"type\":\"report\"}")
            .unwrap_err()
            .contains("not `bundle`")
    );
    assert!(
        read("x.json", "{\"type\":")
            .unwrap_err()
            .contains("cannot be read as JSON")
    );
}

/// Whether a million entries load in about a second and answer in some fifty nanoseconds; run it
/// with `cargo test --release -p andon-schemas indicator -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn a_million_entries() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for n in 0_u32..1_000_000 {
        let mixed = n.wrapping_mul(2_654_435_761);
        let address = std::net::Ipv4Addr::from(0x1400_0000 | mixed & 0x3fff_ffff);
        match n % 10 {
            0..=5 => writeln!(text, "{address}").unwrap(),
            6 => writeln!(text, "{address}/28").unwrap(),
            _ => writeln!(text, "host-{mixed}.example.net").unwrap(),
        }
    }
    let begun = std::time::Instant::now();
    let set = read("million.txt", &text).unwrap();
    println!("{} entries in {:?}", set.len(), begun.elapsed());
    let at = noon("2026-01-01");
    let keys: Vec<u128> = (0_u32..1 << 20)
        .map(|n| address_key(IpAddr::V4(n.wrapping_mul(0x9e37_79b9).into())))
        .collect();
    let begun = std::time::Instant::now();
    let hits = keys
        .iter()
        .filter(|key| set.of_address(**key, at).is_some())
        .count();
    println!("{:?} an address, {hits} hits", begun.elapsed() / (1 << 20));
}

fn network() -> impl Strategy<Value = IpNet> {
    // Of few addresses, so that networks lie in each other.
    (0_u32..1 << 12, 20_u8..=32).prop_map(|(low, prefix)| {
        let address = IpAddr::V4((0x0800_0000 + low).into());
        IpNet::new(address, prefix).unwrap().trunc()
    })
}

proptest! {
    #[test]
    fn a_set_answers_like_a_search_of_its_list(
        networks in prop::collection::vec((network(), 0_i64..4), 1..40),
        asked in prop::collection::vec((0_u32..1 << 12, 0_i64..5), 1..60),
    ) {
        let day = |day: i64| EventTime::from_micros(day * 86_400_000_000);
        let mut builder = Builder::default();
        for (number, (network, until)) in networks.iter().enumerate() {
            let value = match value::read(&network.to_string()).unwrap() {
                value::Read::Value(value) => value,
                value::Read::Skip(skip) => panic!("{skip:?}"),
            };
            let window = Window { from: EventTime::MIN, until: day(*until) };
            builder.add(value, number, window, "");
        }
        let table = builder.finish();
        for (low, at) in asked {
            let address = IpAddr::V4((0x0800_0000 + low).into());
            let found = table.address(address_key(address), day(at)).map(|e| table.shown(e).0);
            let holding = networks.iter().enumerate().filter(|(_, (network, until))| {
                network.contains(&address) && at < *until
            });
            let narrowest = holding.map(|(_, (network, _))| network.prefix_len()).max();
            prop_assert_eq!(found.map(|number| networks[number].0.prefix_len()), narrowest);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", pattern in "[\\[\\]a-z0-9:.='(), ORIN\\\\]{0,60}") {
        for (path, text) in [
            ("a.txt", text.clone()),
            ("a.csv", format!("ioc,name\n{text}")),
            ("a.json", format!("{{{text}")),
        ] {
            match read(path, &text) {
                Ok(set) => prop_assert!(set.len() < 300),
                Err(told) => prop_assert!(told.contains("cannot be used"), "{told}"),
            }
        }
        match pattern::read(&pattern) {
            Ok(read) => prop_assert!(!read.values.is_empty() || !read.skipped.is_empty()),
            Err(refusal) => prop_assert!(refusal.cause.contains("cannot be read")),
        }
    }
}
