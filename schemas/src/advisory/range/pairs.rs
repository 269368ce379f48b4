//! Which lower bound goes with which upper one.

use std::cmp::Ordering;

use super::{Bound, Order, Span};

/// A bound and the side on which it stands.
#[derive(Clone, Debug)]
pub(super) enum Side {
    Low(Bound),
    High(Bound),
}

/// The spans between bounds.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) spans: Vec<Span>,
    /// What they say together is not understood.
    pub(super) is_unclear: bool,
}

impl Side {
    const fn bound(&self) -> &Bound {
        match self {
            Self::Low(bound) | Self::High(bound) => bound,
        }
    }
}

impl Pairs {
    const UNCLEAR: Self = Self {
        spans: Vec::new(),
        is_unclear: true,
    };

    fn span(&mut self, low: Option<Bound>, high: Option<Bound>) {
        self.spans.push(Span { low, high });
    }
}

/// The bounds of a version range specifier: they are meant in the order of their versions, however
/// they are written. Of bounds that have no order nothing can be told.
pub(super) fn sorted(bounds: Vec<Side>, order: Order) -> Pairs {
    let mut sides: Vec<Side> = Vec::with_capacity(bounds.len());
    for side in bounds {
        let mut place = sides.len();
        for (at, before) in sides.iter().enumerate().rev() {
            match compare(side.bound(), before.bound(), order) {
                Some(Ordering::Less) => place = place.min(at),
                Some(Ordering::Greater) => {}
                // A version stands there once at most.
                Some(Ordering::Equal) | None => return Pairs::UNCLEAR,
            }
        }
        sides.insert(place, side);
    }
    let mut pairs = Pairs::default();
    let mut low: Option<Bound> = None;
    let mut sides = sides.into_iter().peekable();
    while let Some(side) = sides.next() {
        match side {
            // Of several in a row the widest counts.
            Side::Low(bound) => drop(low.get_or_insert(bound)),
            Side::High(_) if matches!(sides.peek(), Some(Side::High(_))) => {}
            Side::High(bound) => pairs.span(low.take(), Some(bound)),
        }
    }
    if low.is_some() {
        pairs.span(low, None);
    }
    pairs
}

/// Bounds as people write them. A lower and an upper one that follow each other make a span, in
/// either order: `<2.2, >=2.0`. Where nothing lies between them, each stands for itself:
/// `<1.0 | >=2.0`.
pub(super) fn as_written(bounds: Vec<Side>, order: Order) -> Pairs {
    let mut pairs = Pairs::default();
    let mut waiting: Option<Side> = None;
    for side in bounds {
        waiting = match (waiting, side) {
            (None, side) => Some(side),
            (Some(Side::High(before)), Side::High(bound)) => {
                pairs.span(None, Some(before));
                Some(Side::High(bound))
            }
            (Some(Side::Low(before)), Side::Low(bound)) => {
                // Both, or one of them? What is in either way is above the higher one.
                pairs.is_unclear = true;
                let is_higher = compare(&bound, &before, order) != Some(Ordering::Less);
                Some(Side::Low(if is_higher { bound } else { before }))
            }
            (Some(Side::Low(low)), Side::High(high)) | (Some(Side::High(high)), Side::Low(low)) => {
                match overlap(&low, &high, order) {
                    Some(false) => {
                        pairs.span(None, Some(high));
                        Some(Side::Low(low))
                    }
                    told => {
                        pairs.is_unclear |= told.is_none();
                        pairs.span(Some(low), Some(high));
                        None
                    }
                }
            }
        };
    }
    match waiting {
        Some(Side::Low(low)) => pairs.span(Some(low), None),
        Some(Side::High(high)) => pairs.span(None, Some(high)),
        None => {}
    }
    pairs
}

/// Whether there is something between two bounds; `None` if that cannot be told, or if they meet in
/// a version that is not in both: whoever writes that means something else.
fn overlap(low: &Bound, high: &Bound, order: Order) -> Option<bool> {
    match compare(low, high, order)? {
        Ordering::Less => Some(true),
        Ordering::Greater => Some(false),
        Ordering::Equal => (low.is_in && high.is_in).then_some(true),
    }
}

/// The order of the versions of two bounds, of which one may be open at its end.
fn compare(ours: &Bound, theirs: &Bound, order: Order) -> Option<Ordering> {
    let (ours, theirs) = (&ours.version, &theirs.version);
    if ours.is_open() {
        return order.compare(theirs, ours).map(Ordering::reverse);
    }
    order.compare(ours, theirs)
}
