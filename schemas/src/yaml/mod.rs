//! YAML as people write it, with the place of every key and value kept.
//!
//! `load` turns text into a [`Tree`]; the readers of profiles and inventories walk it through
//! [`Node`] and put what they cannot accept into a [`Report`]. `section` describes which keys a
//! mapping may have, once, for the reader and for the generated JSON Schema alike.

mod load;
mod report;
mod section;
mod text;

pub(crate) use load::{Limits, load};
pub(crate) use report::Report;
pub(crate) use section::{Key, Section, Shape, schema};
pub(crate) use text::{flow, listed, quote, scalar};

use std::sync::Arc;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: u32,
    /// In characters, from 1.
    pub(crate) column: u32,
}

/// One file as a tree. Nodes lie in an arena and know their parent, so a path is only spelled out
/// for the few nodes that a problem is about.
#[derive(Debug)]
pub(crate) struct Tree {
    file: Arc<str>,
    nodes: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    at: Place,
    parent: u32,
    step: Step,
    body: Body,
}

/// How a node is reached from its parent.
#[derive(Debug)]
enum Step {
    Top,
    Key(String, Place),
    Item(usize),
}

#[derive(Debug)]
enum Body {
    Scalar(String),
    List(Vec<u32>),
    Map(Vec<u32>),
}

impl Tree {
    /// The node everything hangs on.
    pub(crate) fn top(&self) -> Node<'_> {
        Node { tree: self, id: 0 }
    }

    /// The file it came from.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }
}

/// A value in a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'t> {
    tree: &'t Tree,
    id: u32,
}

impl<'t> Node<'t> {
    fn entry(self) -> &'t Entry {
        &self.tree.nodes[self.id as usize]
    }

    fn child(self, id: u32) -> Self {
        Self { id, ..self }
    }

    /// The file it stands in.
    pub(crate) fn file(self) -> &'t str {
        self.tree.file()
    }

    /// Where the value begins.
    pub(crate) fn place(self) -> Place {
        self.entry().at
    }

    /// Where its key stands; where there is none, where the value begins.
    pub(crate) fn key_place(self) -> Place {
        match &self.entry().step {
            Step::Key(_, at) => *at,
            Step::Top | Step::Item(_) => self.entry().at,
        }
    }

    /// The key it stands under, empty in a list.
    pub(crate) fn key(self) -> &'t str {
        match &self.entry().step {
            Step::Key(key, _) => key,
            Step::Top | Step::Item(_) => "",
        }
    }

    /// `destinations[2].share`; empty for the top.
    pub(crate) fn path(self) -> String {
        let mut steps = Vec::new();
        let mut node = self;
        while node.id != 0 {
            steps.push(&node.entry().step);
            node = self.child(node.entry().parent);
        }
        let steps = steps.iter().rev().enumerate();
        steps
            .map(|(depth, step)| match step {
                Step::Key(key, _) if depth == 0 => key.clone(),
                Step::Key(key, _) => format!(".{key}"),
                Step::Item(at) => format!("[{at}]"),
                Step::Top => String::new(),
            })
            .collect()
    }

    /// The text of a scalar.
    pub(crate) fn scalar(self) -> Option<&'t str> {
        match &self.entry().body {
            Body::Scalar(text) => Some(text),
            Body::List(_) | Body::Map(_) => None,
        }
    }

    /// Whether it is a mapping.
    pub(crate) fn is_map(self) -> bool {
        matches!(self.entry().body, Body::Map(_))
    }

    /// Whether it is a list.
    pub(crate) fn is_list(self) -> bool {
        matches!(self.entry().body, Body::List(_))
    }

    /// The values of a mapping in the order written; nothing for anything else.
    pub(crate) fn entries(self) -> impl Iterator<Item = Self> {
        let children: &[u32] = match &self.entry().body {
            Body::Map(children) => children,
            Body::Scalar(_) | Body::List(_) => &[],
        };
        children.iter().map(move |id| self.child(*id))
    }

    /// The items of a list; anything else is a list of one.
    pub(crate) fn items(self) -> Vec<Self> {
        match &self.entry().body {
            Body::List(children) => children.iter().map(|id| self.child(*id)).collect(),
            Body::Scalar(_) | Body::Map(_) => vec![self],
        }
    }

    /// The value under a key of a mapping.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        self.entries().find(|node| node.key() == key)
    }
}

#[cfg(test)]
mod tests;
