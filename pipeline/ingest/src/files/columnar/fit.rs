//! Whether a file has the columns of a capture: every one that is missing or of another type is
//! told at once, and which column of the file may be meant.

use andon_schemas::problems::suggestion;
use arrow_schema::{DataType, Field, Schema};

use super::SCHEMA;

/// What no row can do without.
const NEEDED: [&str; 2] = ["kind", "time"];

/// What a capture needs, for whoever made the file with another tool.
const ADVICE: &str = "a flow needs kind, time, orig, resp and transport; a reading kind, time, \
                      device and current_a or spindle_rpm";

/// Most columns that are told one by one.
const TOLD_MAX: usize = 12;

/// Checks the columns of a file. Columns that a capture does not have are passed over.
///
/// # Errors
/// Everything that is missing or mistyped, with what it should be.
pub(super) fn fit(schema: &Schema) -> Result<(), String> {
    let mut wrong: Vec<String> = NEEDED
        .iter()
        .filter(|name| schema.column_with_name(name).is_none())
        .map(|name| {
            let near = unknown(schema).find(|other| {
                let hint = suggestion(other, [*name]);
                hint.is_some_and(|hint| hint.starts_with("Did")) || is_alias(name, other)
            });
            match near {
                Some(near) => format!("column `{name}` is missing (is it `{near}`?)"),
                None => format!("column `{name}` is missing"),
            }
        })
        .collect();
    wrong.extend(schema.fields().iter().filter_map(|field| mistyped(field)));
    if wrong.is_empty() {
        return Ok(());
    }
    let advice = if wrong.iter().any(|wrong| wrong.contains("is missing")) {
        format!("; {ADVICE}")
    } else {
        String::new()
    };
    let more = wrong.len().saturating_sub(TOLD_MAX);
    wrong.truncate(TOLD_MAX);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Err(format!("{}{advice}", wrong.join("; ")))
}

/// Columns that a capture does not have.
fn unknown(schema: &Schema) -> impl Iterator<Item = &str> {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    names.filter(|name| SCHEMA.column_with_name(name).is_none())
}

/// Names that other tools give the columns.
fn is_alias(name: &str, other: &str) -> bool {
    let other = other.to_ascii_lowercase();
    match name {
        "time" => ["timestamp", "ts", "datetime", "event_time"].contains(&other.as_str()),
        "kind" => ["type", "record_type", "event_type"].contains(&other.as_str()),
        _ => false,
    }
}

fn mistyped(field: &Field) -> Option<String> {
    let (_, expected) = SCHEMA.column_with_name(field.name())?;
    let (expected, found) = (expected.data_type(), field.data_type());
    let fits = match (expected, found) {
        (DataType::Dictionary(..), DataType::Utf8) | (DataType::List(_), DataType::List(_)) => true,
        // Moments are told apart by their unit; a zone is only how they are shown.
        (DataType::Timestamp(unit, _), DataType::Timestamp(other, _)) => unit == other,
        (expected, found) => expected == found,
    };
    let plain = match expected {
        DataType::Dictionary(..) => &DataType::Utf8,
        expected => expected,
    };
    let name = field.name();
    (!fits).then(|| format!("column `{name}` is {found}, expected {plain}: cast it"))
}

#[cfg(test)]
mod tests {
    use arrow_schema::TimeUnit;

    use super::*;

    fn told(columns: &[(&str, DataType)]) -> Result<(), String> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, data_type)| Field::new(*name, data_type.clone(), true))
            .collect();
        fit(&Schema::new(fields))
    }

    #[test]
    fn what_we_write_fits_and_so_do_plain_texts_and_further_columns() {
        assert_eq!(fit(&SCHEMA), Ok(()));
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let columns = [
            ("kind", DataType::Utf8),
            ("time", micros),
            ("remark", DataType::Float64),
        ];
        assert_eq!(told(&columns), Ok(()));
    }

    #[test]
    fn everything_that_does_not_fit_is_told_with_what_may_be_meant() {
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let error = told(&[
            ("timestamp", nanos.clone()),
            ("kinds", DataType::Utf8),
            ("resp_port", DataType::Int64),
            ("orig", DataType::LargeUtf8),
            ("start", nanos),
        ])
        .unwrap_err();
        assert_eq!(
            error,
            "column `kind` is missing (is it `kinds`?); column `time` is missing (is it \
             `timestamp`?); column `resp_port` is Int64, expected UInt16: cast it; column `orig` \
             is LargeUtf8, expected Utf8: cast it; column `start` is Timestamp(ns), expected \
             Timestamp(µs, \"UTC\"): cast it; a flow needs kind, time, orig, resp and transport; \
             a reading kind, time, device and current_a or spindle_rpm"
        );
    }
}
