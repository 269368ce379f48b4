//! An Avro datum to the JSON it would be in the wire form, so that one decoder checks both.
//!
//! The datum is read here rather than by the Avro library, which takes a text that breaks off for
//! a null and believes every length it is told.

use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;

use super::PAYLOAD_BYTES_MAX;
use super::shape::{Shape, Unit};
use crate::refused::Refused;

/// Most bytes of a datum as JSON, no more than of a payload that is JSON itself. One byte may
/// stand for a word, or for items without number.
const JSON_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;

/// Appends the JSON of a datum.
///
/// # Errors
/// Says which field cannot be read by this schema, and where.
pub(super) fn read(datum: &[u8], shape: &Shape, json: &mut Vec<u8>) -> Result<(), Refused> {
    let mut reader = Reader {
        datum,
        at: 0,
        json,
        field: String::new(),
    };
    reader.value(shape)?;
    let left = datum.len() - reader.at;
    if left > 0 {
        return Err(Refused::new(
            RejectReason::Malformed,
            format!("datum ends {left} bytes before the payload does"),
        ));
    }
    Ok(())
}

struct Reader<'d> {
    datum: &'d [u8],
    at: usize,
    json: &'d mut Vec<u8>,
    /// The field that is being read.
    field: String,
}

impl<'d> Reader<'d> {
    fn value(&mut self, shape: &Shape) -> Result<(), Refused> {
        if self.json.len() > JSON_BYTES_MAX {
            return Err(Refused::new(
                RejectReason::Oversized,
                format!("datum says more than {JSON_BYTES_MAX} bytes of JSON"),
            ));
        }
        match shape {
            Shape::Null => self.json.extend_from_slice(b"null"),
            Shape::Boolean => match self.take(1)? {
                [0] => self.json.extend_from_slice(b"false"),
                [1] => self.json.extend_from_slice(b"true"),
                other => return Err(self.wrong(format!("boolean is {}", other[0]))),
            },
            Shape::Whole => {
                let number = self.long()?;
                self.write(number)?;
            }
            Shape::Float => {
                let number = f32::from_le_bytes(self.array()?);
                self.finite(number.is_finite(), number)?;
                self.write(number)?;
            }
            Shape::Double => {
                let number = f64::from_le_bytes(self.array()?);
                self.finite(number.is_finite(), number)?;
                self.write(number)?;
            }
            Shape::Text => self.text()?,
            Shape::Bytes => {
                let length = self.length()?;
                self.hex(length)?;
            }
            Shape::Fixed(length) => self.hex(*length)?,
            Shape::Moment(unit) => self.moment(*unit)?,
            Shape::Enum(symbols) => {
                let symbol = self.one_of(symbols, "symbol")?;
                self.write(symbol)?;
            }
            Shape::Union(branches) => {
                let branch = self.one_of(branches, "branch")?;
                self.value(branch)?;
            }
            Shape::List(item) => self.list(item)?,
            Shape::Map(item) => self.map(item)?,
            Shape::Record(fields) => self.record(fields)?,
        }
        Ok(())
    }

    fn record(&mut self, fields: &[(String, Shape)]) -> Result<(), Refused> {
        let outer = self.field.len();
        self.json.push(b'{');
        let first = self.json.len();
        for (name, shape) in fields {
            if outer > 0 {
                self.field.push('.');
            }
            self.field.push_str(name);
            let shape = match shape {
                Shape::Union(branches) => self.one_of(branches, "branch")?,
                other => other,
            };
            // Most fields are of another kind of record, and absent is the same as null.
            if !matches!(shape, Shape::Null) {
                if self.json.len() > first {
                    self.json.push(b',');
                }
                self.write(name)?;
                self.json.push(b':');
                self.value(shape)?;
            }
            self.field.truncate(outer);
        }
        self.json.push(b'}');
        Ok(())
    }

    fn list(&mut self, item: &Shape) -> Result<(), Refused> {
        self.json.push(b'[');
        self.blocks(|reader| reader.value(item))?;
        self.json.push(b']');
        Ok(())
    }

    fn map(&mut self, item: &Shape) -> Result<(), Refused> {
        self.json.push(b'{');
        self.blocks(|reader| {
            reader.text()?;
            reader.json.push(b':');
            reader.value(item)
        })?;
        self.json.push(b'}');
        Ok(())
    }

    /// The items of a list or a map, which come in blocks, each with its number of items.
    fn blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            // A negative number is followed by the size of the block.
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !std::mem::take(&mut first) {
                    self.json.push(b',');
                }
                item(self)?;
            }
        }
    }

    fn moment(&mut self, unit: Unit) -> Result<(), Refused> {
        let count = self.long()?;
        // Outside of what can be written as a time, this is refused where times are checked.
        let micros = match unit {
            Unit::Millis => count.saturating_mul(1_000),
            Unit::Micros => count,
            Unit::Nanos => count.div_euclid(1_000),
        };
        self.write(EventTime::from_micros(micros).to_string())
    }

    fn text(&mut self) -> Result<(), Refused> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.write(text),
            Err(_) => Err(self.wrong("text is not UTF-8")),
        }
    }

    /// Bytes as the wire form writes them: in hexadecimal digits.
    fn hex(&mut self, length: usize) -> Result<(), Refused> {
        let bytes = self.take(length)?;
        self.json.push(b'"');
        for byte in bytes {
            for digit in [byte >> 4, byte & 0x0f] {
                self.json.push(b"0123456789abcdef"[usize::from(digit)]);
            }
        }
        self.json.push(b'"');
        Ok(())
    }

    fn one_of<'s, T>(&mut self, all: &'s [T], what: &str) -> Result<&'s T, Refused> {
        let index = self.long()?;
        let one = usize::try_from(index).ok().and_then(|at| all.get(at));
        one.ok_or_else(|| self.wrong(format!("{what} is number {index} of {}", all.len())))
    }

    fn finite(&self, is_finite: bool, number: impl std::fmt::Display) -> Result<(), Refused> {
        if is_finite {
            return Ok(());
        }
        Err(Refused::new(
            RejectReason::OutOfRange,
            format!("`{}` is {number}, expected a finite number", self.field),
        ))
    }

    fn length(&mut self) -> Result<usize, Refused> {
        let length = self.long()?;
        usize::try_from(length).map_err(|_| self.wrong(format!("length is {length}")))
    }

    /// A number of up to 64 bits: seven per byte, the lowest first, the sign at the bottom.
    fn long(&mut self) -> Result<i64, Refused> {
        let mut folded = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            folded |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed());
            }
        }
        Err(self.wrong("number has more than 64 bits"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        match self.datum[self.at..].first_chunk() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.broken_off()),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'d [u8], Refused> {
        match self.datum[self.at..].get(..length) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => Err(self.broken_off()),
        }
    }

    fn write(&mut self, value: impl serde::Serialize) -> Result<(), Refused> {
        serde_json::to_writer(&mut *self.json, &value).map_err(|e| self.wrong(e))
    }

    fn broken_off(&self) -> Refused {
        Refused::new(
            RejectReason::Truncated,
            format!("datum breaks off at byte {} in `{}`", self.at, self.field),
        )
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Refused {
        Refused::new(
            RejectReason::Malformed,
            format!(
                "datum cannot be read in `{}`: {what} (byte {})",
                self.field, self.at
            ),
        )
    }
}
