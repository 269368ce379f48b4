//! What differs between two profiles, in words.

use std::fmt;

use serde::Serialize;

use super::Profile;
use super::write::{Field, fields};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key, and of an item what tells it from its siblings: `destinations: ntp.mfg.local`.
    pub field: String,
    /// As it was; `None` if it is new.
    pub before: Option<String>,
    /// As it is now; `None` if it is gone.
    pub after: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{field}: {before} becomes {after}"),
            (Some(before), None) => write!(f, "{field} is gone, was {before}"),
            (None, Some(after)) => write!(f, "{field} is new, {after}"),
            (None, None) => f.write_str(field),
        }
    }
}

/// Every field that differs, in the order of the file format; empty exactly if the contents are
/// the same.
pub fn diff(before: &Profile, after: &Profile) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut plain = |field: &str, old: &str, new: &str| {
        if old != new {
            differences.push(Difference {
                field: field.to_owned(),
                before: Some(old.to_owned()),
                after: Some(new.to_owned()),
            });
        }
    };
    plain("profile", &before.name, &after.name);
    plain("version", &before.version, &after.version);
    let (old, new) = (fields(before), fields(after));
    let same = |a: &Field, b: &Field| a.key == b.key && a.label == b.label;
    for field in &old {
        let counterpart = new.iter().find(|other| same(field, other));
        if counterpart.is_none_or(|other| other.text != field.text) {
            differences.push(Difference {
                field: name(field),
                before: Some(field.text.clone()),
                after: counterpart.map(|other| other.text.clone()),
            });
        }
    }
    let added = new
        .iter()
        .filter(|field| !old.iter().any(|other| same(field, other)));
    differences.extend(added.map(|field| Difference {
        field: name(field),
        before: None,
        after: Some(field.text.clone()),
    }));
    if differences.is_empty() && before.content_hash() != after.content_hash() {
        differences.push(Difference {
            field: "the order of items differs".to_owned(),
            before: None,
            after: None,
        });
    }
    differences
}

fn name(field: &Field) -> String {
    if field.label.is_empty() {
        return field.key.to_owned();
    }
    format!("{}: {}", field.key, field.label)
}
