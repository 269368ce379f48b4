//! The audit trail of a run: one chain, whatever crashes it lived through.
//!
//! A state is saved now and then, and the trail is written all the time: a run that goes on from a
//! state comes by a stretch that stands in the file already. As long as it comes to the same, it is
//! not written again. Where it does not, as after a loss of power that took the last rows with it,
//! what stands stays, and the chain goes on from its end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use andon_schemas::audit::AuditEntry;
use andon_schemas::chain::Chain;
use anyhow::{Context as _, anyhow};
use serde::Deserialize;

/// So many entries are compared at most. Where more stand behind a state, nobody went on from it: what
/// happens now follows them.
const TOLD_MAX: usize = 1 << 16;
/// What is read at first from the end of a file, bytes.
const TAIL: u64 = 256 << 10;

/// The end of the trail, and what stands in the file behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    chain: Chain,
    /// Entries that stand in the file already, by number and hash.
    told: VecDeque<Told>,
}

/// What of an entry is needed here.
#[derive(Clone, Debug, Deserialize)]
struct Told {
    number: u64,
    hash: String,
}

impl Trail {
    /// Goes on from the end of a chain, in a file that may go further.
    ///
    /// # Errors
    /// If the file cannot be read, or does not hold the end of the chain.
    pub(super) fn resume(chain: Chain, path: &Path) -> anyhow::Result<Self> {
        let cannot = || {
            format!(
                "the audit trail `{}` cannot be gone on with",
                path.display()
            )
        };
        let told = tail(path, &chain).with_context(cannot)?;
        let mut trail = Self { chain, told };
        if trail.told.len() > TOLD_MAX {
            trail.pass();
        }
        Ok(trail)
    }

    /// The end of it.
    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Hangs an entry on the end; whether it is to be written.
    pub(super) fn append(&mut self, entry: AuditEntry) -> (AuditEntry, bool) {
        let linked = self.chain.append(entry);
        let Some(told) = self.told.front() else {
            return (linked, true);
        };
        if told.hash == linked.link.hash {
            self.told.pop_front();
            return (linked, false);
        }
        tracing::warn!(
            "the audit trail goes on differently than it was written from entry {} on; what was \
             written stays, and is followed by what happened now",
            linked.link.number
        );
        self.pass();
        (self.chain.append(linked), true)
    }

    /// Goes to the end of what stands.
    fn pass(&mut self) {
        if let Some(last) = self.told.drain(..).next_back() {
            self.chain = Chain {
                number: last.number,
                last: last.hash,
            };
        }
    }
}

/// The entries of a file behind the end of a chain.
fn tail(path: &Path, chain: &Chain) -> anyhow::Result<VecDeque<Told>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(VecDeque::new()),
        Err(error) => return Err(error.into()),
    };
    let length = file.metadata()?.len();
    let mut reach = TAIL;
    loop {
        let from = length.saturating_sub(reach);
        file.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::new(&file);
        if from > 0 {
            // It begins in the middle of a line.
            reader.skip_until(b'\n')?;
        }
        let mut told = VecDeque::new();
        for line in reader.lines() {
            told.push_back(serde_json::from_str::<Told>(&line?)?);
        }
        let first = told.front().map(|first: &Told| first.number);
        if from > 0 && first.is_none_or(|first| first > chain.number) {
            reach *= 4;
            continue;
        }
        let own = told.iter().find(|told| told.number == chain.number);
        if chain.number > 0 && own.is_none_or(|own| own.hash != chain.last) {
            return Err(anyhow!(
                "entry {} is not the one that the saved state ends with: it was changed, or the \
                 file is of another run",
                chain.number
            ));
        }
        told.retain(|told| told.number > chain.number);
        return Ok(told);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use andon_schemas::audit::AuditEvent;
    use andon_schemas::time::EventTime;

    use super::*;

    fn entry(words: &str) -> AuditEntry {
        let at = EventTime::from_micros(7);
        AuditEntry::new(AuditEvent::Act, at, Some("ada"), words.to_owned())
    }

    /// What a trail writes of these, after what stands there.
    fn written(trail: &mut Trail, file: &mut String, words: &[&str]) {
        for words in words {
            let (entry, is_new) = trail.append(entry(words));
            if is_new {
                writeln!(file, "{}", serde_json::to_string(&entry).unwrap()).unwrap();
            }
        }
    }

    fn words(file: &str) -> Vec<String> {
        let mut chain = Chain::default();
        let entries = file.lines().map(|line| {
            let entry: AuditEntry = serde_json::from_str(line).unwrap();
            let before = chain.number;
            chain.follow(&entry).unwrap();
            assert_eq!(chain.number, before + 1, "nothing stands twice");
            entry.detail
        });
        entries.collect()
    }

    fn gone_on(chain: Chain, file: &str) -> anyhow::Result<Trail> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, file).unwrap();
        Trail::resume(chain, &path)
    }

    #[test]
    fn what_stands_already_is_not_written_again() {
        let (mut trail, mut file) = (Trail::default(), String::new());
        written(&mut trail, &mut file, &["one", "two"]);
        let saved = trail.chain().clone();
        // Longer than what is read at first.
        let long = "three".repeat(100_000);
        written(&mut trail, &mut file, &[&long, "four"]);
        let mut again = gone_on(saved, &file).unwrap();
        written(&mut again, &mut file, &[&long, "four", "five"]);
        assert_eq!(words(&file), ["one", "two", &long, "four", "five"]);
    }

    #[test]
    fn what_comes_out_differently_follows_what_stands() {
        let (mut trail, mut file) = (Trail::default(), String::new());
        written(&mut trail, &mut file, &["one"]);
        let saved = trail.chain().clone();
        written(&mut trail, &mut file, &["two", "three"]);
        let mut again = gone_on(saved, &file).unwrap();
        written(&mut again, &mut file, &["two", "other", "more"]);
        assert_eq!(words(&file), ["one", "two", "three", "other", "more"]);
    }

    #[test]
    fn a_file_that_was_changed_is_not_gone_on_with() {
        let (mut trail, mut file) = (Trail::default(), String::new());
        written(&mut trail, &mut file, &["one", "two"]);
        let mut other = trail.chain().clone();
        other.last = "0".repeat(64);
        let error = format!("{:#}", gone_on(other, &file).unwrap_err());
        assert!(error.contains("entry 2 is not the one"), "{error}");
        let none = format!("{:#}", gone_on(trail.chain().clone(), "").unwrap_err());
        assert!(none.contains("entry 2 is not the one"), "{none}");
        assert!(gone_on(Chain::default(), &file).is_ok());
    }
}
