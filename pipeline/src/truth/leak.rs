//! What left a device while it was attacked: its bytes to the other end of the attack, as the
//! captures pass by.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use andon_lab::report::Leak;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{FlowRecord, Record, RecordBody};
use andon_schemas::time::{EventTime, Span};
use andon_simulator::Label;

/// Open flows whose totals so far are remembered, for each attack; what goes beyond counts anew.
const OPEN_MAX: usize = 4_096;

/// Bytes of every attack.
#[derive(Debug, Default)]
pub struct Leaks {
    watches: Vec<Watch>,
    /// Attacks by the other end that their label names.
    by_peer: HashMap<IpAddr, Vec<usize>>,
    /// Attacks whose labels name none.
    by_any: Vec<usize>,
}

/// One attack that is watched.
#[derive(Debug)]
struct Watch {
    label: Label,
    /// Bytes by the minute in which they were told.
    minutes: BTreeMap<i64, u64>,
    /// Totals so far of flows that have not ended, by uid.
    open: HashMap<String, u64>,
}

impl Leaks {
    /// Begins to watch for attacks, in the order of their labels; those on a ladder are left out.
    pub fn of(labels: &[Label]) -> Self {
        let mut leaks = Self::default();
        for label in labels.iter().filter(|l| l.ladder_factor().is_none()) {
            let at = leaks.watches.len();
            match label.peer {
                Some(peer) => leaks.by_peer.entry(peer).or_default().push(at),
                None => leaks.by_any.push(at),
            }
            leaks.watches.push(Watch {
                label: label.clone(),
                minutes: BTreeMap::new(),
                open: HashMap::new(),
            });
        }
        leaks
    }

    /// Whether anything is watched for.
    pub fn is_any_watched(&self) -> bool {
        !self.watches.is_empty()
    }

    /// A record passes by.
    pub fn see(&mut self, record: &Record, inventory: &Inventory) {
        let RecordBody::Flow(flow) = &record.body else {
            return;
        };
        if self.watches.is_empty() {
            return;
        }
        let (orig, resp) = (flow.originator.address, flow.responder.address);
        for (device, peer, bytes) in [
            (orig, resp, flow.originator_bytes),
            (resp, orig, flow.responder_bytes),
        ] {
            let Some(bytes) = bytes else {
                continue;
            };
            let named = self.by_peer.get(&peer).map_or(&[][..], Vec::as_slice);
            let is_outside = !self.by_any.is_empty() && !inventory.is_inside(peer);
            let any = if is_outside { &self.by_any[..] } else { &[] };
            for at in named.iter().chain(any) {
                let watch = &mut self.watches[*at];
                if watch.is_during(record.event_time) && watch.is_about(device, inventory) {
                    watch.take(record.event_time, flow, bytes);
                }
            }
        }
    }

    /// What left during each attack, in the order of their labels; `None` if no flow of it was
    /// seen. `delays` say how long after its beginning each was found, in seconds.
    pub fn told<'a>(
        &'a self,
        delays: impl Iterator<Item = Option<f64>> + 'a,
    ) -> impl Iterator<Item = Option<Leak>> + 'a {
        self.watches.iter().zip(delays).map(|(watch, delay)| {
            let found = delay.map(|delay| minute(watch.label.start + span(delay)));
            // The flow that proves an attack has ended with the moment of its finding: what is told
            // in the same minute has left.
            let before = |at: &i64| found.is_none_or(|found| *at <= found);
            let minutes = watch.minutes.iter();
            let early = minutes.filter(|(at, _)| before(at)).map(|(_, n)| n);
            (!watch.minutes.is_empty()).then(|| Leak {
                before_found: early.sum(),
                total: watch.minutes.values().sum(),
            })
        })
    }
}

impl Watch {
    /// Whether it is this address that is attacked. Nobody may have listed it.
    fn is_about(&self, address: IpAddr, inventory: &Inventory) -> bool {
        match inventory.id_at(address) {
            Some(device) => *device == self.label.device,
            None => DeviceId::of_address(address) == self.label.device,
        }
    }

    fn is_during(&self, at: EventTime) -> bool {
        at >= self.label.start && at <= self.label.end + Span::MINUTE
    }

    fn take(&mut self, at: EventTime, flow: &FlowRecord, bytes: u64) {
        // Interim records say totals: what they told already is not told again.
        let so_far = flow
            .uid
            .as_ref()
            .map_or(0, |uid| self.open.remove(uid.as_str()).unwrap_or(0));
        if flow.interim
            && let Some(uid) = &flow.uid
            && self.open.len() < OPEN_MAX
        {
            self.open.insert(uid.to_string(), bytes.max(so_far));
        }
        *self.minutes.entry(minute(at)).or_default() += bytes.saturating_sub(so_far);
    }
}

fn minute(at: EventTime) -> i64 {
    at.micros().div_euclid(Span::MINUTE.micros())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is too large for a span is cut to the longest"
)]
fn span(seconds: f64) -> Span {
    Span::from_micros((seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    use andon_schemas::builtin;
    use andon_schemas::wire::{DecodeOptions, decode};
    use serde_json::json;

    use super::*;

    fn label(peer: Option<&str>) -> Label {
        serde_json::from_value(json!({
            "attack": "a", "device": "cnc-controller-01-0001", "peer": peer,
            "start": "2025-12-14T02:00:00Z", "end": "2025-12-14T03:00:00Z",
            "expected_grade": "LOW", "detectors": [], "later": false, "note": "",
        }))
        .unwrap()
    }

    fn flow(minute: u32, to: &str, bytes: u64, more: &str) -> Record {
        let line = format!(
            r#"{{"v":1,"kind":"flow","time":"2025-12-14T02:{minute:02}:00Z","orig":"10.1.10.1:4","resp":"{to}:443","transport":"tcp","orig_bytes":{bytes},"resp_bytes":7{more}}}"#
        );
        decode(line.as_bytes(), DecodeOptions::default()).unwrap()
    }

    fn told(label: Label, flows: &[Record], delay: Option<f64>) -> Option<Leak> {
        let inventory = builtin::inventory().unwrap();
        let mut leaks = Leaks::of(&[label]);
        for flow in flows {
            leaks.see(flow, &inventory);
        }
        leaks.told([delay].into_iter()).next().unwrap()
    }

    #[test]
    fn what_went_to_the_peer_is_parted_by_the_moment_it_was_found() {
        let flows = [
            flow(1, "203.0.113.9", 100, ""),
            flow(2, "10.1.50.10", 1_000, ""),
            flow(20, "203.0.113.9", 10, ""),
        ];
        let leak = |before_found, total| {
            Some(Leak {
                before_found,
                total,
            })
        };
        let peer = Some("203.0.113.9");
        assert_eq!(told(label(peer), &flows, Some(600.0)), leak(100, 110));
        assert_eq!(told(label(peer), &flows, Some(0.0)), leak(0, 110));
        assert_eq!(told(label(peer), &flows, None), leak(110, 110));
        // Without a peer, whatever goes outside.
        assert_eq!(told(label(None), &flows, None), leak(110, 110));
        assert_eq!(told(label(Some("203.0.113.8")), &flows, None), None);
    }

    #[test]
    fn totals_of_flows_that_go_on_count_once() {
        let open = r#","uid":"C1","interim":true"#;
        let flows = [
            flow(1, "203.0.113.9", 100, open),
            flow(2, "203.0.113.9", 250, open),
            flow(3, "203.0.113.9", 300, r#","uid":"C1""#),
        ];
        let leak = told(label(None), &flows, Some(150.0)).unwrap();
        assert_eq!((leak.before_found, leak.total), (250, 300));
    }

    #[test]
    fn the_flow_that_proves_an_attack_had_left_when_it_was_found() {
        let flows = [flow(5, "203.0.113.9", 5_000, "")];
        let leak = told(label(None), &flows, Some(300.0)).unwrap();
        assert_eq!((leak.before_found, leak.total), (5_000, 5_000));
    }

    #[test]
    fn what_an_address_sent_that_nobody_listed_is_counted_too() {
        let mut label = label(Some("203.0.113.9"));
        label.device = DeviceId::of_address("192.0.2.7".parse().unwrap());
        let mut stranger = flow(5, "203.0.113.9", 70, "");
        if let RecordBody::Flow(flow) = &mut stranger.body {
            flow.originator.address = "192.0.2.7".parse().unwrap();
        }
        let leak = told(label, &[stranger], None).unwrap();
        assert_eq!(leak.total, 70);
    }
}
