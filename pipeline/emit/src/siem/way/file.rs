//! A file of lines that is put aside when it is large: `FILE`, `FILE.1`, `FILE.2` and so on, the
//! newest first.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::{Event, Trouble, Way};
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
    options: FileOptions,
    writer: Writer,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl Files {
    /// Nothing is made before something is written.
    pub fn new(options: FileOptions, writer: Writer) -> Self {
        Self {
            options,
            writer,
            open: None,
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let bytes = line.len() as u64;
        let is_full = |open: &Open| open.bytes > 0 && open.bytes + bytes > self.options.bytes_max;
        if self.open.is_none() {
            self.open = Some(open(&self.options.path)?);
        }
        if self.open.as_ref().is_some_and(is_full) {
            if let Some(full) = self.open.take() {
                full.file.sync_data()?;
            }
            self.put_aside()?;
            self.open = Some(open(&self.options.path)?);
        }
        let Some(open) = &mut self.open else {
            return Err(io::ErrorKind::NotFound.into());
        };
        open.file.write_all(line.as_bytes())?;
        open.bytes += bytes;
        Ok(())
    }

    /// Every file moves one on; the last one goes.
    fn put_aside(&self) -> io::Result<()> {
        let path = &self.options.path;
        if self.options.keep == 0 {
            return fs::remove_file(path);
        }
        for number in (1..self.options.keep).rev() {
            match fs::rename(aside(path, number), aside(path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(path, aside(path, 1))
    }
}

fn aside(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Opens it for more, without half a line that a crash left: that one is written again.
fn open(path: &Path) -> io::Result<Open> {
    let mut file = File::options()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    let mut end = file.metadata()?.len();
    let mut last = [0];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut last)?;
        if last == *b"\n" {
            break;
        }
        end -= 1;
    }
    file.set_len(end)?;
    Ok(Open { file, bytes: end })
}

impl Way for Files {
    fn send(&mut self, event: &Event<'_>) -> Result<(), Trouble> {
        let mut line = self.options.form.line(event.verdict, &self.writer);
        line.push('\n');
        let written = self.write(&line);
        if written.is_err() {
            // Opened anew, it is cut to its last whole line.
            self.open = None;
        }
        written.map_err(Trouble::later)
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        let synced = self
            .open
            .as_ref()
            .map_or(Ok(()), |open| open.file.sync_data());
        synced.map_err(Trouble::later)
    }

    fn window(&self) -> u64 {
        256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        files
            .send(&Event {
                id,
                verdict: &verdict,
            })
            .unwrap();
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
