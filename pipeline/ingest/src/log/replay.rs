//! Reading the log back, record by record.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::entry::Entry;
use super::error::LogError;
use super::segment::SegmentReader;

/// Entries in order; see [`Log::replay`](super::Log::replay). After an error it ends.
#[derive(Debug)]
pub struct Replay {
    /// Segments not yet begun.
    segments: VecDeque<PathBuf>,
    reader: Option<(SegmentReader, PathBuf)>,
    from: u64,
    through: u64,
    body: Vec<u8>,
}

impl Replay {
    /// Entries `from..=through`; the first segment must not begin after `from`.
    pub(super) fn new(segments: VecDeque<PathBuf>, from: u64, through: u64) -> Self {
        Self {
            segments: if from > through {
                VecDeque::new()
            } else {
                segments
            },
            reader: None,
            from,
            through,
            body: Vec::new(),
        }
    }

    fn advance(&mut self) -> Result<Option<Entry>, LogError> {
        loop {
            let Some((reader, path)) = &mut self.reader else {
                let Some(path) = self.segments.pop_front() else {
                    return Ok(None);
                };
                let reader =
                    SegmentReader::open(&path).map_err(|error| error.into_log_error(&path))?;
                self.reader = Some((reader, path));
                continue;
            };
            if reader.next_sequence() > self.through {
                return Ok(None);
            }
            let offset = reader.offset();
            let read = reader
                .read(&mut self.body)
                .map_err(|error| error.into_log_error(path))?;
            match read {
                None => self.reader = None,
                Some(sequence) if sequence < self.from => {}
                Some(sequence) => {
                    let entry = Entry::decode(sequence, &self.body).map_err(|reason| {
                        LogError::Damaged {
                            path: path.clone(),
                            offset,
                            reason,
                        }
                    })?;
                    return Ok(Some(entry));
                }
            }
        }
    }
}

impl Iterator for Replay {
    type Item = Result<Entry, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.advance().transpose();
        if !matches!(result, Some(Ok(_))) {
            self.segments.clear();
            self.reader = None;
        }
        result
    }
}
