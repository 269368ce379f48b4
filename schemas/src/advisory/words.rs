//! The words in which people write which versions they mean.

/// How a constraint compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The scheme of a version range specifier, in lower case, and its constraints.
pub(super) fn scheme(text: &str) -> Option<(String, &str)> {
    let rest = text
        .get(..5)
        .filter(|head| head.eq_ignore_ascii_case("vers:"));
    let (scheme, constraints) = text[rest?.len()..].split_once('/')?;
    Some((scheme.trim().to_ascii_lowercase(), constraints.trim()))
}

/// `%3C` is `<`; what is no such escape stays as it is.
pub(super) fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        if let (b'%', Some(byte)) = (first, byte) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is left of `All versions prior to V2`: the versions.
pub(super) fn without_all(text: &str) -> &str {
    let mut rest = text.trim();
    for word in ["all", "firmware", "versions", "version", ":"] {
        let head = rest.get(..word.len()).unwrap_or_default();
        let after = &rest[head.len()..];
        let ends = after.is_empty() || after.starts_with([' ', '<', '>', '=', ':']) || word == ":";
        if !head.is_empty() && head.eq_ignore_ascii_case(word) && ends {
            rest = after.trim_start();
        }
    }
    rest
}

/// The ends of `13.2.1-13.2.4`, `2.0 to 2.5`: of a dash only where both sides have as many numbers,
/// two at least, because `2.0-22165` is a build.
pub(super) fn from_to(text: &str) -> Option<(&str, &str)> {
    for word in [" to ", " through "] {
        if let Some((from, to)) = text.split_once(word) {
            let plain = |side: &str| {
                side.trim_start()
                    .starts_with(|c: char| c.is_ascii_digit() || c == 'v' || c == 'V')
            };
            return (plain(from) && plain(to)).then_some((from, to));
        }
    }
    let (from, to) = text.split_once('-')?;
    let numbers = |side: &str| {
        let side = side.trim().trim_start_matches(['v', 'V']);
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        side.split('.')
            .all(is_number)
            .then(|| side.split('.').count())
    };
    let (left, right) = (numbers(from)?, numbers(to)?);
    (left == right && left >= 2).then_some((from, to))
}

/// The constraints that stand in one piece: `>=V2.9.2<V2.9.4` has two.
pub(super) fn constraints_of(text: &str) -> Vec<(Operator, &str)> {
    let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!');
    let mut found = Vec::new();
    let first = text.find(is_sign).unwrap_or(text.len());
    let (plain, mut rest) = text.split_at(first);
    let plain = plain.trim();
    if !plain.is_empty() && !plain.eq_ignore_ascii_case("and") {
        found.push(in_words(plain));
    }
    while !rest.is_empty() {
        let length = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
        let (sign, after) = rest.split_at(length);
        let end = after.find(is_sign).unwrap_or(after.len());
        let (version, next) = after.split_at(end);
        let version = version.trim().trim_end_matches(" and").trim_end();
        let operator = match sign {
            "<" => Operator::Less,
            "<=" | "=<" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" | "=>" => Operator::GreaterOrEqual,
            "=" | "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            // Not a constraint: it is told as one that cannot be read.
            _ => {
                found.push((Operator::Equal, ""));
                rest = next;
                continue;
            }
        };
        found.push((operator, version));
        rest = next;
    }
    found
}

/// A constraint in words.
fn in_words(text: &str) -> (Operator, &str) {
    const HEADS: &[(&str, Operator)] = &[
        ("prior to ", Operator::Less),
        ("before ", Operator::Less),
        ("earlier than ", Operator::Less),
        ("older than ", Operator::Less),
        ("below ", Operator::Less),
        ("up to and including ", Operator::LessOrEqual),
        ("through ", Operator::LessOrEqual),
        ("from ", Operator::GreaterOrEqual),
    ];
    const TAILS: &[(&[&str], Operator)] = &[
        (
            &["prior", "earlier", "below", "older", "lower"],
            Operator::LessOrEqual,
        ),
        (
            &["later", "newer", "above", "higher"],
            Operator::GreaterOrEqual,
        ),
    ];
    for (head, operator) in HEADS {
        if let Some(start) = text
            .get(..head.len())
            .filter(|s| s.eq_ignore_ascii_case(head))
        {
            return (*operator, &text[start.len()..]);
        }
    }
    let lower = text.to_ascii_lowercase();
    let trimmed = lower
        .trim_end_matches(" versions")
        .trim_end_matches(" version");
    for (words, operator) in TAILS {
        for (word, joint) in words.iter().flat_map(|w| [(w, " and "), (w, " or ")]) {
            let head = trimmed
                .strip_suffix(word)
                .and_then(|s| s.strip_suffix(joint));
            if let Some(head) = head.and_then(|head| text.get(..head.len())) {
                return (*operator, head.trim_end());
            }
        }
    }
    (Operator::Equal, text)
}
