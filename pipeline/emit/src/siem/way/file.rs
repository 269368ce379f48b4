//! Lines into a file, which is put aside when it is large.

use std::path::PathBuf;

use andon_schemas::verdict::Verdict;

use crate::outlet::{Event, Trouble, Way};
use crate::rotated::Rotated;
use crate::siem::{Form, Writer};

/// What is written, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// The file that is written.
    pub path: PathBuf,
    /// What a line holds.
    pub form: Form,
    /// A file that would be larger is put aside first.
    pub bytes_max: u64,
    /// Files that are kept beside it.
    pub keep: u32,
}

/// Writes lines to a file.
#[derive(Debug)]
pub struct Files {
    form: Form,
    writer: Writer,
    file: Rotated,
}

impl Files {
    /// Nothing is made before something is written.
    pub fn new(options: FileOptions, writer: Writer) -> Self {
        Self {
            form: options.form,
            writer,
            file: Rotated::new(options.path, options.bytes_max, options.keep),
        }
    }
}

impl Way<Verdict> for Files {
    fn send(&mut self, event: &Event<'_, Verdict>) -> Result<(), Trouble> {
        let mut line = self.form.line(event.item, &self.writer);
        line.push('\n');
        self.file.write(&line).map_err(Trouble::later)
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        self.file.sync().map_err(Trouble::later)
    }

    fn window(&self) -> u64 {
        256
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::path::Path;

    use super::*;
    use crate::rotated::aside;
    use crate::siem::sample::{contact, finding, verdict};

    fn files(path: &Path, keep: u32) -> Files {
        let options = FileOptions {
            path: path.to_owned(),
            form: Form::Ndjson,
            bytes_max: 4_000,
            keep,
        };
        Files::new(options, Writer::new("1", "host"))
    }

    fn revisions(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        let numbers = text.lines().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["revision"].as_u64().unwrap()
        });
        numbers.collect()
    }

    fn send(files: &mut Files, revision: u32) {
        let found = finding("scan", "text", &contact());
        let verdict = verdict("HIGH", "updated", revision, "text", &found);
        let id = revision.to_string();
        files.send(&Event { id, item: &verdict }).unwrap();
    }

    #[test]
    fn it_is_put_aside_by_size_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verdicts.ndjson");
        let mut files = files(&path, 2);
        for revision in 1..=20 {
            send(&mut files, revision);
        }
        files.settle().unwrap();
        let kept = [aside(&path, 2), aside(&path, 1), path.clone()];
        let all: Vec<u64> = kept.iter().flat_map(|path| revisions(path)).collect();
        assert!(
            all.is_sorted() && all.last() == Some(&20) && all.len() > 6,
            "{all:?}"
        );
        assert!(
            kept.iter()
                .all(|path| fs::metadata(path).unwrap().len() <= 4_000)
        );
        assert!(!aside(&path, 3).exists());
    }

    #[test]
    fn half_a_line_is_cut_and_what_was_whole_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verdicts.ndjson");
        send(&mut files(&path, 0), 1);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"{\"revision\":").unwrap();
        send(&mut files(&path, 0), 2);
        assert_eq!(revisions(&path), [1, 2]);
    }
}
