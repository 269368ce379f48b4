//! Indicators: destinations that others have found to be hostile, as their lists name them, and a
//! compiled set that says in some ten nanoseconds whether a flow goes to one.
//!
//! A list is a STIX 2.1 bundle (it begins with `{`), or rows: an address, a network or a name at
//! the beginning of each line, alone, with a remark, or as CSV with or without a header. Whether
//! an indicator is in force is asked with the time of the event, so that a capture of last year is
//! judged by what held then.

mod pattern;
mod rows;
mod stix;
mod table;
mod value;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::canonical::hex;
use crate::problems::{LISTED_MAX, Problem, Problems, Refusal, quoted};
use crate::profile::SourceFile;
use crate::time::EventTime;

use self::table::{Builder, Table, Window};

/// Indicators in all lists together, at most.
pub const INDICATORS_MAX: usize = 4_000_000;
/// Characters of a remark that are kept.
const NOTE_MAX: usize = 120;

/// Why an entry of a list is left out although nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// Its own list has taken it back.
    Revoked,
    /// It names something that no flow shows: a file, an account, an autonomous system.
    NotInFlows,
    /// It is a condition on several things at once, or a negation.
    Condition,
}

impl Skip {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::NotInFlows => "of a kind that no flow shows",
            Self::Condition => "a condition that is not supported",
        }
    }
}

/// An indicator that a destination matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indicator<'a> {
    /// Name of its list: the file without its folder.
    pub list: &'a str,
    /// What the list says of it; may be empty.
    pub note: &'a str,
    /// When it ends, if it does.
    pub until: Option<EventTime>,
}

/// Every indicator of some lists, compiled.
#[derive(Clone, Debug, Default)]
pub struct IndicatorSet {
    table: Table,
    lists: Vec<String>,
    skipped: BTreeMap<Skip, u64>,
    hash: String,
}

impl IndicatorSet {
    /// How many indicators it holds.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// SHA-256 over the lists, lower-case hex; empty if there are none.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What was left out, and how often.
    pub const fn skipped(&self) -> &BTreeMap<Skip, u64> {
        &self.skipped
    }

    /// The indicator that an address matches at a moment, by the key of [`address_key`]: the one
    /// that names it most exactly.
    ///
    /// [`address_key`]: crate::identity::address_key
    #[inline]
    pub fn of_address(&self, key: u128, at: EventTime) -> Option<Indicator<'_>> {
        self.table.address(key, at).map(|entry| self.shown(entry))
    }

    /// The indicator that a name, or a name above it, matches at a moment.
    pub fn of_name(&self, name: &str, at: EventTime) -> Option<Indicator<'_>> {
        self.table.name(name, at).map(|entry| self.shown(entry))
    }

    fn shown(&self, entry: usize) -> Indicator<'_> {
        let (list, note, until) = self.table.shown(entry);
        Indicator {
            list: self.lists.get(list).map_or("", String::as_str),
            note,
            until,
        }
    }
}

/// Reads lists.
///
/// # Errors
/// Every problem of every list at once.
pub fn parse(files: &[SourceFile]) -> Result<IndicatorSet, Problems> {
    let mut reading = Reading::default();
    let (mut found, mut digest) = (None::<Problems>, Sha256::new());
    for file in files {
        reading.begin(file);
        digest.update((reading.lists[reading.list].len() as u64).to_le_bytes());
        digest.update(&reading.lists[reading.list]);
        digest.update((file.text.len() as u64).to_le_bytes());
        digest.update(file.text);
        if file.text.trim_start().starts_with('{') {
            stix::read(file.text, &mut reading);
        } else {
            rows::read(file.text, &mut reading);
        }
        if let Some(problems) = reading.end() {
            found = Some(match found {
                Some(others) => others.and(problems),
                None => problems,
            });
        }
    }
    if let Some(problems) = found {
        return Err(problems);
    }
    Ok(IndicatorSet {
        table: reading.builder.finish(),
        lists: reading.lists,
        skipped: reading.skipped,
        hash: if files.is_empty() {
            String::new()
        } else {
            hex(&digest.finalize())
        },
    })
}

/// What has been read so far, and what is wrong with it.
#[derive(Default)]
struct Reading {
    builder: Builder,
    lists: Vec<String>,
    list: usize,
    path: String,
    skipped: BTreeMap<Skip, u64>,
    problems: Vec<Problem>,
    /// Problems that are counted and not kept.
    more: u64,
    before: usize,
}

impl Reading {
    fn begin(&mut self, file: &SourceFile) {
        file.path.clone_into(&mut self.path);
        let name = file.path.rsplit('/').next().unwrap_or(file.path);
        self.list = self.lists.len();
        self.lists.push(name.to_owned());
        self.before = self.builder.len();
    }

    fn end(&mut self) -> Option<Problems> {
        if self.problems.is_empty() && self.builder.len() == self.before && self.skipped.is_empty()
        {
            let hint = "A list names addresses, networks or names, one to a line, or is a STIX \
                        bundle.";
            self.problem(1, "", &Refusal::new("it names nothing").hint(hint));
        }
        if self.more > 0 {
            let cause = format!("and {} more of the kind", self.more);
            let line = self.problems.last().map_or(1, |problem| problem.line);
            self.more = 0;
            self.problems
                .push(self.at(line.saturating_add(1), "", &Refusal::new(cause)));
        }
        Problems::of(std::mem::take(&mut self.problems))
    }

    fn at(&self, line: u32, path: &str, refusal: &Refusal) -> Problem {
        Problem {
            file: self.path.clone(),
            line,
            column: 1,
            path: path.to_owned(),
            cause: refusal.cause.clone(),
            hint: refusal.hint.clone(),
        }
    }

    fn problem(&mut self, line: u32, path: &str, refusal: &Refusal) {
        // A file of the wrong kind has a problem on each of its million lines.
        if self.problems.len() + 1 >= LISTED_MAX {
            self.more += 1;
            return;
        }
        self.problems.push(self.at(line, path, refusal));
    }

    fn skip(&mut self, skip: Skip) {
        *self.skipped.entry(skip).or_default() += 1;
    }

    /// Takes an indicator in, as it is written.
    fn take(&mut self, written: &str, window: Window, note: &str, place: (u32, &str)) {
        match value::read(written) {
            Ok(value::Read::Value(value)) => {
                if self.builder.len() >= INDICATORS_MAX {
                    let cause = format!("more than {INDICATORS_MAX} indicators");
                    return self.problem(place.0, place.1, &Refusal::new(cause));
                }
                let cut = note
                    .char_indices()
                    .nth(NOTE_MAX)
                    .map_or(note.len(), |(at, _)| at);
                self.builder.add(value, self.list, window, &note[..cut]);
            }
            Ok(value::Read::Skip(skip)) => self.skip(skip),
            Err(refusal) => self.problem(place.0, place.1, &refusal),
        }
    }

    /// The stretch of time in which an indicator is in force.
    fn window(&mut self, from: Option<&str>, until: Option<&str>, place: (u32, &str)) -> Window {
        let mut window = Window::ALWAYS;
        for (text, end) in [(from, &mut window.from), (until, &mut window.until)] {
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                continue;
            };
            if let Ok(at) = EventTime::parse(text) {
                *end = at;
            } else {
                let refusal = Refusal::new(format!("{} is not a time", quoted(text)))
                    .hint("Write it as `2026-01-31T00:00:00Z`.");
                self.problem(place.0, place.1, &refusal);
            }
        }
        if window.from >= window.until {
            let refusal = Refusal::new("it ends before it begins");
            self.problem(
                place.0,
                place.1,
                &refusal.hint("Check `valid_from` and `valid_until`."),
            );
        }
        window
    }
}

#[cfg(test)]
mod tests;
