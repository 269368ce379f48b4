//! Cells that are numbers, in the unit of their column.

use std::borrow::Cow;

use andon_schemas::mapping::Field;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::Span;

use super::row::{Row, wrong};
use crate::files::number::seconds;
use crate::refused::Refused;

/// The factor of a duration in seconds, which is read without floating point.
const SECONDS: f64 = 1e6;

/// The largest count that a number with a fraction or a unit may come to: 2^53, above which not
/// every whole number exists.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

impl Row<'_> {
    /// A number that is not negative, in the base unit of its field.
    fn number(&self, field: Field) -> Result<Option<f64>, Refused> {
        let (Some(bound), Some(text)) = (self.filled(field), self.text(field)?) else {
            return Ok(None);
        };
        let number: f64 = self
            .decimal(&text)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| wrong(field, &text, self.number_words()))?;
        let number = number * bound.filled.factor;
        let number = if bound.filled.magnitude {
            number.abs()
        } else {
            number
        };
        if !number.is_finite() || number < 0.0 {
            return Err(Refused {
                reason: RejectReason::OutOfRange,
                ..wrong(field, &text, "a number from 0")
            });
        }
        Ok(Some(number))
    }

    /// The number with a point. Where numbers have a decimal comma, a point is no decimal point,
    /// and what else it may be is not guessed.
    fn decimal<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        if !self.mapping.decimal_comma {
            return Some(Cow::Borrowed(text));
        }
        (!text.contains('.')).then(|| Cow::Owned(text.replace(',', ".")))
    }

    fn number_words(&self) -> &'static str {
        if self.mapping.decimal_comma {
            "a number with a decimal comma and without points"
        } else {
            "a number"
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number within bounds"
    )]
    pub(super) fn count(&self, field: Field) -> Result<Option<u64>, Refused> {
        let (Some(bound), Some(text)) = (self.filled(field), self.text(field)?) else {
            return Ok(None);
        };
        let is_plain = (bound.filled.factor - 1.0).abs() < f64::EPSILON;
        if is_plain && let Ok(count) = text.parse() {
            return Ok(Some(count));
        }
        let number = self.number(field)?.unwrap_or_default();
        if number > COUNT_MAX || (is_plain && number.fract() != 0.0) {
            return Err(wrong(field, &text, "a count of bytes"));
        }
        Ok(Some(number.round() as u64))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be within bounds"
    )]
    pub(super) fn duration(&self) -> Result<Option<Span>, Refused> {
        let field = Field::Duration;
        let (Some(bound), Some(text)) = (self.filled(field), self.text(field)?) else {
            return Ok(None);
        };
        let is_seconds = (bound.filled.factor - SECONDS).abs() < f64::EPSILON;
        let plain = self.decimal(&text).filter(|_| is_seconds);
        if let Some(span) = plain.and_then(|text| seconds(&text)) {
            return Ok(Some(span));
        }
        let micros = self.number(field)?.unwrap_or_default();
        if micros > COUNT_MAX {
            return Err(wrong(field, &text, "less than 285 years"));
        }
        Ok(Some(Span::from_micros(micros.round() as i64)))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be within bounds"
    )]
    pub(super) fn sensor(&self, field: Field, max: f32) -> Result<Option<f32>, Refused> {
        let Some(number) = self.number(field)? else {
            return Ok(None);
        };
        if number > f64::from(max) {
            let name = field.name();
            let detail = format!("`{name}` is {number}, expected a number from 0 to {max}");
            return Err(Refused::new(RejectReason::OutOfRange, detail));
        }
        Ok(Some(number as f32))
    }
}
