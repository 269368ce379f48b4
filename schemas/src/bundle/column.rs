//! Columns while they are being filled: plain vectors, which become Arrow arrays as they are.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, UInt16Type, UInt32Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, PrimitiveArray,
    StringArray,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};

use crate::observation::Source;

/// What an array could not be made of.
pub(super) type Made = Result<ArrayRef, String>;

fn made<A: arrow_array::Array + 'static, E: std::fmt::Display>(array: Result<A, E>) -> Made {
    match array {
        Ok(array) => Ok(Arc::new(array)),
        Err(error) => Err(error.to_string()),
    }
}

/// Takes what a vector holds and leaves room for as much again.
fn taken<T>(column: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(column.len());
    std::mem::replace(column, room)
}

/// Numbers that are all there.
pub(super) fn numbers<T: ArrowPrimitiveType>(column: &mut Vec<T::Native>) -> PrimitiveArray<T> {
    PrimitiveArray::new(ScalarBuffer::from(taken(column)), None)
}

/// One bit for every row, in words: what Arrow takes as it is, filled without a call for each. As long
/// as all are the same, as in most columns, they are only counted.
#[derive(Debug, Default)]
pub(super) struct Bits {
    /// None as long as all are the same.
    words: Vec<u64>,
    len: usize,
    set: usize,
}

impl Bits {
    #[inline]
    fn push(&mut self, bit: bool) {
        let alike = if bit { self.len } else { 0 };
        if !self.words.is_empty() {
            self.write(bit);
        } else if self.set != alike {
            self.spell_out();
            self.write(bit);
        }
        self.len += 1;
        self.set += usize::from(bit);
    }

    fn write(&mut self, bit: bool) {
        let at = self.len % 64;
        if at == 0 {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(bit) << at;
        }
    }

    /// Writes what was only counted.
    fn spell_out(&mut self) {
        let word = if self.set > 0 { u64::MAX } else { 0 };
        self.words.resize(self.len.div_ceil(64), word);
        let rest = self.len % 64;
        if let Some(last) = self.words.last_mut().filter(|_| rest > 0) {
            *last &= (1 << rest) - 1;
        }
    }

    fn finish(&mut self) -> BooleanBuffer {
        let (len, set) = (std::mem::take(&mut self.len), std::mem::take(&mut self.set));
        if self.words.is_empty() {
            return if set > 0 {
                BooleanBuffer::new_set(len)
            } else {
                BooleanBuffer::new_unset(len)
            };
        }
        // Arrow counts bits from the lowest of the first byte.
        self.words.iter_mut().for_each(|word| *word = word.to_le());
        BooleanBuffer::new(Buffer::from_vec(taken(&mut self.words)), 0, len)
    }

    /// The rows that are there, or nothing if all are.
    fn finish_nulls(&mut self) -> Option<NullBuffer> {
        let is_whole = self.set == self.len;
        let bits = self.finish();
        (!is_whole).then(|| NullBuffer::new(bits))
    }
}

/// Numbers that may be absent.
#[derive(Debug)]
pub(super) struct Optional<N> {
    values: Vec<N>,
    there: Bits,
}

impl<N> Default for Optional<N> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            there: Bits::default(),
        }
    }
}

impl<N: ArrowNativeType> Optional<N> {
    #[inline]
    pub(super) fn push(&mut self, value: Option<N>) {
        self.there.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    pub(super) fn finish<T: ArrowPrimitiveType<Native = N>>(&mut self) -> Made {
        let values = ScalarBuffer::from(taken(&mut self.values));
        made(PrimitiveArray::<T>::try_new(
            values,
            self.there.finish_nulls(),
        ))
    }
}

/// Yes, no or nothing.
#[derive(Debug, Default)]
pub(super) struct Flags {
    values: Bits,
    there: Bits,
}

impl Flags {
    #[inline]
    pub(super) fn push(&mut self, value: Option<bool>) {
        self.there.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        let values = self.values.finish();
        Arc::new(BooleanArray::new(values, self.there.finish_nulls()))
    }
}

/// Texts or bytes, one after the other, that may be absent.
#[derive(Debug)]
pub(super) struct Runs {
    bytes: Vec<u8>,
    /// Where each ends, after where the first begins.
    ends: Vec<i32>,
    there: Bits,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
            there: Bits::default(),
        }
    }
}

impl Runs {
    #[inline]
    pub(super) fn push(&mut self, run: Option<&[u8]>) {
        self.there.push(run.is_some());
        self.bytes.extend_from_slice(run.unwrap_or_default());
        self.end();
    }

    /// Takes a run that is made of pieces.
    pub(super) fn push_all<const N: usize>(&mut self, pieces: impl Iterator<Item = [u8; N]>) {
        self.there.push(true);
        self.bytes.extend(pieces.flatten());
        self.end();
    }

    /// A bundle of 8,192 rows never comes near 2 GB: no field of a record is longer than a message.
    fn end(&mut self) {
        let end = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX);
        self.ends.push(end);
    }

    fn parts(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let ends = taken(&mut self.ends);
        self.ends.push(0);
        let bytes = Buffer::from_vec(taken(&mut self.bytes));
        (OffsetBuffer::new(ScalarBuffer::from(ends)), bytes)
    }

    pub(super) fn finish_text(&mut self) -> Made {
        let (offsets, bytes) = self.parts();
        made(StringArray::try_new(
            offsets,
            bytes,
            self.there.finish_nulls(),
        ))
    }

    pub(super) fn finish_bytes(&mut self) -> Made {
        let (offsets, bytes) = self.parts();
        made(BinaryArray::try_new(
            offsets,
            bytes,
            self.there.finish_nulls(),
        ))
    }
}

/// The devices of rows: places in a dictionary that many bundles share, or texts of their own.
#[derive(Debug, Default)]
pub(super) struct Devices {
    keys: Vec<u32>,
    texts: Runs,
    /// How many of the keys are numbers of texts, [marked](TEXT).
    own: u32,
}

/// Marks a key that is the number of a text. Nobody has a dictionary of two billion devices.
const TEXT: u32 = 1 << 31;

impl Devices {
    /// Takes a device: by its place among so many of the shared dictionary, if it has one there.
    #[inline]
    pub(super) fn push(&mut self, id: &str, place: Option<u32>, shared: u32) {
        let place = place.filter(|place| *place < shared);
        let key = place.unwrap_or_else(|| {
            self.texts.push(Some(id.as_bytes()));
            self.own += 1;
            TEXT | (self.own - 1)
        });
        self.keys.push(key);
    }

    /// The column: on the shared dictionary if all devices are in there, else on one of its own.
    pub(super) fn finish(&mut self, shared: Option<&ArrayRef>) -> Made {
        let own = std::mem::take(&mut self.own) as usize;
        let keys = taken(&mut self.keys);
        let texts = self.texts.finish_text()?;
        let (keys, names) = match shared {
            Some(shared) if own == 0 => (keys, shared.clone()),
            Some(shared) if own < keys.len() => {
                let (texts, shared) = (texts.as_string::<i32>(), shared.as_string::<i32>());
                let name = |key: &u32| match key & TEXT {
                    0 => shared.value(*key as usize),
                    _ => texts.value((key & !TEXT) as usize),
                };
                let names: StringArray = keys.iter().map(name).map(Some).collect();
                (
                    (0..).take(keys.len()).collect(),
                    Arc::new(names) as ArrayRef,
                )
            }
            _ => (keys.iter().map(|key| key & !TEXT).collect(), texts),
        };
        let keys = PrimitiveArray::<UInt32Type>::new(ScalarBuffer::from(keys), None);
        made(DictionaryArray::try_new(keys, names))
    }
}

/// Addresses as their keys, 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct Addresses(Vec<u8>);

impl Addresses {
    #[inline]
    pub(super) fn push(&mut self, key: u128) {
        self.0.extend_from_slice(&key.to_be_bytes());
    }

    pub(super) fn finish(&mut self) -> Made {
        let keys = Buffer::from_vec(taken(&mut self.0));
        made(FixedSizeBinaryArray::try_new(16, keys, None))
    }
}

/// The topics of rows: few, and mostly the one before.
#[derive(Debug, Default)]
pub(super) struct Topics {
    names: Vec<Arc<str>>,
    keys: Vec<u16>,
}

impl Topics {
    #[inline]
    pub(super) fn push(&mut self, source: &Source) {
        let is_it = |name: &Arc<str>| Arc::ptr_eq(name, &source.topic);
        let last = self.keys.last().copied().unwrap_or(0);
        let key = if self.names.get(usize::from(last)).is_some_and(is_it) {
            last
        } else {
            self.find(&source.topic)
        };
        self.keys.push(key);
    }

    fn find(&mut self, topic: &Arc<str>) -> u16 {
        let known = self.names.iter().position(|name| name == topic);
        let at = known.unwrap_or_else(|| {
            self.names.push(topic.clone());
            self.names.len() - 1
        });
        // There are fewer rows in a bundle than numbers for topics.
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    pub(super) fn finish(&mut self) -> Made {
        let names = std::mem::take(&mut self.names);
        let names: StringArray = names.iter().map(|name| Some(&**name)).collect();
        let keys = numbers::<UInt16Type>(&mut self.keys);
        made(DictionaryArray::try_new(keys, Arc::new(names)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_wherever_the_first_different_one_stands() {
        let mut bits = Bits::default();
        for length in [0, 1, 63, 64, 65, 200] {
            for at in [
                None,
                Some(0),
                Some(1),
                Some(62),
                Some(63),
                Some(64),
                Some(150),
            ] {
                for usual in [false, true] {
                    let given: Vec<bool> =
                        (0..length).map(|row| (Some(row) == at) != usual).collect();
                    for bit in &given {
                        bits.push(*bit);
                    }
                    let back: Vec<bool> = bits.finish().iter().collect();
                    assert_eq!(back, given);
                }
            }
        }
    }
}
