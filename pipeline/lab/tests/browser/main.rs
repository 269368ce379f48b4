//! The page in a real browser: it complains about nothing and asks for nothing, what has hands works,
//! by mouse and by keyboard, in light and dark, wide and narrow, with ten verdicts and with ten
//! thousand. Says that it was skipped where there is no Chromium; `ANDON_BROWSER=1` demands one.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod driver;
#[path = "../made/mod.rs"]
mod made;

use driver::Browser;
use made::{HOSTILE, make};
use tempfile::TempDir;

/// A page of so many verdicts, opened; `None` where there is no browser.
fn opened(count: usize, text: &str, is_labelled: bool) -> Option<(Browser, TempDir)> {
    let Some(name) = driver::installed() else {
        eprintln!("skipped: there is no Chromium to look at the report with");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let made = make(count, text);
    made.report(is_labelled).write_into(folder.path()).unwrap();
    let mut browser = Browser::start(name);
    browser.width(1_280);
    browser.media("screen", "light");
    browser.open(&folder.path().join("report.html"));
    Some((browser, folder))
}

fn status(browser: &mut Browser) -> String {
    browser.text("document.querySelector('.status').textContent")
}

fn calm(browser: &Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn it_opens_without_a_complaint_and_asks_the_network_for_nothing() {
    let Some((mut browser, _folder)) = opened(10, "It moved 21 MB.", true) else {
        return;
    };
    assert_eq!(status(&mut browser), "10 verdicts");
    assert!(
        browser.told("Network.requestWillBeSent"),
        "requests are not told of"
    );
    calm(&browser);
    // And could not if it wanted to.
    let refused = "new Promise((tell) => {
        addEventListener('securitypolicyviolation', (event) => tell(event.effectiveDirective));
        fetch('http://127.0.0.1:9/').catch(() => {});
    })";
    assert_eq!(browser.text(refused), "connect-src");
}

#[test]
fn the_list_is_filtered_by_grade_detector_cause_and_words() {
    let Some((mut browser, _folder)) = opened(60, "It moved 21 MB.", true) else {
        return;
    };
    browser.click(".filters button[aria-pressed]");
    assert_eq!(status(&mut browser), "50 of 60 verdicts");
    browser.press("Escape");
    assert_eq!(status(&mut browser), "60 verdicts");
    let choose = |name: &str, value: &str| {
        format!(
            "(() => {{ const choice = document.querySelector('select[name={name}]');
            choice.value = '{value}'; choice.dispatchEvent(new Event('change')); }})()"
        )
    };
    browser.value(&choose("detector", "silence"));
    assert_eq!(status(&mut browser), "10 of 60 verdicts");
    browser.value(&choose("cause", "attack"));
    assert_eq!(status(&mut browser), "0 of 60 verdicts");
    browser.value(&choose("detector", ""));
    assert_eq!(status(&mut browser), "6 of 60 verdicts");
    browser.press("Escape");
    browser.press("/");
    "03-0031"
        .chars()
        .for_each(|c| browser.press(&c.to_string()));
    assert_eq!(status(&mut browser), "1 of 60 verdicts");
    let device = "document.querySelector('.verdicts .device').firstChild.textContent";
    assert_eq!(browser.text(device), "conveyor-03-0031");
    calm(&browser);
}

#[test]
fn a_verdict_unfolds_by_keyboard_and_shows_what_was_measured() {
    let Some((mut browser, _folder)) = opened(30, "It moved 21 MB.", true) else {
        return;
    };
    browser.press("j");
    browser.press("Enter");
    let sheet = "document.querySelector('tr.detail:not([hidden]) .sheet')";
    let said = browser.text(&format!("{sheet}.textContent"));
    for fact in [
        "unknown_destination",
        "10.2.50.15",
        "would watch",
        "10.1.0.9 udp/44818",
        "T0882",
    ] {
        assert!(said.contains(fact), "no `{fact}` in: {said}");
    }
    assert!(
        said.contains("andon explain 0000") && said.contains("--data 'results of"),
        "{said}"
    );
    browser.press("Enter");
    assert_eq!(browser.text(sheet), "null");
    browser.press("Escape");
    browser.press("/");
    "traffic_volume"
        .chars()
        .for_each(|c| browser.press(&c.to_string()));
    browser.click("button.unfold");
    let drawn = |what: &str| format!("{sheet}.querySelectorAll('.chart {what}').length");
    for what in [".band", ".limit", ".mark", ".trace"] {
        assert!(
            browser.value(&drawn(what)).as_u64().unwrap() > 0,
            "no {what}"
        );
    }
    // A link to it leads to it.
    assert!(browser.text("location.hash").len() > 30);
    calm(&browser);
}

#[test]
fn light_and_dark_are_both_legible_and_the_toggle_changes_them() {
    let Some((mut browser, _folder)) = opened(10, "x", true) else {
        return;
    };
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = browser.text(ground);
    browser.click("#theme");
    let dark = browser.text(ground);
    assert_ne!(light, dark);
    // By contrast ratio as the web's accessibility guidelines compute it, for both in turn.
    let ratios = "(() => {
        const style = getComputedStyle(document.documentElement);
        const luminance = (name) => {
            const hex = style.getPropertyValue(name).trim().slice(1);
            const part = (at) => parseInt(hex.slice(at, at + 2), 16) / 255;
            const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * linear(part(0)) + 0.7152 * linear(part(2)) + 0.0722 * linear(part(4));
        };
        const ratio = (a, b) => {
            const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
            return (x + 0.05) / (y + 0.05);
        };
        const grounds = ['--ground', '--raised', '--faint', '--look'];
        const least = (names) => Math.min(...names.flatMap((n) => grounds.map((g) => ratio(n, g))));
        return [least(['--ink', '--soft', '--accent']),
            least(['--critical', '--high', '--medium', '--low'])];
    })()";
    for _ in 0..2 {
        let found = browser.value(ratios);
        let (text, lamps) = (found[0].as_f64().unwrap(), found[1].as_f64().unwrap());
        assert!(text >= 4.5, "text has a contrast of {text}");
        assert!(lamps >= 3.0, "a lamp has a contrast of {lamps}");
        browser.click("#theme");
    }
    assert_eq!(browser.text(ground), dark);
    calm(&browser);
}

#[test]
fn without_a_choice_it_is_as_dark_as_the_system() {
    let Some((mut browser, folder)) = opened(3, "x", false) else {
        return;
    };
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = browser.text(ground);
    browser.media("screen", "dark");
    browser.open(&folder.path().join("report.html"));
    assert_ne!(browser.text(ground), light);
    // Paper stays white.
    browser.media("print", "dark");
    assert_eq!(browser.text(ground), "rgb(255, 255, 255)");
    assert_eq!(
        browser.text("getComputedStyle(document.querySelector('nav')).display"),
        "none"
    );
}

#[test]
fn ten_thousand_verdicts_are_as_quick_to_use_as_ten() {
    let Some((mut browser, _folder)) = opened(10_000, "It moved 21 MB.", true) else {
        return;
    };
    assert_eq!(status(&mut browser), "10,000 verdicts");
    let nodes = browser.value("document.querySelectorAll('*').length");
    assert!(nodes.as_u64().unwrap() < 12_000, "{nodes} elements");
    let page = "document.querySelector('#list .pager span').textContent";
    assert_eq!(browser.text(page), "page 1 of 200");
    browser.value("[...document.querySelectorAll('#list .pager button')].at(-1).click()");
    assert_eq!(browser.text(page), "page 2 of 200");
    browser.press("/");
    "0077".chars().for_each(|c| browser.press(&c.to_string()));
    let found: u64 = status(&mut browser)
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..100).contains(&found), "{found}");
    calm(&browser);
}

#[test]
fn curves_and_bars_are_drawn_where_they_can_be_seen() {
    let Some((mut browser, folder)) = opened(60, "x", true) else {
        return;
    };
    // Every point of a curve lies inside its drawing, and lines and bars have a colour of their own.
    let drawn = "[...document.querySelectorAll('#truth .chart')].map((chart) => {
        const [, , width, height] = chart.getAttribute('viewBox').split(' ').map(Number);
        const box = chart.querySelector('.trace').getBBox();
        const inside = box.x >= 0 && box.y >= 0
            && box.x + box.width <= width && box.y + box.height <= height;
        return inside && chart.getBoundingClientRect().width > 200;
    })";
    let colours = "(() => {
        const bar = document.querySelector('#truth .share rect');
        const line = document.querySelector('#truth .chart .trace');
        const ground = getComputedStyle(document.body).backgroundColor;
        return getComputedStyle(bar).fill !== ground && getComputedStyle(line).stroke !== ground;
    })()";
    for (medium, scheme, width) in [
        ("screen", "light", 1_280),
        ("screen", "dark", 1_280),
        ("screen", "light", 390),
        ("print", "light", 800),
    ] {
        browser.width(width);
        browser.media(medium, scheme);
        browser.open(&folder.path().join("report.html"));
        assert_eq!(
            browser.value(drawn),
            serde_json::json!([true, true]),
            "{medium} {scheme} {width}"
        );
        assert_eq!(browser.value(colours), true, "{medium} {scheme} {width}");
    }
    // The style of one part does not reach into another: the links fit into the head of the page,
    // and a bar of the drawing over time is no wider than its hours.
    browser.width(1_280);
    browser.media("screen", "light");
    browser.open(&folder.path().join("report.html"));
    let head = "(() => { const nav = document.querySelector('nav');
        return nav.scrollWidth <= nav.clientWidth; })()";
    assert_eq!(browser.value(head), true);
    let widest = "Math.max(...[...document.querySelectorAll('.timeline rect.bar')]
        .map((bar) => bar.getBoundingClientRect().width))";
    assert!(browser.value(widest).as_f64().unwrap() < 100.0);
    // The longest bar is the widest.
    let bars = "[...document.querySelectorAll('#truth .share rect')]
        .map((bar) => bar.getBoundingClientRect().width)";
    let bars = browser.value(bars);
    assert_eq!(bars.as_array().unwrap().len(), 8);
    assert!(bars[1].as_f64() > bars[0].as_f64(), "{bars}");
    calm(&browser);
}

#[test]
fn nothing_sticks_out_on_a_narrow_screen() {
    let Some((mut browser, folder)) = opened(12, HOSTILE, true) else {
        return;
    };
    for width in [390, 768, 1_440] {
        browser.width(width);
        browser.open(&folder.path().join("report.html"));
        browser.click("button.unfold");
        let sides = browser
            .value("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
        assert_eq!(sides[0], sides[1], "in a window of {width}");
    }
}

#[test]
fn hostile_input_stays_text_in_a_browser() {
    let Some((mut browser, _folder)) = opened(12, HOSTILE, true) else {
        return;
    };
    browser.click("button.unfold");
    assert_eq!(
        browser.value("document.querySelectorAll('img, iframe, object').length"),
        0
    );
    assert_eq!(
        browser.value("document.querySelectorAll('script').length"),
        2
    );
    let said = browser.text("document.querySelector('.finding').textContent");
    assert!(
        said.contains("</script><img src=x onerror=alert(1)>\\u{202e}"),
        "{said}"
    );
    calm(&browser);
}

#[test]
fn everything_that_can_be_pressed_or_chosen_has_a_name() {
    let Some((mut browser, _folder)) = opened(12, "x", true) else {
        return;
    };
    browser.click("button.unfold");
    let tree = browser.ask("Accessibility.getFullAXTree", &serde_json::json!({}));
    let mut named = 0;
    for node in tree["nodes"].as_array().unwrap() {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        let name = node["name"]["value"].as_str().unwrap_or_default();
        let is_ignored = node["ignored"].as_bool().unwrap_or_default();
        if !is_ignored
            && ["button", "combobox", "searchbox", "link", "table", "region"].contains(&role)
        {
            assert!(!name.trim().is_empty(), "a {role} has no name: {node}");
            named += 1;
        }
    }
    assert!(named > 30, "only {named} were found");
}

#[test]
fn without_its_script_it_still_tells_the_facts() {
    let Some((mut browser, folder)) = opened(12, "It moved 21 MB.", true) else {
        return;
    };
    let off = serde_json::json!({ "value": true });
    browser.ask("Emulation.setScriptExecutionDisabled", &off);
    browser.open(&folder.path().join("report.html"));
    let root = browser.ask("DOM.getDocument", &serde_json::json!({ "depth": 0 }));
    let html = serde_json::json!({ "nodeId": root["root"]["nodeId"] });
    let html = browser.ask("DOM.getOuterHTML", &html)["outerHTML"].to_string();
    let (_, shown) = html.split_once("<noscript>").unwrap();
    assert!(shown.contains("The worst verdicts") && shown.contains("It moved 21 MB."));
    calm(&browser);
}
