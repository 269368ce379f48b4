//! Where readers put what they cannot accept, and the few questions they ask of every node.

use super::{Node, Place, Section};
use crate::problems::{LISTED_MAX, Problem, Problems, Refusal, quoted, suggestion};

/// The problems found so far, over any number of files.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: Vec<Problem>,
}

impl Report {
    /// The value if nothing was found, else the problems.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Problems> {
        match Problems::of(self.found) {
            Some(problems) => Err(problems),
            None => Ok(value),
        }
    }

    /// A problem with a place in a file that has no tree (yet).
    pub(crate) fn file(&mut self, file: &str, at: Place, refusal: Refusal) {
        self.push(file, at, String::new(), refusal);
    }

    /// A problem with a value.
    pub(crate) fn value(&mut self, node: Node<'_>, refusal: Refusal) {
        self.push(node.tree.file(), node.place(), node.path(), refusal);
    }

    /// A problem with a key.
    pub(crate) fn key(&mut self, node: Node<'_>, refusal: Refusal) {
        self.push(node.tree.file(), node.key_place(), node.path(), refusal);
    }

    fn push(&mut self, file: &str, at: Place, path: String, refusal: Refusal) {
        // Far more than anybody reads; the bound keeps a hostile file from filling memory.
        if self.found.len() < 100 * LISTED_MAX {
            self.found.push(Problem {
                file: file.to_owned(),
                line: at.line,
                column: at.column,
                path,
                cause: refusal.cause,
                hint: refusal.hint,
            });
        }
    }

    /// Whether the node is a mapping with only the keys of this section, and all that it needs.
    /// Reports what is not so; a mapping with unknown keys is still worth reading.
    pub(crate) fn fields(&mut self, node: Node<'_>, section: &Section) -> bool {
        if !node.is_map() {
            let refusal = Refusal::new(format!("{} is not a mapping", shown(node)));
            let keys: Vec<_> = section
                .keys
                .iter()
                .map(|k| format!("{}:", k.name))
                .collect();
            self.value(node, refusal.hint(format!("Write {}.", keys.join(", "))));
            return false;
        }
        for entry in node.entries() {
            if !section.keys.iter().any(|key| key.name == entry.key()) {
                let mut refusal = Refusal::new(format!("unknown key {}", quoted(entry.key())));
                refusal.hint = if entry.key().starts_with(|c: char| c.is_ascii_digit()) {
                    // `{ range: 0-12,000 rpm }` is two keys in YAML.
                    Some("Inside braces a comma ends the value; leave it out or quote.".to_owned())
                } else {
                    suggestion(entry.key(), section.keys.iter().map(|key| key.name))
                };
                self.key(entry, refusal);
            }
        }
        for key in section.keys.iter().filter(|key| key.required) {
            if node.get(key.name).is_none() {
                let refusal = Refusal::new(format!("`{}:` is missing", key.name));
                self.value(node, refusal.hint(format!("It is {}.", key.says)));
            }
        }
        true
    }

    /// Whether the node is a mapping; if not, the report shows how one is written.
    pub(crate) fn mapping(&mut self, node: Node<'_>, example: &str) -> bool {
        if !node.is_map() {
            let refusal = Refusal::new(format!("{} is not a mapping", shown(node)));
            self.value(
                node,
                refusal.hint(format!("Write for instance `{example}`.")),
            );
        }
        node.is_map()
    }

    /// The text of a scalar; reports anything else, and emptiness.
    pub(crate) fn text<'t>(&mut self, node: Node<'t>) -> Option<&'t str> {
        match node.scalar() {
            Some(text) if text.trim().is_empty() => {
                self.key(node, Refusal::new("has no value"));
                None
            }
            Some(text) => Some(text.trim()),
            None => {
                let cause = format!("{} stands where one value belongs", shown(node));
                self.value(node, Refusal::new(cause));
                None
            }
        }
    }

    /// A scalar, read by `reader`.
    pub(crate) fn read<T>(
        &mut self,
        node: Node<'_>,
        reader: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let text = self.text(node)?;
        match reader(text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.value(node, refusal);
                None
            }
        }
    }

    /// The same for a value that may be absent.
    pub(crate) fn read_if<T>(
        &mut self,
        node: Option<Node<'_>>,
        reader: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        self.read(node?, reader)
    }

    /// `true` or `false`; absent is `false`.
    pub(crate) fn flag(&mut self, node: Option<Node<'_>>) -> bool {
        let reader = |text: &str| match text {
            "true" | "yes" => Ok(true),
            "false" | "no" => Ok(false),
            other => Err(Refusal::new(format!(
                "{} is neither true nor false",
                quoted(other)
            ))),
        };
        self.read_if(node, reader).unwrap_or(false)
    }

    /// Every item of a list (or the single value), read by `reader`.
    pub(crate) fn read_each<T>(
        &mut self,
        node: Option<Node<'_>>,
        reader: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Vec<T> {
        let items = node.map(Node::items).unwrap_or_default();
        items
            .into_iter()
            .filter_map(|item| self.read(item, &reader))
            .collect()
    }
}

fn shown(node: Node<'_>) -> String {
    match node.scalar() {
        Some("") => "an empty value".to_owned(),
        Some(text) => quoted(text),
        None if node.is_list() => "a list".to_owned(),
        None => "a mapping".to_owned(),
    }
}
