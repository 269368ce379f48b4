//! The page without a browser: what it says, that hostile input stays text, that it has bounds, and
//! that the same input gives the same bytes.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod made;

use andon_lab::report::{Report, VERDICT_BYTES_MAX, VERDICTS_MAX};
use andon_schemas::time::{EventTime, Span};
use made::{HOSTILE, NIGHT, make};
use serde_json::Value;

/// What the page's script reads.
fn data(page: &str) -> Value {
    let (_, rest) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// The page without style, script and data: what is read without a script.
fn body(page: &str) -> &str {
    let (_, rest) = page.split_once("</style>").unwrap();
    rest.split_once("<script ").unwrap().0
}

#[test]
fn the_facts_are_there_without_a_script() {
    let page = make(30, "It moved 21 MB this hour.").page(true);
    for fact in [
        "30 verdicts were raised about 30 devices",
        "1 of 2 attacks was missed, or not found as it should be: quiet-one on conveyor-03-0000.",
        "7 alarms of MEDIUM or worse were for nothing: one in 6,714 device-hours, 0.015\u{a0}%.",
        "from Sun 2025-12-14 02:30 to Wed 2025-12-17 09:30 plant time (Europe/Berlin)",
        "device-hour</td><td class=\"number\">0.0149 %</td><td class=\"number\">0.0060 % – 0.0307 %",
        "device-day</td><td class=\"number\">0.0036</td>",
        "day of the fleet</td><td class=\"number\">2.1000</td>",
        "2 of 10</td><td class=\"number\">20 %</td><td class=\"number\">2.52 % – 55.6 %",
        "half of the attacks that were due were found: 10 s; until nine in ten were: not reached",
        "from 1333 device-days on: 12 alerts by evidence, 3.6 on a day of the whole fleet",
        "5 verdicts of MEDIUM or worse stayed below",
        "rejected: malformed",
        "1 verdict would disappear; 29 stay as they are.",
        "It moved 21 MB this hour.",
    ] {
        assert!(body(&page).contains(fact), "`{fact}` is missing");
    }
    assert!(
        !page.contains("{{"),
        "a part of the template has no content"
    );
}

#[test]
fn what_took_an_hour_is_drawn_by_the_minute_and_days_by_the_hour() {
    let made = make(2, "x");
    let mut report = made.report(false);
    let render = |report: &Report| {
        let mut page = Vec::new();
        report.write_to(&mut page).unwrap();
        String::from_utf8(page).unwrap()
    };
    let days = render(&report);
    assert!(days.contains("opened within one hour;"));
    assert!(days.contains(">Wed 2025-12-17</text>") && !days.contains(":00</text>"));
    let began = EventTime::parse(NIGHT).unwrap();
    report.played.stretch = Some((began, began + Span::MINUTE.times(60)));
    let hour = render(&report);
    assert!(hour.contains("opened within one minute;"));
    assert!(hour.contains(">Sun 2025-12-14</text>") && hour.contains(">02:50</text>"));
}

#[test]
fn without_labels_nothing_is_claimed_about_them() {
    let page = make(3, "x").page(false);
    assert!(page.contains("No ground truth was given"));
    assert!(!page.contains("id=\"truth\"") && !page.contains("id=\"versus\""));
    let empty = make(0, "x").page(false);
    assert!(empty.contains("<h1>Nothing was raised.</h1>"));
}

#[test]
fn hostile_input_stays_text() {
    let calm = make(12, "calm").page(true);
    let hostile = make(12, HOSTILE).page(true);
    // Whatever the input says, the page has the same elements.
    for element in [
        "<script", "</script", "<img", "<style", "<!--", "<table", "<svg", "<li",
    ] {
        let count = |page: &str| page.matches(element).count();
        assert_eq!(count(&hostile), count(&calm), "{element}");
    }
    assert!(!hostile.contains(['\u{202e}', '\u{0}']));
    // It does not name parts of the template either.
    let shown = r#"</script><img src=x onerror=alert(1)>\u{202e}"'&\u{0}{{data}}"#;
    assert_eq!(data(&hostile)["verdicts"][0]["say"], shown);
    let escaped =
        "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;\\u{202e}&quot;&#39;&amp;\\u{0}{{data}}";
    assert!(body(&hostile).contains(escaped));
}

#[test]
fn the_policy_forbids_the_network_and_no_style_or_script_but_its_own() {
    let page = make(1, "x").page(true);
    let policy = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap()
        .1;
    let policy = policy.split_once('"').unwrap().0;
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    for reference in ["http://", "https://", "src=\"", "url(", "@import"] {
        let rest = page
            .replace("http://www.w3.org/2000/svg", "")
            .replace("href=\"data:", "");
        let rest = rest.replace("http%3A", "");
        assert!(!rest.contains(reference), "{reference}");
    }
    // What the policy forbids would silently not work.
    assert!(!page.contains(" style=\"") && !page.contains(" onclick=\""));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert!(make(40, "x").page(true) == make(40, "x").page(true));
}

#[test]
fn more_verdicts_than_the_file_holds_are_counted_and_the_worst_are_kept() {
    let page = make(VERDICTS_MAX + 7, "x").page(false);
    let verdicts = data(&page)["verdicts"].as_array().unwrap().clone();
    assert_eq!(verdicts.len(), VERDICTS_MAX);
    assert!(page.contains("This file holds the worst 10,000 of 10,007 verdicts. The other 7"));
    assert_eq!(verdicts[0]["grade"], 3);
    assert!(page.contains("10,007 verdicts were raised"));
}

#[test]
fn long_verdicts_are_cut_by_their_bytes() {
    let text = "x".repeat(VERDICT_BYTES_MAX / 60);
    let page = make(40, &text).page(false);
    let held = data(&page)["verdicts"].as_array().unwrap().len();
    assert!(held > 0 && held < 40, "{held}");
    assert!(page.contains(&format!("holds the worst {held} of 40 verdicts")));
}

#[test]
fn what_was_measured_goes_with_its_band_and_its_unit() {
    let page = make(6, "x").page(false);
    let data = data(&page);
    let verdicts = data["verdicts"].as_array().unwrap();
    let gauge = |detector: &str| {
        let findings = verdicts
            .iter()
            .flat_map(|v| v["findings"].as_array().unwrap());
        let of = findings.filter(|f| f["detector"] == detector);
        of.map(|f| f["gauges"][0].clone()).next_back().unwrap()
    };
    let volume = gauge("traffic_volume");
    assert_eq!(volume["value"]["t"], "63 MB");
    assert_eq!(volume["bands"][0]["high"]["t"], "7 MB");
    assert_eq!(volume["lines"][0][1]["t"], "21 MB");
    assert_eq!(gauge("spindle_speed")["value"]["t"], "13,800 rpm");
    assert_eq!(gauge("current_draw")["bands"][1]["low"]["t"], "1.5 A");
    assert_eq!(gauge("destination_mix")["value"]["t"], "56.4 %");
    assert_eq!(gauge("silence")["value"]["t"], "3 min");
    assert_eq!(gauge("unknown_destination"), Value::Null);
    // The last revision only logs; what would have been done is what counts.
    assert_eq!(verdicts[0]["response"]["action"], "watch");
    assert_eq!(verdicts[0]["steps"][1]["state"], "updated");
}

/// The table with this caption, as text between tags.
fn table(page: &str, caption: &str) -> String {
    let (_, rest) = page.split_once(&format!("<caption>{caption}")).unwrap();
    rest.split_once("</table>").unwrap().0.to_owned()
}

#[test]
fn a_promise_is_held_against_what_was_seen() {
    // Nine false alarms in 47,000 device-hours lie well below one in a thousand, 9,000 far above.
    let caption =
        "As promised? False alarms that calibrated profiles allow, against those seen here";
    let few = table(&make(10, "x").page(true), caption);
    for fact in ["at most 0.1 %", "95 %", "90,000 device-hours", ">kept<"] {
        assert!(few.contains(fact), "{fact}: {few}");
    }
    let many = table(&make(10_000, "x").page(true), caption);
    assert!(many.contains(">broken<"), "{many}");

    // Devices without such a profile are left out with all the 80 hours that were played.
    let with_robots = |robots: usize| {
        let made = make(10, "x");
        let mut report = made.report(true);
        for device in &mut report.devices[..robots] {
            device.device_type = "robot".to_owned();
        }
        let mut page = Vec::new();
        report.write_to(&mut page).unwrap();
        table(&String::from_utf8(page).unwrap(), caption)
    };
    let told = with_robots(1);
    assert!(told.contains("in at least 46,920 device-hours"), "{told}");
    assert!(told.contains(">kept<"), "{told}");
    let told = with_robots(599);
    assert!(told.contains("cannot be told: 1 of 600 devices"), "{told}");
    assert!(!told.contains(">kept<"), "{told}");
}

#[test]
fn what_left_is_told_for_each_attack_and_in_all() {
    let leaks = table(&make(10, "x").page(true), "Bytes that left during attacks");
    assert_eq!(leaks.matches("<tr>").count(), 3, "{leaks}");
    for fact in ["night-exfil", "12 MB", "500 MB", "488 MB", "all of them"] {
        assert!(leaks.contains(fact), "{fact}: {leaks}");
    }
}

#[test]
fn thresholds_are_told_from_strict_to_loose() {
    let page = make(60, "x").page(true);
    let table = table(&page, "Thresholds at which a grade begins");
    let row = |name: &str| {
        let (_, rest) = table
            .split_once(&format!("<th scope=\"row\">{name}</th>"))
            .unwrap();
        let cells = rest
            .split_once("</tr>")
            .unwrap()
            .0
            .split("<td class=\"number\">");
        cells
            .skip(1)
            .map(|cell| cell.trim_end_matches("</td>").to_owned())
            .collect::<Vec<_>>()
    };
    // One of the two attacks has verdicts at all; every tenth verdict is its.
    let loose = row("LOW or worse");
    assert_eq!(loose[..5], ["25", "1 of 2", "50 %", "6", "54"]);
    assert_eq!(loose[5], "10 %");
    let number = |text: &str| text.parse::<u64>().unwrap();
    let counts: Vec<(u64, u64)> = [
        "CRITICAL",
        "HIGH or worse",
        "MEDIUM or worse",
        "LOW or worse",
    ]
    .into_iter()
    .map(|name| (number(&row(name)[3]), number(&row(name)[4])))
    .collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(page.matches("class=\"trace\"").count(), 2);
}

#[test]
fn delays_and_false_alarms_by_type_are_told() {
    let page = make(10, "x").page(true);
    let delays = table(&page, "How long it took to find them");
    let minute = delays.split_once("within a minute").unwrap().1;
    assert!(minute.contains("<td class=\"number\">1</td><td class=\"number\">50 %</td>"));
    assert!(delays.contains("never"));
    let types = table(&page, "False alarms by device type");
    assert!(types.contains("conveyor"), "{types}");
    let plain = make(10, "x").page(false);
    assert!(!plain.contains("How long it took") && !plain.contains("As promised"));
}
