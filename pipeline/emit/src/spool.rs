//! A queue on disk: lines go in at one end and stay until somebody says that they have arrived.
//!
//! It is a folder of files of whole lines, numbered, and a file `read` that says up to where
//! everything has arrived. Both ends may be read by a person. A crash of the machine may take what
//! was not synced; a crash of the process takes nothing.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// A full spool drops this part of itself at once.
const PARTS: u64 = 16;
/// The least that a spool may hold.
pub const SPOOL_BYTES_MIN: u64 = 64 * 1_024;
/// Most bytes that are read at once, unless one line is longer.
const READ_BYTES: u64 = 512 * 1_024;
/// Where everything before has arrived.
const READ: &str = "read";

/// A place in the spool, between two lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    part: u64,
    offset: u64,
    /// Lines before it in its part.
    line: u64,
}

/// Lines of the spool, without their ends, each with the place after it.
pub type Lines = Vec<(Vec<u8>, Place)>;

/// A queue of lines on disk.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    bytes_max: u64,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug)]
struct State {
    parts: VecDeque<Part>,
    /// The last of the parts, open for more.
    file: File,
    is_dirty: bool,
    arrived: Place,
    is_closed: bool,
}

impl State {
    /// Lines that have not arrived.
    fn waiting(&self) -> u64 {
        let parts = self.parts.iter();
        parts.map(|part| part.lines - part.arrived).sum()
    }
}

#[derive(Clone, Copy, Debug)]
struct Part {
    number: u64,
    bytes: u64,
    lines: u64,
    /// Those of them that have arrived.
    arrived: u64,
}

impl Part {
    /// The place behind its last line.
    fn end(&self) -> Place {
        Place {
            part: self.number,
            offset: self.bytes,
            line: self.lines,
        }
    }
}

impl Spool {
    /// Goes on with the spool in a folder, which is made if need be.
    ///
    /// # Errors
    /// If the disk fails, or the folder holds what is none of a spool's.
    pub fn open(folder: &Path, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".spool"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        let arrived = read_place(&folder.join(READ))?;
        // What has arrived as a whole may be left over from a crash.
        while numbers.len() > 1 && numbers.first().is_some_and(|first| *first < arrived.part) {
            fs::remove_file(part_path(folder, numbers.remove(0)))?;
        }
        if numbers.is_empty() {
            numbers.push(arrived.part.max(1));
        }
        let mut parts = VecDeque::new();
        for number in numbers {
            parts.push_back(survey(folder, number, arrived)?);
        }
        let last = parts.back().map_or(Place::default(), Part::end);
        let first = parts.front().map_or(1, |part| part.number);
        // The machine may have lost lines that had arrived, and whoever wrote `read` knew of: what is
        // put in from here on must not lie before it.
        let mut arrived = arrived.max(start_of(first)).min(last);
        let here = parts.iter().find(|part| part.number == arrived.part);
        arrived.line = here.map_or(0, |part| part.arrived);
        Ok(Self {
            folder: folder.to_owned(),
            bytes_max: bytes_max.max(SPOOL_BYTES_MIN),
            state: Mutex::new(State {
                file: append_to(&part_path(folder, last.part))?,
                is_dirty: false,
                arrived,
                parts,
                is_closed: false,
            }),
            news: Condvar::new(),
        })
    }

    /// Puts a line in; it holds no line end. Returns how many lines fell off because the spool was
    /// full: the oldest ones, and always a whole part of it.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn put(&self, line: &[u8]) -> io::Result<u64> {
        let mut state = self.state();
        let bytes = line.len() as u64 + 1;
        let is_full = |part: &Part| part.bytes > 0 && part.bytes + bytes > self.bytes_max / PARTS;
        if state.parts.back().is_none_or(is_full) {
            self.begin_part(&mut state)?;
        }
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        if let Err(error) = state.file.write_all(&whole) {
            // Half a line must not be glued to the next one.
            let before = state.parts.back().map_or(0, |part| part.bytes);
            state.file.set_len(before)?;
            return Err(error);
        }
        state.is_dirty = true;
        if let Some(part) = state.parts.back_mut() {
            part.bytes += bytes;
            part.lines += 1;
        }
        let lost = self.shed(&mut state)?;
        drop(state);
        self.news.notify_all();
        Ok(lost)
    }

    fn begin_part(&self, state: &mut State) -> io::Result<()> {
        if state.is_dirty {
            state.file.sync_data()?;
        }
        let number = state.parts.back().map_or(1, |part| part.number + 1);
        state.file = append_to(&part_path(&self.folder, number))?;
        state.parts.push_back(Part {
            number,
            bytes: 0,
            lines: 0,
            arrived: 0,
        });
        self.forget(state)
    }

    /// Drops the oldest parts while there is more than there may be.
    fn shed(&self, state: &mut State) -> io::Result<u64> {
        let mut lost = 0;
        let mut bytes: u64 = state.parts.iter().map(|part| part.bytes).sum();
        while bytes > self.bytes_max && state.parts.len() > 1 {
            let Some(part) = state.parts.pop_front() else {
                break;
            };
            fs::remove_file(part_path(&self.folder, part.number))?;
            bytes -= part.bytes;
            lost += part.lines - part.arrived;
            let first = state.parts.front().map_or(0, |part| part.number);
            state.arrived = state.arrived.max(start_of(first));
        }
        Ok(lost)
    }

    /// Up to `most` lines from a place on; of those that fell off, the ones after. Waits for news
    /// if there are none.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn take(&self, from: Place, most: usize, patience: Duration) -> io::Result<Lines> {
        let mut state = self.state();
        if next_part(&state, from).is_none() && !state.is_closed {
            let waited = self.news.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let Some((place, end)) = next_part(&state, from) else {
            return Ok(Vec::new());
        };
        drop(state);
        match read_lines(&part_path(&self.folder, place.part), place, end, most) {
            // It fell off just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    /// Everything before a place has arrived.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn arrived(&self, place: Place) -> io::Result<()> {
        let mut state = self.state();
        if place <= state.arrived {
            return Ok(());
        }
        state.arrived = place;
        for part in &mut state.parts {
            part.arrived = match part.number.cmp(&place.part) {
                Ordering::Less => part.lines,
                Ordering::Equal => place.line,
                Ordering::Greater => 0,
            };
        }
        write_place(&self.folder.join(READ), place)?;
        self.forget(&mut state)
    }

    /// Removes parts of which everything has arrived, but for the one that is written.
    fn forget(&self, state: &mut State) -> io::Result<()> {
        while state.parts.len() > 1
            && let Some(part) = state.parts.front()
            && part.lines == part.arrived
        {
            fs::remove_file(part_path(&self.folder, part.number))?;
            state.parts.pop_front();
        }
        Ok(())
    }

    /// Up to where everything has arrived.
    pub fn place(&self) -> Place {
        self.state().arrived
    }

    /// Lines that have not arrived.
    pub fn waiting(&self) -> u64 {
        self.state().waiting()
    }

    /// Makes sure that what was put in is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        if std::mem::take(&mut state.is_dirty) {
            state.file.sync_data()?;
        }
        Ok(())
    }

    /// Nobody waits for news any more.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.news.notify_all();
    }

    /// Nothing panics while it is held; if anything did, what it guards would still be whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn part_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.spool"))
}

const fn start_of(part: u64) -> Place {
    Place {
        part,
        offset: 0,
        line: 0,
    }
}

/// Where there is something to read from a place on, and up to which byte.
fn next_part(state: &State, from: Place) -> Option<(Place, u64)> {
    let mut parts = state.parts.iter();
    parts.find_map(|part| {
        let place = match part.number.cmp(&from.part) {
            Ordering::Less => return None,
            Ordering::Equal => from,
            Ordering::Greater => start_of(part.number),
        };
        (place.offset < part.bytes).then_some((place, part.bytes))
    })
}

fn read_lines(path: &Path, from: Place, end: u64, most: usize) -> io::Result<Lines> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from.offset))?;
    let mut reader = BufReader::new(file.take(end - from.offset));
    let mut lines = Lines::new();
    let mut place = from;
    while lines.len() < most && place.offset - from.offset < READ_BYTES {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            break;
        }
        place.offset += read as u64;
        place.line += 1;
        lines.push((line, place));
    }
    Ok(lines)
}

/// Counts the lines of a part, and cuts off half a line that a crash left.
fn survey(folder: &Path, number: u64, arrived: Place) -> io::Result<Part> {
    let path = part_path(folder, number);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?;
    let mut part = Part {
        number,
        bytes: 0,
        lines: 0,
        arrived: 0,
    };
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        part.bytes += read as u64;
        part.lines += 1;
        let has_arrived = (number, part.bytes) <= (arrived.part, arrived.offset);
        part.arrived += u64::from(has_arrived);
    }
    file.set_len(part.bytes)?;
    Ok(part)
}

fn append_to(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

fn read_place(path: &Path) -> io::Result<Place> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::default()),
        Err(error) => return Err(error),
    };
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(part)), Some(Ok(offset))) => Ok(Place {
            offset,
            ..start_of(part)
        }),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "`{}` does not say a place. Without it everything is sent again.",
                path.display()
            ),
        )),
    }
}

/// As a whole or not at all.
fn write_place(path: &Path, place: Place) -> io::Result<()> {
    let draft = path.with_extension("new");
    let Place { part, offset, .. } = place;
    let mut file = File::create(&draft)?;
    file.write_all(format!("{part} {offset}\n").as_bytes())?;
    // What is renamed before it is on the disk may come back empty.
    file.sync_data()?;
    fs::rename(draft, path)
}
