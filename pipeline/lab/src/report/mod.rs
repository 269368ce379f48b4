//! `report.html`: what a backtest came to, as one file for people.
//!
//! Everything is in the file: style, script and data; it asks the network for nothing, and its own
//! policy forbids that it does. The facts are written as plain tables and drawings, so that they can
//! be read and printed without the script, which adds what needs hands: filters, order, the single
//! verdict unfolded. The same input gives the same bytes.

use std::io::{self, Write};
use std::path::Path;

use andon_schemas::time::{EventTime, PlantClock};

mod curves;
mod data;
mod embed;
mod escape;
mod figures;
mod gauge;
mod headline;
mod history;
mod page;
mod promise;
mod sections;
mod stretch;
mod table;
mod technique;
mod timeline;
mod truth;
mod versus;

pub use data::{
    AlertLoad, Attack, Cause, Device, Episode, Leak, Played, Promise, Report, Rung, Truth,
};
pub use embed::{VERDICT_BYTES_MAX, VERDICTS_MAX};
pub use escape::html as escaped;
pub use history::{History, Step};
pub use stretch::Stretch;

use crate::whole_file::{self, NotWritten};

/// Name of the file in a folder of results.
pub const FILE: &str = "report.html";

impl Report<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        page::write(self, out)
    }

    /// Writes the page into a folder, as a whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_into(&self, folder: &Path) -> Result<(), NotWritten> {
        whole_file::write(&folder.join(FILE), |out| self.write_to(out))
    }
}

/// A count with separators: `1,234,567`.
fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something, in the number that fits: `1 verdict`, `2,000 verdicts`.
fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

const fn weekday(day: u8) -> &'static str {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    DAYS[day as usize % 7]
}

/// What the plant's clock shows, with the date: `Sun 2025-12-14 02:30`.
fn plant_minute(clock: &PlantClock, at: EventTime) -> String {
    let local = clock.local(at);
    format!(
        "{} {} {:02}:{:02}",
        weekday(local.weekday),
        local.date(),
        local.minute / 60,
        local.minute % 60
    )
}

/// The same to the second, for telling rows apart.
fn plant_seconds(clock: &PlantClock, at: EventTime) -> String {
    let seconds = at.micros().div_euclid(1_000_000).rem_euclid(60);
    format!("{}:{seconds:02}", plant_minute(clock, at))
}
