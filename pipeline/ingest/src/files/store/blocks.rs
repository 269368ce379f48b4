//! An object here and there, as Parquet is read: in blocks, of which the last used are kept.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::object::Object;

/// Bytes of a block.
const BLOCK_BYTES: u64 = 1 << 20;

/// Blocks that are kept: every column of a row group is read at a place of its own. With the size of
/// a block that bounds the memory of an object that is read, 64 MiB.
const BLOCKS_MAX: usize = 64;

/// An object that is read in blocks.
#[derive(Clone, Debug)]
pub(in crate::files) struct Blocks {
    object: Object,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By number, with the moment of its last use.
    blocks: BTreeMap<u64, (Bytes, u64)>,
    uses: u64,
    /// Why a block did not come: to who reads Parquet it would look like damage of the object.
    lost: Option<io::Error>,
}

impl Kept {
    fn take(&mut self, number: u64) -> Option<Bytes> {
        self.uses += 1;
        let (block, used) = self.blocks.get_mut(&number)?;
        *used = self.uses;
        Some(block.clone())
    }

    fn keep(&mut self, number: u64, block: Bytes) {
        let oldest = self.blocks.iter().min_by_key(|(_, (_, used))| *used);
        if let Some(oldest) = oldest.map(|(number, _)| *number)
            && self.blocks.len() == BLOCKS_MAX
        {
            self.blocks.remove(&oldest);
        }
        self.blocks.insert(number, (block, self.uses));
    }
}

impl Blocks {
    /// Why a block did not come, if one did not since this was last asked.
    pub(in crate::files) fn take_lost(&self) -> Option<io::Error> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lost.take()
    }

    pub(super) fn new(object: Object) -> Self {
        Self {
            object,
            kept: Arc::default(),
        }
    }

    /// What of a block lies at and behind a place; empty at the end.
    fn at(&self, place: u64) -> io::Result<Bytes> {
        if place >= self.object.size {
            return Ok(Bytes::new());
        }
        let number = place / BLOCK_BYTES;
        let start = number * BLOCK_BYTES;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut block = if let Some(block) = kept.take(number) {
            block
        } else {
            let end = self.object.size.min(start + BLOCK_BYTES);
            let block = self.object.wait(&self.object.ask(start..end));
            let block = block.inspect_err(|error| {
                kept.lost = Some(io::Error::new(error.kind(), error.to_string()));
            })?;
            kept.keep(number, block.clone());
            block
        };
        let before = usize::try_from(place - start).unwrap_or(usize::MAX);
        block.advance(before.min(block.len()));
        Ok(block)
    }
}

impl Length for Blocks {
    fn len(&self) -> u64 {
        self.object.size
    }
}

impl ChunkReader for Blocks {
    type T = BlockRead;

    fn get_read(&self, start: u64) -> ParquetResult<BlockRead> {
        Ok(BlockRead {
            blocks: self.clone(),
            place: start,
            block: Bytes::new(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let lies_inside = start
            .checked_add(length as u64)
            .is_some_and(|end| end <= self.object.size);
        if !lies_inside {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} lie behind the end of an object of {} bytes",
                self.object.size
            )));
        }
        let first = self.at(start)?;
        if length <= first.len() {
            return Ok(first.slice(..length));
        }
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// The bytes from a place on.
#[derive(Debug)]
pub(in crate::files) struct BlockRead {
    blocks: Blocks,
    place: u64,
    block: Bytes,
}

impl Read for BlockRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            self.block = self.blocks.at(self.place)?;
        }
        let read = buffer.len().min(self.block.len());
        self.block.copy_to_slice(&mut buffer[..read]);
        self.place += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_that_was_longest_unused_goes_first() {
        let mut kept = Kept::default();
        let most = u64::try_from(BLOCKS_MAX).unwrap();
        for number in 0..most {
            assert!(kept.take(number).is_none());
            kept.keep(number, Bytes::new());
        }
        assert!(kept.take(0).is_some());
        kept.keep(most, Bytes::new());
        assert!(kept.take(1).is_none());
        assert!(kept.take(0).is_some());
        assert_eq!(kept.blocks.len(), BLOCKS_MAX);
    }
}
