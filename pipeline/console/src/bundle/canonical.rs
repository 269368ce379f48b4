//! JSON in the one form that signatures of bundles are made over: members in the order of their
//! names, no white space, and texts as Go writes them.

use std::fmt::Write as _;

use serde_json::Value;

/// Writes a value in that form.
pub(super) fn write(value: &Value, into: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            into.push('{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                text(name, into);
                into.push(':');
                write(member, into);
            }
            into.push('}');
        }
        Value::Array(items) => {
            into.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                write(item, into);
            }
            into.push(']');
        }
        Value::String(written) => text(written, into),
        other => {
            // Writing to a text cannot fail.
            let _written = write!(into, "{other}");
        }
    }
}

/// Writes a text with its quotation marks.
pub(super) fn text(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            // The last two end lines in JavaScript.
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                let _written = write!(into, "\\u{:04x}", u32::from(c));
            }
            other => into.push(other),
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_in_order_and_texts_are_as_go_writes_them() {
        let value = json!({
            "b": [1, null, true, {"z": "<&>", "a": 0.5}],
            "a": "\u{1}\u{8}\u{2028}\u{7f}é\"\\",
        });
        let mut written = String::new();
        write(&value, &mut written);
        let expected = "{\"a\":\"\\u0001\\b\\u2028\u{7f}é\\\"\\\\\",\
                        \"b\":[1,null,true,{\"a\":0.5,\"z\":\"<&>\"}]}";
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }
}
