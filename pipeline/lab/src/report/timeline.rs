//! Verdicts over time as a drawing: a lane for each grade, and one for the attacks that labels name.
//! Made here, not by the page's script, so that it is there without one.
#![expect(
    clippy::cast_precision_loss,
    reason = "places on a drawing, of times far below 2^53 µs"
)]

use std::collections::BTreeMap;

use andon_schemas::grade::Grade;
use andon_schemas::time::{EventTime, Span};

use super::data::Report;
use super::escape::html;
use super::{plant_minute, weekday};

/// Width of the whole drawing, and of what stands left of the lanes.
const WIDTH: f64 = 1_040.0;
const MARGIN: f64 = 92.0;
const LANE: f64 = 46.0;
const TOP: f64 = 26.0;

/// Widths of a bar in minutes, the narrowest first: from a minute to a year.
const STEPS_MIN: &[i64] = &[
    1, 2, 5, 10, 20, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 20_160, 43_200, 129_600,
    525_600,
];

/// Between two times of day that are named on a short axis, minutes.
const TIMES_MIN: &[i64] = &[1, 2, 5, 10, 15, 30, 60, 120, 180, 360];

/// Most times of day that are named.
const TIMES_MAX: i64 = 8;

/// Room for the name of a day, and for that of a time of day.
const DAY_ROOM: f64 = 84.0;
const TIME_ROOM: f64 = 44.0;

/// Most bars side by side.
const BARS_MAX: i64 = 120;

/// The drawing; empty if nothing was played.
pub(super) fn svg(report: &Report) -> String {
    let Some(axis) = Axis::of(report) else {
        return String::new();
    };
    let grades = [Grade::Critical, Grade::High, Grade::Medium, Grade::Low];
    let attacks = report
        .truth
        .as_ref()
        .map_or(&[][..], |truth| &truth.attacks);
    let has_attacks = !attacks.is_empty();
    let lanes = grades.len() as f64;
    let base = if has_attacks { TOP + LANE * 0.6 } else { TOP };
    let height = base + lanes * LANE + 6.0;
    let mut svg = format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Verdicts over time, a lane for each grade. The table below holds the same.\">"
    );
    axis.ticks(report, height, &mut svg);
    if has_attacks {
        text(&mut svg, TOP + 17.0, "lane-name", "attacks");
        for attack in attacks {
            let (from, to) = (axis.x(attack.start), axis.x(attack.end));
            write(
                &mut svg,
                format_args!(
                    "<rect class=\"attack\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
                     height=\"10\" rx=\"2\"><title>{}</title></rect>",
                    TOP + 8.0,
                    (to - from).max(4.0),
                    html(&format!(
                        "{} on {}, from {}",
                        attack.name,
                        attack.device.as_str(),
                        plant_minute(report.clock, attack.start)
                    ))
                ),
            );
        }
    }
    for (lane, grade) in (0..).zip(grades) {
        let floor = base + f64::from(lane + 1) * LANE - 4.0;
        axis.lane(report, grade, floor, &mut svg);
    }
    svg.push_str("</svg>");
    svg
}

fn write(svg: &mut String, what: std::fmt::Arguments) {
    svg.push_str(&what.to_string());
}

fn text(svg: &mut String, y: f64, class: &str, what: &str) {
    write(
        svg,
        format_args!(
            "<text class=\"{class}\" x=\"0\" y=\"{y:.1}\">{}</text>",
            html(what)
        ),
    );
}

struct Axis {
    start: EventTime,
    end: EventTime,
    /// Of a bar.
    step: Span,
}

impl Axis {
    /// From midnight on the plant's clock to the end of what was played.
    fn of(report: &Report) -> Option<Self> {
        let (first, last) = report.played.stretch?;
        let episodes = report
            .episodes
            .iter()
            .map(|episode| episode.last.event_time);
        let (first, last) = episodes.fold((first, last), |(a, b), at| (a.min(at), b.max(at)));
        let length = last.since(first).micros() / Span::MINUTE.micros() + 1;
        let fits = |step: &&i64| length / **step < BARS_MAX;
        let step = STEPS_MIN.iter().find(fits).or(STEPS_MIN.last())?;
        let step = Span::MINUTE.times(*step);
        // Hours of the plant, not of UTC: a bar of a day is a day there.
        let local = report.clock.local(first);
        let midnight = report.clock.moment(local.day, 0);
        let bars = first.since(midnight).micros() / step.micros();
        let start = midnight + step.times(bars);
        let bars = last.since(start).micros() / step.micros() + 1;
        Some(Self {
            start,
            end: start + step.times(bars),
            step,
        })
    }

    fn x(&self, at: EventTime) -> f64 {
        let share = at.since(self.start).as_secs_f64() / self.end.since(self.start).as_secs_f64();
        MARGIN + (WIDTH - MARGIN - 8.0) * share.clamp(0.0, 1.0)
    }

    fn bar(&self, at: EventTime) -> i64 {
        at.since(self.start).micros().div_euclid(self.step.micros())
    }

    /// A line and a name at the plant's midnights, as many as can be read, and on a short axis at
    /// times of its day.
    fn ticks(&self, report: &Report, height: f64, svg: &mut String) {
        let days = self.days(report);
        let times = self.times(report, &days);
        for (at, name) in days.iter().chain(&times) {
            let x = self.x(*at);
            write(
                svg,
                format_args!(
                    "<line class=\"tick\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"18\" \
                     y2=\"{height:.1}\"/><text class=\"tick-name\" x=\"{:.1}\" y=\"12\">{name}</text>",
                    x + 2.0,
                ),
            );
        }
    }

    fn days(&self, report: &Report) -> Vec<(EventTime, String)> {
        let first = report.clock.local(self.start).day;
        let last = report.clock.local(self.end).day;
        let every = ((last - first) / 8).max(1);
        let mut days = Vec::new();
        let mut day = first;
        while day <= last {
            // The first day has its name too, if it began before and there is room for one.
            let at = report.clock.moment(day, 0).max(self.start);
            let next = report.clock.moment(day + every, 0).min(self.end);
            let has_room = day > first || self.x(next) - self.x(at) > DAY_ROOM;
            if has_room && at < self.end {
                let local = report.clock.local(at);
                days.push((at, format!("{} {}", weekday(local.weekday), local.date())));
            }
            day += every;
        }
        days
    }

    /// Times of day, where the days leave room for their names.
    fn times(&self, report: &Report, days: &[(EventTime, String)]) -> Vec<(EventTime, String)> {
        let length = self.end.since(self.start).micros() / Span::MINUTE.micros();
        let Some(every) = TIMES_MIN.iter().find(|m| length / **m <= TIMES_MAX) else {
            return Vec::new();
        };
        let every = Span::MINUTE.times(*every);
        let midnight = report.clock.moment(report.clock.local(self.start).day, 0);
        let first = self.start.since(midnight).micros() / every.micros() + 1;
        let is_free = |at: &EventTime| {
            let x = self.x(*at);
            let meets = |day: f64| x > day - TIME_ROOM && x < day + DAY_ROOM;
            !days.iter().any(|(day, _)| meets(self.x(*day))) && x + TIME_ROOM < WIDTH
        };
        (first..=first + TIMES_MAX)
            .map(|n| midnight + every.times(n))
            .take_while(|at| *at < self.end)
            .filter(is_free)
            .map(|at| {
                let minute = report.clock.local(at).minute;
                (at, format!("{:02}:{:02}", minute / 60, minute % 60))
            })
            .collect()
    }

    fn lane(&self, report: &Report, grade: Grade, floor: f64, svg: &mut String) {
        let mut bars: BTreeMap<i64, u64> = BTreeMap::new();
        for episode in report.episodes.iter().filter(|e| e.worst == grade) {
            *bars.entry(self.bar(episode.last.event_time)).or_default() += 1;
        }
        let total: u64 = bars.values().sum();
        let most = bars.values().copied().max().unwrap_or(1);
        text(svg, floor - 14.0, "lane-name", grade.as_str());
        text(svg, floor, "lane-count", &super::count(total));
        write(
            svg,
            format_args!(
                "<line class=\"floor\" x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{floor:.1}\" \
                 y2=\"{floor:.1}\"/>",
                WIDTH - 8.0
            ),
        );
        for (bar, n) in bars {
            let from = self.start + self.step.times(bar);
            let (left, right) = (self.x(from), self.x(from + self.step));
            // One verdict is seen beside a hundred.
            let tall = (LANE - 14.0) * (n as f64 / most as f64).sqrt();
            write(
                svg,
                format_args!(
                    "<rect class=\"bar {}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
                     height=\"{tall:.1}\"><title>{} {grade} from {}</title></rect>",
                    grade.as_str().to_lowercase(),
                    left + 0.5,
                    floor - tall,
                    (right - left - 1.0).max(2.0),
                    super::count(n),
                    plant_minute(report.clock, from)
                ),
            );
        }
    }

    /// How wide a bar is, in words.
    fn step_text(&self) -> String {
        match self.step.micros() / Span::MINUTE.micros() {
            1 => "one minute".to_owned(),
            60 => "one hour".to_owned(),
            1_440 => "one day".to_owned(),
            10_080 => "one week".to_owned(),
            n if n % 1_440 == 0 => format!("{} days", n / 1_440),
            n if n % 60 == 0 => format!("{} hours", n / 60),
            n => format!("{n} minutes"),
        }
    }
}

/// What the drawing shows, in words.
pub(super) fn caption(report: &Report) -> String {
    let Some(axis) = Axis::of(report) else {
        return String::new();
    };
    format!(
        "Each bar counts the verdicts that opened within {}; its height is relative to the fullest \
         bar of its lane. A verdict stands in the lane of the worst grade it reached. Times are \
         the plant's, {}.",
        axis.step_text(),
        report.clock.name()
    )
}
