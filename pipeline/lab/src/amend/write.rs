//! A change written into the text of a profile: the lines it needs, and no other.

use andon_schemas::observation::Role;
use andon_schemas::profile::Profile;
use andon_schemas::quantity::{Dimension, write_amount, write_range};

use super::change::{Change, Ranged};
use super::place::{Value, closing, find};

/// Ways to write a change into the text of a profile, the smallest first; `after` is the profile
/// with it, `note` a comment for lines of its own. Which of them reads as `after` is for the caller
/// to find out: the text may be written in ways that this does not foresee.
pub fn written(text: &str, change: &Change, after: &Profile, note: &str) -> Vec<String> {
    let key = change.key();
    let mut ways = Vec::new();
    match change {
        Change::Peer { address, .. } => {
            let item = format!("{{ address: {} }}", quoted(&address.to_string()));
            ways.extend(added(text, &[key], &item, note));
        }
        Change::Protocol {
            name,
            port,
            services,
        } => {
            let known = andon_schemas::protocol::by_name(name);
            let is_plain = known.is_some_and(|known| known.ports.len() == 1);
            let more = match known {
                None if !services.is_empty() => format!(", services: [{}]", services.join(", ")),
                _ => String::new(),
            };
            ways.extend(if is_plain {
                added(text, &[key], name, note)
            } else {
                let item = format!("{{ name: {name}, ports: [{port}]{more} }}");
                added(text, &[key], &item, note)
            });
            let item = format!("{name}: {{ ports: [{port}]{more} }}");
            ways.extend(named(text, &[key], &item, note));
        }
        Change::Firmware {
            version,
            digest,
            released,
        } => {
            let digest = digest.as_ref().map(|d| format!(", sha256: {}", quoted(d)));
            let digest = digest.unwrap_or_default();
            let version = quoted(version);
            let item = format!("{{ version: {version}{digest}, released: {released} }}");
            ways.extend(added(text, &[key], &item, note));
        }
        Change::Hours { span } => {
            ways.extend(added(text, &[key], span, note));
            ways.extend(added(text, &[key, "spans"], span, note));
            ways.extend(listed(text, &[key], span));
            ways.extend(listed(text, &[key, "spans"], span));
        }
        Change::Command { role, name, peer } => {
            let (side, with) = match role {
                Role::Originator => ("sends", "to"),
                Role::Responder => ("accepts", "from"),
            };
            let peer = quoted(&peer.to_string());
            let item = format!("{{ commands: [{name}], {with}: [{{ address: {peer} }}] }}");
            ways.extend(added(text, &[key, side], &item, note));
        }
        Change::VolumeLimit { .. } | Change::Scan { .. } | Change::Widen { .. } => {
            ways.extend(figures(text, change, after, note));
        }
    }
    ways.extend(restated(text, key, after, note));
    ways
}

/// The same for changes of a figure.
fn figures(text: &str, change: &Change, after: &Profile, note: &str) -> Vec<String> {
    let key = change.key();
    let mut ways = Vec::new();
    match change {
        Change::VolumeLimit { bytes } => {
            let limit = format!("limit: {}", write_amount(*bytes, Dimension::Bytes));
            ways.extend(set(text, &[key, "limit"], &limit[7..]));
            ways.extend(named(text, &[key], &limit, note));
            ways.extend(ranged(text, &[key], &limit));
            if find(text, &[key]).is_none() {
                ways.push(appended(text, &format!("{key}: {{ {limit} }} # {note}")));
            }
        }
        Change::Scan { limit, count } => {
            ways.extend(set(text, &[key, limit], &count.to_string()));
            let entry = format!("{limit}: {count}");
            ways.extend(named(text, &[key], &entry, note));
            if find(text, &[key]).is_none() {
                ways.push(appended(text, &format!("{key}: {{ {entry} }} # {note}")));
            }
        }
        Change::Widen { range, .. } => {
            if let Some(new) = range.of(&mut after.clone()) {
                let value = write_range((new.lo, new.hi), key_dimension(*range));
                let inner = match range {
                    Ranged::Message => "size",
                    Ranged::ActiveCurrent => "active",
                    Ranged::Volume | Ranged::Upload | Ranged::Connections => "range",
                };
                ways.extend(set(text, &[key, inner], &value));
                ways.extend(set(text, &[key], &value));
            }
        }
        _ => {}
    }
    ways
}

const fn key_dimension(range: Ranged) -> Dimension {
    range.key().1
}

/// A text that may have a colon, or look like a number, as a scalar.
fn quoted(text: &str) -> String {
    let is_number = text.parse::<f64>().is_ok();
    if text.contains(':') || is_number || text.chars().all(|c| c.is_ascii_digit()) {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

fn splice(text: &str, at: std::ops::Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..at.start], &text[at.end..])
}

/// How the lines of a text end.
fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// One more item of a list.
fn added(text: &str, path: &[&str], item: &str, note: &str) -> Option<String> {
    one_more(text, path, '[', &format!("- {item}"), item, note)
}

/// One more entry of a mapping.
fn named(text: &str, path: &[&str], entry: &str, note: &str) -> Option<String> {
    one_more(text, path, '{', entry, entry, note)
}

fn one_more(
    text: &str,
    path: &[&str],
    open: char,
    line: &str,
    item: &str,
    note: &str,
) -> Option<String> {
    match find(text, path)? {
        Value::Block { bytes, indent } => {
            let is_list = text[bytes.clone()]
                .lines()
                .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?
                .trim_start()
                .starts_with('-');
            if is_list != (open == '[') {
                return None;
            }
            let end = line_end(text);
            let torn = if text[..bytes.end].ends_with('\n') {
                ""
            } else {
                end
            };
            let new = format!("{torn}{}{line} # {note}{end}", " ".repeat(indent));
            Some(splice(text, bytes.end..bytes.end, &new))
        }
        Value::Inline(bytes) if text[bytes.clone()].starts_with(open) => {
            let close = closing(text, bytes.start, bytes.end)?;
            let inside = text[bytes.start + 1..close].trim_end();
            let at = bytes.start + 1 + inside.len();
            let comma = if inside.is_empty() { "" } else { ", " };
            Some(splice(text, at..at, &format!("{comma}{item}")))
        }
        Value::Inline(_) => None,
    }
}

/// A single value becomes a list of two.
fn listed(text: &str, path: &[&str], item: &str) -> Option<String> {
    let bytes = plain(text, path)?;
    let is = &text[bytes.clone()];
    Some(splice(text, bytes.clone(), &format!("[{is}, {item}]")))
}

/// A single range becomes a mapping with something beside it.
fn ranged(text: &str, path: &[&str], entry: &str) -> Option<String> {
    let bytes = plain(text, path)?;
    let is = &text[bytes.clone()];
    Some(splice(
        text,
        bytes.clone(),
        &format!("{{ range: {is}, {entry} }}"),
    ))
}

fn plain(text: &str, path: &[&str]) -> Option<std::ops::Range<usize>> {
    match find(text, path)? {
        Value::Inline(bytes) if !text[bytes.clone()].starts_with(['[', '{']) => Some(bytes),
        _ => None,
    }
}

/// Another single value.
fn set(text: &str, path: &[&str], value: &str) -> Option<String> {
    plain(text, path).map(|bytes| splice(text, bytes, value))
}

fn appended(text: &str, lines: &str) -> String {
    let end = line_end(text);
    let torn = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        end
    };
    let lines = lines.replace('\n', end);
    format!("{text}{torn}{lines}{end}")
}

/// The whole key as the checked profile writes it: in place of what is there, or, for what is
/// inherited, of the profile's own.
fn restated(text: &str, key: &str, after: &Profile, note: &str) -> Option<String> {
    let whole = after.to_yaml();
    let start = whole.find(&format!("\n{key}:"))? + 1;
    let mut lines = whole[start..].lines();
    let mut block = format!("# {note}\n{}", lines.next()?);
    for line in lines.take_while(|line| line.starts_with(' ')) {
        block.push('\n');
        block.push_str(line);
    }
    let Some(value) = find(text, &[key]) else {
        return Some(appended(text, &block));
    };
    let bytes = match value {
        Value::Inline(bytes) | Value::Block { bytes, .. } => bytes,
    };
    let line = text[..bytes.start].rfind(&format!("{key}:"))?;
    let to = if text[..bytes.end].ends_with('\n') {
        bytes.end - 1
    } else {
        bytes.end
    };
    Some(splice(text, line..to, &block.replace('\n', line_end(text))))
}
