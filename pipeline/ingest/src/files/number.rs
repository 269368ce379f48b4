//! Times and lengths of time as the field writes them, read digit by digit: a time in seconds
//! with six decimals does not survive arithmetic in floating point.

use andon_schemas::time::{EventTime, Span};
use andon_schemas::wire::parse_time;

/// Microseconds of 0001-01-01 and 9999-12-31: outside, a time cannot be written as text.
const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_300_799_999_999;

/// A number from here on is milliseconds: in seconds it would be the year 5138.
const MILLIS_FROM: i64 = 100_000_000_000;

/// A time as Zeek writes it: seconds or milliseconds since 1970 as a decimal number, or ISO 8601.
pub(super) fn zeek_time(text: &str) -> Option<EventTime> {
    if text.as_bytes().get(4) == Some(&b'-') {
        return iso_time(text);
    }
    let micros = decimal_micros(text)?;
    let micros = if micros / 1_000_000 >= MILLIS_FROM {
        micros / 1_000
    } else {
        micros
    };
    within(micros)
}

/// An ISO 8601 time, also with the offset that lacks its colon, as Suricata writes it.
pub(super) fn iso_time(text: &str) -> Option<EventTime> {
    let bytes = text.as_bytes();
    let offset = bytes.len().checked_sub(5)?;
    let without_colon = matches!(bytes[offset], b'+' | b'-')
        && offset >= 19
        && bytes[offset + 1..].iter().all(u8::is_ascii_digit);
    let time = if without_colon {
        let (head, tail) = text.split_at_checked(offset + 3)?;
        parse_time(&format!("{head}:{tail}"))
    } else {
        parse_time(text)
    };
    within(time.ok()?.micros())
}

/// A length of time in seconds, not negative.
pub(super) fn seconds(text: &str) -> Option<Span> {
    decimal_micros(text)
        .filter(|micros| *micros >= 0)
        .map(Span::from_micros)
}

/// A time so much later; `None` if it cannot be written as text any more.
pub(super) fn later(time: EventTime, by: Span) -> Option<EventTime> {
    within((time + by).micros())
}

/// A time in microseconds since 1970; `None` if it cannot be written as text.
pub(super) fn within(micros: i64) -> Option<EventTime> {
    (FIRST..=LAST)
        .contains(&micros)
        .then(|| EventTime::from_micros(micros))
}

/// A decimal number times a million, digits below cut off. Exponents are understood: JSON writers
/// use them for short durations.
pub(super) fn decimal_micros(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The decimal point stands after `whole.len() + exponent` digits; six more are kept.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + 6;
    let digits = whole.bytes().chain(fraction.bytes());
    let mut micros: i64 = 0;
    let mut at = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        if at < kept {
            micros = micros
                .checked_mul(10)?
                .checked_add(i64::from(digit - b'0'))?;
        }
        at += 1;
    }
    while at < kept && micros != 0 {
        micros = micros.checked_mul(10)?;
        at += 1;
    }
    Some(if negative { -micros } else { micros })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(time: Option<EventTime>) -> String {
        time.map_or_else(String::new, |t| t.to_string())
    }

    #[test]
    fn zeek_times_keep_every_microsecond() {
        for (written, read) in [
            ("1795341540.000001", "2026-11-22T09:59:00.000001Z"),
            ("1795341540.9999999", "2026-11-22T09:59:00.999999Z"),
            ("1517422326.53942", "2018-01-31T18:12:06.539420Z"),
            ("1.795341540000001e9", "2026-11-22T09:59:00.000001Z"),
            ("1795341540123", "2026-11-22T09:59:00.123000Z"),
            ("1795341540", "2026-11-22T09:59:00.000000Z"),
            ("19.981745", "1970-01-01T00:00:19.981745Z"),
            ("0", "1970-01-01T00:00:00.000000Z"),
            ("4102444800.5", "2100-01-01T00:00:00.500000Z"),
            ("2026-11-22T09:59:00.5Z", "2026-11-22T09:59:00.500000Z"),
            ("2026-11-22T10:59:00+0100", "2026-11-22T09:59:00.000000Z"),
            ("2026-11-22T09:59:00.5-0030", "2026-11-22T10:29:00.500000Z"),
        ] {
            assert_eq!(text(zeek_time(written)), read, "{written}");
        }
        for wrong in [
            "",
            ".",
            "-",
            "e",
            "1e",
            "1e99",
            "nan",
            "inf",
            "1,5",
            "0x10",
            "1e-",
            "99999999999999999",
            "2026-13-22T09:59:00Z",
            "2026-11-22",
            "2026-11-22T09:59:00",
        ] {
            assert_eq!(zeek_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_may_have_exponents_but_no_sign() {
        assert_eq!(seconds("9.5367431640625e-07"), Some(Span::from_micros(0)));
        assert_eq!(seconds("1e-06"), Some(Span::from_micros(1)));
        assert_eq!(
            seconds("14400.964662"),
            Some(Span::from_micros(14_400_964_662))
        );
        assert_eq!(
            seconds("0.09628199999999865"),
            Some(Span::from_micros(96_281))
        );
        assert_eq!(seconds("-1"), None);
    }

    proptest! {
        #[test]
        fn decimals_are_exact(micros in 0_i64..1_000_000_000_000_000_000) {
            let written = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            prop_assert_eq!(decimal_micros(&written), Some(micros));
        }

        #[test]
        fn no_text_panics(text in "[0-9eE+.:TZ-]{0,30}") {
            let _time = (zeek_time(&text), iso_time(&text), seconds(&text));
        }
    }
}
