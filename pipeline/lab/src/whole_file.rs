//! Files that are there as a whole or not at all: what a reader finds under a name was written to
//! its end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why a file is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", .path.display())]
pub struct NotWritten {
    path: PathBuf,
    source: io::Error,
}

/// Writes a file beside its place and puts it there when it is on the disk. What stood there before
/// stays until then, and for good if anything fails.
///
/// # Errors
/// Says which file, and what the system said: the disk is full, the folder is gone.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<(), NotWritten> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fill(&beside, content)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|source| {
            // It may not have been made at all; what went wrong first is what has to be told.
            drop(fs::remove_file(&beside));
            NotWritten {
                path: path.to_owned(),
                source,
            }
        })
}

fn fill(
    path: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, File::create(path)?);
    content(&mut out)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn a_disk_that_fills_up_leaves_what_was_there_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write(&path, |out| out.write_all(b"first")).unwrap();
        let error = write(&path, |out| {
            out.write_all(&vec![b'x'; 1 << 17])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(error.to_string().contains("report.html`"), "{error}");
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("no storage space"), "{cause}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_follows_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compare.json");
        for text in ["longer than the second", "second"] {
            write(&path, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("/nowhere/report.html"), |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "cannot write `/nowhere/report.html`");
    }
}
