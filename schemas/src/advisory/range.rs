//! Which versions an advisory speaks of: `*`, `<V2.9.4`, `>= 2.0 | < 2.2`, `vers:generic/<2.9.4`,
//! `All versions prior to V2`, `2.3.6 and below`, `11.x`. What cannot be read, or cannot be compared,
//! is neither in nor out.

mod pairs;

use std::cmp::Ordering;

use self::pairs::Side;
use super::version::{Version, by_semver};
use super::words::{Operator, constraints_of, decoded, from_to, scheme, without_all};

/// Longest range that is read, in bytes.
const RANGE_BYTES_MAX: usize = 2_048;
/// Most constraints of one range.
const CONSTRAINTS_MAX: usize = 64;

/// How versions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As [`Version`] orders them.
    Usual,
    /// Semantic Versioning.
    Semver,
}

impl Order {
    fn compare(self, version: &Version, bound: &Version) -> Option<Ordering> {
        match self {
            Self::Semver if !bound.is_open() => by_semver(version.as_str(), bound.as_str()),
            _ => version.compare_to_bound(bound),
        }
    }
}

/// A set of versions.
#[derive(Clone, Debug)]
pub struct Range {
    text: String,
    order: Order,
    /// Those that are in, if they lie in any of these.
    spans: Vec<Span>,
    /// Those that are out all the same.
    except: Vec<Version>,
    /// Something in it could not be read.
    is_unclear: bool,
}

/// From one version to another; without a bound on a side, all there.
#[derive(Clone, Debug, Default)]
struct Span {
    low: Option<Bound>,
    high: Option<Bound>,
}

#[derive(Clone, Debug)]
struct Bound {
    version: Version,
    is_in: bool,
}

impl Range {
    /// Every version.
    pub fn all() -> Self {
        Self {
            spans: vec![Span::default()],
            ..Self::unclear("*")
        }
        .clear()
    }

    /// A range of which nothing can be told.
    pub fn unclear(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            order: Order::Usual,
            spans: Vec::new(),
            except: Vec::new(),
            is_unclear: true,
        }
    }

    fn clear(mut self) -> Self {
        self.is_unclear = false;
        self
    }

    /// Reads a range. There is nothing that it refuses: what cannot be read is neither in nor out.
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() || text.len() > RANGE_BYTES_MAX {
            return Self::unclear(&text.chars().take(60).collect::<String>());
        }
        let mut range = Self::unclear(text).clear();
        let spaced = text.replace('≤', "<=").replace('≥', ">=");
        let spaced = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut body = spaced.as_str();
        let mut is_sorted = false;
        if let Some((scheme, rest)) = scheme(body) {
            is_sorted = true;
            if matches!(scheme.as_str(), "semver" | "npm") {
                range.order = Order::Semver;
            }
            body = rest;
        }
        let body = decoded(body);
        let stripped = without_all(&body);
        let is_all = stripped.len() < body.len() && stripped.is_empty();
        if is_all || matches!(stripped, "*" | "vers:all/*") {
            range.spans.push(Span::default());
            return range;
        }
        range.constraints(stripped, is_sorted);
        if range.spans.is_empty() && !range.except.is_empty() {
            range.spans.push(Span::default());
        }
        range.is_unclear |= range.spans.is_empty();
        range
    }

    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it has every version in it.
    pub fn is_all(&self) -> bool {
        let is_open = |span: &Span| span.low.is_none() && span.high.is_none();
        self.except.is_empty() && self.spans.iter().any(is_open)
    }

    /// The single version it stands for, if it does.
    pub fn single(&self) -> Option<&str> {
        let [span] = &self.spans[..] else { return None };
        let (low, high) = (span.low.as_ref()?, span.high.as_ref()?);
        (low.version.as_str() == high.version.as_str()).then(|| low.version.as_str())
    }

    /// The version at which it ends and which is not in it any more: `V2.9.4` of `<V2.9.4`. Where
    /// it has several pieces, the end of the one that this version is in.
    pub(super) fn ends_before(&self, version: Option<&Version>) -> Option<&str> {
        let span = match (&self.spans[..], version) {
            _ if self.is_unclear => return None,
            ([span], _) => span,
            (spans, version) => {
                let version = version?;
                let is_here = |span: &&Span| self.spans(span, version) == Some(true);
                spans.iter().find(is_here)?
            }
        };
        let high = span.high.as_ref().filter(|high| !high.is_in)?;
        Some(high.version.as_str())
    }

    /// Whether a version is in it; `None` if that cannot be told. Without a version that is only
    /// known of a range of all.
    pub fn contains(&self, version: Option<&Version>) -> Option<bool> {
        if self.is_all() {
            return Some(true);
        }
        let version = version?;
        let mut told = if self.is_unclear { None } else { Some(false) };
        for span in &self.spans {
            match self.spans(span, version) {
                Some(true) => {
                    told = Some(true);
                    break;
                }
                Some(false) => {}
                None => told = None,
            }
        }
        if told == Some(false) {
            return told;
        }
        for out in &self.except {
            match self.order.compare(version, out) {
                Some(Ordering::Equal) => return Some(false),
                Some(_) => {}
                None => told = None,
            }
        }
        told
    }

    fn spans(&self, span: &Span, version: &Version) -> Option<bool> {
        let side = |bound: &Option<Bound>, inside: Ordering| match bound {
            None => Some(true),
            Some(bound) => {
                let order = self.order.compare(version, &bound.version)?;
                Some(order == inside || (bound.is_in && order == Ordering::Equal))
            }
        };
        match (
            side(&span.low, Ordering::Greater),
            side(&span.high, Ordering::Less),
        ) {
            // Out on one side is out, whatever the other one says.
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    /// Takes the constraints of a text in, and makes spans of its bounds.
    fn constraints(&mut self, text: &str, is_sorted: bool) {
        let mut bounds = Vec::new();
        let mut taken = 0;
        for chunk in text.split(['|', ',', ';']) {
            let chunk = chunk.trim();
            // Behind a scheme a dash is a part of one version, and words are a mistake.
            let is_dashed = is_sorted && !chunk.contains(' ');
            if let Some((from, to)) = from_to(chunk).filter(|_| !is_dashed) {
                match (bound(from), bound(to)) {
                    (Some(from), Some(to)) if !is_sorted => self.span(Some(from), Some(to)),
                    _ => self.is_unclear = true,
                }
                continue;
            }
            let mut has_high = false;
            for (operator, version) in constraints_of(chunk) {
                taken += 1;
                let Some(version) = Version::read(version).filter(|_| taken <= CONSTRAINTS_MAX)
                else {
                    self.is_unclear = true;
                    continue;
                };
                let is_in = !matches!(operator, Operator::Less | Operator::Greater);
                let bound = Bound { version, is_in };
                match operator {
                    Operator::NotEqual => self.except.push(bound.version),
                    Operator::Equal => self.span(Some(bound.clone()), Some(bound)),
                    Operator::Greater | Operator::GreaterOrEqual => bounds.push(Side::Low(bound)),
                    Operator::Less | Operator::LessOrEqual => {
                        // Two upper bounds at once say something that is not understood here.
                        self.is_unclear |= has_high;
                        has_high = true;
                        bounds.push(Side::High(bound));
                    }
                }
            }
        }
        let pairs = if is_sorted {
            pairs::sorted(bounds, self.order)
        } else {
            pairs::as_written(bounds, self.order)
        };
        self.is_unclear |= pairs.is_unclear;
        self.spans.extend(pairs.spans);
    }

    fn span(&mut self, low: Option<Bound>, high: Option<Bound>) {
        self.spans.push(Span { low, high });
    }
}

fn bound(text: &str) -> Option<Bound> {
    let version = Version::read(text)?;
    Some(Bound {
        version,
        is_in: true,
    })
}
