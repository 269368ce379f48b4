//! Text to tree. Hostile text costs no more than its length: size, depth and nodes are bounded,
//! and what could multiply (anchors, aliases, merge keys) is refused.

use std::borrow::Cow;
use std::collections::BTreeSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::{Body, Entry, Place, Report, Step, Tree};
use crate::problems::{Refusal, quoted};

/// What a file may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of text.
    pub(crate) bytes: usize,
    /// Values, keys not counted.
    pub(crate) nodes: usize,
    /// Mappings and lists inside each other.
    pub(crate) depth: usize,
}

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// Reads one document. Problems go into the report; `None` if nothing can be read at all.
pub(crate) fn load(file: &str, text: &str, limits: Limits, report: &mut Report) -> Option<Tree> {
    let top = Place { line: 1, column: 1 };
    if text.len() > limits.bytes {
        let cause = format!("the file has {} bytes", text.len());
        let hint = format!("At most {} are read; split it.", limits.bytes);
        report.file(file, top, Refusal::new(cause).hint(hint));
        return None;
    }
    let mut builder = Builder {
        tree: Tree {
            file: file.into(),
            nodes: Vec::new(),
        },
        open: Vec::new(),
        limits,
        soft: Vec::new(),
        finished: false,
    };
    let mut outcome = Ok(());
    for event in Parser::new_from_str(text) {
        outcome = match event {
            Ok((event, span)) => builder.accept(event, span),
            Err(error) => Err((
                place(*error.marker()),
                Refusal::new(format!("not valid YAML: {}", error.info())),
            )),
        };
        if outcome.is_err() {
            break;
        }
    }
    let sound = outcome.is_ok();
    for (at, refusal) in builder.soft.drain(..).chain(outcome.err()) {
        report.file(file, at, refusal);
    }
    if sound && builder.tree.nodes.is_empty() {
        report.file(file, top, Refusal::new("the file is empty"));
    }
    (sound && !builder.tree.nodes.is_empty()).then_some(builder.tree)
}

fn place(mark: Marker) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        line: number(mark.line().max(1)),
        column: number(mark.col().saturating_add(1)),
    }
}

/// A mapping or list that has begun and not yet ended.
struct Open {
    id: u32,
    /// Of a mapping: the key that waits for its value.
    key: Option<(String, Place)>,
    seen: BTreeSet<String>,
    map: bool,
}

struct Builder {
    tree: Tree,
    open: Vec<Open>,
    limits: Limits,
    /// Problems that do not stop the reading.
    soft: Vec<(Place, Refusal)>,
    finished: bool,
}

type Accepted = Result<(), (Place, Refusal)>;

impl Builder {
    fn accept(&mut self, event: Event<'_>, span: Span) -> Accepted {
        let at = place(span.start);
        match event {
            Event::DocumentStart(_) if self.finished => Err((
                at,
                Refusal::new("a second document begins here")
                    .hint("Write one document per file; remove the `---`."),
            )),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {
                Ok(())
            }
            Event::DocumentEnd => {
                self.finished = true;
                Ok(())
            }
            Event::Alias(_) => Err((at, aliases_refused())),
            Event::Scalar(text, style, anchor, tag) => {
                self.plain_only(at, anchor, tag.is_some())?;
                self.scalar(at, text, style)
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain_only(at, anchor, tag.is_some())?;
                self.begin(at, false)
            }
            Event::MappingStart(anchor, tag) => {
                self.plain_only(at, anchor, tag.is_some())?;
                self.begin(at, true)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                Ok(())
            }
        }
    }

    fn plain_only(&mut self, at: Place, anchor: usize, tagged: bool) -> Accepted {
        if anchor != 0 {
            return Err((at, aliases_refused()));
        }
        if tagged {
            self.soft.push((
                at,
                Refusal::new("a tag (`!…`) is not supported").hint("Remove it."),
            ));
        }
        Ok(())
    }

    fn scalar(&mut self, at: Place, text: Cow<'_, str>, style: ScalarStyle) -> Accepted {
        if self.awaits_key() {
            return self.key(at, text.into_owned());
        }
        // An empty plain scalar is YAML's null: a key without a value. An empty quoted one is
        // just as empty, and no field of ours means something by it.
        let text = match style {
            ScalarStyle::Plain if matches!(&*text, "~" | "null") => String::new(),
            _ => text.into_owned(),
        };
        self.add(at, Body::Scalar(text)).map(|_| ())
    }

    fn awaits_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| open.map && open.key.is_none())
    }

    fn key(&mut self, at: Place, text: String) -> Accepted {
        if text.len() > KEY_BYTES_MAX {
            let cause = format!("key {} is too long", quoted(&text));
            let hint = format!("A key has at most {KEY_BYTES_MAX} bytes.");
            return Err((at, Refusal::new(cause).hint(hint)));
        }
        if text == "<<" {
            let refusal = Refusal::new("merge keys (`<<`) are not supported")
                .hint("Write the values out; profiles share them with `extends:`.");
            return Err((at, refusal));
        }
        if let Some(open) = self.open.last_mut() {
            if !open.seen.insert(text.clone()) {
                let cause = format!("key {} is written twice", quoted(&text));
                self.soft
                    .push((at, Refusal::new(cause).hint("Keep one of them.")));
            }
            open.key = Some((text, at));
        }
        Ok(())
    }

    fn begin(&mut self, at: Place, map: bool) -> Accepted {
        if self.awaits_key() {
            let refusal = Refusal::new("a key must be a word, not a list or a mapping");
            return Err((at, refusal));
        }
        if self.open.len() >= self.limits.depth {
            let cause = format!("nested deeper than {} levels", self.limits.depth);
            return Err((at, Refusal::new(cause)));
        }
        let body = if map {
            Body::Map(Vec::new())
        } else {
            Body::List(Vec::new())
        };
        let id = self.add(at, body)?;
        self.open.push(Open {
            id,
            key: None,
            seen: BTreeSet::new(),
            map,
        });
        Ok(())
    }

    fn add(&mut self, at: Place, body: Body) -> Result<u32, (Place, Refusal)> {
        let count = self.tree.nodes.len();
        let id = match u32::try_from(count) {
            Ok(id) if count < self.limits.nodes => id,
            _ => {
                let cause = format!("more than {} values", self.limits.nodes);
                return Err((at, Refusal::new(cause)));
            }
        };
        let (parent, step) = match self.open.last_mut() {
            None => (0, Step::Top),
            Some(open) => {
                let siblings = match &mut self.tree.nodes[open.id as usize].body {
                    Body::List(children) | Body::Map(children) => children,
                    Body::Scalar(_) => return Err((at, Refusal::new("a scalar has no children"))),
                };
                let step = match open.key.take() {
                    Some((key, at)) => Step::Key(key, at),
                    None => Step::Item(siblings.len()),
                };
                siblings.push(id);
                (open.id, step)
            }
        };
        self.tree.nodes.push(Entry {
            at,
            parent,
            step,
            body,
        });
        Ok(id)
    }
}

fn aliases_refused() -> Refusal {
    Refusal::new("anchors and aliases (`&x`, `*x`) are not supported")
        .hint("Write the value out; profiles share values with `extends:`.")
}
