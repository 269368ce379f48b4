//! Which files and objects there are to read, what each is, and in which order they come.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_schemas::mapping::Mapping;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;

use super::bytes::Bytes;
use super::columnar::IpcRows;
use super::detect::{Format, detect, may_be_rows};
use super::exports::{self, ExportRows};
use super::lines::{Lines, Stream};
use super::mappings::{beside, is_mapping};
use super::origin::{Given, Origin, is_lost};
use super::packets::{self, PacketRows};
use super::rows::{Content, LineRows, Rows};
use super::store::{self, Buckets};
use super::{CaptureError, OpenOptions};
use crate::refused::{Refused, excerpt};

/// How deep folders are searched.
const DEPTH_MAX: usize = 16;

/// How many rows are looked at for the first event of a file.
const FIRST_ROWS_TRIED: usize = 256;

/// A file that has been looked at.
#[derive(Debug)]
pub(super) struct Candidate {
    /// As it was given; below a folder, the folder as given and the way down.
    pub(super) path: Arc<str>,
    /// What it is, nothing if there is nothing in it, or why it is not read.
    pub(super) format: Result<Option<Format>, Refused>,
    origin: Origin,
    /// Its first event, for the order.
    first: Option<EventTime>,
    /// The beginning, for the reject of a file that is not read.
    excerpt: String,
    /// What the columns mean, if it is CSV.
    mapping: Option<Arc<Mapping>>,
    /// Standard input cannot be opened a second time.
    stream: Option<Stream>,
}

impl Candidate {
    fn look(origin: Origin, given: Option<&Arc<Mapping>>) -> Result<Self, CaptureError> {
        let path: Arc<str> = origin.path().to_string_lossy().into();
        let standard_input = matches!(origin, Origin::StandardInput);
        let failed = |source| CaptureError::Read {
            path: path.to_string(),
            source,
        };
        let mut stream = origin.stream().map_err(failed)?;
        if let Some(error) = stream
            .broken
            .take_if(|error| !stream.packed || is_lost(error))
        {
            return Err(failed(error));
        }
        let mut format = match &stream.broken {
            // Without a byte of it nobody can tell what was in there.
            Some(error) if stream.head.trim_ascii().is_empty() => Err(no_row(error)),
            _ => detect(&stream.head),
        };
        if format == Ok(Some(Format::Parquet)) && (stream.packed || standard_input) {
            format = Err(Refused::new(
                RejectReason::Unsupported,
                "parquet is read from a plain file, not packed and not from standard input",
            ));
        }
        let mut mapping = None;
        if format.is_err() && may_be_rows(&stream.head) && !stream.head.is_empty() {
            mapping = match given {
                Some(given) => Some(Arc::clone(given)),
                None => beside(&origin)?,
            };
            if mapping.is_some() {
                format = Ok(Some(Format::Csv));
            }
        }
        let first = match format {
            Ok(Some(format)) => {
                first_event(&stream.head, format, &origin, mapping.as_ref()).map_err(failed)?
            }
            _ => None,
        };
        Ok(Self {
            path,
            format,
            origin,
            first,
            excerpt: excerpt(&stream.head),
            mapping,
            stream: standard_input.then_some(stream),
        })
    }

    /// Opens it for reading, if there is anything to read; the inner error is the one reject of a
    /// file that is not read.
    ///
    /// # Errors
    /// A file that has gone or cannot be opened any more.
    pub(super) fn rows(self) -> Result<Result<Option<Rows>, (Refused, String)>, CaptureError> {
        let failed = |source| CaptureError::Read {
            path: self.path.to_string(),
            source,
        };
        let format = match self.format {
            Ok(Some(format)) => format,
            Ok(None) => return Ok(Ok(None)),
            Err(refused) => return Ok(Err((refused, self.excerpt))),
        };
        if format == Format::Parquet {
            let rows = self.origin.columns().map_err(failed)?;
            return Ok(rows
                .map(|rows| Some(Rows::Columns(Box::new(rows))))
                .map_err(|refused| (refused, String::new())));
        }
        let stream = match self.stream {
            Some(stream) => stream,
            None => self.origin.stream().map_err(failed)?,
        };
        if format == Format::Arrow {
            let packed = stream.packed;
            let rows = IpcRows::new(Bytes::new(stream.bytes(), packed));
            return Ok(Ok(Some(Rows::Arrow(Box::new(rows)))));
        }
        if format.is_packets() {
            let packed = stream.packed;
            let rows = PacketRows::new(stream.bytes(), packed);
            return Ok(Ok(Some(Rows::Packets(Box::new(rows)))));
        }
        if format == Format::Netflow {
            let packed = stream.packed;
            let rows = ExportRows::new(stream.bytes(), packed);
            return Ok(Ok(Some(Rows::Exports(Box::new(rows)))));
        }
        let rows = LineRows::new(stream.lines(), format, self.origin.path(), self.mapping);
        Ok(Ok(Some(Rows::Lines(Box::new(rows)))))
    }
}

/// The refusal of a packed file of which not one row came out.
fn no_row(error: &io::Error) -> Refused {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        Refused::new(
            RejectReason::Truncated,
            format!("compressed file breaks off before its first row, {error}"),
        )
    } else {
        Refused::new(
            RejectReason::Malformed,
            format!("compressed file cannot be unpacked: {error}"),
        )
    }
}

/// Event time of the first record that a file holds, if it stands at the beginning.
///
/// # Errors
/// What the operating system or the store says: without it the order of files would be chance.
fn first_event(
    head: &[u8],
    format: Format,
    origin: &Origin,
    mapping: Option<&Arc<Mapping>>,
) -> io::Result<Option<EventTime>> {
    if format.is_packets() {
        return Ok(packets::first_time(head));
    }
    if format == Format::Netflow {
        return Ok(exports::first_time(head));
    }
    let mut rows = if format == Format::Parquet {
        let Ok(rows) = origin.columns()? else {
            return Ok(None);
        };
        Rows::Columns(Box::new(rows))
    } else if format == Format::Arrow {
        // Its first batch may be longer than the beginning; standard input cannot be read twice.
        if matches!(origin, Origin::StandardInput) {
            return Ok(None);
        }
        let stream = origin.stream()?;
        let packed = stream.packed;
        Rows::Arrow(Box::new(IpcRows::new(Bytes::new(stream.bytes(), packed))))
    } else {
        let mapping = mapping.cloned();
        Rows::Lines(Box::new(LineRows::new(
            Lines::of(head),
            format,
            origin.path(),
            mapping,
        )))
    };
    for _ in 0..FIRST_ROWS_TRIED {
        match rows.next()?.map(|row| row.content) {
            None => break,
            Some(Ok(Content::Record(record, _))) => return Ok(Some(record.event_time)),
            Some(Ok(Content::Tick(at))) => return Ok(Some(at)),
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Looks at every file given and every file below the folders given, and so at objects. Those of one
/// folder come in the order of their first events, files without any first: rotation names sort in many ways.
///
/// # Errors
/// A path that does not exist or cannot be read.
pub(super) fn collect(
    paths: &[PathBuf],
    options: &OpenOptions,
) -> Result<VecDeque<Candidate>, CaptureError> {
    let mapping = options.mapping.as_ref();
    let mut candidates = VecDeque::new();
    let mut buckets = Buckets::default();
    for path in paths {
        let given = given(path, &mut buckets).map_err(|source| CaptureError::Read {
            path: path.to_string_lossy().into_owned(),
            source,
        })?;
        match given {
            Given::One(origin) => candidates.push_back(Candidate::look(origin, mapping)?),
            Given::Folder(origins) => {
                let mut found: Vec<Candidate> = origins
                    .into_iter()
                    .map(|origin| Candidate::look(origin, mapping))
                    .collect::<Result<_, _>>()?;
                found.sort_by_key(|candidate| candidate.first);
                candidates.extend(found);
            }
        }
    }
    let is_csv = |candidate: &Candidate| candidate.mapping.is_some();
    if let Some(mapping) = mapping
        && !options.is_mapping_spare
        && !candidates.iter().any(is_csv)
    {
        let file = &mapping.file;
        tracing::warn!("mapping `{file}` was not needed: no capture given is CSV");
    }
    Ok(candidates)
}

/// What a path stands for.
fn given(path: &Path, buckets: &mut Buckets) -> io::Result<Given> {
    if path == Path::new("-") {
        return Ok(Given::One(Origin::StandardInput));
    }
    if store::names_objects(path) {
        return store::find(path, buckets);
    }
    if !path.is_dir() {
        return Ok(Given::One(Origin::File(path.to_owned())));
    }
    let mut files = Vec::new();
    walk(path, 0, &mut files)?;
    files.sort();
    Ok(Given::Folder(files.into_iter().map(Origin::File).collect()))
}

/// Lists the files below a folder. Hidden ones are passed over; so are links to folders, which may
/// lead round in a circle, and whatever is no file, and that is said.
fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if depth < DEPTH_MAX {
                walk(&path, depth + 1, files)?;
            }
        } else if is_mapping(&path) {
            // Says how its neighbours are read.
        } else if path.is_file() {
            files.push(path);
        } else {
            let path = path.display();
            tracing::warn!("`{path}` is passed over: it is neither a file nor a folder of its own");
        }
    }
    Ok(())
}
