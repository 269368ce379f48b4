//! What a receiver refused for good, put aside for people to look at.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Its name.
pub(super) const NAME: &str = "dead.jsonl";
/// Where the older half lies.
const OLDER: &str = "dead.old.jsonl";
/// So long may each half be, bytes: a receiver that refuses everything must not fill the disk.
const BYTES_MAX: u64 = 64 << 20;

/// Lines that were put aside: two files, the older of which makes room for the newer.
#[derive(Debug)]
pub(super) struct Dead {
    folder: PathBuf,
    most: u64,
}

impl Dead {
    pub(super) fn within(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            most: BYTES_MAX,
        }
    }

    /// Adds a line; whether the oldest ones had to go for it.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub(super) fn add(&self, line: &str) -> io::Result<bool> {
        let (newer, older) = (self.folder.join(NAME), self.folder.join(OLDER));
        let length = match fs::metadata(&newer) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let is_full = length > 0 && length + line.len() as u64 >= self.most;
        let drops = is_full && older.try_exists()?;
        if is_full {
            fs::rename(&newer, older)?;
        }
        let mut file = File::options().create(true).append(true).open(&newer)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()?;
        Ok(drops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_aside_is_bounded_and_the_newest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let dead = Dead {
            folder: folder.path().to_owned(),
            most: 100,
        };
        let line = |n: usize| format!("{{\"n\":{n:04},\"more\":\"{}\"}}", "x".repeat(10));
        let dropped: Vec<bool> = (0..20).map(|n| dead.add(&line(n)).unwrap()).collect();
        assert_eq!(dropped.iter().position(|d| *d), Some(6), "{dropped:?}");
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        let (older, newer) = (read(OLDER), read(NAME));
        assert!(older.len() <= 100 && newer.len() <= 100, "{older}{newer}");
        let expected: String = (15..20).map(|n| line(n) + "\n").collect();
        assert!(
            format!("{older}{newer}").ends_with(&expected),
            "{older}{newer}"
        );
        // One that is longer than all that may be kept is kept, alone.
        assert!(dead.add(&"y".repeat(200)).unwrap());
        assert!(dead.add(&line(20)).unwrap());
        assert_eq!(read(NAME), line(20) + "\n");
    }
}
