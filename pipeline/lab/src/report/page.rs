//! The page put together: the template, its parts, and the policy that allows its own style and
//! script and nothing else.

use std::io::{self, Write};

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::data::Report;
use super::escape::html;
use super::{count, embed, headline, sections, timeline, truth, versus};

const TEMPLATE: &str = include_str!("report.html");

const STYLE: &str = concat!(include_str!("report.css"), include_str!("parts.css"));

/// One module: a name that one of the files declares, those after it can use.
const SCRIPT: &str = concat!(
    include_str!("draw.js"),
    include_str!("detail.js"),
    include_str!("list.js"),
    include_str!("devices.js"),
    include_str!("report.js"),
);

/// Writes the page.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let payload = embed::payload(report);
    let [played, raised, worth] = headline::sentences(report);
    let part = |name: &str| match name {
        "style-hash" => fingerprint(STYLE),
        "script-hash" => fingerprint(SCRIPT),
        "style" => STYLE.to_owned(),
        "script" => SCRIPT.to_owned(),
        "title" => html(&format!("Backtest of {}", report.site)),
        "site" => html(report.site),
        "nav" => nav(report),
        "played" => html(&played),
        "raised" => html(&raised),
        "worth" => html(&worth),
        "lamps" => sections::lamps(report),
        "timeline" => timeline::svg(report),
        "timeline-caption" => html(&timeline::caption(report)),
        "cut" => cut(report, payload.held),
        "worst" => sections::worst(report),
        "truth" => report.truth.as_ref().map_or_else(String::new, |found| {
            section(
                "truth",
                "Against the ground truth",
                &truth::section(report, found),
            )
        }),
        "versus" => report.comparison.map_or_else(String::new, |comparison| {
            section("versus", "Compared", &versus::section(report, comparison))
        }),
        "load" => sections::load(report),
        "types" => sections::types(report),
        "input" => sections::input(report),
        "basis" => sections::basis(report, payload.held, payload.json.len()),
        "data" => payload.json.clone(),
        // The template is ours; a test reads the page for what is left of it.
        unknown => format!("{{{{{unknown}}}}}"),
    };
    fill(TEMPLATE, part, out)
}

/// Writes a template with its parts in their places. What is put in is not looked at again: braces
/// in data name no part.
fn fill(template: &str, part: impl Fn(&str) -> String, out: &mut dyn Write) -> io::Result<()> {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.write_all(before.as_bytes())?;
        let Some((name, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        out.write_all(part(name).as_bytes())?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// As a policy names it.
fn fingerprint(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    format!(
        "sha256-{}",
        base64::engine::general_purpose::STANDARD.encode(hash)
    )
}

fn section(id: &str, title: &str, content: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{title}</h2>\n{content}</section>\n")
}

fn nav(report: &Report) -> String {
    let links = [
        (true, "time", "Time"),
        (true, "verdicts", "Verdicts"),
        (report.truth.is_some(), "truth", "Truth"),
        (report.comparison.is_some(), "versus", "Compared"),
        (true, "load", "Load"),
        (true, "types", "Types"),
        (true, "input", "Input"),
    ];
    links
        .iter()
        .filter(|(is_there, ..)| *is_there)
        .map(|(_, id, name)| format!("<a href=\"#{id}\">{name}</a>"))
        .collect::<Vec<_>>()
        .concat()
}

/// What the file does not hold.
fn cut(report: &Report, held: usize) -> String {
    let total = report.episodes.len();
    if held == total {
        return String::new();
    }
    format!(
        "<p class=\"look\" id=\"cut\">This file holds the worst {} of {} verdicts. The other {} are \
         in verdicts.jsonl beside it. All counts and tables above and below are of all of them, but \
         for this list and the list by device.</p>\n",
        count(held as u64),
        count(total as u64),
        count((total - held) as u64)
    )
}
