//! Where the bytes of a capture lie: in a file, at standard input, or in an object store.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::columnar::ColumnRows;
use super::lines::Stream;
#[cfg(feature = "object-store")]
use super::store::Object;
use crate::refused::Refused;

/// The place of one capture.
#[derive(Debug)]
pub(super) enum Origin {
    /// Read once, and never again.
    StandardInput,
    /// A file.
    File(PathBuf),
    /// An object of an object store.
    #[cfg(feature = "object-store")]
    Object(Object),
}

/// What a path that was given stands for.
#[derive(Debug)]
pub(super) enum Given {
    /// One capture.
    One(Origin),
    /// Those of a folder.
    Folder(Vec<Origin>),
}

impl Origin {
    /// How it is called.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::StandardInput => Path::new("-"),
            Self::File(path) => path,
            #[cfg(feature = "object-store")]
            Self::Object(object) => object.path(),
        }
    }

    /// Opens it and looks at its beginning.
    ///
    /// # Errors
    /// What the operating system or the store says.
    pub(super) fn stream(&self) -> io::Result<Stream> {
        let raw: Box<dyn Read + Send> = match self {
            Self::StandardInput => Box::new(io::stdin()),
            Self::File(path) => Box::new(File::open(path)?),
            #[cfg(feature = "object-store")]
            Self::Object(object) => Box::new(object.forward()),
        };
        Stream::open(raw)
    }

    /// Opens it as Parquet, which is read here and there. The inner error is for one that is not.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn columns(&self) -> io::Result<Result<ColumnRows, Refused>> {
        match self {
            Self::StandardInput | Self::File(_) => ColumnRows::open(self.path()),
            #[cfg(feature = "object-store")]
            Self::Object(object) => {
                let blocks = object.blocks();
                let rows = ColumnRows::over(blocks.clone());
                match blocks.take_lost() {
                    Some(error) => Err(error),
                    None => Ok(rows),
                }
            }
        }
    }

    /// Reads a text that lies beside it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none, or what the operating system or the store says.
    pub(super) fn text_beside(&self, path: &Path) -> io::Result<String> {
        match self {
            Self::StandardInput | Self::File(_) => fs::read_to_string(path),
            #[cfg(feature = "object-store")]
            Self::Object(object) => object.text_beside(path),
        }
    }
}

/// Whether an error says that the place of a file went away in the middle of it, which costs the
/// rest of that file. No local file says so.
pub(super) fn is_lost(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionAborted
}
