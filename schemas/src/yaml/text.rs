//! Text back to YAML: scalars that read back as the same text, and mappings on one line.

/// A mapping on one line, of parts such as `name: x`.
pub(crate) fn flow(parts: &[String]) -> String {
    format!("{{ {} }}", parts.join(", "))
}

/// A list on one line; a list of one as its only item.
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// Text as a plain scalar where that is safe, else quoted.
pub(crate) fn scalar(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/');
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(safe)
        && !text.ends_with(' ')
        && !matches!(text, "none" | "null");
    if plain { text.to_owned() } else { quote(text) }
}

/// A double-quoted scalar (YAML 1.2.2 §7.3.1); whatever is not printable ASCII is escaped.
pub(crate) fn quote(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        ' '..='~' => c.to_string(),
        _ if u32::from(c) < 0x100 => format!("\\x{:02x}", u32::from(c)),
        _ if u32::from(c) < 0x1_0000 => format!("\\u{:04x}", u32::from(c)),
        _ => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::{Limits, Node, Report, load};

    proptest! {
        #[test]
        fn any_text_reads_back(text in "\\PC{0,40}", odd in "[ -~\n\t\r\u{0}\u{85}\u{feff}\u{1f600}]{1,30}") {
            for text in [text, odd] {
                let limits = Limits { bytes: 10_000, nodes: 10, depth: 4 };
                let mut report = Report::default();
                let yaml = format!("a: {{ b: {}, c: {} }}\n", scalar(&text), quote(&text));
                let tree = load("x", &yaml, limits, &mut report);
                prop_assert!(report.finish(()).is_ok(), "{}", yaml);
                let inner = tree.as_ref().and_then(|tree| tree.top().get("a"));
                for key in ["b", "c"] {
                    let read = inner.and_then(|node| node.get(key)).and_then(Node::scalar);
                    prop_assert_eq!(read, Some(text.as_str()));
                }
            }
        }
    }
}
