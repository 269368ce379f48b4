//! The trade-off as a picture: what is found against what is cried for nothing.

use super::outcome::{Outcome, Step};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
/// Left, right, top and bottom of the plot within the picture.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 400.0;
/// Labels at the end of lines keep this distance.
const LABEL_STEP: f64 = 17.0;
/// Zero has no place on a scale of powers of ten: it stands at this part of the smallest figure.
const ZERO_AT: f64 = 0.5;

/// Colours that differ in lightness as well, for those who cannot tell them apart, and for print.
const COLOURS: [&str; 9] = [
    "#9ecae1", "#6baed6", "#3182bd", "#08519c", "#08306b", "#fdae6b", "#d94801", "#74c476",
    "#006d2c",
];

/// A scale of powers of ten.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: &[f64]) -> Self {
        let positive = || values.iter().copied().filter(|value| *value > 0.0);
        let low = positive().fold(f64::INFINITY, f64::min);
        let high = positive().fold(0.0, f64::max);
        if low.is_finite() {
            Self {
                low: low * ZERO_AT,
                high: high.max(low * 2.0),
            }
        } else {
            Self {
                low: 0.1,
                high: 10.0,
            }
        }
    }

    fn x(&self, value: f64) -> f64 {
        let at = (value.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        LEFT + at * (RIGHT - LEFT)
    }

    /// Powers of ten within.
    fn marks(&self) -> impl Iterator<Item = f64> + '_ {
        let marks = (-6..7).map(|power| 10_f64.powi(power));
        marks.filter(|mark| *mark >= self.low && *mark <= self.high)
    }
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

/// A self-contained picture (SVG) of the path: false alarms per day in the fleet, as measured,
/// against the share of each attack that reached MEDIUM within 72 hours.
pub fn trade_off(outcome: &Outcome) -> String {
    let alarms = |step: &Step| step.false_positives.per_fleet_day;
    let fleet = outcome.devices;
    let values: Vec<f64> = outcome.path.iter().map(alarms).collect();
    let scale = Scale::of(&values);
    let mut svg = Vec::new();
    svg.push(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\"><title>What is found against what \
         is cried for nothing</title><rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\" font-weight=\"600\">Found at MEDIUM within \
         72 h, against false alarms per day among {fleet} devices</text>"
    ));
    axes(&mut svg, &scale);
    chosen(&mut svg, &scale, outcome);
    let count = outcome.path.first().map_or(0, |step| step.found.len());
    let mut labels: Vec<(f64, String, &str)> = Vec::new();
    for attack in 0..count {
        let colour = COLOURS[attack % COLOURS.len()];
        let mut points = Vec::new();
        let mut end = 0.0;
        for step in &outcome.path {
            let Some(found) = step.found.get(attack) else {
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "a handful of devices")]
            let share = found.found_medium as f64 / found.devices.max(1) as f64;
            end = y(share);
            points.push(format!("{:.1},{end:.1}", scale.x(alarms(step))));
        }
        svg.push(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        ));
        let name = outcome.path[0].found[attack].attack;
        labels.push((
            end,
            format!("{name} ({})", outcome.path[0].found[attack].devices),
            colour,
        ));
    }
    place(&mut svg, labels);
    svg.push("</svg>\n".to_owned());
    svg.concat()
}

fn axes(svg: &mut Vec<String>, scale: &Scale) {
    for tenth in [0, 2, 4, 6, 8, 10] {
        let at = y(f64::from(tenth) / 10.0);
        svg.push(format!(
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">{} %</text>",
            LEFT - 8.0,
            at + 4.0,
            tenth * 10
        ));
    }
    for mark in scale.marks() {
        let at = scale.x(mark);
        svg.push(format!(
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">{mark}</text>",
            BOTTOM + 18.0
        ));
    }
    svg.push(format!(
        "<text x=\"{LEFT}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">0</text>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">false alarms per day, \
         as measured</text>",
        BOTTOM + 18.0,
        0.5 * (LEFT + RIGHT),
        BOTTOM + 42.0
    ));
}

/// Where the proposal of each claim lies.
fn chosen(svg: &mut Vec<String>, scale: &Scale, outcome: &Outcome) {
    let mut steps: Vec<usize> = outcome.verdicts.iter().filter_map(|v| v.chosen).collect();
    steps.sort_unstable();
    steps.dedup();
    for step in steps.iter().filter_map(|at| outcome.path.get(*at)) {
        let at = scale.x(step.false_positives.per_fleet_day);
        svg.push(format!(
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\" stroke=\"#333\" \
             stroke-dasharray=\"4 4\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
             fill=\"#333\">proposed</text>",
            TOP - 5.0
        ));
    }
}

/// Labels at the ends of the lines, pushed apart where they would lie on each other.
fn place(svg: &mut Vec<String>, mut labels: Vec<(f64, String, &str)>) {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = TOP - LABEL_STEP;
    for (end, text, colour) in labels {
        let at = end.max(free + LABEL_STEP);
        free = at;
        svg.push(format!(
            "<line x1=\"{RIGHT}\" y1=\"{end:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\" \
             stroke=\"{colour}\"/><text x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            RIGHT + 14.0,
            RIGHT + 18.0,
            at + 4.0
        ));
    }
}
