//! Single fields of the wire form: each reads one value, or says what is wrong with it.

use std::net::IpAddr;
use std::str::FromStr;

use compact_str::CompactString;

use super::address::{parse_address, parse_party};
use super::decode::WireError;
use super::value::{Value, shortened};
use super::{TEXT_BYTES_MAX, parse_time};
use crate::observation::Party;
use crate::reject::RejectReason;
use crate::time::EventTime;

#[inline]
pub(super) fn required<T>(name: &str, value: Option<T>) -> Result<T, WireError> {
    value.ok_or_else(|| WireError::new(RejectReason::MissingField, format!("`{name}` is missing")))
}

#[cold]
pub(super) fn wrong(name: &str, value: Value<'_>, expected: &str) -> WireError {
    WireError::new(
        RejectReason::WrongType,
        format!("`{name}` is {}, expected {expected}", value.quoted()),
    )
}

#[cold]
fn out_of_range(name: &str, value: Value<'_>, expected: &str) -> WireError {
    WireError::new(
        RejectReason::OutOfRange,
        format!("`{name}` is {}, expected {expected}", value.quoted()),
    )
}

#[inline]
pub(super) fn text<'v>(name: &str, value: Value<'v>) -> Result<Option<&'v str>, WireError> {
    match value {
        Value::Absent => Ok(None),
        Value::Text(text) if text.len() > TEXT_BYTES_MAX => Err(WireError::new(
            RejectReason::OutOfRange,
            format!(
                "`{name}` has {} bytes, at most {TEXT_BYTES_MAX}",
                text.len()
            ),
        )),
        Value::Text(text) => Ok(Some(text)),
        other => Err(wrong(name, other, "a text")),
    }
}

/// A DNS name as it is compared: lower case, without a final dot.
pub(super) fn host_name(name: &str) -> CompactString {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_ascii() {
        lower_case(name)
    } else {
        name.to_lowercase().into()
    }
}

/// A name whose letters, as far as they are ASCII, are in lower case.
pub(super) fn lower_case(name: &str) -> CompactString {
    let mut name = CompactString::new(name);
    name.make_ascii_lowercase();
    name
}

#[inline]
pub(super) fn word<T: FromStr<Err = String>>(
    name: &str,
    value: Value<'_>,
) -> Result<Option<T>, WireError> {
    match value {
        Value::Absent => Ok(None),
        Value::Text(text) => match shortened(text).parse() {
            Ok(word) => Ok(Some(word)),
            Err(e) => Err(WireError::new(
                RejectReason::WrongType,
                format!("`{name}`: {e}"),
            )),
        },
        other => Err(wrong(name, other, "a text")),
    }
}

#[inline]
pub(super) fn flag(name: &str, value: Value<'_>) -> Result<Option<bool>, WireError> {
    match value {
        Value::Absent => Ok(None),
        Value::Bool(flag) => Ok(Some(flag)),
        other => Err(wrong(name, other, "true or false")),
    }
}

/// A whole number that is not negative and fits 64 bits.
#[inline]
pub(super) fn count(name: &str, value: Value<'_>) -> Result<Option<u64>, WireError> {
    const EXPECTED: &str = "a whole number from 0 to 18446744073709551615";
    match value {
        Value::Absent => Ok(None),
        Value::Unsigned(count) => Ok(Some(count)),
        Value::Negative(_) => Err(out_of_range(name, value, EXPECTED)),
        // JSON numbers beyond 64 bits come as floating point.
        Value::Float(float) if !(0.0..18_446_744_073_709_551_616.0).contains(&float) => {
            Err(out_of_range(name, value, EXPECTED))
        }
        other => Err(wrong(name, other, EXPECTED)),
    }
}

#[inline]
pub(super) fn narrow<T: TryFrom<u64>>(name: &str, count: u64) -> Result<T, WireError> {
    T::try_from(count).map_err(|_| {
        WireError::new(
            RejectReason::OutOfRange,
            format!("`{name}` {count} is too large"),
        )
    })
}

/// A physical amount: finite, not negative, at most `max`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a sensor's value in single precision; what overflows is checked afterwards"
)]
#[inline]
pub(super) fn amount(name: &str, value: Value<'_>, max: f32) -> Result<Option<f32>, WireError> {
    let amount = match value {
        Value::Absent => return Ok(None),
        Value::Unsigned(count) => count as f32,
        Value::Float(float) => float as f32,
        Value::Negative(_) => -1.0,
        other => return Err(wrong(name, other, "a number")),
    };
    if (0.0..=max).contains(&amount) {
        Ok(Some(amount))
    } else {
        Err(out_of_range(
            name,
            value,
            &format!("a number from 0 to {max}"),
        ))
    }
}

#[inline]
pub(super) fn time(name: &str, value: Value<'_>) -> Result<Option<EventTime>, WireError> {
    match value {
        Value::Absent => Ok(None),
        Value::Text(text) => match parse_time(shortened(text)) {
            Ok(time) => Ok(Some(time)),
            Err(e) => Err(WireError::new(
                RejectReason::WrongType,
                format!("`{name}`: {e}"),
            )),
        },
        other => Err(wrong(name, other, "an RFC 3339 timestamp")),
    }
}

#[inline]
pub(super) fn address(name: &str, value: Value<'_>) -> Result<Option<IpAddr>, WireError> {
    match value {
        Value::Absent => Ok(None),
        Value::Text(text) => match parse_address(text) {
            Some(address) => Ok(Some(address)),
            None => Err(wrong(name, value, "an IP address")),
        },
        other => Err(wrong(name, other, "an IP address")),
    }
}

/// One end of a flow, in any of its spellings.
#[inline]
pub(super) fn party(name: &str, value: Value<'_>) -> Result<Option<Party>, WireError> {
    const EXPECTED: &str = "`address:port`";
    match value {
        Value::Absent => Ok(None),
        Value::Text(text) => {
            let party = parse_party(text);
            party.map_or_else(
                || Err(wrong(name, value, EXPECTED)),
                |party| Ok(Some(party)),
            )
        }
        Value::Object(_) => {
            let field = format!("{name}.address");
            let address = required(&field, address(&field, value.member("address"))?)?;
            let field = format!("{name}.port");
            let port = narrow(&field, count(&field, value.member("port"))?.unwrap_or(0))?;
            Ok(Some(Party { address, port }))
        }
        other => Err(wrong(name, other, EXPECTED)),
    }
}
