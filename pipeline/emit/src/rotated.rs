//! A file of lines that is put aside when it is large: `FILE`, `FILE.1`, `FILE.2` and so on, the
//! newest first.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Writes lines to a file, and puts it aside when it is large.
#[derive(Debug)]
pub struct Rotated {
    path: PathBuf,
    bytes_max: u64,
    keep: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl Rotated {
    /// Nothing is made before something is written. A file that would be larger than `bytes_max`
    /// is put aside first; `keep` of those are kept.
    pub fn new(path: PathBuf, bytes_max: u64, keep: u32) -> Self {
        Self {
            path,
            bytes_max,
            keep,
            open: None,
        }
    }

    /// Writes a line, which ends with its line break.
    ///
    /// # Errors
    /// If it is not written whole; what there was is cut to its last whole line before the next.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        let written = self.append(line);
        if written.is_err() {
            self.open = None;
        }
        written
    }

    /// Makes sure that what was written is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        self.open
            .as_ref()
            .map_or(Ok(()), |open| open.file.sync_data())
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let bytes = line.len() as u64;
        let is_full = |open: &Open| open.bytes > 0 && open.bytes + bytes > self.bytes_max;
        if self.open.is_none() {
            self.open = Some(open(&self.path)?);
        }
        if self.open.as_ref().is_some_and(is_full) {
            if let Some(full) = self.open.take() {
                full.file.sync_data()?;
            }
            self.put_aside()?;
            self.open = Some(open(&self.path)?);
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
        let path = &self.path;
        if self.keep == 0 {
            return fs::remove_file(path);
        }
        for number in (1..self.keep).rev() {
            match fs::rename(aside(path, number), aside(path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(path, aside(path, 1))
    }
}

pub(crate) fn aside(path: &Path, number: u32) -> PathBuf {
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
