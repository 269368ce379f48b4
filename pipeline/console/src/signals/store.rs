//! The streams of a transmitter in its folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::key::write_private;
use super::{SignalError, Stream};

const FILE: &str = "ssf-streams.json";

/// The streams that are kept; none if nothing is.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, Stream>, SignalError> {
    let path = folder.join(FILE);
    let wrong = |why: String| SignalError::Store(path.display().to_string(), why);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Streams as they are kept.
pub(super) fn text(streams: &BTreeMap<String, Stream>) -> String {
    serde_json::to_string(streams).unwrap_or_default()
}

/// Keeps them: whole, or as before. They hold what authorizes us with receivers.
pub(super) fn write(folder: &Path, text: &str) -> Result<(), SignalError> {
    let path = folder.join(FILE);
    let beside = folder.join("ssf-streams.json.new");
    let written = write_private(&beside, text).and_then(|()| fs::rename(&beside, &path));
    written.map_err(|error| SignalError::Store(path.display().to_string(), error.to_string()))
}
