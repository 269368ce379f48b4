//! Numbers and times as people read them, for the sentences of findings.

use andon_schemas::time::{EventTime, PlantClock, Span};

/// A number of bytes: `48 B`, `1.44 MB`, `500 MB`. Decimal units, three digits.
pub fn bytes_text(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut value = bytes.max(0.0);
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), UNITS[unit])
}

/// A range of bytes: `50–150 MB`, `800 KB–2.4 MB`.
pub fn bytes_range_text(lo: f64, hi: f64) -> String {
    let (lo, hi) = (bytes_text(lo), bytes_text(hi));
    match (lo.split_once(' '), hi.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number}\u{2013}{hi}"),
        _ => format!("{lo}\u{2013}{hi}"),
    }
}

/// A multiple: `3.5`, `347`, `250,000`. Three digits below a thousand, whole numbers above.
pub fn multiple_text(multiple: f64) -> String {
    if multiple < 999.5 {
        return three_digits(multiple);
    }
    let digits = format!("{multiple:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits without trailing zeros.
pub fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        v if v < 0.000_5 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A length of time: `200 ms`, `15 s`, `3 min`, `2.5 h`, `3 days`. Three digits.
pub fn span_text(span: Span) -> String {
    let seconds = span.as_secs_f64().max(0.0);
    match seconds {
        s if s < 0.9995 => format!("{} ms", three_digits(s * 1e3)),
        s if s < 119.5 => format!("{} s", three_digits(s)),
        s if s < 7_170.0 => format!("{} min", three_digits(s / 60.0)),
        s if s < 172_000.0 => format!("{} h", three_digits(s / 3_600.0)),
        s => format!("{} days", three_digits(s / 86_400.0)),
    }
}

/// A moment of the week on the plant's clock: `Sunday 02:30`.
pub fn moment_text(clock: &PlantClock, at: EventTime) -> String {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let local = clock.local(at);
    let day = DAYS[usize::from(local.weekday) % DAYS.len()];
    format!("{day} {:02}:{:02}", local.minute / 60, local.minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_people_write_them() {
        assert_eq!(span_text(Span::from_micros(200_000)), "200 ms");
        assert_eq!(span_text(Span::from_secs(15)), "15 s");
        assert_eq!(span_text(Span::from_secs(180)), "3 min");
        assert_eq!(span_text(Span::HOUR), "60 min");
        assert_eq!(span_text(Span::from_secs(9_000)), "2.5 h");
        assert_eq!(span_text(Span::DAY.times(3)), "3 days");
        assert_eq!(span_text(Span::from_secs(-1)), "0 ms");
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(bytes_text(48.0), "48 B");
        assert_eq!(bytes_text(1_440_000.0), "1.44 MB");
        assert_eq!(bytes_text(500e6), "500 MB");
        assert_eq!(bytes_text(999_999.0), "1 MB");
        assert_eq!(bytes_range_text(50e6, 150e6), "50\u{2013}150 MB");
        assert_eq!(bytes_range_text(8e5, 2.4e6), "800 KB\u{2013}2.4 MB");
    }

    #[test]
    fn multiples_read_as_people_write_them() {
        assert_eq!(multiple_text(347.22), "347");
        assert_eq!(multiple_text(250_000.0), "250,000");
        assert_eq!(multiple_text(3.5), "3.5");
        assert_eq!(multiple_text(1_234_567.0), "1,234,567");
    }
}
