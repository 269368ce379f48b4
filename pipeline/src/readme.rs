//! The table of detectors in the README, made from the catalogue, so that the two cannot differ.

use andon_detectors::catalog::CATALOG;

/// Where the table begins in the README.
pub const TABLE_BEGIN: &str = "<!-- detectors -->";
/// Where it ends.
pub const TABLE_END: &str = "<!-- /detectors -->";

/// The table of all detectors, in Markdown, with a line break at its end.
pub fn detector_table() -> String {
    let head = "| detector | what it asks | default grade | plane | cries wolf |\n\
                |---|---|---|---|---|\n";
    let rows = CATALOG.iter().map(|entry| {
        let cells = [
            entry.question,
            entry.grade,
            entry.plane.as_str(),
            entry.cries_wolf,
        ];
        format!("| `{}` | {} |\n", entry.name, cells.map(cell).join(" | "))
    });
    [head.to_owned()].into_iter().chain(rows).collect()
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A text with the table between the markers brought up to date; `None` if it lacks a marker.
pub fn with_detector_table(text: &str) -> Option<String> {
    let (before, rest) = text.split_once(TABLE_BEGIN)?;
    let (_, after) = rest.split_once(TABLE_END)?;
    let table = detector_table();
    Some(format!("{before}{TABLE_BEGIN}\n{table}{TABLE_END}{after}"))
}
