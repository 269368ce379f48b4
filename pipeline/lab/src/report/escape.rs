//! What comes from data, made harmless: in a page, and in the JSON that a page carries.
//!
//! Device ids, host names, file names and whatever is quoted in a sentence are hostile input. What is
//! not seen as itself, a control character or one that turns the direction of writing, stands there by
//! its number.

use andon_emit::terminal::printable;
use serde_json::Value;

/// Text for the content of an element or of a quoted attribute.
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// JSON that can stand inside a `script` element: its strings hold nothing hidden, and no character
/// of it means anything to a parser of HTML.
pub(super) fn json(mut value: Value) -> String {
    reveal(&mut value);
    let text = value.to_string();
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let escape = format!("\\u{:04x}", u32::from(c));
                safe.push_str(&escape);
            }
            c => safe.push(c),
        }
    }
    safe
}

fn reveal(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(shown) = printable(text) {
                *text = shown;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(reveal),
        Value::Object(members) => {
            let hidden = |key: &String| matches!(printable(key), std::borrow::Cow::Owned(_));
            if members.keys().any(hidden) {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(key, value)| (printable(&key).into_owned(), value))
                    .collect();
            }
            members.values_mut().for_each(reveal);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A word of a command for a shell, quoted where it has to be.
pub(super) fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup_and_nothing_is_hidden() {
        assert_eq!(
            html("</script><b a='\"'>&amp;\u{202e}\u{1b}"),
            "&lt;/script&gt;&lt;b a=&#39;&quot;&#39;&gt;&amp;amp;\\u{202e}\\u{1b}"
        );
    }

    #[test]
    fn hidden_characters_of_keys_are_shown_too() {
        assert_eq!(
            json(json!({ "a\u{202e}": ["<!--", "\u{0}"] })),
            r#"{"a\\u{202e}":["\u003c!--","\\u{0}"]}"#
        );
    }

    #[test]
    fn a_word_with_anything_special_in_it_is_one_word() {
        assert_eq!(shell("result-1/x"), "result-1/x");
        assert_eq!(shell("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell(""), "''");
    }

    proptest! {
        #[test]
        fn json_reads_back_and_holds_no_angle_bracket(text in ".*") {
            let safe = json(json!({ "t": text }));
            let is_bare = safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!is_bare);
            let back: Value = serde_json::from_str(&safe).unwrap();
            prop_assert_eq!(back["t"].as_str().unwrap(), printable(&text));
        }
    }
}
