//! Flows that are told in several records: running totals counted by difference, and the same
//! record told twice.

use andon_schemas::columns::FlowRow;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

use crate::fingerprint;

/// Open flows remembered per device.
const OPEN_MAX: usize = 64;
/// Fingerprints of the last records remembered per device.
const RECENT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenFlow {
    uid: u64,
    up: u64,
    down: u64,
    told: EventTime,
}

/// Totals of the flows of one device that have not ended, least recently told first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenFlows(Vec<OpenFlow>);

/// What one record adds to what was known of its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Increment {
    /// Bytes sent since the last record.
    pub(crate) up: u64,
    /// Bytes received since the last record.
    pub(crate) down: u64,
    /// Since when.
    pub(crate) from: EventTime,
    /// The first record of its flow.
    pub(crate) first: bool,
    /// Another flow was forgotten to make room.
    pub(crate) evicted: bool,
}

impl Increment {
    /// The whole of a flow of which nothing was told before.
    pub(crate) fn whole(flow: &FlowRow) -> Self {
        Self {
            up: flow.up.unwrap_or(0),
            down: flow.down.unwrap_or(0),
            from: flow.start,
            first: true,
            evicted: false,
        }
    }
}

impl OpenFlow {
    /// What a record adds to these totals, which then become the record's.
    fn tell(&mut self, flow: &FlowRow, at: EventTime) -> Increment {
        // A total that is not given has not moved.
        let (up, down) = (flow.up.unwrap_or(self.up), flow.down.unwrap_or(self.down));
        let mut increment = Increment {
            up: 0,
            down: 0,
            from: self.told.min(at),
            first: false,
            evicted: false,
        };
        // A straggler's bytes are in the totals already.
        if at < self.told && up <= self.up && down <= self.down {
            return increment;
        }
        // A total below the last one is a counter that started again, and counts in full.
        increment.up = up.checked_sub(self.up).unwrap_or(up);
        increment.down = down.checked_sub(self.down).unwrap_or(down);
        (self.up, self.down, self.told) = (up, down, at.max(self.told));
        increment
    }
}

impl OpenFlows {
    /// Counts a record of a flow with an id.
    pub(crate) fn tell(&mut self, uid: &str, flow: &FlowRow, at: EventTime) -> Increment {
        let uid = fingerprint(uid, &[]);
        let known = self.0.iter().position(|open| open.uid == uid);
        let mut open = known.map_or(
            OpenFlow {
                uid,
                up: flow.up.unwrap_or(0),
                down: flow.down.unwrap_or(0),
                told: at,
            },
            |known| self.0.remove(known),
        );
        let mut increment = match known {
            Some(_) => open.tell(flow, at),
            None => Increment::whole(flow),
        };
        if flow.interim {
            if self.0.len() >= OPEN_MAX {
                self.0.remove(0);
                increment.evicted = true;
            }
            self.0.push(open);
        }
        increment
    }
}

/// Fingerprints of the last flow records of one device, a ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecentFlows {
    seen: [u64; RECENT],
    next: u8,
}

impl Default for RecentFlows {
    fn default() -> Self {
        Self {
            seen: [0; RECENT],
            next: 0,
        }
    }
}

impl RecentFlows {
    /// Some value out of each of its cache lines.
    pub(crate) fn touch(&self) -> u64 {
        self.seen[0] ^ self.seen[RECENT / 2] ^ self.seen[RECENT - 1]
    }

    /// Takes a record; `false` if the same id, end and totals were seen lately.
    pub(crate) fn admit(&mut self, uid: &str, flow: &FlowRow, at: EventTime) -> bool {
        let numbers = [
            at.micros().cast_unsigned(),
            flow.up.unwrap_or(0),
            flow.down.unwrap_or(0),
            // A device that talks to itself tells both ends of one flow.
            u64::from(flow.interim) << 8 | flow.role as u64,
        ];
        let print = fingerprint(uid, &numbers);
        if self.seen.contains(&print) {
            return false;
        }
        let next = usize::from(self.next) % RECENT;
        self.seen[next] = print;
        self.next = u8::try_from((next + 1) % RECENT).unwrap_or(0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_schemas::observation::{ByteKind, ConnState, Role, Transport};

    fn at(seconds: i64) -> EventTime {
        EventTime::from_micros(seconds * 1_000_000)
    }

    fn flow(up: Option<u64>, interim: bool) -> FlowRow<'static> {
        FlowRow {
            start: at(0),
            role: Role::Originator,
            peer: 1,
            peer_name: None,
            port: 502,
            transport: Transport::Tcp,
            service: None,
            up,
            down: None,
            bytes: ByteKind::Payload,
            state: ConnState::Answered,
            interim,
            uid: None,
            commands: None,
        }
    }

    /// Tells running totals, each at its second; the last one ends the flow.
    fn told(totals: &[(i64, Option<u64>)]) -> Vec<u64> {
        let mut flows = OpenFlows::default();
        let last = totals.len() - 1;
        let ups = totals
            .iter()
            .enumerate()
            .map(|(n, (second, up))| flows.tell("c1", &flow(*up, n < last), at(*second)).up)
            .collect();
        assert!(flows.0.is_empty(), "an ended flow is forgotten");
        ups
    }

    #[test]
    fn running_totals_count_by_difference() {
        let totals = [
            (10, Some(100)),
            (20, Some(250)),
            (30, Some(250)),
            (40, Some(300)),
        ];
        assert_eq!(told(&totals), [100, 150, 0, 50]);
    }

    #[test]
    fn a_counter_that_starts_again_counts_in_full() {
        assert_eq!(
            told(&[(10, Some(100)), (20, Some(30)), (30, Some(50))]),
            [100, 30, 20]
        );
    }

    #[test]
    fn a_straggler_is_in_the_totals_already() {
        let totals = [
            (10, Some(100)),
            (30, Some(300)),
            (20, Some(200)),
            (40, Some(400)),
        ];
        assert_eq!(told(&totals), [100, 200, 0, 100]);
    }

    #[test]
    fn a_total_that_is_not_given_has_not_moved() {
        assert_eq!(
            told(&[(10, Some(100)), (20, None), (30, Some(150))]),
            [100, 0, 50]
        );
    }

    #[test]
    fn only_the_first_record_is_a_new_connection() {
        let mut flows = OpenFlows::default();
        let first = flows.tell("c1", &flow(Some(1), true), at(10));
        let second = flows.tell("c1", &flow(Some(2), true), at(20));
        assert_eq!((first.first, first.from), (true, at(0)));
        assert_eq!((second.first, second.from), (false, at(10)));
    }

    #[test]
    fn open_flows_are_bounded_and_evictions_are_told() {
        let mut flows = OpenFlows::default();
        let tell = |flows: &mut OpenFlows, n: usize| {
            flows.tell(&format!("c{n}"), &flow(Some(5), true), at(1))
        };
        assert!((0..OPEN_MAX).all(|n| !tell(&mut flows, n).evicted));
        assert!(
            !tell(&mut flows, 0).evicted,
            "c0 is known, and now the most recent"
        );
        assert!(tell(&mut flows, OPEN_MAX).evicted);
        assert_eq!(flows.0.len(), OPEN_MAX);
        assert!(!tell(&mut flows, 0).first, "c0 was told lately");
        assert!(tell(&mut flows, 1).first, "c1 was forgotten");
    }

    #[test]
    fn a_record_is_admitted_once_until_many_others_came() {
        let mut recent = RecentFlows::default();
        assert!(recent.admit("c1", &flow(Some(1), false), at(1)));
        assert!(!recent.admit("c1", &flow(Some(1), false), at(1)));
        assert!(recent.admit("c1", &flow(Some(2), false), at(1)));
        assert!(recent.admit("c1", &flow(Some(1), false), at(2)));
        assert!(recent.admit("c1", &flow(Some(1), true), at(1)));
        for n in 0..RECENT {
            assert!(recent.admit(&format!("x{n}"), &flow(None, false), at(1)));
        }
        assert!(recent.admit("c1", &flow(Some(1), false), at(1)));
    }
}
