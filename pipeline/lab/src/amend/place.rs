//! Where in a file of YAML a value stands, as far as people write profiles: mappings and lists as
//! blocks or in brackets. Whoever edits there reads the file again and compares: what this does not
//! understand is noticed.

use std::ops::Range;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// On the line of its key, or in brackets that begin there: these bytes.
    Inline(Range<usize>),
    /// In the lines below its key: these bytes, whole lines.
    Block {
        /// From the first line to the end of the last.
        bytes: Range<usize>,
        /// Spaces before each of its items.
        indent: usize,
    },
}

/// The value under a path of keys.
pub(super) fn find(text: &str, path: &[&str]) -> Option<Value> {
    let mut value = Value::Block {
        bytes: 0..text.len(),
        indent: 0,
    };
    for key in path {
        value = match value {
            Value::Block { bytes, indent } => in_block(text, bytes, indent, key)?,
            Value::Inline(bytes) => in_brackets(text, bytes, key)?,
        };
    }
    Some(value)
}

/// The lines of a stretch of text, each with the byte at which it begins.
fn lines(text: &str, bytes: Range<usize>) -> impl Iterator<Item = (usize, &str)> {
    let mut at = bytes.start;
    text[bytes].split_inclusive('\n').map(move |line| {
        let begins = at;
        at += line.len();
        (begins, line)
    })
}

/// Spaces before what a line says; `None` if it says nothing.
fn indent_of(line: &str) -> Option<usize> {
    let said = line.trim_start_matches(' ');
    let is_empty = said.trim().is_empty() || said.starts_with('#');
    (!is_empty).then(|| line.len() - said.len())
}

fn in_block(text: &str, bytes: Range<usize>, indent: usize, key: &str) -> Option<Value> {
    let end = bytes.end;
    let mut found = lines(text, bytes.clone());
    let (begins, line) = found.find(|(_, line)| {
        indent_of(line) == Some(indent)
            && line[indent..]
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(':'))
    })?;
    let after = begins + indent + key.len() + 1;
    let rest = &text[after..begins + line.len()];
    let said = rest.trim_start_matches(' ');
    let value = after + rest.len() - said.len();
    if !said.trim().is_empty() && !said.starts_with('#') {
        return Some(Value::Inline(value..inline_end(text, value, end)?));
    }
    // Below the key: what lies deeper, or a list at the same depth.
    let next = begins + line.len();
    let (mut last, mut depth) = (next, None);
    for (at, line) in lines(text, next..end) {
        let Some(spaces) = indent_of(line) else {
            continue;
        };
        let is_item = spaces == indent && line[spaces..].starts_with('-');
        if spaces <= indent && !is_item {
            break;
        }
        depth.get_or_insert(spaces);
        last = at + line.len();
    }
    Some(Value::Block {
        bytes: next..last,
        indent: depth?,
    })
}

/// Where a value on a line ends, without the comment behind it.
fn inline_end(text: &str, from: usize, end: usize) -> Option<usize> {
    match text.as_bytes().get(from)? {
        b'[' | b'{' => closing(text, from, end).map(|at| at + 1),
        quote @ (b'"' | b'\'') => {
            let rest = &text.as_bytes()[from + 1..end];
            let close = rest.iter().position(|byte| byte == quote)?;
            Some(from + close + 2)
        }
        _ => {
            let line = text[from..end].split('\n').next()?;
            let said = line.find(" #").map_or(line, |at| &line[..at]);
            Some(from + said.trim_end().len())
        }
    }
}

/// What stands in brackets, byte by byte: the depth, and whether a byte is one of the value rather
/// than of a comment or within quotes.
fn walk(text: &str, from: usize, end: usize, mut see: impl FnMut(usize, u8, usize) -> bool) {
    let bytes = text.as_bytes();
    let (mut depth, mut quote, mut at) = (0_usize, None, from);
    while at < end {
        let byte = bytes[at];
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            None if byte == b'#' && at > 0 && bytes[at - 1].is_ascii_whitespace() => {
                while at < end && bytes[at] != b'\n' {
                    at += 1;
                }
                continue;
            }
            None => {
                if matches!(byte, b'[' | b'{') {
                    depth += 1;
                }
                if see(at, byte, depth) {
                    return;
                }
                if matches!(byte, b']' | b'}') {
                    depth = depth.saturating_sub(1);
                }
            }
        }
        at += 1;
    }
}

/// The bracket that closes the one at `from`.
pub(super) fn closing(text: &str, from: usize, end: usize) -> Option<usize> {
    let mut found = None;
    walk(text, from, end, |at, byte, depth| {
        let closes = depth == 1 && matches!(byte, b']' | b'}');
        if closes {
            found = Some(at);
        }
        closes
    });
    found
}

fn in_brackets(text: &str, bytes: Range<usize>, key: &str) -> Option<Value> {
    if !text[bytes.clone()].starts_with('{') {
        return None;
    }
    // Entries lie between the brackets and the commas of the outermost depth.
    let mut ends = vec![bytes.start];
    walk(text, bytes.start, bytes.end, |at, byte, depth| {
        if depth == 1 && matches!(byte, b',' | b'}') {
            ends.push(at);
        }
        false
    });
    ends.windows(2).find_map(|pair| {
        let entry = pair.first()? + 1..*pair.get(1)?;
        let said = &text[entry.clone()];
        let named = said.trim_start();
        let rest = named.strip_prefix(key)?.strip_prefix(':')?;
        let from = entry.end - rest.trim_start().len();
        let to = from + rest.trim().len();
        (from < to).then_some(Value::Inline(from..to))
    })
}
