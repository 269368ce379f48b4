//! What people write is understood; what they mistype is explained.

use proptest::prelude::*;

use super::*;

fn cause(outcome: Result<(f64, f64), crate::problems::Refusal>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn quantities_read_as_written() {
    assert_eq!(range("50-150 MB", Dimension::Bytes), Ok((50e6, 150e6)));
    assert_eq!(range("500 KB-2 MB", Dimension::Bytes), Ok((500e3, 2e6)));
    assert_eq!(range("2 KB", Dimension::Bytes), Ok((2000.0, 2000.0)));
    assert_eq!(range("2 KiB", Dimension::Bytes), Ok((2048.0, 2048.0)));
    assert_eq!(range("48 B", Dimension::Bytes), Ok((48.0, 48.0)));
    assert_eq!(range("2.0-8.0 A", Dimension::Amperes), Ok((2.0, 8.0)));
    assert_eq!(range("0-12000 rpm", Dimension::Rpm), Ok((0.0, 12_000.0)));
    assert_eq!(range("0-12,000 rpm", Dimension::Rpm), Ok((0.0, 12_000.0)));
    assert_eq!(range("10 – 50", Dimension::Count), Ok((10.0, 50.0)));
    assert_eq!(range("10 to 50", Dimension::Count), Ok((10.0, 50.0)));
    assert_eq!(amount("15 min", Dimension::Seconds), Ok(900.0));
    assert_eq!(amount("250 ms", Dimension::Seconds), Ok(0.25));
    assert_eq!(amount("95 %", Dimension::Share), Ok(0.95));
    assert_eq!(amount("95%", Dimension::Share), Ok(0.95));
    assert_eq!(amount("0.95", Dimension::Share), Ok(0.95));
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    assert_eq!(
        cause(range("50-150", Dimension::Bytes)),
        "`50-150` has no unit (Write a unit: B, KB, MB, GB or TB (KB = 1000 B), or KiB, MiB, \
         GiB, TiB.)"
    );
    assert_eq!(
        cause(range("150-50 MB", Dimension::Bytes)),
        "range `150-50 MB` is reversed (Write the smaller end first.)"
    );
    assert_eq!(
        cause(range("50-150 mb", Dimension::Bytes)),
        "unit `mb` of `50-150 mb` is unknown here (Did you mean `MB`?)"
    );
    assert!(cause(range("5 m", Dimension::Seconds)).contains("`min`"));
    assert!(cause(range("NaN", Dimension::Bytes)).contains("does not begin with a number"));
    assert!(cause(range("inf MB", Dimension::Bytes)).contains("does not begin with a number"));
    assert!(cause(range("-5 MB", Dimension::Bytes)).contains("is negative"));
    assert!(cause(range("12,00 MB", Dimension::Bytes)).contains("does not begin with a number"));
    assert!(cause(range("1. MB", Dimension::Bytes)).contains("does not begin with a number"));
    assert!(cause(range("95", Dimension::Share)).contains("has no unit"));
    assert!(cause(range("120 %", Dimension::Share)).contains("more than 100 %"));
    assert!(cause(range("5 A", Dimension::Count)).contains("plain number"));
    assert!(cause(range("99999999999999999999 TB", Dimension::Bytes)).contains("too large"));
    assert!(cause(range(&"9".repeat(99), Dimension::Count)).contains("too long"));
}

#[test]
fn stretches_of_the_week_read_and_write() {
    for text in [
        "always",
        "06:00-22:00",
        "Mon-Fri 06:00-22:00",
        "Mon,Wed 22:00-06:00",
        "Mon-Wed,Sat 06:30-24:00",
        "Sat,Sun 00:00-24:00",
    ] {
        assert_eq!(write_hours_span(&hours_span(text).unwrap()), text);
    }
    let around = hours_span("Fri-Mon 08:00-12:00").unwrap();
    assert_eq!(write_hours_span(&around), "Mon,Fri-Sun 08:00-12:00");
    for bad in [
        "Mon-Fri 6-22",
        "Mo 06:00-22:00",
        "25:00-26:00",
        "06:00-06:00",
        "06:60-07:00",
        "Mon",
        "",
    ] {
        assert!(hours_span(bad).is_err(), "{bad}");
    }
    assert!(
        hours_span("Monday 06:00-22:00")
            .unwrap_err()
            .to_string()
            .contains("`Mon`")
    );
}

#[test]
fn calendar_days_count_from_1970() {
    assert_eq!(day_number("1970-01-02"), Ok(1));
    assert_eq!(day_number("2025-12-14"), Ok(20_436));
    assert_eq!(write_day(20_436), "2025-12-14");
    for bad in [
        "2025-02-30",
        "14.12.2025",
        "20251214",
        "2025-12-14T00:00:00Z",
    ] {
        assert!(day_number(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_is_written_is_what_people_would_write() {
    let texts = [
        (0.07, Dimension::Share, "7 %"),
        (0.0, Dimension::Share, "0 %"),
        (1.0, Dimension::Share, "100 %"),
        (1.44e6, Dimension::Bytes, "1.44 MB"),
        (900.0, Dimension::Seconds, "15 min"),
        (0.05, Dimension::Seconds, "50 ms"),
        (0.0, Dimension::Seconds, "0 s"),
        (8.0, Dimension::Amperes, "8 A"),
        (12_000.0, Dimension::Rpm, "12000 rpm"),
        (50.0, Dimension::Count, "50"),
    ];
    for (value, dimension, text) in texts {
        assert_eq!(write_amount(value, dimension), text);
    }
    assert_eq!(write_range((0.0, 12_000.0), Dimension::Rpm), "0-12000 rpm");
    assert_eq!(write_range((500e3, 2e6), Dimension::Bytes), "500 KB-2 MB");
    assert_eq!(write_range((0.1, 0.35), Dimension::Share), "10-35 %");
}

const DIMENSIONS: [Dimension; 6] = [
    Dimension::Bytes,
    Dimension::Seconds,
    Dimension::Amperes,
    Dimension::Rpm,
    Dimension::Share,
    Dimension::Count,
];

proptest! {
    #[test]
    fn what_is_written_reads_back(value in 0.0..1e9f64, whole in 0u32..2_000_000, at in 0usize..6) {
        let dimension = DIMENSIONS[at];
        for value in [value, f64::from(whole), f64::from(whole) / 1000.0] {
            let value = if dimension == Dimension::Share { value % 1.0 } else { value };
            let text = write_amount(value, dimension);
            prop_assert_eq!(amount(&text, dimension), Ok(value), "{}", text);
            let ends = (value / 2.0, value);
            let text = write_range(ends, dimension);
            prop_assert_eq!(range(&text, dimension), Ok(ends), "{}", text);
        }
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "\\PC{0,80}", numeric in "[0-9.,_ %-–A-Za-z:]{0,40}") {
        for text in [text, numeric] {
            for dimension in DIMENSIONS {
                if let Ok((low, high)) = range(&text, dimension) {
                    prop_assert!(low >= 0.0 && low <= high && high.is_finite());
                }
            }
            if let Ok(span) = hours_span(&text) {
                prop_assert!(span.from < 1440 && (1..=1440).contains(&span.to) && span.days != 0);
            }
        }
    }
}
