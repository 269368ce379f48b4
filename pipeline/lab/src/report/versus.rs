//! What another set of profiles would have made of the same capture.

use andon_schemas::grade::Grade;

use super::data::Report;
use super::escape::html;
use super::table::{Table, mark, number, words};
use super::{count, counted, plant_minute};
use crate::compare::{Change, Comparison, Detected, Kind, SideFigures, Told};

/// Most changes that the page lists; the rest is in `compare.json`.
const LISTED_MAX: usize = 200;

/// The section.
pub(super) fn section(report: &Report, comparison: &Comparison) -> String {
    let mut section = format!("<p>{}</p>\n", with_code(&sentence(comparison)));
    section.push_str(&figures(comparison));
    section.push_str(&profiles(comparison));
    section.push_str(&changes(report, comparison));
    section
}

/// The gist in one sentence.
fn sentence(comparison: &Comparison) -> String {
    let parts: Vec<String> = Kind::ALL
        .iter()
        .filter_map(|kind| {
            let n = comparison
                .gist
                .counts
                .get(kind)
                .copied()
                .filter(|n| *n > 0)?;
            Some(match kind {
                Kind::Appears => format!("{} would appear", counted(n, "verdict", "verdicts")),
                Kind::Disappears => {
                    format!("{} would disappear", counted(n, "verdict", "verdicts"))
                }
                Kind::Worse => format!("{} would be graded worse", count(n)),
                Kind::Milder => format!("{} would be graded milder", count(n)),
                Kind::OtherFindings => format!("{} would rest on other findings", count(n)),
            })
        })
        .collect();
    let same = counted(
        comparison.gist.unchanged,
        "stays as it is",
        "stay as they are",
    );
    let with = &comparison.gist.after.profiles;
    if parts.is_empty() {
        return format!("With the profiles `{with}` nothing would change: {same}.");
    }
    format!("With the profiles `{with}`, {}; {same}.", parts.join(", "))
}

fn figures(comparison: &Comparison) -> String {
    let (before, after) = (&comparison.gist.before, &comparison.gist.after);
    let mut table = Table::new(
        "Both sets of profiles in figures",
        &[
            "",
            &format!("#{}", before.profiles),
            &format!("#{}", after.profiles),
            "#Difference",
        ],
    );
    for grade in Grade::ALL.iter().rev() {
        let n = |side: &SideFigures| side.verdicts.get(grade).copied().unwrap_or_default();
        table.row(numbers(&format!("{grade} verdicts"), n(before), n(after)));
    }
    if let (Some(before), Some(after)) = (&before.detection, &after.detection) {
        let found = |d: &Detected| format!("{} of {}", d.attacks_found, d.attacks_due);
        table.row([
            words("Attacks found"),
            number(found(before)),
            number(found(after)),
            number(signed(before.attacks_found, after.attacks_found)),
        ]);
        table.row(numbers(
            "False alarms, MEDIUM or worse",
            before.false_positives,
            after.false_positives,
        ));
        let rate = |d: &Detected| {
            let [low, high] = d.interval_95.map(|share| share * 100.0);
            format!(
                "{:.4} % ({low:.4} – {high:.4})",
                d.false_positive_rate * 100.0
            )
        };
        table.row([
            words("… per device-hour (95 %)"),
            number(rate(before)),
            number(rate(after)),
            number(""),
        ]);
    }
    table.done()
}

fn numbers(name: &str, before: u64, after: u64) -> [super::table::Cell; 4] {
    [
        words(name),
        number(count(before)),
        number(count(after)),
        number(signed(before, after)),
    ]
}

fn signed(before: u64, after: u64) -> String {
    match after.cmp(&before) {
        std::cmp::Ordering::Less => format!("−{}", count(before - after)),
        std::cmp::Ordering::Equal => "0".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", count(after - before)),
    }
}

fn profiles(comparison: &Comparison) -> String {
    let mut table = Table::new(
        "What differs between the profiles",
        &["Profile", "Field", "Before", "Compared with"],
    );
    for change in &comparison.profiles {
        for difference in &change.differences {
            let said = |side: &Option<String>| side.clone().unwrap_or_else(|| "–".to_owned());
            table.row([
                words(&change.profile),
                words(&difference.field),
                words(said(&difference.before)),
                words(said(&difference.after)),
            ]);
        }
    }
    if table.is_empty() {
        return "<p>The profiles say the same.</p>\n".to_owned();
    }
    table.done()
}

fn changes(report: &Report, comparison: &Comparison) -> String {
    let mut list = String::new();
    for kind in Kind::ALL {
        let of_kind = comparison
            .changes
            .iter()
            .filter(|change| change.change == kind);
        let listed: Vec<&Change> = of_kind.collect();
        if listed.is_empty() {
            continue;
        }
        let title = match kind {
            Kind::Appears => "Verdicts that appear",
            Kind::Disappears => "Verdicts that disappear",
            Kind::Worse => "Verdicts that are graded worse",
            Kind::Milder => "Verdicts that are graded milder",
            Kind::OtherFindings => "Verdicts that rest on other findings",
        };
        let n = count(listed.len() as u64);
        let head = format!("<h3>{title}: {n}</h3>\n<ul class=\"changes\">\n");
        list.push_str(&head);
        for change in listed.iter().take(LISTED_MAX) {
            list.push_str(&item(report, change));
        }
        list.push_str("</ul>\n");
        if listed.len() > LISTED_MAX {
            let more = count((listed.len() - LISTED_MAX) as u64);
            let more = format!("<p class=\"note\">{more} more are in compare.json.</p>\n");
            list.push_str(&more);
        }
    }
    list
}

fn item(report: &Report, change: &Change) -> String {
    let grade = |told: &Option<Told>| {
        told.as_ref().map_or_else(
            || "<span class=\"none\">nothing</span>".to_owned(),
            |told| mark(told.grade),
        )
    };
    let at = change.at().map(|at| plant_minute(report.clock, at));
    let told = change.after.as_ref().or(change.before.as_ref());
    let sentence = told.map_or("", |told| told.sentence.as_str());
    let reasons: Vec<String> = change
        .reasons
        .iter()
        .map(|reason| format!("<li>{}</li>", with_code(&reason.sentence)))
        .collect();
    format!(
        "<li><p class=\"what\">{} <span aria-hidden=\"true\">→</span><span class=\"aside\"> \
         becomes </span> {} <b>{}</b> <span class=\"when\">{}</span></p>\
         <p>{}</p><ul class=\"reasons\">{}</ul></li>\n",
        grade(&change.before),
        grade(&change.after),
        html(change.device_id.as_str()),
        html(&at.unwrap_or_default()),
        html(sentence.trim_start_matches("It is over. ")),
        reasons.concat(),
    )
}

/// Text in which names stand between backticks.
fn with_code(text: &str) -> String {
    let mut parts = text.split('`');
    let mut marked = html(parts.next().unwrap_or_default());
    while let Some(name) = parts.next() {
        match parts.next() {
            Some(rest) => {
                let code = format!("<code>{}</code>{}", html(name), html(rest));
                marked.push_str(&code);
            }
            None => marked.push_str(&html(&format!("`{name}"))),
        }
    }
    marked
}
