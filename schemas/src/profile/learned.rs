//! What `andon learn` measured for the statistics: the law of an honest hour, and how often scores
//! as high as these came in clean traffic.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::problems::{Refusal, quoted, suggestion};
use crate::yaml::{Key, Node, Report, Section, Shape, flow};

/// Hours of a week, from Monday 00:00 plant time.
pub const HOURS_OF_WEEK: usize = 168;
/// Thresholds of one side, at most.
const STEPS_MAX: usize = 13;
/// The detectors that weigh hours by a learned law.
pub const LEARNERS: [&str; 3] = ["connection_rate", "traffic_volume", "upload_ratio"];

const NUMBER: Shape = Shape::Text(&["0.28"]);

/// What stands under `learned:` for one detector.
pub(super) const LEARNED: Section = Section {
    keys: &[
        Key::must(
            "middle",
            Shape::Text(&["86600000"]),
            "the middle of the type: bytes, bytes up for each byte down, connections",
        ),
        Key::must(
            "memory",
            NUMBER,
            "the correlation of an hour with the one before it, within a device",
        ),
        Key::must(
            "levels",
            NUMBER,
            "the standard deviation of the levels of devices, as a logarithm",
        ),
        Key::must(
            "within",
            NUMBER,
            "the standard deviation of hours within a device, as a logarithm",
        ),
        Key::new(
            "season",
            Shape::List(&Shape::Text(&["-0.1 0.02"])),
            "seven lines of 24 hours from Monday 00:00 in plant time, as logarithms",
        ),
        Key::must("up", Shape::Fields(&STEPS), "how often scores were high"),
        Key::must(
            "down",
            Shape::Fields(&STEPS),
            "how often scores were low, turned round",
        ),
        Key::new(
            "spike",
            Shape::Fields(&SPIKE),
            "the highest scores of all, of several types together where they were learned together",
        ),
    ],
};

const SPIKE: Section = Section {
    keys: &[
        Key::must(
            "windows",
            Shape::Text(&["168000"]),
            "the clean windows that they are the highest of",
        ),
        Key::must(
            "error",
            NUMBER,
            "how likely it is that a higher one is more frequent than is bet on",
        ),
        Key::must(
            "highest",
            Shape::Text(&["21.5 14.2 11.8"]),
            "the three highest scores",
        ),
    ],
};

pub(super) const STEPS: Section = Section {
    keys: &[
        Key::must(
            "windows",
            Shape::Text(&["8064"]),
            "the clean windows behind it",
        ),
        Key::must(
            "error",
            NUMBER,
            "how likely it is that some bound is too low",
        ),
        Key::must(
            "steps",
            Shape::List(&Shape::Text(&["0.01 2.31 0.0142"])),
            "the share of scores above, the score, and the bound on the chance of exceeding it",
        ),
    ],
};

/// The law of an hourly number of one device type, on the scale of logarithms.
///
/// The logarithm of an hour is the sum of that of the middle, the season of its hour of the week,
/// the level of its device and a remainder that remembers the hour before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearnedNull {
    /// The middle of the type, in the unit of the number.
    pub middle: f64,
    /// Lag-1 correlation of the hours of a device, in [0, 0.95].
    pub memory: f64,
    /// Standard deviation of the levels of devices.
    pub levels: f64,
    /// Standard deviation of hours within a device.
    pub within: f64,
    /// How much more or less an hour of the week has, from Monday 00:00 plant time; empty if all
    /// are alike, else [`HOURS_OF_WEEK`] numbers.
    pub season: Vec<f64>,
    /// How often scores were high.
    pub up: LearnedSteps,
    /// How often scores were low, turned round.
    pub down: LearnedSteps,
    /// The highest scores of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spike: Option<LearnedSpike>,
}

/// The highest scores of many clean windows: what is higher has hardly been seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LearnedSpike {
    /// The clean windows that they are the highest of, of all types that were learned together.
    pub windows: u64,
    /// Probability, over calibrations, that higher ones are more frequent than is bet on.
    pub error: f64,
    /// The three highest, the highest one first.
    pub highest: [f32; 3],
}

/// Thresholds of a score, each with a bound on how often it is exceeded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearnedSteps {
    /// Clean windows behind it.
    pub windows: u64,
    /// Probability, over calibrations, that some bound is too low.
    pub error: f64,
    /// From the lowest threshold to the highest.
    pub steps: Vec<LearnedStep>,
}

/// One threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LearnedStep {
    /// Share of the clean scores above it.
    pub share: f64,
    /// The score.
    pub score: f32,
    /// Upper bound on the probability of exceeding it.
    pub bound: f64,
}

/// What this very profile says was learned, by detector: what it extends was learned elsewhere.
pub(super) fn learned(own: Option<Node<'_>>, report: &mut Report) -> BTreeMap<String, LearnedNull> {
    let Some(node) = own.and_then(|top| top.get("learned")) else {
        return BTreeMap::new();
    };
    if node.scalar() == Some("none") || !report.mapping(node, "{ traffic_volume: { … } }") {
        return BTreeMap::new();
    }
    let mut nulls = BTreeMap::new();
    for entry in node.entries() {
        let name = entry.key();
        if LEARNERS.contains(&name) {
            nulls.extend(null(entry, report).map(|null| (name.to_owned(), null)));
        } else {
            let cause = format!("nothing is learned for a detector {}", quoted(name));
            let mut refusal = Refusal::new(cause);
            refusal.hint = suggestion(name, LEARNERS);
            report.key(entry, refusal);
        }
    }
    nulls
}

fn null(node: Node<'_>, report: &mut Report) -> Option<LearnedNull> {
    if !report.fields(node, &LEARNED) {
        return None;
    }
    let mut figure =
        |key: &str, lo: f64, hi: f64| report.read_if(node.get(key), |text| within(text, lo, hi));
    let middle = figure("middle", f64::MIN_POSITIVE, 1e18);
    let memory = figure("memory", 0.0, 0.95);
    let levels = figure("levels", 0.0, 10.0);
    let within = figure("within", 1e-4, 10.0);
    let season = season(node.get("season"), report);
    let up = node.get("up").and_then(|node| steps(node, report));
    let down = node.get("down").and_then(|node| steps(node, report));
    let spike = match node.get("spike") {
        Some(node) => Some(spike(node, report)?),
        None => None,
    };
    Some(LearnedNull {
        middle: middle?,
        memory: memory?,
        levels: levels?,
        within: within?,
        season: season?,
        up: up?,
        down: down?,
        spike,
    })
}

fn spike(node: Node<'_>, report: &mut Report) -> Option<LearnedSpike> {
    if !report.mapping(
        node,
        "{ windows: 168000, error: 0.007, highest: 21.5 14.2 11.8 }",
    ) || !report.fields(node, &SPIKE)
    {
        return None;
    }
    let windows = report.read_if(node.get("windows"), windows);
    let error = report.read_if(node.get("error"), |text| within(text, 1e-12, 0.5));
    let highest = report.read_if(node.get("highest"), highest);
    Some(LearnedSpike {
        windows: windows?,
        error: error?,
        highest: highest?,
    })
}

/// Three scores that fall.
fn highest(text: &str) -> Result<[f32; 3], Refusal> {
    let scores = text.split_whitespace().map(score);
    let scores = scores.collect::<Result<Vec<f32>, Refusal>>()?;
    match scores[..] {
        [a, b, c] if a >= b && b >= c => Ok([a, b, c]),
        _ => Err(Refusal::new(format!(
            "{} are not three scores that fall",
            quoted(text)
        ))),
    }
}

fn windows(text: &str) -> Result<u64, Refusal> {
    let refusal = || Refusal::new(format!("{} is not a number of windows", quoted(text)));
    text.parse::<u64>().map_err(|_| refusal())
}

fn score(text: &str) -> Result<f32, Refusal> {
    within(text, -1e6, 1e6)?;
    Ok(text.parse::<f32>().unwrap_or(0.0))
}

/// A number between two ends, both included.
pub(super) fn within(text: &str, lo: f64, hi: f64) -> Result<f64, Refusal> {
    match text.parse::<f64>() {
        Ok(number) if (lo..=hi).contains(&number) => Ok(number),
        _ => Err(Refusal::new(format!(
            "{} is not a number from {lo} to {hi}",
            quoted(text)
        ))),
    }
}

/// Seven days of twenty-four numbers, or nothing.
fn season(node: Option<Node<'_>>, report: &mut Report) -> Option<Vec<f64>> {
    let Some(node) = node else {
        return Some(Vec::new());
    };
    let day = |text: &str| {
        let numbers = text
            .split_whitespace()
            .map(|word| within(word, -20.0, 20.0));
        numbers.collect::<Result<Vec<f64>, Refusal>>()
    };
    let hours: Vec<f64> = report.read_each(Some(node), day).concat();
    if hours.len() == HOURS_OF_WEEK {
        return Some(hours);
    }
    let cause = format!("a season of {} hours is not that of a week", hours.len());
    report.value(
        node,
        Refusal::new(cause).hint("Write seven lines of 24 numbers."),
    );
    None
}

pub(super) fn steps(node: Node<'_>, report: &mut Report) -> Option<LearnedSteps> {
    if !report.mapping(
        node,
        "{ windows: 8064, error: 0.01, steps: [0.5 0.01 0.53] }",
    ) || !report.fields(node, &STEPS)
    {
        return None;
    }
    let windows = report.read_if(node.get("windows"), windows);
    let error = report.read_if(node.get("error"), |text| within(text, 1e-12, 0.5));
    let list = node.get("steps")?;
    let steps = report.read_each(Some(list), step);
    let falls = |part: fn(&LearnedStep) -> f64| steps.is_sorted_by(|a, b| part(a) >= part(b));
    let is_table = (1..=STEPS_MAX).contains(&steps.len())
        && falls(|step| step.share)
        && falls(|step| step.bound)
        && falls(|step| -f64::from(step.score));
    if !is_table {
        let refusal = Refusal::new("the steps are no table");
        let hint = "Shares and bounds fall from step to step and scores rise; learn it again.";
        report.value(list, refusal.hint(hint));
        return None;
    }
    Some(LearnedSteps {
        windows: windows?,
        error: error?,
        steps,
    })
}

/// `share score bound`.
fn step(text: &str) -> Result<LearnedStep, Refusal> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [share, above, bound] = words[..] else {
        let refusal = Refusal::new(format!("{} is not a step", quoted(text)));
        return Err(refusal.hint("Write a share, a score and a bound: `0.01 2.31 0.0142`."));
    };
    let probability = |text| within(text, f64::MIN_POSITIVE, 1.0);
    Ok(LearnedStep {
        share: probability(share)?,
        score: score(above)?,
        bound: probability(bound)?,
    })
}

impl LearnedNull {
    /// It as a profile writes it, on one line.
    pub(super) fn to_text(&self) -> String {
        let mut parts = vec![
            format!("middle: {}", self.middle),
            format!("memory: {}", self.memory),
            format!("levels: {}", self.levels),
            format!("within: {}", self.within),
        ];
        if !self.season.is_empty() {
            let day = |hours: &[f64]| {
                let words: Vec<String> = hours.iter().map(f64::to_string).collect();
                words.join(" ")
            };
            let days: Vec<String> = self.season.chunks(24).map(day).collect();
            parts.push(format!("season: [{}]", days.join(", ")));
        }
        parts.push(format!("up: {}", self.up.to_text()));
        parts.push(format!("down: {}", self.down.to_text()));
        if let Some(spike) = self.spike {
            let LearnedSpike {
                windows,
                error,
                highest: [a, b, c],
            } = spike;
            parts.push(format!(
                "spike: {{ windows: {windows}, error: {error}, highest: {a} {b} {c} }}"
            ));
        }
        flow(&parts)
    }
}

impl LearnedSteps {
    pub(super) fn to_text(&self) -> String {
        let step = |step: &LearnedStep| format!("{} {} {}", step.share, step.score, step.bound);
        let steps: Vec<String> = self.steps.iter().map(step).collect();
        flow(&[
            format!("windows: {}", self.windows),
            format!("error: {}", self.error),
            format!("steps: [{}]", steps.join(", ")),
        ])
    }
}
