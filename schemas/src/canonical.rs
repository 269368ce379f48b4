//! One text per content: JSON with sorted keys and no white space, and the SHA-256 over it that
//! verdicts carry as the hash of a profile or an inventory.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 over the canonical JSON of a value, lower-case hex. Numbers are written as `serde_json`
/// writes them: the shortest text that reads back as the same number.
pub(crate) fn digest<T: Serialize>(value: &T) -> String {
    // The checked forms hold text keys and finite numbers only, so they always become JSON.
    let value = serde_json::to_value(value).unwrap_or(Value::Null);
    hex(&Sha256::digest(sorted(value).to_string()))
}

/// The value with the keys of every object in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_change_the_digest() {
        let one = json!({ "b": [1, { "d": 1, "c": 2.5 }], "a": null });
        let other = json!({ "a": null, "b": [1, { "c": 2.5, "d": 1 }] });
        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&json!({ "a": null })));
        // SHA-256 of the two characters `{}`.
        assert_eq!(
            digest(&json!({})),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }
}
