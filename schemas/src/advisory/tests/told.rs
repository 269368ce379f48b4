//! What is told of a vulnerability: in which version it is fixed, how bad it is, what it goes by.

use super::*;

/// The advisory, with these versions in which it is fixed.
fn fixed_in(range: &str, versions: &[&str], runs: Option<&str>) -> Option<String> {
    let name = |at: usize| format!("\"F{at}\"");
    let ids: Vec<String> = (0..versions.len()).map(name).collect();
    let branch = |(at, version): (usize, &&str)| {
        format!(
            r#"{{ "category": "product_version", "name": "{version}",
                "product": {{ "name": "x", "product_id": {} }} }},"#,
            name(at)
        )
    };
    let branches: String = versions.iter().enumerate().map(branch).collect();
    let text = document("known_affected", range)
        .replace(
            r#""fixed": ["P2"]"#,
            &format!(r#""fixed": [{}]"#, ids.join(",")),
        )
        .replacen(
            r#"{ "category": "product_version_range""#,
            &format!(r#"{branches} {{ "category": "product_version_range""#),
            1,
        );
    let all = advisories(&[&text]);
    let found = all.of(Some(&make("Acme", "Press 100")), runs.and_then(firmware));
    assert_eq!(found.advisories.len(), 1, "{range}: {runs:?}");
    found.advisories[0].fixed_in.clone()
}

#[test]
fn the_fix_is_one_of_the_release_line_of_the_device() {
    let lines = ["V2.9.5", "V3.0.2", "V3.1"];
    for (range, runs, fixed) in [
        // The end of the very range, or of the piece of it that the version is in.
        ("<V2.9.4", Some("2.9"), Some("V2.9.4")),
        (">=2.0 <2.9.4 | >=3.0 <3.0.1", Some("3.0"), Some("3.0.1")),
        (">=2.0 <2.9.4 | >=3.0 <3.0.1", Some("2.5"), Some("2.9.4")),
        // The nearest newer one, in whatever order they stand.
        ("*", Some("3.0"), Some("V3.0.2")),
        ("<=3.0.1", Some("3.0"), Some("V3.0.2")),
        ("*", Some("2.9"), Some("V2.9.5")),
        ("*", Some("3.0.5"), Some("V3.1")),
        // None of them is newer, or nobody can say which is.
        ("*", Some("4.0"), None),
        ("*", Some("gold image"), None),
        ("*", None, None),
    ] {
        assert_eq!(
            fixed_in(range, &lines, runs).as_deref(),
            fixed,
            "{range}: {runs:?}"
        );
        let turned = ["V3.1", "V3.0.2", "V2.9.5"];
        assert_eq!(
            fixed_in(range, &turned, runs).as_deref(),
            fixed,
            "{range}: {runs:?}"
        );
    }
    assert_eq!(fixed_in("*", &["V2.9.5"], None).as_deref(), Some("V2.9.5"));
    assert_eq!(fixed_in("*", &["V2.9.5"], Some("3.0")), None);
}

fn table_of(rows: [&str; 2]) -> KnownVulnerability {
    let mut gathering = Gathering::default();
    for (at, row) in rows.iter().enumerate() {
        let text =
            format!("vendor,product,versions,cve,severity,cvss\nAcme,Press 100,*,C-1,{row}\n");
        gathering.table(&format!("{at}.csv"), &text).unwrap();
    }
    let found = gathering
        .finish()
        .of(Some(&make("Acme", "Press 100")), None);
    assert_eq!(found.advisories.len(), 1);
    found.advisories[0].clone()
}

#[test]
fn a_severity_that_is_known_stays_known() {
    for (rows, severity, cvss) in [
        (["high,", ","], Severity::High, None),
        ([",", "high,"], Severity::High, None),
        (["high,", "low,"], Severity::High, None),
        (["high,", ",5.0"], Severity::Medium, Some(5.0)),
        ([",5.0", "high,"], Severity::Medium, Some(5.0)),
        ([",", ","], Severity::Unknown, None),
    ] {
        let known = table_of(rows);
        assert_eq!((known.severity, known.cvss), (severity, cvss), "{rows:?}");
    }
}

#[test]
fn vulnerabilities_without_a_name_are_not_one() {
    let text = document("known_affected", "*");
    let begin = text.find("\"vulnerabilities\": [").unwrap() + 20;
    let one = text[begin..text.rfind(']').unwrap()].trim();
    let one = one.replace("\"cve\": \"CVE-2025-0001\",", "");
    let other = one.replace("Overflow", "Leak").replace("9.8", "9.7");
    let names = |vulnerabilities: &[&str]| {
        let text = format!("{}{}]}}", &text[..begin], vulnerabilities.join(","));
        let all = advisories(&[&text]);
        let found = all.of(Some(&make("Acme", "Press 100")), None).advisories;
        let named = found.into_iter().map(|known| (known.cve, known.title));
        named.collect::<Vec<_>>()
    };
    let pair = |name: &str, title: &str| (name.to_owned(), title.to_owned());
    assert_eq!(
        names(&[&one, &other]),
        [
            pair("ACME-1 (1)", "Overflow in the web server"),
            pair("ACME-1 (2)", "Leak in the web server"),
        ]
    );
    assert_eq!(
        names(&[&one]),
        [pair("ACME-1", "Overflow in the web server")]
    );
}

/// How long an answer takes among the advisories of a large vendor; run it with
/// `cargo test -p andon-schemas advisory -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn an_answer_among_twenty_thousand_products() {
    let row = |n: usize| {
        let (family, number) = (n % 40, n / 40);
        format!(
            "Acme,Family {family} Press {number}-{family}B (7AC{n:05}-0A),<{}.4,CVE-{n},8\n",
            n % 9
        )
    };
    let rows: String = (0..20_000).map(row).collect();
    let mut gathering = Gathering::default();
    let text = format!("vendor,product,versions,cve,cvss\n{rows}");
    gathering.table("x.csv", &text).unwrap();
    let all = gathering.finish();
    let makes: Vec<Make> = (0..50)
        .map(|n| Make {
            models: vec![format!("Press {n}-{n}B"), format!("7AC{:05}-0A", n * 7)],
            ..make("Acme", "")
        })
        .collect();
    let begun = std::time::Instant::now();
    let found: u64 = makes
        .iter()
        .map(|make| all.of(Some(make), firmware("1.0")).affected)
        .sum();
    println!("{:?} an answer, {found} found", begun.elapsed() / 50);
}

/// What is said again and again is one statement, and what groups name is looked up once: this would
/// take hours, or all memory, if each were weighed with each.
#[test]
fn what_is_repeated_without_end_counts_once() {
    let ids = vec!["\"P1\""; 200_000].join(",");
    let numbers: Vec<String> = (0..500)
        .map(|n| format!("\"{n}{}\"", "X".repeat(200)))
        .collect();
    let text = document("first_affected", "3.0")
        .replace("[\"P1\"], \"fixed\"", &format!("[{ids}], \"fixed\""))
        .replace("\"7AC100-*-0A\"", &numbers.join(","));
    let all = advisories(&[&text]);
    // The first version that is affected, what comes after it, and the one in which it is fixed.
    assert_eq!(all.counts().statements, 3);

    let group = "{ \"group_id\": \"G\", \"product_ids\": [\"P1\", \"P2\"] }";
    let groups = vec![group; 20_000].join(",");
    let remedy =
        "{ \"category\": \"vendor_fix\", \"details\": \"Update.\", \"group_ids\": [\"G\"] }";
    let remedies = vec![remedy; 20_000].join(",");
    let text = document("known_affected", "<2.9.4")
        .replace(
            "\"product_tree\": {",
            &format!("\"product_tree\": {{ \"product_groups\": [{groups}],"),
        )
        .replace(
            "\"remediations\": [",
            &format!("\"remediations\": [{remedies},"),
        );
    let all = advisories(&[&text]);
    assert_eq!(all.counts().statements, 2);
}
