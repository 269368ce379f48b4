//! A verdict as one calm line for people, in colour on a terminal only.

use andon_schemas::command::Mode;
use andon_schemas::grade::Grade;
use andon_schemas::verdict::{State, Verdict};

/// The verdict in one line: plant time, state, grade, device, what it is about, what follows.
/// `plant_time` is the event time as the plant's wall clock shows it.
pub fn verdict_line(verdict: &Verdict, plant_time: &str, colour: bool) -> String {
    let grade = format!("{:<8}", verdict.grade);
    let grade = if colour {
        paint(verdict, &grade)
    } else {
        grade
    };
    let action = match (verdict.state, verdict.response.mode) {
        (State::Cleared, _) => String::new(),
        (_, Mode::Monitor) => format!("  → would {}", verdict.response.action),
        (_, Mode::Enforce) => format!("  → {}", verdict.response.action),
    };
    let names = detector_names(verdict);
    format!(
        "{plant_time}  {grade}  {:<9}  {:<28}  {}{action}\n{:indent$}{}",
        verdict.state,
        verdict.device_id.as_str(),
        names,
        "",
        verdict.sentence,
        indent = plant_time.chars().count() + 2,
    )
}

/// The detectors that found something, worst finding first, each once: one may have found
/// something in both directions, or by rule and by evidence.
pub fn detector_names(verdict: &Verdict) -> String {
    let mut names: Vec<&str> = Vec::new();
    for finding in &verdict.findings {
        if !names.contains(&finding.detector.as_str()) {
            names.push(&finding.detector);
        }
    }
    names.join(" + ")
}

fn paint(verdict: &Verdict, text: &str) -> String {
    let code = match (verdict.state, verdict.grade) {
        (State::Cleared, _) => "32",
        (_, Grade::Critical) => "1;37;41",
        (_, Grade::High) => "1;31",
        (_, Grade::Medium) => "33",
        (_, Grade::Low) => "36",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
