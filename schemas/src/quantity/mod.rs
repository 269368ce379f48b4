//! Quantities as people write them: `50-150 MB`, `2.0-8.0 A`, `0-12,000 rpm`, `95 %`, `15 min`,
//! `Mon-Fri 06:00-22:00`; and back to text.
//!
//! Everything comes out in the base unit of its dimension and is finite and not negative.

mod number;
mod week;
mod write;

pub use number::{amount, range};
pub use week::{day_number, hours_span, write_day, write_hours_span};
pub use write::{write_amount, write_range};

/// What a number counts, and so which units it may bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Bytes. KB = 1000 B, KiB = 1024 B.
    Bytes,
    /// Time, in seconds.
    Seconds,
    /// Electric current, in amperes.
    Amperes,
    /// Revolutions per minute.
    Rpm,
    /// A share, as a fraction of 1; written in per cent, or as a fraction below 1.
    Share,
    /// A bare number.
    Count,
}

impl Dimension {
    /// Units and what they are worth in the base unit, largest first.
    const fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Bytes => &[
                ("TiB", 1_099_511_627_776.0),
                ("TB", 1e12),
                ("GiB", 1_073_741_824.0),
                ("GB", 1e9),
                ("MiB", 1_048_576.0),
                ("MB", 1e6),
                ("KiB", 1024.0),
                ("KB", 1e3),
                ("kB", 1e3),
                ("B", 1.0),
            ],
            Self::Seconds => &[
                ("d", 86_400.0),
                ("h", 3_600.0),
                ("min", 60.0),
                ("s", 1.0),
                ("ms", 1e-3),
            ],
            Self::Amperes => &[("A", 1.0), ("mA", 1e-3)],
            Self::Rpm => &[("rpm", 1.0)],
            Self::Share => &[("%", 0.01)],
            Self::Count => &[],
        }
    }

    /// What to write, as a sentence.
    const fn advice(self) -> &'static str {
        match self {
            Self::Bytes => {
                "Write a unit: B, KB, MB, GB or TB (KB = 1000 B), or KiB, MiB, GiB, TiB."
            }
            Self::Seconds => "Write a unit: ms, s, min, h or d.",
            Self::Amperes => "Write a unit: A or mA.",
            Self::Rpm => "Write the unit: rpm.",
            Self::Share => "Write per cent, such as `95 %`.",
            Self::Count => "Write a plain number without a unit.",
        }
    }
}

#[cfg(test)]
mod tests;
