//! A verdict as one calm line for people, in colour on a terminal only.

use std::borrow::Cow;
use std::fmt::Write as _;

use andon_schemas::command::Mode;
use andon_schemas::grade::Grade;
use andon_schemas::identity::is_hidden;
use andon_schemas::verdict::{State, Verdict};

/// The verdict in one line: plant time, state, grade, device, what it is about, what follows.
/// `plant_time` is the event time as the plant's wall clock shows it.
pub fn verdict_line(verdict: &Verdict, plant_time: &str, colour: bool) -> String {
    let grade = match verdict.state {
        State::Cleared => paint("32", verdict.grade, colour),
        _ => graded(verdict.grade, colour),
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
        printable(&verdict.sentence),
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

/// A text that may hold something from outside, a host name for example, as one line that a
/// terminal shows as it is: what is not seen as itself stands there by its number, `\u{202e}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// JSON as a terminal shows it: what is not seen as itself stands there escaped, which any reader of
/// JSON takes for the same. Line feeds between its parts stay.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c != '\n' && is_hidden(c);
    if !json.contains(is_odd) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_odd(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // A string takes whatever is written.
                let _written = write!(shown, "\\u{unit:04x}").is_ok();
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// A grade in a column of its own, eight wide, in its colour.
pub fn graded(grade: Grade, colour: bool) -> String {
    let code = match grade {
        Grade::Critical => "1;37;41",
        Grade::High => "1;31",
        Grade::Medium => "33",
        Grade::Low => "36",
    };
    paint(code, grade, colour)
}

fn paint(code: &str, grade: Grade, colour: bool) -> String {
    if colour {
        format!("\u{1b}[{code}m{grade:<8}\u{1b}[0m")
    } else {
        format!("{grade:<8}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_moves_the_cursor_or_turns_the_text() {
        let hostile = "a\u{1b}[2J\u{202e}b\n\u{200b}c\u{2028}";
        assert_eq!(
            printable(hostile),
            r"a\u{1b}[2J\u{202e}b\u{a}\u{200b}c\u{2028}"
        );
        assert_eq!(printable("größer als 1 µA"), "größer als 1 µA");
    }
}
