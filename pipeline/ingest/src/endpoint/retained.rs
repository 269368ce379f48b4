//! The last retained message of each topic (the risk of every device), for readers that come
//! later. Bounded by bytes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::topic::Filter;

/// Topics looked at under one hold of the lock, so that a replay does not delay publishing.
const LOOKED_AT_MAX: usize = 1_024;

/// Some of the messages that match a filter.
#[derive(Debug)]
pub(super) struct Page {
    /// Topics and payloads, in topic order.
    pub(super) messages: Vec<(String, Arc<[u8]>)>,
    /// The topic to go on after; `None` when all have been seen.
    pub(super) rest: Option<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Retained {
    messages: BTreeMap<String, Arc<[u8]>>,
    /// Topics and payloads together.
    bytes: usize,
}

impl Retained {
    /// Keeps the message instead of the topic's last one; an empty payload forgets the topic
    /// (v5 §3.3.1.3). False if it does not fit; then the topic is forgotten, since a newcomer is
    /// better served with nothing than with what is no longer true.
    pub(super) fn keep(&mut self, topic: &str, payload: &[u8], bytes_max: usize) -> bool {
        if let Some(old) = self.messages.remove(topic) {
            self.bytes -= topic.len() + old.len();
        }
        if payload.is_empty() {
            return true;
        }
        let size = topic.len() + payload.len();
        if self.bytes + size > bytes_max {
            return false;
        }
        self.bytes += size;
        self.messages.insert(topic.to_owned(), payload.into());
        true
    }

    /// Messages that match the filter, from the first topic after `after` on, about `bytes` of
    /// them. A page may be empty and still not be the last.
    pub(super) fn page(&self, filter: &Filter, after: Option<&str>, bytes: usize) -> Page {
        let prefix = filter.prefix();
        let start = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut messages = Vec::new();
        let mut size = 0;
        for (seen, (topic, payload)) in self
            .messages
            .range::<str, _>((start, Bound::Unbounded))
            .enumerate()
        {
            if !topic.starts_with(prefix) {
                break;
            }
            if filter.matches(topic) {
                size += topic.len() + payload.len();
                messages.push((topic.clone(), Arc::clone(payload)));
            }
            if size >= bytes || seen + 1 >= LOOKED_AT_MAX {
                return Page {
                    messages,
                    rest: Some(topic.clone()),
                };
            }
        }
        Page {
            messages,
            rest: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(retained: &Retained, filter: &str, bytes: usize) -> Vec<String> {
        let filter = Filter::parse(filter, 512).unwrap();
        let (mut topics, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = retained.page(&filter, after.as_deref(), bytes);
            topics.extend(page.messages.into_iter().map(|(topic, _)| topic));
            if page.rest.is_none() {
                return topics;
            }
            after = page.rest;
        }
    }

    #[test]
    fn a_replay_in_pieces_yields_every_match_once() {
        let mut retained = Retained::default();
        for device in 0..3_000 {
            for kind in ["risk", "enforcement"] {
                assert!(retained.keep(&format!("out/s/d{device:04}/{kind}"), b"x", usize::MAX));
            }
        }
        retained.keep("other", b"x", usize::MAX);
        for bytes in [1, 500, usize::MAX] {
            let topics = all(&retained, "out/+/+/risk", bytes);
            assert_eq!(topics.len(), 3_000);
            assert!(topics.is_sorted());
        }
        assert_eq!(all(&retained, "out/s/d0007/risk", 1), ["out/s/d0007/risk"]);
        assert_eq!(all(&retained, "out/s/d0007/#", 9).len(), 2);
    }

    #[test]
    fn the_bound_holds_and_an_update_that_does_not_fit_leaves_no_stale_value() {
        let mut retained = Retained::default();
        assert!(retained.keep("a", &[1; 9], 20));
        assert!(retained.keep("a", &[2; 9], 20));
        assert!(retained.keep("b", &[1; 9], 20));
        assert!(!retained.keep("c", &[1], 20));
        assert!(!retained.keep("a", &[3; 10], 20));
        assert_eq!(all(&retained, "#", 1), ["b"]);
    }

    #[test]
    fn an_empty_payload_forgets_the_topic() {
        let mut retained = Retained::default();
        retained.keep("a", b"x", 10);
        assert!(retained.keep("a", b"", 10));
        assert!(all(&retained, "#", 1).is_empty());
        assert_eq!(retained.bytes, 0);
    }
}
