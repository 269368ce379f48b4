//! Which episode of one side is which of the other.
//!
//! An id is made of the device, the moment and the detector that opened the episode. Under other
//! profiles another detector may open it, or the same one a row later, and then the id is another
//! although the event is the same: what is left over after the ids is matched by device and time.

use std::collections::BTreeMap;

use andon_schemas::time::EventTime;

use super::Raised;

/// An episode on either side, or on one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) before: Option<Raised<'a>>,
    pub(super) after: Option<Raised<'a>>,
}

impl<'a> Pair<'a> {
    /// The episode after, or the one before if there is none.
    pub(super) fn either(&self) -> Option<Raised<'a>> {
        self.after.or(self.before)
    }
}

/// From its opening to its last finding.
fn stretch(episode: &Raised) -> (EventTime, EventTime) {
    let last = episode.last;
    (last.event_time, last.window.end.max(last.event_time))
}

/// Whether two episodes were open at the same time.
pub(super) fn overlap(one: &Raised, other: &Raised) -> bool {
    let ((a, b), (c, d)) = (stretch(one), stretch(other));
    a <= d && c <= b
}

/// Every episode of both sides, each once.
pub(super) fn up<'a>(before: &[Raised<'a>], after: &[Raised<'a>]) -> Vec<Pair<'a>> {
    let mut left: BTreeMap<&str, Raised<'a>> = BTreeMap::new();
    for episode in after {
        left.insert(&episode.last.verdict_id, *episode);
    }
    let mut pairs: Vec<Pair> = Vec::with_capacity(before.len());
    let mut single = Vec::new();
    for episode in before {
        match left.remove(episode.last.verdict_id.as_str()) {
            Some(same) => pairs.push(Pair {
                before: Some(*episode),
                after: Some(same),
            }),
            None => single.push(*episode),
        }
    }
    let mut by_device: BTreeMap<&str, Vec<Raised<'a>>> = BTreeMap::new();
    for episode in left.into_values() {
        let device = episode.last.device_id.as_str();
        by_device.entry(device).or_default().push(episode);
    }
    for episodes in by_device.values_mut() {
        episodes.sort_by_key(|episode| episode.last.event_time);
    }
    single.sort_by_key(|episode| episode.last.event_time);
    for episode in single {
        let others = by_device.get_mut(episode.last.device_id.as_str());
        let same = others.and_then(|others| {
            let at = others.iter().position(|other| overlap(&episode, other))?;
            Some(others.remove(at))
        });
        pairs.push(Pair {
            before: Some(episode),
            after: same,
        });
    }
    pairs.extend(by_device.into_values().flatten().map(|episode| Pair {
        before: None,
        after: Some(episode),
    }));
    pairs
}
