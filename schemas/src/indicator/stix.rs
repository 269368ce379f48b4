//! STIX 2.1 bundles: the newest version of each indicator, unless it was revoked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::pattern::{self, Pattern};
use super::{Reading, Skip};
use crate::problems::{Refusal, quoted};

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    objects: Vec<Object<'a>>,
}

/// What is read of an object; all others are passed over.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    modified: Cow<'a, str>,
    #[serde(default)]
    revoked: bool,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    pattern: Cow<'a, str>,
    #[serde(borrow, default)]
    pattern_type: Cow<'a, str>,
    #[serde(borrow, default)]
    valid_from: Cow<'a, str>,
    #[serde(borrow, default)]
    valid_until: Cow<'a, str>,
}

pub(super) fn read(text: &str, reading: &mut Reading) {
    let bundle: Bundle<'_> = match serde_json::from_str(text) {
        Ok(bundle) => bundle,
        Err(error) => {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            let refusal = Refusal::new(format!("it cannot be read as JSON: {error}"));
            return reading.problem(line, "", &refusal.hint("A STIX 2.1 bundle is expected."));
        }
    };
    if bundle.kind != "bundle" {
        let cause = format!("its type is {} and not `bundle`", quoted(&bundle.kind));
        return reading.problem(1, "type", &Refusal::new(cause));
    }
    let mut newest: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, object) in bundle.objects.iter().enumerate() {
        if object.kind != "indicator" {
            continue;
        }
        let known = newest.entry(&object.id).or_insert(at);
        // Times of one form compare as text.
        if bundle.objects[*known].modified <= object.modified {
            *known = at;
        }
    }
    let mut lines = Lines {
        text,
        at: 0,
        line: 1,
    };
    let mut kept: Vec<usize> = newest.into_values().collect();
    kept.sort_unstable();
    let any = !kept.is_empty();
    for at in kept {
        indicator(at, &bundle.objects[at], &mut lines, reading);
    }
    if !any {
        let refusal = Refusal::new("the bundle holds no indicator");
        reading.problem(1, "objects", &refusal);
    }
}

fn indicator(at: usize, object: &Object<'_>, lines: &mut Lines<'_>, reading: &mut Reading) {
    if object.revoked {
        return reading.skip(Skip::Revoked);
    }
    if !matches!(&*object.pattern_type, "stix" | "") {
        return reading.skip(Skip::NotInFlows);
    }
    let path = format!("objects[{at}]");
    let line = lines.of(&object.id);
    let window = reading.window(
        Some(&object.valid_from),
        Some(&object.valid_until),
        (line, &path),
    );
    match pattern::read(&object.pattern) {
        Ok(Pattern { values, skipped }) => {
            for skip in skipped {
                reading.skip(skip);
            }
            for value in values {
                reading.take(&value, window, &object.name, (line, &path));
            }
        }
        Err(refusal) => reading.problem(line, &path, &refusal),
    }
}

/// Finds the lines of ids, which come in order.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl Lines<'_> {
    fn of(&mut self, id: &str) -> u32 {
        if id.is_empty() {
            return self.line;
        }
        if let Some(found) = self.text[self.at..].find(id) {
            let breaks = self.text[self.at..self.at + found].matches('\n').count();
            self.line = self
                .line
                .saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
            self.at += found;
        }
        self.line
    }
}
