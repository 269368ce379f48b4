//! The part of STIX patterns that says where something connects to: comparisons of addresses,
//! names and URLs with `=`, `IN` and `ISSUBSET`, alternatives in one observation or in several.
//! What is more than that is left out whole: half a condition would hit what it does not mean.

use super::Skip;
use crate::problems::{Refusal, quoted};

/// What a pattern names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) values: Vec<String>,
    pub(super) skipped: Vec<Skip>,
}

/// Objects whose value is a destination.
const DESTINATIONS: [&str; 6] = [
    "ipv4-addr:value",
    "ipv6-addr:value",
    "domain-name:value",
    "url:value",
    "network-traffic:dst_ref.value",
    "network-traffic:dst_ref.resolves_to_refs[*].value",
];
/// Words that make a condition of more than alternatives.
const CONDITIONS: [&str; 9] = [
    "AND",
    "NOT",
    "FOLLOWEDBY",
    "WITHIN",
    "REPEATS",
    "START",
    "STOP",
    "LIKE",
    "MATCHES",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

pub(super) fn read(pattern: &str) -> Result<Pattern, Refusal> {
    let tokens = tokens(pattern)?;
    let is_condition = |token: &Token| match token {
        Token::Word(word) => CONDITIONS.iter().any(|c| word.eq_ignore_ascii_case(c)),
        Token::Sign(sign) => matches!(sign, '!' | '<' | '>'),
        Token::Text(_) => false,
    };
    if tokens.iter().any(is_condition) {
        return Ok(Pattern {
            skipped: vec![Skip::Condition],
            ..Pattern::default()
        });
    }
    let mut read = Pattern::default();
    let mut rest = tokens.as_slice();
    while let Some(token) = rest.first() {
        rest = match token {
            Token::Word(word) if word.eq_ignore_ascii_case("or") => &rest[1..],
            Token::Sign('[' | ']' | '(' | ')') => &rest[1..],
            Token::Word(object) => comparison(object, &rest[1..], &mut read, pattern)?,
            _ => return Err(broken(pattern)),
        };
    }
    if read == Pattern::default() {
        return Err(broken(pattern));
    }
    Ok(read)
}

/// `= 'a'`, `ISSUBSET 'a'`, `IN ('a', 'b')`; what stands after it.
fn comparison<'t>(
    object: &str,
    tokens: &'t [Token],
    read: &mut Pattern,
    pattern: &str,
) -> Result<&'t [Token], Refusal> {
    let (values, rest) = match tokens {
        [Token::Sign('='), Token::Text(value), rest @ ..] => (vec![value.clone()], rest),
        [Token::Word(word), Token::Text(value), rest @ ..]
            if word.eq_ignore_ascii_case("issubset") =>
        {
            (vec![value.clone()], rest)
        }
        // A number, or a word like `true`: of things that are no destinations.
        [Token::Sign('='), Token::Word(_), rest @ ..] => (Vec::new(), rest),
        [Token::Word(word), Token::Sign('('), rest @ ..] if word.eq_ignore_ascii_case("in") => {
            let end = rest.iter().position(|token| *token == Token::Sign(')'));
            let end = end.ok_or_else(|| broken(pattern))?;
            let values = rest[..end].iter().filter_map(|token| match token {
                Token::Text(value) => Some(value.clone()),
                _ => None,
            });
            (values.collect(), &rest[end + 1..])
        }
        _ => return Err(broken(pattern)),
    };
    if DESTINATIONS.contains(&object) && !values.is_empty() {
        read.values.extend(values);
    } else {
        read.skipped.push(Skip::NotInFlows);
    }
    Ok(rest)
}

fn tokens(pattern: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() || c == ',' => {}
            '\'' => {
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some('\\') => text.extend(chars.next()),
                        Some(c) => text.push(c),
                        None => return Err(broken(pattern)),
                    }
                }
                tokens.push(Token::Text(text));
            }
            c if in_word(c) => {
                let mut word = String::from(c);
                // A path may hold an index, `refs[0]`, or a quoted key, `hashes.'SHA-256'`.
                while let Some(next) = chars.peek().copied() {
                    let quoted_key = next == '\'' && word.ends_with('.');
                    let index = next == '[' && word.contains(':');
                    if quoted_key || index {
                        let end = if index { ']' } else { '\'' };
                        word.extend(chars.next());
                        for c in chars.by_ref() {
                            word.push(c);
                            if c == end {
                                break;
                            }
                        }
                    } else if in_word(next) {
                        word.extend(chars.next());
                    } else {
                        break;
                    }
                }
                tokens.push(Token::Word(word));
            }
            c => tokens.push(Token::Sign(c)),
        }
    }
    Ok(tokens)
}

fn broken(pattern: &str) -> Refusal {
    let cause = format!("the pattern {} cannot be read", quoted(pattern));
    Refusal::new(cause).hint("Write it as `[ipv4-addr:value = '203.0.113.77']`.")
}
