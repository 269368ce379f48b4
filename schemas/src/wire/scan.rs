//! The quick way to the members of a record: one pass over flat objects of plain values, which is
//! what machines write. What is not plain is left to the JSON library, which also says what is
//! wrong with it: no record means anything else for having been read here.

use super::members::{Members, NAMES, place};
use super::value::Value;

/// Most digits of a decimal fraction that is read here: its digits as a whole number, and the power
/// of ten they are divided by, are exact in double precision, so the quotient is the nearest there
/// is, as the JSON library's is.
const EXACT_DIGITS: usize = 15;

/// Powers of ten that are exact in double precision and divide what [`EXACT_DIGITS`] allows.
const POWERS: [f64; EXACT_DIGITS + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// A name as it stands in the text, with its quotes and the colon, and which of so many bytes count.
#[derive(Clone, Copy)]
struct Written {
    bytes: u128,
    mask: u128,
}

impl Written {
    /// None of the names is too long for it.
    const fn of(name: &str) -> Self {
        let mut bytes = [0; 16];
        let mut mask = [0; 16];
        let name = name.as_bytes();
        let length = name.len() + 3;
        let mut at = 0;
        while at < length {
            bytes[at] = match at {
                0 => b'"',
                at if at <= name.len() => name[at - 1],
                at if at == name.len() + 1 => b'"',
                _ => b':',
            };
            mask[at] = 0xff;
            at += 1;
        }
        Self {
            bytes: u128::from_le_bytes(bytes),
            mask: u128::from_le_bytes(mask),
        }
    }
}

/// All names, as they stand in the text, and one that never does.
const WRITTEN: [Written; NAMES.len() + 1] = {
    let nothing = Written { bytes: 1, mask: 0 };
    let mut written = [nothing; NAMES.len() + 1];
    let mut place = 0;
    while place < NAMES.len() {
        written[place] = Written::of(NAMES[place]);
        place += 1;
    }
    written
};

/// Names are looked for among those whose second to fourth byte lead to the same drawer.
const DRAWERS: usize = 64;

/// The last place in a drawer that has fewer: a name that is no name.
const NONE: usize = NAMES.len();

const fn drawer(front: &[u8; 16]) -> usize {
    (front[1] as usize + 3 * front[2] as usize + 15 * front[3] as usize) % DRAWERS
}

/// Places of names by drawer, at most three alike.
static ALIKE: [[usize; 3]; DRAWERS] = {
    let mut alike = [[NONE; 3]; DRAWERS];
    let mut place = 0;
    while place < NAMES.len() {
        let drawer = drawer(&WRITTEN[place].bytes.to_le_bytes());
        let mut at = 0;
        while alike[drawer][at] != NONE {
            at += 1;
        }
        alike[drawer][at] = place;
        place += 1;
    }
    alike
};

/// Reads the members of a flat object; `None` if it is anything but plain: nested or null values,
/// escapes, signs and exponents, line breaks, members that come twice, or text that is no JSON
/// object at all. What the members are then is of no use.
pub(super) fn scan<'a>(text: &'a str, members: &mut Members<'a>) -> Option<()> {
    // Without a way out, so that it is done for many bytes at once.
    let strange = |byte: &u8| u8::from(*byte < b' ') | u8::from(*byte == b'\\');
    if text
        .as_bytes()
        .iter()
        .fold(0, |all, byte| all | strange(byte))
        != 0
    {
        return None;
    }
    let mut rest = Rest { text, at: 0 };
    rest.expect(b'{')?;
    if rest.skip_blanks()? == b'}' {
        rest.at += 1;
        return rest.is_over();
    }
    loop {
        rest.skip_blanks()?;
        let place = if let Some(place) = rest.bytes().first_chunk().and_then(known) {
            rest.at += NAMES[place].len() + 3;
            Some(place)
        } else {
            let name = rest.text()?;
            rest.expect(b':')?;
            place(name)
        };
        let value = rest.value()?;
        if let Some(place) = place {
            members.set(place, value)?;
        }
        if !rest.goes_on(b'}')? {
            return rest.is_over();
        }
    }
}

/// The place of the name that stands at the front as machines write it.
#[inline]
fn known(front: &[u8; 16]) -> Option<usize> {
    let bytes = u128::from_le_bytes(*front);
    let is_it = |place: usize| bytes & WRITTEN[place].mask == WRITTEN[place].bytes;
    let mut alike = ALIKE[drawer(front)].into_iter();
    alike.find(|place| is_it(*place))
}

/// What is left of the text.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn bytes(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The next byte that is not blank, which stays.
    #[inline]
    fn skip_blanks(&mut self) -> Option<u8> {
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b' ' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Takes a byte, with blanks before it.
    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.skip_blanks()? == byte).then(|| self.at += 1)
    }

    /// After an item: whether another one follows; `None` if it is not even closed.
    #[inline]
    fn goes_on(&mut self, close: u8) -> Option<bool> {
        let next = self.skip_blanks()?;
        self.at += 1;
        match next {
            b',' => Some(true),
            _ => (next == close).then_some(false),
        }
    }

    fn is_over(&mut self) -> Option<()> {
        self.skip_blanks().is_none().then_some(())
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let end = self.at + quote(self.bytes())?;
        let text = self.text.get(self.at..end)?;
        self.at = end + 1;
        Some(text)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.skip_blanks()? {
            b'"' => self.text().map(Value::Text),
            b'0'..=b'9' => self.number(),
            b't' => self.word(b"true", Value::Bool(true)),
            b'f' => self.word(b"false", Value::Bool(false)),
            b'[' => self.texts(),
            _ => None,
        }
    }

    /// A list of nothing but texts.
    fn texts(&mut self) -> Option<Value<'a>> {
        self.at += 1;
        let from = self.at;
        if self.skip_blanks()? == b']' {
            self.at += 1;
            return Some(Value::Texts(""));
        }
        while {
            self.text()?;
            self.goes_on(b']')?
        } {}
        let texts = self.text.get(from..self.at - 1)?;
        Some(Value::Texts(texts))
    }

    fn word(&mut self, word: &[u8], value: Value<'a>) -> Option<Value<'a>> {
        self.bytes().starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    /// A number without sign or exponent. Whatever follows it and is not part of a number ends the
    /// object or is refused there.
    fn number(&mut self) -> Option<Value<'a>> {
        let bytes = self.bytes();
        let (whole, digits) = number(bytes, 0);
        // Nineteen digits fit 64 bits; a number does not begin with a zero that says nothing.
        if digits > 19 || digits > 1 && bytes[0] == b'0' {
            return None;
        }
        let (value, length) = match bytes.get(digits) {
            Some(b'.') => {
                let (number, decimals) = number(&bytes[digits + 1..], whole);
                if decimals == 0 || digits + decimals > EXACT_DIGITS {
                    return None;
                }
                #[expect(clippy::cast_precision_loss, reason = "fifteen digits are exact")]
                let value = number as f64 / POWERS[decimals];
                (Value::Float(value), digits + 1 + decimals)
            }
            _ => (Value::Unsigned(whole), digits),
        };
        if matches!(bytes.get(length), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at += length;
        Some(value)
    }
}

/// Goes on with a number by the digits at the front; returns how many there are, too. Of more than
/// nineteen in all the number means nothing.
fn number(bytes: &[u8], before: u64) -> (u64, usize) {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold((before, 0), |(number, count), digit| {
        let next = number
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit - b'0'));
        (next, count + 1)
    })
}

/// Where the first quote is. Eight bytes are looked at at a time (Hacker's Delight, 2nd ed., §6-1): a
/// byte borrows from the next only where it is a quote itself, so the first that is found is one.
#[inline]
fn quote(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight) ^ (ONES * u64::from(b'"'));
        let found = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let tail = bytes.get(at..)?.iter();
    Some(at + tail.copied().position(|byte| byte == b'"')?)
}

#[cfg(test)]
mod tests;
