//! Which mapping a CSV is read with: the one that was handed in, or the one that lies beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_schemas::mapping::{Mapping, parse};
use andon_schemas::profile::SourceFile;

use super::CaptureError;
use super::origin::Origin;

/// How the name of a mapping ends.
const ENDING: &str = ".map.yaml";

/// The mapping of all files of a folder that have none of their own.
const OF_FOLDER: &str = "capture.map.yaml";

/// Endings that say how a file is packed; its mapping is called like what is in it.
const PACKED: [&str; 3] = ["gz", "zst", "zstd"];

/// Reads a mapping.
///
/// # Errors
/// A file that cannot be read, or every problem in it.
pub fn read_mapping(path: &Path) -> Result<Arc<Mapping>, CaptureError> {
    parsed(path, fs::read_to_string(path))
}

fn parsed(path: &Path, text: io::Result<String>) -> Result<Arc<Mapping>, CaptureError> {
    let name = path.to_string_lossy();
    let text = text.map_err(|source| CaptureError::Read {
        path: name.to_string(),
        source,
    })?;
    let file = SourceFile {
        path: &name,
        text: &text,
    };
    Ok(Arc::new(parse(file).map_err(CaptureError::Mapping)?))
}

/// Whether a file is a mapping and no capture.
pub(super) fn is_mapping(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with(ENDING))
}

/// The mapping of a file: `flows.csv.map.yaml` or `flows.map.yaml` for `flows.csv` and
/// `flows.csv.gz`, else `capture.map.yaml` in its folder.
///
/// # Errors
/// One that is there and cannot be used.
pub(super) fn beside(origin: &Origin) -> Result<Option<Arc<Mapping>>, CaptureError> {
    for path in names(origin.path()) {
        match parsed(&path, origin.text_beside(&path)) {
            Err(CaptureError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            read => return read.map(Some),
        }
    }
    Ok(None)
}

fn names(file: &Path) -> Vec<PathBuf> {
    let Some(name) = file.file_name().filter(|_| file != Path::new("-")) else {
        return Vec::new();
    };
    let mut name = PathBuf::from(name);
    let is_packed = |extension: &std::ffi::OsStr| {
        PACKED
            .iter()
            .any(|packed| extension.eq_ignore_ascii_case(packed))
    };
    if name.extension().is_some_and(is_packed) {
        name.set_extension("");
    }
    let with_ending = |name: &Path| file.with_file_name(format!("{}{ENDING}", name.display()));
    vec![
        with_ending(&name),
        with_ending(&name.with_extension("")),
        file.with_file_name(OF_FOLDER),
    ]
}
