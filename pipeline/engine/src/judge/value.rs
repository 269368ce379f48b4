//! JSON values inside a snapshot, as a flat list of tokens: the snapshot's format cannot read a
//! value whose shape it is not told, and JSON text need not give back every number bit for bit.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

/// What is nested deeper than this is written as null. Detectors write two levels.
const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Token {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Real(f64),
    Text(String),
    /// So many values follow.
    List(u32),
    /// So many pairs of a text and a value follow.
    Table(u32),
}

pub(super) fn serialize<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    let mut tokens = Vec::new();
    flatten(value, DEPTH_MAX, &mut tokens);
    tokens.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let mut tokens = Vec::<Token>::deserialize(deserializer)?.into_iter();
    let value = build(DEPTH_MAX, &mut tokens);
    value
        .filter(|_| tokens.len() == 0)
        .ok_or_else(|| D::Error::custom("value does not end where its tokens do"))
}

fn flatten(value: &Value, depth: usize, tokens: &mut Vec<Token>) {
    let length = |n: usize| u32::try_from(n).ok().filter(|_| depth > 0);
    match value {
        Value::Null => tokens.push(Token::Null),
        Value::Bool(value) => tokens.push(Token::Bool(*value)),
        Value::Number(number) => tokens.push(flatten_number(number)),
        Value::String(text) => tokens.push(Token::Text(text.clone())),
        Value::Array(items) => match length(items.len()) {
            Some(n) => {
                tokens.push(Token::List(n));
                for item in items {
                    flatten(item, depth - 1, tokens);
                }
            }
            None => tokens.push(Token::Null),
        },
        Value::Object(table) => match length(table.len()) {
            Some(n) => {
                tokens.push(Token::Table(n));
                for (key, item) in table {
                    tokens.push(Token::Text(key.clone()));
                    flatten(item, depth - 1, tokens);
                }
            }
            None => tokens.push(Token::Null),
        },
    }
}

fn flatten_number(number: &Number) -> Token {
    if let Some(value) = number.as_u64() {
        Token::Unsigned(value)
    } else if let Some(value) = number.as_i64() {
        Token::Signed(value)
    } else {
        number.as_f64().map_or(Token::Null, Token::Real)
    }
}

/// `None` if the tokens end early or nest too deep.
fn build(depth: usize, tokens: &mut std::vec::IntoIter<Token>) -> Option<Value> {
    Some(match tokens.next()? {
        Token::Null => Value::Null,
        Token::Bool(value) => Value::Bool(value),
        Token::Signed(value) => value.into(),
        Token::Unsigned(value) => value.into(),
        Token::Real(value) => value.into(),
        Token::Text(value) => value.into(),
        Token::List(n) => {
            let depth = depth.checked_sub(1)?;
            Value::Array(
                (0..n)
                    .map(|_| build(depth, tokens))
                    .collect::<Option<_>>()?,
            )
        }
        Token::Table(n) => {
            let depth = depth.checked_sub(1)?;
            let mut pair = || match tokens.next()? {
                Token::Text(key) => Some((key, build(depth, tokens)?)),
                _ => None,
            };
            Value::Object((0..n).map(|_| pair()).collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] Value);

    #[test]
    fn values_come_back_bit_for_bit_and_in_order() {
        let value = json!({
            "z": 0.1 + 0.2, "a": [u64::MAX, i64::MIN, -0.0, 5e-324, 1.0], "m": { "": null },
            "empty": {}, "none": [], "yes": true,
        });
        let bytes = postcard::to_stdvec(&Holder(value.clone())).unwrap();
        let back: Holder = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back.0.to_string(), value.to_string());
    }

    #[test]
    fn damaged_values_are_errors() {
        for tokens in [
            vec![],
            vec![Token::List(u32::MAX)],
            vec![Token::Null, Token::Null],
            vec![Token::Table(1), Token::Null, Token::Null],
            vec![Token::List(1); 100_000],
        ] {
            let bytes = postcard::to_stdvec(&tokens).unwrap();
            assert!(postcard::from_bytes::<Holder>(&bytes).is_err());
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_cut_off_and_still_readable() {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let bytes = postcard::to_stdvec(&Holder(deep)).unwrap();
        assert!(postcard::from_bytes::<Holder>(&bytes).is_ok());
    }
}
