//! What a run and its shadow made of the same time, held against each other. It is all in their
//! files: whoever asks asks neither of them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use andon_lab::compare::{self, Comparison, Raised, Side};
use andon_schemas::profile::Profile;
use andon_schemas::time::{EventTime, PlantClock};
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow};
use serde::Serialize;

use super::{About, FOLDER};
use crate::blueprint::Blueprint;
use crate::exit::usage;
use crate::ledger::{Episode, Ledger};
use crate::results::VERDICTS;

/// Most episodes of a side that are compared, the newest: a run goes on for ever, and they are
/// all in memory at once.
const EPISODES_MAX: usize = 20_000;

/// A run and its shadow, compared.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// Since when, and until when.
    pub shadow: About,
    /// Only episodes that opened at this time or later are compared; null if all are.
    pub opened_since: Option<EventTime>,
    /// What changes.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The plant's.
    #[serde(skip)]
    pub clock: PlantClock,
}

/// Compares what a run, which may still go on, has written since its shadow began with what the
/// shadow has.
///
/// # Errors
/// If no shadow ran beside it, or a file cannot be read.
pub fn compared(data: &Path) -> anyhow::Result<Compared> {
    let folder = data.join(FOLDER);
    let shadow = About::read(&folder).with_context(|| {
        format!(
            "no shadow ran beside the run in `{}`; `andon run --shadow DIR` starts one",
            data.display()
        )
    });
    let shadow = shadow.map_err(usage)?;
    let to = shadow.ended.as_ref().map(|ended| ended.verdicts_to);
    let mut sides = [
        Written::read(data, shadow.verdicts_from, to)?,
        Written::read(&folder, 0, None)?,
    ];
    let opened_since = sides.iter().filter_map(|side| side.since).max();
    for side in &mut sides {
        side.leave_out_before(opened_since);
    }
    let [run, beside] = &sides;
    let comparison = compare::compare(
        &run.side(shadow.active.clone()),
        &beside.side(shadow.profiles.clone()),
    );
    let clock = run.clock.clone();
    Ok(Compared {
        shadow,
        opened_since,
        comparison,
        clock,
    })
}

/// What one of the two has written.
struct Written {
    ledger: Ledger,
    /// Episodes that opened before are left out.
    since: Option<EventTime>,
    /// Every profile that its verdicts name, and those in force, the last of a name last.
    profiles: Vec<Profile>,
    profile_hash: String,
    clock: PlantClock,
}

impl Written {
    fn read(folder: &Path, from: u64, to: Option<u64>) -> anyhow::Result<Self> {
        let plants = Blueprint::in_turn(folder)?;
        let last = plants.last().ok_or_else(|| {
            usage(anyhow!(
                "`{}` does not say what its verdicts were measured against",
                folder.display()
            ))
        })?;
        let plant = last.compile()?;
        let mut written = Self {
            ledger: Ledger::default(),
            since: None,
            profiles: Vec::new(),
            profile_hash: plant.profile_hash().to_owned(),
            clock: plant.inventory().clock.clone(),
        };
        written.verdicts(&folder.join(VERDICTS), from, to)?;
        written.keep_profiles(&plants)?;
        Ok(written)
    }

    fn verdicts(&mut self, path: &Path, from: u64, to: Option<u64>) -> anyhow::Result<()> {
        let cannot = || format!("cannot read `{}`", path.display());
        let mut file = File::open(path).with_context(cannot).map_err(usage)?;
        let end = file.metadata().with_context(cannot)?.len();
        let to = to.map_or(end, |to| to.min(end));
        if to < from {
            return Err(usage(anyhow!(
                "`{}` is shorter than it was when the shadow began: somebody cut it",
                path.display()
            )));
        }
        file.seek(SeekFrom::Start(from)).with_context(cannot)?;
        let mut lines = BufReader::new(file.take(to - from));
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = lines.read_until(b'\n', &mut line).with_context(cannot)?;
            // A line without an end is one that a crash, or the moment of reading, cut in half.
            if length == 0 || line.last() != Some(&b'\n') {
                return Ok(());
            }
            let verdict: Verdict = serde_json::from_slice(&line)
                .with_context(|| format!("`{}`: a line is no verdict", path.display()))
                .map_err(usage)?;
            self.ledger.verdict(&verdict);
            if self.ledger.episodes.len() >= 2 * EPISODES_MAX {
                self.leave_out_oldest(EPISODES_MAX);
            }
        }
    }

    /// Keeps so many episodes, the newest; those that opened at one moment all or not at all.
    fn leave_out_oldest(&mut self, kept: usize) {
        let episodes = self.ledger.episodes.values();
        let mut opened: Vec<EventTime> = episodes.map(|episode| episode.last.event_time).collect();
        let Some(oldest) = opened.len().checked_sub(kept) else {
            return;
        };
        let (_, since, _) = opened.select_nth_unstable(oldest);
        let since = self.since.max(Some(*since));
        self.since = since;
        self.leave_out_before(since);
    }

    fn leave_out_before(&mut self, since: Option<EventTime>) {
        let in_time =
            |episode: &Episode| since.is_none_or(|since| episode.last.event_time >= since);
        self.ledger.episodes.retain(|_, episode| in_time(episode));
    }

    fn keep_profiles(&mut self, plants: &[Blueprint]) -> anyhow::Result<()> {
        let episodes = self.ledger.episodes.values();
        let named: BTreeSet<&str> = episodes
            .map(|episode| episode.last.profile.hash.as_str())
            .collect();
        for (at, plant) in plants.iter().enumerate() {
            let in_force = at + 1 == plants.len();
            let profiles = plant.profiles()?;
            let wanted = profiles
                .iter()
                .filter(|profile| in_force || named.contains(profile.content_hash().as_str()));
            self.profiles.extend(wanted.cloned());
        }
        Ok(())
    }

    fn side(&self, name: String) -> Side<'_> {
        let episodes = self.ledger.episodes.values();
        Side {
            name,
            profile_hash: self.profile_hash.clone(),
            profiles: self.profiles.iter().collect(),
            episodes: episodes
                .map(|episode| Raised {
                    last: &episode.last,
                    worst: episode.worst,
                })
                .collect(),
            detection: None,
        }
    }
}

#[cfg(test)]
mod tests;
