//! What another threshold would have found and cried for nothing: verdicts by the score of their
//! strongest finding, drawn as the curves that are usual for it (ROC, precision against recall), and
//! how long it took to find what was found.
#![expect(
    clippy::cast_precision_loss,
    reason = "places on a drawing, and shares for people"
)]

use std::collections::BTreeSet;
use std::fmt::{Arguments, Write as _};

use andon_detectors::words::three_digits;
use andon_schemas::grade::Grade;

use super::count;
use super::data::{Cause, Episode, Report, Truth};
use super::table::{Table, number, words};

const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 470.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 252.0;

/// Scores at which a grade begins, as risk is told.
const GRADES: [(u8, Grade); 4] = [
    (95, Grade::Critical),
    (75, Grade::High),
    (50, Grade::Medium),
    (25, Grade::Low),
];

/// What is found and cried for nothing if only verdicts from a score on count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) score: u8,
    /// Attacks found, of those due.
    pub(super) found: u64,
    /// Verdicts that an attack caused.
    pub(super) right: u64,
    /// Verdicts that nothing caused.
    pub(super) wrong: u64,
}

impl Point {
    fn recall(self, due: u64) -> f64 {
        self.found as f64 / due.max(1) as f64
    }

    fn precision(self) -> Option<f64> {
        let raised = self.right + self.wrong;
        (raised > 0).then(|| self.right as f64 / raised as f64)
    }
}

fn score(episode: &Episode) -> u8 {
    let findings = episode.last.findings.iter().map(|finding| finding.score);
    findings.max().unwrap_or_default().max(floor(episode.worst))
}

/// The least score of a grade: a verdict may have been graded worse than any one finding of it.
fn floor(grade: Grade) -> u8 {
    let found = GRADES.iter().find(|(_, of)| *of == grade);
    found.map_or(0, |(score, _)| *score)
}

fn due(truth: &Truth) -> u64 {
    truth.attacks.iter().filter(|attack| !attack.later).count() as u64
}

/// A point for each score that a verdict has, the strictest first.
pub(super) fn points(report: &Report, truth: &Truth) -> Vec<Point> {
    let mut best: Vec<Option<u8>> = vec![None; truth.attacks.len()];
    let mut scores = BTreeSet::new();
    let (mut right, mut wrong) = ([0_u64; 256], [0_u64; 256]);
    for episode in &report.episodes {
        let score = score(episode);
        match episode.cause {
            Cause::Attack(number) => {
                right[usize::from(score)] += 1;
                if let Some(best) = best.get_mut(number) {
                    *best = (*best).max(Some(score));
                }
            }
            Cause::Nothing => wrong[usize::from(score)] += 1,
            Cause::Ladder | Cause::Unknown => continue,
        }
        scores.insert(score);
    }
    // One episode may show several attacks, and is credited to the first: each was found all the same.
    for (best, attack) in best.iter_mut().zip(&truth.attacks) {
        *best = (*best).max(attack.grade.map(floor));
    }
    let found = |from: u8| {
        let attacks = truth.attacks.iter().zip(&best);
        let due = attacks.filter(|(attack, _)| !attack.later);
        due.filter(|(_, best)| best.is_some_and(|best| best >= from))
            .count() as u64
    };
    let from = |counts: &[u64; 256], score: u8| counts[usize::from(score)..].iter().sum();
    scores
        .into_iter()
        .rev()
        .map(|score| Point {
            score,
            found: found(score),
            right: from(&right, score),
            wrong: from(&wrong, score),
        })
        .collect()
}

/// Both curves and the table behind them; nothing without attacks that were due.
pub(super) fn section(report: &Report, truth: &Truth) -> String {
    let points = points(report, truth);
    let due = due(truth);
    if points.is_empty() || due == 0 {
        return String::new();
    }
    let days = truth.device_hours as f64 / 24.0;
    let mut section =
        String::from("<h3>Had another threshold been set</h3>\n<div class=\"pair\">\n");
    section.push_str(&roc(&points, due, days));
    section.push_str(&precision(&points, due));
    section.push_str("</div>\n");
    section.push_str(&by_grade(&points, due, days));
    section
}

fn draw(svg: &mut String, what: Arguments<'_>) {
    // Writing to a string does not fail.
    let _written = svg.write_fmt(what);
}

/// A step from point to point: between two thresholds nothing is known but the stricter one.
fn path(places: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let mut last: Option<f64> = None;
    for (x, y) in places {
        match last {
            None => draw(&mut path, format_args!("M{x:.1} {y:.1}")),
            Some(before) => draw(&mut path, format_args!("L{x:.1} {before:.1}L{x:.1} {y:.1}")),
        }
        last = Some(*y);
    }
    path
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

fn x(value: f64, most: f64) -> f64 {
    LEFT + (value / most).clamp(0.0, 1.0) * (RIGHT - LEFT)
}

/// The frame of a drawing whose upright axis is a share.
fn frame(label: &str, across: &str, marks: &[(f64, String)]) -> String {
    let mut svg = format!(
        "<figure><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{label}. The table below holds the same.\">"
    );
    for tenth in [0, 2, 4, 6, 8, 10] {
        let at = y(f64::from(tenth) / 10.0);
        draw(
            &mut svg,
            format_args!(
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} %</text>",
                LEFT - 8.0,
                at + 4.0,
                tenth * 10
            ),
        );
    }
    for (at, mark) in marks {
        draw(
            &mut svg,
            format_args!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{mark}</text>",
                BOTTOM + 18.0
            ),
        );
    }
    svg + &format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{across}</text>",
        0.5 * (LEFT + RIGHT),
        BOTTOM + 38.0
    )
}

/// The points where a grade begins, by the grade's colour.
fn dots(points: &[Point], place: impl Fn(&Point) -> Option<(f64, f64)>) -> String {
    let mut svg = String::new();
    // The worst is drawn last, and so on top.
    for (from, grade) in GRADES.into_iter().rev() {
        let Some((x, y)) = at(points, from).as_ref().and_then(&place) else {
            continue;
        };
        draw(
            &mut svg,
            format_args!(
                "<circle class=\"{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"><title>{grade} or worse\
             </title></circle>",
                grade.as_str().to_lowercase()
            ),
        );
    }
    svg
}

/// What counts from this score on: the loosest point that is not looser.
fn at(points: &[Point], from: u8) -> Option<Point> {
    let within = points.iter().take_while(|point| point.score >= from);
    within.last().copied()
}

fn roc(points: &[Point], due: u64, days: f64) -> String {
    let rate = |point: &Point| point.wrong as f64 / days.max(f64::MIN_POSITIVE);
    let most = points.iter().map(rate).fold(0.0, f64::max);
    let scale = if most > 0.0 { most } else { 1.0 };
    let place = |point: &Point| (x(rate(point), scale), y(point.recall(due)));
    let mut places = vec![(x(0.0, scale), y(0.0))];
    places.extend(points.iter().map(place));
    let mark = |share: f64| (x(share * scale, scale), format!("{:.4}", share * scale));
    let svg = frame(
        "Attacks found against false alarms",
        "verdicts for nothing per device-day",
        &[mark(0.0), mark(0.5), mark(1.0)],
    );
    svg + &format!("<path class=\"trace\" d=\"{}\"/>", path(&places))
        + &dots(points, |point| Some(place(point)))
        + "</svg><figcaption>Attacks found, against what is cried for nothing (ROC), as the threshold \
           goes from strict to loose. Marked: where each grade begins.</figcaption></figure>\n"
}

fn precision(points: &[Point], due: u64) -> String {
    let place = |point: &Point| Some((x(point.recall(due), 1.0), y(point.precision()?)));
    let mut places: Vec<(f64, f64)> = points.iter().filter_map(place).collect();
    if let Some((_, first)) = places.first().copied() {
        places.insert(0, (x(0.0, 1.0), first));
    }
    let marks =
        [0, 50, 100].map(|percent| (x(f64::from(percent) / 100.0, 1.0), format!("{percent} %")));
    let svg = frame("Precision against recall", "attacks found (recall)", &marks);
    svg + &format!("<path class=\"trace\" d=\"{}\"/>", path(&places))
        + &dots(points, place)
        + "</svg><figcaption>Of the verdicts, those an attack caused (precision), against the attacks \
           found.</figcaption></figure>\n"
}

fn by_grade(points: &[Point], due: u64, days: f64) -> String {
    let mut table = Table::new(
        "Thresholds at which a grade begins",
        &[
            "If only this counted",
            "#From score",
            "#Attacks found",
            "#Recall",
            "#Verdicts an attack caused",
            "#Verdicts for nothing",
            "#Precision",
            "#For nothing per device-day",
        ],
    );
    for (from, grade) in GRADES {
        let point = at(points, from).unwrap_or(Point {
            score: from,
            found: 0,
            right: 0,
            wrong: 0,
        });
        let name = if grade == Grade::Critical {
            grade.as_str().to_owned()
        } else {
            format!("{grade} or worse")
        };
        let percent = |share: f64| format!("{} %", three_digits(share * 100.0));
        let rate = (days > 0.0).then(|| format!("{:.4}", point.wrong as f64 / days));
        table.row([
            words(name),
            number(from.to_string()),
            number(format!("{} of {}", count(point.found), count(due))),
            number(percent(point.recall(due))),
            number(count(point.right)),
            number(count(point.wrong)),
            number(point.precision().map_or_else(|| "–".to_owned(), percent)),
            number(rate.unwrap_or_else(|| "–".to_owned())),
        ]);
    }
    table.done()
        + "<p class=\"note\">An attack counts as found if any verdict it caused has the score, whatever \
           grade it should reach. Devices on the volume ladder are left out.</p>\n"
}

/// Upper ends of the classes of delay, seconds, and what they are called.
const DELAYS: [(f64, &str); 7] = [
    (1.0, "within a second"),
    (60.0, "within a minute"),
    (600.0, "within 10 min"),
    (3_600.0, "within an hour"),
    (21_600.0, "within 6 h"),
    (86_400.0, "within a day"),
    (f64::INFINITY, "later"),
];

/// How long it took to find the attacks that were due: a bar to each class of delay.
pub(super) fn delays(truth: &Truth) -> String {
    let due: Vec<Option<f64>> = truth
        .attacks
        .iter()
        .filter(|attack| !attack.later)
        .map(|attack| attack.delay_s)
        .collect();
    if due.is_empty() {
        return String::new();
    }
    let mut classes = [0_u64; DELAYS.len()];
    for delay in due.iter().flatten() {
        let class = DELAYS.iter().position(|(end, _)| delay <= end);
        classes[class.unwrap_or(DELAYS.len() - 1)] += 1;
    }
    let missed = due.iter().filter(|delay| delay.is_none()).count() as u64;
    let mut table = Table::new(
        "How long it took to find them",
        &["Delay", "#Attacks", "#So far, of all that were due", ""],
    );
    let all = due.len() as u64;
    let mut so_far = 0;
    let rows = DELAYS.iter().map(|(_, name)| *name).zip(classes);
    for (name, n) in rows.chain([("never", missed)]) {
        so_far += n;
        let share = if name == "never" {
            "–".to_owned()
        } else {
            format!("{} %", three_digits(100.0 * so_far as f64 / all as f64))
        };
        table.bar(
            [words(name), number(count(n)), number(share)],
            n as f64 / all as f64,
        );
    }
    table.done()
}
