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
    length: usize,
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
            length,
        }
    }
}

/// All names, as they stand in the text.
static WRITTEN: [Written; NAMES.len()] = {
    let mut written = [Written::of(""); NAMES.len()];
    let mut place = 0;
    while place < NAMES.len() {
        written[place] = Written::of(NAMES[place]);
        place += 1;
    }
    written
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
    let mut next = 0;
    loop {
        let place = match rest.expected(next) {
            Some(place) => Some(place),
            None => place(rest.name()?),
        };
        let value = rest.value()?;
        if let Some(place) = place {
            members.set(place, value)?;
            next = place + 1;
        }
        if !rest.goes_on(b'}')? {
            return rest.is_over();
        }
    }
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
    fn skip_blanks(&mut self) -> Option<u8> {
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b' ' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Takes a name with its colon, if it is one of those that are written from this place on.
    fn expected(&mut self, from: usize) -> Option<usize> {
        let front = u128::from_le_bytes(*self.bytes().first_chunk()?);
        let written = WRITTEN.iter().enumerate().skip(from);
        let mut written = written.filter(|(_, name)| front & name.mask == name.bytes);
        let (place, name) = written.next()?;
        self.at += name.length;
        Some(place)
    }

    /// Takes a name with its colon, known to this build or not.
    fn name(&mut self) -> Option<&'a str> {
        let name = self.text()?;
        self.expect(b':')?;
        Some(name)
    }

    /// Takes a byte, with blanks before it.
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.skip_blanks()? == byte).then(|| self.at += 1)
    }

    /// After an item: whether another one follows; `None` if it is not even closed.
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
        let length = quote(self.bytes())?;
        let text = self.text.get(self.at..self.at + length)?;
        self.at += length + 1;
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
fn quote(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight) ^ (ONES * u64::from(b'"'));
        let found = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let tail = bytes[at..].iter();
    Some(at + tail.copied().position(|byte| byte == b'"')?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::members::Object;
    use super::*;

    /// Every member and what it is, however it is held.
    fn told(members: &Members<'_>) -> String {
        format!("{members:?}")
    }

    fn by_library(text: &str) -> Option<String> {
        let object: Object<'_> = serde_json::from_str(text).ok()?;
        Some(told(&object.members()))
    }

    fn by_hand(text: &str) -> Option<String> {
        let mut members = Members::default();
        scan(text, &mut members).map(|()| told(&members))
    }

    #[test]
    fn plain_records_are_read_here() {
        for text in [
            "{}",
            " { } ",
            r#"{"v":1,"kind":"flow","time":"2025-12-14T01:30:00Z","seq":18446744073709551,"x":true}"#,
            "{\"current_a\" : 4.25 , \"spindle_rpm\":8000,\"tpm_ok\":false,\"name\":\"fräse\"}",
            r#"{"addresses":["a", "b" ],"x":[ ],"name":[]}"#,
            r#"{"current_a":0.1,"spindle_rpm":12345678.1234567,"a long name of no meaning":"b"}"#,
        ] {
            assert_eq!(by_hand(text), by_library(text), "{text}");
            assert!(by_hand(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_library() {
        for text in [
            "",
            "{",
            "{}x",
            "[]",
            "{\"v\"}",
            "{\"v\":}",
            "{\"v\":1,}",
            "{\"v\":1 \"kind\":2}",
            "{\"v\":01}",
            "{\"v\":-1}",
            "{\"v\":1e3}",
            "{\"v\":1.}",
            "{\"v\":1.5.2}",
            "{\"v\":null}",
            "{\"v\":1,\"v\":1}",
            "{\"kind\":\"a\\u0041\"}",
            "{\"kind\":\"a\tb\"}",
            "{\"v\":tru}",
            "{\"source\":{}}",
            "{\"addresses\":[1]}",
            "{\"addresses\":[\"a\",]}",
            "{\"addresses\":[\"a\"}",
            "{\"addresses\":[[]]}",
            "{\"v\":18446744073709551616}",
            "{v:1}",
            "{\"current_a\":0.1234567890123456}",
            "{\"kind\":\"a",
            "{\"v\":1x}",
            "{\"v\":1,\n\"seq\":2}",
        ] {
            assert!(by_hand(text).is_none(), "{text}");
        }
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "\"[a-zé0-9:. \\\\\"\u{1}-]{0,20}\"",
            "[0-9]{1,21}",
            "-?[0-9]{1,10}\\.[0-9]{1,10}",
            "[0-9]{1,3}[eE][0-9]",
            Just("true".to_owned()),
            Just("null".to_owned()),
            Just("[1,2]".to_owned()),
            "\\[ ?(\"[a-z]{0,3}\",?){0,3} ?\\]",
            Just("{\"a\":1}".to_owned()),
            "[a-z0-9.]{0,5}",
        ]
    }

    fn object() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            "v|kind|time|received_at|sender|sender_proven|seq|current_a|source|uid|name",
            "[a-z\\\\]{0,5}"
        ];
        let blank = "[ \n]{0,1}";
        let members = prop::collection::vec((name, blank, value(), blank), 0..6);
        (members, "[{ ]{0,1}", "[} ,]{0,1}").prop_map(|(members, before, after)| {
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, before, value, after)| format!("\"{name}\"{before}:{value}{after}"))
                .collect();
            format!("{before}{{{}}}{after}", members.join(","))
        })
    }

    proptest! {
        #[test]
        fn whatever_is_read_here_is_what_the_library_reads(text in object()) {
            if let Some(told) = by_hand(&text) {
                prop_assert_eq!(Some(told), by_library(&text));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            if let Some(told) = by_hand(&text) {
                prop_assert_eq!(Some(told), by_library(&text));
            }
        }

        #[test]
        fn a_text_ends_where_it_ends(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let slow = bytes.iter().position(|byte| *byte == b'"');
            prop_assert_eq!(quote(&bytes), slow);
        }

        #[test]
        fn decimals_are_the_nearest(whole in 0_u64..100_000_000, decimals in "[0-9]{1,7}") {
            let text = format!("{{\"current_a\":{whole}.{decimals}}}");
            prop_assert_eq!(by_hand(&text), by_library(&text));
            prop_assert!(by_hand(&text).is_some());
        }
    }
}
